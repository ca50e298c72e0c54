"""
Files into one table: all of them or none, and the same table whenever they are loaded again.

Each file goes into a table that only this connection sees, and from there, under a lock that other loads of the table
wait for, into the table itself. A load that dies, whenever that is, leaves the table as it was.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import KW_ONLY, dataclass
from typing import Any

from airflow_provider_hotmart.api.flat import FlatColumn
from airflow_provider_hotmart.api.lifecycle import TICKET_RANKS, ranks
from airflow_provider_hotmart.storage.errors import StorageError
from airflow_provider_hotmart.transfers.dialects import find_dialect
from airflow_provider_hotmart.transfers.dialects.base import Dialect
from airflow_provider_hotmart.transfers.manifest import FileManifest, LoadError, Window
from airflow_provider_hotmart.transfers.reading import FileReader

log = logging.getLogger(__name__)

MODES = ("upsert", "replace_window", "append")
#: What each row carries beside the file's own columns: in which window it was listed, and when.
WINDOW = ("listed_window_start", "listed_window_end")
LISTED = ("listed_from", "listed_until")
ADDED = tuple(FlatColumn(name, "timestamp") for name in (*WINDOW, *LISTED))
#: The columns that say in which state of its life a row is, and the states in their order.
RANKS = {
    "transaction_status": ranks(),
    "purchase_status": ranks(),
    "ticket_status": TICKET_RANKS,
    "eticket_ticket_status": TICKET_RANKS,
}
#: Seconds between two tries to become the only load of a table.
LOCK_INTERVAL = 0.2


@dataclass(frozen=True)
class Loaded:
    """
    What a load did.

    :param schema: of the table.
    :param records: rows in the files.
    :param rows: rows that were written to the table: all but those of which a later state is known.
    :param deleted: rows of the same windows that were deleted before.
    """

    schema: str
    records: int
    rows: int
    deleted: int


@dataclass
class TableLoad:
    """
    A load to be done once.

    :param manifests: of the files, with the same columns.
    :param table: name of the table.
    :param schema: of the table; None: where the connection looks by itself.
    :param create_table: whether to make a table that is not there.
    :param mode: one of ``MODES``.
    :param source_conn_id: Airflow connection of the store; None: the one that the files were written with.
    :raises LoadError: when the arguments do not fit each other.
    """

    manifests: Sequence[FileManifest]
    _: KW_ONLY
    table: str
    schema: str | None
    create_table: bool
    mode: str
    source_conn_id: str | None

    def __post_init__(self) -> None:
        self._columns = self.manifests[0].columns
        self._key = self.manifests[0].primary_key
        self._names = [column.name for column in self._columns]
        self._all_columns = (*self._columns, *ADDED)
        self._all_names = [column.name for column in self._all_columns]
        self._check_arguments()
        self._status = next((name for name in RANKS if name in self._names and name not in self._key), None)
        self._readers = [
            FileReader(manifest, self.source_conn_id or manifest.conn_id, self._check_stopped)
            for manifest in self.manifests
        ]
        self._stopped = False
        self._dialect: Dialect | None = None

    def stop(self) -> None:
        """Let nothing be committed any more. Takes no lock, so that it may be called from a signal handler."""
        self._stopped = True
        if self._dialect is not None:
            self._dialect.cancel()

    def run(self, connection: Any) -> Loaded:
        """
        Load.

        :param connection: of the database's driver; it is closed.
        :raises LoadError: when the table is as it was.
        """
        with closing(connection):
            dialect = self._dialect = find_dialect(connection)
            problem: LoadError | StorageError | None
            try:
                return self._run(dialect)
            except (LoadError, StorageError) as error:
                problem = type(error)(str(error), permanent=error.permanent)
            except Exception as error:
                problem = dialect.translate(error, self._all_names)
                if problem is None:
                    raise
            finally:
                dialect.rollback()
        # A new error, out here, so that what it comes from, which may quote a row, goes nowhere with it.
        self._check_stopped()
        raise problem

    def _run(self, dialect: Dialect) -> Loaded:
        dialect.table(self.schema, self.table)  # refuses names that cannot be
        dialect.begin()
        schema = dialect.resolve_schema(self.schema, self.table)
        if schema is None:
            raise LoadError(
                f"there is no schema {self.schema or 'in use'!r} in the database: create it, or name another"
            )
        # Now already: nobody wants to hear of it after the files were loaded.
        self._check_table(dialect, schema)
        files = range(len(self.manifests))
        directly = self.mode == "append" and dialect.appends_directly
        records = [] if directly else [self._fill(dialect, number) for number in files]
        dialect.begin_merging()
        self._lock(dialect, schema)
        if self.create_table and not dialect.columns(schema, self.table):
            dialect.execute(self._create_statement(dialect, schema))
        self._check_table(dialect, schema)
        outdated, deleted = self._delete_windows(dialect, schema) if self.mode == "replace_window" else (set(), 0)
        if directly:
            written = [self._append(dialect, schema, number) for number in files]
            records = [manifest.records for manifest in self.manifests]
        else:
            current = [number for number in files if self.manifests[number].window not in outdated]
            written = [self._merge(dialect, schema, number, records[number]) for number in current]
        self._check_stopped()
        dialect.commit()
        return Loaded(schema=schema, records=sum(records), rows=sum(written), deleted=deleted)

    def _check_arguments(self) -> None:
        if self.mode not in MODES:
            raise LoadError(f"mode is {self.mode!r}, expected {', '.join(MODES)}")
        if not str(self.table).strip():
            raise LoadError("table is blank: name the table, and check the template if there is one")
        if taken := [column.name for column in ADDED if column.name in self._names]:
            raise LoadError(f"the file has columns that the load adds: list it without {', '.join(taken)}")
        if self.mode == "upsert" and not self._key:
            raise LoadError("nothing tells the rows of this file apart: load it with mode='replace_window' or 'append'")
        without = [manifest.uri for manifest in self.manifests if manifest.window is None]
        if self.mode == "replace_window" and without:
            raise LoadError(f"a file was listed without a window: load it with mode='upsert' [{without[0]!r}]")

    def _check_stopped(self) -> None:
        if self._stopped:
            raise LoadError(f"The task was stopped: table {self.table!r} is as it was", permanent=False)

    def _fill(self, dialect: Dialect, number: int) -> int:
        manifest = self.manifests[number]
        stage = dialect.stage(number)
        dialect.make_stage(stage, self._columns)
        with self._readers[number].reading() as reader:
            records = dialect.fill_stage(stage, self._columns, reader)
        _check_records(manifest, records)
        return records

    def _append(self, dialect: Dialect, schema: str, number: int) -> int:
        """Write one file's rows straight to the table, or take the other way where a key comes twice."""
        manifest, table = self.manifests[number], dialect.table(schema, self.table)
        added = [moment.isoformat() if moment else "" for moment in manifest.added]
        with self._readers[number].reading() as reader:
            rows = dialect.append(table, self._all_names, added, reader)
        if rows is None:
            return self._merge(dialect, schema, number, self._fill(dialect, number))
        _check_records(manifest, rows)
        return rows

    def _lock(self, dialect: Dialect, schema: str) -> None:
        if dialect.try_lock(schema, self.table):
            return
        log.info("Waiting for another load of table %s", self.table)
        while not dialect.try_lock(schema, self.table):
            time.sleep(LOCK_INTERVAL)
            self._check_stopped()

    def _create_statement(self, dialect: Dialect, schema: str) -> str:
        parts = [
            f"{dialect.quote(column.name)} {dialect.column_type(column, is_key=column.name in self._key)}"
            for column in self._all_columns
        ]
        if self._key:
            parts.append(f"PRIMARY KEY ({dialect.names(self._key)})")
        return f"CREATE TABLE IF NOT EXISTS {dialect.table(schema, self.table)} ({', '.join(parts)})"

    def _check_table(self, dialect: Dialect, schema: str) -> None:
        """Refuse a table that cannot hold the rows as they are, with the statement that mends it."""
        name = dialect.table(schema, self.table)
        found = {dialect.folded(name): declared for name, declared in dialect.columns(schema, self.table).items()}
        if not found:
            if not self.create_table:
                statement = self._create_statement(dialect, schema)
                raise LoadError(f"there is no table {name}: set create_table=True, or run: {statement}")
            return
        missing = [column for column in self._all_columns if dialect.folded(column.name) not in found]
        if missing:
            # Columns of a key are asked for here without NOT NULL, which rows that are there would not fulfil.
            statements = "; ".join(
                f"ALTER TABLE {name} ADD COLUMN {dialect.quote(one.name)} {dialect.column_type(one, is_key=False)}"
                for one in missing
            )
            raise LoadError(f"table {name} lacks columns of the file; run: {statements}")
        declared = [(column, found[dialect.folded(column.name)]) for column in self._all_columns]
        narrow = [(column, as_what) for column, as_what in declared if not dialect.fits(column, as_what)]
        if narrow:
            columns = ", ".join(
                f"{dialect.quote(column.name)} has to be {dialect.types[column.type]}, and is {as_what}"
                for column, as_what in narrow
            )
            raise LoadError(f"table {name} has columns that cannot hold every value: {columns}")
        keys = [set(map(dialect.folded, key)) for key in dialect.unique_keys(schema, self.table)]
        if self._key and self.mode != "append" and set(map(dialect.folded, self._key)) not in keys:
            statement = dialect.add_key(schema, self.table, self._key)
            raise LoadError(f"table {name} has no key that tells rows apart; run: {statement}")

    def _delete_windows(self, dialect: Dialect, schema: str) -> tuple[set[Window], int]:
        """
        Delete the rows that were listed in the same windows; what is not found again has left.

        :return: the windows that were listed again since, by a run that was faster, whose rows stay; and how many rows
            were deleted.
        """
        manifests = sorted(self.manifests, key=lambda one: one.listed_until)
        ended = {one.window: one.listed_until for one in manifests if one.window}
        outdated: set[Window] = set()
        deleted = 0
        for window, until in ended.items():
            rows = f"FROM {dialect.table(schema, self.table)} WHERE {_listed_in(dialect, window)}"
            listed_later = f"{dialect.quote(LISTED[0])} > {dialect.moment(until)}"
            if dialect.query(f"SELECT 1 {rows} AND {listed_later} LIMIT 1"):
                log.info("Table %s has a later listing of [%s, %s), which stays", self.table, window.start, window.end)
                outdated.add(window)
            else:
                deleted += dialect.execute(f"DELETE {rows}")
        return outdated, deleted

    def _merge(self, dialect: Dialect, schema: str, number: int, records: int) -> int:
        """Write one file's rows to the table; return how many."""
        manifest, stage, table = self.manifests[number], dialect.stage(number), dialect.table(schema, self.table)
        self._check_stopped()
        if not self._key:
            return dialect.execute(self._insert_statement(dialect, table, manifest, stage))
        if self.mode != "append":
            records -= dialect.execute(self._superseded_statement(dialect, stage, table, manifest))
        self._check_stopped()
        key = dialect.names(self._key)
        source = stage
        if dialect.query(f"SELECT 1 FROM {stage} GROUP BY {key} HAVING COUNT(*) > 1 LIMIT 1"):
            source = self._latest(dialect, stage)
            [(records,)] = dialect.query(f"SELECT COUNT(*) FROM {source}")
        insert = self._insert_statement(dialect, table, manifest, source)
        if self.mode != "append":
            insert += " " + dialect.on_conflict(self._key, self._all_names)
        self._check_stopped()
        dialect.execute(insert)
        return int(records)

    def _insert_statement(self, dialect: Dialect, table: str, manifest: FileManifest, source: str) -> str:
        names = dialect.names(self._all_names)
        added = ", ".join(dialect.moment(moment) if moment else "NULL" for moment in manifest.added)
        # WHERE, or SQLite takes the ON of what may follow for that of a join.
        return f"INSERT INTO {table} ({names}) SELECT {dialect.names(self._names)}, {added} FROM {source} WHERE 1 = 1"

    def _latest(self, dialect: Dialect, stage: str) -> str:
        """
        Write where to select the rows of a file from, each key once.

        A sale that moved on while it was listed is there under both statuses: the later one in a sale's life counts,
        and of two that are the same in that, the one that was listed later.
        """
        rank = f"{_rank(dialect, self._status, '')} DESC, " if self._status else ""
        names = dialect.names(self._names)
        return (
            f"(SELECT {names} FROM (SELECT {names}, ROW_NUMBER() OVER "
            f"(PARTITION BY {dialect.names(self._key)} ORDER BY {rank}{dialect.place} DESC) AS hotmart_number "
            f"FROM {stage}) AS numbered WHERE hotmart_number = 1) AS latest"
        )

    def _superseded_statement(self, dialect: Dialect, stage: str, table: str, manifest: FileManifest) -> str:
        """
        Write what drops the rows of a file of which the table has a later state.

        Of two listings one after the other, the later one counts. Where they overlap, the later status in a sale's
        life does, and where that is the same, the one that ended later.
        """
        own = f"{stage.rpartition('.')[2]}."
        since, until = (f"t.{dialect.quote(name)}" for name in LISTED)
        listed_from, listed_until = dialect.moment(manifest.listed_from), dialect.moment(manifest.listed_until)
        overlapping = f"{until} <= {listed_until}"
        if self._status:
            ours, theirs = _rank(dialect, self._status, own), _rank(dialect, self._status, "t.")
            overlapping = f"({ours} > {theirs} OR ({ours} = {theirs} AND {overlapping}))"
        counts = f"{until} IS NULL OR {until} < {listed_from} OR ({since} <= {listed_until} AND {overlapping})"
        same = " AND ".join(f"t.{dialect.quote(name)} = {own}{dialect.quote(name)}" for name in self._key)
        return f"DELETE FROM {stage} WHERE EXISTS (SELECT 1 FROM {table} t WHERE {same} AND NOT ({counts}))"


def _check_records(manifest: FileManifest, records: int) -> None:
    if records != manifest.records:
        raise LoadError(
            "a file has other rows than its manifest says: list it again, and load what that task returns "
            f"[{manifest.uri!r}: {records}, not {manifest.records}]"
        )


def _listed_in(dialect: Dialect, window: Window) -> str:
    start, end = (dialect.quote(name) for name in WINDOW)
    return f"{start} = {dialect.moment(window.start)} AND {end} = {dialect.moment(window.end)}"


def _rank(dialect: Dialect, status: str, prefix: str) -> str:
    cases = " ".join(f"WHEN '{word.value}' THEN {rank}" for rank, words in enumerate(RANKS[status]) for word in words)
    return f"CASE {prefix}{dialect.quote(status)} {cases} ELSE -1 END"
