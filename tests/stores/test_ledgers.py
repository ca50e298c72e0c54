"""The ledger as a file on each store: nothing that was recorded is lost, whoever else writes."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta

import pytest

from airflow_provider_hotmart.storage import StorageError, object_file
from airflow_provider_hotmart.storage.lease import LEASE
from airflow_provider_hotmart.watching.entries import Owner, Run
from airflow_provider_hotmart.watching.ledgers import FORMAT, VERSION, FileLedger
from tests.stores.support import Store

NOW = 1_790_000_000.0
KEY = "memory/ledger.json"


def ledger(store: Store, run: str, key: str = KEY, conn_id: str | None = None) -> FileLedger:
    """The ledger as one task run sees it."""
    owner = Owner(b"watched", Run("dag", "task", run), timedelta(days=7))
    return FileLedger(owner, store.url(key), conn_id or store.conn_id)


def record(store: Store, run: str, *digests: int) -> None:
    """Report some participants, as a run does."""
    mine = ledger(store, run)
    mine.load(NOW)
    mine.record(digests, NOW, int(NOW))


def known(store: Store, run: str = "asks") -> set[int]:
    """What a run finds to have been reported by others."""
    return ledger(store, run).load(NOW).known


def test_what_one_run_recorded_is_known_to_the_others_and_not_to_itself(store: Store) -> None:
    assert known(store) == set()
    record(store, "one", 1, 2)
    record(store, "two", 3)
    assert known(store) == {1, 2, 3}
    assert known(store, "one") == {3}
    assert ledger(store, "asks").load(NOW).since == int(NOW)
    assert list(store.content()) == [KEY], "the lock is still there"


def test_a_run_that_is_cleared_replaces_its_own_entries(store: Store) -> None:
    record(store, "one", 1, 2)
    record(store, "two", 3)
    record(store, "one", 2, 4)
    assert known(store) == {2, 3, 4}


def test_the_second_of_two_writers_fails_and_the_first_ones_entries_stay(store: Store) -> None:
    first, second = ledger(store, "first"), ledger(store, "second")
    first.load(NOW)
    second.load(NOW)
    first.record([1], NOW, None)
    with pytest.raises(StorageError, match="was changed by another run") as caught:
        second.record([2], NOW, None)
    assert not caught.value.permanent
    assert known(store) == {1}


def test_a_lock_that_somebody_holds_keeps_others_out(remote: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_file, "LOCK_TIMEOUT", 0.0)
    remote.put(f"{KEY}.lock", f"{time.time():.3f} somebody".encode())
    with pytest.raises(StorageError, match="is being written by another run") as caught:
        record(remote, "one", 1)
    assert not caught.value.permanent
    assert list(remote.content()) == [f"{KEY}.lock"], "somebody else's lock was removed, or the ledger written"


def test_a_lock_that_was_left_behind_keeps_nobody_out(remote: Store) -> None:
    remote.put(f"{KEY}.lock", f"{time.time() - LEASE - 1:.3f} somebody".encode())
    record(remote, "one", 1)
    assert known(remote) == {1}
    assert list(remote.content()) == [KEY]


def test_of_all_that_find_a_lock_that_was_left_behind_only_one_gets_it(remote: Store) -> None:
    remote.put(f"{KEY}.lock", f"{time.time() - LEASE - 1:.3f} somebody".encode())
    inside: list[int] = []
    together: list[int] = []

    def take(number: int) -> None:
        for _ in range(20):
            try:
                with ledger(remote, f"run-{number}").reserve(NOW):
                    inside.append(number)
                    together.append(len(inside))
                    time.sleep(0.1)
                    inside.remove(number)
            except StorageError as problem:
                if problem.permanent:
                    raise
            else:
                return

    threads = [threading.Thread(target=take, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == [1] * 5
    assert remote.content() == {}


def test_many_writers_at_once_lose_nothing_that_was_recorded(store: Store) -> None:
    recorded: set[int] = set()

    def report(number: int) -> None:
        for _ in range(100):
            try:
                record(store, f"run-{number}", number)
            except StorageError as problem:
                if problem.permanent:
                    raise
                time.sleep(0.05)
            else:
                recorded.add(number)
                return

    threads = [threading.Thread(target=report, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorded == set(range(6)), "some never came to it"
    assert known(store) == recorded


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"transaction":"HP1"}\n{"transaction":"HP2"}\n', "is another kind of file"),
        (b"\x1f\x8b\x08\x00", "is another kind of file"),
        (json.dumps({"format": FORMAT, "version": VERSION + 1}).encode(), "was written by a newer version"),
        (json.dumps({"format": FORMAT, "version": VERSION, "entries": [{}]}).encode(), "is damaged"),
    ],
    ids=["records", "gzip", "newer", "damaged"],
)
def test_a_file_that_is_no_ledger_is_left_alone(store: Store, content: bytes, told: str) -> None:
    store.put(KEY, content)
    with pytest.raises(StorageError, match=told) as caught:
        ledger(store, "one").load(NOW)
    assert caught.value.permanent
    assert store.content() == {KEY: content}


def test_the_connection_may_stand_in_the_url(remote: Store) -> None:
    scheme, _, rest = remote.url(KEY).partition("://")
    mine = FileLedger(
        Owner(b"watched", Run("dag", "task", "one"), timedelta(days=7)), f"{scheme}://{remote.conn_id}@{rest}"
    )
    mine.load(NOW)
    mine.record([1], NOW, None)
    assert known(remote) == {1}


def test_a_wrong_credential_is_no_empty_ledger(remote: Store) -> None:
    with pytest.raises(StorageError, match=r"cannot be used .*ledger_conn_id") as caught:
        ledger(remote, "one", conn_id="wrong").load(NOW)
    assert caught.value.permanent


def test_a_bucket_that_is_not_there_is_found_out_before_anything_is_listed(remote: Store) -> None:
    owner = Owner(b"watched", Run("dag", "task", "one"), timedelta(days=7))
    with pytest.raises(StorageError, match="there is no bucket or container 'nowhere'") as caught:
        FileLedger(owner, remote.url(KEY, "nowhere"), remote.conn_id).load(NOW)
    assert caught.value.permanent
