"""What a file of records looks like: one class for each format, found by the file's suffix."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Protocol

from airflow_provider_hotmart.storage.errors import StorageError

#: Sales compress to a tenth of their size. The highest level takes more than twice the time for 5% less.
GZIP_LEVEL = 6


class Encoder(Protocol):
    """Turns JSON Lines into the bytes of a file."""

    def write(self, lines: bytes) -> None:
        """
        Add records.

        :param lines: JSON Lines, each ended by a line break.
        """

    def finish(self) -> None:
        """Write what is still held back."""


class JsonLines:
    """
    JSON Lines as they come.

    :param sink: takes the bytes.
    """

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink = sink

    def write(self, lines: bytes) -> None:
        """Add records."""
        self._sink.write(lines)

    def finish(self) -> None:
        """Do nothing: nothing is held back."""


class GzipJsonLines:
    """
    JSON Lines, compressed. The same lines always give the same bytes.

    :param sink: takes the bytes.
    """

    def __init__(self, sink: IO[bytes]) -> None:
        self._gzip = gzip.GzipFile(filename="", mode="wb", compresslevel=GZIP_LEVEL, fileobj=sink, mtime=0)

    def write(self, lines: bytes) -> None:
        """Add records."""
        self._gzip.write(lines)

    def finish(self) -> None:
        """Write what the compression holds back."""
        self._gzip.close()


@dataclass(frozen=True)
class Format:
    """
    What a file of records looks like.

    :param name: as a manifest says it.
    :param compression: of the whole file; None: none.
    :param encoder: makes the bytes.
    """

    name: str
    compression: str | None
    encoder: Callable[[IO[bytes]], Encoder]


_JSON_LINES = Format("jsonl", None, JsonLines)
_GZIP_JSON_LINES = Format("jsonl", "gzip", GzipJsonLines)
#: Formats by suffix.
FORMATS = {
    ".jsonl": _JSON_LINES,
    ".jsonl.gz": _GZIP_JSON_LINES,
    ".ndjson": _JSON_LINES,
    ".ndjson.gz": _GZIP_JSON_LINES,
}


def find_format(path: str) -> Format:
    """
    Return the format of a file.

    :param path: path or URL of the file.
    :raises StorageError: when its suffix is unknown, naming those that are known.
    """
    name = path.rpartition("/")[2].lower()
    for suffix, format in FORMATS.items():
        if name.endswith(suffix) and len(name) > len(suffix):
            return format
    raise StorageError(f"destination {path!r} has no suffix of a known format: end it in {', '.join(FORMATS)}")
