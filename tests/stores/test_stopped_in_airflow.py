"""In a real Airflow: a task that is marked failed while its file is on the way to a store leaves nothing anywhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_hotmart.emulator import HotmartEmulator
from tests.airflow.components import Components
from tests.airflow.support import connection
from tests.airflow.test_stopped_tasks import has_ended
from tests.stores.support import Store
from tests.stores.test_record_files import check_taken_back, is_upload

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

#: The sensor keeps its ledger beside the file.
DAGS = """
    import os
    from datetime import UTC, datetime
    from pathlib import Path

    from airflow.sdk import DAG
    from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator
    from airflow_provider_hotmart.sensors.sales import HotmartNewSalesParticipantsSensor

    common = {{
        "task_id": "task",
        "destination_conn_id": "{conn_id}",
        "pre_execute": lambda context: Path("{folder}", context["dag"].dag_id + ".pid").write_text(str(os.getpid())),
    }}

    with DAG("operator", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=None):
        HotmartListSalesParticipantsOperator(
            sales_start_date="{start}",
            sales_end_date="{end}",
            destination="{folder_url}/operator.jsonl",
            **common,
        )

    with DAG("sensor", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=None):
        HotmartNewSalesParticipantsSensor(
            destination="{folder_url}/sensor.jsonl",
            ledger="{folder_url}/ledger.json",
            ledger_conn_id="{conn_id}",
            **common,
        )
"""
#: So many that S3 and Azure are sent several parts.
SALES = 76_000
#: Longer than Airflow takes to tell a task that it was marked failed.
TOLD_AFTER = 60


@pytest.fixture(scope="module")
def airflow(running: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Components]:
    """An Airflow whose tasks write many sales to the store."""
    now, home = datetime.now(UTC), tmp_path_factory.mktemp("components")
    dags = DAGS.format(
        start=(now - timedelta(days=7)).isoformat(),
        end=now.isoformat(),
        folder_url=running.url("sales"),
        conn_id=running.conn_id,
        folder=home,
    )
    with HotmartEmulator(sales=SALES, days=6, statuses=["COMPLETE"], rate_limit=None) as hotmart:
        connections = {"hotmart_default": connection(hotmart), **running.connections()}
        with Components(home, {"dags_under_test.py": dags}, connections) as components:
            yield components


@pytest.mark.parametrize("task", ["operator", "sensor"])
def test_a_task_that_is_marked_failed_during_its_upload_publishes_and_records_nothing(
    remote: Store, airflow: Components, task: str
) -> None:
    key = f"sales/{task}.jsonl"
    remote.put(key, b"as it was")
    assert remote.gate is not None
    parts: list[str] = []
    released = False

    def passing(method: str, path: str) -> None:
        # Not the lock of the ledger, which is there for the time of the upload.
        if is_upload(method, path) and key in path:
            parts.append(path)
            until = time.monotonic() + TOLD_AFTER
            while len(parts) >= 2 and not released and time.monotonic() < until:
                time.sleep(0.1)

    remote.gate.passing = passing
    airflow.wait_for(lambda: airflow.rows(f"SELECT 1 FROM dag WHERE dag_id = '{task}'"))
    run = {"dag_run_id": "run", "logical_date": datetime.now(UTC).isoformat()}
    airflow.call("POST", f"dags/{task}/dagRuns", run)
    airflow.wait_for(lambda: len(parts) >= 2)
    airflow.call("PATCH", f"dags/{task}/dagRuns/run/taskInstances/task", {"new_state": "failed"})
    airflow.wait_for(lambda: has_ended(int((airflow.home / f"{task}.pid").read_text())))
    released = True
    assert airflow.state(task) == "failed"
    assert airflow.rows(f"SELECT key FROM xcom WHERE dag_id = '{task}' AND key = 'return_value'") == []
    assert remote.content() == {key: b"as it was"}, "neither the file nor a ledger or its lock"
    check_taken_back(remote, SALES)
