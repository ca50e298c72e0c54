"""What several tests share: clocks that are turned by hand, and a server that says what it is told to."""

from __future__ import annotations

import heapq
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from airflow_provider_hotmart.emulator.service.calls import Call
from airflow_provider_hotmart.emulator.service.server import Reply, Server


class FakeClock:
    """
    A clock that stands still until somebody sleeps. Safe to use from several threads.

    :param now: seconds since the epoch at the start.
    """

    def __init__(self, now: float = 1_750_000_000.0) -> None:
        self._lock = threading.Lock()
        self._epoch = now
        self._passed = 0.0
        #: Every sleep so far, in seconds.
        self.slept: list[float] = []

    def time(self) -> float:
        """Seconds since the epoch."""
        with self._lock:
            return self._epoch + self._passed

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        with self._lock:
            return self._passed

    def sleep(self, seconds: float, stopped: Callable[[], bool] | None = None) -> None:
        """Let so many seconds pass, at once."""
        with self._lock:
            self.slept.append(seconds)
            self._passed += seconds


class SimulatedClock:
    """
    Time as a simulation has it: workers run one at a time, and time jumps to whoever wakes up next.

    The workers are threads, so that code that blocks can be simulated as it is; but only the one whose moment
    it is runs, so the same simulation always takes the same course.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._sleepers: list[tuple[float, int, threading.Semaphore]] = []
        self._count = 0
        self._finished = threading.Event()
        self._failures: list[BaseException] = []

    def time(self) -> float:
        """Seconds since the epoch."""
        return 1_750_000_000.0 + self._now

    def monotonic(self) -> float:
        """Seconds since the simulation began."""
        return self._now

    def sleep(self, seconds: float, stopped: Callable[[], bool] | None = None) -> None:
        """Let others run until so many seconds have passed."""
        mine = self._enqueue(seconds)
        self._wake_next()
        mine.acquire()

    def run(self, *workers: Callable[[], None]) -> None:
        """Run workers until all have ended; raise what any of them raised."""
        for worker in workers:
            start = self._enqueue(0.0)
            threading.Thread(target=self._work, args=(worker, start), daemon=True).start()
        self._wake_next()
        self._finished.wait()
        if self._failures:
            raise self._failures[0]

    def _work(self, worker: Callable[[], None], start: threading.Semaphore) -> None:
        start.acquire()
        try:
            worker()
        except BaseException as failure:  # noqa: BLE001 - raised again by run()
            self._failures.append(failure)
        finally:
            self._wake_next()

    def _enqueue(self, seconds: float) -> threading.Semaphore:
        self._count += 1
        turn = threading.Semaphore(0)
        heapq.heappush(self._sleepers, (self._now + max(seconds, 0.0), self._count, turn))
        return turn

    def _wake_next(self) -> None:
        if not self._sleepers:
            self._finished.set()
            return
        self._now, _, turn = heapq.heappop(self._sleepers)
        turn.release()


@contextmanager
def serving(reply: Callable[[Call], Reply]) -> Iterator[str]:
    """
    Serve HTTP on this machine.

    :param reply: answers a call.
    :return: base URL.
    """
    server = Server(reply)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()


def free_port() -> int:
    """
    A port for a server that cannot choose one by itself.

    It lies below those that the system hands out: among them, some client's connection may have it first.
    """
    handed_out_from = 32_768
    with suppress(OSError):
        handed_out_from = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    # Not the generator that tests seed: processes that run at the same time would choose alike.
    chance = random.SystemRandom()
    while True:
        port = chance.randrange(20_000, handed_out_from) if handed_out_from > 25_000 else 0
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port where nobody listens, and nobody else can meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


def fetching_threads() -> list[threading.Thread]:
    """The threads in which listings fetch."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("hotmart_")]


def until(true: Callable[[], bool]) -> None:
    """Wait for something that is about to become true."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "it has not become true in a minute"
        time.sleep(0.01)
