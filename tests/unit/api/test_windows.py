"""Dates and half-open windows of time."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError
from airflow_provider_hotmart.api.windows import (
    LONGEST_RUN,
    SMALLEST,
    Window,
    iso,
    moment,
    parts_for,
    window_between,
)

NOW = 1_767_225_600.5  # 2026-01-01T00:00:00.5Z
EPOCHS = st.integers(0, 4_000_000_000)
windows = st.builds(lambda start, length: Window(start, start + length), EPOCHS, st.integers(1, 10_000_000))
splittable = windows.filter(lambda window: window.can_split)


@given(splittable, st.integers(2, 200))
def test_a_split_covers_the_window_without_gap_or_overlap(window: Window, parts: int) -> None:
    pieces = window.split(parts)
    assert (pieces[0].start, pieces[-1].end) == (window.start, window.end)
    assert all(one.end == next_one.start for one, next_one in pairwise(pieces))
    assert 2 <= len(pieces) <= parts


@given(splittable, st.integers(2, 200))
def test_a_split_makes_no_window_shorter_than_the_smallest(window: Window, parts: int) -> None:
    assert min(piece.seconds for piece in window.split(parts)) >= SMALLEST


@given(splittable, st.integers(2, 200))
def test_the_parts_of_a_split_are_equal_to_a_second(window: Window, parts: int) -> None:
    lengths = [piece.seconds for piece in window.split(parts)]
    assert max(lengths) - min(lengths) <= 1


@given(windows)
def test_splitting_in_halves_comes_to_an_end(window: Window) -> None:
    halvings = 0
    while window.can_split:
        window = max(window.split(), key=lambda half: half.seconds)
        halvings += 1
    assert window.seconds < 2 * SMALLEST
    assert halvings <= 24


@given(st.lists(EPOCHS, min_size=3, max_size=10, unique=True), st.integers(0, 10), st.booleans())
def test_every_second_falls_into_exactly_one_of_neighbouring_windows(
    edges: list[int], pick: int, inclusive: bool
) -> None:
    edges.sort()
    second = edges[pick % (len(edges) - 1)]  # an edge is where it could go wrong
    for offset in (0, 1, -1):
        stamp = (second + offset) * 1000
        found = 0
        for start, end in pairwise(edges):
            params = Window(start, end).params()
            low, high = int(params["start_date"]), int(params["end_date"])
            found += low <= stamp <= high if inclusive else low < stamp < high
        assert found == (edges[0] <= second + offset < edges[-1])


def test_a_window_is_sent_as_milliseconds_one_before_each_bound() -> None:
    assert Window(100, 200).params() == {"start_date": "99999", "end_date": "199999"}


def test_a_window_reads_as_iso_dates() -> None:
    assert str(Window(0, 60)) == "[1970-01-01T00:00:00+00:00, 1970-01-01T00:01:00+00:00)"


@given(st.integers(0, 100_000), st.integers(1, 500))
def test_few_rows_are_read_as_they_are_and_many_are_cut(rows: int, page_size: int) -> None:
    parts = parts_for(rows, page_size)
    assert (parts == 1) == (rows <= LONGEST_RUN * page_size)
    if parts > 1:
        assert rows / parts <= LONGEST_RUN * page_size


@given(st.integers(6001, 5_000_000))
def test_cutting_wastes_few_calls(rows: int) -> None:
    parts = parts_for(rows, 500)
    each = math.ceil(rows / parts / 500 + 2 * math.sqrt(rows / parts) / 500)
    assert parts * each <= 1.25 * math.ceil(rows / 500) + 2


@given(EPOCHS)
def test_a_moment_round_trips_through_iso_text(epoch: int) -> None:
    assert moment(iso(epoch), "start_date") == epoch


@given(st.integers(0, 4_000_000_000_000_000), st.integers(-14 * 60, 14 * 60))
def test_a_moment_is_the_same_in_every_form_and_zone(microseconds: int, minutes: int) -> None:
    utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    naive = utc.replace(tzinfo=None)
    there = utc.astimezone(timezone(timedelta(minutes=minutes)))
    expected = -(-microseconds // 1_000_000)
    forms = [naive, utc, there, utc.isoformat(), there.isoformat(), naive.isoformat(" "), pendulum.instance(there)]
    assert {moment(form, "start_date") for form in forms} == {expected}


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
    assert moment(value, "start_date") == 1_769_817_600


def test_a_fraction_of_a_second_is_rounded_up() -> None:
    assert moment("2026-01-31T00:00:00.000001Z", "start_date") == 1_769_817_601


@pytest.mark.parametrize(
    "value", [1_769_817_600, 1_769_817_600_000, 1.5, True, "1769817600", "1769817600000", "1.5", "-3"]
)
def test_a_number_is_refused_because_it_may_be_seconds_or_milliseconds(value: Any) -> None:
    with pytest.raises(HotmartInvalidRequestError, match=r"start_date is the number .* seconds or milliseconds"):
        moment(value, "start_date")


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
    with pytest.raises(HotmartInvalidRequestError, match=r"end_date is .*expected ISO 8601"):
        moment(value, "end_date")


def test_omitted_dates_mean_a_window_of_the_default_length_up_to_now() -> None:
    window, defaulted = window_between(None, None, now=NOW, default=timedelta(days=30))
    assert (window.end, window.seconds, defaulted) == (math.ceil(NOW), 30 * 86400, True)


def test_one_omitted_date_is_filled_in() -> None:
    month = timedelta(days=30)
    early = window_between(None, "2025-06-01", now=NOW, default=month)
    late = window_between("2025-06-01", None, now=NOW, default=month)
    assert early == (Window(moment("2025-05-02", ""), moment("2025-06-01", "")), True)
    assert late == (Window(moment("2025-06-01", ""), math.ceil(NOW)), True)


def test_two_given_dates_are_taken_as_they_are() -> None:
    window = window_between("2025-06-01", date(2025, 6, 2), now=NOW, default=timedelta(days=30))
    assert window == (Window(moment("2025-06-01", ""), moment("2025-06-02", "")), False)


@pytest.mark.parametrize(("end", "kind"), [("2025-06-01", "empty"), ("2025-05-31", "reversed")])
def test_an_empty_or_reversed_window_explains_the_usual_cause(end: str, kind: str) -> None:
    with pytest.raises(HotmartInvalidRequestError, match=rf"is {kind}: .*since Airflow 3 a cron schedule"):
        window_between("2025-06-01", end, now=NOW, default=timedelta(days=30))
