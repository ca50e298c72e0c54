"""A stream of records into one file: all of it, or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any, cast

from airflow_provider_hotmart.api.flat import FlatColumn, Row
from airflow_provider_hotmart.storage.formats import Format, find_format
from airflow_provider_hotmart.storage.object_file import ObjectFile
from airflow_provider_hotmart.storage.paths import Location, checked_path


@dataclass(frozen=True)
class WrittenFile:
    """
    What was written.

    :param path: where, as it was named.
    :param location: the same as other tools take it.
    :param format: of the file.
    :param columns: of its rows; None: it has none.
    :param records: in it.
    :param bytes: size of the file as stored.
    :param sha256: of the file as stored, in hex.
    """

    path: str
    location: Location
    format: Format
    columns: Sequence[FlatColumn] | None
    records: int
    bytes: int
    sha256: str


class RecordFile(ObjectFile):
    """
    A file of records to be written.

    Whatever can be found wrong with the destination is found when this object is made, before any record is fetched.

    :param destination: URL or absolute path of the file, or an ``ObjectStoragePath``; its suffix says the format.
    :param conn_id: Airflow connection of the store.
    :param flat: whether JSON Lines have columns too, as other formats do.
    :param escape_formulas: whether CSV is for spreadsheets, which must not take text for formulas.
    :raises StorageError: naming the destination, the rule and the remedy.
    """

    def __init__(
        self, destination: Any, conn_id: str | None = None, *, flat: bool = False, escape_formulas: bool = False
    ) -> None:
        path = checked_path(destination, "destination")
        self.format = find_format(path, flat=flat, escape_formulas=escape_formulas)
        super().__init__(destination, conn_id)
        self.check()

    @property
    def is_flat(self) -> bool:
        """Whether it holds rows of columns."""
        return self.format.is_flat

    @contextmanager
    def writing(self, columns: Sequence[FlatColumn] | None = None) -> Iterator[Writer]:
        """
        Write the file: it appears, complete, when the block ends, and not at all when the block fails.

        :param columns: of its rows; None: it takes JSON Lines.
        :raises StorageError: when the store refuses it, or the task was stopped.
        """
        with self.replacing() as raw:
            with self.translated_errors(OSError):
                writer = Writer(self, raw, columns)
            try:
                yield writer
                writer.finish()
            finally:
                writer.discard()


class Writer:
    """
    Takes the records of a file.

    :param file: the file.
    :param raw: where the bytes go.
    :param columns: of its rows; None: it takes JSON Lines.
    """

    def __init__(self, file: RecordFile, raw: IO[bytes], columns: Sequence[FlatColumn] | None) -> None:
        self._file = file
        self._sink = _Measured(raw)
        self._encoder = file.format.encoder(cast("IO[bytes]", self._sink), columns)
        self._columns = columns
        self._records = 0

    def write(self, content: bytes | Sequence[Row], records: int) -> None:
        """
        Add records.

        :param content: JSON Lines, each ended by a line break, or rows.
        :param records: how many they are.
        :raises StorageError: when they cannot be written, or the task was stopped.
        """
        self._file.check_stopped()
        with self._file.translated_errors(OSError):
            self._encoder.write(content)
        self._records += records

    def finish(self) -> None:
        """
        Write what is still held back.

        :raises StorageError: when that cannot be written.
        """
        with self._file.translated_errors(OSError):
            self._encoder.finish()

    def discard(self) -> None:
        """Forget what is still held back, or Python would try to write it, and complain, when it tidies up."""
        self._sink.discards = True
        with suppress(Exception):
            self._encoder.finish()

    @property
    def result(self) -> WrittenFile:
        """What was written, once the file is complete."""
        return WrittenFile(
            self._file.path,
            self._file.location,
            self._file.format,
            self._columns,
            self._records,
            self._sink.size,
            self._sink.digest.hexdigest(),
        )


class _Measured:
    """Passes bytes on, and measures them; all that gzip and pyarrow ask of a file."""

    closed = False

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self.size = 0
        self.digest = hashlib.sha256()
        self.discards = False

    def write(self, data: bytes) -> int:
        if not self.discards:
            self._raw.write(data)
            self.size += len(data)
            self.digest.update(data)
        return len(data)

    def flush(self) -> None:
        if not self.discards:
            self._raw.flush()

    def tell(self) -> int:
        return self.size

    def close(self) -> None:
        """Leave the file open: it is closed where it was opened."""
