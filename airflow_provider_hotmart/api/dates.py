"""Dates as a DAG author writes them."""

from __future__ import annotations

import calendar
from datetime import date, datetime
from typing import Any

import pendulum

from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError


def parse_datetime(value: Any, name: str, zone: str = "UTC") -> int:
    """
    Read a date as whole seconds since the epoch, rounded up (Hotmart's time stamps are whole seconds).

    :param value: ISO 8601 text, ``datetime`` (pendulum's too) or ``date``.
    :param name: the argument's name, for the error.
    :param zone: of dates that name none.
    :raises HotmartInvalidRequestError: for anything else; numbers above all, which may be seconds or milliseconds.
    """
    rule = "expected ISO 8601 text such as '2026-01-31T00:00:00Z', or a datetime"
    if isinstance(value, str):
        value = _parsed(value.strip(), name, rule, zone)
    if isinstance(value, datetime):
        aware = value if value.tzinfo else pendulum.instance(value, tz=zone)
        # By way of the calendar: pendulum's differences of dates cannot be divided like the standard library's.
        try:
            return calendar.timegm(aware.utctimetuple()) + (1 if aware.microsecond else 0)
        except OverflowError:  # its moment in UTC lies before the year 1 or after 9999
            raise HotmartInvalidRequestError(f"{name} is {str(value)!r}, {rule}") from None
    if isinstance(value, date):
        return parse_datetime(datetime(value.year, value.month, value.day), name, zone)  # noqa: DTZ001 - means `zone`
    if isinstance(value, (int, float)):
        raise HotmartInvalidRequestError(
            f"{name} is the number {value!r}, which may mean seconds or milliseconds: {rule}"
        )
    raise HotmartInvalidRequestError(f"{name} is {value!r}, {rule}")


def _parsed(text: str, name: str, rule: str, zone: str) -> Any:
    if text.lstrip("+-").replace(".", "", 1).isdigit() and len(text) != len("20260131"):
        raise HotmartInvalidRequestError(
            f"{name} is the number {text!r}, which may mean seconds or milliseconds: {rule}"
        )
    try:
        value = pendulum.parse(text, exact=True, tz=zone)
    except (ValueError, TypeError):  # pendulum raises TypeError for some malformed texts
        value = None
    if not isinstance(value, date):
        raise HotmartInvalidRequestError(f"{name} is {text!r}, {rule}")
    return value
