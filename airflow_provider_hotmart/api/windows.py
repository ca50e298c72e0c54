"""Dates and half-open windows of time: reading, planning, splitting. Pure."""

from __future__ import annotations

import calendar
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pendulum

from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError

#: No window is split into smaller ones than this, in seconds.
SMALLEST = 60
#: A window that needs at most so many pages is read page after page.
LONGEST_RUN = 12
#: Lengths, in pages, that the planner considers for the windows of a split.
RUN_LENGTHS = range(3, 5)


@dataclass(frozen=True, order=True)
class Window:
    """
    Half-open stretch of time ``[start, end)``.

    :param start: whole seconds since the epoch.
    :param end: whole seconds since the epoch.
    """

    start: int
    end: int

    @property
    def seconds(self) -> int:
        """Length in seconds."""
        return self.end - self.start

    @property
    def can_split(self) -> bool:
        """Whether smaller windows may still be asked for."""
        return self.seconds >= 2 * SMALLEST

    def params(self) -> dict[str, str]:
        """
        The window as Hotmart's ``start_date`` and ``end_date``: epoch milliseconds, one before each bound.

        Hotmart's own time stamps are whole seconds, so this selects ``[start, end)`` whether Hotmart counts
        its bounds in or out, and neighbouring windows neither overlap nor leave a gap.
        """
        return {"start_date": str(self.start * 1000 - 1), "end_date": str(self.end * 1000 - 1)}

    def split(self, parts: int = 2) -> list[Window]:
        """
        Cut into equal neighbouring windows, none shorter than the smallest allowed.

        :param parts: how many; fewer come back where the window is too short for so many.
        """
        parts = max(2, min(parts, self.seconds // SMALLEST))
        edges = [self.start + round(self.seconds * i / parts) for i in range(parts + 1)]
        return [Window(a, b) for a, b in pairwise(edges)]

    def isoformat(self) -> tuple[str, str]:
        """Start and end as ISO 8601 in UTC."""
        return iso(self.start), iso(self.end)

    def __str__(self) -> str:
        return "[{}, {})".format(*self.isoformat())


def iso(epoch: int) -> str:
    """Write seconds since the epoch as ISO 8601 in UTC."""
    return datetime.fromtimestamp(epoch, UTC).isoformat()


def parts_for(rows: int, page_size: int) -> int:
    """
    How many equal windows to cut a window into, so that reading it costs few calls and can run in parallel.

    The last page of each window is partly empty, so few long windows waste least and many short ones spread
    best. Rows fall on windows at random: two standard deviations are allowed for before a page is counted
    as enough.

    :param rows: how many rows the window holds.
    :param page_size: rows on a full page.
    :return: 1 where paging through it as it is costs least; else the number of windows.
    """
    if rows <= LONGEST_RUN * page_size:
        return 1

    def calls(parts: int) -> int:
        share = rows / parts
        return parts * math.ceil((share + 2 * math.sqrt(share)) / page_size)

    fewest, most = (math.ceil(rows / (length * page_size)) for length in (RUN_LENGTHS[-1], RUN_LENGTHS[0]))
    return min(range(fewest, most + 1), key=calls)


def moment(value: Any, name: str) -> int:
    """
    Read a date as whole seconds since the epoch, rounded up (Hotmart's time stamps are whole seconds).

    :param value: ISO 8601 text, ``datetime`` (pendulum's too) or ``date``. Without a zone it means UTC.
    :param name: the argument's name, for the error.
    :raises HotmartInvalidRequestError: for anything else; numbers above all, which may be seconds or milliseconds.
    """
    rule = "expected ISO 8601 text such as '2026-01-31T00:00:00Z', or a datetime"
    if isinstance(value, str):
        value = _parsed(value.strip(), name, rule)
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        # By way of the calendar: pendulum's differences of dates cannot be divided like the standard library's.
        try:
            return calendar.timegm(aware.utctimetuple()) + (1 if aware.microsecond else 0)
        except OverflowError:  # its moment in UTC lies before the year 1 or after 9999
            raise HotmartInvalidRequestError(f"{name} is {str(value)!r}, {rule}") from None
    if isinstance(value, date):
        return moment(datetime(value.year, value.month, value.day, tzinfo=UTC), name)
    if isinstance(value, (int, float)):
        raise HotmartInvalidRequestError(
            f"{name} is the number {value!r}, which may mean seconds or milliseconds: {rule}"
        )
    raise HotmartInvalidRequestError(f"{name} is {value!r}, {rule}")


def _parsed(text: str, name: str, rule: str) -> Any:
    if text.lstrip("+-").replace(".", "", 1).isdigit() and len(text) != len("20260131"):
        raise HotmartInvalidRequestError(
            f"{name} is the number {text!r}, which may mean seconds or milliseconds: {rule}"
        )
    try:
        value = pendulum.parse(text, exact=True, tz="UTC")
    except (ValueError, TypeError):  # pendulum raises TypeError for some malformed texts
        value = None
    if not isinstance(value, date):
        raise HotmartInvalidRequestError(f"{name} is {text!r}, {rule}")
    return value


def window_between(start: Any, end: Any, *, now: float, default: timedelta) -> tuple[Window, bool]:
    """
    Read the two dates of a filter.

    :param start: first moment; None: so long before the end as ``default`` says.
    :param end: first moment that no longer counts; None: now.
    :param now: seconds since the epoch.
    :param default: length of the window where no start is given.
    :return: the window, and whether any of its ends was not given.
    :raises HotmartInvalidRequestError: when a date is not readable, or the window is empty or reversed.
    """
    last = math.ceil(now) if end is None else moment(end, "end_date")
    first = last - int(default.total_seconds()) if start is None else moment(start, "start_date")
    if first >= last:
        kind = "empty" if first == last else "reversed"
        raise HotmartInvalidRequestError(
            f"the window from start_date {iso(first)} to end_date {iso(last)} is {kind}: "
            "give an end_date after the start_date (since Airflow 3 a cron schedule has data_interval_start equal "
            "to data_interval_end: compute the window from one of them, for example "
            "start_date: '{{ data_interval_end - macros.timedelta(days=1) }}', end_date: '{{ data_interval_end }}', "
            "or schedule with CronDataIntervalTimetable)"
        )
    return Window(first, last), start is None or end is None
