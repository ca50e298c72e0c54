"""A sensor in a real Airflow that records whom it reports, and fails before anybody downstream sees it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hotmart.emulator import HotmartEmulator
from tests.airflow.support import AirflowRun, ThrowawayAirflow, connection, small_hotmart

pytestmark = pytest.mark.airflow

DAGS = """
from datetime import UTC, datetime
from airflow.providers.common.compat.sdk import DAG, AirflowFailException
from airflow_provider_hotmart.sensors.sales import HotmartNewSalesParticipantsSensor

class Sensor(HotmartNewSalesParticipantsSensor):
    def execute(self, context):
        found = super().execute(context)
        if (context["dag_run"].conf or {{}}).get("end") == "failed":
            raise AirflowFailException("as if it had been killed")
        return found

for name, ledger in (("xcoms", "xcom"), ("file", {ledger!r})):
    with DAG(name, start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=None, catchup=False):
        Sensor(task_id="new_people", ledger=ledger, poke_interval=0.05, timeout=1, roles="BUYER")
    with DAG("mapped_" + name, start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=None, catchup=False):
        Sensor.partial(task_id="new_people", ledger=ledger, poke_interval=0.05, timeout=1).expand(roles=["BUYER"])
"""


@pytest.fixture
def hotmart() -> Any:
    with small_hotmart(sales=0) as emulator:
        yield emulator


def reported(run: AirflowRun, dag_id: str) -> list[tuple[str, list[str]]]:
    """State of the task and transactions of each run that came to an end, by logical date."""
    rows = run._rows(
        "SELECT ti.run_id, ti.state, xcom.value FROM task_instance ti LEFT JOIN xcom ON xcom.dag_id = ti.dag_id AND "
        "xcom.run_id = ti.run_id AND xcom.task_id = ti.task_id AND xcom.map_index = ti.map_index AND "
        f"xcom.key = 'return_value' WHERE ti.dag_id = '{dag_id}' ORDER BY ti.run_id"
    )
    found = []
    for _, state, value in rows:
        for _ in range(2):
            value = json.loads(value) if isinstance(value, (str, bytes)) else value
        found.append((state, sorted(value["transactions"]) if value else []))
    return found


@pytest.mark.parametrize("dag", ["xcoms", "file", "mapped_xcoms", "mapped_file"])
def test_whom_a_failed_run_recorded_is_reported_by_the_next_one(
    airflow: ThrowawayAirflow, hotmart: HotmartEmulator, tmp_path: Path, dag: str
) -> None:
    codes = sorted(hotmart.add_sale().transaction for _ in range(2))
    runs = [
        {"dag_id": dag, "logical_date": f"2026-03-0{day}T00:00:00+00:00", "conf": {"end": end}}
        for day, end in enumerate(("failed", "failed", "success", "success"), start=1)
    ]
    run = airflow.run(
        DAGS.format(ledger=str(tmp_path / "ledger.json")),
        *runs,
        connections={"hotmart_default": connection(hotmart)},
    )
    assert reported(run, dag) == [("failed", codes), ("failed", codes), ("success", codes), ("failed", [])]
