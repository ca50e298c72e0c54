"""What the documentation's page gives to other providers' operators is what the manifest of a file says."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet as pq
import pytest

from airflow_provider_hotmart.emulator import Clock
from tests.airflow.support import AirflowRun, ThrowawayAirflow, connection, small_hotmart
from tests.docs.pages import ROOT, blocks_of
from tests.stores.support import BUCKET, S3, s3

[BLOCK] = [one for one in blocks_of(ROOT / "docs" / "loading.md", skipped=True) if "GCSToBigQueryOperator" in one.text]
DAG = """
from datetime import UTC, datetime
from airflow.providers.common.compat.sdk import DAG

with DAG("page", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
"""
#: Nothing listens there: what Redshift, Snowflake and BigQuery would be told ends here, after its templates.
NOWHERE = {"host": "127.0.0.1", "port": 1, "login": "nobody", "password": "nothing"}


@pytest.fixture(scope="module")
def store() -> Iterator[S3]:
    with pytest.MonkeyPatch.context() as patch, s3() as running:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            patch.delenv(name, raising=False)
        running.clear()
        yield running


@pytest.fixture(scope="module")
def run(store: S3, tmp_path_factory: pytest.TempPathFactory) -> AirflowRun:
    """The page's own DAG, run for a day on which something was sold."""
    airflow = ThrowawayAirflow(tmp_path_factory.mktemp("migrated"), tmp_path_factory.mktemp("airflow"))
    with small_hotmart(clock=Clock(frozen=datetime(2026, 3, 15, 12, tzinfo=UTC))) as hotmart:
        connections = {
            "hotmart_default": connection(hotmart),
            "aws_default": store.connections()[store.conn_id],
            "google_cloud_default": {"conn_type": "google_cloud_platform", "extra": {"keyfile_dict": "{}"}},
            "redshift_default": {"conn_type": "redshift", **NOWHERE},
            "snowflake_default": {"conn_type": "snowflake", **NOWHERE},
        }
        return airflow.run(
            DAG + textwrap.indent(BLOCK.text, "    ").replace("my-bucket", BUCKET),
            {"dag_id": "page", "logical_date": "2026-03-14T06:00:00+00:00"},
            connections=connections,
            AIRFLOW__CORE__MAX_TEMPLATED_FIELD_LENGTH="100000",
        )


@pytest.fixture(scope="module")
def manifest(run: AirflowRun, store: S3) -> dict[str, Any]:
    """Of the file that was listed, after a look at the file itself."""
    assert run.report["import_errors"] == []
    assert run.report["warnings"] == []
    told: dict[str, Any] = run.task("participants").xcom
    [(key, content)] = [one for one in store.content().items() if not one[0].startswith("athena/")]
    assert (told["bucket"], told["key"], told["uri"]) == (BUCKET, key, f"s3://{BUCKET}/{key}")
    table = pq.read_table(io.BytesIO(content))
    assert (table.num_rows, table.column_names) == (told["records"], [one["name"] for one in told["columns"]])
    assert told["records"] > 0
    return told


def test_bigquery_is_given_the_object_and_the_partition_of_its_day(run: AirflowRun, manifest: dict[str, Any]) -> None:
    told = run.task("bigquery").rendered
    assert (told["bucket"], told["source_objects"]) == (manifest["bucket"], [manifest["key"]])
    day = manifest["key"].rpartition("/")[2].removesuffix(".parquet")
    assert told["destination_project_dataset_table"] == f"project.hotmart.participants${day.replace('-', '')}"
    assert manifest["window"]["start"].startswith(day)


def test_redshift_is_given_the_object_and_the_key_of_its_rows(run: AirflowRun, manifest: dict[str, Any]) -> None:
    told = run.task("redshift").rendered
    assert (told["s3_bucket"], told["s3_key"]) == (manifest["bucket"], manifest["key"])
    assert f"upsert_keys={manifest['primary_key']}".replace("'", '"') in BLOCK.text


def test_snowflake_is_given_the_object_within_its_stage(run: AirflowRun, manifest: dict[str, Any]) -> None:
    assert run.task("snowflake").rendered["files"] == [manifest["key"]]


def test_athena_is_given_the_columns_and_the_folder_of_the_file(run: AirflowRun, manifest: dict[str, Any]) -> None:
    told = run.task("athena").rendered["query"]
    types = {"integer": "bigint", "decimal": "decimal(38,10)", "json": "string"}
    columns = [f"`{one['name']}` {types.get(one['type'], one['type'])}" for one in manifest["columns"]]
    statement = f"CREATE EXTERNAL TABLE IF NOT EXISTS participants ( {', '.join(columns)} ) STORED AS PARQUET LOCATION"
    assert " ".join(told.split()) == f'{statement} "s3://{BUCKET}/hotmart/participants/"'
    assert {one["type"] for one in manifest["columns"]} <= {"string", "timestamp", "boolean", *types}


def test_nothing_stopped_before_it_asked_its_service(run: AirflowRun) -> None:
    assert run.states() == {"participants": "success", "athena": "success"} | dict.fromkeys(
        ("bigquery", "redshift", "snowflake"), "failed"
    ), run.logs
