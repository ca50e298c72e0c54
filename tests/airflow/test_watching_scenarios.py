"""Whichever way one watches, the same people are new: poke, reschedule and deferrable mode, and an asset's watcher."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine

from airflow_provider_hotmart.emulator import Call, HotmartEmulator
from airflow_provider_hotmart.storage import object_file
from airflow_provider_hotmart.storage.object_file import ObjectFile
from airflow_provider_hotmart.watching.entries import Run
from airflow_provider_hotmart.webhooks.announcements import Announcements
from tests.airflow.support import (
    HAS_SUPERVISOR,
    ROOT,
    ThrowawayAirflow,
    connected,
    connection,
    migrated_home,
    small_hotmart,
)
from tests.airflow.watching import NOW, WAYS, People, Poke, SensorWay, TaskRun, Watcher, Way, people, record_as

pytestmark = pytest.mark.airflow

DAY = timedelta(days=1)
#: Of the page on watching: the states of a sale, those watched, those reported, and those where changes are not wanted.
TABLE = [
    tuple(cell.strip().split(", ") for cell in row.split("|")[1:5])
    for row in re.findall(r"^\| [A-Z_, ]+ \|.*\|$", (ROOT / "docs" / "sensors.md").read_text("utf-8"), re.MULTILINE)
]
#: Makes a way of watching from the arguments of the sensor or trigger.
Watching = Callable[..., Way]


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    """The machine's clock, which the emulator's follows."""
    with time_machine.travel(NOW, tick=True) as traveller:
        yield traveller


@pytest.fixture
def hotmart(clock: time_machine.Traveller) -> Iterator[HotmartEmulator]:
    with small_hotmart(sales=0) as emulator, connected(connection(emulator)):
        yield emulator


@pytest.fixture(params=WAYS)
def watching(
    request: pytest.FixtureRequest, airflow: ThrowawayAirflow, hotmart: HotmartEmulator, tmp_path: Path
) -> Iterator[Watching]:
    if request.param == "watcher" and not HAS_SUPERVISOR:
        pytest.skip("assets have watchers since Airflow 3")
    if request.param == "reschedule" and not HAS_SUPERVISOR:
        # Airflow 2 asks its database for the first poke.
        migrated_home(airflow.shared, Path(os.environ["AIRFLOW_HOME"]))
    ways: list[Way] = []

    def make(**arguments: Any) -> Way:
        ways.append(WAYS[request.param](tmp_path, **arguments))
        return ways[-1]

    yield make
    for way in ways:
        way.close()


def test_everybody_in_a_new_sale_is_reported_once(hotmart: HotmartEmulator, watching: Watching) -> None:
    way = watching()
    first = hotmart.add_sale(affiliate=True)
    assert way.report() == people(hotmart, first)
    second, third = hotmart.add_sale(), hotmart.add_sale(status="COMPLETE")
    assert way.report() == people(hotmart, second, third)
    assert way.report() is None


def test_a_boleto_that_is_approved_six_days_after_its_order_is_reported_then(
    hotmart: HotmartEmulator, watching: Watching, clock: time_machine.Traveller
) -> None:
    way = watching()
    boleto = hotmart.add_sale(status="APPROVED", ordered_at=NOW, approved_at=NOW + 6 * DAY)
    other = hotmart.add_sale()
    assert way.report() == people(hotmart, other)
    clock.shift(6 * DAY - timedelta(minutes=1))
    assert way.report() is None
    clock.shift(timedelta(minutes=2))
    assert way.report() == people(hotmart, boleto)
    assert way.report() is None


def test_a_sale_that_completes_is_not_new_again(
    hotmart: HotmartEmulator, watching: Watching, clock: time_machine.Traveller
) -> None:
    way = watching()
    sale = hotmart.add_sale(status="APPROVED")
    assert way.report() == people(hotmart, sale)
    clock.shift(2 * DAY)
    hotmart.move(sale.transaction, "COMPLETE")
    assert way.report() is None


def test_a_refund_is_reported_where_refunds_are_watched(hotmart: HotmartEmulator, watching: Watching) -> None:
    way = watching(transaction_status="REFUNDED")
    refunded, kept = hotmart.add_sale(), hotmart.add_sale()
    assert way.report() is None
    hotmart.move(refunded.transaction, "REFUNDED")
    assert way.report() == people(hotmart, refunded)
    assert way.report() is None
    assert people(hotmart, kept)[0][2] == "APPROVED"


def test_who_was_reported_as_a_buyer_is_new_once_more_when_refunded(
    hotmart: HotmartEmulator, watching: Watching
) -> None:
    way = watching(transaction_status=["REFUNDED", "APPROVED", "COMPLETE"])
    sale = hotmart.add_sale()
    assert way.report() == people(hotmart, sale)
    hotmart.move(sale.transaction, "COMPLETE")
    assert way.report() is None
    hotmart.move(sale.transaction, "REFUNDED")
    assert way.report() == people(hotmart, sale)
    assert way.report() is None


def test_a_dispute_that_is_won_reports_the_dispute_and_not_the_old_state_again(
    hotmart: HotmartEmulator, watching: Watching
) -> None:
    way = watching(transaction_status=["APPROVED", "PROTESTED"])
    sale = hotmart.add_sale()
    assert way.report() == people(hotmart, sale)
    hotmart.move(sale.transaction, "PROTESTED")
    assert way.report() == people(hotmart, sale)
    hotmart.move(sale.transaction, "APPROVED")
    assert way.report() is None


def test_where_status_changes_are_not_wanted_who_was_reported_is_not_new_again(
    hotmart: HotmartEmulator, watching: Watching
) -> None:
    way = watching(transaction_status=["REFUNDED", "APPROVED"], report_status_changes=False)
    sale = hotmart.add_sale()
    assert way.report() == people(hotmart, sale)
    hotmart.move(sale.transaction, "REFUNDED")
    assert way.report() is None


def test_the_table_is_read() -> None:
    assert len(TABLE) == 8


@pytest.mark.parametrize("changes", [True, False], ids=["each state", "once"])
@pytest.mark.parametrize("row", TABLE, ids=str)
def test_what_is_reported_when_is_what_the_table_tells(
    hotmart: HotmartEmulator, airflow: ThrowawayAirflow, tmp_path: Path, row: tuple[list[str], ...], changes: bool
) -> None:
    states, watched, *told = row
    way = Poke(tmp_path, transaction_status=watched, report_status_changes=changes, timeout=0.01)
    sale = hotmart.add_sale(status=states[0])
    reported = []
    for state in states:
        hotmart.move(sale.transaction, state)
        if found := way.report():
            assert found == people(hotmart, sale)
            reported.append(state)
    assert reported == told[0 if changes else 1]


def test_two_people_of_whom_nothing_is_known_are_reported_once_each(
    hotmart: HotmartEmulator, watching: Watching
) -> None:
    way = watching(roles="COPRODUCER")
    sale = hotmart.add_sale(coproducers=2)
    sale._others = tuple((role, {}) for role, _ in sale._others)
    assert way.report() == [(sale.transaction, "COPRODUCER", "APPROVED")] * 2
    hotmart.move(sale.transaction, "COMPLETE")
    assert way.report() is None


def test_the_same_watch_written_otherwise_goes_on_where_it_was(hotmart: HotmartEmulator, watching: Watching) -> None:
    first, second = (product["id"] for product in hotmart.products[:2])
    way = watching(product_id=[first, second], transaction_status=["APPROVED", "REFUNDED"], roles="BUYER")
    sale = hotmart.add_sale(product_id=first)
    assert way.report() == [(sale.transaction, "BUYER", "APPROVED")]
    if isinstance(way, Watcher):
        pytest.skip("a watcher of the same arguments is the same watcher: see the tests of its trigger")
    way.arguments |= {"product_id": f"{second},{first}", "transaction_status": "refunded,approved", "roles": ["buyer"]}
    assert way.report() is None


def test_two_coproducers_of_one_sale_are_two_people(hotmart: HotmartEmulator, watching: Watching) -> None:
    way = watching(roles="COPRODUCER")
    sale = hotmart.add_sale(coproducers=2)
    assert way.report() == [(sale.transaction, "COPRODUCER", "APPROVED")] * 2
    assert way.report() is None


def test_somebody_who_buys_twice_is_new_twice(hotmart: HotmartEmulator, watching: Watching) -> None:
    way = watching(roles=["BUYER"])
    first = hotmart.add_sale()
    assert way.report() == [(first.transaction, "BUYER", "APPROVED")]
    second = hotmart.add_sale(buyer=first)
    buyers = {one["user"]["ucode"] for sale in (first, second) for one in sale.participants if one["role"] == "BUYER"}
    assert len(buyers) == 1
    assert way.report() == [(second.transaction, "BUYER", "APPROVED")]


def report_after_a_while(way: Way) -> People | None:
    """Who is reported by a later poll, however long the polls take."""
    if not isinstance(way, SensorWay):
        return way.report()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(way.arguments, "timeout", 120)
        return way.report()


def test_who_comes_before_the_third_poll_is_met_by_it(hotmart: HotmartEmulator, watching: Watching) -> None:
    way = watching(transaction_status="APPROVED")
    added = []

    def add_before_the_third(_: Call) -> None:
        if len(hotmart.calls) == 2 and not added:
            added.append(hotmart.add_sale())

    hotmart.on_call = add_before_the_third
    found = report_after_a_while(way)
    assert found == people(hotmart, added[0])
    polls = len(hotmart.calls)
    assert way.report() is None
    # A deferred sensor looks itself once more, after its trigger has.
    assert polls in (3, 4)


def test_a_sensor_waits_until_enough_are_new(hotmart: HotmartEmulator, watching: Watching) -> None:
    way = watching(transaction_status="APPROVED")
    if isinstance(way, Watcher):
        pytest.skip("a watcher reports whoever is new at once: min_new is the sensor's")
    way.arguments["min_new"] = 4
    first = hotmart.add_sale()
    assert way.report() is None
    second = hotmart.add_sale()
    assert way.report() == people(hotmart, first, second)
    hotmart.add_sale()
    assert way.report() is None


def test_what_lies_before_since_is_not_new(
    hotmart: HotmartEmulator, watching: Watching, clock: time_machine.Traveller
) -> None:
    hotmart.add_sale(ordered_at=NOW - 2 * DAY)
    way = watching(since=(NOW - DAY).isoformat())
    sale = hotmart.add_sale(ordered_at=NOW - DAY)
    assert way.report() == people(hotmart, sale)


@pytest.mark.parametrize("whose", ["task", "connection"])
def test_a_since_that_names_no_zone_is_meant_in_that_of_the_task_or_of_its_connection(
    hotmart: HotmartEmulator, watching: Watching, whose: str
) -> None:
    here, elsewhere = "America/Sao_Paulo", "Asia/Tokyo"
    midnight = NOW.astimezone(ZoneInfo(here)).replace(hour=0, minute=0, second=0, microsecond=0)
    hotmart.add_sale(ordered_at=midnight - timedelta(seconds=1))
    sale = hotmart.add_sale(ordered_at=midnight)
    timezone, of_connection = (here, elsewhere) if whose == "task" else (None, here)
    with connected(connection(hotmart, timezone=of_connection)):
        way = watching(since=midnight.date().isoformat(), timezone=timezone)
        assert way.report() == people(hotmart, sale)


def test_whom_a_run_recorded_that_fails_later_is_reported_by_whoever_shares_its_ledger(
    hotmart: HotmartEmulator, watching: Watching, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def states(*_: Any, dag_id: str, task_ids: list[str], run_ids: list[str]) -> dict[str, Any]:
        asked.append(run_ids)
        if (dag_id, task_ids) != ("another", ["new_people"]):
            return {}
        return {"its run": {"new_people": "running" if len(asked) < 3 else "failed"}}

    monkeypatch.setattr(TaskRun, "get_task_states", states)
    if HAS_SUPERVISOR:
        monkeypatch.setattr("airflow.sdk.execution_time.task_runner.RuntimeTaskInstance.get_task_states", states)
    ledger = str(tmp_path / "ledger.json")
    way = watching(ledger=ledger)
    sale = hotmart.add_sale()
    record_as(Run("another", "new_people", "its run"), ledger, sale)
    assert report_after_a_while(way) == people(hotmart, sale)
    assert len(asked) >= 3
    assert way.report() is None


def test_a_participant_without_a_ucode_is_reported_once(hotmart: HotmartEmulator, watching: Watching) -> None:
    buyer = dict(hotmart.add_sale().participants[-1]["user"])
    del buyer["ucode"]
    way = watching(roles="BUYER", since=NOW.isoformat())
    way.report()
    sale = hotmart.add_sale(buyer=buyer)
    assert way.report() == [(sale.transaction, "BUYER", "APPROVED")]
    assert way.report() is None


@pytest.mark.parametrize("report_status_changes", [True, False])
def test_what_webhooks_told_of_is_not_reported_by_whoever_shares_their_ledger(
    hotmart: HotmartEmulator, watching: Watching, tmp_path: Path, report_status_changes: bool
) -> None:
    ledger = str(tmp_path / "ledger.json")
    way = watching(
        ledger=ledger,
        transaction_status=["APPROVED", "COMPLETE", "REFUNDED"],
        report_status_changes=report_status_changes,
    )
    announcements = Announcements(ledger, 31)
    told, untold, refunded = hotmart.add_sale(), hotmart.add_sale(affiliate=True), hotmart.add_sale()
    announcements.add("hotmart_default", [(told.transaction, "APPROVED"), (refunded.transaction, "APPROVED")])
    announcements.add("another", [(untold.transaction, "APPROVED")])
    announcements.flush()
    assert way.report() == people(hotmart, untold)
    # Paid for good is the same state; what no webhook told of is a change where those are wanted.
    hotmart.move(told.transaction, "COMPLETE")
    hotmart.move(refunded.transaction, "REFUNDED")
    assert way.report() == (people(hotmart, refunded) if report_status_changes else None)


@pytest.mark.parametrize("watching", ["poke", "reschedule", "deferrable"], indirect=True)
def test_what_nobody_can_record_is_not_published(
    hotmart: HotmartEmulator, watching: Watching, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_file, "LOCK_TIMEOUT", 0.0)
    ledger = tmp_path / "ledger.json"
    way = watching(ledger=str(ledger))
    assert isinstance(way, SensorWay)
    sale = hotmart.add_sale()
    with ObjectFile(ledger).locked():
        assert way.report() is None
        assert not (tmp_path / "1.jsonl").exists()
        assert way.xcoms.values() == []
        assert not ledger.exists()
    assert way.report() == people(hotmart, sale)


@pytest.mark.parametrize("watching", ["poke", "reschedule", "deferrable"], indirect=True)
def test_whom_another_run_records_during_a_look_is_not_published(
    hotmart: HotmartEmulator, watching: Watching, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger.json"
    way = watching(ledger=str(ledger))
    assert isinstance(way, SensorWay)
    first = hotmart.add_sale()

    def record(_: Call) -> None:
        if not ledger.exists():
            record_as(None, ledger, first)

    hotmart.on_call = record
    assert way.report() is None
    assert not (tmp_path / "1.jsonl").exists()
    assert way.xcoms.values() == []
    second = hotmart.add_sale()
    assert way.report() == people(hotmart, second)
