"""The recipe for removing one person from files, webhooks, tables and ledgers, as a user would follow it."""

from __future__ import annotations

import gzip
import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from airflow_provider_hotmart.api.personal import pseudonym
from airflow_provider_hotmart.emulator import HotmartEmulator
from airflow_provider_hotmart.emulator.account.webhook_rows import webhook
from airflow_provider_hotmart.transfers.file_to_sql import HotmartFileToSqlOperator
from airflow_provider_hotmart.webhooks.archive import Archive
from airflow_provider_hotmart.webhooks.delivery import Delivery
from tests.airflow.support import ROOT, ThrowawayAirflow, connected, connection, execute, small_hotmart
from tests.docs.pages import blocks_of
from tests.integration.test_personal_data import edited

pytestmark = pytest.mark.airflow

KEY = "a key that nobody has"
[STATEMENT] = [
    block.text
    for block in blocks_of(ROOT / "docs" / "personal-data.md", skipped=True)
    if block.text.startswith("DELETE FROM participants")
]
SENSOR = """
from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG
from airflow_provider_hotmart.sensors.sales import HotmartNewSalesParticipantsSensor

with DAG("watching", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
    HotmartNewSalesParticipantsSensor(
        task_id="wait",
        ledger="{folder}/ledger.json",
        lookback=timedelta(days=365),
        destination="{folder}/keep/new.jsonl",
        poke_interval=1,
        timeout=60,
    )
"""


def text_of(path: Path) -> str:
    if path.suffix == ".parquet":
        return "".join(f"{json.dumps(row, default=str)}\n" for row in pq.read_table(path).to_pylist())
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode().replace("\\u0027", "'")


def address_of(email: str) -> str:
    """What everybody's address is here: with the mark that also stands around one, and that JSON may escape."""
    return f"d'{email}"


@pytest.fixture
def hotmart() -> Iterator[HotmartEmulator]:
    """An account in which addresses are written in several ways."""
    with (
        small_hotmart(sales=600, days=40) as emulator,
        connected(connection(emulator, pseudonym_key=KEY)),
    ):

        def edit(row: dict[str, Any]) -> None:
            for one in row["users"]:
                if email := one["user"].get("email"):
                    address = address_of(email)
                    one["user"]["email"] = f" {address.upper()}" if row["transaction"][-1] in "02468" else address

        edited(emulator, edit)
        yield emulator


def write_everything(hotmart: HotmartEmulator, airflow: ThrowawayAirflow, folder: Path) -> None:
    """Write files of each form, webhooks, tables of both kinds, and a ledger."""
    from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator

    for mode in ("keep", "pseudonymize"):
        for suffix in (".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".parquet"):
            window: dict[str, Any] = {"sales_start_date": "2026-01-01", "sales_end_date": "2026-12-31"}
            manifest = execute(
                HotmartListSalesParticipantsOperator(
                    task_id="list",
                    destination=str(folder / mode / f"a{suffix}"),
                    personal_data=mode,
                    pseudonymize_ucode=mode != "keep",
                    transaction_status="ALL",
                    **window,
                )
            )
        database = {"conn_type": "sqlite", "host": str(folder.parent / f"{mode}.db")}
        with connected(database, "warehouse"):
            execute(
                HotmartFileToSqlOperator(task_id="load", manifest=manifest, conn_id="warehouse", table="participants")
            )
    archive = Archive(str(folder / "webhooks"), days=0, connections=[])
    for sale in hotmart.sales:
        told: Any = webhook("PURCHASE_APPROVED", sale, sale.ordered_at)
        if email := told["data"]["buyer"].get("email"):
            told["data"]["buyer"]["email"] = address_of(email)
        body = json.dumps(told).replace("'", "\\u0027").encode()
        archive.keep("hotmart_default", Delivery.read(body), body)
    watching = {"hotmart_default": connection(hotmart, pseudonym_key=KEY)}
    run = airflow.run(SENSOR.format(folder=str(folder)), "watching", connections=watching)
    assert set(run.states().values()) == {"success"}, run.logs


def records_in(folder: Path) -> Counter[tuple[str, str]]:
    """What there is: lines of files, whole webhooks, and rows of tables, each with where it is."""
    found: Counter[tuple[str, str]] = Counter()
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".json":
            found[str(path.parent), text_of(path)] += 1
        elif path.is_file():
            # Names have line separators in them that JSON Lines does not know.
            found.update((str(path), line) for line in text_of(path).split("\n") if line)
    for path in folder.parent.glob("*.db"):
        with closing(sqlite3.connect(path)) as database:
            found.update((str(path), json.dumps(row)) for row in database.execute("SELECT * FROM participants"))
    return found


def values_of(somebody: dict[str, Any]) -> set[str]:
    """A person's own values, in small letters, and what they look like hashed without the key."""
    email, ucode = somebody.get("email"), somebody.get("ucode")
    documents = [one["value"] for one in somebody.get("documents") or ()]
    plain = {str(one).lower() for one in (email, ucode, *documents) if one}
    return plain | {hashlib.sha256(one.encode()).hexdigest() for one in plain}


@pytest.mark.slow
@pytest.mark.parametrize("has_ucode", [True, False])
def test_one_person_is_removed_from_everywhere_and_nobody_else(
    hotmart: HotmartEmulator, airflow: ThrowawayAirflow, tmp_path: Path, has_ucode: bool
) -> None:
    folder = tmp_path / "bucket"
    folder.mkdir()
    write_everything(hotmart, airflow, folder)
    (folder / "notes.txt").write_text("somebody asked to be forgotten")
    people = [
        one["user"] for row in hotmart.truth_rows("sales/users") for one in row["users"] if one["role"] == "BUYER"
    ]
    chosen = [one for one in people if one.get("email") and bool(one.get("ucode")) is has_ucode]
    email = Counter(one["email"] for one in chosen).most_common(1)[0][0]
    somebody = {**next(one for one in chosen if one["email"] == email), "email": address_of(email)}
    email = somebody["email"]
    ucode = somebody.get("ucode") or "nobody has this code"
    codes = {kind: pseudonym(KEY, kind, value) for kind, value in (("email", email), ("code", ucode))}

    before = records_in(folder)
    own = values_of(somebody) | set(codes.values())

    def about(records: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
        return Counter({one: count for one, count in records.items() if any(value in one[1].lower() for value in own)})

    theirs = about(before)
    places = {Path(place).suffix or "webhooks" for place, _ in theirs}
    assert places == {".jsonl", ".gz", ".csv", ".parquet", ".db", "webhooks"}, "what would be removed from nowhere"
    assert any(email not in record and email.upper() in record for _, record in theirs)
    assert (folder / "ledger.json").exists()

    for attempt in range(2):
        run = airflow.run(
            ROOT / "dags_examples" / "hotmart_forget_somebody.py",
            {
                "dag_id": "hotmart_forget_somebody",
                "conf": {"codes": [codes["email"], *([ucode, codes["code"]] if has_ucode else [])]},
            },
            connections={"hotmart_default": connection(hotmart, pseudonym_key=KEY)},
            AIRFLOW_VAR_HOTMART_DESTINATION=str(folder),
        )
        assert set(run.states().values()) == {"success"}, run.logs
        changed = run.task("forget").xcom
        assert bool(changed) is (attempt == 0)
        assert not any(value in (run.logs + run.database()).lower() for value in values_of(somebody) - {ucode})
    statement = STATEMENT
    for written, value in {
        "'pseudonym of ucode'": codes["code"],
        "'ucode'": ucode,
        "'pseudonym of address'": codes["email"],
        "'address'": email,
    }.items():
        quoted = value.replace("'", "''")
        statement = statement.replace(written, f"'{quoted}'")
    for path in tmp_path.glob("*.db"):
        with closing(sqlite3.connect(path)) as database, database:
            assert database.execute(statement).rowcount > 0

    after = records_in(folder)
    assert about(after) == Counter()
    assert after == before - theirs
    assert sorted(path.name for path in folder.rglob("*.part")) == []
