"""In a real Airflow, what Hotmart pushes starts DAG runs; nothing is lost, told twice, or told of anybody."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_hotmart.emulator import HotmartEmulator, Sale
from airflow_provider_hotmart.emulator.account.webhook_rows import ALL_EVENTS, OTHER_EVENTS
from airflow_provider_hotmart.emulator.service.webhooks import HOTTOK, Habits
from tests.airflow.support import HAS_SUPERVISOR, ROOT, connection, environment, small_hotmart
from tests.support import free_port

if HAS_SUPERVISOR:
    from tests.airflow.components import Components

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not HAS_SUPERVISOR, reason="only the API server of Airflow 3 mounts what a plugin brings"),
]

EXAMPLE = "hotmart_on_approval"
ANY = "hotmart://webhooks/hotmart_default"
#: Seconds between two polls of the watcher, and for which it waits for a webhook.
INTERVAL = 2
GRACE = 20
DAGS = f"""
    from datetime import UTC, datetime
    from airflow.sdk import DAG, Asset, AssetWatcher, task
    from airflow_provider_hotmart.triggers.event import HotmartSalesParticipantsEventTrigger

    START = datetime(2026, 1, 1, tzinfo=UTC)

    @task
    def nothing():
        pass

    missed = Asset(name="missed", uri="hotmart://missed", watchers=[AssetWatcher(
        name="missed",
        trigger=HotmartSalesParticipantsEventTrigger(
            poll_interval={INTERVAL}, webhook_grace={GRACE}, ledger="s3://ledgers/ledger.json",
            ledger_conn_id="shelf", transaction_status=["APPROVED", "COMPLETE"],
        ),
    )])
    for asset in (Asset("{ANY}"), Asset("hotmart://webhooks/alone"), missed):
        with DAG("on_" + asset.name.rpartition("/")[2], start_date=START, schedule=[asset], max_active_runs=1):
            nothing()
"""
PASSWORD = "a password for tests"


@pytest.fixture(scope="module")
def hotmart() -> Iterator[HotmartEmulator]:
    with small_hotmart(
        sales=0, webhook_url="http://127.0.0.1:1/", webhook_habits=Habits(retry_after=2, attempts=8)
    ) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def airflow3(hotmart: HotmartEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Components]:
    home = tmp_path_factory.mktemp("components")
    for bucket in ("ledgers", "archive"):
        (home / "shelf" / bucket).mkdir(parents=True)
    (home / "passwords").write_text(json.dumps({"admin": PASSWORD}), encoding="utf-8")
    example = (ROOT / "dags_examples" / f"{EXAMPLE}.py").read_text(encoding="utf-8")
    connections = {
        "hotmart_default": connection(hotmart, hottok=HOTTOK),
        "without": connection(hotmart),
        "shelf": {"conn_type": "generic", "host": str(home / "shelf")},
    }
    with Components(
        home,
        {"dags_under_test.py": DAGS, f"{EXAMPLE}.py": example},
        connections,
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS="admin:admin",
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE=str(home / "passwords"),
        AIRFLOW__HOTMART__WEBHOOK_CONNECTIONS="hotmart_default, without",
        AIRFLOW__HOTMART__WEBHOOK_ARCHIVE="s3://shelf@archive/webhooks",
        AIRFLOW__HOTMART__WEBHOOK_LEDGER="s3://shelf@ledgers/ledger.json",
    ) as components:
        hotmart.webhooks.url = f"{components.url}/hotmart/webhooks/hotmart_default"
        components.wait_for(lambda: len(components.rows("SELECT dag_id FROM dag")) == 4)
        components.wait_for(lambda: components.rows("SELECT * FROM trigger"))
        yield components


def extras(airflow3: Components, uri: str) -> list[dict[str, Any]]:
    """What an asset's events tell, in their order."""
    rows = airflow3.rows(
        "SELECT asset_event.extra FROM asset_event JOIN asset ON asset.id = asset_event.asset_id "
        f"WHERE asset.uri = '{uri}' ORDER BY asset_event.id"
    )
    return [json.loads(extra) if isinstance(extra, str) else extra for (extra,) in rows]


def missed(airflow3: Components) -> set[str]:
    """The sales that the watcher has reported."""
    told = [extra.get("payload", extra) for extra in extras(airflow3, "hotmart://missed/")]
    return {sale["transaction"] for one in told for sale in one["transactions"]}


def sell(hotmart: HotmartEmulator, number: int, pause: float = 0.0, **arguments: Any) -> list[Sale]:
    sold = []
    for _ in range(number):
        sold.append(hotmart.add_sale(**arguments))
        time.sleep(pause)
    return sold


def told_of(airflow3: Components, sales: list[Sale]) -> Counter[str]:
    """How many events each of some sales has."""
    codes = {sale.transaction for sale in sales}
    return Counter(extra["transaction"] for extra in extras(airflow3, ANY) if extra["transaction"] in codes)


def test_an_approval_starts_a_run_that_enriches_and_reconciles_it(
    hotmart: HotmartEmulator, airflow3: Components
) -> None:
    started = time.time()
    sale = hotmart.add_sale()
    hotmart.webhooks.wait()
    [delivery] = hotmart.webhooks.deliveries
    assert delivery.statuses == [200]
    query = f"SELECT state FROM dag_run WHERE dag_id = '{EXAMPLE}'"
    airflow3.wait_for(lambda: airflow3.rows(query))
    seconds = time.time() - started
    airflow3.wait_for(lambda: airflow3.rows(query)[0][0] in ("success", "failed"))
    assert airflow3.rows(query) == [("success",)]
    [written] = (airflow3.home / "files" / "on_approval").iterdir()
    [record] = [json.loads(line) for line in gzip.decompress(written.read_bytes()).splitlines()]
    assert record["purchase"]["transaction"] == sale.transaction
    assert record["participants"]
    assert seconds < 60
    # The body is kept as it came, where it was asked for.
    [extra] = extras(airflow3, f"{ANY}/PURCHASE_APPROVED")
    path = f"archive/webhooks/hotmart_default/{extra['occurred_at'][:10]}/{extra['id']}.json"
    assert (airflow3.home / "shelf" / path).read_bytes() == delivery.raw
    assert extra == {
        "id": delivery.body["id"],
        "event": "PURCHASE_APPROVED",
        "transaction": sale.transaction,
        "product_id": sale.product_id,
        "status": "APPROVED",
        "occurred_at": extra["occurred_at"],
        "recurrence_number": sale.subscription and 1,
    }


def test_every_kind_of_event_is_stored_once_whatever_comes_beside_it(
    hotmart: HotmartEmulator, airflow3: Components
) -> None:
    webhooks = hotmart.webhooks
    calm, webhooks.habits = webhooks.habits, Habits(
        duplicates=0.5, roles=1.0, late=0.5, late_by=1.0, wrong_tokens=0.3, broken=0.3, retry_after=2
    )  # fmt: skip
    first = len(webhooks.deliveries)
    statuses = ["APPROVED", "COMPLETE", "CANCELLED", "PRINTED_BILLET", "PROTESTED", "REFUNDED", "CHARGEBACK", "EXPIRED"]
    sales = [hotmart.add_sale(status=one, affiliate=True) for one in [*statuses, "OVERDUE"]]
    for event in (*OTHER_EVENTS, "HOTMART_INVENTS_SOMETHING"):
        webhooks.send(event, sales[0])
    webhooks.wait()
    webhooks.habits = calm
    sent = webhooks.deliveries[first:]
    assert {one.answered_at is not None for one in sent if one.is_genuine} == {True}
    assert {status for one in sent if not one.is_genuine for status in one.statuses} == {400, 401}
    assert told_of(airflow3, sales) == Counter(sale.transaction for sale in sales)
    for event in (*ALL_EVENTS, "HOTMART_INVENTS_SOMETHING"):
        told = extras(airflow3, f"{ANY}/{event}")
        assert len({one["id"] for one in told}) == len(told) >= 1, event
    assert {one["status"] for one in extras(airflow3, ANY) if one["transaction"]} == {*statuses, "OVERDUE"} - {
        "PRINTED_BILLET"
    } | {extras(airflow3, f"{ANY}/PURCHASE_BILLET_PRINTED")[0]["status"]}


def test_a_killed_api_server_loses_nothing_and_tells_nothing_twice(
    hotmart: HotmartEmulator, airflow3: Components
) -> None:
    sold = sell(hotmart, 30, 0.03)
    airflow3.kill("api-server")
    sold += sell(hotmart, 30, 0.03)
    airflow3.start("api-server")
    airflow3.wait_for(airflow3.is_listening)
    hotmart.webhooks.wait(300)
    assert told_of(airflow3, sold) == Counter(sale.transaction for sale in sold)


def test_what_comes_while_its_dag_is_queued_starts_one_run_together(
    hotmart: HotmartEmulator, airflow3: Components
) -> None:
    # A task that were killed with the scheduler would hold the DAG's only run for minutes.
    airflow3.wait_for(lambda: not airflow3.rows("SELECT * FROM asset_dag_run_queue"))
    airflow3.wait_for(lambda: not airflow3.rows("SELECT * FROM dag_run WHERE state IN ('queued', 'running')"))
    airflow3.kill("scheduler")
    sold = sell(hotmart, 3, 0.5)
    hotmart.webhooks.wait()
    airflow3.start("scheduler")

    def runs() -> list[int]:
        """The runs that have these sales."""
        rows = airflow3.rows(
            "SELECT dag_run.id, asset_event.extra FROM asset_event "
            "JOIN dagrun_asset_event ON dagrun_asset_event.event_id = asset_event.id "
            "JOIN dag_run ON dag_run.id = dagrun_asset_event.dag_run_id "
            "WHERE dag_run.dag_id = 'on_hotmart_default'"
        )
        told = [(run, json.loads(extra) if isinstance(extra, str) else extra) for run, extra in rows]
        return [run for run, extra in told if extra["transaction"] in {sale.transaction for sale in sold}]

    airflow3.wait_for(runs)
    assert len(runs()) == len(sold)
    assert len(set(runs())) == 1


def test_the_watcher_reports_only_what_no_webhook_told_of(hotmart: HotmartEmulator, airflow3: Components) -> None:
    [announced] = sell(hotmart, 1)
    hotmart.webhooks.wait()
    hotmart.webhooks.is_active = False
    sold = sell(hotmart, 3)
    hotmart.webhooks.wait()
    hotmart.webhooks.activate()
    airflow3.wait_for(lambda: {sale.transaction for sale in sold} <= missed(airflow3))
    # What the killed API server had told of last was told again by the watcher: nothing here was.
    assert announced.transaction not in missed(airflow3)


def test_what_is_not_configured_is_not_there(airflow3: Components) -> None:
    def status(path: str, token: str = HOTTOK) -> int:
        headers = {"X-HOTMART-HOTTOK": token}
        return requests.post(airflow3.url + path, data=b"{}", headers=headers, timeout=30).status_code

    assert status("/hotmart/webhooks/shelf") == 404
    assert status("/hotmart/webhooks/") == 404
    # A connection without a token refuses whatever comes, an empty token too, and says why.
    assert status("/hotmart/webhooks/without") == 401
    assert status("/hotmart/webhooks/without", "") == 401
    assert "the connection has no hottok" in airflow3.log("api-server").read_text(encoding="utf-8")
    # The pages of Airflow, its list of plugins among them, are as they were.
    assert requests.get(f"{airflow3.url}/api/v2/version", timeout=30).ok


def test_a_receiver_outside_of_airflow_starts_runs_too(
    hotmart: HotmartEmulator, airflow3: Components, tmp_path: Path
) -> None:
    port = free_port()
    variables = {
        "AIRFLOW__HOTMART__WEBHOOK_CONNECTIONS": "alone",
        "AIRFLOW_CONN_ALONE": json.dumps({"conn_type": "hotmart", "extra": {"hottok": HOTTOK}}),
        "AIRFLOW_USERNAME": "admin",
        "AIRFLOW_PASSWORD": PASSWORD,
    }
    command = [sys.executable, "-m", "airflow_provider_hotmart.webhooks", "--airflow-url", airflow3.url]
    log = tmp_path / "receiver.log"

    def start() -> subprocess.Popen[bytes]:
        with log.open("ab") as file:
            started = subprocess.Popen(
                [*command, "--port", str(port)],
                env=environment(tmp_path, **variables),
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until = time.monotonic() + 120
        while time.monotonic() < until:
            assert started.poll() is None, log.read_text(encoding="utf-8")
            try:
                requests.get(f"http://127.0.0.1:{port}/", timeout=5)
                return started
            except requests.RequestException:
                time.sleep(0.2)
        raise AssertionError(log.read_text(encoding="utf-8"))

    inside, hotmart.webhooks.url = hotmart.webhooks.url, f"http://127.0.0.1:{port}/hotmart/webhooks/alone"
    process = start()
    try:
        sold = sell(hotmart, 5)
        hotmart.webhooks.wait()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process = start()
        # It knows by Airflow what it has told before.
        for delivery in hotmart.webhooks.deliveries[-5:]:
            hotmart.webhooks.resend(delivery)
        hotmart.webhooks.wait()
    finally:
        hotmart.webhooks.url = inside
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    told = Counter(extra["transaction"] for extra in extras(airflow3, "hotmart://webhooks/alone"))
    assert told == Counter(sale.transaction for sale in sold)
    airflow3.wait_for(lambda: airflow3.rows("SELECT * FROM dag_run WHERE dag_id = 'on_alone'"))
    assert HOTTOK not in log.read_text(encoding="utf-8")
    assert PASSWORD not in log.read_text(encoding="utf-8")


def test_nothing_personal_and_no_token_is_in_the_database_or_in_a_log(
    hotmart: HotmartEmulator, airflow3: Components
) -> None:
    words = {HOTTOK, PASSWORD, *(sale.buyer.get("ucode") or "" for sale in hotmart.sales)}
    for sale in hotmart.sales:
        words |= {person.get(name) or "" for person in (sale.buyer, sale.producer) for name in ("email", "name")}
    for delivery in hotmart.webhooks.deliveries:
        buyer = (delivery.body.get("data") or {}).get("buyer") or {}
        words |= {buyer.get(name) or "" for name in ("document", "checkout_phone")}
    words.discard("")
    assert len(words) > 150
    # As JSON may write them, too; and numbers not within longer ones, such as moments.
    forms = words | {json.dumps(word)[1:-1] for word in words}
    pattern = re.compile("|".join(rf"(?<!\d){re.escape(form)}(?!\d)" for form in sorted(forms)), re.IGNORECASE)
    searched = 0
    for table in airflow3.tables():
        for row in airflow3.rows(f'SELECT * FROM "{table}"'):
            searched += 1
            assert not pattern.search(repr(tuple(row))), table
    assert searched > 300
    logs = [*airflow3.home.glob("*.log"), *(airflow3.home / "logs").rglob("*.log")]
    assert len(logs) > 4
    for log in logs:
        assert not pattern.search(log.read_text(encoding="utf-8", errors="replace")), log
