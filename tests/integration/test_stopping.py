"""A task that Airflow stops: `on_kill` in a signal handler, in the middle of whatever the task does."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from airflow_provider_hotmart.emulator import Call, Fault, HotmartEmulator
from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator
from tests.integration.support import YEAR, account

#: Airflow 3.3 kills a task so many seconds after it has called `on_kill`.
GRACE = 5.0


@pytest.fixture(autouse=True)
def _connection(hotmart: HotmartEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {
        "conn_type": "hotmart",
        "host": hotmart.url,
        "login": hotmart.client_id,
        "password": hotmart.client_secret,
        "extra": {"timeout": 60, "max_parallel_calls": 3},
    }
    monkeypatch.setenv("AIRFLOW_CONN_HOTMART_DEFAULT", json.dumps(fields))


@pytest.fixture
def hotmart() -> Iterator[HotmartEmulator]:
    """6,400 sales: windows that are read at the same time."""
    with account(6_400, statuses=["COMPLETE"]) as made:
        yield made


def operator(path: Path | None) -> HotmartListSalesParticipantsOperator:
    return HotmartListSalesParticipantsOperator(
        task_id="stopped",
        transaction_status="COMPLETE",
        destination=None if path is None else str(path),
        max_xcom_records=100_000,
        **YEAR,
    )


@contextmanager
def killed_by_a_signal(
    task: HotmartListSalesParticipantsOperator, told: list[float] | None = None
) -> Iterator[Callable[[], None]]:
    """
    Do as Airflow's supervisor makes a task do: call ``on_kill`` in a signal handler, and go on.

    :param told: gets the moment.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        if told is not None:
            told.append(time.monotonic())
        task.on_kill()

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        yield lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)


def own_threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("hotmart_")]


@pytest.mark.parametrize("with_file", [True, False])
@pytest.mark.parametrize("number", [1, 4, 9])
def test_a_listing_that_is_stopped_ends_at_once_and_publishes_nothing(
    hotmart: HotmartEmulator, tmp_path: Path, number: int, with_file: bool
) -> None:
    path = tmp_path / "people.jsonl"
    path.write_text("yesterday's")
    task = operator(path if with_file else None)
    with killed_by_a_signal(task) as kill:
        calls = 0

        def count(_: Call) -> None:
            nonlocal calls
            calls += 1
            if calls == number:
                kill()

        hotmart.on_call = count
        with pytest.raises(Exception, match="stopped"):
            task.execute({})
    listing = task._working[0]
    sent = listing.calls
    time.sleep(0.3)
    # A call that was sent before may reach the emulator later.
    assert calls <= sent == listing.calls, "calls go on"
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("people.jsonl", "yesterday's")]
    assert own_threads() == []


@pytest.mark.parametrize(
    "fault",
    [Fault.stall(30), Fault.status(503), Fault.status(429, headers={"Retry-After": "60"})],
    ids=["an answer", "a repetition", "the call limit"],
)
def test_a_task_that_waits_is_stopped_within_the_time_that_airflow_gives_it(
    hotmart: HotmartEmulator, tmp_path: Path, fault: Fault
) -> None:
    hotmart.faults.add(fault, times=None)
    task = operator(tmp_path / "people.jsonl")
    told: list[float] = []
    with killed_by_a_signal(task, told) as kill:
        timer = threading.Timer(0.7, kill)
        timer.start()
        with pytest.raises(Exception, match="stopped"):
            task.execute({})
    assert time.monotonic() - told[0] < GRACE
    assert list(tmp_path.iterdir()) == []


def test_a_task_that_was_stopped_before_it_ran_calls_nobody(hotmart: HotmartEmulator, tmp_path: Path) -> None:
    task = operator(tmp_path / "people.jsonl")
    task.on_kill()
    with pytest.raises(Exception, match="stopped"):
        task.execute({})
    assert (len(hotmart.calls), list(tmp_path.iterdir())) == (0, [])
