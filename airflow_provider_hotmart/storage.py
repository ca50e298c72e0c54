"""A stream of records into one file on object storage: all of it, or nothing."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_hotmart.api import codec

#: What a destination may end with, and whether it is compressed.
SUFFIXES = {".jsonl": False, ".jsonl.gz": True, ".ndjson": False, ".ndjson.gz": True}
#: Stores where an object appears only when its upload is complete, replacing the one before in one step.
ATOMIC_STORES = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "wasb", "wasbs", "oss", "r2", "memory"}
)
#: Operating-system errors that no repetition heals.
_LASTING = {
    errno.EACCES,
    errno.EPERM,
    errno.EEXIST,  # a file where a folder is needed
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EROFS,
    errno.ENAMETOOLONG,
    errno.EINVAL,
}


class DestinationError(Exception):
    """
    The file cannot be written where it was wanted.

    :param message: one sentence that says what to do.
    :param permanent: whether trying again is of no use.
    """

    def __init__(self, message: str, *, permanent: bool = True) -> None:
        super().__init__(message)
        self.permanent = permanent


@dataclass(frozen=True)
class WrittenFile:
    """
    What was written.

    :param path: where.
    :param records: lines in it.
    :param bytes: size of the file as stored.
    :param sha256: of the file as stored, in hex.
    """

    path: str
    records: int
    bytes: int
    sha256: str


def json_lines(records: list[dict[str, Any]]) -> bytes:
    """Write records as JSON Lines: UTF-8, compact, one per line."""
    dumps = codec.dumps
    return b"".join([dumps(record) + b"\n" for record in records])


class RecordFile:
    """
    A file of records to be written.

    Whatever can be found wrong with the destination is found when this object is made, before any record is fetched.

    :param destination: URL or path of the file, or an ``ObjectStoragePath``; its suffix says the format.
    :param conn_id: Airflow connection of the store.
    :raises DestinationError: naming the destination, the rule and the remedy.
    """

    def __init__(self, destination: Any, conn_id: str | None = None) -> None:
        self.path = str(destination)
        self._gzip = _is_compressed(self.path)
        try:
            if conn_id:
                target = ObjectStoragePath(self.path, conn_id=conn_id)
            else:
                target = destination if isinstance(destination, ObjectStoragePath) else ObjectStoragePath(self.path)
            self._fs = target.fs
            # Empty, relative and local paths all have the local file system's protocol, or none.
            self._protocol = str(target.protocol or "file")
            self._target = str(target.path)
        except Exception as problem:
            raise _unusable(self.path, problem) from problem
        self._local = self._protocol in ("file", "local")
        self._check()

    def _check(self) -> None:
        """Find out what is wrong with the destination as far as that shows without writing to it."""
        try:
            if self._local:
                folder = Path(self._target).parent
                folder.mkdir(parents=True, exist_ok=True)
                if Path(self._target).is_dir():
                    raise IsADirectoryError(errno.EISDIR, "is a folder", self._target)
                with tempfile.TemporaryFile(dir=folder):
                    pass
            else:
                # Looks whether the store answers at all; not being allowed to look does not mean not to write.
                with suppress(PermissionError, FileNotFoundError):
                    self._fs.info(self._target)
        except Exception as problem:
            raise _unusable(self.path, problem) from problem

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """
        Write the file: it appears, complete, when the block ends, and not at all when the block fails.

        :raises DestinationError: when the store refuses it.
        """
        folder = Path(self._target).parent if self._local else None
        name = Path(self._target).name
        handle, part = tempfile.mkstemp(prefix=f".{name}.", suffix=".part", dir=folder)
        try:
            with os.fdopen(handle, "wb") as raw:
                writer = Writer(raw, self.path, compress=self._gzip)
                yield writer
                writer.finish()
                raw.flush()
                os.fsync(raw.fileno())
            self._publish(part)
        finally:
            Path(part).unlink(missing_ok=True)

    def _publish(self, part: str) -> None:
        try:
            if self._local:
                # A file of its own making is for its owner alone; give it what a new file would have had.
                umask = os.umask(0)
                os.umask(umask)
                Path(part).chmod(0o666 & ~umask)
                Path(part).replace(self._target)
            elif self._protocol in ATOMIC_STORES:
                self._fs.put_file(part, self._target)
            else:
                aside = f"{self._target}.{os.urandom(4).hex()}.part"
                try:
                    self._fs.put_file(part, aside)
                    self._fs.mv(aside, self._target)
                except BaseException:
                    with suppress(Exception):
                        self._fs.rm_file(aside)
                    raise
        except Exception as problem:
            raise _unusable(self.path, problem) from problem


class Writer:
    """
    Takes the lines of a file.

    :param raw: where the bytes go.
    :param path: how the result calls the file.
    :param compress: with gzip; the same lines always give the same bytes.
    """

    def __init__(self, raw: IO[bytes], path: str, *, compress: bool) -> None:
        self._sink = _Measured(raw)
        self._path = path
        self._records = 0
        self._gzip = None
        if compress:
            self._gzip = gzip.GzipFile(filename="", mode="wb", fileobj=cast("IO[bytes]", self._sink), mtime=0)

    def write(self, lines: bytes, records: int) -> None:
        """
        Add lines.

        :param lines: each ended by a line break.
        :param records: how many they are.
        """
        try:
            (self._gzip or self._sink).write(lines)
        except OSError as problem:
            raise _unusable(self._path, problem) from problem
        self._records += records

    def finish(self) -> None:
        """Write what is still held back."""
        if self._gzip is not None:
            self._gzip.close()

    @property
    def result(self) -> WrittenFile:
        """What was written, once the file is complete."""
        return WrittenFile(self._path, self._records, self._sink.size, self._sink.digest.hexdigest())


class _Measured:
    """Passes bytes on, and measures them."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self.size = 0
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._raw.write(data)
        self.size += len(data)
        self.digest.update(data)
        return len(data)

    def flush(self) -> None:
        self._raw.flush()


def _is_compressed(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    for suffix, compressed in SUFFIXES.items():
        if name.endswith(suffix) and len(name) > len(suffix):
            return compressed
    raise DestinationError(
        f"destination {path!r} does not end like a file this operator writes: use one of {', '.join(SUFFIXES)}"
    )


def _unusable(path: str, problem: BaseException) -> DestinationError:
    lasting = isinstance(problem, (ImportError, ValueError)) or getattr(problem, "errno", None) in _LASTING
    remedy = "check the path and its permissions"
    if isinstance(problem, ImportError):
        remedy = "install the provider of that store (extras s3, gcs or azure of this package)"
    told = " ".join(str(problem).split())[:300]
    return DestinationError(
        f"destination {path!r} cannot be written ({type(problem).__name__}: {told}): {remedy}, and destination_conn_id",
        permanent=lasting,
    )
