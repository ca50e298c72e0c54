"""PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from typing import Any, ClassVar

from airflow_provider_hotmart.api.flat import FlatColumn
from airflow_provider_hotmart.transfers.dialects.base import (
    DUPLICATE,
    PERMISSION,
    RANGE,
    Dialect,
    digest,
    grouped,
    load_error,
)
from airflow_provider_hotmart.transfers.manifest import LoadError
from airflow_provider_hotmart.transfers.reading import CHUNK_SIZE, Reader

#: Begin SQLSTATEs of what may pass: connections, rollbacks, resources, operator intervention, the system, locks.
_PASSING_STATES = ("08", "40", "53", "57", "58", "55P03")
_NUL = "a text holds the character NUL, which this database cannot store: leave that column out of the file"


class Postgres(Dialect):
    """PostgreSQL by psycopg, version 2 or 3."""

    types: ClassVar = {
        "string": "text",
        "integer": "bigint",
        "decimal": "numeric(38,10)",
        "boolean": "boolean",
        "timestamp": "timestamp with time zone",
        "json": "jsonb",
    }
    # A character varying of limited length refuses what does not fit; a number of fewer digits would be rounded.
    wider: ClassVar = {
        "string": r"character varying.*|citext",
        "integer": r"numeric|numeric\(\d+,\d+\)",
        "decimal": r"numeric",
        "json": r"json|text",
    }
    stage_end = "ON COMMIT DROP"
    place = "ctid"
    # What is longer is cut, so that two tables would be one.
    max_name_bytes = 63
    appends_directly = True

    def folded(self, name: str) -> str:
        """Write the name of a column as it is: case counts in quotation marks."""
        return name

    def moment(self, moment: datetime) -> str:
        """Write a moment as a literal."""
        return f"TIMESTAMP WITH TIME ZONE '{moment.astimezone(UTC).isoformat()}'"

    def stage(self, number: int) -> str:
        """Write the name of a table for one load."""
        return f"pg_temp.{super().stage(number)}"

    def begin(self) -> None:
        """Begin the one transaction."""
        self.connection.autocommit = False
        self.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        self.execute("SET LOCAL client_encoding = 'UTF8'")
        self.execute("SET LOCAL DateStyle = 'ISO'")
        self.execute("SET LOCAL TimeZone = 'UTC'")

    def resolve_schema(self, schema: str | None, table: str) -> str | None:
        """Find the schema of a table by the search path."""
        if schema is not None:
            found = self.query("SELECT nspname FROM pg_namespace WHERE nspname = %s", schema)
        else:
            found = self.query(
                "SELECT COALESCE((SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE c.oid = to_regclass(%s)), current_schema())",
                self.quote(table),
            )
        return found[0][0] if found else None

    def columns(self, schema: str, table: str) -> dict[str, str]:
        """Find how a table's columns are declared."""
        return dict(
            self.query(
                "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
                " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
                self.table(schema, table),
            )
        )

    def unique_keys(self, schema: str, table: str) -> list[set[str]]:
        """Find the sets of columns that are unique, always and for all rows."""
        return grouped(
            self.query(
                "SELECT i.indexrelid, a.attname FROM pg_index i"
                " JOIN pg_attribute a ON a.attrelid = i.indexrelid AND a.attnum <= i.indnkeyatts"
                " WHERE i.indrelid = to_regclass(%s) AND i.indisunique AND i.indimmediate AND i.indisvalid"
                " AND i.indpred IS NULL AND i.indexprs IS NULL",
                self.table(schema, table),
            )
        )

    def try_lock(self, schema: str, table: str) -> bool:
        """Try to take an advisory lock, which keeps out only other loads."""
        number = int.from_bytes(digest(schema, table)[:8], "big", signed=True)
        return bool(self.query("SELECT pg_try_advisory_xact_lock(%s)", number)[0][0])

    def fill_stage(self, stage: str, columns: Sequence[FlatColumn], reader: Reader) -> int:
        """Load a file into it by COPY."""
        return self._copy(stage, [column.name for column in columns], reader.csv())

    def append(self, table: str, names: Sequence[str], added: Sequence[str], reader: Reader) -> int | None:
        """Load a file straight into its table by COPY, which takes half the time of any other way."""
        self.execute("SAVEPOINT hotmart")
        try:
            return self._copy(table, names, _with_fields(reader.csv(), added))
        except Exception as problem:
            if _sqlstate(problem) != "23505":
                raise
        self.execute("ROLLBACK TO SAVEPOINT hotmart")
        return None

    def _copy(self, table: str, names: Sequence[str], csv: Iterator[bytes]) -> int:
        statement = f"COPY {table} ({self.names(names)}) FROM STDIN WITH (FORMAT csv, ENCODING 'UTF8')"
        with closing(self.cursor()) as cursor:
            if hasattr(cursor, "copy_expert"):
                source = _Pieces(csv)
                try:
                    cursor.copy_expert(statement, source, CHUNK_SIZE)
                except Exception:
                    if source.problem is not None:
                        raise source.problem from None
                    raise
            else:
                with cursor.copy(statement) as copy:
                    for piece in csv:
                        copy.write(piece)
            return int(cursor.rowcount)

    def cancel(self) -> None:
        """Ask the server to end a statement."""
        with suppress(Exception):
            self.connection.cancel()

    def cursor(self) -> Any:
        """Make a cursor that gives tuples, whatever the connection is set to."""
        if type(self.connection).__module__.startswith("psycopg2"):
            import psycopg2.extensions

            return self.connection.cursor(cursor_factory=psycopg2.extensions.cursor)
        import psycopg.rows

        return self.connection.cursor(row_factory=psycopg.rows.tuple_row)

    def translate(self, problem: Exception, names: Sequence[str]) -> LoadError | None:
        """Say what an error means, by its SQLSTATE."""
        if not type(problem).__module__.startswith("psycopg"):
            return None
        state = _sqlstate(problem)
        diagnosis = getattr(problem, "diag", None)
        # Of a text that is no JSON, it says the line within that first.
        context = getattr(diagnosis, "context", None) or ""
        place = re.search(r"^COPY .*?line (\d+)(?:, column (\w+))?", context, re.MULTILINE)
        where = f", line {place[1]} of the file" if place else ""
        column = (place and place[2]) or getattr(diagnosis, "column_name", None)
        if column in names:
            where += f", column {column}"
        remedy = {
            "23505": DUPLICATE,
            "42501": PERMISSION,
            "22021": _NUL,
            "22P05": _NUL,
            "22001": RANGE,
            "22003": RANGE,
            "25006": "the database is read-only: name its primary in the connection",
        }.get(state, "")
        passing = state.startswith(_PASSING_STATES) or (not state and "Operational" in type(problem).__name__)
        return load_error(f"{type(problem).__name__}{f' {state}' if state else ''}{where}", remedy, passing=passing)


class _Pieces:
    """What psycopg2 reads from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        #: What went wrong while reading; psycopg2 makes a text of it.
        self.problem: Exception | None = None
        self._rest = b""

    def read(self, size: int) -> bytes:
        try:
            rest = self._rest or next(self._pieces, b"")
        except Exception as problem:
            self.problem = problem
            raise
        self._rest = rest[size:]
        return rest[:size]


def _sqlstate(problem: Exception) -> str:
    return getattr(problem, "sqlstate", None) or getattr(problem, "pgcode", None) or ""


def _with_fields(csv: Iterator[bytes], added: Sequence[str]) -> Iterator[bytes]:
    """Add the same fields to each row of CSV, which ends where a line does outside of quotes."""
    fields = "".join(f",{value}" for value in added).encode()
    end, quoted, last = fields + b"\n", False, b"\n"
    for piece in csv:
        parts = piece.split(b'"')
        for i in range(int(quoted), len(parts), 2):
            parts[i] = parts[i].replace(b"\n", end)
        # As many quotes as parts, less one.
        quoted ^= len(parts) % 2 == 0
        last = piece[-1:]
        yield b'"'.join(parts)
    if last != b"\n":
        yield fields
