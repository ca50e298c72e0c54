"""Ledgers: what was reported is known to others, what was not is not, and nothing recorded is ever lost."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from typing import Any

import fsspec
import pytest

from airflow_provider_hotmart.storage import StorageError, lease, object_file
from airflow_provider_hotmart.storage.store import LockedError
from airflow_provider_hotmart.watching.entries import Owner, Run, pack, unpack
from airflow_provider_hotmart.watching.ledgers import FileLedger, NoLedger, XComLedger
from airflow_provider_hotmart.watching.watch import announcement_scope
from tests.airflow.versions import attach
from tests.airflow.watching import TaskRun, XComs

ROOT = Path(__file__).resolve().parents[3]
NOW = 1_750_000_000.0
DAY = 86400
SCOPE, OTHER = b"12345678", b"abcdefgh"
WEEK = timedelta(days=7)


def run_of(name: str) -> Run:
    return Run("dag", "task", name)


def owner(run: str | None = "run-1", scope: bytes = SCOPE, lookback: timedelta = WEEK) -> Owner:
    return Owner(scope, None if run is None else run_of(run), lookback)


def known(path: Any, run: str | None = "later", now: float = NOW, scope: bytes = SCOPE) -> set[int]:
    """What another run knows."""
    return FileLedger(owner(run, scope), path).load(now).known


def report(path: Any, run: str | None, *digests: int, now: float = NOW, since: int | None = None) -> None:
    ledger = FileLedger(owner(run), path)
    ledger.load(now)
    ledger.record(digests, now, since)


@pytest.fixture(params=["file", "memory"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "file":
        return str(tmp_path / "new" / "ledger.json")
    # Airflow knows fsspec's memory store only when it is told of it.
    attach("memory", fs=fsspec.filesystem("memory"))
    return f"memory://{uuid.uuid4()}/ledger.json"


def test_any_set_of_digests_survives_being_packed() -> None:
    digests = [0, 1, 2**64 - 1, 2**63]
    assert list(unpack(pack(digests))) == digests
    assert pack([]) == ""


@pytest.mark.parametrize("wrong", ["!", "AAAA", "AAAAAAAAAAAAAAA"])
def test_other_text_is_no_digests(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"base64|multiple|padding"):
        unpack(wrong)


def test_without_a_ledger_nobody_is_known() -> None:
    ledger = NoLedger()
    ledger.record([1], NOW, None)
    assert ledger.load(NOW).known == set()


# Files


def test_a_file_that_is_not_there_yet_is_an_empty_ledger(path: str) -> None:
    assert known(path) == set()


def test_a_run_knows_what_others_reported_and_not_what_it_reported_itself(path: str) -> None:
    report(path, "run-1", 1, 2)
    report(path, "run-2", 3)
    assert known(path, "run-1") == {3}
    assert known(path, "run-2") == {1, 2}
    assert known(path, "run-3") == {1, 2, 3}


def test_a_run_that_reports_again_replaces_what_it_reported(path: str) -> None:
    report(path, "run-1", 1, 2)
    report(path, "run-1", 2, 3)
    assert known(path) == {2, 3}


def test_a_watcher_knows_what_it_reported_itself(path: str) -> None:
    report(path, None, 1)
    report(path, None, 2)
    assert known(path, None) == {1, 2}


def test_watches_of_other_things_share_a_file_and_nothing_else(path: str) -> None:
    report(path, "run-1", 1)
    ledger = FileLedger(owner("run-1", OTHER), path)
    assert ledger.load(NOW).known == set()
    ledger.record([2], NOW, None)
    assert known(path) == {1}
    assert known(path, scope=OTHER) == {2}


def test_the_beginning_is_remembered_for_good(path: str) -> None:
    report(path, "run-1", since=100)
    report(path, "run-2", 1, since=200)
    assert FileLedger(owner("run-3"), path).load(NOW + 400 * DAY).since == 100


def test_entries_are_dropped_once_they_are_older_than_the_lookback(path: str) -> None:
    report(path, "run-1", 1)
    assert known(path, now=NOW + 7 * DAY) == {1}
    assert known(path, now=NOW + 9 * DAY) == set()
    report(path, "run-2", 2, now=NOW + 9 * DAY)
    with fsspec.open(path, "r") as file:
        [entry] = json.load(file)["entries"]
    assert list(unpack(entry["ids"])) == [2]


def test_the_second_of_two_writers_fails_and_nothing_is_lost(path: str) -> None:
    first, second = FileLedger(owner("run-1"), path), FileLedger(owner("run-2"), path)
    first.load(NOW)
    second.load(NOW)
    first.record([1], NOW, None)
    with pytest.raises(StorageError, match=r"was changed by another run meanwhile: run this again") as caught:
        second.record([2], NOW, None)
    assert not caught.value.permanent
    assert known(path) == {1}
    report(path, "run-2", 2)
    assert known(path) == {1, 2}


def test_a_writer_is_not_held_up_by_what_others_recorded_of_other_things(path: str) -> None:
    ledger = FileLedger(owner("run-1"), path)
    ledger.load(NOW)
    other = FileLedger(owner("run-2", OTHER), path)
    other.load(NOW)
    other.record([2], NOW, None)
    ledger.record([1], NOW, None)
    assert known(path) == {1}
    assert known(path, scope=OTHER) == {2}


RECORDS = """
import sys
from datetime import timedelta
from airflow_provider_hotmart.storage import StorageError
from airflow_provider_hotmart.watching.entries import Owner, Run
from airflow_provider_hotmart.watching.ledgers import FileLedger
path, process, now = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
recorded = []
for number in range(50):
    digest = process * 1000 + number
    ledger = FileLedger(Owner(b"12345678", Run("dag", "task", f"{process}-{number}"), timedelta(days=7)), path)
    try:
        ledger.load(now)
        ledger.record([digest], now, None)
    except StorageError as error:
        if error.permanent:
            raise
    else:
        recorded.append(digest)
print(recorded, flush=True)
"""


@pytest.mark.parametrize("left_behind", [True, False], ids=["with a lock that was left behind", "without"])
def test_what_many_processes_recorded_at_the_same_time_is_all_there(tmp_path: Path, left_behind: bool) -> None:
    path = tmp_path / "ledger.json"
    if left_behind:
        # As a process leaves it that is killed while it holds the lock.
        driver = f"""
            import os
            from airflow_provider_hotmart.storage.object_file import ObjectFile
            with ObjectFile({str(path)!r}).locked():
                os._exit(9)
        """
        subprocess.run([sys.executable, "-c", textwrap.dedent(driver)], check=False, timeout=200, cwd=ROOT)
        assert [one.suffix for one in tmp_path.iterdir()] == [".lock"]
    command = [sys.executable, "-c", RECORDS, str(path)]
    processes = [
        subprocess.Popen(
            [*command, str(number), str(NOW)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for number in range(1, 5)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    recorded: set[int] = set()
    for process in processes:
        told, _ = process.communicate(timeout=200)
        assert process.returncode == 0
        recorded.update(json.loads(told.splitlines()[-1]))
    assert len(recorded) > 50
    assert known(path) == recorded
    assert [one.name for one in tmp_path.iterdir()] == ["ledger.json"]


# Locks


def test_a_reservation_keeps_others_out_until_its_end(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_file, "LOCK_TIMEOUT", 0.3)
    holder, other = FileLedger(owner("run-1"), path), FileLedger(owner("run-2"), path)
    with holder.reserve(NOW) as record:
        with pytest.raises(StorageError, match="is being written by another run: run this again") as caught:
            other.record([2], NOW, None)
        assert not caught.value.permanent
        record([1], None)
    other.record([2], NOW, None)
    assert known(path) == {1, 2}


def test_a_lock_that_is_let_go_of_soon_is_waited_for(path: str) -> None:
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with FileLedger(owner("run-1"), path).reserve(NOW):
            held.set()
            let_go.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(60)
    threading.Timer(0.5, let_go.set).start()
    report(path, "run-2", 2)
    thread.join()
    assert known(path) == {2}


@pytest.mark.parametrize("failure", [LookupError, KeyboardInterrupt])
def test_a_lock_is_released_however_the_block_ends(path: str, failure: type[BaseException]) -> None:
    with pytest.raises(failure), FileLedger(owner("run-1"), path).reserve(NOW):
        raise failure
    report(path, "run-2", 2)
    fs, name = fsspec.url_to_fs(path)
    assert [Path(one).name for one in fs.ls(str(Path(name).parent), detail=False)] == ["ledger.json"]


def test_what_is_reserved_and_not_recorded_leaves_the_ledger_as_it_was(path: str) -> None:
    report(path, "run-1", 1)
    with FileLedger(owner("run-2"), path).reserve(NOW):
        pass
    assert known(path) == {1}


def test_whoever_reserves_finds_out_at_once_that_another_run_has_recorded_something(path: str) -> None:
    ledger = FileLedger(owner("run-2"), path)
    ledger.load(NOW)
    report(path, "run-1", 1)
    reached = False
    with pytest.raises(StorageError, match="was changed by another run meanwhile"), ledger.reserve(NOW):
        reached = True
    assert not reached


def test_a_ledger_that_cannot_be_written_is_found_out_before_anything_is_published(tmp_path: Path) -> None:
    ledger = FileLedger(owner(), "/sys/kernel/ledger.json")
    ledger.load(NOW)
    reached = False
    with pytest.raises(StorageError, match="check the path and its permissions") as caught, ledger.reserve(NOW):
        reached = True
    assert caught.value.permanent
    assert not reached


@pytest.mark.parametrize("kind", [FileLedger, XComLedger])
def test_after_a_stop_nothing_is_recorded(kind: Any, path: str) -> None:
    xcoms = XComs()
    run = TaskRun(xcoms, 1)
    ledger = kind(owner("run-1"), path if kind is FileLedger else run)
    ledger.load(NOW)
    with ledger.reserve(NOW) as record:
        ledger.stop()
        with pytest.raises(StorageError, match="the task was stopped") as caught:
            record([1], 100)
    assert not caught.value.permanent
    assert xcoms.values() == []
    assert known(path) == set()


# On stores without locks, whose lock files run out


@pytest.fixture
def elsewhere() -> str:
    attach("memory", fs=fsspec.filesystem("memory"))
    return f"memory://{uuid.uuid4()}/ledger.json"


def locks(path: str) -> dict[str, bytes]:
    """The lock files beside a ledger."""
    fs, name = fsspec.url_to_fs(path)
    found = fs.ls(str(Path(name).parent), detail=False)
    return {Path(one).name: fs.cat_file(one) for one in found if ".lock" in one}


def leave_lock(path: str, age: float, name: str = "ledger.json.lock") -> bytes:
    """Leave a lock of this age behind."""
    fs, ledger = fsspec.url_to_fs(path)
    token = f"{time.time() - age:.3f} {name}".encode()
    fs.pipe_file(str(Path(ledger).with_name(name)), token)
    return token


def test_a_lock_file_is_gone_afterwards(elsewhere: str) -> None:
    with FileLedger(owner(), elsewhere).reserve(NOW) as record:
        assert list(locks(elsewhere)) == ["ledger.json.lock"]
        record([1], None)
    assert locks(elsewhere) == {}


def test_a_lock_file_keeps_others_out_and_is_left_alone(elsewhere: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_file, "LOCK_TIMEOUT", 0)
    for age in (-1000, 0, lease.LEASE - 10):
        token = leave_lock(elsewhere, age)
        with pytest.raises(StorageError, match="is being written by another run"):
            report(elsewhere, "run-1", 1)
        assert locks(elsewhere) == {"ledger.json.lock": token}


def test_a_lock_file_that_was_left_behind_is_taken_over_and_removed(elsewhere: str) -> None:
    leave_lock(elsewhere, lease.LEASE + 1)
    report(elsewhere, "run-1", 1)
    assert known(elsewhere) == {1}
    assert locks(elsewhere) == {}


def test_whoever_takes_over_may_be_killed_as_well(elsewhere: str) -> None:
    fs, name = fsspec.url_to_fs(elsewhere)
    leave_lock(elsewhere, lease.LEASE + 3)
    first = lease.Lease(f"{name}.lock", fs)
    first.take()
    [successor] = set(locks(elsewhere)) - {"ledger.json.lock"}
    leave_lock(elsewhere, lease.LEASE + 2, successor)
    report(elsewhere, "run-1", 1)
    assert known(elsewhere) == {1}
    assert locks(elsewhere) == {}


def test_of_all_that_take_over_a_lock_file_only_one_gets_it(elsewhere: str) -> None:
    fs, name = fsspec.url_to_fs(elsewhere)
    leave_lock(elsewhere, lease.LEASE + 1)
    first, second = lease.Lease(f"{name}.lock", fs), lease.Lease(f"{name}.lock", fs)
    first.take()
    with pytest.raises(LockedError):
        second.take()
    first.release()
    second = lease.Lease(f"{name}.lock", fs)
    second.take()
    assert list(locks(elsewhere)) == ["ledger.json.lock"]


def test_whoever_saw_a_lock_file_that_has_been_taken_over_since_does_not_get_it(elsewhere: str) -> None:
    fs, name = fsspec.url_to_fs(elsewhere)
    old = leave_lock(elsewhere, lease.LEASE + 1)
    slow = lease.Lease(f"{name}.lock", fs)
    read = slow._read

    def read_and_fall_behind(path: str) -> bytes | None:
        content = read(path)
        if content == old:
            slow._read = read  # type: ignore[method-assign]
            report(elsewhere, "run-1", 1)  # takes it over and lets go
            holder.take()
        return content

    holder = lease.Lease(f"{name}.lock", fs)
    slow._read = read_and_fall_behind  # type: ignore[method-assign]
    with pytest.raises(LockedError):
        slow.take()
    assert list(locks(elsewhere)) == ["ledger.json.lock"], "the holder's lock is gone, or that of the slow one is left"
    holder.release()
    assert locks(elsewhere) == {}


def test_a_lock_that_was_held_for_too_long_records_nothing_and_is_left_to_run_out(
    elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LEASE", lease.CLOCK_SKEW + 0.1)
    with FileLedger(owner(), elsewhere).reserve(NOW) as record:
        time.sleep(0.2)
        with pytest.raises(StorageError, match="was held for more than") as caught:
            record([1], None)
    assert not caught.value.permanent
    assert known(elsewhere) == set()
    assert list(locks(elsewhere)) == ["ledger.json.lock"]


def test_a_store_that_cannot_lock_is_used_without(
    elsewhere: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fs = fsspec.filesystem("memory")
    pipe = fs.pipe_file
    monkeypatch.setattr(fs, "pipe_file", lambda path, value: pipe(path, value))
    report(elsewhere, "run-1", 1)
    assert known(elsewhere) == {1}
    assert "cannot lock" in caplog.text


def test_a_file_is_never_seen_half_written(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    report(path, "run-0", *range(50_000))
    done = threading.Event()
    seen: list[set[int]] = []

    def read() -> None:
        while not done.is_set():
            seen.append(known(path))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(5):
        report(path, f"run-{number + 1}", 100_000 + number)
    done.set()
    reader.join()
    assert seen
    assert all(one >= set(range(50_000)) for one in seen)
    assert [one.name for one in tmp_path.iterdir()] == ["ledger.json"]


NOT_LEDGERS = {
    "text": b"hello",
    "empty": b"",
    "binary": b"\x80\x81",
    "a list": b"[]",
    "other JSON": b'{"version": 1}',
    "null": b"null",
    "of another encoding": '{"format": "ledger de março"}'.encode("latin-1"),
}
DAMAGED = {
    "no entries": {},
    "no beginnings": {"entries": []},
    "entry without digests": {"entries": [{"run": None, "scope": "", "until": 1}], "since": {}},
    "digests cut short": {"entries": [{"run": None, "scope": "", "until": 1, "ids": "AAAA"}], "since": {}},
    "digests of another kind": {"entries": [{"run": None, "scope": "", "until": 1, "ids": 5}], "since": {}},
    "entry without end": {"entries": [{"run": None, "scope": "", "until": None, "ids": ""}], "since": {}},
    "entry of another kind": {"entries": ["x"], "since": {}},
    "run of another kind": {"entries": [{"run": {"id": 1}, "scope": "", "until": 1, "ids": ""}], "since": {}},
    "entries of another kind": {"entries": 5, "since": {}},
}


@pytest.mark.parametrize("content", NOT_LEDGERS.values(), ids=NOT_LEDGERS)
def test_another_kind_of_file_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.json"
    path.write_bytes(content)
    with pytest.raises(StorageError, match="is another kind of file, and is left alone: name a path that is free"):
        known(path)
    with pytest.raises(StorageError, match="is another kind of file") as caught:
        FileLedger(owner(), path).record([1], NOW, None)
    assert caught.value.permanent
    assert path.read_bytes() == content


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_ledger_says_what_to_do(tmp_path: Path, content: dict[str, Any]) -> None:
    path = tmp_path / "ledger.json"
    report(path, "run-1", 1)
    whole = json.loads(path.read_text())
    path.write_text(json.dumps({"format": whole["format"], "version": whole["version"], **content}))
    with pytest.raises(StorageError, match="is damaged: restore it, or delete it to start anew") as caught:
        known(path)
    assert caught.value.permanent


def test_a_ledger_with_bytes_that_are_no_text_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    report(path, "run-1", 1)
    path.write_bytes(path.read_bytes().replace(b"run-1", b"run-\xff"))
    with pytest.raises(StorageError, match="is damaged: restore it, or delete it to start anew"):
        known(path)


def test_a_ledger_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    report(path, "run-1", 1)
    newer = json.loads(path.read_text()) | {"version": 3, "entries": "of a kind yet to come"}
    path.write_text(json.dumps(newer))
    with pytest.raises(StorageError, match=r"by a newer version: upgrade .*: format 3, this one knows 2\]"):
        known(path)
    assert json.loads(path.read_text()) == newer


@pytest.mark.parametrize(
    ("path", "remedy"),
    [
        ("nosuch://bucket/ledger", "Airflow has no provider for such URLs"),
        ("{file}/ledger", "check the path and its permissions, and ledger_conn_id"),
        ("{folder}", "check the path and its permissions, and ledger_conn_id"),
    ],
)
def test_a_path_that_cannot_hold_a_ledger_is_told_for_good(tmp_path: Path, path: str, remedy: str) -> None:
    (tmp_path / "file").write_text("a file")
    path = path.format(file=tmp_path / "file", folder=tmp_path)
    with pytest.raises(StorageError, match=remedy) as caught:
        report(path, "run-1", 1)
    assert caught.value.permanent
    assert path in str(caught.value)


def test_a_ledger_of_200_000_participants_is_small(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    digests = [number * 92_233_720_368_547 % 2**64 for number in range(1, 200_001)]
    for start in range(0, 200_000, 5_000):
        report(path, f"run-{start}", *digests[start : start + 5_000])
    assert known(path) == set(digests)
    assert path.stat().st_size < 5_000_000


# Runs that failed


class Airflow:
    """Stands for an Airflow that knows what became of runs, and writes down whom it was asked about."""

    def __init__(self, **outcomes: bool | None) -> None:
        self.outcomes = outcomes
        self.asked: list[set[str]] = []

    def __call__(self, runs: Collection[Run]) -> dict[Run, bool]:
        self.asked.append({run.run_id for run in runs})
        return {run: found for run in runs if (found := self.outcomes.get(run.run_id, True)) is not None}


def loaded(path: Any, run: str, **outcomes: bool | None) -> set[int]:
    """What a run knows, when this became of others."""
    return FileLedger(owner(run), path).load(NOW, Airflow(**outcomes)).known


def test_what_a_run_recorded_that_failed_is_not_known(path: str) -> None:
    report(path, "one", 1, 2)
    report(path, "two", 3)
    report(path, None, 4)
    assert loaded(path, "three") == {1, 2, 3, 4}
    assert loaded(path, "three", one=False) == {3, 4}
    assert loaded(path, "three", one=None) == {1, 2, 3, 4}, "it has not ended"
    assert loaded(path, "one", one=False) == {3, 4}


def test_a_memory_is_settled_once_it_is_known_what_became_of_every_run(path: str) -> None:
    def is_settled(**outcomes: bool | None) -> bool:
        return FileLedger(owner("three"), path).load(NOW, Airflow(**outcomes)).is_settled

    assert is_settled()
    report(path, "one", 1)
    report(path, None, 2)
    assert is_settled(one=True)
    assert is_settled(one=False)
    assert not is_settled(one=None)
    report(path, "three", 3)
    assert is_settled(three=None), "its own entries are not known to it anyway"


def test_what_became_of_runs_is_asked_once_for_all_of_the_same_watch(path: str) -> None:
    for run in ("one", "two", "three"):
        report(path, run, 1)
    report(path, None, 2)
    other = FileLedger(owner("four", OTHER), path)
    other.load(NOW)
    other.record([3], NOW, None)
    airflow = Airflow()
    ledger = FileLedger(owner("three"), path)
    ledger.load(NOW, airflow)
    ledger.record([1], NOW, None)
    assert airflow.asked == [{"one", "two"}]
    FileLedger(owner("one", b"nobody's"), path).load(NOW, airflow)
    assert len(airflow.asked) == 1


def test_a_run_that_has_succeeded_is_not_asked_for_again(path: str) -> None:
    for number, run in enumerate(("good", "bad", "running")):
        report(path, run, number)
    airflow = Airflow(good=True, bad=False, running=None)
    ledger = FileLedger(owner("next"), path)
    assert ledger.load(NOW, airflow).known == {0, 2}
    ledger.record([1, 5], NOW, None)
    assert FileLedger(owner("last"), path).load(NOW, airflow).known == {0, 1, 2, 5}
    assert airflow.asked == [{"good", "bad", "running"}, {"bad", "running", "next"}]


def test_a_run_that_records_anew_may_fail_anew(path: str) -> None:
    report(path, "one", 1)
    ledger = FileLedger(owner("two"), path)
    ledger.load(NOW, Airflow(one=True))
    ledger.record([2], NOW, None)
    report(path, "one", 1, 3)
    assert loaded(path, "three", one=False) == {2}


def test_a_run_may_record_what_another_recorded_that_failed(path: str) -> None:
    report(path, "one", 1)
    ledger = FileLedger(owner("two"), path)
    assert ledger.load(NOW, Airflow(one=False)).known == set()
    ledger.record([1], NOW, None)
    assert loaded(path, "three", one=False) == {1}


def test_each_instance_of_a_mapped_task_is_a_run_of_its_own(path: str) -> None:
    first, again, other = (
        FileLedger(Owner(SCOPE, Run("dag", "task", "run-1", map_index), WEEK), path) for map_index in (3, 3, 4)
    )
    first.record([1], NOW, None)
    assert again.load(NOW).known == set()
    assert other.load(NOW).known == {1}
    with fsspec.open(path, "r") as file:
        [entry] = json.load(file)["entries"]
    assert Run(**entry["run"]) == Run("dag", "task", "run-1", 3)


# XComs


def xcoms_known(xcoms: XComs, number: int, now: float = NOW) -> set[int]:
    ti = TaskRun(xcoms, number)
    return XComLedger(owner(ti.run_id), ti).load(now).known


def xcoms_report(xcoms: XComs, number: int, *digests: int, now: float = NOW, since: int | None = None) -> None:
    ti = TaskRun(xcoms, number)
    ledger = XComLedger(owner(ti.run_id), ti)
    ledger.load(now)
    ledger.record(digests, now, since)


def test_a_run_knows_what_the_runs_before_it_pushed() -> None:
    xcoms = XComs()
    xcoms_report(xcoms, 1, 1)
    xcoms_report(xcoms, 2, 2, now=NOW + DAY)
    assert xcoms_known(xcoms, 3, NOW + 2 * DAY) == {1, 2}
    assert xcoms_known(xcoms, 3, NOW + 7 * DAY) == {1, 2}
    assert xcoms_known(xcoms, 3, NOW + 8.5 * DAY) == {2}
    assert xcoms_known(xcoms, 3, NOW + 30 * DAY) == set()


def test_a_run_does_not_know_what_it_pushed_even_if_airflow_has_not_deleted_it() -> None:
    # As Airflow 3.0 leaves the XComs of a mapped task that is cleared or retried.
    xcoms = XComs()
    xcoms_report(xcoms, 1, 1)
    xcoms_report(xcoms, 2, 2)
    assert xcoms_known(xcoms, 2) == {1}
    xcoms_report(xcoms, 2, 2, 3, now=NOW + DAY)
    assert xcoms_known(xcoms, 2, now=NOW + DAY) == {1}
    assert xcoms_known(xcoms, 3, now=NOW + DAY) == {1, 2, 3}


@pytest.mark.parametrize("age", [0, 0.1, 0.5, 3, 6.99, 7])
@pytest.mark.parametrize("hour", range(0, 24, 3))
def test_whatever_the_hour_nothing_within_the_lookback_is_forgotten(age: float, hour: int) -> None:
    xcoms = XComs()
    made = NOW + hour * 3600
    xcoms_report(xcoms, 1, 1, now=made)
    assert xcoms_known(xcoms, 2, made + age * DAY) == {1}


def test_clearing_a_run_forgets_what_it_reported_and_nothing_else() -> None:
    xcoms = XComs()
    xcoms_report(xcoms, 1, 1)
    xcoms_report(xcoms, 2, 2)
    xcoms.clear(1)
    assert xcoms_known(xcoms, 3) == {2}


@pytest.mark.parametrize("cleared", [1, 2, 3])
def test_clearing_a_run_does_not_forget_when_the_watch_began(cleared: int) -> None:
    xcoms = XComs()
    for number in (1, 2, 3, 4, 5):
        ti = TaskRun(xcoms, number)
        ledger = XComLedger(owner(ti.run_id), ti)
        ledger.record([], NOW, ledger.load(NOW).since or 100)
    xcoms.clear(cleared)
    ti = TaskRun(xcoms, 6)
    assert XComLedger(owner(ti.run_id), ti).load(NOW).since == 100
    # And it is not written again and again.
    assert len(xcoms.values()) == 2


def test_nothing_but_digests_and_dates_is_pushed() -> None:
    xcoms = XComs()
    xcoms_report(xcoms, 1, 1, 2, since=100)
    run = {"dag_id": "dag", "task_id": "task", "run_id": "run-1", "map_index": -1}
    entry = {"scope": SCOPE.hex(), "run": run, "until": NOW + 8 * DAY, "ids": pack([1, 2])}
    assert sorted(xcoms.values(), key=str) == [100, entry]


def test_what_an_earlier_run_pushed_that_failed_is_not_known() -> None:
    xcoms = XComs()
    xcoms_report(xcoms, 1, 1)
    xcoms_report(xcoms, 2, 2)
    ti = TaskRun(xcoms, 3)
    found = XComLedger(owner(ti.run_id), ti).load(NOW, Airflow(**{"run-1": False}))
    assert found.known == {2}


@pytest.mark.parametrize(("days", "most"), [(1, 3), (7, 3), (31, 6), (366, 40)])
def test_a_long_lookback_costs_few_calls(days: int, most: int) -> None:
    for hour in range(0, 240, 7):
        pulled: list[str] = []
        ti = TaskRun(XComs(), 1)
        pull = ti.xcom_pull
        ti.xcom_pull = lambda pull=pull, pulled=pulled, **options: (  # type: ignore[method-assign]
            pulled.append(options["key"]) or pull(**options)
        )
        XComLedger(owner("run-1", lookback=timedelta(days=days)), ti).load(NOW + hour * 3600)
        assert len(set(pulled)) == len(pulled) <= most


def test_a_lookback_of_more_than_a_month_recommends_a_file_once(caplog: pytest.LogCaptureFixture) -> None:
    for days in (31, 90, 90):
        XComLedger(owner(lookback=timedelta(days=days)), TaskRun(XComs(), 1))
    [told] = caplog.messages
    assert "A look-back of 90 days" in told
    assert "give the sensor a ledger file" in told


def test_what_webhooks_told_of_is_known_to_those_who_ask_for_it_as_long_as_it_is_kept(path: str) -> None:
    scope = announcement_scope("hotmart_default")
    asking = Owner(SCOPE, None, WEEK, scope)
    receiver = Owner(scope, None, 30 * timedelta(days=1))
    for number in range(5):
        FileLedger(receiver, path).record([number, number + 1], NOW + number, None)
    report(path, "run-1", 99)
    assert FileLedger(asking, path).load(NOW + 30 * DAY).announced == {0, 1, 2, 3, 4, 5}
    assert FileLedger(asking, path).load(NOW + 32 * DAY).announced == set()
    assert FileLedger(owner("run-2"), path).load(NOW).announced == set()
    assert known(path) == {99}


def test_what_a_watcher_adds_within_a_day_is_one_entry_and_what_runs_add_is_not(tmp_path: Path) -> None:
    path = str(tmp_path / "ledger.json")
    for number in range(50):
        report(path, None, number, now=NOW + number)
    for number in range(3):
        report(path, f"run-{number}", 100 + number, now=NOW + number)
    entries = json.loads(Path(path).read_text(encoding="utf-8"))["entries"]
    assert len(entries) == 4
    assert known(path) == {*range(50), 100, 101, 102}
