"""What a written file is told of: single facts as XComs, the events of assets, and lineage."""

from __future__ import annotations

import csv
import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Asset, AssetAlias

from airflow_provider_hotmart.operators.products import HotmartListProductsOperator
from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator
from tests.airflow.support import ThrowawayAirflow, connected, connection, execute, small_hotmart
from tests.airflow.versions import LINE

pytestmark = pytest.mark.airflow

DAG_FILE = """
from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Asset, task
from airflow_provider_hotmart.operators.products import HotmartListProductsOperator
from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator
from airflow_provider_hotmart.sensors.sales import HotmartNewSalesParticipantsSensor

FOLDER = {folder!r}


@task
def told(uri, records, columns):
    return [uri, records, columns]


with DAG("files", schedule=None, start_date=datetime(2020, 1, 1, tzinfo=UTC)):
    products = HotmartListProductsOperator(
        task_id="products", destination=FOLDER + "/a.parquet", outlets=[Asset("file://" + FOLDER + "/a.parquet")]
    )
    told(products.output["uri"], products.output["records"], products.output["columns"])
    HotmartListSalesParticipantsOperator(
        task_id="templated",
        destination=FOLDER + "/templated.csv",
        personal_data="{{{{ params.mode }}}}",
        pseudonymize_ucode="{{{{ params.ucode }}}}",
        escape_formulas="{{{{ params.ucode }}}}",
        sales_start_date="2026-03-01",
        sales_end_date="2026-03-15",
        params={{"mode": "pseudonymize", "ucode": True}},
    )
    found = HotmartNewSalesParticipantsSensor(
        task_id="found",
        lookback=timedelta(days=365),
        destination=FOLDER + "/new.csv",
        personal_data="pseudonymize",
        outlets=[Asset("file://" + FOLDER + "/new.csv")],
        poke_interval=1,
        timeout=60,
    )
    told.override(task_id="told_of_found")(found.output["uri"], found.output["records"], found.output["columns"])
"""


def test_other_tasks_and_the_events_of_assets_are_told_of_a_file(airflow: ThrowawayAirflow, tmp_path: Path) -> None:
    with small_hotmart() as hotmart:
        key = {"pseudonym_key": "a key that nobody has"}
        run = airflow.run(
            DAG_FILE.format(folder=str(tmp_path)),
            {"dag_id": "files"},
            connections={"hotmart_default": connection(hotmart, **key)},
        )
    assert set(run.states().values()) == {"success"}
    # Airflow 3.0 fails a task that pushes null.
    assert [key for key, value in run._rows("SELECT key, value FROM xcom") if value in ("null", b"null", None)] == []
    for task, told, name in (("products", "told", "a.parquet"), ("found", "told_of_found", "new.csv")):
        manifest = run.task(task).xcom
        assert run.task(told).xcom == [f"{tmp_path}/{name}", manifest["records"], manifest["columns"]]
        assert manifest["records"] > 0
        if LINE < (3, 0):
            continue  # `dag.test()` of Airflow 2 records no events; the next test sees what it would record
        [(text,)] = run._rows(f"SELECT extra FROM asset_event WHERE source_task_id = '{task}'")
        extra = json.loads(text)
        assert {name: extra[name] for name in manifest} == manifest
    key_columns = run.task("found").xcom["primary_key"]
    assert key_columns == ["transaction", "product_id", "role", "user_key"]
    with (tmp_path / "new.csv").open(encoding="utf-8", newline="") as file:
        keys = [tuple(row[name] for name in key_columns) for row in csv.DictReader(file)]
    assert len(set(keys)) == len(keys)
    assert all(map(all, keys))
    assert "@example" not in (tmp_path / "new.csv").read_text() + (tmp_path / "templated.csv").read_text()
    assert run.task("templated").rendered["pseudonymize_ucode"] == "True"
    # At DEBUG, Airflow 3.0 logs what it is told to mask.
    assert [line for line in run.logs.splitlines() if key["pseudonym_key"] in line and "MaskSecret" not in line] == []


def test_the_events_of_assets_are_told_on_every_airflow(hotmart: Any, tmp_path: Path) -> None:
    accessors = "airflow.utils.context" if LINE < (3, 0) else "airflow.sdk.execution_time.context"
    events = importlib.import_module(accessors).OutletEventAccessors()
    assets = [Asset("file:///a.jsonl"), Asset("file:///b.jsonl"), AssetAlias("an alias")]
    task = HotmartListProductsOperator(task_id="products", destination=f"{tmp_path}/a.jsonl", outlets=assets)
    manifest = type(task).execute.__wrapped__(task, {"outlet_events": events})
    assert [events[asset].extra for asset in assets[:2]] == [manifest, manifest]


@pytest.fixture
def hotmart() -> Any:
    with small_hotmart() as emulator, connected(connection(emulator)):
        yield emulator


def test_open_lineage_is_told_of_columns_and_rows(hotmart: Any, tmp_path: Path) -> None:
    from airflow.providers.openlineage.extractors.base import DefaultExtractor

    host = hotmart.url.partition("://")[2]
    for name, column in (("a.csv", "user_address_city"), ("a.jsonl", "user.address.city")):
        task = HotmartListSalesParticipantsOperator(
            task_id="sales",
            destination=f"{tmp_path}/{name}",
            sales_start_date="2026-03-01",
            sales_end_date="2026-03-15",
        )
        manifest = execute(task)
        told: Any = DefaultExtractor(task).extract_on_complete(None)
        assert [(one.namespace, one.name) for one in told.inputs] == [
            (f"hotmart://{host}", "/payments/api/v1/sales/users")
        ]
        [written] = told.outputs
        assert (written.namespace, written.name) == ("file", f"{tmp_path}/{name}")
        statistics = written.outputFacets["outputStatistics"]
        assert (statistics.rowCount, statistics.size) == (manifest["records"], manifest["bytes"])
        fields = [(one.name, one.type) for one in written.facets["schema"].fields]
        assert fields[0] == ("transaction", "string")
        assert (column, "string") in fields
        if manifest["columns"]:
            assert fields == [(one["name"], one["type"]) for one in manifest["columns"]]
    task = HotmartListProductsOperator(task_id="products")
    execute(task)
    told = DefaultExtractor(task).extract_on_complete(None)
    assert (len(told.inputs), told.outputs) == (1, [])
