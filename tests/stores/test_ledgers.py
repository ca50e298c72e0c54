"""The ledger as a file on each store: nothing that was recorded is lost, whoever else writes."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from airflow_provider_hotmart.ledger import FORMAT, STALE_LOCK, VERSION, FileLedger, LedgerError, Owner

from tests.stores.support import Store

NOW = 1_790_000_000.0
KEY = "memory/ledger.json"


def ledger(store: Store, run: str, key: str = KEY, conn_id: str | None = None) -> FileLedger:
    """The ledger as one task run sees it."""
    owner = Owner(b"watched", run, timedelta(days=7))
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
    with pytest.raises(LedgerError, match="was changed by another run") as caught:
        second.record([2], NOW, None)
    assert not caught.value.permanent
    assert known(store) == {1}


def test_a_lock_that_somebody_holds_keeps_others_out(store: Store) -> None:
    store.put(f"{KEY}.lock", f"{time.time():.3f} somebody".encode())
    with pytest.raises(LedgerError, match="is being written by another run") as caught:
        record(store, "one", 1)
    assert not caught.value.permanent
    assert list(store.content()) == [f"{KEY}.lock"], "somebody else's lock was removed, or the ledger written"


def test_a_lock_that_was_left_behind_keeps_nobody_out(store: Store) -> None:
    store.put(f"{KEY}.lock", f"{time.time() - STALE_LOCK - 1:.3f} somebody".encode())
    record(store, "one", 1)
    assert known(store) == {1}
    assert list(store.content()) == [KEY]


def test_a_lock_that_changes_hands_while_it_is_looked_at_stays_with_the_next_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = f"{KEY}.lock"
    store.put(lock, f"{time.time():.3f} the first".encode())
    mine = ledger(store, "one")
    mine.load(NOW)
    read, looked = mine._fs.cat_file, []

    def cat_file(path: str, *arguments: Any, **options: Any) -> Any:
        if path.endswith(".lock") and not looked:
            # The first one lets go, and before anybody else comes to it, the next one takes it.
            looked.append(path)
            store.put(lock, f"{time.time():.3f} the next".encode())
            raise FileNotFoundError(path)
        return read(path, *arguments, **options)

    monkeypatch.setattr(mine._fs, "cat_file", cat_file)
    with pytest.raises(LedgerError, match="is being written by another run"):
        mine.record([1], NOW, None)
    assert looked
    [held] = store.content().values()
    assert held.endswith(b"the next")


def test_many_writers_at_once_lose_nothing_that_was_recorded(store: Store) -> None:
    recorded: set[int] = set()

    def report(number: int) -> None:
        for _ in range(100):
            try:
                record(store, f"run-{number}", number)
            except LedgerError as problem:
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
    with pytest.raises(LedgerError, match=told) as caught:
        ledger(store, "one").load(NOW)
    assert caught.value.permanent
    assert store.content() == {KEY: content}


def test_the_connection_may_stand_in_the_url(remote: Store) -> None:
    scheme, _, rest = remote.url(KEY).partition("://")
    mine = FileLedger(Owner(b"watched", "one", timedelta(days=7)), f"{scheme}://{remote.conn_id}@{rest}")
    mine.load(NOW)
    mine.record([1], NOW, None)
    assert known(remote) == {1}


def test_a_wrong_credential_is_no_empty_ledger(remote: Store) -> None:
    with pytest.raises(LedgerError, match=r"cannot be used .*ledger_conn_id"):
        ledger(remote, "one", conn_id="wrong").load(NOW)


def test_a_bucket_that_is_not_there_is_found_out_before_anything_counts_as_recorded(remote: Store) -> None:
    elsewhere = FileLedger(Owner(b"watched", "one", timedelta(days=7)), remote.url(KEY, "nowhere"), remote.conn_id)
    with pytest.raises(LedgerError, match="cannot be used"):  # noqa: PT012 - whichever comes first
        elsewhere.load(NOW)
        elsewhere.record([1], NOW, None)
