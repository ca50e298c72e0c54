"""Ledgers: what was reported is known to others, what was not is not, and nothing recorded is ever lost."""

from __future__ import annotations

import json
import threading
import time
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import fsspec
import pytest
from airflow_provider_hotmart.ledger import FileLedger, LedgerError, NoLedger, Owner, XComLedger, pack, unpack
from fsspec.implementations.local import LocalFileSystem

from tests.airflow.versions import attach
from tests.airflow.watching import TaskRun, XComs

NOW = 1_750_000_000.0
DAY = 86400
SCOPE, OTHER = b"12345678", b"abcdefgh"
WEEK = timedelta(days=7)


def owner(run: str | None = "run-1", scope: bytes = SCOPE, lookback: timedelta = WEEK) -> Owner:
    return Owner(scope, run, lookback)


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
    with pytest.raises(LedgerError, match=r"was changed by another run meanwhile: run this again") as caught:
        second.record([2], NOW, None)
    assert not caught.value.permanent
    assert known(path) == {1}
    report(path, "run-2", 2)
    assert known(path) == {1, 2}


def test_what_many_writers_recorded_at_the_same_time_is_all_there(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def exists(*_: Any) -> bool:
        """Say that nothing is there, so late that it may no longer be true."""
        time.sleep(0.02)
        return False

    # Whoever looks before creating meets others that have looked too.
    monkeypatch.setattr(LocalFileSystem, "exists", exists, raising=False)
    start = threading.Barrier(8)
    recorded: list[int] = []
    failed: list[LedgerError] = []

    def write(number: int) -> None:
        start.wait()
        for attempt in range(10):
            digest = number * 100 + attempt
            try:
                report(path, f"run-{digest}", digest)
            except LedgerError as error:
                failed.append(error)
            else:
                recorded.append(digest)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorded
    assert known(path) == set(recorded)
    assert [error for error in failed if error.permanent] == []


def test_a_lock_keeps_others_out_and_is_gone_afterwards(path: str) -> None:
    fs, name = fsspec.url_to_fs(path)
    report(path, "run-1", 1)
    assert not fs.exists(f"{name}.lock")
    ledger = FileLedger(owner("run-2"), path)
    ledger.load(NOW)
    # Held since the year 2100: as fresh as a lock can be.
    fs.pipe_file(f"{name}.lock", b"4102444800.000 somebody")
    with pytest.raises(LedgerError, match="is being written by another run: run this again") as caught:
        ledger.record([2], NOW, None)
    assert not caught.value.permanent
    assert fs.cat_file(f"{name}.lock") == b"4102444800.000 somebody"


def test_a_lock_that_a_dead_process_left_is_taken_over(path: str) -> None:
    fs, name = fsspec.url_to_fs(path)
    report(path, "run-1", 1)
    fs.pipe_file(f"{name}.lock", b"1750000000.000 somebody")
    report(path, "run-2", 2)
    assert known(path) == {1, 2}
    assert not fs.exists(f"{name}.lock")


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
}
DAMAGED = {
    "no entries": {},
    "no beginnings": {"entries": []},
    "entry without digests": {"entries": [{"run": "", "scope": "", "until": 1}], "since": {}},
    "digests cut short": {"entries": [{"run": "", "scope": "", "until": 1, "ids": "AAAA"}], "since": {}},
    "digests of another kind": {"entries": [{"run": "", "scope": "", "until": 1, "ids": 5}], "since": {}},
    "entry without end": {"entries": [{"run": "", "scope": "", "until": None, "ids": ""}], "since": {}},
    "entries of another kind": {"entries": 5, "since": {}},
}


@pytest.mark.parametrize("content", NOT_LEDGERS.values(), ids=NOT_LEDGERS)
def test_another_kind_of_file_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.json"
    path.write_bytes(content)
    with pytest.raises(LedgerError, match="is another kind of file, and is left alone: name a path that is free"):
        known(path)
    with pytest.raises(LedgerError) as caught:
        FileLedger(owner(), path).record([1], NOW, None)
    assert "changed by another run" in str(caught.value) or caught.value.permanent
    assert path.read_bytes() == content


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_ledger_says_what_to_do(tmp_path: Path, content: dict[str, Any]) -> None:
    path = tmp_path / "ledger.json"
    report(path, "run-1", 1)
    whole = json.loads(path.read_text())
    path.write_text(json.dumps({"format": whole["format"], "version": whole["version"], **content}))
    with pytest.raises(LedgerError, match="is damaged: restore it, or delete it to start anew") as caught:
        known(path)
    assert caught.value.permanent


def test_a_ledger_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    report(path, "run-1", 1)
    newer = json.loads(path.read_text()) | {"version": 2, "entries": "of a kind yet to come"}
    path.write_text(json.dumps(newer))
    with pytest.raises(LedgerError, match=r"by a newer version .*\(format 2, this one knows 1\): upgrade"):
        known(path)
    assert json.loads(path.read_text()) == newer


@pytest.mark.parametrize("path", ["nosuch://bucket/ledger", "{file}/ledger", "{folder}"])
def test_a_path_that_cannot_hold_a_ledger_is_told_for_good(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("a file")
    path = path.format(file=tmp_path / "file", folder=tmp_path)
    with pytest.raises(LedgerError, match="check its path, its permissions and ledger_conn_id") as caught:
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
    run = owner("run-1").run_name
    assert sorted(xcoms.values(), key=str) == [100, {"run": run, "until": NOW + 8 * DAY, "ids": pack([1, 2])}]
