"""Reads the query of an API call, as strictly as the service."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from airflow_provider_hotmart.api.enums import SaleStatus
from airflow_provider_hotmart.emulator.account.lives import DAY
from airflow_provider_hotmart.emulator.quirks import Quirks
from airflow_provider_hotmart.emulator.service.answers import Answer, club_answer, error_answer, read_page_token

USUAL_ROWS = 50
#: How far back or how long a window may be where the service limits it.
MAX_LOOK_BACK_DAYS = 730
#: What is listed when neither a status nor a transaction is asked for.
USUAL_STATUSES = frozenset({SaleStatus.APPROVED, SaleStatus.COMPLETE})
_NUMBER = re.compile(r"-?[0-9]{1,18}")

Params = Mapping[str, Sequence[str]]


class RequestError(Exception):
    """
    The call is answered with an error status.

    :param error: Hotmart's name of the error
    :param text: what is wrong
    :param status: HTTP status
    """

    def __init__(self, error: str, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.error = error
        self.text = text
        self.status = status

    def answer(self, quirks: Quirks) -> Answer:
        """
        Give the answer that says so.

        :param quirks: how errors look
        """
        return error_answer(self.status, self.error, quirks, self.text or None)


class ClubError(RequestError):
    """
    The same from the members' area, whose errors look otherwise.

    :param error: a code of four digits
    :param text: what is wrong
    :param status: HTTP status
    """

    def answer(self, quirks: Quirks) -> Answer:
        """
        Give the answer that says so.

        :param quirks: how errors look
        """
        return club_answer(self.status, self.error, self.text, quirks)


def check_names(params: Params, known: Sequence[str]) -> None:
    """
    Refuse parameters that the endpoint does not have.

    :param params: of the call
    :param known: that it has
    """
    for name in params:
        if name not in known:
            raise RequestError("invalid_parameter", f"Unknown parameter: {name}")


def one(params: Params, name: str) -> str | None:
    """
    Give the value of a parameter that has one; None: it was not sent.

    :param params: of the call
    :param name: of the parameter
    """
    values = params.get(name, [])
    if len(values) > 1:
        raise RequestError("invalid_parameter", f"Parameter {name} was sent more than once")
    if values and not values[0]:
        raise RequestError("invalid_value_parameter", f"Parameter {name} is empty")
    return values[0] if values else None


def number(params: Params, name: str) -> int | None:
    """
    Give the value of a whole number; None: it was not sent.

    :param params: of the call
    :param name: of the parameter
    """
    text = one(params, name)
    return None if text is None else _to_number(text, name)


def several(params: Params, name: str, way: str) -> list[str] | None:
    """
    Give the values of a parameter that may have several; None: it was not sent.

    :param params: of the call
    :param name: of the parameter
    :param way: "repeat", "comma", "last" or "error"
    """
    values = list(params.get(name, []))
    if not values:
        return None
    if way in ("repeat", "error") and any("," in value for value in values):
        raise RequestError("invalid_parameter", f"Parameter {name} has an invalid value: {','.join(values)}")
    if way == "error" and len(values) > 1:
        raise RequestError("invalid_parameter", f"Parameter {name} was sent more than once")
    if way != "repeat":
        values = values[-1].split(",") if way == "comma" else values[-1:]
    if not all(values):
        raise RequestError("invalid_value_parameter", f"Parameter {name} is empty")
    return values


def numbers(params: Params, name: str, way: str) -> frozenset[int] | None:
    """
    Give the values of a whole number that may have several; None: it was not sent.

    :param params: of the call
    :param name: of the parameter
    :param way: as in ``several``
    """
    texts = several(params, name, way)
    return None if texts is None else frozenset(_to_number(text, name) for text in texts)


def statuses(params: Params, quirks: Quirks) -> frozenset[SaleStatus] | None:
    """
    Give the states that are asked for; None: all.

    :param params: of the call
    :param quirks: which names are accepted
    """
    texts = several(params, "transaction_status", quirks.several_values)
    if texts is None:
        return None if "transaction" in params else USUAL_STATUSES
    found: set[SaleStatus] = set()
    for text in texts:
        if text not in quirks.sale_statuses():
            raise RequestError("invalid_parameter", f"Parameter transaction_status has an invalid value: {text}")
        found.add(SaleStatus.PROTESTED if text == SaleStatus.DISPUTE else SaleStatus(text))
    return frozenset(found)


#: The first second inside and the first second outside; None: no bound.
Bounds = tuple[int | None, int | None]


def window(params: Params, quirks: Quirks, now: float) -> Bounds:
    """
    Give the window of sales that is asked for.

    :param params: of the call
    :param quirks: how bounds are understood
    :param now: epoch seconds
    """
    start, end = _pair(params, quirks, "start_date", "end_date")
    if start is None and end is None and _has_default_window(params, quirks):
        start, end = int((now - 30 * DAY) * 1000), int(now * 1000)
    _check_look_back(start, end, quirks.look_back, int(now * 1000))
    if "transaction" not in params:
        _check_width(start, end, quirks.too_wide)
    return _in_seconds(start, end, quirks)


def dates(params: Params, quirks: Quirks, start: str, end: str | None) -> Bounds | None:
    """
    Give the window that a pair of dates asks for; None: neither was sent.

    :param params: of the call
    :param quirks: how bounds are understood
    :param start: name of the first date
    :param end: name of the last one; None: the first has none beside it
    """
    if start not in params and end not in params:
        return None
    return _in_seconds(*_pair(params, quirks, start, end), quirks)


def inside(second: int | None, bounds: Bounds | None) -> bool:
    """
    Tell whether a date lies in a window; one that is not there lies only where none is asked for.

    :param second: epoch seconds; None: there is no date
    :param bounds: None: none are asked for
    """
    if bounds is None or bounds == (None, None):
        return True
    low, high = bounds
    return second is not None and (low is None or second >= low) and (high is None or second < high)


def _pair(params: Params, quirks: Quirks, start_name: str, end_name: str | None) -> Bounds:
    """Two dates in epoch milliseconds."""
    start = number(params, start_name)
    if end_name is None:
        return start, None
    end = number(params, end_name)
    if (start is None) != (end is None) and quirks.single_bound != "open":
        if quirks.single_bound == "error":
            raise RequestError("invalid_parameter", f"{start_name} and {end_name} must be sent together")
        start = end = None
    if start is not None and end is not None and start > end:
        raise RequestError("invalid_parameter", f"{start_name} is after {end_name}")
    return start, end


def _in_seconds(start: int | None, end: int | None, quirks: Quirks) -> Bounds:
    """Give all dates are whole seconds: so is the comparison."""
    low = None if start is None else -(-start // 1000) if quirks.start_inclusive else start // 1000 + 1
    high = None if end is None else end // 1000 + 1 if quirks.end_inclusive else -(-end // 1000)
    return low, high


def _has_default_window(params: Params, quirks: Quirks) -> bool:
    if "transaction" in params:
        return quirks.transaction_window == "default"
    return quirks.no_bound == "last_30_days"


def _check_look_back(start: int | None, end: int | None, limited: str, now: int) -> None:
    if start is None or limited == "none":
        return
    # The age is counted in whole days: a client that pages for minutes keeps its start.
    too_old = limited == "age" and (now - start) // (DAY * 1000) > MAX_LOOK_BACK_DAYS
    too_long = limited == "length" and (now if end is None else end) - start > MAX_LOOK_BACK_DAYS * DAY * 1000
    if too_old or too_long:
        raise RequestError("invalid_parameter", "Parameter start_date has an invalid value")


def _check_width(start: int | None, end: int | None, most: timedelta | None) -> None:
    if most is None:
        return
    if start is None or end is None or timedelta(milliseconds=end - start) > most:
        raise RequestError("internal_server_error", "The query took too long", 502)


def rows(params: Params, most: int, usual: int = USUAL_ROWS) -> int:
    """
    Tell how many items are on a page.

    :param params: of the call
    :param most: what the service gives at most
    :param usual: what it gives when it is not told
    """
    wanted = number(params, "max_results")
    if wanted is not None and wanted < 1:
        raise RequestError("invalid_value_parameter", f"Parameter max_results has an invalid value: {wanted}")
    return min(wanted or usual, most)


def page(params: Params, most: int) -> tuple[int, str | None]:
    """
    Give the number of the page that is asked for, from 1, and the token that asks for it.

    :param params: of the call
    :param most: items on a page; a token made for another number is refused
    """
    if "page_token" not in params:
        return 1, None
    token = params["page_token"][-1]
    content = read_page_token(token)
    if content is None or content[1] != most:
        raise RequestError("invalid_token", "The page token is invalid")
    return content[0], token


def page_asked(params: Params) -> int:
    """
    Give the number of the page that is asked for, from 1, however wrong the rest of the call is.

    :param params: of the call
    """
    content = read_page_token(params["page_token"][-1]) if "page_token" in params else None
    return content[0] if content else 1


def flag(params: Params, name: str) -> bool | None:
    """
    Give the value of a parameter that is true or false; None: it was not sent.

    :param params: of the call
    :param name: of the parameter
    """
    text = one(params, name)
    if text not in (None, "true", "false"):
        raise RequestError("invalid_value_parameter", f"Parameter {name} must be true or false")
    return None if text is None else text == "true"


def word(params: Params, name: str, known: Iterable[str]) -> str | None:
    """
    Give the value of a parameter that takes one of a few words; None: it was not sent.

    :param params: of the call
    :param name: of the parameter
    :param known: the words
    """
    text = one(params, name)
    if text is not None and text not in set(known):
        raise RequestError("invalid_parameter", f"Parameter {name} has an invalid value: {text}")
    return text


def paths(params: Params) -> list[list[str]] | None:
    """
    Give the paths of ``select``, each as its keys; None: it was not sent.

    :param params: of the call
    """
    text = one(params, "select")
    return None if text is None else [path.strip().split(".") for path in text.split(",")]


def _to_number(text: str, name: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise RequestError("invalid_value_parameter", f"Parameter {name} must be a whole number")
    return int(text)
