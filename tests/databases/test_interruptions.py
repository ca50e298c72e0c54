"""A load that is killed, stopped, or not the only one leaves a table that is right."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hotmart.transfers import dialects, loading
from airflow_provider_hotmart.transfers.loading import TableLoad
from airflow_provider_hotmart.transfers.manifest import LoadError, parse_manifests
from tests.databases.servers import Database
from tests.databases.support import COLUMNS, Loader, another_transaction, row, write

ROOT = Path(__file__).resolve().parents[2]
#: Loads a manifest in a process of its own, and kills it where it is told to, as a power cut would.
KILLED = """
import json, os, signal, sys
from pathlib import Path
from airflow_provider_hotmart.transfers.loading import TableLoad
from airflow_provider_hotmart.transfers.manifest import parse_manifests
from tests.databases import servers

job = json.loads(sys.stdin.read())
kind, connection = job["kind"], job["connection"]
if kind == "sqlite":
    import sqlite3
    connect = lambda: sqlite3.connect(connection["host"])
elif kind == "mariadb":
    connect = servers.mariadb_database(connection).connect
else:
    connect = servers.postgres_database(connection, "psycopg2" if kind == "psycopg2" else "psycopg").connect

calls = 0
def kill_before(owner, name):
    original = getattr(owner, name)
    def replaced(self, *arguments):
        global calls
        calls += 1
        if calls == job["call"]:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, *arguments)
    setattr(owner, name, replaced)

from airflow_provider_hotmart.transfers import dialects
for dialect in (dialects.Postgres, dialects.MySql, dialects.Sqlite):
    kill_before(dialect, "commit") if job["at"] == "commit" else None
kill_before(TableLoad, "_check_stopped") if job["at"] == "check" else None
load = TableLoad(parse_manifests(job["manifest"]), table="participants", schema=None, create_table=True,
                 mode=job["mode"], source_conn_id=None)
load.run(connect())
"""


def kill(database: Database, manifest: Any, mode: str, at: str, call: int) -> int:
    """Load in a process that is killed; return its exit code."""
    connection = database.connection
    job = {"kind": database.kind, "connection": connection, "manifest": manifest, "mode": mode, "at": at, "call": call}
    done = subprocess.run(
        [sys.executable, "-c", KILLED],
        input=json.dumps(job),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


@pytest.mark.slow
def test_a_load_that_is_killed_leaves_the_table_as_it_was(loader: Loader, database: Database) -> None:
    loader.load(loader.file(*map(row, range(1000))))
    before = loader.read(*COLUMNS)
    later = {"listed_from": "2025-03-03T06:00:00+00:00", "listed_until": "2025-03-03T06:01:00+00:00"}
    changed = [row(number, transaction_status="REFUNDED") for number in range(500, 3500)]
    manifest = loader.file(*changed, **later)
    # Replacing a window does what upserting does, and more.
    for mode, rows in (("replace_window", manifest), ("append", loader.file(*changed[500:], **later))):
        # Once while the file is read, and once when all is done but for the last word.
        for at in ("check", "commit"):
            assert kill(database, rows, mode, at, 1) == -signal.SIGKILL
            assert loader.read(*COLUMNS) == before
    # Nothing is left that would keep the next one out.
    loaded = loader.load(manifest, mode="replace_window")
    assert loaded.rows == 3000
    assert len(loader.statuses()) == 3000


def test_without_the_kill_the_same_process_would_have_loaded(loader: Loader, database: Database) -> None:
    assert kill(database, loader.file(row(1)), "upsert", "commit", 99) == 0
    assert len(loader.statuses()) == 1


@pytest.mark.parametrize("mode", ["upsert", "replace_window"])
def test_two_loads_at_once_into_a_table_that_is_not_there_yet_leave_one_right_state(
    loader: Loader, database: Database, mode: str
) -> None:
    listings = [
        ("2025-03-02T06:00:00+00:00", "2025-03-02T06:01:00+00:00", "APPROVED"),
        ("2025-03-02T07:00:00+00:00", "2025-03-02T07:01:00+00:00", "COMPLETE"),
        ("2025-03-02T08:00:00+00:00", "2025-03-02T08:01:00+00:00", "REFUNDED"),
    ]
    files = [
        loader.file(
            *(row(number, transaction_status=status) for number in range(1500)), listed_from=begin, listed_until=end
        )
        for begin, end, status in listings
    ]
    barrier = threading.Barrier(len(files))
    problems: list[BaseException] = []

    def load(manifest: Any) -> None:
        try:
            barrier.wait(30)
            loader.load(manifest, mode=mode)
        except BaseException as problem:  # noqa: BLE001 - looked at below
            problems.append(problem)

    threads = [threading.Thread(target=load, args=(manifest,)) for manifest in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert problems == []
    statuses = loader.statuses()
    assert len(statuses) == 1500
    # The last listing counts, whichever is loaded last.
    assert set(statuses.values()) == {"REFUNDED"}


def stop_when(load: TableLoad, condition: Callable[[], bool]) -> threading.Thread:
    """Stop a load from another thread, as on_kill does from a signal handler."""

    def run() -> None:
        until = time.monotonic() + 60
        while not condition() and time.monotonic() < until:
            time.sleep(0.005)
        load.stop()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def make_load(manifest: Any, mode: str = "upsert") -> TableLoad:
    return TableLoad(
        parse_manifests(manifest), table="participants", schema=None, create_table=True, mode=mode, source_conn_id=None
    )


def test_a_load_that_is_stopped_leaves_the_table_as_it_was(loader: Loader, database: Database) -> None:
    loader.load(loader.file(row(1)))
    load = make_load(loader.file(*map(row, range(20_000))))
    thread = stop_when(load, lambda: load._dialect is not None)
    with pytest.raises(LoadError, match="The task was stopped: table 'participants' is as it was") as caught:
        load.run(database.connect())
    thread.join()
    assert not caught.value.permanent
    assert len(loader.statuses()) == 1


def test_a_load_that_is_stopped_sends_no_further_rows_where_the_database_lets_nobody_interrupt_it(
    tmp_path: Path,
) -> None:
    load = make_load(write(tmp_path / "file.csv", [*map(row, range(20_000))]))
    sent: list[int] = []

    class Cursor(sqlite3.Cursor):
        def executemany(self, statement: str, rows: Any) -> Any:
            sent.append(len(rows))
            load.stop()  # nothing runs, so nothing is interrupted
            return super().executemany(statement, rows)

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

    with pytest.raises(LoadError, match="The task was stopped"):
        load.run(sqlite3.connect(":memory:", factory=Connection))
    assert sent == [1000]


def test_a_load_that_waits_for_another_one_says_so_and_can_be_stopped(
    loader: Loader, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    loader.load(loader.file(row(1)))
    held = threading.Event()
    release = threading.Event()

    def hold() -> None:
        dialect = dialects.find_dialect(database.connect())
        dialect.begin()
        schema = dialect.resolve_schema(None, "participants")
        dialect.begin_merging()
        assert schema is not None
        assert dialect.try_lock(schema, "participants")
        held.set()
        release.wait(60)
        dialect.rollback()
        dialect.connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(30)
    load = make_load(loader.file(row(2)))
    with caplog.at_level("INFO", logger=loading.__name__):
        thread = stop_when(load, lambda: "Waiting for another load" in caplog.text)
        with pytest.raises(LoadError, match="The task was stopped"):
            load.run(database.connect())
    thread.join()
    release.set()
    holder.join()
    loader.load(loader.file(row(2)))
    assert len(loader.statuses()) == 2


def test_a_lost_connection_may_pass(loader: Loader, database: Database) -> None:
    if database.kind not in ("psycopg2", "postgres"):
        pytest.skip("a session is ended from outside on PostgreSQL")
    loader.load(loader.file(row(1)))
    load = make_load(loader.file(row(2)))
    connection = database.connect()

    def end_who_waits() -> None:
        until = time.monotonic() + 100
        while not database.rows(END_OTHERS) and time.monotonic() < until:
            time.sleep(0.1)

    with another_transaction(database, "LOCK TABLE participants"):
        ending = threading.Thread(target=end_who_waits)
        ending.start()
        with pytest.raises(LoadError, match="run it again") as caught:
            load.run(connection)
        ending.join()
        with suppress(Exception):
            connection.close()
    assert not caught.value.permanent
    assert len(loader.statuses()) == 1


END_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND wait_event_type = 'Lock'"
)
