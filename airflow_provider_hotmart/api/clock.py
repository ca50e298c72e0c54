"""The passing of time, as one object that a test can turn."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

#: Seconds within which a wait notices that it was stopped.
NAP = 0.2


class Clock(Protocol):
    """What the client needs to know and do about time."""

    def time(self) -> float:
        """Give the seconds since the epoch."""

    def monotonic(self) -> float:
        """Give the seconds since some fixed moment, never going back."""

    def sleep(self, seconds: float, stopped: Callable[[], bool]) -> None:
        """
        Wait.

        :param seconds: how long.
        :param stopped: whether to wait no longer.
        """


class SystemClock:
    """The machine's own clock."""

    def time(self) -> float:
        """Give the seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Give the seconds since some fixed moment, never going back."""
        return time.monotonic()

    def sleep(self, seconds: float, stopped: Callable[[], bool]) -> None:
        """Wait in naps: what stops it may be a signal handler, which must take no lock, not even an event's."""
        end = time.monotonic() + seconds
        while not stopped() and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, NAP))


#: The clock of everything that is not given another one.
SYSTEM_CLOCK = SystemClock()
