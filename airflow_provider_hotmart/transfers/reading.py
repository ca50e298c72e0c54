"""A flat file as rows of text, in constant memory, and only as the file that the manifest is of."""

from __future__ import annotations

import gzip
import hashlib
import re
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeAlias, cast

import msgspec

from airflow_provider_hotmart.storage.errors import StorageError, storage_error
from airflow_provider_hotmart.storage.formats import quoted
from airflow_provider_hotmart.storage.object_file import ObjectFile
from airflow_provider_hotmart.transfers.manifest import FileManifest, LoadError

if TYPE_CHECKING:
    from collections.abc import Iterable

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


class Reader(Protocol):
    """Reads a file of one format. Whichever of the two is used has to be read to its end."""

    def rows(self) -> Iterator[Row]:
        """Read rows."""

    def csv(self) -> Iterator[bytes]:
        """Read rows as CSV without heading, in pieces; an empty text is quoted, and no value is not."""


class FileReader:
    """
    A file to be read once.

    :param manifest: of the file.
    :param conn_id: Airflow connection of the store.
    :raises StorageError: when the file cannot be named so.
    """

    def __init__(self, manifest: FileManifest, conn_id: str | None) -> None:
        self._manifest = manifest
        self._file = ObjectFile(manifest.uri, conn_id, argument="source")

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """
        Read the file in the block.

        :raises LoadError: at the end of the block, when it was not the file that the manifest is of.
        :raises StorageError: when it cannot be read.
        """
        with self._file.reading() as raw:
            hashed = _Hashed(raw)
            problem: Exception | None = None
            try:
                with self._reader(hashed) as reader:
                    yield reader
            except (LoadError, StorageError):
                raise
            except Exception as error:  # noqa: BLE001 - raised below
                problem = error
            if isinstance(problem, OSError) and not isinstance(problem, _MALFORMED):
                raise storage_error("source", self._manifest.uri, problem) from problem
            # A file that was replaced may well be of another form, and that is the better reason then.
            self._check(hashed)
        if isinstance(problem, _MALFORMED):
            raise LoadError(
                "a file is not of the form that its manifest says: list it again, and load what that task returns "
                f"[{self._manifest.uri!r}: {type(problem).__name__}]"
            )
        if problem is not None:
            raise problem

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
                while chunk := hashed.read(CHUNK_SIZE):
                    copy.write(chunk)
                copy.seek(0)
                yield _Parquet(copy, self._manifest)
            return
        reader = _Csv if self._manifest.format == "csv" else _JsonLines
        if self._manifest.compression:
            with gzip.GzipFile(fileobj=file, mode="rb") as unpacked:
                yield reader(cast("IO[bytes]", unpacked), self._manifest)
        else:
            yield reader(file, self._manifest)


class _Hashed:
    """Reads a file, and sums it up."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._raw.read(size)
        self.digest.update(chunk)
        return chunk


class _Csv:
    def __init__(self, file: IO[bytes], manifest: FileManifest) -> None:
        self._file = file
        self._names = [column.name for column in manifest.columns]

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


class _Encoding:
    """CSV of what is no CSV."""

    def rows(self) -> Iterator[Row]:
        raise NotImplementedError

    def csv(self) -> Iterator[bytes]:
        """Read rows as CSV."""
        lines: list[str] = []
        for row in self.rows():
            fields = ["" if value is None else quoted(value) for value in row]
            lines.append(",".join(fields))
            if len(lines) == BATCH_SIZE:
                yield ("\n".join(lines) + "\n").encode()
                lines.clear()
        if lines:
            yield ("\n".join(lines) + "\n").encode()


_JSON_TYPES: dict[str, Any] = {
    "integer": int | None,
    "decimal": Decimal | None,
    "boolean": bool | None,
    "json": msgspec.Raw,  # may be null, too
}


class _JsonLines(_Encoding):
    def __init__(self, file: IO[bytes], manifest: FileManifest) -> None:
        self._file = file
        self._types = [column.type for column in manifest.columns]
        row = msgspec.defstruct(
            "Row",
            [(f"c{i}", _JSON_TYPES.get(kind, str | None), None) for i, kind in enumerate(self._types)],
            rename={f"c{i}": column.name for i, column in enumerate(manifest.columns)},
            forbid_unknown_fields=True,
            gc=False,
        )
        self._decoder = msgspec.json.Decoder(row)

    def rows(self) -> Iterator[Row]:
        """Read rows."""
        texts = [_TEXTS.get(kind) for kind in self._types]
        rest = b""
        while chunk := self._file.read(CHUNK_SIZE):
            lines, newline, rest = (rest + chunk).rpartition(b"\n")
            yield from self._parse(lines + newline, texts)
        if rest:
            yield from self._parse(rest, texts)

    def _parse(self, lines: bytes, texts: list[Callable[[Any], str | None] | None]) -> Iterator[Row]:
        for record in self._decoder.decode_lines(lines):
            values = msgspec.structs.astuple(record)
            yield tuple(
                value if value is None or text is None else text(value)
                for value, text in zip(values, texts, strict=True)
            )


class _Parquet(_Encoding):
    def __init__(self, file: IO[bytes], manifest: FileManifest) -> None:
        try:
            from pyarrow import parquet
        except ImportError:
            raise LoadError(
                f"reading Parquet needs pyarrow: pip install 'airflow-provider-hotmart[parquet]' [{manifest.uri!r}]"
            ) from None
        # Otherwise it keeps all that it has read of the file until it is closed, and reads whole row groups.
        self._file = parquet.ParquetFile(file, pre_buffer=False, buffer_size=COLUMN_CHUNK_SIZE)
        self._names = [column.name for column in manifest.columns]
        self._texts = [_TEXTS.get(column.type) for column in manifest.columns]
        if self._file.schema_arrow.names != self._names:
            raise ValueError("other columns")

    def rows(self) -> Iterator[Row]:
        """Read rows."""
        for batch in self._file.iter_batches(BATCH_SIZE, use_threads=False):
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
