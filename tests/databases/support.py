"""Files with manifests as the listing operators write them, and what is loaded from them."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hotmart.transfers.loading import Loaded, TableLoad
from airflow_provider_hotmart.transfers.manifest import parse_manifests
from tests.databases.servers import Database

#: Columns as those of participants are, one of each type.
COLUMNS = {
    "transaction": "string",
    "role": "string",
    "user_key": "string",
    "transaction_status": "string",
    "user_name": "string",
    "product_id": "integer",
    "price_value": "decimal",
    "is_subscription": "boolean",
    "order_date": "timestamp",
    "other": "json",
}
KEY = ("transaction", "role", "user_key")
DAY = {"start": "2025-03-01T03:00:00+00:00", "end": "2025-03-02T03:00:00+00:00", "timezone": "America/Sao_Paulo"}


def row(number: int, **values: Any) -> dict[str, Any]:
    """A made-up row, by the column's name."""
    return {
        "transaction": f"HP{number:010}",
        "role": "BUYER",
        "user_key": f"user-{number}",
        "transaction_status": "APPROVED",
        "user_name": f"Person {number}",
        "product_id": 7,
        "price_value": Decimal("19.9"),
        "is_subscription": number % 2 == 0,
        "order_date": datetime.fromisoformat("2025-03-01T12:30:15.123+00:00"),
        "other": '{"seen": 1}',
        **values,
    }


def csv_bytes(rows: Iterable[Mapping[str, Any]], names: Sequence[str]) -> bytes:
    """Write CSV where no value is an empty field, and an empty text a quoted one."""
    lines = [",".join(names), *(",".join(_csv_field(one.get(name)) for name in names) for one in rows)]
    return ("\n".join(lines) + "\n").encode()


def _csv_field(value: Any) -> str:
    if value is None:
        return ""
    text = _text(value)
    if text == "":
        return '""'
    output = io.StringIO()
    csv.writer(output, lineterminator="\n").writerow([text])
    return output.getvalue().removesuffix("\n")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def jsonl_bytes(rows: Iterable[Mapping[str, Any]], names: Sequence[str]) -> bytes:
    """Write flat JSON Lines, with numbers as numbers of any length."""
    lines = []
    for one in rows:
        fields = []
        for name in names:
            value = one.get(name)
            if value is None or isinstance(value, (bool, int, Decimal)):
                text = "null" if value is None else _text(value)
            else:
                text = json.dumps(_text(value), ensure_ascii=False)
            fields.append(f"{json.dumps(name)}: {text}")
        lines.append("{" + ", ".join(fields) + "}\n")
    return "".join(lines).encode()


def parquet_bytes(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> bytes:
    """Write Parquet."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    types = {
        "string": pyarrow.string(),
        "integer": pyarrow.int64(),
        "decimal": pyarrow.decimal128(38, 10),
        "boolean": pyarrow.bool_(),
        "timestamp": pyarrow.timestamp("ms", tz="UTC"),
        "json": pyarrow.string(),
    }
    schema = pyarrow.schema([(name, types[kind]) for name, kind in columns.items()])
    output = io.BytesIO()
    table = pyarrow.Table.from_pylist([dict(one) for one in rows], schema=schema)
    parquet.write_table(table, output, row_group_size=32_768)  # as our own files have them
    return output.getvalue()


def write(
    path: Path, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str] = COLUMNS, **changes: Any
) -> dict[str, Any]:
    """
    Write a file in the format of its suffix.

    :param changes: of the manifest.
    :return: its manifest.
    """
    names = list(columns)
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    if kind == "parquet":
        content = parquet_bytes(rows, columns)
    else:
        content = (csv_bytes if kind == "csv" else jsonl_bytes)(rows, names)
    return publish(path, content, len(rows), columns, **changes)


def publish(path: Path, content: bytes, records: int, columns: Mapping[str, str] = COLUMNS, **changes: Any) -> Any:
    """Write the bytes of a file; return its manifest."""
    if path.name.endswith(".gz"):
        content = gzip.compress(content)
    path.write_bytes(content)
    return {
        "uri": str(path),
        "bucket": None,
        "key": str(path),
        "records": records,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "format": path.name.removesuffix(".gz").rpartition(".")[2],
        "compression": "gzip" if path.name.endswith(".gz") else None,
        "columns": [{"name": name, "type": kind} for name, kind in columns.items()],
        "primary_key": list(KEY),
        "window": DAY,
        "statuses": ["APPROVED", "COMPLETE"],
        "listed_from": "2025-03-02T06:00:00+00:00",
        "listed_until": "2025-03-02T06:01:00+00:00",
        "calls": 3,
        **changes,
    }


@dataclass
class Loader:
    """
    Loads rows into one table of a database.

    :param database: the database.
    :param folder: where the files go.
    """

    database: Database
    folder: Path
    _files: int = 0

    def file(self, *rows: Mapping[str, Any], suffix: str = ".csv", **changes: Any) -> dict[str, Any]:
        """Write rows to a new file; return its manifest, in which ``changes`` are made."""
        self._files += 1
        return write(self.folder / f"file-{self._files}{suffix}", rows, **changes)

    def load(self, manifest: Any, table: str = "participants", **arguments: Any) -> Loaded:
        """Load a file."""
        options = {"schema": None, "create_table": True, "mode": "upsert", "source_conn_id": None, **arguments}
        return TableLoad(parse_manifests(manifest), table=table, **options).run(self.database.connect())

    def statuses(self, table: str = "participants") -> dict[str, str]:
        """The table's rows: status by transaction."""
        quote = self.database.quote
        found = self.database.rows(f"SELECT {quote('transaction')}, transaction_status FROM {quote(table)}")
        assert len(dict(found)) == len(found)
        return dict(found)

    def read(self, *names: str, table: str = "participants") -> list[tuple[Any, ...]]:
        """The table's rows, in the order of their transactions."""
        quote = self.database.quote
        columns = ", ".join(quote(name) for name in names)
        return self.database.rows(f"SELECT {columns} FROM {quote(table)} ORDER BY {quote('transaction')}")


@contextmanager
def another_transaction(database: Database, *statements: str) -> Iterator[None]:
    """Let somebody else hold what statements take, for the block."""
    connection = database.connect()
    try:
        for statement in statements:
            connection.cursor().execute(statement)
        yield
        connection.rollback()
    finally:
        connection.close()
