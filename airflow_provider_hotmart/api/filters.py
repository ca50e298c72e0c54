"""What a DAG author writes → what Hotmart is asked: the filters of an endpoint, read and checked. Pure."""

from __future__ import annotations

import ast
import difflib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from airflow_provider_hotmart.api.dates import parse_datetime
from airflow_provider_hotmart.api.endpoints import Endpoint, Filter
from airflow_provider_hotmart.api.enums import PORTUGUESE, SaleStatus
from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError
from airflow_provider_hotmart.api.lifecycle import ranks
from airflow_provider_hotmart.api.windows import Window, iso

#: ``transaction_status="ALL"``.
ALL = "ALL"
#: What Hotmart lists when no status is named; asked for explicitly.
DEFAULT_STATUSES = (SaleStatus.APPROVED, SaleStatus.COMPLETE)
#: Window where no dates are given.
DEFAULT_WINDOW = timedelta(days=30)
#: Texts that a template gives which has no value, exactly as rendered: "Null" is a surname.
_NO_VALUE = frozenset({"None", "nan", "NaT", "<NA>"})


@dataclass(frozen=True)
class Query:
    """
    What is asked for.

    :param endpoint: of which.
    :param params: Hotmart's parameters that are the same in every call.
    :param fan_out: Hotmart's parameters with several values; each combination is asked for on its own.
    :param statuses: in ranks; each rank is asked for when the one before has been read.
    :param window: of dates; None: the endpoint has none, or sales are named by their code, whatever their date.
    :param window_given: whether both dates were given.
    :param kept: by key of a record, the values that are kept of it.
    :param unverified: words that Hotmart may know though this package does not: (parameter or key, value, filter).
    :param select: dot paths of the fields to fetch; empty: all.
    :param now: when it was asked, in seconds since the epoch.
    """

    endpoint: Endpoint
    params: Mapping[str, str] = field(default_factory=dict)
    fan_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    statuses: tuple[tuple[str, ...], ...] = ()
    window: Window | None = None
    window_given: bool = True
    kept: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unverified: tuple[tuple[str, str, str], ...] = ()
    select: tuple[str, ...] = ()
    now: float = 0.0

    @property
    def all_statuses(self) -> tuple[str, ...]:
        """The statuses that are asked for, in the order of a sale's life."""
        return tuple(status for rank in self.statuses for status in rank)

    @property
    def is_personal(self) -> bool:
        """Whether a filter is sent that is about a person."""
        sent = {*self.params, *self.fan_out}
        return any(one.personal and one.sent_as in sent for one in self.endpoint.filters)


def build_query(endpoint: Endpoint, *, now: float, timezone: str = "UTC", **arguments: Any) -> Query:
    """
    Read the filters of a listing as a DAG author gives them.

    :param endpoint: whose filters they are.
    :param now: seconds since the epoch.
    :param timezone: of dates that name none.
    :param arguments: by the names of the table; None: not given.
    :raises HotmartInvalidRequestError: naming the value, the rule and the remedy.
    """
    unknown = arguments.keys() - set(endpoint.arguments)
    if unknown:
        raise TypeError(f"{endpoint.name} has no filter {', '.join(sorted(unknown))}")
    given = {name: value for name, value in arguments.items() if value is not None}
    params: dict[str, str] = {}
    fan_out: dict[str, tuple[str, ...]] = {}
    kept: dict[str, frozenset[str]] = {}
    unverified: list[tuple[str, str, str]] = []
    statuses: tuple[str, ...] = ()
    for one in endpoint.filters:
        if one.name not in given:
            continue
        values = parse_filter(one, given[one.name], extra=(ALL,) if one.name == endpoint.status else ())
        if one.words is not None and one.is_open:
            known = {str(word) for word in one.words}
            key = one.sent_as or one.selects
            unverified += [(key, value, one.name) for value in values if value not in known]
        if one.name == endpoint.status:
            statuses = values
        elif not one.sent_as:
            kept[one.selects] = frozenset(values)
        elif one.several:
            fan_out[one.sent_as] = values
        else:
            params[one.sent_as] = values[0]
    by_code = "transaction" in fan_out
    if endpoint.status and not statuses and not by_code:
        statuses = tuple(str(status) for status in DEFAULT_STATUSES)
    window, window_given = None, True
    if endpoint.dates:
        names = tuple(name for name, _ in endpoint.dates)
        bounds = [given.get(name) for name in names]
        if not by_code or bounds != [None, None]:
            window, window_given = _window(bounds, names, now, timezone)
    return Query(
        endpoint,
        params,
        fan_out,
        _in_ranks(statuses),
        window,
        window_given,
        kept,
        tuple(unverified),
        parse_texts(given["select"], "select") if "select" in given else (),
        now,
    )


def _in_ranks(statuses: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    wanted = set(statuses)
    every = ALL in wanted
    found = [tuple(str(status) for status in rank if every or status in wanted) for rank in ranks()]
    return tuple(rank for rank in found if rank)


def _window(bounds: list[Any], names: tuple[str, ...], now: float, timezone: str) -> tuple[Window, bool]:
    """
    Read the two dates of a listing.

    :return: the window, and whether both of its ends were given.
    """
    given = [bound is not None for bound in bounds]
    end = parse_datetime(bounds[1], names[1], timezone) if given[1] else math.ceil(now)
    start = parse_datetime(bounds[0], names[0], timezone) if given[0] else end - int(DEFAULT_WINDOW.total_seconds())
    if start == end:
        raise HotmartInvalidRequestError(
            f"{names[0]} and {names[1]} are the same moment, {iso(start)}, so the window is empty: give an end after "
            "the start (since Airflow 3 a cron schedule has data_interval_start equal to data_interval_end: compute "
            "the window from the day of the run, or schedule with CronDataIntervalTimetable)"
        )
    if start > end:
        raise HotmartInvalidRequestError(
            f"{names[0]} {iso(start)} is after {names[1]} {iso(end)}: give an end after the start"
        )
    return Window(start, end), all(given)


def parse_filter(one: Filter, value: Any, extra: tuple[str, ...] = ()) -> tuple[str, ...]:
    """
    Read the value of one filter as Hotmart takes it.

    :param extra: words that are known beside those of the table.
    :raises HotmartInvalidRequestError: naming value (never a personal one), rule and remedy.
    """
    if one.kind == "id":
        values = _ids(value, one.name)
    elif one.several or one.kind == "word":
        values = parse_texts(value, one.name, split=not one.personal)
    else:
        values = (_text(value, one),)
    if one.words is not None:
        values = tuple(dict.fromkeys(_word(text, one, extra) for text in values))
    if not one.several and len(values) > 1:
        raise HotmartInvalidRequestError(f"{one.name} takes one value, and {len(values)} are given")
    return values


def parse_texts(value: Any, name: str, *, split: bool = True) -> tuple[str, ...]:
    """
    Read an argument that takes one text or several, each of them once.

    :param value: text, also with commas or written as a list (templates render to text), or an iterable of texts.
    :param split: whether a comma separates values.
    """
    values = _several(value, name)
    for one in values:
        if not isinstance(one, str):
            raise HotmartInvalidRequestError(f"{name} is {one!r}, expected text")
    parts = [part.strip() for one in values for part in (one.split(",") if split else [one])]
    for part in parts:
        _check_value(part, name)
    return tuple(dict.fromkeys(parts))


def _several(value: Any, name: str) -> list[Any]:
    if isinstance(value, str):
        value = _listed(value.strip(), name)
    values = list(value) if isinstance(value, Iterable) and not isinstance(value, (str, bytes, dict)) else [value]
    if isinstance(value, (set, frozenset)):
        values.sort(key=str)
    if not values:
        raise HotmartInvalidRequestError(
            f"{name} is an empty list, which would select everything: "
            "give at least one value, or None to leave the filter out"
        )
    for one in values:
        if isinstance(one, (list, tuple, set, dict)):
            raise HotmartInvalidRequestError(f"{name} is {value!r}, expected one value, or a flat list of several")
        _check_value("" if one is None else str(one), name)
    return list(dict.fromkeys(values))


def _check_value(text: str, name: str) -> None:
    """Refuse what a template gives that has no value: it would select nothing, or everything."""
    if text in _NO_VALUE:
        raise HotmartInvalidRequestError(
            f"{name} is the text {text!r}, which a template gives that has no value: correct the template, "
            "or pass None to leave the filter out"
        )
    if not text.strip():
        raise HotmartInvalidRequestError(
            f"{name} is empty, which would select everything: give a value, or None to leave the filter out"
        )


def _listed(text: str, name: str) -> Any:
    if not (text.startswith(("[", "(", "{")) and text.endswith(("]", ")", "}"))):
        return text
    for read in (json.loads, ast.literal_eval):
        try:
            return list(read(text))
        except (ValueError, SyntaxError, TypeError):
            continue
    raise HotmartInvalidRequestError(f"{name} is {text!r}, which looks like a list and is not readable as one")


def _text(value: Any, one: Filter) -> str:
    """Read an argument that takes one text. A personal value does not show in errors."""
    if not isinstance(value, str):
        raise HotmartInvalidRequestError(f"{one.name} is a {type(value).__name__}, expected one text")
    _check_value(value, one.name)
    return value


def _ids(value: Any, name: str) -> tuple[str, ...]:
    values = _several(value, name)
    if any(isinstance(one, str) and "," in one for one in values):
        values = list(parse_texts(value, name))
    for one in values:
        text = str(one).strip()
        if isinstance(one, (bool, float)) or not (text.isascii() and text.isdigit()):
            raise HotmartInvalidRequestError(f"{name} is {one!r}, expected a whole number such as 4060000")
    return tuple(dict.fromkeys(str(int(str(one).strip())) for one in values))


def _word(text: str, one: Filter, extra: tuple[str, ...]) -> str:
    """Read one word of a list; of a list that Hotmart may extend, others pass, but near misses do not."""
    word = text.upper()
    valid = [*(str(known) for known in one.words or ()), *extra]
    if word in valid:
        return word
    meant = suggestion(word, valid)
    if one.is_open and not meant:
        return word
    hint = f" (did you mean {meant!r}?)" if meant else ""
    raise HotmartInvalidRequestError(f"{one.name} {text!r} is unknown{hint}; expected one of {', '.join(valid)}")


def suggestion(word: str, valid: list[str]) -> str | None:
    """
    Find the word that was probably meant, in Portuguese too.

    :param word: in upper case.
    """
    translated = PORTUGUESE.get(word.replace(" ", "_"))
    if translated in valid:
        return translated
    close = difflib.get_close_matches(word, valid, n=1, cutoff=0.75)
    return close[0] if close else None
