"""What a DAG author writes as a date → a moment. Pure."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any

from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError
from airflow_provider_hotmart.api.zones import zone_of

RULE = "ISO 8601 text such as '2026-01-31' or '2026-01-31T00:00:00Z', or a datetime"


def parse_datetime(value: Any, name: str, zone: str = "UTC") -> int:
    """
    Read a date as whole seconds since the epoch, rounded up (Hotmart's time stamps are whole seconds).

    A date is the first moment of that day in the zone, so a day lasts 23, 24 or 25 hours, as it does there. A time
    that the clocks skip is the moment at which they skip it; one that they show twice is the first of the two, unless
    a ``datetime`` has ``fold=1``. So a later time is never an earlier moment, and neighbouring windows stay neighbours.

    :param value: ISO 8601 text, ``datetime`` (pendulum's too) or ``date``.
    :param name: the argument's name, for the error.
    :param zone: IANA name of the zone of what names none.
    :raises HotmartInvalidRequestError: for anything else; numbers above all, which may be seconds or milliseconds.
    """
    try:
        there = zone_of(zone)
    except ValueError as error:
        raise HotmartInvalidRequestError(f"timezone: {error}") from None
    if isinstance(value, (int, float)) or (isinstance(value, str) and _is_number(value)):
        raise HotmartInvalidRequestError(
            f"{name} is the number {value!r}, expected {RULE} (a number may mean seconds or milliseconds)"
        )
    try:
        read = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
        if isinstance(read, datetime):
            # The standard library's own: pendulum's calculates in its own ways.
            local = datetime.combine(date(read.year, read.month, read.day), read.time()).replace(fold=read.fold)
        elif isinstance(read, date):
            local = datetime.combine(read, time())
        else:
            raise ValueError
        offset = read.utcoffset() if isinstance(read, datetime) else None
        aware = _moment(local, there) if offset is None else (local - offset).replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # no date, or none between the years 1 and 9999 in UTC
        raise HotmartInvalidRequestError(f"{name} is {str(value)!r}, expected {RULE}") from None
    return calendar.timegm(aware.utctimetuple()) + (1 if aware.microsecond else 0)


def _is_number(text: str) -> bool:
    """Tell whether a text is a number and no date without hyphens."""
    text = text.strip()
    return text.lstrip("+-").replace(".", "", 1).isdigit() and len(text) != len("20260131")


def _moment(local: datetime, zone: tzinfo) -> datetime:
    """
    Give the moment in UTC at which the clocks of a zone show a time; where they skip it, the moment of skipping.

    :param local: without a zone.
    """
    moment = local.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == local.replace(fold=0):
        return moment
    # Python takes a skipped time by the clocks before the skip (fold=0), which is after it, or the other way round.
    before, after = (calendar.timegm(local.replace(tzinfo=zone, fold=fold).utctimetuple()) for fold in (1, 0))
    skipped = datetime.fromtimestamp(after, zone).utcoffset()
    while before + 1 < after:
        middle = (before + after) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == skipped:
            after = middle
        else:
            before = middle
    return datetime.fromtimestamp(after, UTC)
