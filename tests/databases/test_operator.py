"""The operator, run by Airflow with its connections and templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_hotmart.transfers.file_to_sql import HotmartFileToSqlOperator
from airflow_provider_hotmart.transfers.manifest import LoadError
from tests.airflow.support import ThrowawayAirflow, connected, execute
from tests.databases.servers import Database
from tests.databases.support import COLUMNS, Loader, row

DAGS = """
    from datetime import UTC, datetime, timedelta

    try:
        from airflow.sdk import DAG, task
    except ImportError:
        from airflow import DAG
        from airflow.decorators import task

    from airflow_provider_hotmart.transfers.file_to_sql import HotmartFileToSqlOperator

    with DAG("loading", schedule=None, start_date=datetime(2025, 1, 1, tzinfo=UTC), default_args={"retries": 3}):

        @task
        def files(dag_run=None):
            return dag_run.conf["files"]

        written = files()
        together = HotmartFileToSqlOperator(
            task_id="together", manifest=written, conn_id="{{ 'ware' ~ 'house' }}", table="together"
        )
        each = HotmartFileToSqlOperator.partial(task_id="each", conn_id="warehouse", table="each_file").expand(
            manifest=written
        )
        text = HotmartFileToSqlOperator(
            task_id="text",
            manifest="{{ ti.xcom_pull(task_ids='files')[0] }}",
            conn_id="warehouse",
            table="of_{{ ti.task_id }}",
            mode="{{ 'replace_window' }}",
        )
        nothing = HotmartFileToSqlOperator(
            task_id="nothing", manifest="{{ ti.xcom_pull(task_ids='nobody') }}", conn_id="warehouse", table="nothing"
        )
        written >> [text, nothing]
"""


@pytest.mark.airflow
@pytest.mark.slow
def test_airflow_loads_what_tasks_return(
    airflow: ThrowawayAirflow, loader: Loader, database: Database, tmp_path: Path
) -> None:
    if database.kind == "psycopg2":
        pytest.skip("which driver of PostgreSQL is used is the choice of Airflow's hook")
    files = [loader.file(row(1), row(2)), loader.file(row(3), suffix=".jsonl")]
    connections = {"warehouse": database.connection}
    run = airflow.run(DAGS, {"dag_id": "loading", "conf": {"files": files}}, connections=connections)
    assert run.states() == {
        "files": "success",
        "together": "success",
        "each[0]": "success",
        "each[1]": "success",
        "text": "success",
        "nothing": "failed",
    }, run.logs
    loaded = run.task("together").xcom
    assert loaded.pop("schema") in ("main", "public", "hotmart")
    assert loaded == {"table": "together", "mode": "upsert", "records": 3, "rows": 3, "deleted": 0}
    for table, rows in {"together": 3, "each_file": 3, "of_text": 2}.items():
        assert len(loader.statuses(table)) == rows
    # Repeating it would not help, so it was not repeated.
    assert run.task("nothing").tries == 1
    assert "Person" not in run.logs


def test_the_operator_that_was_killed_before_it_began_loads_nothing(loader: Loader, database: Database) -> None:
    with connected(database.connection, "warehouse"):
        load = HotmartFileToSqlOperator(
            task_id="load", manifest=loader.file(row(1)), conn_id="warehouse", table="participants"
        )
        load.on_kill()
        with pytest.raises(LoadError, match="The task was stopped"):
            execute(load)


def test_a_connection_that_is_not_there_or_has_no_hook_fails_without_retries(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_UNKNOWN", '{"conn_type": "unknown"}')
    for conn_id, message in (
        ("nowhere", "there is no connection 'nowhere': add it in Airflow, or correct conn_id"),
        ("unknown", "connection 'unknown' has no hook: install Airflow's provider of its database"),
    ):
        load = HotmartFileToSqlOperator(
            task_id="load", manifest=loader.file(row(1)), conn_id=conn_id, table="participants"
        )
        with pytest.raises(AirflowFailException, match=message):
            execute(load)


def test_open_lineage_is_told_of_files_and_the_table(loader: Loader, database: Database) -> None:
    from airflow.providers.openlineage.extractors.base import DefaultExtractor

    files = [loader.file(row(1), row(2)), loader.file(row(3), suffix=".parquet")]
    with connected(database.connection, "warehouse"):
        load = HotmartFileToSqlOperator(task_id="load", manifest=files, conn_id="warehouse", table="participants")
        assert DefaultExtractor(load).extract_on_complete(None) is None
        schema = execute(load)["schema"]
        told: Any = DefaultExtractor(load).extract_on_complete(None)
    assert [(one.namespace, one.name) for one in told.inputs] == [("file", one["uri"]) for one in files]
    [written] = told.outputs
    host, port = (database.connection.get(name) for name in ("host", "port"))
    table = f"{schema}.participants"
    assert (written.namespace, written.name) == {
        "sqlite": (f"sqlite://{host}", table),
        "mariadb": (f"mysql://{host}:{port}", table),
    }.get(database.kind, (f"postgres://{host}:{port}", f"{database.connection.get('schema')}.{table}"))
    fields = [(one.name, one.type) for one in written.facets["schema"].fields]
    assert fields[: len(COLUMNS)] == list(COLUMNS.items())
    assert {name for name, _ in fields} >= {name for (name,) in columns_of(database)} != set()
    assert written.outputFacets["outputStatistics"].rowCount == 3


def columns_of(database: Database) -> list[tuple[Any, ...]]:
    if database.kind == "sqlite":
        return database.rows("SELECT name FROM pragma_table_info('participants')")
    return database.rows("SELECT column_name FROM information_schema.columns WHERE table_name = 'participants'")


def test_a_connection_of_another_kind_is_refused(loader: Loader) -> None:
    from airflow_provider_hotmart.transfers.dialects import find_dialect

    with pytest.raises(LoadError, match="loads into PostgreSQL, MySQL, MariaDB and SQLite"):
        find_dialect(loader)
