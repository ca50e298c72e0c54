"""What a file of records looks like: one class for each format, found by the file's suffix."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import IO, Any, cast

from airflow_provider_hotmart.api.flat import FlatColumn, Row
from airflow_provider_hotmart.api.json_text import encode_whole
from airflow_provider_hotmart.api.values import iso_moment
from airflow_provider_hotmart.storage.errors import StorageError

#: Sales compress to a tenth of their size. The highest level takes more than twice the time for 5% less.
GZIP_LEVEL = 6
#: What spreadsheets take for the beginning of a formula.
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class Encoder:
    """
    Turns records into the bytes of a file.

    :param sink: takes the bytes.
    """

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink = sink

    def write(self, records: Any) -> None:
        """
        Add records.

        :param records: JSON Lines, each ended by a line break; of a format with columns, rows.
        """
        raise NotImplementedError

    def finish(self) -> None:
        """Write what is still held back, where anything is. May be called again, which does nothing."""


class JsonLines(Encoder):
    """JSON Lines as they come."""

    def write(self, records: bytes) -> None:
        """Add records."""
        self._sink.write(records)


class FlatJsonLines(Encoder):
    """
    Rows as JSON Lines: objects without objects in them.

    :param sink: takes the bytes.
    :param columns: of a row.
    """

    def __init__(self, sink: IO[bytes], columns: Sequence[FlatColumn]) -> None:
        super().__init__(sink)
        self._names = [column.name for column in columns]
        self._moments = [place for place, column in enumerate(columns) if column.type == "timestamp"]

    def write(self, records: Sequence[Row]) -> None:
        """Add records."""
        lines = []
        for row in records:
            values = dict(zip(self._names, row, strict=True))
            for place in self._moments:
                if row[place] is not None:
                    values[self._names[place]] = iso_moment(row[place])
            lines.append(encode_whole(values))
        self._sink.write(b"".join(line + b"\n" for line in lines))


class Csv(Encoder):
    """
    CSV as RFC 4180 has it, but for its line breaks, which are those of Unix. UTF-8, with a header.

    Every text has quotation marks, so that one without any character is not null, which has nothing at all.

    :param sink: takes the bytes.
    :param columns: of a row.
    :param escape_formulas: whether text that spreadsheets would take for a formula gets an apostrophe before it.
    """

    def __init__(self, sink: IO[bytes], columns: Sequence[FlatColumn], *, escape_formulas: bool = False) -> None:
        super().__init__(sink)
        text = _guarded if escape_formulas else quoted
        by_type: dict[str, Callable[[Any], str]] = {
            "string": text,
            "json": text,
            "integer": str,
            "decimal": "{:f}".format,
            "boolean": lambda value: "true" if value else "false",
            "timestamp": iso_moment,
        }
        self._writers = [by_type[column.type] for column in columns]
        sink.write(",".join(column.name for column in columns).encode() + b"\n")

    def write(self, records: Sequence[Row]) -> None:
        """Add records."""
        writers = self._writers
        lines = [
            ",".join(["" if value is None else write(value) for write, value in zip(writers, row, strict=True)])
            for row in records
        ]
        # Half of a surrogate pair has no UTF-8, and is written as its escape.
        self._sink.write(("\n".join(lines) + "\n").encode("utf-8", "backslashreplace") if lines else b"")


class Gzip(Encoder):
    """
    Another format, compressed. The same records always give the same bytes.

    :param sink: takes the bytes.
    :param make: makes the encoder of the other format.
    """

    def __init__(self, sink: IO[bytes], make: Callable[[IO[bytes]], Encoder]) -> None:
        super().__init__(sink)
        self._gzip = gzip.GzipFile(filename="", mode="wb", compresslevel=GZIP_LEVEL, fileobj=sink, mtime=0)
        self._inside = make(cast("IO[bytes]", self._gzip))

    def write(self, records: Any) -> None:
        """Add records."""
        self._inside.write(records)

    def finish(self) -> None:
        """Write what the compression holds back."""
        self._inside.finish()
        self._gzip.close()


@dataclass(frozen=True)
class Format:
    """
    What a file of records looks like.

    :param name: as a manifest says it.
    :param compression: of the whole file; None: none.
    :param is_flat: whether it holds rows of columns.
    :param escape_formulas: see :class:`Csv`.
    """

    name: str
    compression: str | None = None
    is_flat: bool = True
    escape_formulas: bool = False

    def encoder(self, sink: IO[bytes], columns: Sequence[FlatColumn] | None) -> Encoder:
        """
        Make what encodes a file.

        :param sink: takes the bytes.
        :param columns: of a row; None: records are JSON Lines.
        """
        if self.compression is None:
            return self._plain_encoder(sink, columns or ())
        return Gzip(sink, lambda inside: self._plain_encoder(inside, columns or ()))

    def _plain_encoder(self, sink: IO[bytes], columns: Sequence[FlatColumn]) -> Encoder:
        if self.name == "csv":
            return Csv(sink, columns, escape_formulas=self.escape_formulas)
        if self.name == "parquet":
            # Only here: pyarrow is an extra, and takes a while to load.
            from airflow_provider_hotmart.storage.parquet import Parquet

            return Parquet(sink, columns)
        return FlatJsonLines(sink, columns) if self.is_flat else JsonLines(sink)


#: Formats by suffix: name and compression.
FORMATS = {
    ".jsonl": ("jsonl", None),
    ".jsonl.gz": ("jsonl", "gzip"),
    ".ndjson": ("jsonl", None),
    ".ndjson.gz": ("jsonl", "gzip"),
    ".csv": ("csv", None),
    ".csv.gz": ("csv", "gzip"),
    ".parquet": ("parquet", None),
}


def find_format(path: str, *, flat: bool = False, escape_formulas: bool = False) -> Format:
    """
    Return the format of a file.

    :param path: path or URL of the file.
    :param flat: whether JSON Lines have columns too.
    :param escape_formulas: see :class:`Csv`.
    :raises StorageError: when its suffix is unknown, naming those that are known, or does not go with the rest.
    """
    name = path.rpartition("/")[2].lower()
    suffix = next((one for one in FORMATS if name.endswith(one) and len(name) > len(one)), None)
    if suffix is None:
        raise StorageError(f"destination has no suffix of a known format: end it in {', '.join(FORMATS)} [{path!r}]")
    kind, compression = FORMATS[suffix]
    if escape_formulas and kind != "csv":
        raise StorageError(f"escape_formulas is for spreadsheets, and destination is none: end it in .csv [{path!r}]")
    if kind == "parquet" and find_spec("pyarrow") is None:
        raise StorageError(f"destination needs pyarrow: pip install 'airflow-provider-hotmart[parquet]' [{path!r}]")
    return Format(kind, compression, flat or kind != "jsonl", escape_formulas)


def quoted(text: str) -> str:
    """Write a text as a field of CSV."""
    return '"' + text.replace('"', '""') + '"'


def _guarded(text: str) -> str:
    return quoted(f"'{text}" if text.startswith(FORMULAS) else text)
