"""A database of each kind that is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.airflow.support import ThrowawayAirflow
from tests.databases.servers import (
    Database,
    mariadb_database,
    mariadb_server,
    postgres_database,
    postgres_server,
    sqlite_database,
)
from tests.databases.support import Loader

#: What Airflow's PostgreSQL hook connects with depends on the versions that are installed.
KINDS = ("sqlite", "psycopg2", "psycopg", "mariadb")


@pytest.fixture(scope="session")
def postgres_connection() -> Iterator[dict[str, Any]]:
    with postgres_server() as connection:
        yield connection


@pytest.fixture(scope="session")
def mariadb_connection() -> Iterator[dict[str, Any]]:
    with mariadb_server() as connection:
        yield connection


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Each database, without any table."""
    if request.param == "sqlite":
        with sqlite_database(tmp_path) as found:
            yield found
    elif request.param == "mariadb":
        found = mariadb_database(request.getfixturevalue("mariadb_connection"))
        found.run("DROP DATABASE hotmart", "CREATE DATABASE hotmart CHARACTER SET latin1")
        yield found
    else:
        pytest.importorskip(request.param)
        found = postgres_database(request.getfixturevalue("postgres_connection"), request.param)
        found.run("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
        yield found


@pytest.fixture
def postgresql(postgres_connection: dict[str, Any]) -> Database:
    """PostgreSQL by the driver that Airflow brings everywhere, without any table."""
    found = postgres_database(postgres_connection, "psycopg2")
    found.run("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return found


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> ThrowawayAirflow:
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base
    return ThrowawayAirflow(Path(shared) / "migrated-airflow", tmp_path_factory.mktemp("loading"))


@pytest.fixture
def loader(database: Database, tmp_path: Path) -> Loader:
    """Loads made-up rows into the database."""
    return Loader(database, tmp_path)
