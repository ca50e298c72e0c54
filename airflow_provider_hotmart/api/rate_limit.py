"""One call budget per credential, shared by everything in a process that uses it."""

from __future__ import annotations

import os
import threading
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Callable, Hashable, Mapping

from airflow_provider_hotmart.api.clock import Clock
from airflow_provider_hotmart.api.headers import seconds

#: Calls a minute, until Hotmart says otherwise. Source: https://developers.hotmart.com/docs/en/start/rate-limit/.
DOCUMENTED_LIMIT = 500
WINDOW = 60.0
#: Seconds by which the end of a window may be mistaken: it is told in whole seconds, rounded who knows how.
RESET_TOLERANCE = 1.5
#: However busy the others, this part of what is left is ours.
MIN_SHARE = 0.1
#: So many calls more than before are a sign of others.
MIN_OTHERS = 2
#: When this part of the limit is used, it makes no difference by whom: caution counts more than speed.
ALMOST_ALL = 0.9
#: Seconds after which whoever waits looks again, because an answer may have changed what is known.
MAX_NAP = 1.0


class CallBudget:
    """
    Paces calls so that Hotmart's limit is used fully, evenly, and not exceeded.

    Hotmart tells with every answer how many calls are left (``RateLimit-Remaining``) and in how many seconds
    there are calls again (``RateLimit-Reset``). The calls that are left are spread over the time that is left.
    Where more calls are used than ours, others use the credential too (another worker, another integration),
    and we keep to the share that we have been taking: without it, two of them would each spend all that is left,
    and be refused. It makes no difference whether Hotmart counts by the minute of the clock or over the last sixty
    seconds.

    :param clock: gives the time.
    :param calls_per_minute: a limit of our own, to leave room for other integrations.
    """

    def __init__(self, clock: Clock, calls_per_minute: int | None = None) -> None:
        self._clock = clock
        self._own_interval = WINDOW / calls_per_minute if calls_per_minute else 0.0
        self._lock = threading.Lock()
        self._limit: float = DOCUMENTED_LIMIT
        self._left: float = DOCUMENTED_LIMIT
        #: When the window has surely ended, and when it may have at the earliest.
        self._window_end: float | None = None
        self._earliest_end = 0.0
        #: Whether the end of the window was told, not guessed.
        self._reset_known = False
        self._next_slot = 0.0
        self._blocked_until = 0.0
        #: Which part of the calls that are used is ours.
        self._share = 1.0
        self._alone = True
        #: Calls that others had made when we came: no sign that they still call, as a task that has ended does not.
        self._before: float | None = None
        self._before_counts = 0.0
        self._issued = 0
        self._reported = 0
        #: When our calls of the last minute were made, and those of them that have no answer yet.
        self._made: deque[float] = deque()
        self._open: dict[int, float] = {}
        self._waiting: list[tuple[float, int]] = []
        self._tickets = 0
        self._served: dict[int, float] = {}
        self._turn = 0.0

    def acquire(self, session: object, sleep: Callable[[float], None]) -> int:
        """
        Wait until one more call is due, and take it.

        Sessions that wait at the same time take turns, however many calls each has waiting.

        :param session: whose call it is.
        :param sleep: waits for so many seconds, and raises where the session was stopped.
        :return: number of the call, to hand to :meth:`report`.
        """
        ticket = self._enqueue(id(session))
        try:
            while True:
                with self._lock:
                    ahead = self._waiting.index(ticket)
                    now = self._clock.monotonic()
                    wait = self._slot(now) - now + ahead * self._interval(now)
                    if ahead == 0 and wait <= 0:
                        return self._take(now, ticket)
                # A little more than nothing, so that two waiters of one slot do not spin.
                sleep(min(max(wait, 0.001), MAX_NAP))
        finally:
            with self._lock:
                self._waiting.remove(ticket)

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
            now = self._clock.monotonic()
            sent = self._open.pop(call, now)
            self._forget(now)
            if limit:
                self._limit = limit
            if left is None or call < self._reported:
                return
            # 0 means that less than a second is left, if seconds are rounded down.
            end = now + min(max(WINDOW if reset is None else reset, 1.0), WINDOW)
            if self._window_end is not None and self._reset_known and end < self._window_end - RESET_TOLERANCE:
                return  # A late answer, of the window before.
            # The answer was written after it was asked for, and its seconds may have been rounded up.
            self._learn_end(end, end - now + sent - 1.0)
            self._learn_share(now, self._limit - left)
            self._reported = call
            # Whether an open call is counted already cannot be known: the safe side is that it is not.
            self._left = left - len(self._open)

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

    @property
    def limit(self) -> int:
        """Calls a minute that may be made at most, as far as known."""
        own = WINDOW / self._own_interval if self._own_interval else self._limit
        return int(min(self._limit, own))

    def _enqueue(self, listing: int) -> tuple[float, int]:
        with self._lock:
            # Fair queueing: a listing's next call is due one turn after its last, and never in the past.
            due = max(self._served.get(listing, 0.0) + 1.0, self._turn)
            self._served[listing] = due
            if len(self._served) > 1000:
                self._served = {one: turn for one, turn in self._served.items() if turn > self._turn}
            self._tickets += 1
            ticket = (due, self._tickets)
            insort(self._waiting, ticket)
            return ticket

    def _take(self, now: float, ticket: tuple[float, int]) -> int:
        self._turn = ticket[0]
        self._next_slot = max(now, self._next_slot) + self._interval(now)
        if self._window_end is not None:
            self._next_slot = min(self._next_slot, max(self._window_end, now + self._own_interval))
        self._left -= 1
        self._issued += 1
        self._made.append(now)
        self._open[self._issued] = now
        return self._issued

    def _slot(self, now: float) -> float:
        """Tell when the next call is due."""
        if self._window_end is not None and now >= self._window_end:
            self._forget(now)
            self._left = self._limit - len(self._open)
            self._window_end, self._reset_known = now + WINDOW, False
            self._earliest_end = self._window_end
        due = max(self._next_slot, self._blocked_until)
        if self._left < 1 and self._window_end is not None:
            due = max(due, self._window_end)
        return due

    def _interval(self, now: float) -> float:
        """Give the seconds between two of our calls."""
        if self._window_end is None:
            return max(WINDOW / self._limit, self._own_interval)
        # What is not used when the window ends is lost: who is alone hurries for its earliest end. Others do the same
        # as we, and meet us at the end: the more of them, the earlier we slow down.
        end = self._earliest_end if self._alone else self._window_end
        time = max(end - now, MAX_NAP / self._share)
        return max(time / max(self._left * self._share, 1.0), self._own_interval)

    def _learn_end(self, end: float, earliest: float) -> None:
        """Take in when there are calls again, and when that may be at the earliest."""
        if self._window_end is None or not self._reset_known or end > self._window_end + RESET_TOLERANCE:
            self._window_end, self._earliest_end, self._reset_known = end, earliest, True
        else:
            # The latest of the ends that were told is the safe one, and the latest of the earliest the nearest.
            self._window_end = max(self._window_end, end)
            self._earliest_end = max(self._earliest_end, earliest)

    def _learn_share(self, now: float, used: float) -> None:
        """Take in how many calls were used, by whomever; the more they are, the more they say about our share."""
        made = self._made_since((self._window_end or now) - WINDOW - RESET_TOLERANCE)
        others = max(used - made, 0.0)
        if self._before is None:
            self._before, self._before_counts = others, now + WINDOW
        if now >= self._before_counts or others > self._before + MIN_OTHERS or used > ALMOST_ALL * self._limit:
            self._before = 0.0
        self._before = min(self._before, others)
        used -= self._before
        self._alone = self._made_since(self._earliest_end - WINDOW) >= used
        self._share += (min(made, used) - self._share * used) / self._limit
        self._share = min(max(self._share, MIN_SHARE), 1.0)

    def _forget(self, now: float) -> None:
        """Drop what counts nowhere any more; a call that failed has no answer, and is dropped here after a minute."""
        while self._made and self._made[0] < now - WINDOW - RESET_TOLERANCE:
            self._made.popleft()
        self._open = {call: made for call, made in self._open.items() if made > now - WINDOW}

    def forked(self) -> None:
        """Begin anew in a forked process, which has none of the threads that wait here or hold the lock."""
        self._lock = threading.Lock()
        self._waiting = []
        self._open = {}

    def _made_since(self, moment: float) -> int:
        """Tell how many calls we have made since then."""
        return len(self._made) - bisect_right(self._made, moment)


def _first(headers: Mapping[str, str], *names: str) -> str | None:
    return next((headers[name] for name in names if name in headers), None)


#: Without a lock, which a fork could leave locked: each look-up is a single step.
_budgets: dict[Hashable, CallBudget] = {}


def shared_budget(credential: Hashable, clock: Clock, calls_per_minute: int | None) -> CallBudget:
    """
    Give the one budget of a credential in this process.

    :param credential: what tells credentials apart.
    :param clock: gives the time; budgets on different clocks are different ones.
    :param calls_per_minute: a limit of our own; connections that set it differently have budgets of their own.
    """
    return _budgets.setdefault((credential, clock, calls_per_minute), CallBudget(clock, calls_per_minute))


def _forked() -> None:
    for budget in _budgets.values():
        budget.forked()


os.register_at_fork(after_in_child=_forked)
