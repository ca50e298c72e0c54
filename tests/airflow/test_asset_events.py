"""API servers that share a PostgreSQL add each delivery once, and queue its DAG whatever the scheduler does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from tests.airflow.history import migrate, postgres
from tests.airflow.support import HAS_SUPERVISOR, LONGEST, python

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.slow,
    pytest.mark.skipif(not HAS_SUPERVISOR, reason="only Airflow 3 receives webhooks"),
]

ANY = "hotmart://webhooks/hotmart_default"
DAG = f"""
from datetime import UTC, datetime
from airflow.sdk import DAG, Asset

with DAG("on_webhooks", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=[Asset("{ANY}")]):
    pass
"""
STORE_DAG = """
    from pathlib import Path
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.utils.session import create_session
    from tests.airflow.versions import stored_bag

    with create_session() as session:
        DagBundlesManager().sync_bundles_to_db(session=session)
    assert stored_bag(Path({folder!r}), "dags-folder").dag_ids == ["on_webhooks"]
"""
#: Each has a memory and locks of its own, as have processes; what they share is the database.
STORE = """
    import threading
    from airflow_provider_hotmart.webhooks.asset_events import AssetEvents
    from airflow_provider_hotmart.webhooks.delivery import Delivery

    deliveries = [Delivery(id=f"{name}-{{number:04}}", event="PURCHASE_APPROVED") for number in range({deliveries})]
    servers = [AssetEvents() for _ in range({servers})]
    together = threading.Barrier(len(servers))

    def store(server):
        for delivery in deliveries:
            together.wait()
            server.store("hotmart_default", delivery)

    threads = [threading.Thread(target=store, args=[server]) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


class Database:
    """
    A database of Airflow with a DAG that waits for webhooks, and nothing that runs.

    :param home: of Airflow.
    :param url: SQLAlchemy's.
    """

    def __init__(self, home: Path, url: str) -> None:
        self.engine = sqlalchemy.create_engine(url)
        self._home = home
        self._variables = {
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
        }

    def store_dag(self) -> None:
        (self._home / "dags").mkdir()
        (self._home / "dags" / "dags_under_test.py").write_text(DAG, encoding="utf-8")
        python(self._home, STORE_DAG.format(folder=str(self._home / "dags")), **self._variables)

    def store(self, name: str, deliveries: int = 1, servers: int = 1) -> None:
        """Have each API server store the same deliveries, at the same time."""
        python(self._home, STORE.format(name=name, deliveries=deliveries, servers=servers), **self._variables)

    def rows(self, query: str) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(sqlalchemy.text(query)))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    pytest.importorskip("psycopg2")
    home = tmp_path_factory.mktemp("airflow")
    with postgres() as url:
        migrate(home, url)
        made = Database(home, url)
        made.store_dag()
        yield made
        made.engine.dispose()


def test_what_several_api_servers_get_at_the_same_moment_is_one_event(database: Database) -> None:
    database.store("at-once", deliveries=50, servers=3)
    for uri in (ANY, f"{ANY}/PURCHASE_APPROVED"):
        [[events, ids]] = database.rows(
            "SELECT count(*), count(DISTINCT asset_event.extra ->> 'id') FROM asset_event "
            f"JOIN asset ON asset.id = asset_event.asset_id WHERE asset.uri = '{uri}' "
            "AND asset_event.extra ->> 'id' LIKE 'at-once%'"
        )
        assert (events, ids) == (50, 50)


def test_a_dag_is_queued_anew_when_the_scheduler_makes_a_run_at_that_moment(database: Database) -> None:
    database.store("before")
    [[before]] = database.rows("SELECT created_at FROM asset_dag_run_queue")
    with ThreadPoolExecutor() as pool:
        with database.engine.begin() as scheduler:
            scheduler.execute(sqlalchemy.text("SELECT * FROM asset_dag_run_queue FOR UPDATE"))
            storing = pool.submit(database.store, "meanwhile")
            waiting = "SELECT * FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            until = time.monotonic() + LONGEST
            while not database.rows(waiting) and not storing.done() and time.monotonic() < until:
                time.sleep(0.1)
            scheduler.execute(sqlalchemy.text("DELETE FROM asset_dag_run_queue"))
        storing.result()
    [[event]] = database.rows("SELECT max(timestamp) FROM asset_event")
    [[anew]] = database.rows("SELECT created_at FROM asset_dag_run_queue")
    assert before < event <= anew
