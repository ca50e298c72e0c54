"""What is listed from Hotmart into a flat file is what is then in the table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator
from tests.airflow.support import connected, connection, execute, small_hotmart
from tests.databases.servers import Database
from tests.databases.support import Loader


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_participants_in_the_table_are_those_of_the_account(
    loader: Loader, database: Database, tmp_path: Path, suffix: str
) -> None:
    now = datetime.now(UTC)
    window = {"sales_start_date": now - timedelta(days=30), "sales_end_date": now + timedelta(days=1)}
    with small_hotmart() as hotmart, connected(connection(hotmart)):
        manifest = execute(
            HotmartListSalesParticipantsOperator(
                task_id="list", transaction_status="ALL", destination=str(tmp_path / f"people{suffix}"), **window
            )
        )
        truth = hotmart.truth(None, window["sales_start_date"], window["sales_end_date"])
    loaded = loader.load(manifest, mode="replace_window")
    assert loaded.records == manifest["records"] == len(truth) != 0
    assert loaded.rows == loaded.records
    columns = ", ".join(map(database.quote, ("transaction", "role", "user_ucode", "transaction_status")))
    assert {tuple(one) for one in database.rows(f"SELECT {columns} FROM participants")} == truth
