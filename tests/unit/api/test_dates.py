"""Dates as a DAG author writes them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_hotmart.api.dates import parse_datetime
from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError
from airflow_provider_hotmart.api.windows import iso


@given(st.integers(0, 4_000_000_000))
def test_a_moment_round_trips_through_iso_text(epoch: int) -> None:
    assert parse_datetime(iso(epoch), "sales_start_date") == epoch


@given(st.integers(0, 4_000_000_000_000_000), st.integers(-14 * 60, 14 * 60))
def test_a_moment_is_the_same_in_every_form_and_zone(microseconds: int, minutes: int) -> None:
    utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    naive = utc.replace(tzinfo=None)
    there = utc.astimezone(timezone(timedelta(minutes=minutes)))
    expected = -(-microseconds // 1_000_000)
    forms = [naive, utc, there, utc.isoformat(), there.isoformat(), naive.isoformat(" "), pendulum.instance(there)]
    assert {parse_datetime(form, "sales_start_date") for form in forms} == {expected}


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-31",
        " 2026-01-31T00:00:00Z\n",
        "20260131",
        "2026-01-31T00:00",
        date(2026, 1, 31),
        "2026-01-30T21:00:00-03:00",
    ],
)
def test_dates_are_read_as_their_first_moment_in_utc(value: Any) -> None:
    assert parse_datetime(value, "sales_start_date") == 1_769_817_600


def test_a_fraction_of_a_second_is_rounded_up() -> None:
    assert parse_datetime("2026-01-31T00:00:00.000001Z", "sales_start_date") == 1_769_817_601


@pytest.mark.parametrize(
    "value", [1_769_817_600, 1_769_817_600_000, 1.5, True, "1769817600", "1769817600000", "1.5", "-3"]
)
def test_a_number_is_refused_because_it_may_be_seconds_or_milliseconds(value: Any) -> None:
    with pytest.raises(HotmartInvalidRequestError, match=r"sales_start_date is the number .* seconds or milliseconds"):
        parse_datetime(value, "sales_start_date")


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "None",
        "yesterday",
        "10:00",
        "P1D",
        "2026-01-01/2026-02-01",
        "2026-13-01",
        "0001-01-01T00:00:00+14:00",
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12))),
        "{{ ds }}",
        [],
        object(),
        timedelta(1),
    ],
)
def test_what_is_no_date_is_refused_by_name(value: Any) -> None:
    with pytest.raises(HotmartInvalidRequestError, match=r"sales_end_date is .*expected ISO 8601"):
        parse_datetime(value, "sales_end_date")
