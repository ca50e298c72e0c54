"""Parquet, written in row groups, so that memory does not grow with the file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from airflow_provider_hotmart.api.flat import FlatColumn, Row
from airflow_provider_hotmart.api.values import PRECISION, SCALE
from airflow_provider_hotmart.storage.formats import Encoder

#: Rows that are put into columns at once, and rows of a row group.
BATCH_SIZE = 1024
ROW_GROUP_SIZE = 32 * BATCH_SIZE
_TYPES = {
    "string": pa.string(),
    "json": pa.string(),
    "integer": pa.int64(),
    "decimal": pa.decimal128(PRECISION, SCALE),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("ms", tz="UTC"),
}


class Parquet(Encoder):
    """
    Parquet, compressed with zstd.

    :param sink: takes the bytes.
    :param columns: of a row.
    """

    def __init__(self, sink: IO[bytes], columns: Sequence[FlatColumn]) -> None:
        super().__init__(sink)
        self._schema = pa.schema([(column.name, _TYPES[column.type]) for column in columns])
        self._writer = pq.ParquetWriter(sink, self._schema, compression="zstd")
        self._rows: list[Row] = []
        self._batches: list[pa.RecordBatch] = []
        self._waiting = 0

    def write(self, records: Sequence[Row]) -> None:
        """Add records."""
        self._rows.extend(records)
        if len(self._rows) >= BATCH_SIZE:
            self._to_columns()
        if self._waiting >= ROW_GROUP_SIZE:
            self._write_row_group()

    def finish(self) -> None:
        """Write what is held back, and where everything is."""
        self._to_columns()
        self._write_row_group()
        self._writer.close()

    def _to_columns(self) -> None:
        if not self._rows:
            return
        columns = zip(*self._rows, strict=True)
        arrays = [_array(values, of.type) for values, of in zip(columns, self._schema, strict=True)]
        self._waiting += len(self._rows)
        self._rows = []
        self._batches.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))

    def _write_row_group(self) -> None:
        if self._batches:
            self._writer.write_table(pa.Table.from_batches(self._batches), row_group_size=self._waiting)
        self._batches, self._waiting = [], 0


def _array(values: Sequence[Any], type: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, type=type)
    except UnicodeEncodeError:  # half of a surrogate pair has no UTF-8, and is written as its escape
        texts = [None if one is None else one.encode("utf-8", "backslashreplace").decode() for one in values]
        return pa.array(texts, type=type)
