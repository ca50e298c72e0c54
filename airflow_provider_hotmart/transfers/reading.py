"""A flat file as rows of text, in constant memory, and only as the file that the manifest is of."""

from __future__ import annotations

import gzip
import hashlib
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from decimal import Decimal
from importlib.util import find_spec
from itertools import islice
from typing import IO, Any, TypeAlias, cast

import msgspec

from airflow_provider_hotmart.api.flat import FlatColumn
from airflow_provider_hotmart.storage.errors import StorageError
from airflow_provider_hotmart.storage.formats import quoted
from airflow_provider_hotmart.storage.object_file import ObjectFile
from airflow_provider_hotmart.transfers.manifest import FileManifest, LoadError

#: A row as CSV has it: numbers, moments and JSON as text. None is no value, which the empty text is not.
Row: TypeAlias = "tuple[str | None, ...]"
#: Bytes that are read at a time, in Parquet of each column, and rows that are held at once.
CHUNK_SIZE = 2**20
COLUMN_CHUNK_SIZE = 2**18
BATCH_SIZE = 1_000
#: What is raised by what reads a file that is of another form. None of their texts is shown: it may quote the file.
_MALFORMED = (ValueError, EOFError, gzip.BadGzipFile, zlib.error, msgspec.MsgspecError)
#: One field of CSV, quoted or not, and what ends it.
_FIELD = re.compile(r'(?:(")((?:[^"]+|"")*)"|([^,"\r\n]*))(,|\r?\n)')


class FileReader:
    """
    A file to be read once.

    :param manifest: of the file.
    :param conn_id: Airflow connection of the store.
    :param check_stopped: called every now and then; raises an error to stop.
    :raises LoadError: when nothing is installed that reads it.
    :raises StorageError: when the file cannot be named so.
    """

    def __init__(self, manifest: FileManifest, conn_id: str | None, check_stopped: Callable[[], None]) -> None:
        self._manifest = manifest
        self._check_stopped = check_stopped
        self._file = ObjectFile(manifest.uri, conn_id, argument="source")
        if manifest.format == "parquet" and find_spec("pyarrow") is None:
            raise LoadError(
                f"reading Parquet needs pyarrow: pip install 'airflow-provider-hotmart[parquet]' [{manifest.uri!r}]"
            )

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """
        Read the file in the block.

        :raises LoadError: at the end of the block, when it was not the file that the manifest is of.
        :raises StorageError: when it cannot be read.
        """
        with self._file.reading() as raw, self._file.translated_errors(OSError):
            hashed = _Hashed(raw, self._check_stopped)
            try:
                with self._reader(hashed) as reader:
                    yield reader
            except _MALFORMED as problem:
                # A file that was replaced may well be of another form, and that is the better reason then.
                self._check(hashed)
                raise LoadError(
                    "a file is not of the form that its manifest says: list it again, and load what that task returns "
                    f"[{self._manifest.uri!r}: {type(problem).__name__}]"
                ) from None
            except (LoadError, StorageError, OSError):
                raise
            except Exception:
                self._check(hashed)
                raise
            self._check(hashed)

    def _check(self, hashed: _Hashed) -> None:
        while hashed.read(CHUNK_SIZE):
            pass
        if hashed.digest.hexdigest() != self._manifest.sha256:
            raise LoadError(
                "a file was replaced after it was listed: run the task again that wrote it, and load what that one "
                f"returns [{self._manifest.uri!r}]"
            )

    @contextmanager
    def _reader(self, hashed: _Hashed) -> Iterator[Reader]:
        file = cast("IO[bytes]", hashed)
        if self._manifest.format == "parquet":
            # It is not read from the beginning to the end.
            with tempfile.TemporaryFile() as copy:
                shutil.copyfileobj(file, copy, CHUNK_SIZE)
                copy.seek(0)
                yield _Parquet(copy, self._manifest.columns, self._check_stopped)
            return
        kind = _Csv if self._manifest.format == "csv" else _JsonLines
        with gzip.GzipFile(fileobj=file, mode="rb") if self._manifest.compression else nullcontext(file) as unpacked:
            yield kind(cast("IO[bytes]", unpacked), self._manifest.columns, self._check_stopped)


class _Hashed:
    """Reads a file, and sums it up, as long as the task is not stopped."""

    def __init__(self, raw: IO[bytes], check_stopped: Callable[[], None]) -> None:
        self._raw = raw
        self._check_stopped = check_stopped
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        self._check_stopped()
        chunk = self._raw.read(size)
        self.digest.update(chunk)
        return chunk


class Reader:
    """
    Reads a file of one format. Whichever of the two is used has to be read to its end.

    :param file: the file.
    :param columns: of its rows.
    :param check_stopped: raises when the task was stopped; for each batch of rows.
    """

    def __init__(self, file: IO[bytes], columns: Sequence[FlatColumn], check_stopped: Callable[[], None]) -> None:
        self.check_stopped = check_stopped
        self._file = file
        self._names = [column.name for column in columns]
        self._texts = [_TEXTS.get(column.type) for column in columns]

    def rows(self) -> Iterator[Row]:
        """Read rows."""
        raise NotImplementedError

    def csv(self) -> Iterator[bytes]:
        """Read rows as CSV without heading, in pieces; an empty text is quoted, and no value is not."""
        rows = self.rows()
        while batch := list(islice(rows, BATCH_SIZE)):
            self.check_stopped()
            lines = [",".join(["" if value is None else quoted(value) for value in row]) for row in batch]
            yield ("\n".join(lines) + "\n").encode()


class _Csv(Reader):
    def csv(self) -> Iterator[bytes]:
        """Pass the file on as it is."""
        chunk = self._file.read(CHUNK_SIZE)
        while b"\n" not in chunk and (more := self._file.read(CHUNK_SIZE)):
            chunk += more
        heading, _, chunk = chunk.partition(b"\n")
        if [name.strip('"') for name in heading.decode("utf-8-sig").rstrip("\r").split(",")] != self._names:
            raise ValueError("other columns")
        while chunk:
            yield chunk
            chunk = self._file.read(CHUNK_SIZE)

    def rows(self) -> Iterator[Row]:
        """Read rows; the csv module would not tell an empty text from no value."""
        rest = b""
        for chunk in self.csv():
            lines, rest = _cut(rest + chunk)
            yield from self._parse(lines)
        if rest:
            yield from self._parse(rest + b"\n")

    def _parse(self, lines: bytes) -> Iterator[Row]:
        values: list[str | None] = []
        for quote, inside, plain, end in _FIELD.findall(lines.decode("utf-8")):
            values.append(inside.replace('""', '"') if quote else plain or None)
            if end != ",":
                if len(values) != len(self._names):
                    raise ValueError("a row with another number of fields")
                yield tuple(values)
                values = []


def _cut(data: bytes) -> tuple[bytes, bytes]:
    """Cut off what comes after the last row that is complete."""
    end = data.rfind(b"\n") + 1
    while end and data.count(b'"', 0, end) % 2:
        end = data.rfind(b"\n", 0, end - 1) + 1
    return data[:end], data[end:]


_JSON_TYPES: dict[str, Any] = {
    "integer": int | None,
    "decimal": Decimal | None,
    "boolean": bool | None,
    "json": msgspec.Raw,  # may be null, too
}


class _JsonLines(Reader):
    def __init__(self, file: IO[bytes], columns: Sequence[FlatColumn], check_stopped: Callable[[], None]) -> None:
        super().__init__(file, columns, check_stopped)
        row = msgspec.defstruct(
            "Row",
            [(f"c{i}", _JSON_TYPES.get(column.type, str | None), None) for i, column in enumerate(columns)],
            rename={f"c{i}": column.name for i, column in enumerate(columns)},
            forbid_unknown_fields=True,
            gc=False,
        )
        self._decoder = msgspec.json.Decoder(row)

    def rows(self) -> Iterator[Row]:
        """Read rows."""
        rest = b""
        while chunk := self._file.read(CHUNK_SIZE):
            lines, newline, rest = (rest + chunk).rpartition(b"\n")
            yield from self._parse(lines + newline)
        yield from self._parse(rest)

    def _parse(self, lines: bytes) -> Iterator[Row]:
        for record in self._decoder.decode_lines(lines):
            values = msgspec.structs.astuple(record)
            yield tuple(
                value if value is None or text is None else text(value)
                for value, text in zip(values, self._texts, strict=True)
            )


class _Parquet(Reader):
    def __init__(self, file: IO[bytes], columns: Sequence[FlatColumn], check_stopped: Callable[[], None]) -> None:
        super().__init__(file, columns, check_stopped)
        from pyarrow import parquet

        # Otherwise it keeps all that it has read of the file until it is closed, and reads whole row groups.
        self._parquet = parquet.ParquetFile(file, pre_buffer=False, buffer_size=COLUMN_CHUNK_SIZE)
        if self._parquet.schema_arrow.names != self._names:
            raise ValueError("other columns")

    def rows(self) -> Iterator[Row]:
        """Read rows."""
        for batch in self._parquet.iter_batches(BATCH_SIZE, use_threads=False):
            columns: Iterable[Any] = [
                values if text is None else [None if value is None else text(value) for value in values]
                for values, text in zip((one.to_pylist() for one in batch.columns), self._texts, strict=True)
            ]
            yield from zip(*columns, strict=True)


def _json_text(value: Any) -> str | None:
    """JSON as text: it may be in the file as such, or as what it means."""
    if isinstance(value, str):
        return value
    raw = bytes(value)
    if raw == b"null":
        return None
    return msgspec.json.decode(raw, type=str) if raw.startswith(b'"') else raw.decode("utf-8")


def _moment_text(value: datetime | str) -> str:
    return value if isinstance(value, str) else value.isoformat()


#: Of what is no text, by type of its column.
_TEXTS: dict[str, Callable[[Any], str | None]] = {
    "integer": str,
    "decimal": lambda value: f"{value:f}",
    "boolean": lambda value: "true" if value else "false",
    "timestamp": _moment_text,
    "json": _json_text,
}
