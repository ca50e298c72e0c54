"""What the sensor and the loader leave behind of people: nothing personal where it was to be hidden."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.airflow.support import ThrowawayAirflow, connection, small_hotmart
from tests.integration.test_personal_data import forms, secrets_of, text_of, words_in

pytestmark = pytest.mark.airflow

KEY = "a key that nobody has"
DAG_FILE = """
from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG
from airflow_provider_hotmart.sensors.sales import HotmartNewSalesParticipantsSensor
from airflow_provider_hotmart.transfers.file_to_sql import HotmartFileToSqlOperator

FOLDER, MODE = {folder!r}, {mode!r}
USUAL = {{
    "transaction_status": "ALL",
    "personal_data": MODE,
    "lookback": timedelta(days=31),
    "poke_interval": 1,
    "timeout": 60,
}}

with DAG("watching", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
    for suffix in ("jsonl", "csv", "parquet"):
        found = HotmartNewSalesParticipantsSensor(
            task_id="into_" + suffix,
            destination=FOLDER + "/new." + suffix,
            ledger=FOLDER + "/" + suffix + "-ledger.json",
            **USUAL,
        )
    HotmartFileToSqlOperator(task_id="load", manifest=found.output, conn_id="warehouse", table="participants")
    HotmartNewSalesParticipantsSensor(task_id="deferred", deferrable=True, **USUAL)
"""


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["pseudonymize", "drop", "keep"])
def test_nothing_personal_shows_in_what_the_sensor_found_nor_in_a_table_of_it(
    airflow: ThrowawayAirflow, tmp_path: Path, mode: str
) -> None:
    warehouse = tmp_path / "warehouse.db"
    with small_hotmart(sales=200) as hotmart:
        secrets = {value: forms(value) for value in secrets_of(hotmart)}
        run = airflow.run(
            DAG_FILE.format(folder=str(tmp_path), mode=mode),
            {"dag_id": "watching"},
            connections={
                "hotmart_default": connection(hotmart, pseudonym_key=KEY),
                "warehouse": {"conn_type": "sqlite", "host": str(warehouse)},
            },
            AIRFLOW__LOGGING__LOGGING_LEVEL="DEBUG",
        )
    assert set(run.states().values()) == {"success"}, run.logs
    with closing(sqlite3.connect(warehouse)) as database:
        rows = database.execute("SELECT * FROM participants").fetchall()
    assert len(rows) == run.task("into_parquet").xcom["records"] > 100
    places = {
        **{path.name: text_of(path) for path in tmp_path.iterdir() if path != warehouse},
        "table": json.dumps(rows, ensure_ascii=False),
        "database": run.database(),
        "logs": run.logs,
    }
    assert {name.rpartition(".")[2] for name in places} == {
        "jsonl",
        "csv",
        "parquet",
        "json",
        "table",
        "database",
        "logs",
    }
    showing = set()
    for name, text in places.items():
        words = words_in(text) | words_in(text.lower())
        if any(not words.isdisjoint(one) for one in secrets.values()) or "@example" in text.lower():
            showing.add(name)
    # What is kept shows that the check finds it, and that ledgers, XComs and logs have nobody in them all the same.
    assert showing == ({"new.jsonl", "new.csv", "new.parquet", "table"} if mode == "keep" else set())
    # Airflow's own supervisor logs at this level what it is told to mask.
    assert KEY not in "".join(text for name, text in places.items() if name != "logs")
