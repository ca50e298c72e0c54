"""What each database has to be able to do, and what most of them do in the same way."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from datetime import datetime
from itertools import islice
from typing import Any, ClassVar

from airflow_provider_hotmart.api.flat import FlatColumn
from airflow_provider_hotmart.transfers.manifest import LoadError
from airflow_provider_hotmart.transfers.reading import Reader

#: Rows that are sent at a time where a database is sent statements.
BATCH_SIZE = 1_000
#: In which column of a table for one load each row's place in the file is, where the database keeps none by itself.
PLACE = "hotmart_place"
DUPLICATE = "rows with the same key are in the table already: use mode='upsert', or 'replace_window'"
PERMISSION = "let the connection's user do that"
RANGE = "a value does not fit into its column: widen the column"


class Dialect:
    """
    One connection to a database of one kind.

    :param connection: as the driver makes it.
    """

    #: Its types, by ours.
    types: ClassVar[dict[str, str]]
    #: What a table's column may be as well, by our type: whatever takes every value unchanged.
    wider: ClassVar[dict[str, str]]
    #: What makes of a text what the driver is given, by our type; of others, the text is.
    parsers: ClassVar[dict[str, Callable[[str], Any]]] = {}
    #: What comes after the columns of a table for one load.
    stage_end: ClassVar[str] = ""
    #: Where each row's place in the file is.
    place: ClassVar[str] = PLACE
    placeholder: ClassVar[str] = "%s"
    quote_mark: ClassVar[str] = '"'
    #: Most bytes of a name; None: any number.
    max_name_bytes: ClassVar[int | None] = None
    #: Whether :meth:`append` is there.
    appends_directly: ClassVar[bool] = False

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def quote(self, name: str) -> str:
        """Write a name so that it is nothing but a name."""
        mark = self.quote_mark
        if not name or "\0" in name:
            raise LoadError("a table, schema or column has no name: check the arguments, and the template if any")
        if self.max_name_bytes is not None and len(name.encode()) > self.max_name_bytes:
            raise LoadError(f"a name is longer than the {self.max_name_bytes} bytes that count: shorten it [{name!r}]")
        return f"{mark}{name.replace(mark, mark * 2)}{mark}"

    def names(self, names: Sequence[str]) -> str:
        """Write names, separated by commas."""
        return ", ".join(map(self.quote, names))

    def table(self, schema: str | None, table: str) -> str:
        """Write the name of a table."""
        return self.quote(table) if schema is None else f"{self.quote(schema)}.{self.quote(table)}"

    def stage(self, number: int) -> str:
        """Write the name of the table that one file is loaded into first; only this connection sees it."""
        return self.quote(f"hotmart_stage_{number}")

    def column_type(self, column: FlatColumn, *, is_key: bool) -> str:
        """Say what a column is declared as."""
        return self.types[column.type] + (" NOT NULL" if is_key else "")

    def folded(self, name: str) -> str:
        """Write the name of a column so that it is equal to all that the database takes for the same."""
        return name.casefold()

    def fits(self, column: FlatColumn, declared: str) -> bool:
        """Tell whether a table's column takes every value of ours unchanged."""
        pattern = f"{re.escape(self.types[column.type])}|{self.wider.get(column.type, '(?!)')}"
        return re.fullmatch(pattern, declared, re.IGNORECASE) is not None

    def moment(self, moment: datetime) -> str:
        """Write a moment as a literal."""
        raise NotImplementedError

    def begin(self) -> None:
        """Begin to work; nothing that is done from here on stays before :meth:`commit`."""
        raise NotImplementedError

    def begin_merging(self) -> None:
        """See from here on what others committed while files were loaded."""

    def resolve_schema(self, schema: str | None, table: str) -> str | None:
        """
        Find the schema of a table.

        :return: None: there is no schema to make it in.
        """
        raise NotImplementedError

    def columns(self, schema: str, table: str) -> dict[str, str]:
        """
        Find how a table's columns are declared.

        :return: type by name; empty: there is no such table.
        """
        raise NotImplementedError

    def unique_keys(self, schema: str, table: str) -> list[set[str]]:
        """Find the sets of columns that are unique in a table."""
        raise NotImplementedError

    def try_lock(self, schema: str, table: str) -> bool:
        """Try to become the only load of a table, until the transaction ends."""
        raise NotImplementedError

    def make_stage(self, stage: str, columns: Sequence[FlatColumn]) -> None:
        """Make a table for one load, without rules, which only this connection sees."""
        declared = ", ".join(f"{self.quote(column.name)} {self.types[column.type]}" for column in columns)
        self.execute(f"CREATE TEMPORARY TABLE {stage} ({declared}) {self.stage_end}")

    def fill_stage(self, stage: str, columns: Sequence[FlatColumn], reader: Reader) -> int:
        """Load a file into it; return the number of rows."""
        marks = ", ".join([self.placeholder] * len(columns))
        names = self.names([column.name for column in columns])
        if self.placeholder == "%s":
            names = names.replace("%", "%%")
        statement = f"INSERT INTO {stage} ({names}) VALUES ({marks})"
        parsers = [(i, parse) for i, column in enumerate(columns) if (parse := self.parsers.get(column.type))]
        count = 0
        rows = iter(reader.rows())
        with closing(self.cursor()) as cursor:
            while batch := [list(row) for row in islice(rows, BATCH_SIZE)]:
                for row in batch:
                    for i, parse in parsers:
                        if (value := row[i]) is not None:
                            row[i] = parse(value)
                reader.check_stopped()
                cursor.executemany(statement, batch)
                count += len(batch)
        return count

    def append(self, table: str, names: Sequence[str], added: Sequence[str], reader: Reader) -> int | None:
        """
        Load a file straight into its table, as long as no key is there already or comes twice.

        :param names: of its columns: the file's, and then those that are the same in each row.
        :param added: texts of the latter; empty: no value.
        :return: the number of rows; None: a key is there already or came twice, and nothing was done.
        """
        raise NotImplementedError

    def on_conflict(self, key: Sequence[str], names: Sequence[str]) -> str:
        """Write the end of an INSERT that replaces rows of the same key."""
        updates = ", ".join(f"{self.quote(name)} = excluded.{self.quote(name)}" for name in names if name not in key)
        return f"ON CONFLICT ({self.names(key)}) DO " + (f"UPDATE SET {updates}" if updates else "NOTHING")

    def add_key(self, schema: str, table: str, key: Sequence[str]) -> str:
        """Write the statement that gives a table a key."""
        return f"ALTER TABLE {self.table(schema, table)} ADD PRIMARY KEY ({self.names(key)})"

    def commit(self) -> None:
        """Keep what was done."""
        self.connection.commit()

    def rollback(self) -> None:
        """Undo what was done, as far as there is still a connection."""
        with suppress(Exception):
            self.connection.rollback()

    def cancel(self) -> None:
        """End a statement that is running; called in a signal handler."""

    def cursor(self) -> Any:
        """Make a cursor that gives tuples."""
        return self.connection.cursor()

    def execute(self, statement: str, *values: Any) -> int:
        """Run a statement; return the number of rows that it changed."""
        with closing(self.cursor()) as cursor:
            cursor.execute(statement, *((values,) if values else ()))
            return int(cursor.rowcount)

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a query."""
        with closing(self.cursor()) as cursor:
            cursor.execute(statement, *((values,) if values else ()))
            return list(cursor.fetchall())

    def translate(self, problem: Exception, names: Sequence[str]) -> LoadError | None:
        """
        Say what a database's error means, without its text: that may quote rows.

        :param names: of columns, which are no secret.
        :return: None: it is no error of the database.
        """
        raise NotImplementedError


def load_error(cause: str, remedy: str, *, passing: bool) -> LoadError:
    """
    Make the error of what a database said.

    :param cause: without any value of a row.
    :param remedy: what to do; empty: nothing in particular.
    :param passing: whether it may pass.
    """
    default = "run it again" if passing else "the database's own log has its text, which may quote people's data"
    return LoadError(f"the database refused the load: {remedy or default} [{cause}]", permanent=not passing)


def digest(schema: str, table: str) -> bytes:
    """Name a table for a lock."""
    return hashlib.sha256(f"airflow-provider-hotmart\0{schema}\0{table}".encode()).digest()


def grouped(pairs: list[tuple[Any, Any]]) -> list[set[str]]:
    """Gather the columns of each key, given as pairs of key and column."""
    groups: dict[Any, set[str]] = {}
    for group, name in pairs:
        groups.setdefault(group, set()).add(text_of(name))
    return list(groups.values())


def text_of(value: Any) -> Any:
    """Some drivers give names as bytes."""
    return bytes(value).decode() if isinstance(value, (bytes, bytearray)) else value
