"""A stream of records into one file on object storage: all of it, or nothing."""

from __future__ import annotations

import asyncio
import errno
import gzip
import hashlib
import os
import tempfile
import threading
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook, ObjectStoragePath

#: What a destination may end with, and whether it is compressed.
SUFFIXES = {".jsonl": False, ".jsonl.gz": True, ".ndjson": False, ".ndjson.gz": True}
#: Stores where an object appears only when its upload is complete, replacing the one before in one step.
ATOMIC_STORES = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "wasb", "wasbs", "oss", "r2", "memory"}
)
#: S3 is sent parts of this size, one at a time, so that memory does not grow with the file.
PART = 16 * 2**20
#: S3 takes no more parts of one object.
MOST_PARTS = 10_000
#: Extras of this package that bring the file system of a store.
EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "abfss": "azure", "adl": "azure"}
#: Seconds that an interrupted upload has to take back what it sent.
TIDY_UP = 20.0
#: What stores say to a credential that is wrong, whatever it may be allowed to do.
_NOT_KNOWN = {
    "AuthenticationFailed",
    "AuthorizationFailure",
    "InvalidAccessKeyId",
    "InvalidAuthenticationInfo",
    "InvalidSecurity",
    "InvalidToken",
    "NoAuthenticationInformation",
    "SignatureDoesNotMatch",
}
#: Refusals that the next try may be spared: it has a new token, or a clock that was set.
_REFUSED_FOR_NOW = {"ExpiredToken", "RequestTimeTooSkewed", "TokenRefreshRequired"}
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
        # Airflow 2 takes a relative path for one that starts at the root.
        url = self.path if "://" in self.path else str(Path(self.path).absolute())
        try:
            if conn_id:
                target = ObjectStoragePath(url, conn_id=conn_id)
            else:
                target = destination if isinstance(destination, ObjectStoragePath) else ObjectStoragePath(url)
            # Empty, relative and local paths all have the local file system's protocol, or none.
            self._protocol = str(target.protocol or "file")
            self._target = str(target.path)
            self._local = self._protocol in ("file", "local")
            if not self._local and (store := conn_id or _conn_id(target)):
                # Some providers go on without a connection that they cannot find, with whatever else they find.
                BaseHook.get_connection(store)
            self._fs = target.fs
        except Exception as problem:
            raise _unusable(self.path, problem) from problem
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
                self._ask()
        except Exception as problem:
            raise _unusable(self.path, problem) from problem

    def _ask(self) -> None:
        """Find out whether the store answers, knows who asks, and has the bucket."""
        try:
            # Reads, instead of asking for the size: the answer to that would not say why it is refused.
            self._fs.cat_file(self._target, start=0, end=1)
        except FileNotFoundError:
            if self._protocol not in EXTRAS:
                return  # It may make folders as it goes.
            bucket = self._target.lstrip("/").partition("/")[0]
            try:
                self._fs.info(bucket)
            except FileNotFoundError as problem:
                raise ValueError(f"there is no bucket or container {bucket!r}") from problem
            except Exception:  # noqa: BLE001 - not being allowed to look at a bucket does not mean not to write
                return
        except Exception as problem:
            code, status = _told(problem)
            if code in _NOT_KNOWN or not (isinstance(problem, PermissionError) or status in (403, 416)):
                raise
            # Not being allowed to read does not mean not to write; and an empty file has no first byte.

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """
        Write the file: it appears, complete, when the block ends, and not at all when the block fails.

        :raises DestinationError: when the store refuses it.
        """
        folder = Path(self._target).parent if self._local else None
        name = Path(self._target).name
        handle, part = tempfile.mkstemp(prefix=f".{name}.", suffix=".part", dir=folder)
        raw = os.fdopen(handle, "wb")
        writer = Writer(raw, self.path, compress=self._gzip)
        try:
            yield writer
            self._finish(writer, raw)
            self._publish(part)
        finally:
            writer.let_go()
            # Closing writes what a full disk did not take; that was an error before, or no longer matters.
            with suppress(OSError):
                raw.close()
            Path(part).unlink(missing_ok=True)

    def _finish(self, writer: Writer, raw: IO[bytes]) -> None:
        try:
            writer.finish()
            raw.flush()
            os.fsync(raw.fileno())
        except OSError as problem:
            raise _unusable(self.path, problem) from problem

    def _publish(self, part: str) -> None:
        try:
            if self._local:
                # A file of its own making is for its owner alone; give it what a new file would have had.
                umask = os.umask(0)
                os.umask(umask)
                Path(part).chmod(0o666 & ~umask)
                Path(part).replace(self._target)
            elif self._protocol in ATOMIC_STORES:
                self._send(part)
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

    def _send(self, part: str) -> None:
        """Send a file to a store where it appears when it is complete; leave nothing there when that fails."""
        fs = self._fs
        if not fs.async_impl:
            fs.put_file(part, self._target)
            return
        if self._protocol in ("s3", "s3a") and Path(part).stat().st_size > 2 * PART:
            sending = _send_in_parts(fs, Path(part), self._target)
        else:
            sending = fs._put_file(part, self._target)  # noqa: SLF001 - so fsspec calls what can be awaited
        ended = threading.Event()
        future = asyncio.run_coroutine_threadsafe(_ending(sending, ended), fs.loop)
        try:
            future.result()
        except BaseException:
            # A task that is killed or timed out ends here, in this thread; the upload must not go on in its own.
            if not future.done():
                future.cancel()
                ended.wait(TIDY_UP)
            raise


async def _ending(work: Awaitable[None], ended: threading.Event) -> None:
    """Do some work, and tell when it is over, be it by cancellation."""
    try:
        await work
    finally:
        ended.set()


async def _send_in_parts(fs: Any, file: Path, target: str) -> None:
    """Send a file to S3 in parts; take them back when that fails or is cancelled, or they would be stored for ever."""
    bucket, key, _ = fs.split_path(target)
    call, name = fs._call_s3, {"Bucket": bucket, "Key": key}  # noqa: SLF001 - as above
    beginning = asyncio.ensure_future(call("create_multipart_upload", **name))
    try:
        upload = {**name, "UploadId": (await asyncio.shield(beginning))["UploadId"]}
        tags: list[dict[str, Any]] = []
        with file.open("rb") as data:
            size = max(PART, -(-os.fstat(data.fileno()).st_size // MOST_PARTS))
            while chunk := data.read(size):
                answer = await call("upload_part", PartNumber=len(tags) + 1, Body=chunk, **upload)
                tags.append({"PartNumber": len(tags) + 1, "ETag": answer["ETag"]})
        await call("complete_multipart_upload", MultipartUpload={"Parts": tags}, **upload)
    except BaseException:
        with suppress(Exception):
            await call("abort_multipart_upload", UploadId=(await beginning)["UploadId"], **name)
        raise
    fs.invalidate_cache(target)


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

    def let_go(self) -> None:
        """Forget what is still held back, or Python would try to write it, and complain, when it tidies up."""
        self._sink.discards = True
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
        self.discards = False

    def write(self, data: bytes) -> int:
        if self.discards:
            return len(data)
        self._raw.write(data)
        self.size += len(data)
        self.digest.update(data)
        return len(data)

    def flush(self) -> None:
        if not self.discards:
            self._raw.flush()


def _is_compressed(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    for suffix, compressed in SUFFIXES.items():
        if name.endswith(suffix) and len(name) > len(suffix):
            return compressed
    raise DestinationError(
        f"destination {path!r} does not end like a file this operator writes: use one of {', '.join(SUFFIXES)}"
    )


def _conn_id(path: Any) -> str | None:
    """Read the Airflow connection that a path names itself: ``s3://my_conn@bucket/key``."""
    found: str | None = getattr(path, "conn_id", None) or path.storage_options.get("conn_id")
    return found


def _told(problem: BaseException) -> tuple[str, int | None]:
    """Read a store's own error code and HTTP status from what its client made of them."""
    cause: BaseException | None = problem
    while cause is not None:
        answer = getattr(cause, "response", None)
        if isinstance(answer, dict) and "Error" in answer:  # botocore
            return str(answer["Error"].get("Code")), answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
        for status in (getattr(cause, "status_code", None), getattr(cause, "code", None)):  # Azure, Google
            if isinstance(status, int):
                code = getattr(cause, "error_code", "")
                return str(getattr(code, "value", code)), status
        cause = cause.__cause__ or cause.__context__
    return "", None


def _is_lasting(problem: BaseException) -> bool:
    code, status = _told(problem)
    if code in _REFUSED_FOR_NOW:
        return False
    if isinstance(problem, (ImportError, ValueError, PermissionError, AirflowNotFoundException)):
        return True
    return status in (401, 403) or getattr(problem, "errno", None) in _LASTING


def _unusable(path: str, problem: BaseException) -> DestinationError:
    remedy = "check the path and its permissions, and destination_conn_id"
    scheme = path.partition(":")[0]
    if isinstance(problem, ImportError) or "filesystem" in str(problem).lower():
        remedy = "Airflow has no provider for such URLs"
        if scheme in EXTRAS:
            remedy = f"install the store's provider: pip install 'airflow-provider-hotmart[{EXTRAS[scheme]}]'"
    elif isinstance(problem, AirflowNotFoundException):
        remedy = "define the connection, or name another one in destination_conn_id"
    told = " ".join(str(problem).split())[:300]
    return DestinationError(
        f"destination {path!r} cannot be written ({type(problem).__name__}: {told}): {remedy}",
        permanent=_is_lasting(problem),
    )
