"""Half-open windows of time: cutting and planning."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_hotmart.api.windows import (
    FILL,
    MAX_PARTS,
    MAX_PARTS_AT_ONCE,
    MAX_WINDOW,
    MIN_WINDOW,
    Window,
    iso,
    parts_for,
)

EPOCHS = st.integers(0, 4_000_000_000)
windows = st.builds(lambda start, length: Window(start, start + length), EPOCHS, st.integers(1, 400_000_000))
splittable = windows.filter(lambda window: window.can_split)


@given(splittable, st.integers(2, 200))
def test_a_split_covers_the_window_without_gap_or_overlap(window: Window, parts: int) -> None:
    pieces = window.split(parts)
    assert (pieces[0].start, pieces[-1].end) == (window.start, window.end)
    assert all(one.end == next_one.start for one, next_one in pairwise(pieces))
    assert 2 <= len(pieces) <= parts


@given(splittable, st.integers(2, 200))
def test_a_split_makes_no_window_shorter_than_the_smallest(window: Window, parts: int) -> None:
    assert min(piece.seconds for piece in window.split(parts)) >= MIN_WINDOW


@given(splittable, st.integers(2, 200))
def test_the_parts_of_a_split_are_equal_to_a_second(window: Window, parts: int) -> None:
    lengths = [piece.seconds for piece in window.split(parts)]
    assert max(lengths) - min(lengths) <= 1


@given(windows)
def test_splitting_in_halves_comes_to_an_end_at_a_second(window: Window) -> None:
    halvings = 0
    while window.can_split:
        window = max(window.split(), key=lambda half: half.seconds)
        halvings += 1
    assert window.seconds == MIN_WINDOW
    assert halvings <= 29


@given(windows)
def test_no_piece_is_longer_than_hotmart_allows(window: Window) -> None:
    pieces = window.pieces()
    assert max(piece.seconds for piece in pieces) <= MAX_WINDOW < 730 * 86400
    assert (pieces[0].start, pieces[-1].end) == (window.start, window.end)
    assert all(one.end == next_one.start for one, next_one in pairwise(pieces))
    assert len(pieces) == math.ceil(window.seconds / MAX_WINDOW)


@given(st.lists(EPOCHS, min_size=3, max_size=10, unique=True), st.integers(0, 10), st.booleans())
def test_every_second_falls_into_exactly_one_of_neighbouring_windows(
    edges: list[int], pick: int, inclusive: bool
) -> None:
    edges = sorted(edge + 1 for edge in edges)
    second = edges[pick % (len(edges) - 1)]  # an edge is where it could go wrong
    for offset in (0, 1, -1):
        stamp = (second + offset) * 1000
        found = 0
        for start, end in pairwise(edges):
            low, high = (int(bound) for bound in Window(start, end).bounds())
            found += low <= stamp <= high if inclusive else low < stamp < high
        assert found == (edges[0] <= second + offset < edges[-1])


def test_a_window_is_sent_as_milliseconds_one_before_each_bound() -> None:
    assert Window(100, 200).bounds() == ("99999", "199999")


@pytest.mark.parametrize(
    ("window", "bounds"),
    [(Window(0, 60), ("0", "59999")), (Window(-60, 0), ("0", "0")), (Window(-9, 9), ("0", "8999"))],
)
def test_no_millisecond_before_the_epoch_is_ever_sent(window: Window, bounds: tuple[str, str]) -> None:
    assert window.bounds() == bounds


def test_a_window_reads_as_iso_dates() -> None:
    assert str(Window(0, 60)) == "[1970-01-01T00:00:00+00:00, 1970-01-01T00:01:00+00:00)"
    assert Window(0, 60).isoformat() == (iso(0), iso(60))


@given(st.integers(0, 10**12) | st.just(10**400), st.integers(1, 500))
def test_a_window_is_cut_in_two_at_least_and_never_into_more_parts_than_memory_bears(total: int, rows: int) -> None:
    assert 2 <= parts_for(total, rows) <= MAX_PARTS


@given(st.integers(1, 500))
def test_where_no_total_is_told_a_window_is_cut_in_two(rows: int) -> None:
    assert parts_for(None, rows) == 2


@given(st.integers(501, int(FILL * 500 * MAX_PARTS_AT_ONCE)))
def test_a_part_is_expected_to_fit_on_one_page_with_room_to_spare(total: int) -> None:
    parts = parts_for(total, 500)
    assert total / parts <= FILL * 500
    assert parts == 2 or total / (parts - 1) > FILL * 500, "no more parts than that"


@given(st.integers(int(FILL * 500 * 2 * MAX_PARTS_AT_ONCE), int(FILL * 450 * MAX_PARTS_AT_ONCE**2)))
def test_where_there_are_many_parts_they_are_cut_in_two_steps_of_about_the_same_size(total: int) -> None:
    first = parts_for(total, 500)
    second = parts_for(math.ceil(total / first), 500)
    assert 0.5 <= first / second <= 2
    assert total / (first * second) <= FILL * 500
