"""The emulator's time: every date, token and limit is read from here."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta


def epoch(moment: datetime | float) -> float:
    """
    Turn a moment into epoch seconds.

    :param moment: epoch seconds, or a datetime; a naive one means UTC
    """
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return float(moment)


class Clock:
    """
    A clock that follows the system's, or stands still until it is turned. Safe to share between threads.

    :param frozen: where the clock stands still; None: it runs
    :param speed: how many seconds pass here in one real second; a frozen clock ignores it
    """

    def __init__(self, *, frozen: datetime | None = None, speed: float = 1.0) -> None:
        self._lock = threading.Lock()
        self._speed = 0.0 if frozen is not None else speed
        self._real = time.time()
        self._shown = self._real if frozen is None else epoch(frozen)

    def now(self) -> float:
        """Epoch seconds."""
        with self._lock:
            return self._shown + (time.time() - self._real) * self._speed if self._speed else self._shown

    def advance(self, by: timedelta | float) -> None:
        """
        Turn the clock forward, or back with a negative value.

        :param by: seconds or a timedelta
        """
        seconds = by.total_seconds() if isinstance(by, timedelta) else float(by)
        with self._lock:
            self._shown += seconds

    def set(self, moment: datetime | float) -> None:
        """
        Turn the clock to a moment; a running clock runs on from there.

        :param moment: a datetime (naive: UTC) or epoch seconds
        """
        with self._lock:
            self._real = time.time()
            self._shown = epoch(moment)
