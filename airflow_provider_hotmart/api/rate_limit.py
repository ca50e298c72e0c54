"""One call budget per credential, shared by everything in a process that uses it."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Hashable, Mapping
from typing import Any

from airflow_provider_hotmart.api.clock import Clock
from airflow_provider_hotmart.api.retry import seconds

#: Calls a minute, until Hotmart says otherwise. Source: https://developers.hotmart.com/docs/en/start/rate-limit/.
DOCUMENTED_LIMIT = 500
WINDOW = 60.0
#: How far to trust one observation of what other users of the credential take.
SMOOTHING = 0.3
#: However busy the others, this part of what is left is ours.
SMALLEST_SHARE = 0.1


class CallBudget:
    """
    Paces calls so that Hotmart's limit is used fully, evenly, and not exceeded.

    Hotmart tells with every answer how many calls are left (``RateLimit-Remaining``) and in how many seconds
    the count starts anew (``RateLimit-Reset``). The calls that are left are spread over the time that is left.
    Where the count falls faster than our own calls explain, others use the credential too (another worker, another
    integration), and we keep to the share that we have been taking.

    :param clock: the passing of time.
    :param calls_per_minute: a limit of our own, to leave room for other integrations.
    """

    def __init__(self, clock: Clock, calls_per_minute: int | None = None) -> None:
        self._clock = clock
        self._own_interval = WINDOW / calls_per_minute if calls_per_minute else 0.0
        self._lock = threading.Lock()
        self._limit: float = DOCUMENTED_LIMIT
        self._left: float = DOCUMENTED_LIMIT
        self._window_end: float | None = None
        self._next_slot = 0.0
        self._blocked_until = 0.0
        self._share = 1.0
        self._issued = 0
        self._reported_at = 0
        self._reported_left: float | None = None
        self._waiting: list[tuple[float, int]] = []
        self._tickets = 0
        self._served: dict[int, float] = {}
        self._turn = 0.0

    def acquire(self, listing: object = None) -> int:
        """
        Wait until one more call is due, and take it.

        Listings that wait at the same time take turns, however many calls each has waiting.

        :param listing: whose call it is.
        :return: number of the call, to hand to :meth:`report`.
        """
        ticket = self._enqueue(id(listing))
        try:
            while True:
                with self._lock:
                    ahead = sum(1 for other in self._waiting if other < ticket)
                    now = self._clock.monotonic()
                    wait = self._slot(now) - now + ahead * self._interval(now)
                    if ahead == 0 and wait <= 0:
                        return self._take(now, ticket)
                # A little more than nothing, so that two waiters of one slot do not spin.
                self._clock.sleep(max(wait, 0.001))
        finally:
            with self._lock:
                if ticket in self._waiting:
                    self._waiting.remove(ticket)
                    heapq.heapify(self._waiting)

    def report(self, call: int, headers: Mapping[str, str]) -> None:
        """
        Learn from an answer.

        :param call: what :meth:`acquire` returned for it.
        :param headers: the answer's headers, looked up without regard to case.
        """
        left = seconds(_first(headers, "RateLimit-Remaining", "X-RateLimit-Remaining-Minute"))
        limit = seconds(_first(headers, "RateLimit-Limit", "X-RateLimit-Limit-Minute"))
        reset = seconds(headers.get("RateLimit-Reset"))
        with self._lock:
            if limit:
                self._limit = limit
            if left is None or call < self._reported_at:
                return
            now = self._clock.monotonic()
            end = now + min(reset if reset is not None else WINDOW, WINDOW)
            fresh = (
                self._window_end is None
                or now >= self._window_end
                or (self._reported_left is not None and left > self._reported_left and end > self._window_end + 1.5)
            )
            if fresh:
                self._window_end = end
            else:
                self._observe_others(call, left)
                # Reset is in whole seconds, rounded who knows how: the latest end is the safe one.
                self._window_end = max(self._window_end or end, end)
            self._reported_at, self._reported_left = call, left
            self._left = left - (self._issued - call)

    def block(self, wait: float) -> None:
        """
        Let nobody call for a while: the limit was exceeded.

        :param wait: seconds.
        """
        with self._lock:
            self._blocked_until = max(self._blocked_until, self._clock.monotonic() + wait)

    @property
    def left(self) -> int:
        """Calls that are left in the current minute, as far as known."""
        with self._lock:
            return max(0, int(self._left))

    def _enqueue(self, listing: int) -> tuple[float, int]:
        with self._lock:
            # Fair queueing: a listing's next call is due one turn after its last, and never in the past.
            due = max(self._served.get(listing, 0.0) + 1.0, self._turn)
            self._served[listing] = due
            if len(self._served) > 1000:
                self._served = {one: turn for one, turn in self._served.items() if turn > self._turn}
            self._tickets += 1
            ticket = (due, self._tickets)
            heapq.heappush(self._waiting, ticket)
            return ticket

    def _take(self, now: float, ticket: tuple[float, int]) -> int:
        heapq.heappop(self._waiting)
        self._turn = ticket[0]
        self._next_slot = max(now, self._next_slot) + self._interval(now)
        if self._window_end is not None:
            self._next_slot = min(self._next_slot, max(self._window_end, now + self._own_interval))
        self._left -= 1
        self._issued += 1
        return self._issued

    def _slot(self, now: float) -> float:
        """When the next call is due."""
        self._roll_over(now)
        due = max(self._next_slot, self._blocked_until)
        if self._left < 1 and self._window_end is not None:
            due = max(due, self._window_end)
        return due

    def _interval(self, now: float) -> float:
        """Seconds between two of our calls."""
        if self._window_end is None:
            even = WINDOW / self._limit
        else:
            even = max(self._window_end - now, 0.0) / max(self._left * self._share, 1.0)
        return max(even, self._own_interval)

    def _roll_over(self, now: float) -> None:
        if self._window_end is not None and now >= self._window_end:
            self._left = self._limit
            self._reported_left = None
            self._window_end = now + WINDOW

    def _observe_others(self, call: int, left: float) -> None:
        """Estimate which part of the calls that were used since the last answer was ours."""
        if self._reported_left is None:
            return
        used, own = self._reported_left - left, call - self._reported_at
        if used <= 0 or own <= 0:
            return
        share = min(1.0, own / used)
        self._share += SMOOTHING * (share - self._share)
        self._share = max(SMALLEST_SHARE, self._share)


def _first(headers: Mapping[str, str], *names: str) -> str | None:
    return next((headers[name] for name in names if name in headers), None)


_budgets: dict[Any, CallBudget] = {}
_budgets_lock = threading.Lock()


def shared_budget(credential: Hashable, clock: Clock, calls_per_minute: int | None) -> CallBudget:
    """
    The one budget of a credential in this process.

    :param credential: what tells credentials apart.
    :param clock: the passing of time; budgets on different clocks are different ones.
    :param calls_per_minute: a limit of our own; connections that set it differently have budgets of their own.
    """
    with _budgets_lock:
        key = (credential, clock, calls_per_minute)
        budget = _budgets.get(key)
        if budget is None:
            budget = _budgets[key] = CallBudget(clock, calls_per_minute)
        return budget
