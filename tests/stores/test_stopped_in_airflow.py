"""In a real Airflow: a task that is marked failed while its file is on the way to a store publishes nothing."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_hotmart.emulator import HotmartEmulator
from tests.airflow.components import Components
from tests.airflow.support import connection
from tests.airflow.test_stopped_tasks import has_ended
from tests.stores.support import Store
from tests.stores.test_record_files import check_taken_back, is_upload

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DAGS = """
    import os
    from datetime import UTC, datetime
    from pathlib import Path

    from airflow.sdk import DAG
    from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator

    with DAG("upload", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=None):
        HotmartListSalesParticipantsOperator(
            task_id="task",
            sales_start_date="{start}",
            sales_end_date="{end}",
            destination="{url}",
            destination_conn_id="{conn_id}",
            pre_execute=lambda _: Path("{folder}", "task.pid").write_text(str(os.getpid())),
        )
"""
#: So many that S3 and Azure are sent several parts.
SALES = 34_000
#: Longer than Airflow takes to tell a task that it was marked failed.
TOLD_AFTER = 60


def test_a_task_that_is_marked_failed_during_its_upload_publishes_nothing(
    remote: Store, key: str, tmp_path: Path
) -> None:
    remote.put(key, b"as it was")
    assert remote.gate is not None
    now = datetime.now(UTC)
    parts: list[str] = []
    released = False

    def passing(method: str, path: str) -> None:
        if is_upload(method, path):
            parts.append(path)
            until = time.monotonic() + TOLD_AFTER
            while len(parts) == 2 and not released and time.monotonic() < until:
                time.sleep(0.1)

    remote.gate.passing = passing
    with HotmartEmulator(sales=SALES, days=6, statuses=["COMPLETE"], rate_limit=None) as hotmart:
        dags = DAGS.format(
            start=(now - timedelta(days=7)).isoformat(),
            end=now.isoformat(),
            url=remote.url(key),
            conn_id=remote.conn_id,
            folder=tmp_path,
        )
        connections = {"hotmart_default": connection(hotmart), **remote.connections()}
        with Components(tmp_path, {"dags_under_test.py": dags}, connections) as airflow:
            airflow.wait_for(lambda: airflow.rows("SELECT 1 FROM dag WHERE dag_id = 'upload'"))
            airflow.call("POST", "dags/upload/dagRuns", {"dag_run_id": "run", "logical_date": now.isoformat()})
            airflow.wait_for(lambda: len(parts) == 2)
            airflow.call("PATCH", "dags/upload/dagRuns/run/taskInstances/task", {"new_state": "failed"})
            airflow.wait_for(lambda: has_ended(int((tmp_path / "task.pid").read_text())))
            released = True
            assert airflow.state("upload") == "failed"
    assert len(parts) == 2
    assert remote.content() == {key: b"as it was"}
    check_taken_back(remote, SALES)
