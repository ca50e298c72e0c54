"""The recipe for removing one person from files, as a user would run it."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from airflow_provider_hotmart.api.personal import pseudonym
from tests.airflow.support import ROOT, ThrowawayAirflow, connected, connection, execute, small_hotmart

pytestmark = pytest.mark.airflow

KEY = "a key that nobody has"


def text_of(path: Path) -> str:
    if path.suffix == ".parquet":
        return json.dumps(pq.read_table(path).to_pylist(), default=str)
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()


def test_somebody_is_removed_from_every_kind_of_file_and_nobody_else(airflow: ThrowawayAirflow, tmp_path: Path) -> None:
    from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator

    def written(mode: str, suffix: str) -> Path:
        path = tmp_path / mode / f"a{suffix}"
        window: dict[str, Any] = {"sales_start_date": "2026-01-01", "sales_end_date": "2026-12-31"}
        task = HotmartListSalesParticipantsOperator(
            task_id="list",
            destination=str(path),
            personal_data=mode,
            pseudonymize_ucode=mode != "keep",
            transaction_status="ALL",
            **window,
        )
        execute(task)
        return path

    with small_hotmart() as hotmart, connected(connection(hotmart, pseudonym_key=KEY)):
        files = [
            written(mode, suffix)
            for mode in ("keep", "pseudonymize")
            for suffix in (".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".parquet")
        ]
        people = Counter(ucode for _, role, ucode, _ in hotmart.truth() if role == "BUYER" and ucode)
    before = {path: text_of(path) for path in files}
    rows = pq.read_table(tmp_path / "keep" / "a.parquet").to_pylist()
    [(somebody, count)] = people.most_common(1)
    codes = [somebody, pseudonym(KEY, "code", somebody)]
    assert all(any(code in text for code in codes) for text in before.values())

    (tmp_path / "notes.txt").write_text(f"{somebody} asked to be forgotten")
    for changed in ([str(path) for path in files], []):
        run = airflow.run(
            ROOT / "dags_examples" / "hotmart_forget_somebody.py",
            {"dag_id": "hotmart_forget_somebody", "conf": {"codes": codes}},
            AIRFLOW_VAR_HOTMART_DESTINATION=str(tmp_path),
        )
        assert set(run.states().values()) == {"success"}
        assert sorted(run.task("forget").xcom) == sorted(changed)
        assert not any(code in text_of(path) for path in files for code in codes)

    left = pq.read_table(tmp_path / "keep" / "a.parquet").to_pylist()
    assert left == [row for row in rows if row["user_ucode"] != somebody]
    assert len(rows) - len(left) == count
    for path in files:
        if ".jsonl" in path.name:
            # Names have line separators in them that JSON Lines does not know.
            gone = [line for line in before[path].split("\n") if any(code in line for code in codes)]
            assert len(gone) == count
            assert text_of(path) == "".join(f"{one}\n" for one in before[path].split("\n")[:-1] if one not in gone)
    assert sorted(path.name for path in tmp_path.rglob("*.part")) == []
    assert (tmp_path / "notes.txt").exists()
