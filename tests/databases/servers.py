"""Databases of the tests' own, on free ports of this machine, and what is asked of them beside the loader."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from tests.airflow.history import postgres
from tests.support import free_port

#: Seconds that a server may take to start.
LONGEST_START = 60


@dataclass(frozen=True)
class Database:
    """
    One database.

    :param kind: ``postgres``, ``psycopg2`` (PostgreSQL by the older driver), ``mariadb`` or ``sqlite``.
    :param connection: fields of an Airflow connection to it.
    :param connect: connects with the driver that Airflow's hook uses, or with the one that ``kind`` names.
    """

    kind: str
    connection: dict[str, Any]
    connect: Callable[[], Any]

    def quote(self, name: str) -> str:
        """Write a name."""
        return f"`{name}`" if self.kind == "mariadb" else f'"{name}"'

    def run(self, *statements: str) -> None:
        """Run statements, and keep what they did."""
        with closing(self.connect()) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
            connection.commit()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Run a query."""
        with closing(self.connect()) as connection:
            cursor = connection.cursor()
            cursor.execute(query)
            return [tuple(row) for row in cursor.fetchall()]


@contextmanager
def sqlite_database(folder: Path) -> Iterator[Database]:
    """A SQLite file."""
    path = folder / "database.sqlite"
    yield Database("sqlite", {"conn_type": "sqlite", "host": str(path)}, lambda: sqlite3.connect(path))


@contextmanager
def postgres_server() -> Iterator[dict[str, Any]]:
    """A PostgreSQL server; gives the fields of an Airflow connection."""
    with postgres() as url:
        found = make_url(url)
        yield {
            "conn_type": "postgres",
            "host": found.host,
            "port": found.port,
            "login": found.username,
            "schema": found.database,
        }


def postgres_database(connection: dict[str, Any], driver: str) -> Database:
    """
    A database of a PostgreSQL server.

    :param driver: ``psycopg`` or ``psycopg2``.
    """
    parameters = {
        "host": connection["host"],
        "port": connection["port"],
        "user": connection["login"],
        "dbname": connection["schema"],
    }

    def connect() -> Any:
        if driver == "psycopg2":
            import psycopg2

            return psycopg2.connect(**parameters)
        import psycopg

        return psycopg.connect(**parameters)

    return Database("psycopg2" if driver == "psycopg2" else "postgres", connection, connect)


@contextmanager
def mariadb_server() -> Iterator[dict[str, Any]]:
    """A MariaDB server; gives the fields of an Airflow connection."""
    install, server = (
        shutil.which("mariadb-install-db"),
        shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin"),
    )
    if install is None or server is None:
        pytest.skip("MariaDB is not installed: sudo scripts/install-test-servers.sh mariadb")
    if find_spec("MySQLdb") is None:
        pytest.skip("Airflow's MySQL provider is not installed; make test-databases has it")
    user: dict[str, Any] = {}
    folder = Path(tempfile.mkdtemp(prefix="hotmart-mariadb-"))
    if os.geteuid() == 0:
        entry = pwd.getpwnam("mysql")
        user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        shutil.chown(folder, entry.pw_uid, entry.pw_gid)
    data, log = f"--datadir={folder / 'data'}", folder / "log"
    port = free_port()
    try:
        done = subprocess.run(
            [install, "--no-defaults", data, "--auth-root-authentication-method=normal", "--skip-test-db"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=LONGEST_START,
            check=False,
            **user,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    *(server, "--no-defaults", data, f"--port={port}", "--bind-address=127.0.0.1"),
                    *(f"--socket={folder / 'socket'}", f"--pid-file={folder / 'pid'}"),
                    "--innodb-flush-log-at-trx-commit=0",
                ],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **user,
            )
        try:
            connection = {"conn_type": "mysql", "host": "127.0.0.1", "port": port, "login": "root", "schema": "hotmart"}
            _make_database(connection, log)
            yield connection
        finally:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()
            process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_database(connection: dict[str, Any], log: Path) -> None:
    import MySQLdb

    until = time.monotonic() + LONGEST_START
    while True:
        try:
            made = MySQLdb.connect(host=connection["host"], port=connection["port"], user=connection["login"])
        except MySQLdb.OperationalError:
            assert time.monotonic() < until, log.read_text(errors="replace")
            time.sleep(0.1)
            continue
        with closing(made):
            made.cursor().execute("CREATE DATABASE hotmart CHARACTER SET latin1")
        return


def mariadb_database(connection: dict[str, Any]) -> Database:
    """A database of a MariaDB server."""

    def connect() -> Any:
        import MySQLdb

        return MySQLdb.connect(
            host=connection["host"],
            port=connection["port"],
            user=connection["login"],
            database=connection["schema"],
            charset="utf8mb4",
        )

    return Database("mariadb", connection, connect)
