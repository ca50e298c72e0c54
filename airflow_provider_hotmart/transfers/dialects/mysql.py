"""MySQL and MariaDB."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from airflow_provider_hotmart.api.flat import FlatColumn
from airflow_provider_hotmart.transfers.dialects.base import (
    DUPLICATE,
    PERMISSION,
    PLACE,
    RANGE,
    Dialect,
    digest,
    grouped,
    load_error,
    text_of,
)
from airflow_provider_hotmart.transfers.manifest import LoadError

#: Of MySQL and MariaDB: too many connections, server going down, lock waits, deadlocks, interrupted, lost connections.
_PASSING_NUMBERS = {1040, 1053, 1205, 1213, 1317, 2002, 2003, 2006, 2013, 2055}


class MySql(Dialect):
    """MySQL and MariaDB."""

    # A TIMESTAMP ends in 2038 and depends on the session's zone.
    types: ClassVar = {
        "string": "longtext",
        "integer": "bigint",
        "decimal": "decimal(38,10)",
        "boolean": "boolean",
        "timestamp": "datetime(6)",
        "json": "json",
    }
    wider: ClassVar = {
        "string": r"varchar\(\d+\)|(tiny|medium)?text|char\(\d+\)",
        "integer": r"bigint\(\d+\)",
        "boolean": r"tinyint(\(1\))?|bit\(1\)",
        "json": r"longtext",
    }
    parsers: ClassVar = {
        "boolean": {"true": 1, "false": 0}.__getitem__,
        "timestamp": lambda value: _utc_text(datetime.fromisoformat(value)),
    }
    quote_mark = "`"

    def column_type(self, column: FlatColumn, *, is_key: bool) -> str:
        """Say what a column is declared as; a text that is a key is limited in length, and compared exactly."""
        if column.type != "string":
            return super().column_type(column, is_key=is_key)
        if is_key:
            return "varchar(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL"
        return "longtext CHARACTER SET utf8mb4"

    def moment(self, moment: datetime) -> str:
        """Write a moment as a literal, in UTC."""
        return f"'{_utc_text(moment)}'"

    def begin(self) -> None:
        """Begin: nothing is cut to fit, and characters are whole."""
        autocommit = self.connection.autocommit
        if callable(autocommit):
            autocommit(False)
        else:
            self.connection.autocommit = False
        if hasattr(self.connection, "set_character_set"):
            self.connection.set_character_set("utf8mb4")
        self.execute("SET NAMES utf8mb4")
        self.execute("SET SESSION sql_mode = 'TRADITIONAL'")
        self.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")

    def begin_merging(self) -> None:
        """End the transaction that filled tables which nobody else sees."""
        self.connection.commit()

    def resolve_schema(self, schema: str | None, table: str) -> str | None:
        """Find the database."""
        if schema is None:
            found = self.query("SELECT DATABASE()")
        else:
            found = self.query("SELECT schema_name FROM information_schema.schemata WHERE schema_name = %s", schema)
        return text_of(found[0][0]) if found else None

    def columns(self, schema: str, table: str) -> dict[str, str]:
        """Find how a table's columns are declared."""
        found = self.query(
            "SELECT column_name, column_type FROM information_schema.columns"
            " WHERE table_schema = %s AND table_name = %s",
            schema,
            table,
        )
        return {text_of(name): text_of(declared) for name, declared in found}

    def unique_keys(self, schema: str, table: str) -> list[set[str]]:
        """Find the sets of columns that are unique."""
        return grouped(
            self.query(
                "SELECT index_name, column_name FROM information_schema.statistics"
                " WHERE table_schema = %s AND table_name = %s AND non_unique = 0",
                schema,
                table,
            )
        )

    def try_lock(self, schema: str, table: str) -> bool:
        """Try to take a lock of this session."""
        return bool(self.query("SELECT GET_LOCK(%s, 0)", f"hotmart-{digest(schema, table).hex()[:32]}")[0][0])

    def make_stage(self, stage: str, columns: Sequence[FlatColumn]) -> None:
        """Make a table for one load, which goes with the session."""
        # Compared exactly, as keys are: by the database's own rules, codes that differ in case would be one.
        types = {**self.types, "string": "longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"}
        declared = ", ".join(f"{self.quote(one.name)} {types[one.type]}" for one in columns)
        place = f"{self.quote(PLACE)} bigint NOT NULL AUTO_INCREMENT PRIMARY KEY"
        self.execute(f"CREATE TEMPORARY TABLE {stage} ({declared}, {place})")

    def on_conflict(self, key: Sequence[str], names: Sequence[str]) -> str:
        """Write the end of an INSERT that replaces rows of the same key."""
        changed = [name for name in names if name not in key] or key
        return "ON DUPLICATE KEY UPDATE " + ", ".join(
            f"{self.quote(name)} = VALUES({self.quote(name)})" for name in changed
        )

    def cursor(self) -> Any:
        """Make a cursor that gives tuples, whatever the connection is set to."""
        if type(self.connection).__module__.startswith("MySQLdb"):
            import MySQLdb.cursors

            return self.connection.cursor(MySQLdb.cursors.Cursor)
        return self.connection.cursor()

    def translate(self, problem: Exception, names: Sequence[str]) -> LoadError | None:
        """Say what an error means, by its number."""
        if not type(problem).__module__.startswith(("MySQLdb", "mysql", "pymysql", "_mysql")):
            return None
        number = getattr(problem, "errno", None) or next(iter(problem.args), None)
        number = number if isinstance(number, int) else 0
        # Of its text, only the name of a column is shown, and only one that is known to be none of a row's values.
        column = re.search(r"column '(\w+)'", str(problem))
        where = f", column {column[1]}" if column and column[1] in names else ""
        remedy = {
            1044: PERMISSION,
            1062: DUPLICATE,
            1142: PERMISSION,
            1227: PERMISSION,
            1264: RANGE,
            1366: "make the column's character set utf8mb4",
            1406: RANGE,
        }.get(number, "")
        return load_error(
            f"{type(problem).__name__} {number}{where}", remedy, passing=number in _PASSING_NUMBERS or not number
        )


def _utc_text(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
