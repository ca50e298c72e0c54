"""The sensor in a real Airflow: what its runs remember of each other, and what shows of it where."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hotmart.emulator import Fault, HotmartEmulator, Sale
from tests.airflow.support import HAS_SUPERVISOR, ThrowawayAirflow, connection, migrated_home, small_hotmart

if HAS_SUPERVISOR:
    from tests.airflow.history import History, Outcome, history, migrate, postgres

pytestmark = pytest.mark.airflow

DAGS = """
    from datetime import UTC, datetime, timedelta
    from airflow.sdk import DAG
    from airflow_provider_hotmart.sensors.sales import HotmartNewSalesParticipantsSensor

    MODES = {"poke": {}, "reschedule": {"mode": "reschedule"}, "deferrable": {"deferrable": True}}
    USUAL = {"poke_interval": 0.05, "timeout": 1, "roles": "BUYER"}
    # For those whose second look is to find somebody, however long the first one takes.
    PATIENT = {"timeout": 120}

    def sensor(name, mode="poke", **arguments):
        with DAG(f"{name}_{mode}", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=None):
            return HotmartNewSalesParticipantsSensor(task_id="new_people", **{**USUAL, **MODES[mode], **arguments})

    for mode in MODES:
        sensor("sequence", mode)
        sensor("soft", mode, soft_fail=True)
        sensor("impatient", mode)
        sensor("patient", mode, **PATIENT)
        sensor("private", mode, roles=None, **PATIENT)
        sensor("wrong", mode, transaction_status="{{ 'APROVED' }}", soft_fail=False)
        sensor("huge", mode, lookback=timedelta(days=10_000))
        sensor("negative", mode, lookback=-timedelta(days=1))
        sensor("none", mode, min_new=0)
        sensor("unreadable", mode, ledger=__file__)
    sensor("now", since="now")
    sensor("filed", ledger=__file__ + ".ledger")
    sensor("event", "deferrable", **PATIENT)
    sensor("lenient", "deferrable", never_fail=True, **PATIENT)
    with DAG("mapped_poke", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=None):
        HotmartNewSalesParticipantsSensor.partial(task_id="new_people", soft_fail=True, **USUAL).expand(
            product_id="PRODUCTS"
        )
"""


@pytest.fixture(scope="module")
def hotmart() -> Iterator[HotmartEmulator]:
    with small_hotmart(sales=0) as emulator:
        yield emulator


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def runs(
    request: pytest.FixtureRequest,
    airflow: ThrowawayAirflow,
    hotmart: HotmartEmulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[History]:
    if not HAS_SUPERVISOR:
        pytest.skip("histories are played through the supervisor of tasks, which came with Airflow 3")
    home = tmp_path_factory.mktemp(request.param)
    dags = DAGS.replace('"PRODUCTS"', str([product["id"] for product in hotmart.products[:2]]))
    variables = {"AIRFLOW_CONN_HOTMART_DEFAULT": json.dumps(connection(hotmart))}
    if request.param == "sqlite":
        with history(migrated_home(airflow.shared, home), dags, **variables) as told:
            yield told
        return
    with postgres() as url:
        migrate(home, url)
        with history(home, dags, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=url, **variables) as told:
            yield told


@pytest.fixture(autouse=True)
def empty(hotmart: HotmartEmulator) -> None:
    for sale in hotmart.sales:
        hotmart.remove(sale.transaction)
    hotmart.faults.clear()


def codes(*sales: Sale) -> list[str]:
    return sorted(sale.transaction for sale in sales)


each_mode = pytest.mark.parametrize("mode", ["poke", "reschedule", "deferrable"])


@each_mode
def test_clearing_the_task_reports_the_same_people_again_and_the_next_run_does_not(
    runs: History, hotmart: HotmartEmulator, mode: str
) -> None:
    dag = f"sequence_{mode}"
    first = hotmart.add_sale()
    assert runs.run(dag, "one", "scheduled", "2026-03-01T00:00:00+00:00").transactions() == codes(first)
    second = hotmart.add_sale()
    assert runs.run(dag, "two", "scheduled", "2026-03-02T00:00:00+00:00").transactions() == codes(second)
    assert runs.clear(dag, "two").transactions() == codes(second)
    third = hotmart.add_sale()
    assert runs.run(dag, "three", "scheduled", "2026-03-03T00:00:00+00:00").transactions() == codes(third)
    assert runs.run(dag, "four", "scheduled", "2026-03-04T00:00:00+00:00").states == {"new_people": "failed"}

    # Runs by hand and by an asset have no logical date, and come after those that have an earlier one.
    fourth = hotmart.add_sale()
    assert runs.run(dag, "by-hand").transactions() == codes(fourth)
    fifth = hotmart.add_sale()
    assert runs.run(dag, "by-asset", "asset_triggered").transactions() == codes(fifth)
    # In their XComs, runs know only of those before them: what later ones reported comes once more.
    assert runs.clear(dag, "by-hand").transactions() == codes(fourth, fifth)
    sixth = hotmart.add_sale()
    later = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    assert runs.run(dag, "five", "scheduled", later).transactions() == codes(sixth)


def test_with_a_file_clearing_any_run_reports_what_that_run_reported(runs: History, hotmart: HotmartEmulator) -> None:
    first = hotmart.add_sale()
    assert runs.run("filed_poke", "one").transactions() == codes(first)
    second = hotmart.add_sale()
    assert runs.run("filed_poke", "two").transactions() == codes(second)
    assert runs.clear("filed_poke", "one").transactions() == codes(first)
    assert runs.clear("filed_poke", "two").transactions() == codes(second)
    assert runs.run("filed_poke", "three").states == {"new_people": "failed"}


def test_mapped_sensors_keep_apart(runs: History, hotmart: HotmartEmulator) -> None:
    one, other = (product["id"] for product in hotmart.products[:2])
    first, second = hotmart.add_sale(product_id=one), hotmart.add_sale(product_id=other)
    found = runs.run("mapped_poke", "one")
    assert found.transactions("new_people[0]") == codes(first)
    assert found.transactions("new_people[1]") == codes(second)
    third = hotmart.add_sale(product_id=other)
    found = runs.run("mapped_poke", "two")
    assert found.states == {"new_people[0]": "skipped", "new_people[1]": "success"}
    assert found.transactions("new_people[1]") == codes(third)
    assert runs.clear("mapped_poke", "one", map_index=1).transactions("new_people[1]") == codes(second, third)
    assert runs.run("mapped_poke", "three").states == {"new_people[0]": "skipped", "new_people[1]": "skipped"}


def test_since_now_goes_on_where_a_run_that_met_nobody_began(runs: History, hotmart: HotmartEmulator) -> None:
    hotmart.add_sale(ordered_at=datetime.now(UTC) - timedelta(hours=1))
    assert runs.run("now_poke", "one").states == {"new_people": "failed"}
    between = hotmart.add_sale()
    assert runs.run("now_poke", "two").transactions() == codes(between)
    assert runs.clear("now_poke", "two").transactions() == codes(between)


@each_mode
def test_a_sensor_that_meets_nobody_times_out_like_any_other(runs: History, mode: str) -> None:
    found = runs.run(f"impatient_{mode}", "one")
    assert found.states == {"new_people": "failed"}
    assert runs.run(f"soft_{mode}", "one").states == {"new_people": "skipped"}
    assert found.transactions() is None


@each_mode
@pytest.mark.parametrize(
    ("dag", "told"),
    [
        ("wrong", "transaction_status 'APROVED' is unknown (did you mean 'APPROVED'?)"),
        ("huge", "expected a timedelta above zero and of at most 366 days"),
        ("negative", "expected a timedelta above zero and of at most 366 days"),
        ("none", "min_new is 0, expected a whole number of at least 1"),
        ("unreadable", "ledger is another kind of file, and is left alone: name a path that is free ['"),
    ],
    ids=["unknown status in a template", "huge look-back", "negative look-back", "nobody is enough", "not a ledger"],
)
def test_bad_input_fails_the_task_and_says_why(
    runs: History, hotmart: HotmartEmulator, mode: str, dag: str, told: str
) -> None:
    hotmart.add_sale()
    assert runs.run(f"{dag}_{mode}", "one").states == {"new_people": "failed"}
    assert told in runs.logs()


def run_with_event(runs: History, hotmart: HotmartEmulator, dag_id: str, run_id: str, payload: Any) -> Outcome:
    """Run a deferrable sensor that somebody wakes with this event."""
    before = len(hotmart.calls)

    def add(_: Any) -> None:
        # The sensor finds nobody; by the time that its trigger fires, somebody has come.
        if len(hotmart.calls) == before + 2:
            hotmart.add_sale()

    hotmart.on_call = add
    try:
        return runs.run(dag_id, run_id, event={"payload": payload})
    finally:
        hotmart.on_call = None


def test_a_sensor_that_is_never_to_fail_is_skipped_after_its_wait_too(runs: History, hotmart: HotmartEmulator) -> None:
    found = run_with_event(runs, hotmart, "lenient_deferrable", "one", {"status": "not known"})
    assert found.states == {"new_people": "skipped"}


@pytest.mark.parametrize(
    ("number", "payload"), list(enumerate([None, {}, [], "changed", {"status": "success"}, {"status": None}, 5]))
)
def test_an_event_that_is_not_understood_fails_the_task(
    runs: History, hotmart: HotmartEmulator, number: int, payload: Any
) -> None:
    found = run_with_event(runs, hotmart, "event_deferrable", f"{number}", payload)
    assert found.states == {"new_people": "failed"}
    assert found.transactions() is None
    assert len(found.triggers) == 1


@each_mode
def test_nothing_personal_is_left_anywhere(runs: History, hotmart: HotmartEmulator, mode: str) -> None:
    sale: list[Sale] = []
    before = len(hotmart.calls)

    def add(_: Any) -> None:
        if len(hotmart.calls) == before + 2:
            sale.append(hotmart.add_sale(affiliate=True, coproducers=1))

    hotmart.on_call = add
    try:
        found = runs.run(f"private_{mode}", "one")
    finally:
        hotmart.on_call = None
    assert found.transactions() == codes(*sale)
    everything = json.dumps([found.xcoms, found.triggers]) + runs.logs()
    for participant in sale[0].participants:
        user = participant["user"]
        private = [user["email"], user["ucode"], user["name"].strip(), *(one["value"] for one in user["documents"])]
        # Some people have no ucode, or a document without a number.
        assert [text for text in private if text and text in everything] == []
    for trigger in found.triggers:
        assert all(value is None or type(value) in (str, int, float, bool) for value in trigger.values())
    assert len(found.triggers) == (1 if mode == "deferrable" else 0)
    assert set(found.xcoms["new_people"]["return_value"]) == {
        "new", "transactions", "since", "until", "transaction_status",
    }  # fmt: skip


@each_mode
def test_a_passing_fault_is_waited_out(runs: History, hotmart: HotmartEmulator, mode: str) -> None:
    sale = hotmart.add_sale()
    hotmart.faults.add(Fault.status(500), times=1)
    found = runs.run(f"patient_{mode}", "faulty")
    assert codes(sale)[0] in (found.transactions() or [])
    assert "Poll failed, and is tried again: HotmartServerError" in runs.logs()


def test_two_runs_of_each_mode_in_either_airflow_report_everybody_once(
    airflow: ThrowawayAirflow, hotmart: HotmartEmulator
) -> None:
    sale = hotmart.add_sale()
    # Nothing but what Airflow 2 knows too.
    dags = DAGS.partition("    for mode in MODES:")[0].replace("airflow.sdk", "airflow.providers.common.compat.sdk")
    dags += "    for mode in MODES:\n        sensor('soft', mode, soft_fail=True, do_xcom_push=mode != 'poke')\n"
    modes = ["poke", "reschedule", "deferrable"]
    runs = [
        {"dag_id": f"soft_{mode}", "logical_date": f"2026-03-0{day}T00:00:00+00:00"} for day in (1, 2) for mode in modes
    ]
    # The last one would defer, and wait for a scheduler to time it out.
    run = airflow.run(dags, *runs[:-1], connections={"hotmart_default": connection(hotmart)})
    rows = run._rows(
        "SELECT task_instance.dag_id, task_instance.state FROM task_instance JOIN dag_run "
        "ON dag_run.dag_id = task_instance.dag_id AND dag_run.run_id = task_instance.run_id ORDER BY dag_run.id"
    )
    assert rows == [(f"soft_{mode}", "success") for mode in modes] + [(f"soft_{mode}", "skipped") for mode in modes[:2]]
    reported = run._rows("SELECT dag_id FROM xcom WHERE key = 'return_value' ORDER BY dag_id")
    assert reported == [("soft_deferrable",), ("soft_reschedule",)]
    assert sale.transaction in run.database("xcom")


def test_the_example_of_new_buyers_hands_them_to_its_next_task(
    airflow: ThrowawayAirflow, hotmart: HotmartEmulator, tmp_path: Path
) -> None:
    first, second = hotmart.add_sale(), hotmart.add_sale()
    example = "hotmart_new_buyers"
    run = airflow.run(
        Path(__file__).parents[2] / "dags_examples" / f"{example}.py",
        example,
        connections={"hotmart_default": connection(hotmart)},
        AIRFLOW_VAR_HOTMART_DESTINATION=tmp_path.as_uri(),
    )
    assert run.report == {"dags": [example], "import_errors": [], "warnings": []}
    assert run.states() == {"new_buyers": "success", "welcome": "success"}
    assert sorted(run.task("new_buyers").xcom["transactions"]) == codes(first, second)
    assert run.task("welcome").xcom == 2
