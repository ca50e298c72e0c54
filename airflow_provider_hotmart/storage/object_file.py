"""One file on any store, for destinations and ledgers alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Any

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_hotmart.storage.errors import StorageError, storage_error
from airflow_provider_hotmart.storage.local import LocalFile
from airflow_provider_hotmart.storage.paths import Location, checked_path, local_path
from airflow_provider_hotmart.storage.remote import RemoteFile
from airflow_provider_hotmart.storage.store import LockedError, Store

#: Seconds to wait for a lock that somebody else holds, and between two tries to take it.
LOCK_TIMEOUT = 5.0
LOCK_INTERVAL = 0.2


class ObjectFile:
    """
    One file on any store.

    :param path: absolute path, URL, or ``ObjectStoragePath``.
    :param conn_id: Airflow connection of the store.
    :param argument: the name of the argument that named the file, for errors.
    :raises StorageError: when the path or the connection cannot be used.
    """

    def __init__(self, path: Any, conn_id: str | None = None, *, argument: str = "destination") -> None:
        self.path = checked_path(path, argument)
        self.location = Location.of(self.path, conn_id or getattr(path, "conn_id", None))
        self._argument = argument
        self._stopped = False
        with self.translated_errors():
            self._store = _find_store(path, self.path, conn_id)

    @property
    def identity(self) -> str:
        """The file, however it was named."""
        return self._store.identity

    def stop(self) -> None:
        """
        Let nothing be written or published any more.

        Takes no lock, so that it may be called from a signal handler.
        """
        self._stopped = True

    def check_stopped(self) -> None:
        """
        Raise an error once the task was stopped.

        :raises StorageError: see above.
        """
        if self._stopped:
            message = f"{self._argument} is not written: the task was stopped [{self.path!r}]"
            raise StorageError(message, permanent=False)

    def check(self) -> None:
        """
        Find out what is wrong with the file as far as that shows without writing to it.

        :raises StorageError: naming the file and the remedy.
        """
        with self.translated_errors():
            self._store.check()

    def read(self) -> bytes | None:
        """
        Return the content.

        :return: None: there is no such file yet.
        """
        with self.translated_errors():
            try:
                return self._store.read()
            except FileNotFoundError:
                return None

    @contextmanager
    def translated_errors(self, kind: type[Exception] = Exception) -> Iterator[None]:
        """
        Translate what a store raises in the block.

        :param kind: of the errors that are the store's; others pass as they are.
        """
        try:
            yield
        except StorageError:
            raise
        except kind as problem:
            raise storage_error(self._argument, self.path, problem) from problem

    @contextmanager
    def reading(self) -> Iterator[IO[bytes]]:
        """
        Read the content, piece by piece.

        :raises StorageError: when it cannot be opened or read, or there is no such file.
        """
        with self.translated_errors():
            file = self._store.open()
        with file:
            yield file

    @contextmanager
    def replacing(self) -> Iterator[IO[bytes]]:
        """
        Write new content, which takes the place of the file, complete, when the block ends; not when it fails.

        :raises StorageError: when the store refuses it, or the task was stopped.
        """
        with ExitStack() as stack:
            with self.translated_errors():
                draft = stack.enter_context(self._store.draft())
            yield draft.file
            with self.translated_errors():
                self.check_stopped()
                self._store.publish(draft, self.check_stopped)

    def replace(self, content: bytes) -> None:
        """
        Put new content in the place of the file.

        :param content: all of it.
        """
        with self.replacing() as file, self.translated_errors():
            file.write(content)

    @contextmanager
    def locked(self) -> Iterator[Callable[[], None]]:
        """
        Hold the lock of the file.

        :return: raises StorageError once the lock may have gone to somebody else.
        :raises StorageError: when somebody else holds it, for longer than a moment.
        """

        def check() -> None:
            with self.translated_errors():
                still_held()

        with ExitStack() as stack:
            with self.translated_errors():
                still_held = self._lock(stack)
            yield check

    def _lock(self, stack: ExitStack) -> Callable[[], None]:
        until = time.monotonic() + LOCK_TIMEOUT
        while True:
            self.check_stopped()
            try:
                return stack.enter_context(self._store.locked())
            except LockedError:
                if time.monotonic() > until:
                    message = (
                        f"{self._argument} is being written by another run: run this again; the lock of a process "
                        f"that died is ignored after a quarter of an hour [{self.path!r}]"
                    )
                    raise StorageError(message, permanent=False) from None
            time.sleep(LOCK_INTERVAL)


def _find_store(path: Any, text: str, conn_id: str | None) -> Store:
    local = local_path(text)
    if local is not None:
        return LocalFile(local)
    if conn_id:
        return RemoteFile(ObjectStoragePath(text, conn_id=conn_id), conn_id)
    return RemoteFile(path if isinstance(path, ObjectStoragePath) else ObjectStoragePath(text), None)
