"""The call budget of one credential."""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass

from airflow_provider_hotmart.emulator.clock import Clock

MINUTE = 60.0


@dataclass(frozen=True)
class Standing:
    """
    Where a credential stands after a call.

    :param limit: calls a minute
    :param remaining: calls left
    :param reset: whole seconds until there are calls again
    :param allowed: whether this call is within the budget
    """

    limit: int
    remaining: int
    reset: int
    allowed: bool = True

    def headers(self) -> dict[str, str]:
        """Give the five headers that Hotmart sends."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
            "X-RateLimit-Limit-Minute": str(self.limit),
            "X-RateLimit-Remaining-Minute": str(self.remaining),
        }


class Limiter:
    """
    Counts calls within a minute.

    :param clock: the time that decides when a minute is over
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._taken: deque[float] = deque()

    def take(self, limit: int, window: str) -> Standing:
        """
        Count one call. A refused one does not count, or a client that keeps asking would be kept out forever.

        :param limit: calls a minute
        :param window: "fixed" (the clock's minutes) or "sliding" (the last 60 s)
        """
        with self._lock:
            now = self._clock.now()
            self._forget(now, window)
            allowed = len(self._taken) < limit
            if allowed:
                self._taken.append(now)
            return Standing(limit, max(0, limit - len(self._taken)), self._reset(now, window), allowed)

    def _forget(self, now: float, window: str) -> None:
        since = now - now % MINUTE if window == "fixed" else math.nextafter(now - MINUTE, math.inf)
        # The clock may have been turned back: calls of the future do not count either.
        while self._taken and not since <= self._taken[0] <= now:
            self._taken.popleft()

    def _reset(self, now: float, window: str) -> int:
        if window == "fixed" or not self._taken:
            return math.ceil(MINUTE - now % MINUTE)
        return max(1, math.ceil(self._taken[0] + MINUTE - now))
