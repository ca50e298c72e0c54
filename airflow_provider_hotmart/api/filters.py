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


@dataclass
class Query:
    """
    What is asked for. Nobody changes it but :func:`build_query`, which makes it.

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
    params: dict[str, str] = field(default_factory=dict)
    fan_out: dict[str, tuple[str, ...]] = field(default_factory=dict)
    statuses: tuple[tuple[str, ...], ...] = ()
    window: Window | None = None
    window_given: bool = True
    ranges: tuple[tuple[DateRange, Window], ...] = ()
    kept: dict[str, frozenset[str]] = field(default_factory=dict)
    between: dict[str, tuple[int, int | None]] = field(default_factory=dict)
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
    query = Query(endpoint, now=now)
    for one in endpoint.filters:
        if one.name in given:
            _filter(query, one, given[one.name], timezone)
        elif one.required:
            raise HotmartInvalidRequestError(f"{one.name} is missing, and Hotmart cannot be asked for it: give it")
        elif one.defaults:
            query.fan_out[one.sent_as] = one.defaults
    any_date = any(one.any_date and one.name in given for one in endpoint.filters)
    if endpoint.status and not query.statuses and not any_date:
        query.statuses = _in_ranks(endpoint, endpoint.default_statuses)
    if endpoint.dates:
        start, end = (name for name, _ in endpoint.dates)
        if not any_date or not given.keys().isdisjoint((start, end)):
            query.window, query.window_given = _window(start, end, given, now, timezone)
    query.ranges = _ranges(endpoint, given, now, timezone)
    if endpoint.ranges and not query.ranges:
        # What is named by its code may be of any date, and Hotmart may look at the last 30 days alone.
        everything = Window(FIRST_SALE, math.ceil(now) + CLOCK_DIFFERENCE)
        (start, _), (end, _) = endpoint.ranges[0].start, endpoint.ranges[0].end
        query.ranges = ((endpoint.ranges[0], everything if any_date else _window(start, end, {}, now, timezone)[0]),)
        query.window_given = any_date
    for pair, span in query.ranges:
        _filter_dates(query, pair, span)
    if "select" in given:
        query.select = parse_texts(given["select"], "select")
    query.found = next((one for one in endpoint.filters if one.found_by and one.name not in given), None)
    query.parent = _parent(query, given, timezone)
    return query


def _filter(query: Query, one: Filter, value: Any, timezone: str) -> None:
    """Read one filter."""
    query.path = one.path or query.path
    if one.kind == "moment":
        since = parse_datetime(value, one.name, timezone) * 1000
        query.params[one.sent_as] = str(since - 1)  # whether Hotmart counts the moment in is unknown
        query.between[one.selects] = (since, None)
        return
    is_status = one.name == query.endpoint.status
    values = parse_filter(one, value, extra=(ALL,) if is_status else ())
    if one.words is not None and one.is_open:
        known = {str(word) for word in one.words}
        key = one.sent_as or one.selects
        query.unverified += tuple((key, text, one.name) for text in values if text not in known)
    if is_status:
        query.statuses = _in_ranks(query.endpoint, values)
    elif not one.sent_as or (one.selects and len(values) > 1):
        query.kept[one.selects] = frozenset(values)
    elif one.several:
        query.fan_out[one.sent_as] = values
    else:
        query.params[one.sent_as] = values[0]


def _filter_dates(query: Query, pair: DateRange, span: Window) -> None:
    """Filter by a pair of dates: send exactly those that Hotmart filters by, and no other."""
    start, end = span.bounds()
    query.params[pair.start[1]] = start
    if pair.end[1] and not pair.is_end_unsure:
        query.params[pair.end[1]] = end
    if pair.column:
        query.between[pair.column] = (span.start * 1000, span.end * 1000)


def _parent(query: Query, given: Mapping[str, Any], timezone: str) -> Query | None:
    """Ask another endpoint for the values of a filter; what both take is asked of that one alone."""
    source = None if query.found is None else query.found.found_by
    if source is None:
        return None
    for name in source.along:
        query.fan_out.pop(name, None)
    where = {name: given[name] for name in source.along if name in given} | dict(source.where)
    return build_query(source.endpoint, now=query.now, timezone=timezone, **where)


def _ranges(
    endpoint: Endpoint, given: Mapping[str, Any], now: float, timezone: str
) -> tuple[tuple[DateRange, Window], ...]:
    """Read the pairs of dates of which one is given."""
    return tuple(
        (pair, _window(pair.start[0], pair.end[0], given, now, timezone, ahead=pair.ahead)[0])
        for pair in endpoint.ranges
        if not given.keys().isdisjoint((pair.start[0], pair.end[0]))
    )


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
