"""In a real triggerer, deferred sensors are woken, and watchers start runs, lose nothing and do not wait for others."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hotmart.emulator import Call, Fault, HotmartEmulator, Sale
from airflow_provider_hotmart.triggers.event import HANDOVER
from airflow_provider_hotmart.watching.entries import Run
from tests.airflow.support import HAS_SUPERVISOR, ROOT, connection, small_hotmart
from tests.airflow.versions import LINE
from tests.airflow.watching import record_as

if HAS_SUPERVISOR:
    from tests.airflow.components import Components

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not HAS_SUPERVISOR, reason="its components are those of Airflow 3, and so are asset watchers"),
]

#: Whether watchers remember in the state of their asset.
HAS_ASSET_STATE = LINE >= (3, 3)
EXAMPLE = "hotmart_on_new_sales"
#: Seconds between two polls.
INTERVAL = 3
DAGS = f"""
    import time
    from datetime import UTC, datetime
    from pathlib import Path
    from airflow.sdk import DAG, Asset, AssetWatcher, task
    from airflow_provider_hotmart.sensors.sales import HotmartNewSalesParticipantsSensor
    from airflow_provider_hotmart.triggers.event import HotmartSalesParticipantsEventTrigger

    START = datetime(2026, 1, 1, tzinfo=UTC)

    def waiting(name, **arguments):
        with DAG(name, start_date=START, schedule="@once"):
            HotmartNewSalesParticipantsSensor(
                task_id="new_people", deferrable=True, poke_interval=1, roles="BUYER", **arguments
            )

    waiting("patient", timeout=600)
    waiting("patient_with_a_file", timeout=600, ledger="s3://sensor/ledger.json", ledger_conn_id="shelf")
    waiting("strict", timeout=15, transaction_status="CHARGEBACK")
    waiting("soft", timeout=15, transaction_status="CHARGEBACK", soft_fail=True)

    def watched(name, **arguments):
        trigger = HotmartSalesParticipantsEventTrigger(poll_interval={INTERVAL}, **arguments)
        return Asset(name=name, uri=f"hotmart://{{name}}", watchers=[AssetWatcher(name=name, trigger=trigger)])

    @task
    def nothing():
        pass

    with DAG("given_up", start_date=START, schedule=None):

        @task
        def new_people():
            while not Path("{{folder}}", "given_up").exists():
                time.sleep(0.1)
            raise RuntimeError

        new_people()

    for asset in (
        watched("shelved", ledger="s3://watcher/ledger.json", ledger_conn_id="shelf"),
        watched("from_now", since="now"),
        watched(
            "filed",
            since="now",
            ledger="{{folder}}/filed.json",
            transaction_status="APPROVED",
            product_id="{{product}}",
        ),
        *(watched(f"stalled_{{n}}", hotmart_conn_id="stalled", product_id=n) for n in range(1, 5)),
    ):
        with DAG(f"on_{{asset.name}}", start_date=START, schedule=[asset]):
            nothing()
"""


@pytest.fixture(scope="module")
def hotmart() -> Iterator[HotmartEmulator]:
    with small_hotmart(sales=0) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def stalled() -> Iterator[HotmartEmulator]:
    """A Hotmart that does not answer."""
    with small_hotmart(sales=0) as emulator:
        emulator.faults.add(Fault.stall(3600), times=None)
        yield emulator


@pytest.fixture(scope="module")
def airflow3(
    hotmart: HotmartEmulator, stalled: HotmartEmulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Components]:
    home = tmp_path_factory.mktemp("components")
    for bucket in ("sensor", "watcher"):
        (home / "shelf" / bucket).mkdir(parents=True)
    example = (ROOT / "dags_examples" / f"{EXAMPLE}.py").read_text(encoding="utf-8")
    faster, changes = re.subn(r"poll_interval=300\b", f"poll_interval={INTERVAL}", example)
    assert changes == 1
    connections = {
        "hotmart_default": connection(hotmart),
        "stalled": connection(stalled, timeout=3600),
        "shelf": {"conn_type": "generic", "host": str(home / "shelf")},
    }
    code = DAGS.replace("{folder}", str(home)).replace("{product}", str(hotmart.products[1]["id"]))
    dags = {"dags_under_test.py": code, f"{EXAMPLE}.py": faster}
    with Components(home, dags, connections) as components:
        yield components


def events(airflow3: Components, asset: str) -> list[dict[str, Any]]:
    """What an asset's events tell, in their order."""
    rows = airflow3.rows(
        "SELECT asset_event.extra FROM asset_event JOIN asset ON asset.id = asset_event.asset_id "
        f"WHERE asset.name = '{asset}' ORDER BY asset_event.id"
    )
    payloads = [json.loads(extra) if isinstance(extra, str) else extra for (extra,) in rows]
    return [payload.get("payload", payload) for payload in payloads]


def told(airflow3: Components, asset: str) -> list[str]:
    """Whose sales an asset's events tell of, as often as they do."""
    return [sale["transaction"] for event in events(airflow3, asset) for sale in event["transactions"]]


def was_heard_of(airflow3: Components, dag_id: str) -> bool:
    """Whether the scheduler knows that its executor is through with a DAG's task."""
    text = airflow3.log("scheduler").read_text(encoding="utf-8", errors="replace")
    return f"Received executor event with state success for task instance TaskInstanceKey(dag_id='{dag_id}'" in text


def files_of_the_example(airflow3: Components) -> list[tuple[str, set[tuple[str, str]]]]:
    """The example's files by name: whose sales they hold, in which status."""
    found = []
    for path in (airflow3.home / "files" / "on_new_sales").glob("*/[!.]*"):
        records = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
        found.append((path.name, {(one["transaction"], one["transaction_status"]) for one in records}))
    return found


def polls_of_the_example(hotmart: HotmartEmulator) -> list[float]:
    """When the example's watcher polled, the only one that watches refunds."""
    return [call.at for call in hotmart.calls if call.params.get("transaction_status") == ["REFUNDED"]]


def wait_for_polls(airflow3: Components, hotmart: HotmartEmulator, count: int) -> None:
    """Wait until the example's watcher has polled so many times more."""
    before = len(polls_of_the_example(hotmart))
    airflow3.wait_for(lambda: len(polls_of_the_example(hotmart)) >= before + count)


def test_everything_in_the_order_of_one_day(
    airflow3: Components, hotmart: HotmartEmulator, stalled: HotmartEmulator
) -> None:
    # One story, because starting Airflow is what takes the time.
    for dag in ("patient", "patient_with_a_file"):
        # Airflow's scheduler fails a task that is woken before it has heard that its executor is through with it.
        airflow3.wait_for(lambda dag=dag: was_heard_of(airflow3, dag) and airflow3.state(dag) == "deferred")
    # The watchers of the server that does not answer were there first: each has a call under way.
    airflow3.wait_for(lambda: len(stalled.token_calls) >= 1)
    wait_for_polls(airflow3, hotmart, 1)

    first = hotmart.add_sale()
    added = time.time()
    a_deferred_sensor_is_woken_and_succeeds(airflow3, first)
    a_watcher_starts_a_run_within_two_intervals(airflow3, hotmart, first, added)
    a_deferred_sensor_times_out_like_any_other(airflow3)
    the_watermark_survives_a_triggerer_that_is_killed(airflow3, hotmart, first)
    who_was_told_of_and_is_refunded_later_is_told_of_again(airflow3, hotmart, first)
    nothing_was_logged_as_an_error(airflow3)
    whom_a_run_recorded_that_fails_a_watcher_reports(airflow3, hotmart)
    calls = len(stalled.token_calls)
    what_airflow_has_not_stored_is_not_recorded(airflow3, hotmart)
    airflow3.wait_for(lambda: len(stalled.token_calls) > calls)
    a_triggerer_ends_when_it_is_told_to_whatever_is_under_way(airflow3)


def a_deferred_sensor_is_woken_and_succeeds(airflow3: Components, sale: Sale) -> None:
    for dag in ("patient", "patient_with_a_file"):
        airflow3.wait_for(lambda dag=dag: airflow3.state(dag) == "success")
        [(value,)] = airflow3.rows(f"SELECT value FROM xcom WHERE dag_id = '{dag}' AND key = 'return_value'")
        found = json.loads(value) if isinstance(value, str) else value
        assert found["transactions"] == [sale.transaction]
        assert found["new"] == 1
    assert (airflow3.home / "shelf" / "sensor" / "ledger.json").is_file()


def a_watcher_starts_a_run_within_two_intervals(
    airflow3: Components, hotmart: HotmartEmulator, sale: Sale, added: float
) -> None:
    airflow3.wait_for(lambda: told(airflow3, "hotmart_sales"))
    run = "SELECT state FROM dag_run WHERE dag_id = '{}'"
    airflow3.wait_for(lambda: airflow3.rows(run.format(EXAMPLE)) == [("success",)])
    polls = [moment for moment in polls_of_the_example(hotmart) if moment > added]
    [event] = events(airflow3, "hotmart_sales")
    # A poll looks back from its beginning, and calls after that; how long Airflow takes with an event does not count.
    found = datetime.fromisoformat(event["since"]) + timedelta(days=37)
    assert len(polls) < 2 or found.timestamp() <= polls[1]
    assert files_of_the_example(airflow3) == [("APPROVED.jsonl.gz", {(sale.transaction, "APPROVED")})]
    for asset in ("shelved", "from_now"):
        airflow3.wait_for(lambda asset=asset: told(airflow3, asset) == [sale.transaction])
        airflow3.wait_for(lambda asset=asset: airflow3.rows(run.format(f"on_{asset}")))


def a_deferred_sensor_times_out_like_any_other(airflow3: Components) -> None:
    airflow3.wait_for(lambda: airflow3.state("strict") == "failed")
    airflow3.wait_for(lambda: airflow3.state("soft") == "skipped")


def the_watermark_survives_a_triggerer_that_is_killed(
    airflow3: Components, hotmart: HotmartEmulator, first: Sale
) -> None:
    ledger = airflow3.home / "shelf" / "watcher" / "ledger.json"
    airflow3.wait_for(lambda: ledger.is_file() and '"entries":[{' in ledger.read_text())
    if HAS_ASSET_STATE:
        airflow3.wait_for(lambda: airflow3.rows("SELECT 1 FROM asset_state_store WHERE key LIKE 'hotmart_%_1'"))
    # Those without either are recorded some seconds after.
    wait_for_polls(airflow3, hotmart, 4)
    airflow3.kill("triggerer")
    second = hotmart.add_sale()
    airflow3.start("triggerer")
    wait_for_polls(airflow3, hotmart, 1)
    third = hotmart.add_sale()
    everything = sorted(sale.transaction for sale in (first, second, third))
    for asset in ("hotmart_sales", "shelved", "from_now") if HAS_ASSET_STATE else ("shelved",):
        airflow3.wait_for(lambda asset=asset: len(told(airflow3, asset)) >= 3)
        assert sorted(told(airflow3, asset)) == everything, asset
    if not HAS_ASSET_STATE:
        # Without a ledger, a watcher forgets with the triggerer: it tells again, or begins anew.
        repeated = sorted([first.transaction, *everything])
        airflow3.wait_for(lambda: sorted(told(airflow3, "hotmart_sales")) == repeated)
        airflow3.wait_for(lambda: told(airflow3, "from_now") == [first.transaction, third.transaction])
    wait_for_polls(airflow3, hotmart, 2)
    assert len(told(airflow3, "hotmart_sales")) == len(everything) + (not HAS_ASSET_STATE)


def who_was_told_of_and_is_refunded_later_is_told_of_again(
    airflow3: Components, hotmart: HotmartEmulator, first: Sale
) -> None:
    def states() -> list[str]:
        sales = [sale for event in events(airflow3, "hotmart_sales") for sale in event["transactions"]]
        return [sale["transaction_status"] for sale in sales if sale["transaction"] == first.transaction]

    before = states()
    assert set(before) == {"APPROVED"}
    hotmart.move(first.transaction, "REFUNDED")
    expected = ("REFUNDED.jsonl.gz", {(first.transaction, "REFUNDED")})
    airflow3.wait_for(lambda: expected in files_of_the_example(airflow3))
    wait_for_polls(airflow3, hotmart, 2)
    assert states() == [*before, "REFUNDED"]
    # Who bought is not mixed with who was refunded.
    for name, sales in files_of_the_example(airflow3):
        assert {status for _, status in sales} <= {name.partition(".")[0]}


def nothing_was_logged_as_an_error(airflow3: Components) -> None:
    files = [airflow3.log("triggerer"), *Path(airflow3.home / "logs").rglob("*.log")]
    text = "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in files if path.is_file())
    wrong = [
        line
        for line in text.splitlines()
        if re.search(r"\[error|\[critical|Traceback|\"level\": ?\"(error|critical)\"|not recorded", line)
        # The tasks that are to time out say so.
        and "Trigger cancelled due to timeout" not in line
        and "SensorTimeout" not in line
    ]
    assert wrong == []


def whom_a_run_recorded_that_fails_a_watcher_reports(airflow3: Components, hotmart: HotmartEmulator) -> None:
    before = told(airflow3, "shelved")
    airflow3.call("POST", "dags/given_up/dagRuns", {"dag_run_id": "run", "logical_date": "2026-03-01T00:00:00Z"})
    airflow3.wait_for(lambda: airflow3.state("given_up") == "running")
    # Recorded before the watcher can see it.
    sale = hotmart.add_sale(ordered_at=datetime.now(UTC) + timedelta(seconds=15))
    record_as(Run("given_up", "new_people", "run"), airflow3.home / "shelf" / "watcher" / "ledger.json", sale)
    airflow3.wait_for(lambda: sale.transaction in told(airflow3, "hotmart_sales"))
    wait_for_polls(airflow3, hotmart, 2)
    assert told(airflow3, "shelved") == before, "the run may yet succeed"
    (airflow3.home / "given_up").touch()
    airflow3.wait_for(lambda: told(airflow3, "shelved") == [*before, sale.transaction])
    assert airflow3.state("given_up") == "failed"


def what_airflow_has_not_stored_is_not_recorded(airflow3: Components, hotmart: HotmartEmulator) -> None:
    ledger, product = airflow3.home / "filed.json", hotmart.products[1]["id"]
    airflow3.wait_for(ledger.is_file)
    before = ledger.read_bytes()
    supervisor = airflow3.pid("triggerer")
    sold: list[Sale] = []

    def stop_the_supervisor(call: Call) -> None:
        # It stands still from before somebody is found, as when its database hangs: no event comes through.
        if not sold and call.params.get("product_id") == [str(product)]:
            os.kill(supervisor, signal.SIGSTOP)
            sold.append(hotmart.add_sale(product_id=product))

    hotmart.on_call = stop_the_supervisor
    airflow3.wait_for(lambda: sold)
    time.sleep(4 * HANDOVER)
    assert ledger.read_bytes() == before
    airflow3.kill("triggerer")
    airflow3.start("triggerer")
    airflow3.wait_for(lambda: told(airflow3, "filed") == [sold[0].transaction])
    airflow3.wait_for(lambda: ledger.read_bytes() != before)


def a_triggerer_ends_when_it_is_told_to_whatever_is_under_way(airflow3: Components) -> None:
    log = airflow3.log("triggerer")
    logged = log.stat().st_size
    airflow3.terminate("triggerer")
    # After ten seconds, Airflow would tell it anew, and kill it after ten more.
    assert b"did not terminate in time" not in log.read_bytes()[logged:]
