"""
A file on the local file system.

While it is written it has no name, where the system allows that, so that nothing is left of a process that is killed.
Where it needs one, for as long as it takes to be put in its place or, on other systems, from the beginning, the name
begins with a digest of the destination's, and the file is locked: such a lock ends with its process, so the next run
of the same destination tells what was left behind from what another run is still writing.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from airflow_provider_hotmart.storage.store import Draft, LockedError

#: What is said where files without a name cannot be made.
_NO_NAMELESS = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}
#: What is said where files cannot be locked.
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
#: What is said where folders cannot be waited for.
_NO_SYNC = {errno.EOPNOTSUPP, errno.EINVAL}


class LocalFile:
    """
    A file on the local file system.

    :param path: absolute; of a symbolic link, the file that it points to is meant.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(os.path.realpath(path))
        self._folder = self._path.parent
        digest = hashlib.blake2b(os.fsencode(self._path.name), digest_size=8).hexdigest()
        #: Short, whatever the file is called: its own name may be as long as the file system allows.
        self._prefix = f".hotmart-{digest}"

    @property
    def identity(self) -> str:
        """The file, however it was named."""
        return self._path.as_uri()

    def check(self) -> None:
        """Find out whether the file can be written, and remove what killed runs left of it."""
        self._remove_leftovers()
        with self.draft():
            pass

    def read(self) -> bytes:
        """Return the content."""
        return self._path.read_bytes()

    def open(self) -> IO[bytes]:
        """Open the content for reading."""
        return self._path.open("rb")

    @contextmanager
    def draft(self) -> Iterator[Draft]:
        """Begin new content beside the file."""
        self._make_folder()
        # Until it takes over the mode of the file that it replaces, only its owner reads it.
        mode = 0o666 if self._status() is None else 0o600
        with self._closing(*(self._open_nameless(mode) or self._open_named(mode))) as draft:
            yield draft

    @contextmanager
    def _closing(self, descriptor: int, name: str | None) -> Iterator[Draft]:
        file = os.fdopen(descriptor, "w+b")
        try:
            yield Draft(file, name)
        finally:
            if name is not None:
                self._remove(name)
            # Closing writes what a full disk did not take; that was an error before, or no longer matters.
            with suppress(OSError):
                file.close()

    def publish(self, draft: Draft, check_stopped: Callable[[], None]) -> None:
        """Put new content in the place of the file, with the mode and, if possible, the owner of the one before."""
        draft.file.flush()
        descriptor = draft.file.fileno()
        before = self._status()
        if before is not None:
            with suppress(OSError):
                os.fchown(descriptor, before.st_uid, before.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
        os.fsync(descriptor)
        name = draft.name or self._new_name()
        try:
            if draft.name is None and not self._link(descriptor, name):
                self._publish_copy(draft, check_stopped)
                return
            check_stopped()
            (self._folder / name).replace(self._path)
        finally:
            self._remove(name)
        _sync(self._folder)

    @contextmanager
    def locked(self) -> Iterator[Callable[[], None]]:
        """Hold a lock that ends with this process, on file systems that know locks."""
        self._make_folder()
        name = f"{self._prefix}.lock"
        try:
            descriptor = self._open_locked(name, 0o600)
        except BlockingIOError:
            raise LockedError from None
        try:
            yield lambda: None
        finally:
            # While it is locked: whoever has opened it meanwhile finds out that it is gone.
            self._remove(name)
            os.close(descriptor)

    def _status(self) -> os.stat_result | None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, "is a folder", str(self._path))
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "is no regular file", str(self._path))
        return status

    def _make_folder(self) -> None:
        missing = [folder for folder in (self._folder, *self._folder.parents) if not folder.exists()]
        self._folder.mkdir(parents=True, exist_ok=True)
        for folder in missing:
            _sync(folder.parent)

    def _open_nameless(self, mode: int) -> tuple[int, None] | None:
        """Open a file that has no name; None: that is not possible here."""
        flag = getattr(os, "O_TMPFILE", None)
        if flag is None:
            return None
        try:
            descriptor = os.open(self._folder, flag | os.O_RDWR, mode)
        except OSError as problem:
            if problem.errno in _NO_NAMELESS:
                return None
            raise
        # It is locked before it gets a name.
        _try_to_lock(descriptor)
        return descriptor, None

    def _open_named(self, mode: int) -> tuple[int, str]:
        while True:
            name = self._new_name()
            with suppress(BlockingIOError):  # another run took it for a leftover before it was locked
                return self._open_locked(name, mode, os.O_EXCL), name

    def _open_locked(self, name: str, mode: int, flags: int = 0) -> int:
        """
        Make or open a file, and lock it.

        :raises BlockingIOError: when somebody else holds the lock.
        """
        while True:
            descriptor = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | flags, mode)
            try:
                _try_to_lock(descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            if os.fstat(descriptor).st_nlink:
                return descriptor
            os.close(descriptor)  # it was removed between the two steps

    def _link(self, descriptor: int, name: str) -> bool:
        """Give a file without a name one; False: that is not possible here."""
        folder = os.open(self._folder, os.O_PATH | os.O_DIRECTORY)
        try:
            # Only with a folder given as a descriptor does Python follow the link, here to the open file.
            os.link(f"/proc/self/fd/{descriptor}", name, dst_dir_fd=folder, follow_symlinks=True)
        except (FileNotFoundError, PermissionError, NotImplementedError):
            return False  # no /proc, or a sandbox that forbids it
        finally:
            os.close(folder)
        return True

    def _publish_copy(self, draft: Draft, check_stopped: Callable[[], None]) -> None:
        draft.file.seek(0)
        with self._closing(*self._open_named(0o666 if self._status() is None else 0o600)) as named:
            shutil.copyfileobj(draft.file, named.file)
            self.publish(named, check_stopped)

    def _new_name(self) -> str:
        return f"{self._prefix}.{os.urandom(4).hex()}.part"

    def _remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            (self._folder / name).unlink()

    def _remove_leftovers(self) -> None:
        """Remove what runs of this destination left behind that were killed."""
        for path in self._folder.glob(f"{self._prefix}.*.part"):
            with suppress(OSError):  # locked, gone, or somebody else's
                descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
                finally:
                    os.close(descriptor)


def _try_to_lock(descriptor: int) -> None:
    """
    Lock a file, where files can be locked.

    :raises BlockingIOError: when somebody else holds the lock.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as problem:
        if problem.errno not in _NO_LOCKS:
            raise


def _sync(folder: Path) -> None:
    """Wait until a folder is on the disk with its entries, where folders can be waited for."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:  # may be written to and not be read
        return
    try:
        os.fsync(descriptor)
    except OSError as problem:
        if problem.errno not in _NO_SYNC:
            raise
    finally:
        os.close(descriptor)
