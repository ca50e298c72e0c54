"""A file on the local file system: whole, durable, with its mode and its links, and nothing left beside it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hotmart.storage import RecordFile, StorageError
from airflow_provider_hotmart.storage.object_file import ObjectFile

ROOT = Path(__file__).resolve().parents[3]
OLD, NEW = b'{"old":1}\n' * 1000, b'{"new":1}\n' * 200_000


def write(path: Path, lines: bytes = NEW) -> None:
    with RecordFile(path).writing() as writer:
        writer.write(lines, lines.count(b"\n"))


def fail_to_write(path: Path) -> None:
    with RecordFile(path).writing() as writer:
        writer.write(NEW, 200_000)
        raise LookupError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(params=["nameless", "no files without a name", "no names afterwards"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the operating system can do: all of it; as macOS and some file systems; as some sandboxes."""
    if request.param == "no files without a name":
        monkeypatch.delattr(os, "O_TMPFILE")
    elif request.param == "no names afterwards":

        def link(*_: Any, **__: Any) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", link)
    return str(request.param)


def test_a_file_is_written_whatever_the_system_can_do(system: str, tmp_path: Path) -> None:
    path = tmp_path / "sales.jsonl"
    write(path, OLD)
    write(path)
    assert path.read_bytes() == NEW
    assert names(tmp_path) == ["sales.jsonl"]


def test_a_file_has_no_name_while_it_is_written(tmp_path: Path) -> None:
    with RecordFile(tmp_path / "sales.jsonl").writing() as writer:
        writer.write(NEW, 200_000)
        assert names(tmp_path) == []
    assert names(tmp_path) == ["sales.jsonl"]


def test_a_failure_leaves_nothing_whatever_the_system_can_do(system: str, tmp_path: Path) -> None:
    with pytest.raises(LookupError):
        fail_to_write(tmp_path / "sales.jsonl")
    assert names(tmp_path) == []


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_may_be_read_by_whoever_may_read_new_files(
    umask: int, mode: int, system: str, tmp_path: Path
) -> None:
    before = os.umask(umask)
    try:
        write(tmp_path / "sales.jsonl")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "sales.jsonl").stat().st_mode) == mode


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o666])
def test_a_file_keeps_its_mode_when_it_is_replaced(mode: int, system: str, tmp_path: Path) -> None:
    path = tmp_path / "sales.jsonl"
    path.write_bytes(OLD)
    path.chmod(mode)
    write(path)
    assert path.read_bytes() == NEW
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_file_keeps_its_owner_where_that_is_allowed(system: str, tmp_path: Path) -> None:
    path = tmp_path / "sales.jsonl"
    path.write_bytes(OLD)
    os.chown(path, 12345, 23456)
    path.chmod(0o640)
    write(path)
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12345, 23456, 0o640)


def test_what_replaces_a_private_file_is_private_from_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "O_TMPFILE")
    path = tmp_path / "sales.jsonl"
    path.write_bytes(OLD)
    path.chmod(0o600)
    with RecordFile(path).writing() as writer:
        writer.write(NEW, 200_000)
        [part] = [one for one in tmp_path.iterdir() if one != path]
        assert stat.S_IMODE(part.stat().st_mode) == 0o600


def test_the_umask_of_the_process_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "sales.jsonl"
    done = threading.Event()
    modes: set[int] = set()

    def make() -> None:
        number = 0
        while not done.is_set():
            number += 1
            other = tmp_path / f"other-{number}"
            os.close(os.open(other, os.O_CREAT | os.O_WRONLY, 0o666))
            modes.add(stat.S_IMODE(other.stat().st_mode))
            other.unlink()

    before = os.umask(0o077)
    thread = threading.Thread(target=make)
    thread.start()
    try:
        for _ in range(200):
            write(path, OLD)
    finally:
        done.set()
        thread.join()
        os.umask(before)
    assert modes == {0o600}


@pytest.mark.parametrize("there", [True, False], ids=["to a file", "to none yet"])
def test_a_symbolic_link_stays_one_and_its_target_is_replaced(there: bool, system: str, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    target, link = tmp_path / "shared" / "sales.jsonl", tmp_path / "current.jsonl"
    if there:
        target.write_bytes(OLD)
        target.chmod(0o600)
    link.symlink_to("shared/sales.jsonl")
    write(link)
    assert link.is_symlink()
    assert link.readlink() == Path("shared/sales.jsonl")
    assert target.read_bytes() == NEW
    assert not there or stat.S_IMODE(target.stat().st_mode) == 0o600
    assert names(tmp_path) == ["current.jsonl", "shared"]
    assert names(tmp_path / "shared") == ["sales.jsonl"]


@pytest.mark.parametrize("name", ["a" * 249 + ".jsonl", "ã" * 124 + "a.jsonl"], ids=["ASCII", "UTF-8"])
def test_a_name_may_be_as_long_as_the_file_system_allows(name: str, system: str, tmp_path: Path) -> None:
    assert len(name.encode()) == 255
    write(tmp_path / name, OLD)
    write(tmp_path / name)
    assert names(tmp_path) == [name]
    with ObjectFile(tmp_path / name, argument="ledger").locked():
        pass
    assert names(tmp_path) == [name]


def test_a_longer_name_is_found_out_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="File name too long") as caught:
        RecordFile(tmp_path / ("a" * 250 + ".jsonl"))
    assert caught.value.permanent


def test_a_folder_in_the_place_of_the_file_is_found_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "sales.jsonl").mkdir()
    with pytest.raises(StorageError, match="is a folder") as caught:
        RecordFile(tmp_path / "sales.jsonl")
    assert caught.value.permanent


def test_a_pipe_in_the_place_of_the_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "sales.jsonl")
    with pytest.raises(StorageError, match="is no regular file") as caught:
        RecordFile(tmp_path / "sales.jsonl")
    assert caught.value.permanent


def test_a_link_to_itself_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "sales.jsonl").symlink_to("sales.jsonl")
    with pytest.raises(StorageError, match="symbolic links") as caught:
        RecordFile(tmp_path / "sales.jsonl")
    assert caught.value.permanent


def test_a_file_in_the_place_of_the_folder_is_found_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "folder").touch()
    with pytest.raises(StorageError, match="check the path and its permissions") as caught:
        RecordFile(tmp_path / "folder" / "sales.jsonl")
    assert caught.value.permanent


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_found_before_anything_is_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="PermissionError") as caught:
        RecordFile(tmp_path / "sales.jsonl")
    assert caught.value.permanent


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="there is no file system that nobody may write to")
def test_a_file_system_that_nobody_may_write_to_is_found_out() -> None:
    with pytest.raises(StorageError, match="check the path and its permissions") as caught:
        RecordFile("/sys/kernel/sales.jsonl")
    assert caught.value.permanent


def test_file_and_folders_are_on_the_disk_before_success_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def record(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append("file" if stat.S_ISREG(os.fstat(descriptor).st_mode) else path.name)
        fsync(descriptor)

    def renamed(self: Path, target: Any) -> Path:
        synced.append("renamed")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", record)
    monkeypatch.setattr(Path, "replace", renamed)
    write(tmp_path / "new" / "folder" / "sales.jsonl")
    assert set(synced[:2]) == {tmp_path.name, "new"}
    assert synced[2:] == ["file", "renamed", "folder"]


# Killed

#: Writes, in children that are killed: each at another moment, or each when it has written everything.
DRIVER = """
import json, os, random, signal, sys, time
from pathlib import Path
from airflow_provider_hotmart.storage import RecordFile

job = json.loads(sys.argv[1])
path = Path(job["path"])
if job["system"] == "no files without a name":
    del os.O_TMPFILE

def write(record, times, before_the_end=lambda: None):
    with RecordFile(path).writing() as writer:
        for _ in range(times):
            writer.write(record * 1000, 1000)
        before_the_end()

def child(work):
    number = os.fork()
    if number == 0:
        work()
        os._exit(0)
    return number

def names():
    return sorted(one.name for one in path.parent.iterdir())

answer = []
if job["do"] == "leave":
    number = child(lambda: write(job["new"].encode(), 200, lambda: os.kill(os.getpid(), signal.SIGKILL)))
    os.waitpid(number, 0)
else:
    began = time.monotonic()
    write(job["new"].encode(), 200)
    took = time.monotonic() - began
    choose = random.Random(11)
    # As many are killed before as after the file is in its place, whatever else the machine does.
    latest = 2 * took
    while len(answer) < job["times"]:
        write(job["old"].encode(), 1)
        number = child(lambda: write(job["new"].encode(), 200))
        time.sleep(choose.uniform(0, latest))
        os.kill(number, signal.SIGKILL)
        os.waitpid(number, 0)
        content = path.read_bytes()
        left = len(names()) - 1
        write(job["old"].encode(), 1)
        answer.append([content[:9].decode(), len(content), left, names()])
        latest *= 0.9 if content.startswith(job["new"].encode()) else 1.1
print(json.dumps(answer))
"""
LINE = {"old": '{"old":1}\n', "new": '{"new":1}\n'}


def drive(path: Path, system: str, do: str, **job: Any) -> Any:
    told = json.dumps({"path": str(path), "system": system, "do": do, **LINE, **job})
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, told], capture_output=True, text=True, timeout=280, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("system_of_process", ["nameless", "no files without a name"])
def test_killed_at_any_moment_the_file_is_the_old_or_the_new_one_and_the_next_run_leaves_nothing_else(
    tmp_path: Path, system_of_process: str
) -> None:
    found = drive(tmp_path / "sales.jsonl", system_of_process, "kill", times=100)
    assert {(start, size) for start, size, _, _ in found} == {('{"old":1}', 10_000), ('{"new":1}', 2_000_000)}
    assert {tuple(after) for _, _, _, after in found} == {("sales.jsonl",)}
    # Without a name, something is left only where the kill comes between two system calls.
    assert system_of_process == "nameless" or any(left for _, _, left, _ in found)


def test_a_name_that_was_left_behind_is_removed_by_the_next_run_of_the_same_destination_alone(tmp_path: Path) -> None:
    drive(tmp_path / "sales.jsonl", "no files without a name", "leave")
    [left] = names(tmp_path)
    assert left.endswith(".part")
    write(tmp_path / "other.jsonl")
    assert names(tmp_path) == [left, "other.jsonl"]
    RecordFile(tmp_path / "sales.jsonl")
    assert names(tmp_path) == ["other.jsonl"]


def test_what_a_live_run_is_writing_is_not_taken_for_a_leftover(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "O_TMPFILE")
    path = tmp_path / "sales.jsonl"
    with RecordFile(path).writing() as writer:
        writer.write(NEW, 200_000)
        write(path, OLD)
        assert len(names(tmp_path)) == 2
        assert path.read_bytes() == OLD
    assert path.read_bytes() == NEW
    assert names(tmp_path) == ["sales.jsonl"]
