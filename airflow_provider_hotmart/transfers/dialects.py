"""What databases do differently: names, types, locks, bulk loading, and what their errors may show."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, ClassVar

from airflow_provider_hotmart.transfers.manifest import Column, LoadError
from airflow_provider_hotmart.transfers.reading import CHUNK_SIZE, Reader

#: Rows that are sent at a time where a database is sent statements.
BATCH_SIZE = 1_000
#: In which column of a table for one load each row's place in the file is, where the database keeps none by itself.
PLACE = "hotmart_place"
#: Begin SQLSTATEs of what may pass: connections, rollbacks, resources, operator intervention, the system, locks.
_PASSING_STATES = ("08", "40", "53", "57", "58", "55P03")
#: Of MySQL and MariaDB: too many connections, server going down, lock waits, deadlocks, interrupted, lost connections.
_PASSING_NUMBERS = {1040, 1053, 1205, 1213, 1317, 2002, 2003, 2006, 2013, 2055}
_DUPLICATE = "rows with the same key are in the table already: use mode='upsert', or 'replace_window'"
_PERMISSION = "let the connection's user do that"
_NUL = "a text holds the character NUL, which this database cannot store: leave that column out of the file"
_RANGE = "a value does not fit into its column: widen the column"


class Dialect:
    """
    One connection to a database of one kind.

    :param connection: as the driver makes it.
    """

    #: What Airflow installs for it.
    provider: ClassVar[str]
    #: Its types, by ours.
    types: ClassVar[dict[str, str]]
    #: What a table's column may be as well, by our type: whatever takes every value unchanged.
    wider: ClassVar[dict[str, str]]
    #: Where each row's place in the file is.
    place: ClassVar[str] = PLACE
    placeholder: ClassVar[str] = "%s"
    quote_mark: ClassVar[str] = '"'
    #: Whether :meth:`append` is there.
    appends_directly: ClassVar[bool] = False

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def quote(self, name: str) -> str:
        """Write a name so that it is nothing but a name."""
        mark = self.quote_mark
        if not name or "\0" in name:
            raise LoadError("a table, schema or column has no name: check the arguments, and the template if any")
        return f"{mark}{name.replace(mark, mark * 2)}{mark}"

    def names(self, names: Sequence[str], prefix: str = "") -> str:
        """Write names, separated by commas."""
        return ", ".join(prefix + self.quote(name) for name in names)

    def table(self, schema: str | None, table: str) -> str:
        """Write the name of a table."""
        return self.quote(table) if schema is None else f"{self.quote(schema)}.{self.quote(table)}"

    def stage(self, number: int) -> str:
        """Write the name of the table that one file is loaded into first; only this connection sees it."""
        return self.quote(f"hotmart_stage_{number}")

    def column_type(self, column: Column, *, is_key: bool) -> str:
        """Say what a column is declared as."""
        return self.types[column.type] + (" NOT NULL" if is_key else "")

    def fits(self, column: Column, declared: str) -> bool:
        """Whether a table's column takes every value of ours unchanged."""
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

    def make_stage(self, stage: str, columns: Sequence[Column]) -> None:
        """Make a table for one load, without rules."""
        raise NotImplementedError

    def fill_stage(self, stage: str, columns: Sequence[Column], reader: Reader, check: Callable[[], None]) -> int:
        """
        Load a file into it.

        :param check: called every now and then; raises an error to stop.
        :return: the number of rows.
        """
        marks = ", ".join([self.placeholder] * len(columns))
        names = self.names([column.name for column in columns])
        if self.placeholder == "%s":
            names = names.replace("%", "%%")
        statement = f"INSERT INTO {stage} ({names}) VALUES ({marks})"  # noqa: S608 - quoted names only
        parsers = [(i, parse) for i, column in enumerate(columns) if (parse := self._parser(column.type))]
        count = 0
        rows = iter(reader.rows())
        with closing(self.cursor()) as cursor:
            while batch := [list(row) for row in islice(rows, BATCH_SIZE)]:
                check()
                for row in batch:
                    for i, parse in parsers:
                        if (value := row[i]) is not None:
                            row[i] = parse(value)
                cursor.executemany(statement, batch)
                count += len(batch)
        return count

    def append(
        self, table: str, columns: Sequence[Column], added: Mapping[str, str], reader: Reader, check: Callable[[], None]
    ) -> int | None:
        """
        Load a file straight into its table, as long as no key is there already or comes twice.

        :param added: texts of columns that are the same in each row, by their names; empty: no value.
        :param check: called every now and then; raises an error to stop.
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

    def _parser(self, kind: str) -> Callable[[str], Any] | None:
        """Return what makes of a text what the driver is given; None: the text is."""
        raise NotImplementedError


class Postgres(Dialect):
    """PostgreSQL by psycopg, version 2 or 3."""

    provider = "apache-airflow-providers-postgres"
    types: ClassVar = {
        "string": "text",
        "integer": "bigint",
        "decimal": "numeric(38,10)",
        "boolean": "boolean",
        "timestamp": "timestamp with time zone",
        "date": "date",
        "json": "jsonb",
    }
    # A character varying of limited length refuses what does not fit; a number of fewer digits would be rounded.
    wider: ClassVar = {
        "string": r"character varying.*|citext",
        "integer": r"numeric|numeric\(\d+,\d+\)",
        "decimal": r"numeric",
        "json": r"json|text",
    }
    place = "ctid"
    appends_directly = True

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
        return _grouped(
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
        number = int.from_bytes(_digest(schema, table)[:8], "big", signed=True)
        return bool(self.query("SELECT pg_try_advisory_xact_lock(%s)", number)[0][0])

    def make_stage(self, stage: str, columns: Sequence[Column]) -> None:
        """Make a table for one load, which goes with the transaction."""
        declared = ", ".join(f"{self.quote(column.name)} {self.types[column.type]}" for column in columns)
        self.execute(f"CREATE TEMPORARY TABLE {stage.removeprefix('pg_temp.')} ({declared}) ON COMMIT DROP")

    def fill_stage(self, stage: str, columns: Sequence[Column], reader: Reader, check: Callable[[], None]) -> int:
        """Load a file into it by COPY."""
        return self._copy(stage, [column.name for column in columns], reader.csv(), check)

    def append(
        self, table: str, columns: Sequence[Column], added: Mapping[str, str], reader: Reader, check: Callable[[], None]
    ) -> int | None:
        """Load a file straight into its table by COPY, which takes half the time of any other way."""
        self.execute("SAVEPOINT hotmart")
        try:
            names = [*(column.name for column in columns), *added]
            return self._copy(table, names, _with_fields(reader.csv(), list(added.values())), check)
        except Exception as problem:
            if _sqlstate(problem) != "23505":
                raise
        self.execute("ROLLBACK TO SAVEPOINT hotmart")
        return None

    def _copy(self, table: str, names: Sequence[str], csv: Iterator[bytes], check: Callable[[], None]) -> int:
        statement = f"COPY {table} ({self.names(names)}) FROM STDIN WITH (FORMAT csv, ENCODING 'UTF8')"
        pieces = _checked(csv, check)
        with closing(self.cursor()) as cursor:
            if hasattr(cursor, "copy_expert"):
                source = _Pieces(pieces)
                try:
                    cursor.copy_expert(statement, source, CHUNK_SIZE)
                except Exception:
                    if source.problem is not None:
                        raise source.problem from None
                    raise
            else:
                with cursor.copy(statement) as copy:
                    for piece in pieces:
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
        place = re.search(r"line (\d+)(?:, column (\w+))?", getattr(diagnosis, "context", None) or "")
        where = f", line {place[1]} of the file" if place else ""
        column = (place and place[2]) or getattr(diagnosis, "column_name", None)
        if column in names:
            where += f", column {column}"
        if isinstance(problem, (UnicodeError, ValueError)):
            return None
        remedy = {
            "23505": _DUPLICATE,
            "42501": _PERMISSION,
            "22021": _NUL,
            "22P05": _NUL,
            "22001": _RANGE,
            "22003": _RANGE,
            "25006": "the database is read-only: name its primary in the connection",
        }.get(state, "")
        passing = state.startswith(_PASSING_STATES) or (not state and "Operational" in type(problem).__name__)
        return _load_error(f"{type(problem).__name__}{f' {state}' if state else ''}{where}", remedy, passing=passing)


class MySql(Dialect):
    """MySQL and MariaDB."""

    provider = "apache-airflow-providers-mysql"
    # A TIMESTAMP ends in 2038 and depends on the session's zone.
    types: ClassVar = {
        "string": "longtext",
        "integer": "bigint",
        "decimal": "decimal(38,10)",
        "boolean": "boolean",
        "timestamp": "datetime(6)",
        "date": "date",
        "json": "json",
    }
    wider: ClassVar = {
        "string": r"varchar\(\d+\)|(tiny|medium)?text|char\(\d+\)",
        "integer": r"bigint\(\d+\)",
        "boolean": r"tinyint(\(1\))?|bit\(1\)",
        "json": r"longtext",
    }
    quote_mark = "`"

    def column_type(self, column: Column, *, is_key: bool) -> str:
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
        return _text(found[0][0]) if found else None

    def columns(self, schema: str, table: str) -> dict[str, str]:
        """Find how a table's columns are declared."""
        found = self.query(
            "SELECT column_name, column_type FROM information_schema.columns"
            " WHERE table_schema = %s AND table_name = %s",
            schema,
            table,
        )
        return {_text(name): _text(declared) for name, declared in found}

    def unique_keys(self, schema: str, table: str) -> list[set[str]]:
        """Find the sets of columns that are unique."""
        return _grouped(
            self.query(
                "SELECT index_name, column_name FROM information_schema.statistics"
                " WHERE table_schema = %s AND table_name = %s AND non_unique = 0",
                schema,
                table,
            )
        )

    def try_lock(self, schema: str, table: str) -> bool:
        """Try to take a lock of this session."""
        return bool(self.query("SELECT GET_LOCK(%s, 0)", f"hotmart-{_digest(schema, table).hex()[:32]}")[0][0])

    def make_stage(self, stage: str, columns: Sequence[Column]) -> None:
        """Make a table for one load, which goes with the session."""
        declared = ", ".join(f"{self.quote(one.name)} {self.column_type(one, is_key=False)}" for one in columns)
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
            1044: _PERMISSION,
            1062: _DUPLICATE,
            1142: _PERMISSION,
            1227: _PERMISSION,
            1264: _RANGE,
            1366: "make the column's character set utf8mb4",
            1406: _RANGE,
        }.get(number, "")
        return _load_error(
            f"{type(problem).__name__} {number}{where}", remedy, passing=number in _PASSING_NUMBERS or not number
        )

    def _parser(self, kind: str) -> Callable[[str], Any] | None:
        if kind == "timestamp":
            return lambda value: _utc_text(datetime.fromisoformat(value))
        return {"true": 1, "false": 0}.__getitem__ if kind == "boolean" else None


class Sqlite(Dialect):
    """SQLite. It has no decimals and no moments: they are texts, so that no digit is lost."""

    provider = "apache-airflow-providers-sqlite"
    types: ClassVar = {
        "string": "text",
        "integer": "integer",
        "decimal": "text",
        "boolean": "boolean",
        "timestamp": "text",
        "date": "text",
        "json": "text",
    }
    wider: ClassVar = {
        "string": r"(n?var|n?)?char.*|clob",
        "integer": r".*int.*",
        "boolean": r".*int.*|num(eric)?",
        "json": r"json",
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

    def make_stage(self, stage: str, columns: Sequence[Column]) -> None:
        """Make a table for one load, which goes with the connection."""
        declared = ", ".join(f"{self.quote(column.name)} {self.types[column.type]}" for column in columns)
        self.execute(f"CREATE TEMPORARY TABLE {stage} ({declared})")

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
            remedy = _DUPLICATE
        elif name == "SQLITE_READONLY":
            remedy = "let the worker write to the database's file and folder"
        elif isinstance(problem, OverflowError):
            remedy = _RANGE
        passing = name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_INTERRUPT", "SQLITE_FULL", "SQLITE_IOERR"))
        return _load_error(name, remedy, passing=passing)

    def _parser(self, kind: str) -> Callable[[str], Any] | None:
        parsers: dict[str, Callable[[str], Any]] = {
            "integer": int,
            "decimal": _plain,
            "boolean": {"true": 1, "false": 0}.__getitem__,
            "timestamp": lambda value: _sqlite_moment(datetime.fromisoformat(value)),
        }
        return parsers.get(kind)


#: By the beginning of the module of a connection's class.
_DIALECTS: dict[str, type[Dialect]] = {
    "psycopg": Postgres,
    "MySQLdb": MySql,
    "mysql.connector": MySql,
    "pymysql": MySql,
    "sqlite3": Sqlite,
}


def find_dialect(connection: Any) -> Dialect:
    """
    Return what knows the database of a connection.

    :param connection: as the driver makes it.
    :raises LoadError: when none does.
    """
    for kind in type(connection).__mro__:
        for prefix, dialect in _DIALECTS.items():
            if kind.__module__.startswith(prefix):
                return dialect(connection)
    raise LoadError(
        f"the connection is of {type(connection).__module__}: this operator loads into PostgreSQL, MySQL, MariaDB and "
        "SQLite; the page 'Load into a database' shows the operators for other ones"
    )


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


def _checked(pieces: Iterator[bytes], check: Callable[[], None]) -> Iterator[bytes]:
    for piece in pieces:
        check()
        yield piece


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


def _load_error(cause: str, remedy: str, *, passing: bool) -> LoadError:
    message = f"the database refused the load ({cause})"
    default = "run it again" if passing else "the database's own log has its text, which may quote people's data"
    return LoadError(f"{message}: {remedy or default}", permanent=not passing)


def _digest(schema: str, table: str) -> bytes:
    return hashlib.sha256(f"airflow-provider-hotmart\0{schema}\0{table}".encode()).digest()


def _grouped(pairs: list[tuple[Any, Any]]) -> list[set[str]]:
    groups: dict[Any, set[str]] = {}
    for group, name in pairs:
        groups.setdefault(group, set()).add(_text(name))
    return list(groups.values())


def _text(value: Any) -> Any:
    """Some drivers give names as bytes."""
    return bytes(value).decode() if isinstance(value, (bytes, bytearray)) else value


def _utc_text(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


def _sqlite_moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _plain(number: str) -> str:
    """A decimal in its one shortest form, with every digit."""
    text = f"{Decimal(number):f}"
    return text.rstrip("0").removesuffix(".") if "." in text else text
