"""What a store can do with one file; the local file system and the object stores each do it in their own way."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import IO, Protocol


class LockedError(Exception):
    """Somebody else holds the lock of a file."""


@dataclass(frozen=True)
class Draft:
    """
    Content that nobody sees yet.

    :param file: takes the bytes.
    :param name: of the file in its folder, where it needs one; None: it has none.
    """

    file: IO[bytes]
    name: str | None = None


class Store(Protocol):
    """One file on one store. What goes wrong is raised as the store raises it."""

    @property
    def identity(self) -> str:
        """The file, however it was named."""

    def check(self) -> None:
        """Find out what is wrong with the file as far as that shows without writing to it."""

    def read(self) -> bytes:
        """
        Return the content.

        :raises FileNotFoundError: when there is no such file in a place that can hold it.
        """

    def open(self) -> IO[bytes]:
        """
        Open the content for reading.

        :raises FileNotFoundError: when there is no such file.
        """

    def draft(self) -> AbstractContextManager[Draft]:
        """Begin new content, of which nothing is left at the end of the block."""

    def publish(self, draft: Draft, check_stopped: Callable[[], None]) -> None:
        """
        Put new content in the place of the file, in one step.

        :param draft: the content.
        :param check_stopped: raises an error once nothing may be published any more.
        """

    def locked(self) -> AbstractContextManager[Callable[[], None]]:
        """
        Hold the lock of the file, which keeps nobody out who does not ask for it.

        :return: raises TimeoutError once the lock may have gone to somebody else.
        :raises LockedError: when somebody else holds it.
        """
