"""Work that splits while it is done, in several threads, with results in order and bounded memory."""

from __future__ import annotations

import heapq
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

_R = TypeVar("_R")
_W = TypeVar("_W", bound="Run[Any]")

#: Results that may wait for their turn, per thread.
WAITING_PER_THREAD = 2


class StoppedError(Exception):
    """Nobody waits for the result any longer."""


class Run(Generic[_R]):
    """One piece of work. Gives results one by one, and may end by naming smaller pieces that take its place."""

    def __init__(self) -> None:
        self.path: tuple[int, ...] = ()
        self.results: deque[_R] = deque()
        self.children: Sequence[Run[_R]] = ()
        self.done = False
        self._owner: Ordered[_R] | None = None

    def attach(self, owner: Ordered[_R], path: tuple[int, ...]) -> None:
        """Belong to a piece of ordered work, at a place in it."""
        self._owner, self.path = owner, path

    def wait_for_room(self) -> None:
        """
        Wait until one more result may be held.

        :raises StoppedError: when nobody waits for it any longer.
        """
        if self._owner is not None:
            self._owner.wait_for_room(self)

    def hand_on(self, result: _R | None) -> None:
        """Give a result; None is none."""
        if self._owner is not None and result is not None:
            self._owner.hand_on(self, result)


class Ordered(Generic[_R]):
    """
    Does pieces of work in up to ``width`` threads, and yields their results in the order of the pieces.

    The order depends on the pieces alone, not on which thread was faster, nor on how many there are.
    Results that come early are held; a piece waits when too many are held already, unless it is the
    first unfinished one, for which everything waits. The thread that finishes that one takes up the next
    in order, so there is always a thread at work on the first unfinished piece.

    :param runs: the pieces.
    :param work: does one piece; returns the pieces that take its place, or None when it is done.
    :param width: how many at once.
    """

    def __init__(self, runs: Sequence[Run[_R]], work: Callable[[Any], Sequence[Run[_R]] | None], width: int) -> None:
        self._work = work
        self._width = width
        self._room = width * WAITING_PER_THREAD
        self._changed = threading.Condition()
        self._pending: list[tuple[tuple[int, ...], Run[_R]]] = []
        self._unfinished: list[tuple[int, ...]] = []
        self._held = 0
        self._threads = 0
        self._failure: BaseException | None = None
        self._stopped = False
        self._roots = runs
        with self._changed:
            self._add(self._roots, ())

    def __iter__(self) -> Iterator[_R]:
        try:
            for run in self._roots:
                yield from self._results(run)
        finally:
            with self._changed:
                self._stopped = True
                self._changed.notify_all()

    def wait_for_room(self, run: Run[_R]) -> None:
        """
        Wait until a piece may hold one more result.

        :raises StoppedError: when nobody waits for it any longer.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._has_room(run))
            if self._stopped:
                raise StoppedError

    def hand_on(self, run: Run[_R], result: _R) -> None:
        """Hold a result until its turn."""
        with self._changed:
            run.results.append(result)
            self._held += 1
            self._changed.notify_all()

    def _has_room(self, run: Run[_R]) -> bool:
        if self._held < self._room:
            return True
        # What is first unfinished goes on as long as its own results are taken.
        return run.path == self._unfinished[0] and len(run.results) < WAITING_PER_THREAD

    def _add(self, runs: Sequence[Run[_R]], path: tuple[int, ...]) -> None:
        for index, run in enumerate(runs):
            run.attach(self, (*path, index))
            heapq.heappush(self._pending, (run.path, run))
            heapq.heappush(self._unfinished, run.path)
        for _ in range(min(self._width - self._threads, len(self._pending))):
            self._threads += 1
            threading.Thread(target=self._thread, name="hotmart-listing", daemon=True).start()

    def _thread(self) -> None:
        try:
            while (run := self._next()) is not None:
                children = self._work(run)
                with self._changed:
                    self._finish(run, children or ())
        except BaseException as failure:  # noqa: BLE001 - raised again where the results are read
            with self._changed:
                self._failure = self._failure or failure
                self._stopped = True
                self._changed.notify_all()
        finally:
            with self._changed:
                self._threads -= 1

    def _next(self) -> Run[_R] | None:
        with self._changed:
            return None if self._stopped or not self._pending else heapq.heappop(self._pending)[1]

    def _finish(self, run: Run[_R], children: Sequence[Run[_R]]) -> None:
        run.children = children
        run.done = True
        self._unfinished.remove(run.path)
        heapq.heapify(self._unfinished)
        self._add(children, run.path)
        self._changed.notify_all()

    def _results(self, run: Run[_R]) -> Iterator[_R]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._failure or run.results or run.done)
                if self._failure:
                    raise self._failure
                if not run.results:
                    break
                result = run.results.popleft()
                self._held -= 1
                self._changed.notify_all()
            yield result
        for child in run.children:
            yield from self._results(child)
