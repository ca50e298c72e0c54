"""A file of records on each store: all of it or nothing, whatever becomes of the upload."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from airflow_provider_hotmart.storage import RecordFile, StorageError, WrittenFile
from airflow_provider_hotmart.storage.remote import PART_SIZE
from tests.stores.support import Store

RECORDS = [{"transaction": f"HP{number}", "user": {"name": "João "}} for number in range(1000)]
LINES = b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in RECORDS)
#: One line of a megabyte, which nothing compresses.
MEGABYTE = os.urandom(2**19).hex().encode()[:-1] + b"\n"
#: More than S3 and Azure are sent in one go.
LARGE = 5 * PART_SIZE // 2**20
#: How long an upload would have gone on, had nobody ended it.
LATER = 2.0


def write(store: Store, key: str, lines: bytes = LINES, times: int = 1) -> WrittenFile:
    """Write lines, so many times over."""
    file = RecordFile(store.url(key), store.conn_id)
    with file.writing() as writer:
        for _ in range(times):
            writer.write(lines, lines.count(b"\n"))
    return writer.result


def write_to(file: RecordFile, lines: bytes, times: int) -> None:
    """Write lines, so many times over."""
    with file.writing() as writer:
        for _ in range(times):
            writer.write(lines, lines.count(b"\n"))


def write_until(failure: type[BaseException], store: Store, key: str) -> None:
    """Write many lines, then fail."""
    with RecordFile(store.url(key), store.conn_id).writing() as writer:
        for _ in range(LARGE):
            writer.write(MEGABYTE, 1)
        raise failure


def is_upload(method: str, path: str) -> bool:
    """Whether a call carries content, in S3's and in Azure's language."""
    return method == "PUT" and "comp=blocklist" not in path


def check_taken_back(store: Store, size: int) -> None:
    """Nothing is left of an upload that failed; of a large one, if the store lets anybody take it back."""
    if store.takes_back or size == 1:
        assert store.unfinished() == []


class Interrupted(BaseException):
    """Comes from a signal, in the middle of whatever the task does."""


@contextmanager
def interrupted_when(store: Store, uploads: int) -> Iterator[None]:
    """Interrupt this process when it has begun so many uploads."""
    seen: list[str] = []

    def passing(method: str, path: str) -> None:
        if is_upload(method, path):
            seen.append(path)
            if len(seen) == uploads:
                os.kill(os.getpid(), signal.SIGUSR1)
                time.sleep(LATER / 4)

    def interrupt(number: int, frame: object) -> None:
        raise Interrupted

    assert store.gate is not None
    before = signal.signal(signal.SIGUSR1, interrupt)
    store.gate.passing = passing
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_file_holds_the_lines_and_the_result_describes_it_as_stored(store: Store, key: str) -> None:
    result = write(store, key)
    assert store.content() == {key: LINES}
    assert (result.path, result.location.conn_id) == (store.url(key), store.conn_id)
    assert (result.records, result.bytes, result.sha256) == (1000, len(LINES), hashlib.sha256(LINES).hexdigest())


def test_a_compressed_file_is_stored_as_it_was_compressed(store: Store, key: str) -> None:
    result = write(store, key + ".gz")
    [stored] = store.content().values()
    assert gzip.decompress(stored) == LINES
    assert (result.bytes, result.sha256) == (len(stored), hashlib.sha256(stored).hexdigest())


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_no_records_make_an_empty_file_which_can_be_replaced(store: Store, key: str, suffix: str) -> None:
    assert write(store, key + suffix, b"").records == 0
    [stored] = store.content().values()
    assert (gzip.decompress(stored) if suffix else stored) == b""
    write(store, key + suffix)
    [stored] = store.content().values()
    assert (gzip.decompress(stored) if suffix else stored) == LINES


def test_a_large_file_arrives_whole_and_replaces_the_one_before(store: Store, key: str) -> None:
    write(store, key)
    result = write(store, key, MEGABYTE, LARGE)
    assert store.content() == {key: MEGABYTE * LARGE}
    assert result.sha256 == hashlib.sha256(MEGABYTE * LARGE).hexdigest()
    assert store.unfinished() == []
    write(store, key, b"{}\n")
    assert store.content() == {key: b"{}\n"}


def test_nothing_is_seen_of_a_file_before_it_is_complete(store: Store, key: str) -> None:
    with RecordFile(store.url(key), store.conn_id).writing() as writer:
        for _ in range(LARGE):
            writer.write(MEGABYTE, 1)
        assert store.content() == {}
        if store.name != "local":
            assert store.unfinished() == []
    assert list(store.content()) == [key]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_run_that_fails_leaves_nothing_and_what_was_there_as_it_was(
    store: Store, key: str, failure: type[BaseException]
) -> None:
    write(store, "before.jsonl")
    for name in (key, "before.jsonl"):
        with pytest.raises(failure):
            write_until(failure, store, name)
    assert store.content() == {"before.jsonl": LINES}
    assert store.unfinished() == []


@pytest.mark.parametrize(("size", "refused"), [(1, 1), (LARGE, 1), (LARGE, 3)], ids=["small", "first", "middle"])
def test_an_upload_that_is_refused_leaves_nothing_and_what_was_there_as_it_was(
    remote: Store, key: str, size: int, refused: int
) -> None:
    write(remote, "before.jsonl")
    assert remote.gate is not None
    for name in (key, "before.jsonl"):
        seen: list[str] = []

        def closed(method: str, path: str, seen: list[str] = seen) -> bool:
            seen += [path] if is_upload(method, path) else []
            return is_upload(method, path) and len(seen) >= refused

        remote.gate.refused = closed
        with pytest.raises(StorageError, match="cannot be used") as caught:
            write(remote, name, MEGABYTE, size)
        assert caught.value.permanent, "the store said that this is not allowed"
        assert len(seen) >= refused, "the file was sent in fewer goes"
    assert remote.content() == {"before.jsonl": LINES}
    check_taken_back(remote, size)


def test_an_upload_whose_end_is_refused_leaves_nothing(remote: Store, key: str) -> None:
    write(remote, key)
    assert remote.gate is not None
    remote.gate.refused = lambda method, path: "comp=blocklist" in path or (method == "POST" and "uploadId" in path)
    with pytest.raises(StorageError, match="cannot be used"):
        write(remote, key, MEGABYTE, LARGE)
    assert remote.content() == {key: LINES}
    check_taken_back(remote, LARGE)


@pytest.mark.parametrize(("size", "uploads"), [(1, 1), (LARGE, 2)], ids=["small", "middle"])
def test_a_task_that_is_stopped_during_its_upload_leaves_nothing(
    remote: Store, key: str, size: int, uploads: int
) -> None:
    write(remote, "before.jsonl")
    for name in (key, "before.jsonl"):
        with interrupted_when(remote, uploads), pytest.raises(Interrupted):
            write(remote, name, MEGABYTE, size)
        time.sleep(LATER)
        # The call that was under way may still have reached the store, as a whole; a part of a file has not.
        found = remote.content()
        if size == 1:
            found = {one: lines for one, lines in found.items() if lines != MEGABYTE}
        assert found in ({"before.jsonl": LINES}, {})
        assert size == 1 or found, "what was there before is gone"
        check_taken_back(remote, LARGE)  # a store may have begun what it got half of, small as it is


@pytest.mark.parametrize(("size", "uploads"), [(1, 1), (LARGE, 1), (LARGE, 4)], ids=["small", "first", "last"])
@pytest.mark.parametrize("there", [True, False], ids=["over another", "new"])
def test_a_task_that_is_told_to_stop_during_its_upload_publishes_nothing_and_leaves_nothing(
    remote: Store, key: str, size: int, uploads: int, there: bool
) -> None:
    if there:
        write(remote, key)
    assert remote.gate is not None
    file = RecordFile(remote.url(key), remote.conn_id)
    seen: list[str] = []
    stopped: list[float] = []

    def passing(method: str, path: str) -> None:
        if is_upload(method, path):
            seen.append(path)
            if len(seen) == uploads and not stopped:
                stopped.append(time.monotonic())
                # As Airflow does: in the main thread, which waits for the upload.
                os.kill(os.getpid(), signal.SIGUSR1)
                time.sleep(LATER / 4)

    before = signal.signal(signal.SIGUSR1, lambda *_: file.stop())
    remote.gate.passing = passing
    try:
        with pytest.raises(StorageError, match="the task was stopped") as caught:
            write_to(file, MEGABYTE, size)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert not caught.value.permanent
    assert time.monotonic() - stopped[0] < 4, "Airflow kills after five seconds"
    time.sleep(LATER)
    found = remote.content()
    if size == 1 and found.get(key) == MEGABYTE:
        return  # its only call was under way, and has reached the store as a whole
    assert found == ({key: LINES} if there else {})
    check_taken_back(remote, size)


def test_a_task_that_is_told_to_stop_when_all_is_sent_publishes_nothing(remote: Store, key: str) -> None:
    assert remote.gate is not None
    file = RecordFile(remote.url(key), remote.conn_id)
    parts = 0

    def passing(method: str, path: str) -> None:
        nonlocal parts
        parts += is_upload(method, path)

    remote.gate.passing = passing
    write_to(file, MEGABYTE, LARGE)
    total, parts = parts, 0
    write(remote, key)

    def passing_and_stopping(method: str, path: str) -> None:
        passing(method, path)
        if parts == total and is_upload(method, path):
            file.stop()  # and the store takes the last part all the same

    parts = 0
    remote.gate.passing = passing_and_stopping
    with pytest.raises(StorageError, match="the task was stopped"):
        write_to(file, MEGABYTE, LARGE)
    assert parts == total
    time.sleep(LATER / 4)
    assert remote.content() == {key: LINES}
    check_taken_back(remote, LARGE)


def test_what_another_run_is_sending_is_not_taken_back(remote: Store, key: str) -> None:
    if remote.name != "s3":
        pytest.skip("only S3 keeps what was begun apart, and lets it be taken back")
    other = remote.begin(key)  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError):
        write_until(RuntimeError, remote, key)
    remote.gate.refused = lambda method, path: method == "POST" and "uploadId" in path  # type: ignore[union-attr]
    with pytest.raises(StorageError):
        write(remote, key, MEGABYTE, LARGE)
    assert remote.uploads() == [other]  # type: ignore[attr-defined]


def test_what_is_written_on_the_way_to_a_store_has_no_name_on_this_machine(remote: Store, key: str) -> None:
    folder = Path(tempfile.gettempdir())
    before = set(folder.iterdir())
    with RecordFile(remote.url(key), remote.conn_id).writing() as writer:
        for _ in range(LARGE):
            writer.write(MEGABYTE, 1)
        assert {one for one in set(folder.iterdir()) - before if one.is_file()} == set()
