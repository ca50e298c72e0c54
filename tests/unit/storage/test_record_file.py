"""A stream of records into one file: all of it, or nothing."""

from __future__ import annotations

import gc
import gzip
import hashlib
import json
import os
import re
import resource
import signal
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_hotmart.storage import RecordFile, StorageError, WrittenFile
from tests.airflow.versions import attach

RECORDS = [{"transaction": f"HP{number}", "user": {"name": "João "}} for number in range(1000)]
LINES = b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in RECORDS)


@pytest.fixture
def memory() -> Iterator[str]:
    """A folder of fsspec's memory store, of this test alone. Airflow knows that store only when it is told of it."""
    store = fsspec.filesystem("memory")
    attach("memory", fs=store)
    folder = f"memory://{uuid.uuid4()}"
    yield folder
    if store.exists(folder):
        store.rm(folder, recursive=True)


def write(destination: Any, lines: bytes = LINES, records: int = len(RECORDS)) -> WrittenFile:
    """Write lines in two goes."""
    file = RecordFile(destination)
    half = lines.index(b"\n", len(lines) // 2) + 1 if lines else 0
    with file.writing() as writer:
        writer.write(lines[:half], records // 2)
        writer.write(lines[half:], records - records // 2)
    return writer.result


def fail_to_write(destination: str, failure: type[BaseException]) -> None:
    """Write some lines, then fail."""
    with RecordFile(destination).writing() as writer:
        writer.write(b"{}\n" * 10_000, 10_000)
        raise failure


def read(path: str) -> bytes:
    """What a file of any store holds."""
    with fsspec.open(path, "rb") as file:
        return bytes(file.read())


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Let no file grow beyond a size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("form", ["{}/sales.jsonl", "file://{}/sales.jsonl", "{}/deep/er/sales.NDJSON"])
def test_a_local_file_holds_the_lines_and_the_result_describes_it(form: str, tmp_path: Path) -> None:
    destination = form.format(tmp_path)
    result = write(destination)
    assert read(destination) == LINES
    assert (result.path, result.format.name, result.format.compression) == (destination, "jsonl", None)
    assert (result.records, result.bytes, result.sha256) == (1000, len(LINES), hashlib.sha256(LINES).hexdigest())


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".ndjson.gz"])
def test_a_compressed_file_is_described_as_it_is_stored(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"sales{suffix}"
    result = write(str(path))
    stored = path.read_bytes()
    assert gzip.decompress(stored) == LINES
    assert (result.bytes, result.sha256) == (len(stored), hashlib.sha256(stored).hexdigest())


def test_the_same_lines_give_the_same_compressed_bytes_whenever_and_wherever(tmp_path: Path) -> None:
    one, other = tmp_path / "one.jsonl.gz", tmp_path / "other.jsonl.gz"
    assert write(str(one)).sha256 == write(str(other)).sha256
    assert one.read_bytes() == other.read_bytes()
    assert one.read_bytes()[4:8] == bytes(4), "the header holds no time"


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_no_records_make_an_empty_file(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"none{suffix}"
    assert write(str(path), b"", 0).records == 0
    stored = path.read_bytes()
    assert (gzip.decompress(stored) if suffix.endswith("gz") else stored) == b""


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_memory_takes_a_file_too(suffix: str, memory: str) -> None:
    result = write(f"{memory}/sales{suffix}")
    stored = read(f"{memory}/sales{suffix}")
    assert (gzip.decompress(stored) if suffix.endswith("gz") else stored) == LINES
    assert result.sha256 == hashlib.sha256(stored).hexdigest()


def test_path_objects_are_taken_as_they_are(memory: str, tmp_path: Path) -> None:
    write(ObjectStoragePath(f"{memory}/sales.jsonl"))
    assert read(f"{memory}/sales.jsonl") == LINES
    write(tmp_path / "sales.jsonl")
    assert (tmp_path / "sales.jsonl").read_bytes() == LINES
    write(ObjectStoragePath(f"file://{tmp_path}/other.jsonl"))
    assert (tmp_path / "other.jsonl").read_bytes() == LINES


def test_writing_again_replaces_the_file(tmp_path: Path, memory: str) -> None:
    for destination in (str(tmp_path / "sales.jsonl"), f"{memory}/sales.jsonl"):
        write(destination)
        write(destination, b"{}\n", 1)
        assert read(destination) == b"{}\n"


def test_nothing_is_seen_of_a_file_before_it_is_complete(tmp_path: Path, memory: str) -> None:
    for destination in (str(tmp_path / "sales.jsonl"), f"{memory}/sales.jsonl"):
        write(destination, b"{}\n", 1)
        with RecordFile(destination).writing() as writer:
            writer.write(LINES * 100, 100_000)
            assert read(destination) == b"{}\n"
        assert len(read(destination)) == 100 * len(LINES)


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
@pytest.mark.parametrize("failure", [LookupError, OSError, KeyboardInterrupt])
def test_a_failure_leaves_no_file(suffix: str, failure: type[BaseException], tmp_path: Path, memory: str) -> None:
    for folder in (str(tmp_path), memory):
        with pytest.raises(failure):
            fail_to_write(f"{folder}/sales{suffix}", failure)
    assert list(tmp_path.iterdir()) == []
    assert not fsspec.filesystem("memory").exists(memory)


def test_a_failure_before_the_first_record_leaves_nothing_for_python_to_complain_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaints: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    with pytest.raises(LookupError), RecordFile(str(tmp_path / "sales.jsonl.gz")).writing():
        raise LookupError
    gc.collect()
    assert complaints == []


def test_a_failure_leaves_what_was_there_before(tmp_path: Path, memory: str) -> None:
    for folder in (str(tmp_path), memory):
        write(f"{folder}/sales.jsonl")
        with pytest.raises(LookupError):
            fail_to_write(f"{folder}/sales.jsonl", LookupError)
        assert read(f"{folder}/sales.jsonl") == LINES
    assert [path.name for path in tmp_path.iterdir()] == ["sales.jsonl"]


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
@pytest.mark.parametrize("size", [10_000_000, 100_000, 1000])
def test_a_full_disk_is_an_error_that_may_pass_and_leaves_no_file(suffix: str, size: int, tmp_path: Path) -> None:
    file = RecordFile(str(tmp_path / f"sales{suffix}"))
    noise = os.urandom(size)
    with pytest.raises(StorageError, match="cannot be used") as caught, full_disk(500), file.writing() as writer:
        writer.write(noise, 1)
    assert not caught.value.permanent
    assert list(tmp_path.iterdir()) == []


class GrowingFileSystem(LocalFileSystem):
    """Stands for SFTP, HDFS and the like, over local files."""

    protocol = "growing"

    @classmethod
    def _strip_protocol(cls, path: Any) -> str:
        return str(path).removeprefix("growing://")


def test_a_store_that_shows_a_file_while_it_grows_gets_it_under_another_name_first(tmp_path: Path) -> None:
    fsspec.register_implementation("growing", GrowingFileSystem, clobber=True)
    store = GrowingFileSystem()
    seen: list[list[str]] = []
    move = store.mv

    def mv(*paths: str, **options: Any) -> None:
        seen.append([path.name for path in tmp_path.iterdir()])
        move(*paths, **options)

    store.mv = mv
    attach("growing", fs=store)
    with RecordFile(f"growing://{tmp_path}/sales.jsonl").writing() as writer:
        writer.write(LINES, 1000)
    [[before]] = seen
    assert re.fullmatch(r"sales\.jsonl\.[0-9a-f]{8}\.part", before)
    assert [path.name for path in tmp_path.iterdir()] == ["sales.jsonl"]
    assert (tmp_path / "sales.jsonl").read_bytes() == LINES


@pytest.mark.parametrize(
    "destination",
    [
        "/d/sales.xlsx",
        "/d/sales.csv.bz2",
        "/d/sales.parquet.gz",
        "/d/sales.json",
        "/d/sales.jsonl.zip",
        "/d/sales",
        "/d/.jsonl",
        "/d/.jsonl.gz",
        "/d/sales.jsonl/",
    ],
)
def test_an_unknown_suffix_names_the_known_ones(destination: str) -> None:
    with pytest.raises(StorageError, match=r"end it in \.jsonl, .*\.csv, \.csv\.gz, \.parquet") as caught:
        RecordFile(destination)
    assert caught.value.permanent


@pytest.mark.parametrize("destination", ["foo://bucket/sales.jsonl", "s3://bucket/sales.jsonl"])
def test_a_store_that_is_not_installed_is_an_error_that_stays(destination: str) -> None:
    with pytest.raises(StorageError, match="cannot be used") as caught:
        RecordFile(destination)
    assert caught.value.permanent


def test_looking_at_the_destination_leaves_nothing_there(tmp_path: Path, memory: str) -> None:
    RecordFile(str(tmp_path / "sales.jsonl"))
    RecordFile(f"{memory}/sales.jsonl")
    assert list(tmp_path.iterdir()) == []
    assert not fsspec.filesystem("memory").exists(memory)


def write_and_stop(destination: str) -> None:
    file = RecordFile(destination)
    with file.writing() as writer:
        writer.write(LINES, 1000)
        file.stop()


def write_for_ever(file: RecordFile) -> None:
    with file.writing() as writer:
        while True:
            writer.write(LINES, 1000)


# Stopping


def test_after_a_stop_nothing_is_written_and_nothing_published(tmp_path: Path, memory: str) -> None:
    for destination in (str(tmp_path / "sales.jsonl"), f"{memory}/sales.jsonl"):
        write(destination, b"{}\n", 1)
        file = RecordFile(destination)
        with pytest.raises(StorageError, match="is not written: the task was stopped") as caught:
            stop_and_write(file)
        assert not caught.value.permanent
        assert read(destination) == b"{}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["sales.jsonl"]


def stop_and_write(file: RecordFile) -> None:
    with file.writing() as writer:
        writer.write(LINES, 1000)
        file.stop()
        writer.write(LINES, 1000)


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_a_stop_after_the_last_record_is_in_time(suffix: str, tmp_path: Path, memory: str) -> None:
    for folder in (str(tmp_path), memory):
        with pytest.raises(StorageError, match="the task was stopped"):
            write_and_stop(f"{folder}/sales{suffix}")
    assert list(tmp_path.iterdir()) == []
    assert not fsspec.filesystem("memory").exists(memory)


def test_a_signal_handler_may_stop_the_very_thread_that_writes(tmp_path: Path) -> None:
    # Wherever the signal meets it: a lock that the thread holds would stand still for ever.
    file = RecordFile(str(tmp_path / "sales.jsonl.gz"))
    before = signal.signal(signal.SIGALRM, lambda *_: file.stop())
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(StorageError, match="the task was stopped"):
            write_for_ever(file)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert list(tmp_path.iterdir()) == []


def test_a_stop_while_the_disk_is_waited_for_is_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "sales.jsonl", b"{}\n", 1)
    file = RecordFile(tmp_path / "sales.jsonl")
    fsync = os.fsync

    def fsync_and_stop(descriptor: int) -> None:
        fsync(descriptor)
        file.stop()

    monkeypatch.setattr(os, "fsync", fsync_and_stop)
    with pytest.raises(StorageError, match="the task was stopped"), file.writing() as writer:
        writer.write(LINES, 1000)
    assert (tmp_path / "sales.jsonl").read_bytes() == b"{}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["sales.jsonl"]
