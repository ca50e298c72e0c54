"""A file on an object store, or whatever else fsspec reaches."""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import wait
from contextlib import contextmanager, suppress
from typing import IO, Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_hotmart.storage.errors import EXTRAS, UNKNOWN_CREDENTIAL, code_and_status
from airflow_provider_hotmart.storage.lease import Lease
from airflow_provider_hotmart.storage.store import Draft

#: Stores where an object appears only when its upload is complete, replacing the one before in one step.
ATOMIC_STORES = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "wasb", "wasbs", "oss", "r2", "memory"}
)
#: S3 is sent parts of this size, one at a time, so that memory does not grow with the file.
PART_SIZE = 16 * 2**20
#: S3 takes no more parts of one object.
MAX_PARTS = 10_000
#: Seconds after which an upload notices at the latest that its task was stopped.
STOP_INTERVAL = 0.1
#: Seconds that an interrupted upload has to take back what it sent.
MAX_ABORT_TIME = 20.0


class RemoteFile:
    """
    A file that fsspec reaches.

    :param target: an ``ObjectStoragePath``.
    :param conn_id: the Airflow connection of the store; None: the one that the path names, or none.
    """

    def __init__(self, target: Any, conn_id: str | None) -> None:
        self._protocol = str(target.protocol)
        self._path = str(target.path)
        self._conn_id = conn_id or getattr(target, "conn_id", None) or target.storage_options.get("conn_id")
        if self._conn_id:
            # Some providers go on without a connection that they cannot find, with whatever else they find.
            BaseHook.get_connection(self._conn_id)
        self._fs = target.fs

    @property
    def identity(self) -> str:
        """The file, however it was named."""
        return f"{self._protocol}://{self._conn_id or ''}@{self._path.lstrip('/')}"

    def check(self) -> None:
        """Find out whether the store answers, knows who asks, and has the bucket."""
        try:
            # Reads, instead of asking for the size: the answer to that would not say why it is refused.
            self._fs.cat_file(self._path, start=0, end=1)
        except FileNotFoundError:
            self._check_bucket()
        except Exception as problem:
            code, status = code_and_status(problem)
            if code in UNKNOWN_CREDENTIAL or not (isinstance(problem, PermissionError) or status in (403, 416)):
                raise
            # Not being allowed to read does not mean not to write; and an empty file has no first byte.

    def read(self) -> bytes:
        """Return the content."""
        try:
            content: bytes = self._fs.cat_file(self._path)
        except FileNotFoundError:
            self._check_bucket()
            raise
        return content

    def open(self) -> IO[bytes]:
        """Open the content for reading."""
        file: IO[bytes] = self._fs.open(self._path, "rb")
        return file

    @contextmanager
    def draft(self) -> Iterator[Draft]:
        """Begin new content on this machine, in a file without a name."""
        with tempfile.TemporaryFile() as file:
            try:
                yield Draft(file)
            finally:
                # Closing writes what a full disk did not take; that was an error before, or no longer matters.
                with suppress(OSError):
                    file.close()

    def publish(self, draft: Draft, check_stopped: Callable[[], None]) -> None:
        """Send new content, so that it appears when it is complete; leave nothing behind when that fails."""
        draft.file.flush()
        draft.file.seek(0)
        path = f"/dev/fd/{draft.file.fileno()}"
        if self._protocol not in ATOMIC_STORES:
            self._send_aside(path, check_stopped)
        elif not self._fs.async_impl:
            check_stopped()
            self._fs.put_file(path, self._path)
        elif self._protocol in ("s3", "s3a"):
            self._await(self._send_to_s3(draft.file, check_stopped), check_stopped)
        else:
            # Azure's client calls this before each request, also before the one that makes an object of the blocks.
            hook = {"raw_request_hook": lambda _: check_stopped()} if EXTRAS.get(self._protocol) == "azure" else {}
            self._await(self._fs._put_file(path, self._path, **hook), check_stopped)  # noqa: SLF001 - see below

    @contextmanager
    def locked(self) -> Iterator[Callable[[], None]]:
        """Hold a lock file for a limited time, on stores that can create a file only if there is none."""
        lease = Lease(f"{self._path}.lock", self._fs)
        lease.take()
        try:
            yield lease.check
        finally:
            # What was written is written, and a lock that stays runs out.
            with suppress(Exception):
                lease.release()

    def _check_bucket(self) -> None:
        if self._protocol not in EXTRAS:
            return  # It may make folders as it goes.
        bucket = self._path.lstrip("/").partition("/")[0]
        try:
            self._fs.info(bucket)
        except FileNotFoundError as problem:
            raise ValueError(f"there is no bucket or container {bucket!r}") from problem
        except Exception:  # noqa: BLE001 - not being allowed to look at a bucket does not mean not to write
            return

    def _send_aside(self, path: str, check_stopped: Callable[[], None]) -> None:
        """Send a file to a store that shows it while it grows, under another name first."""
        aside = f"{self._path}.{os.urandom(4).hex()}.part"
        try:
            self._fs.put_file(path, aside)
            check_stopped()
            self._fs.mv(aside, self._path)
        except BaseException:
            with suppress(Exception):
                self._fs.rm_file(aside)
            raise

    async def _send_to_s3(self, data: IO[bytes], check_stopped: Callable[[], None]) -> None:
        """Send a file in parts; take them back when that fails or is cancelled, or they would be stored for ever."""
        bucket, key, _ = self._fs.split_path(self._path)
        call, name = self._fs._call_s3, {"Bucket": bucket, "Key": key}  # noqa: SLF001 - fsspec's name for what is awaited
        size = os.fstat(data.fileno()).st_size
        if size <= 2 * PART_SIZE:
            check_stopped()
            await call("put_object", Body=data.read(), **name)
            self._fs.invalidate_cache(self._path)
            return
        beginning = asyncio.ensure_future(call("create_multipart_upload", **name))
        try:
            upload = {**name, "UploadId": (await asyncio.shield(beginning))["UploadId"]}
            tags: list[dict[str, Any]] = []
            while chunk := data.read(max(PART_SIZE, -(-size // MAX_PARTS))):
                answer = await call("upload_part", PartNumber=len(tags) + 1, Body=chunk, **upload)
                tags.append({"PartNumber": len(tags) + 1, "ETag": answer["ETag"]})
            check_stopped()
            await call("complete_multipart_upload", MultipartUpload={"Parts": tags}, **upload)
        except BaseException:
            with suppress(Exception):
                await call("abort_multipart_upload", UploadId=(await beginning)["UploadId"], **name)
            raise
        self._fs.invalidate_cache(self._path)

    def _await(self, work: Coroutine[Any, Any, None], check_stopped: Callable[[], None]) -> None:
        """Do some work on fsspec's event loop; cancel it when the task is stopped, killed or timed out meanwhile."""
        ended = threading.Event()
        future = asyncio.run_coroutine_threadsafe(_ending(work, ended), self._fs.loop)
        try:
            while not wait([future], STOP_INTERVAL).done:
                check_stopped()
            future.result()
        except BaseException:
            if not future.done():
                future.cancel()
                ended.wait(MAX_ABORT_TIME)
            raise


async def _ending(work: Coroutine[Any, Any, None], ended: threading.Event) -> None:
    """Do some work, and tell when it is over, be it by cancellation."""
    try:
        await work
    finally:
        ended.set()
