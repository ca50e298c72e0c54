"""What is listed from Hotmart into a flat file is what is then in the table."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator
from tests.airflow.support import connected, connection, execute, small_hotmart
from tests.databases.servers import Database
from tests.databases.support import Loader
from tests.integration.test_personal_data import edited


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


ODD = '=1+1 "Zé"\r\n\u2028👩🏽‍🎤 \\N, \ud83d'


@pytest.mark.parametrize("suffix", [".csv", ".jsonl.gz", ".parquet"])
def test_odd_people_are_in_the_table_as_hotmart_tells_of_them(
    loader: Loader, database: Database, tmp_path: Path, suffix: str
) -> None:
    def edit(row: dict[str, Any]) -> None:
        row["users"] = [{"role": "BUYER", "user": {"ucode": "u", "name": ODD, "documents": [{"value": ODD}]}}]
        row["new"] = {ODD: [None, 2**80, ODD]}

    with small_hotmart(sales=20) as hotmart, connected(connection(hotmart)):
        edited(hotmart, edit)
        manifest = execute(
            HotmartListSalesParticipantsOperator(
                task_id="list", transaction_status="ALL", destination=str(tmp_path / f"people{suffix}"), flat=True
            )
        )
    assert loader.load(manifest).rows == manifest["records"] > 0
    # Half of a surrogate pair has no UTF-8: in columns it is the text of its escape.
    odd = ODD.encode("utf-8", "backslashreplace").decode()
    found = database.rows("SELECT user_name, user_document_value, user_documents, other FROM participants")
    for name, document, documents, other in found:
        assert (name, document) == (odd, odd)
        assert _decoded(documents) == [{"value": odd}]
        assert _decoded(other) == {"new": {odd: [None, 2**80, odd]}}


def _decoded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
