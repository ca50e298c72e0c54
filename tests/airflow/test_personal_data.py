"""What tasks leave behind of people: nothing personal where it was to be hidden, nor in logs and lineage."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from fnmatch import fnmatch
from pathlib import Path

import pytest

from airflow_provider_hotmart.api.endpoints.sales import SALES_PARTICIPANTS
from airflow_provider_hotmart.sensors.sales import HotmartNewSalesParticipantsSensor
from tests.airflow.support import ThrowawayAirflow, connection, small_hotmart
from tests.airflow.test_secrets import forms as encodings
from tests.airflow.test_secrets import without_supervisor
from tests.integration.test_endpoints_operators import OPERATORS, asked
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


SOMEBODY = "Zoraide.Inconfundivel@example.com"
LINEAGE = """
from datetime import UTC, datetime
from importlib import import_module

from airflow.providers.common.compat.sdk import DAG

with DAG("lineage", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), default_args={{"retries": 0}}):
    for (module, name), arguments in {tasks!r}:
        getattr(import_module(module), name)(**arguments)
"""


@pytest.mark.slow
def test_whom_a_task_asks_for_is_in_no_log_and_not_told_to_open_lineage(
    airflow: ThrowawayAirflow, tmp_path: Path
) -> None:
    with small_hotmart(products=20, sales=200) as hotmart:
        sale = hotmart.add_sale(buyer={"name": SOMEBODY, "email": SOMEBODY}, affiliate=True)
        [affiliate] = [one["user"]["name"] for one in sale.participants if one["role"] == "AFFILIATE"]
        tasks = [
            (task, task.endpoint, {"task_id": name, **asked(task.endpoint, hotmart)})
            for name, task in OPERATORS.items()
        ]
        sensor = {"task_id": "sensor", "poke_interval": 1, "timeout": 60}
        tasks.append((HotmartNewSalesParticipantsSensor, SALES_PARTICIPANTS, sensor))
        for _, endpoint, arguments in tasks:
            arguments["destination"] = f"{tmp_path}/{arguments['task_id']}.jsonl"
            # The sensor has to find the sale.
            values = {"affiliate_name": affiliate if arguments is sensor else SOMEBODY}
            arguments |= {one.name: values.get(one.name, SOMEBODY) for one in endpoint.filters if one.personal}
        told = tmp_path / "open-lineage.json"
        run = airflow.run(
            LINEAGE.format(tasks=[((task.__module__, task.__name__), arguments) for task, _, arguments in tasks]),
            "lineage",
            connections={"hotmart_default": connection(hotmart)},
            AIRFLOW__LOGGING__LOGGING_LEVEL="DEBUG",
            AIRFLOW__OPENLINEAGE__TRANSPORT=json.dumps({"type": "file", "log_file_path": str(told), "append": True}),
        )
        sent = [(call.path, name) for call in hotmart.calls for name in call.params if SOMEBODY in call.params[name]]
    assert set(run.states().values()) == {"success"}, run.logs
    for _, endpoint, _ in tasks:
        personal = {one.sent_as for one in endpoint.filters if one.personal}
        assert personal <= {name for path, name in sent if fnmatch(path, re.sub(r"{\w+}", "*", endpoint.path))}
    events = told.read_text(encoding="utf-8")
    seen = {(event["job"]["name"], event["eventType"]) for event in map(json.loads, events.splitlines())}
    names = [f"lineage.{arguments['task_id']}" for *_, arguments in tasks]
    assert {(name, event) for name in names for event in ("START", "COMPLETE")} <= seen
    for form in {*encodings(SOMEBODY), *encodings(affiliate)}:
        assert form not in events
        assert form not in without_supervisor(run.logs)
