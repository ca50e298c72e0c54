"""What a DAG author writes → what Hotmart is asked: the filters and dates of an endpoint. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from airflow_provider_hotmart.api.dates import parse_datetime
from airflow_provider_hotmart.api.endpoint import DateRange, Endpoint, Filter
from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError
from airflow_provider_hotmart.api.filter_values import ALL, did_you_mean, parse_filter, parse_texts
from airflow_provider_hotmart.api.windows import Window, iso

#: Window where no dates are given.
DEFAULT_WINDOW = timedelta(days=30)
#: Hotmart opened in 2011: what is asked for by its code may be as old as that.
FIRST_SALE = 1_293_840_000
#: What is asked for by its code may lie ahead of this machine's clock, in seconds.
CLOCK_DIFFERENCE = 86400


@dataclass(frozen=True)
class Query:
    """
    What is asked for.

    :param endpoint: that is asked.
    :param params: Hotmart's parameters that are the same in every call.
    :param fan_out: Hotmart's parameters with several values; each combination is asked for on its own.
    :param statuses: in ranks; each rank is asked for when the one before has been read.
    :param window: of dates; None: the endpoint has none, or sales are named by their code, whatever their date.
    :param window_given: whether both dates were given.
    :param ranges: of dates that are no windows.
    :param kept: by key of a record, or dot path in a row, the values that are kept of it.
    :param between: by dot path in a row, the first moment that is kept and the first that is not any more, in epoch
        milliseconds; None: no end.
    :param parent: the listing in whose rows values of a filter are found; ``found`` is that filter.
    :param path: in place of the endpoint's; empty: that one.
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
    ranges: tuple[tuple[DateRange, Window], ...] = ()
    kept: Mapping[str, frozenset[str]] = field(default_factory=dict)
    between: Mapping[str, tuple[int, int | None]] = field(default_factory=dict)
    unverified: tuple[tuple[str, str, str], ...] = ()
    select: tuple[str, ...] = ()
    now: float = 0.0
    parent: Query | None = None
    found: Filter | None = None
    path: str = ""

    @property
    def all_statuses(self) -> tuple[str, ...]:
        """The statuses that are asked for, in the order of a sale's life."""
        return tuple(status for rank in self.statuses for status in rank)

    def values(self, one: Filter) -> tuple[str, ...]:
        """Give the values that are asked for of a filter that may have several."""
        kept = sorted(self.kept.get(one.selects, ()))
        return self.fan_out.get(one.sent_as) or tuple(kept) or tuple(filter(None, [self.params.get(one.sent_as)]))

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
    asked = _Asked()
    for one in endpoint.filters:
        if one.name in given:
            asked.add(one, given[one.name], timezone, is_status=one.name == endpoint.status)
        elif one.required:
            raise HotmartInvalidRequestError(f"{one.name} is missing, and Hotmart cannot be asked for it: give it")
        elif one.defaults:
            asked.fan_out[one.sent_as] = one.defaults
    any_date = any(one.any_date and one.name in given for one in endpoint.filters)
    if endpoint.status and not asked.statuses and not any_date:
        asked.statuses = endpoint.default_statuses
    window, window_given = None, True
    if endpoint.dates:
        start, end = (name for name, _ in endpoint.dates)
        if not any_date or not given.keys().isdisjoint((start, end)):
            window, window_given = _window(start, end, given, now, timezone)
    ranges = _ranges(endpoint, given, now, timezone)
    if endpoint.ranges and not ranges:
        # What is named by its code may be of any date, and Hotmart may look at the last 30 days alone.
        everything = Window(FIRST_SALE, math.ceil(now) + CLOCK_DIFFERENCE)
        (start, _), (end, _) = endpoint.ranges[0].start, endpoint.ranges[0].end
        ranges = [(endpoint.ranges[0], everything if any_date else _window(start, end, {}, now, timezone)[0])]
        window_given = any_date
    for pair, span in ranges:
        asked.add_range(pair, span)
    found = next((one for one in endpoint.filters if one.found_by and one.name not in given), None)
    parent = None if found is None else _parent(found, given, asked, now, timezone)
    return Query(
        endpoint,
        asked.params,
        asked.fan_out,
        _in_ranks(endpoint, asked.statuses),
        window,
        window_given,
        tuple(ranges),
        asked.kept,
        asked.between,
        tuple(asked.unverified),
        parse_texts(given["select"], "select") if "select" in given else (),
        now,
        parent,
        found,
        asked.path,
    )


@dataclass
class _Asked:
    """What is asked for, filter by filter; as in a query."""

    path: str = ""
    params: dict[str, str] = field(default_factory=dict)
    fan_out: dict[str, tuple[str, ...]] = field(default_factory=dict)
    kept: dict[str, frozenset[str]] = field(default_factory=dict)
    between: dict[str, tuple[int, int | None]] = field(default_factory=dict)
    unverified: list[tuple[str, str, str]] = field(default_factory=list)
    statuses: tuple[str, ...] = ()

    def add(self, one: Filter, value: Any, timezone: str, *, is_status: bool) -> None:
        """Read one filter."""
        self.path = one.path or self.path
        if one.kind == "moment":
            since = parse_datetime(value, one.name, timezone) * 1000
            self.params[one.sent_as] = str(since - 1)  # whether Hotmart counts the moment in is unknown
            self.between[one.selects] = (since, None)
            return
        values = parse_filter(one, value, extra=(ALL,) if is_status else ())
        if one.words is not None and one.is_open:
            known = {str(word) for word in one.words}
            key = one.sent_as or one.selects
            self.unverified += [(key, text, one.name) for text in values if text not in known]
        if is_status:
            self.statuses = values
        elif not one.sent_as or (one.selects and len(values) > 1):
            self.kept[one.selects] = frozenset(values)
        elif one.several:
            self.fan_out[one.sent_as] = values
        else:
            self.params[one.sent_as] = values[0]

    def add_range(self, pair: DateRange, span: Window) -> None:
        """Filter by a pair of dates: send exactly those that Hotmart filters by, and no other."""
        start, end = span.bounds()
        self.params[pair.start[1]] = start
        if pair.end[1] and not pair.is_end_unsure:
            self.params[pair.end[1]] = end
        if pair.column:
            self.between[pair.column] = (span.start * 1000, span.end * 1000)


def _parent(found: Filter, given: Mapping[str, Any], asked: _Asked, now: float, timezone: str) -> Query | None:
    """Ask another endpoint for the values of a filter; what both take is asked of that one alone."""
    if found.found_by is None:
        return None
    for name in found.found_by.along:
        asked.fan_out.pop(name, None)
    where = {name: given[name] for name in found.found_by.along if name in given} | dict(found.found_by.where)
    return build_query(found.found_by.endpoint, now=now, timezone=timezone, **where)


def _ranges(endpoint: Endpoint, given: Mapping[str, Any], now: float, timezone: str) -> list[tuple[DateRange, Window]]:
    """Read the pairs of dates of which one is given."""
    return [
        (pair, _window(pair.start[0], pair.end[0], given, now, timezone, ahead=pair.ahead)[0])
        for pair in endpoint.ranges
        if not given.keys().isdisjoint((pair.start[0], pair.end[0]))
    ]


def _in_ranks(endpoint: Endpoint, statuses: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    wanted = set(statuses)
    every = ALL in wanted
    found = [tuple(str(status) for status in rank if every or status in wanted) for rank in endpoint.ranks]
    return tuple(rank for rank in found if rank)


def _window(
    start_name: str, end_name: str, given: Mapping[str, Any], now: float, timezone: str, *, ahead: bool = False
) -> tuple[Window, bool]:
    """
    Read two dates.

    :param given: the arguments by name.
    :param ahead: whether a window with one end only looks forward from now.
    :return: the window, and whether both of its ends were given.
    """
    bounds = {name: parse_datetime(given[name], name, timezone) for name in (start_name, end_name) if name in given}
    length = int(DEFAULT_WINDOW.total_seconds())
    if ahead:
        start = bounds.get(start_name, math.floor(now))
        end = bounds.get(end_name, start + length)
    else:
        end = bounds.get(end_name, math.ceil(now))
        start = bounds.get(start_name, end - length)
    if start == end:
        raise HotmartInvalidRequestError(
            "The window is empty: give an end after the start, such as "
            f"macros.hotmart.yesterday(dag_run, {timezone!r}) and macros.hotmart.today(dag_run, {timezone!r}), because "
            f"since Airflow 3 a cron schedule's data interval has no length [each is {iso(start)}]"
        )
    if start > end:
        raise HotmartInvalidRequestError(
            f"{start_name} is after {end_name}: give an end after the start [{iso(start)}, {iso(end)}]"
        )
    return Window(start, end), len(bounds) == 2


def refuse_unmet(query: Query, met: Collection[tuple[str, str]]) -> None:
    """
    Refuse a word that neither this package knows nor Hotmart has anything for.

    :param met: parameters or keys, and their values, that something was found for.
    :raises HotmartInvalidRequestError: naming the word and those that are known.
    """
    for key, value, name in query.unverified:
        if (key, value) not in met:
            known = [str(word) for word in query.endpoint.filter(name).words or ()]
            hint = did_you_mean(value, known)
            raise HotmartInvalidRequestError(
                f"{name} {value!r} finds nothing{hint}; expected one of {', '.join(known)}"
            )
