"""Dates as people write them, in time zones whose days are not all of 24 hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_hotmart.api.dates import parse_datetime
from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError

BERLIN = "Europe/Berlin"
SAO_PAULO = "America/Sao_Paulo"
HOUR = 3600
#: Where the clocks change at 02:00, at midnight (skipping it, or showing it twice), by half an hour, by a whole day.
ZONES = [
    "America/Sao_Paulo",
    "Europe/Berlin",
    "America/Havana",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/St_Johns",
    "UTC",
]
MORE_CHANGES = [date(2020, 11, 1), date(2026, 4, 5), date(2006, 10, 29), date(2026, 1, 15)]
zones = st.sampled_from(ZONES)
days = st.dates(date(1990, 1, 1), date(2035, 12, 31))
#: Times that are near a change of the clocks more often than not.
naive = datetime.fromisoformat
near_a_change = st.builds(
    lambda day, minutes: naive(day.isoformat()) + timedelta(minutes=minutes),
    st.sampled_from(
        [date(2026, 3, 29), date(2026, 10, 25), date(2018, 11, 4), date(2018, 2, 18), date(2011, 12, 30), *MORE_CHANGES]
    ),
    st.integers(-1440, 2880),
)


def read(value: Any, zone: str = "UTC") -> int:
    return parse_datetime(value, "start_date", zone)


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@given(st.integers(0, 4_000_000_000_000_000), st.integers(-14 * 60, 14 * 60), zones)
def test_a_moment_with_a_zone_is_the_same_in_every_form_whatever_the_zone_of_others(
    microseconds: int, minutes: int, zone: str
) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    there = moment.astimezone(timezone(timedelta(minutes=minutes)))
    forms = [
        moment,
        there,
        moment.isoformat(),
        there.isoformat(" "),
        pendulum.instance(there),
        moment.astimezone(ZoneInfo(zone)),
    ]
    assert {read(form, zone) for form in forms} == {-(-microseconds // 1_000_000)}


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-31",
        " 2026-01-31T00:00\n",
        "2026-01-31 00:00:00.000",
        "20260131",
        date(2026, 1, 31),
        datetime.fromisoformat("2026-01-31"),
        pendulum.naive(2026, 1, 31),
        pendulum.date(2026, 1, 31),
    ],
)
def test_what_names_no_zone_is_in_the_zone_that_is_asked_for(value: Any) -> None:
    assert read(value) == utc("2026-01-31T00:00")
    assert read(value, SAO_PAULO) == utc("2026-01-31T03:00")
    assert read(value, BERLIN) == utc("2026-01-30T23:00")


@given(near_a_change, zones)
def test_a_time_that_the_clocks_show_once_is_the_moment_at_which_they_do(local: datetime, zone: str) -> None:
    moment = datetime.fromtimestamp(read(local, zone), ZoneInfo(zone))
    if moment.replace(tzinfo=None, fold=0) == local:
        return
    # The clocks skip it: just before that moment they were before it, and at it they are beyond.
    before = (moment.astimezone(UTC) - timedelta(seconds=1)).astimezone(ZoneInfo(zone))
    assert before.replace(tzinfo=None) < local < moment.replace(tzinfo=None)


@given(near_a_change, st.integers(0, 4 * HOUR), zones)
def test_a_later_time_is_never_an_earlier_moment(local: datetime, seconds: int, zone: str) -> None:
    assert read(local, zone) <= read(local + timedelta(seconds=seconds), zone)


@given(days, zones)
def test_a_day_holds_the_moments_that_have_its_date_and_its_neighbours_the_rest(day: date, zone: str) -> None:
    start, end = read(day, zone), read(day + timedelta(days=1), zone)
    for moment in (start, start + HOUR, end - 1):
        if start <= moment < end:
            assert abs(datetime.fromtimestamp(moment, ZoneInfo(zone)).date() - day) <= timedelta(
                days=1 if is_odd(day, zone) else 0
            )
    assert start <= end


def is_odd(day: date, zone: str) -> bool:
    """Newfoundland's clocks went from 00:01 back to 23:01: two dates in turn, until 2011."""
    return zone == "America/St_Johns" and day.year <= 2011


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/Sao_Paulo", "2026-03-15", 24),
        ("America/Sao_Paulo", "2018-11-04", 23),  # it began at 01:00
        ("America/Sao_Paulo", "2018-02-17", 25),
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("America/Havana", "2020-11-01", 25),  # its midnight came twice
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Pacific/Apia", "2011-12-30", 0),  # it was left out
    ],
)
def test_a_day_lasts_as_long_as_it_does_there(zone: str, day: str, hours: float) -> None:
    next_day = date.fromisoformat(day) + timedelta(days=1)
    assert read(next_day, zone) - read(day, zone) == hours * HOUR


def test_a_time_that_the_clocks_skip_is_the_moment_at_which_they_skip_it() -> None:
    skipped = ["2026-03-29T02:00", "2026-03-29T02:30", "2026-03-29T02:59:59.9", "2026-03-29T03:00"]
    assert {read(text, BERLIN) for text in skipped} == {utc("2026-03-29T01:00")}
    assert read(naive("2026-03-29T02:30").replace(fold=1), BERLIN) == utc("2026-03-29T01:00")


def test_a_time_that_the_clocks_show_twice_is_the_first_unless_it_says_otherwise() -> None:
    assert read("2026-10-25T02:30", BERLIN) == utc("2026-10-25T00:30")
    assert read(naive("2026-10-25T02:30").replace(fold=1), BERLIN) == utc("2026-10-25T01:30")
    assert read("2026-10-25T02:30+01:00", BERLIN) == utc("2026-10-25T01:30")


@given(st.lists(near_a_change, min_size=3, max_size=6), zones)
def test_neighbouring_windows_of_local_times_leave_no_moment_out(edges: list[datetime], zone: str) -> None:
    moments = [read(edge, zone) for edge in sorted(edges)]
    assert sum(end - start for start, end in pairwise(moments)) == moments[-1] - moments[0] >= 0


def test_a_fraction_of_a_second_is_rounded_up() -> None:
    assert read("2026-01-31T00:00:00.000001Z") == utc("2026-01-31T00:00:01")


@pytest.mark.parametrize(
    "value", [1_769_817_600, 1_769_817_600_000, 1.5, True, "1769817600", " 1769817600000 ", "1.5", "-3"]
)
def test_a_number_is_refused_because_it_may_be_seconds_or_milliseconds(value: Any) -> None:
    with pytest.raises(HotmartInvalidRequestError, match=r"start_date is the number .* seconds or milliseconds"):
        read(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "None",
        "yesterday",
        "10:00",
        "P1D",
        "2026-01",
        "2026-01-01/2026-02-01",
        "2026-13-01",
        "2026-02-30",
        "0001-01-01T00:00:00+14:00",
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12))),
        "{{ ds }}",
        None,
        [],
        object(),
        timedelta(1),
    ],
)
def test_what_is_no_date_is_refused_by_name(value: Any) -> None:
    with pytest.raises(HotmartInvalidRequestError, match=r"start_date is .*expected ISO 8601"):
        read(value)


@pytest.mark.parametrize(("zone", "value"), [("Asia/Tokyo", "0001-01-01"), (SAO_PAULO, "9999-12-31T23:00")])
def test_a_date_beyond_the_calendar_in_utc_is_refused(zone: str, value: str) -> None:
    with pytest.raises(HotmartInvalidRequestError, match="expected ISO 8601"):
        read(value, zone)


def test_a_zone_that_there_is_not_is_refused_with_the_closest_one() -> None:
    with pytest.raises(HotmartInvalidRequestError, match=r"^timezone: 'Sao_Paulo' is no time zone by its IANA name"):
        read("2026-01-31", "Sao_Paulo")
    with pytest.raises(HotmartInvalidRequestError, match=r"did you mean 'America/Sao_Paulo'\?"):
        read("2026-01-31", "America/Sao Paolo")
