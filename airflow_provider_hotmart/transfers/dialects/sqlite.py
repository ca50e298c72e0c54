"""SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import ClassVar

from airflow_provider_hotmart.transfers.dialects.base import (
    DUPLICATE,
    RANGE,
    Dialect,
    load_error,
)
from airflow_provider_hotmart.transfers.manifest import LoadError


def _sqlite_moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _plain(number: str) -> str:
    """A decimal in its one shortest form, with every digit."""
    text = f"{Decimal(number):f}"
    return text.rstrip("0").removesuffix(".") if "." in text else text


class Sqlite(Dialect):
    """SQLite. It has no decimals and no moments: they are texts, so that no digit is lost."""

    types: ClassVar = {
        "string": "text",
        "integer": "integer",
        "decimal": "text",
        "boolean": "boolean",
        "timestamp": "text",
        "json": "text",
    }
    wider: ClassVar = {
        "string": r"(n?var|n?)?char.*|clob",
        "integer": r".*int.*",
        "boolean": r".*int.*|num(eric)?",
        "json": r"json",
    }
    parsers: ClassVar = {
        "integer": int,
        "decimal": _plain,
        "boolean": {"true": 1, "false": 0}.__getitem__,
        "timestamp": lambda value: _sqlite_moment(datetime.fromisoformat(value)),
    }
    place = "rowid"
    placeholder = "?"

    def moment(self, moment: datetime) -> str:
        """Write a moment as a literal; such texts sort as the moments do."""
        return f"'{_sqlite_moment(moment)}'"

    def begin(self) -> None:
        """Begin: until merging begins, only tables are written that nobody else sees."""
        self.connection.isolation_level = None
        self.execute("BEGIN")

    def begin_merging(self) -> None:
        """End the transaction that filled tables which nobody else sees."""
        self.execute("COMMIT")

    def resolve_schema(self, schema: str | None, table: str) -> str | None:
        """Find the attached database."""
        names = [name for _, name, _ in self.query("PRAGMA database_list")]
        wanted = "main" if schema is None else schema
        return wanted if wanted in names else None

    def columns(self, schema: str, table: str) -> dict[str, str]:
        """Find how a table's columns are declared."""
        found = self.query(f"PRAGMA {self.quote(schema)}.table_info({self.quote(table)})")
        return {row[1]: row[2] for row in found}

    def unique_keys(self, schema: str, table: str) -> list[set[str]]:
        """Find the sets of columns that are unique for all rows."""
        prefix = f"PRAGMA {self.quote(schema)}"
        info = self.query(f"{prefix}.table_info({self.quote(table)})")
        keys = [{row[1] for row in info if row[5]}]
        for _, name, unique, _, partial in self.query(f"{prefix}.index_list({self.quote(table)})"):
            if unique and not partial:
                keys.append({row[2] for row in self.query(f"{prefix}.index_info({self.quote(name)})")})
        return keys

    def try_lock(self, schema: str, table: str) -> bool:
        """Try to become the only one who writes to the database."""
        try:
            self.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as problem:
            if problem.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return False
        return True

    def add_key(self, schema: str, table: str, key: Sequence[str]) -> str:
        """Write the statement that gives a table a key: a primary one can only be made with the table."""
        return f"CREATE UNIQUE INDEX {self.table(schema, table + '_key')} ON {self.quote(table)} ({self.names(key)})"

    def commit(self) -> None:
        """Keep what was done."""
        self.execute("COMMIT")

    def cancel(self) -> None:
        """End a statement that is running."""
        with suppress(Exception):
            self.connection.interrupt()

    def translate(self, problem: Exception, names: Sequence[str]) -> LoadError | None:
        """Say what an error means, by its name."""
        if not isinstance(problem, (sqlite3.Error, OverflowError)):
            return None
        name = getattr(problem, "sqlite_errorname", "") or type(problem).__name__
        remedy = ""
        if name in ("SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE"):
            remedy = DUPLICATE
        elif name == "SQLITE_READONLY":
            remedy = "let the worker write to the database's file and folder"
        elif isinstance(problem, OverflowError):
            remedy = RANGE
        passing = name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_INTERRUPT", "SQLITE_FULL", "SQLITE_IOERR"))
        return load_error(name, remedy, passing=passing)
