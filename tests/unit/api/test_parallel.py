"""Work that splits while it is done: results in order, memory bounded, nothing left hanging."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_hotmart.api.parallel import WAITING_PER_THREAD, Ordered, Run, StoppedError

#: Seconds after which something that should happen has not.
PATIENCE = 20


@dataclass(frozen=True)
class Piece:
    """Work: results to give, then smaller pieces."""

    results: tuple[int, ...] = ()
    parts: tuple[Piece, ...] = ()


class PieceRun(Run[int]):
    """A piece to be done."""

    def __init__(self, piece: Piece) -> None:
        super().__init__()
        self.piece = piece


def do(run: PieceRun) -> Sequence[PieceRun] | None:
    """Give the results of a piece; name its parts."""
    for result in run.piece.results:
        run.wait_for_room()
        run.hand_on(result)
    return [PieceRun(part) for part in run.piece.parts] or None


def in_order(pieces: Sequence[Piece]) -> Iterator[int]:
    """What doing the pieces one after the other gives."""
    for piece in pieces:
        yield from piece.results
        yield from in_order(piece.parts)


results = st.lists(st.integers(), max_size=20).map(tuple)
pieces = st.recursive(
    st.builds(Piece, results),
    lambda part: st.builds(Piece, results, st.lists(part, max_size=4).map(tuple)),
    max_leaves=12,
)


@given(st.lists(pieces, max_size=6), st.integers(1, 9))
def test_the_order_of_results_depends_on_the_pieces_alone(work: list[Piece], width: int) -> None:
    assert list(Ordered([PieceRun(piece) for piece in work], do, width)) == list(in_order(work))


def test_no_work_gives_nothing() -> None:
    assert list(Ordered([], do, 4)) == []


def test_pieces_are_done_at_once_up_to_the_width() -> None:
    together = threading.Barrier(4)

    def meet(run: PieceRun) -> None:
        together.wait(PATIENCE)

    assert list(Ordered([PieceRun(Piece()) for _ in range(8)], meet, 4)) == []


def test_no_more_pieces_than_the_width_are_done_at_once() -> None:
    lock, busy, most = threading.Lock(), 0, 0

    def count(run: PieceRun) -> Sequence[PieceRun] | None:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        children = do(run)
        with lock:
            busy -= 1
        return children

    work = [Piece((1, 2), (Piece((3,)), Piece((4,)))) for _ in range(30)]
    list(Ordered([PieceRun(piece) for piece in work], count, 3))
    assert most <= 3


def test_results_that_nobody_takes_are_bounded() -> None:
    width = 3
    given_out = itertools.count()
    made = 0
    full = threading.Event()

    def endless(run: PieceRun) -> None:
        nonlocal made
        while made < 10_000:
            run.wait_for_room()
            made = next(given_out) + 1
            if made >= width * WAITING_PER_THREAD:
                full.set()
            run.hand_on(0)

    stream = iter(Ordered([PieceRun(Piece()) for _ in range(width)], endless, width))
    next(stream)
    assert full.wait(PATIENCE)
    # Each thread may have found room at the same time as the others, and the first piece has room of its own.
    most = width * WAITING_PER_THREAD + width + WAITING_PER_THREAD + 1
    for taken in range(1, 500):
        assert made <= most + taken
        next(stream)
    stream.close()  # type: ignore[attr-defined]


def test_when_all_room_is_taken_only_the_first_unfinished_piece_goes_on() -> None:
    full = threading.Event()
    may_go_on: list[bool] = []
    runs = [PieceRun(Piece()) for _ in range(40)]

    def work(run: PieceRun) -> None:
        if run.path == (0,):
            assert full.wait(PATIENCE)
            assert run._owner is not None
            may_go_on.extend(run._owner._has_room(one) for one in runs)
        run.wait_for_room()
        run.hand_on(run.path[0])
        if run.path == (2 * WAITING_PER_THREAD,):
            full.set()

    assert list(Ordered(runs, work, 2)) == list(range(40))
    assert may_go_on == [True] + [False] * 39


def test_a_late_first_piece_is_done_however_much_the_others_hold() -> None:
    others_wait = threading.Event()

    def work(run: PieceRun) -> None:
        if run.path == (0,):
            assert others_wait.wait(PATIENCE)
        for number in range(50):
            if run.path != (0,) and number == WAITING_PER_THREAD:
                others_wait.set()
            run.wait_for_room()
            run.hand_on(run.path[0])

    found = list(Ordered([PieceRun(Piece()) for _ in range(4)], work, 4))
    assert found == [number for number in range(4) for _ in range(50)]


@pytest.mark.parametrize("width", [1, 4])
def test_a_failure_is_raised_where_the_results_are_read(width: int) -> None:
    def fails(run: PieceRun) -> Sequence[PieceRun] | None:
        if run.path == (2,):
            raise LookupError("the third piece")
        return do(run)

    with pytest.raises(LookupError, match="the third piece"):
        list(Ordered([PieceRun(Piece((1,))) for _ in range(6)], fails, width))


def test_after_a_failure_the_others_stop() -> None:
    stopped = threading.Event()
    started = threading.Event()

    def work(run: PieceRun) -> None:
        if run.path == (0,):
            assert started.wait(PATIENCE)
            raise LookupError
        started.set()
        try:
            while True:
                run.wait_for_room()
                run.hand_on(1)
        except StoppedError:
            stopped.set()
            raise

    with pytest.raises(LookupError):
        list(Ordered([PieceRun(Piece()), PieceRun(Piece())], work, 2))
    assert stopped.wait(PATIENCE)


def test_when_nobody_reads_any_longer_the_work_stops() -> None:
    stopped = threading.Event()

    def work(run: PieceRun) -> None:
        try:
            while True:
                run.wait_for_room()
                run.hand_on(1)
        except StoppedError:
            stopped.set()
            raise

    stream = iter(Ordered([PieceRun(Piece())], work, 1))
    assert next(stream) == 1
    stream.close()  # type: ignore[attr-defined]
    assert stopped.wait(PATIENCE)


def test_no_result_is_none() -> None:
    def work(run: PieceRun) -> None:
        run.hand_on(None)  # type: ignore[arg-type]
        run.hand_on(0)

    assert list(Ordered([PieceRun(Piece())], work, 1)) == [0]
