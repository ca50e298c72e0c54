"""A sensor that Airflow stops: from that moment on nothing is called, published, pushed or recorded."""

from __future__ import annotations

import json
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hotmart.api.errors import HotmartStoppedError
from airflow_provider_hotmart.emulator import Fault, HotmartEmulator
from airflow_provider_hotmart.sensors.sales import HotmartNewSalesParticipantsSensor
from airflow_provider_hotmart.storage import StorageError
from tests.airflow.support import connected, connection, small_hotmart
from tests.airflow.watching import TaskRun, XComs

pytestmark = pytest.mark.airflow

#: How often a poke is stopped, at moments spread over all of it.
MOMENTS = 30


class TerminatedError(BaseException):
    """What Airflow 2 raises in its signal handler, after ``on_kill()``."""


class Stopped:
    """
    A sensor that is stopped by a signal.

    :param folder: for its files.
    :param raises: whether the signal handler raises, as in Airflow 2; in Airflow 3 it only calls ``on_kill()``.
    """

    def __init__(self, folder: Path, raises: bool, **arguments: Any) -> None:
        folder.mkdir()
        self.destination, self.ledger = folder / "new.jsonl.gz", folder / "ledger.json"
        self.destination.write_bytes(b"as it was")
        self.xcoms = XComs()
        self.raises = raises
        usual = {"destination": str(self.destination), "ledger": str(self.ledger)}
        self.sensor = HotmartNewSalesParticipantsSensor(task_id=TaskRun.task_id, **usual | arguments)
        self.left: Any = None
        self.stopped_at: float | None = None
        self.ended_at = 0.0

    def has_left_as_much_as(self, whole: Stopped) -> bool:
        """Whether all that one leaves that was not stopped was there already when this one was."""
        (file, ledger, xcoms), (_, its_ledger, its_xcoms) = self.left, whole.visible
        there = (ledger is not None, len(json.loads(xcoms)))
        return file != b"as it was" and there == (its_ledger is not None, len(json.loads(its_xcoms)))

    @property
    def visible(self) -> Any:
        """All that others can see of it."""
        ledger = self.ledger.read_bytes() if self.ledger.exists() else None
        return self.destination.read_bytes(), ledger, json.dumps(self.xcoms.values())

    def poke(self, stop_after: float) -> str:
        """Look, and be told to stop meanwhile; tell how that ended."""
        before = signal.signal(signal.SIGUSR1, self._stop)
        main = threading.main_thread().ident
        timer = threading.Timer(stop_after, lambda: signal.pthread_kill(main or 0, signal.SIGUSR1))
        timer.start()
        try:
            try:
                self.sensor.poke(TaskRun(self.xcoms, 1).context)
            finally:
                timer.cancel()
                timer.join()
        except (TerminatedError, HotmartStoppedError):
            return "stopped"
        except StorageError as error:
            if "the task was stopped" in str(error):
                return "stopped"
            raise
        finally:
            self.ended_at = time.monotonic()
            signal.signal(signal.SIGUSR1, before)
        return "done"

    def _stop(self, *_: Any) -> None:
        self.sensor.on_kill()
        self.left, self.stopped_at = self.visible, time.monotonic()
        if self.raises:
            raise TerminatedError


@pytest.fixture(scope="module")
def hotmart() -> Iterator[HotmartEmulator]:
    with small_hotmart(sales=3000, days=6) as emulator, connected(connection(emulator)):
        yield emulator


# Python drops what a signal handler raises while it tidies up.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("ledger", ["file", "xcom"])
@pytest.mark.parametrize("raises", [False, True], ids=["the signal passes", "the signal raises"])
def test_whenever_it_is_stopped_nothing_changes_after_that(
    hotmart: HotmartEmulator, tmp_path: Path, raises: bool, ledger: str
) -> None:
    arguments = {"ledger": "xcom"} if ledger == "xcom" else {}
    for name in ("imports", "whole"):
        whole = Stopped(tmp_path / name, raises, transaction_status="ALL", **arguments)
        began = time.monotonic()
        assert whole.poke(stop_after=60) == "done"
        took = time.monotonic() - began
    chance = random.Random(1)
    outcomes = []
    for number in range(MOMENTS):
        one = Stopped(tmp_path / str(number), raises, transaction_status="ALL", **arguments)
        outcomes.append(one.poke(stop_after=took * chance.uniform(0.02, 1.1)))
        if one.stopped_at is not None:
            assert outcomes[-1] == "stopped" or one.has_left_as_much_as(whole)
            assert one.visible == one.left
            assert one.ended_at - one.stopped_at < 5
            assert one.left[0] == b"as it was" or len(one.left[0]) > 10_000, "old or new, and whole"
        names = {path.name for path in (tmp_path / str(number)).iterdir()}
        # Where the handler raises between two steps, an empty lock may stay, which the next run removes.
        assert {name for name in names if not (raises and name.endswith(".lock"))} <= {"new.jsonl.gz", "ledger.json"}
    assert "stopped" in outcomes


@pytest.mark.parametrize("raises", [False, True], ids=["the signal passes", "the signal raises"])
def test_it_does_not_wait_for_an_answer(hotmart: HotmartEmulator, tmp_path: Path, raises: bool) -> None:
    hotmart.faults.add(Fault.stall(3600), times=None)
    try:
        with connected(connection(hotmart, timeout=3600)):
            one = Stopped(tmp_path / "one", raises)
            assert one.poke(stop_after=0.5) == "stopped"
    finally:
        hotmart.faults.clear()
    assert one.stopped_at is not None
    assert one.ended_at - one.stopped_at < 5
    assert one.visible == (b"as it was", None, "[]")


def test_it_does_not_wait_out_a_failure_that_may_pass(hotmart: HotmartEmulator, tmp_path: Path) -> None:
    hotmart.faults.add(Fault.status(503), times=None)
    try:
        with connected(connection(hotmart, max_retries=50)):
            assert Stopped(tmp_path / "one", raises=False).poke(stop_after=0.5) == "stopped"
    finally:
        hotmart.faults.clear()


def test_one_that_was_stopped_before_it_began_calls_nobody(hotmart: HotmartEmulator, tmp_path: Path) -> None:
    one = Stopped(tmp_path / "one", raises=False)
    one.sensor.on_kill()
    calls = len(hotmart.calls)
    assert one.poke(stop_after=60) == "stopped"
    assert len(hotmart.calls) == calls
