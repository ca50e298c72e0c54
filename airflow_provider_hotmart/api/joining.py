"""The history of sales, joined with what the other endpoints say of each sale, and compared with the summary."""

from __future__ import annotations

import logging
import math
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import Any

from msgspec import Raw

from airflow_provider_hotmart.api.client import HotmartClient
from airflow_provider_hotmart.api.endpoint import Endpoint
from airflow_provider_hotmart.api.endpoints.sales import (
    SALES,
    SALES_COMMISSIONS,
    SALES_PARTICIPANTS,
    SALES_PRICE_DETAILS,
    SALES_SUMMARY,
)
from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError, HotmartResponseError
from airflow_provider_hotmart.api.filter_values import did_you_mean, parse_texts
from airflow_provider_hotmart.api.filters import Query
from airflow_provider_hotmart.api.json_text import decode, decode_fields
from airflow_provider_hotmart.api.listing import Listing
from airflow_provider_hotmart.api.pagination import Answer, Pagination
from airflow_provider_hotmart.api.request import Request
from airflow_provider_hotmart.api.rows import CHUNK_RECORDS, at, identity, joined

_log = logging.getLogger(__name__)
#: What can be joined with a sale, by the name that it has in a record.
PARTS: Mapping[str, Endpoint] = {
    "participants": SALES_PARTICIPANTS,
    "commissions": SALES_COMMISSIONS,
    "price_details": SALES_PRICE_DETAILS,
}
_CURRENCY = "purchase.hotmart_fee.currency_code"


def parse_include(value: Any) -> tuple[str, ...]:
    """
    Read which parts are joined with a sale.

    :param value: a name of ``PARTS`` or several; None: none.
    :raises HotmartInvalidRequestError: naming the value and the valid ones.
    """
    names = () if value is None else parse_texts(value, "include")
    for name in names:
        if name not in PARTS:
            hint = did_you_mean(name, PARTS)
            raise HotmartInvalidRequestError(f"include {name!r} is unknown{hint}; expected {', '.join(PARTS)}")
    return names


def parse_reconcile(value: Any) -> bool | str:
    """
    Read whether sales are compared with the summary.

    :param value: a boolean or ``"warn"``, or either as text; None: not.
    """
    text = str(value).strip().lower()
    if text in ("none", "false"):
        return False
    if text in ("true", "warn"):
        return text == "true" or text
    raise HotmartInvalidRequestError(f"reconcile is {value!r}, expected True, False or 'warn'")


class SalesListing(Listing):
    """
    A listing of the history of sales, with more about each sale.

    Each page of the history is one window of dates: the same window is asked of the other endpoints, and what came is
    joined by transaction. What is missing there, because a sale moved between the calls, is asked for by its code.

    :param client: sends the calls.
    :param query: of the history of sales.
    :param include: names of ``PARTS``.
    :param reconcile: whether to compare the number of sales with the summary: True fails the listing when they
        differ, ``"warn"`` says so.
    :raises HotmartInvalidRequestError: when a filter is in use that the summary lacks.
    """

    def __init__(
        self, client: HotmartClient, query: Query, include: Sequence[str] = (), reconcile: bool | str = False
    ) -> None:
        select = _selected(query.select, include)
        super().__init__(client, replace(query, select=select))
        self._reconcile = reconcile
        self._parts = Pagination(self._session, SALES, personal=query.is_personal)
        self._asked = {*query.params, *query.fan_out}
        lacking = self._lacking(SALES_SUMMARY)
        if reconcile and lacking:
            raise HotmartInvalidRequestError(
                f"reconcile and {', '.join(lacking)} exclude each other: leave one out (the summary has no such filter)"
            )
        #: Sales by the currency of their fee.
        self._sales: Counter[str | None] = Counter()
        #: Calls for one sale alone, by their path.
        self._single: Counter[str] = Counter()
        self.parts = {name: PARTS[name] for name in include}
        if include:
            self.facts["missing"] = dict.fromkeys(include, 0)  # sales without counterpart
        if reconcile:
            self.facts["summary"] = []

    def _answers(self) -> Iterator[Answer]:
        yield from self._joined(self._counted()) if self.parts else self._counted()
        if self._reconcile:
            self._compare()

    def _counted(self) -> Iterator[Answer]:
        """Read the history; count its sales by the currency of their fee, where that is to be compared."""
        for answer in super()._answers():
            if self._reconcile:
                self._sales.update(at(decode(row), _CURRENCY) for row in answer.rows)
            yield answer

    def _lacking(self, endpoint: Endpoint) -> list[str]:
        """Give the names of filters in use that an endpoint does not have."""
        theirs = {one.sent_as for one in endpoint.filters}
        return [one.name for one in SALES.filters if one.sent_as in self._asked and one.sent_as not in theirs]

    def _sent_select(self) -> tuple[str, ...]:
        fee = (_CURRENCY,) if self._reconcile else ()
        return (*(path for path in self.query.select if path.partition(".")[0] not in self.parts), *fee)

    def _joined(self, history: Iterator[Answer]) -> Iterator[Answer]:
        """Join the history with what the other endpoints say, whose calls are sent some windows ahead."""
        whole = []
        for name, endpoint in self.parts.items():
            if lacking := self._lacking(endpoint):
                _log.info("Hotmart has no filter %s for %s: asking once per sale", ", ".join(lacking), name)
            else:
                whole.append(endpoint)
        # A page of the history on its way, one that waits for its parts, and the parts: together no more pages are held
        # than by any other listing.
        self._pagination.ahead = ahead = math.ceil(self._parts.ahead / (2 + len(self.parts)))
        waiting: deque[tuple[Request, list[Raw], Iterator[Answer]]] = deque()
        # Rows of one request may come in several answers, which the same calls are for.
        for request, answers in groupby(history, attrgetter("request")):
            rows = [row for answer in answers for row in answer.rows]
            asked = [self._request(request, one) for one in whole if rows]
            waiting.append((request, rows, self._parts.answers(asked)))
            if len(waiting) >= ahead:
                yield from self._completed(*waiting.popleft())
        while waiting:
            yield from self._completed(*waiting.popleft())
        for name, endpoint in self.parts.items():
            if count := self._single[endpoint.path]:
                _log.info("Asked for %s of single sales with %d calls", name, count)

    def _completed(self, request: Request, rows: list[Raw], parts: Iterator[Answer]) -> Iterator[Answer]:
        """
        Put the parts into rows of the history; those that are missing are asked for by the codes of their sales.

        :param request: that the rows came for.
        :param parts: answers of the other endpoints to the same request.
        """
        found: dict[str, dict[str, Raw]] = {endpoint.name: {} for endpoint in self.parts.values()}
        _collect(parts, found)
        codes = dict.fromkeys(map(_code, rows))
        # What moved between the calls has another status now, and what was approved perhaps another date.
        for dated in (True, False):
            missing = [
                self._request(request, endpoint, code, dated=dated)
                for endpoint in self.parts.values()
                for code in codes
                if code not in found[endpoint.name]
            ]
            self._single.update(one.path for one in missing)
            _collect(self._parts.answers(missing), found)
        for start in range(0, len(rows), CHUNK_RECORDS):
            yield Answer(request, [self._record(row, found) for row in rows[start : start + CHUNK_RECORDS]])

    def _record(self, row: Raw, found: Mapping[str, Mapping[str, Raw]]) -> Raw:
        code = _code(row)
        parts = {name: found[endpoint.name].get(code) for name, endpoint in self.parts.items()}
        for name, part in parts.items():
            self.facts["missing"][name] += part is None
        return joined(row, {name: part and _without_shared(part) for name, part in parts.items()})

    def _request(self, request: Request, endpoint: Endpoint, code: str | None = None, *, dated: bool = True) -> Request:
        """
        Ask another endpoint what the history was asked.

        :param code: ask for this sale only, whatever its status.
        :param dated: whether to send the dates as well.
        """
        params = {key: value for key, value in request.params.items() if key != "select"}
        may_be_refused = code is None and request.status in endpoint.refusable
        if code is not None:
            takes_role = any(one.name == "commission_as" for one in endpoint.filters)
            role = {"commission_as": params["commission_as"]} if takes_role and "commission_as" in params else {}
            params = {**role, "transaction": code}
        return replace(
            request,
            endpoint=endpoint,
            path=endpoint.path,
            params=params,
            window=request.window if dated else None,
            status=request.status if code is None else None,
            may_be_refused=may_be_refused,
        )

    def _compare(self) -> None:
        """
        Compare the number of sales by currency with Hotmart's summary of the same filters; look twice.

        :raises HotmartResponseError: when they differ both times.
        """
        query = replace(self.query, select=(), unverified=())
        self.facts["summary"] = self._summarize(query)
        if self._differing(self._sales):
            _log.info("The number of sales differs from Hotmart's summary, looking again")
            self.facts["summary"] = self._summarize(query)
            if self._differing(self._sales):
                # The sales may have moved since they were listed: both must be looked at now.
                sales = Listing(self._client, replace(query, select=(_CURRENCY,)), self._session).objects()
                by_currency = Counter(at(sale, _CURRENCY) for sale in sales)
                if differing := self._differing(by_currency):
                    self._report(differing)
        for row in self.facts["summary"]:
            value = row.get("total_value", {})
            facts = (row.get("total_items"), value.get("value"), value.get("currency_code"))
            _log.info("Hotmart's summary: %s sales, %s %s of commission", *facts)

    def _summarize(self, query: Query) -> list[dict[str, Any]]:
        return list(Listing(self._client, replace(query, endpoint=SALES_SUMMARY), self._session).objects())

    def _differing(self, sales: Counter[str | None]) -> str:
        """Say in which currencies the numbers differ; empty: in none."""
        summary: Counter[str | None] = Counter()
        for row in self.facts["summary"]:
            summary[row.get("total_value", {}).get("currency_code")] += row.get("total_items", 0)
        return ", ".join(
            f"{sales[currency]} sales listed and {summary[currency]} in the summary in {currency or 'no currency'}"
            for currency in sorted({*sales, *summary}, key=str)
            if sales[currency] != summary[currency]
        )

    def _report(self, differing: str) -> None:
        text = "The sales do not agree with Hotmart's summary"
        if self._reconcile != "warn":
            message = f"{text}: run it again, or set reconcile='warn' ({differing})"
            raise HotmartResponseError(message, path=SALES_SUMMARY.path)
        _log.warning("%s: %s", text, differing)


def _selected(select: tuple[str, ...], include: Sequence[str]) -> tuple[str, ...]:
    """Complete what is selected of a sale: a part that is included and not named is kept whole."""
    named = {path.partition(".")[0] for path in select}
    return (*select, *(name for name in include if name not in named)) if select else ()


def _collect(answers: Iterator[Answer], found: dict[str, dict[str, Raw]]) -> None:
    """Sort rows by the name of their endpoint and the code of their sale."""
    for answer in answers:
        endpoint = answer.request.endpoint or SALES
        for row in answer.rows:
            found[endpoint.name].setdefault(str(identity(endpoint, row)[0]), row)


def _code(row: Raw) -> str:
    return str(identity(SALES, row)[0])


def _without_shared(row: Raw) -> dict[str, Any]:
    """Leave out of a part what the history says of the sale too."""
    return {name: value for name, value in decode_fields(row).items() if name not in ("transaction", "product")}
