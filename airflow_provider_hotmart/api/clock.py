"""The passing of time, as one object that a test can turn."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What the client needs to know and do about time."""

    def time(self) -> float:
        """Seconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment, never going back."""

    def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""


class SystemClock:
    """The machine's own clock."""

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some fixed moment, never going back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""
        time.sleep(seconds)


#: The clock of everything that is not given another one.
SYSTEM_CLOCK = SystemClock()
