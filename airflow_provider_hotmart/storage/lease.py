"""A lock on a store that has no locks, but can create a file only if there is none."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from contextlib import suppress
from typing import Any

from airflow_provider_hotmart.storage.errors import code_and_status
from airflow_provider_hotmart.storage.store import LockedError

_log = logging.getLogger(__name__)
#: Seconds after which a lock was left behind by a process that died: more than any file takes to be sent.
LEASE = 900.0
#: Its holder gives it up so many seconds earlier, for clocks that differ.
CLOCK_SKEW = 60.0


class Lease:
    """
    A lock file, held for a limited time.

    A lock file that was left behind is not removed by whoever finds it: two would, and one of them the new lock of the
    other. It is succeeded: the lock then belongs to whoever creates the file that is named after its content, and
    its holder removes both in the end, the older one first.

    :param path: of the lock file.
    :param fs: the file system.
    """

    def __init__(self, path: str, fs: Any) -> None:
        self._path = path
        self._fs = fs
        self._left_behind: list[tuple[str, bytes]] = []
        self._held: str | None = None
        self._until = 0.0

    def take(self) -> None:
        """
        Take the lock.

        :raises LockedError: when somebody else holds it.
        """
        self._until = time.monotonic() + LEASE - CLOCK_SKEW
        token = f"{time.time():.3f} {os.urandom(8).hex()}".encode()
        path = self._path
        while not self._create(path, token):
            content = self._read(path)
            if content == token:
                break  # it was created after all, and the answer was lost
            if content is None or _age(content) <= LEASE:
                raise LockedError
            self._left_behind.append((path, content))
            path = f"{self._path}.{hashlib.blake2b(content, digest_size=8).hexdigest()}"
        self._held = path
        if any(self._read(path) != content for path, content in self._left_behind):
            # Somebody else has succeeded and let go since it was read.
            self._fs.rm_file(self._held)
            raise LockedError

    def check(self) -> None:
        """
        Raise TimeoutError once somebody else may take the lock.

        :raises TimeoutError: see above.
        """
        if time.monotonic() > self._until:
            raise TimeoutError(f"its lock was held for more than {LEASE - CLOCK_SKEW:.0f} s")

    def release(self) -> None:
        """Let go of the lock, unless somebody else may have it by now."""
        if self._held is None or time.monotonic() > self._until:
            return
        for path in (*(path for path, _ in self._left_behind), self._held):
            with suppress(FileNotFoundError):
                self._fs.rm_file(path)

    def _create(self, path: str, token: bytes) -> bool:
        try:
            self._fs.pipe_file(path, token, mode="create")
        except (TypeError, NotImplementedError):
            _log.warning("This store cannot lock %s: let only one task or watcher write it", path)
            return True
        except Exception as problem:
            # When several create a file in the same moment, S3 may refuse all of them.
            if isinstance(problem, FileExistsError) or code_and_status(problem)[1] in (409, 412):
                return False
            raise
        return True

    def _read(self, path: str) -> bytes | None:
        try:
            content: bytes = self._fs.cat_file(path)
        except FileNotFoundError:
            return None
        return content


def _age(token: bytes) -> float:
    """Tell how old a lock is, in seconds; 0 when that cannot be read."""
    try:
        return time.time() - float(token.split()[0])
    except (ValueError, IndexError):
        return 0.0
