"""A sensor ends the same in all of its modes, whatever happens to it, and waits for as long."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)

from airflow_provider_hotmart.emulator import Fault, HotmartEmulator
from airflow_provider_hotmart.sensors.sales import HotmartNewSalesParticipantsSensor
from airflow_provider_hotmart.triggers.sensor import HotmartNewSalesParticipantsTrigger
from tests.airflow.support import connected, connection, small_hotmart
from tests.airflow.watching import WAYS, SensorWay, TaskRun, outside_airflow

pytestmark = pytest.mark.airflow

MODES = ("poke", "reschedule", "deferrable")
FLAGS: dict[str, dict[str, Any]] = {
    "no flag": {},
    "soft_fail": {"soft_fail": True},
    "never_fail": {"never_fail": True},
    "silent_fail": {"silent_fail": True},
}
#: What each ends in: "retried" fails too, but for Airflow's retries.
TABLE = {
    "nobody comes": ("failed", "skipped", "failed", "failed"),
    "somebody comes": ("success", "success", "success", "success"),
    "Hotmart fails for a while": ("success", "success", "success", "success"),
    "Hotmart fails for ever": ("failed", "skipped", "failed", "failed"),
    "no permission": ("failed", "skipped", "skipped", "failed"),
    "no permission any more": ("failed", "skipped", "skipped", "failed"),
    "a filter that is wrong": ("failed", "skipped", "skipped", "failed"),
    "no such connection": ("failed", "skipped", "skipped", "failed"),
    "a template without a value": ("failed", "skipped", "skipped", "failed"),
    "Airflow fails": ("retried", "retried", "skipped", "failed"),
}
CASES = [
    pytest.param(happens, flag, outcome, id=f"{happens}-{flag}")
    for happens, outcomes in TABLE.items()
    for flag, outcome in zip(FLAGS, outcomes, strict=True)
]


@pytest.fixture
def hotmart() -> Iterator[HotmartEmulator]:
    with small_hotmart(sales=0) as emulator, connected(connection(emulator)):
        yield emulator


class Unreachable(TaskRun):
    """A task instance whose Airflow does not answer."""

    def xcom_pull(self, **_: Any) -> Any:
        raise ConnectionError("the API server is away")


def let(happens: str, hotmart: HotmartEmulator) -> tuple[dict[str, Any], type[TaskRun]]:
    """Prepare what happens; give the arguments of the sensor, and its task instance."""
    # What comes after some looks comes however long they take.
    lasts = happens in ("somebody comes", "Hotmart fails for a while", "no permission any more")
    arguments: dict[str, Any] = {"timeout": 60} if lasts else {}
    kind = TaskRun
    if happens == "somebody comes":
        hotmart.add_sale()
    elif happens == "Hotmart fails for a while":
        hotmart.faults.add(Fault.status(503), times=3)
        hotmart.add_sale()
    elif happens == "Hotmart fails for ever":
        hotmart.faults.add(Fault.status(503), times=None)
    elif happens == "no permission":
        hotmart.permission = False
    elif happens == "no permission any more":

        def withdraw(_: Any) -> None:
            hotmart.permission = len(hotmart.calls) < 6

        hotmart.on_call = withdraw
    elif happens == "a filter that is wrong":
        arguments["transaction_status"] = "APROVED"
    elif happens == "no such connection":
        arguments["hotmart_conn_id"] = "nobody"
    elif happens == "a template without a value":
        arguments["roles"] = "{{ params.gone }}"
    elif happens == "Airflow fails":
        kind = Unreachable
    return arguments, kind


def ends(way: SensorWay, ti: TaskRun) -> str:
    """How Airflow is to end the task."""
    try:
        way.execute(ti)
    except AirflowSkipException:
        return "skipped"
    except (AirflowFailException, AirflowSensorTimeout):
        return "failed"
    except Exception:  # noqa: BLE001 - whatever else, Airflow retries
        return "retried"
    return "success"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("happens", "flag", "outcome"), CASES)
def test_it_ends_the_same_in_all_modes(
    hotmart: HotmartEmulator, tmp_path: Path, happens: str, flag: str, outcome: str, mode: str
) -> None:
    arguments, kind = let(happens, hotmart)
    way = WAYS[mode](tmp_path, **arguments, **FLAGS[flag])
    assert isinstance(way, SensorWay)
    if happens == "a template without a value":
        # As Airflow renders it with native types.
        make = way.sensor

        def rendered() -> HotmartNewSalesParticipantsSensor:
            sensor = make()
            sensor.roles = None
            return sensor

        way.sensor = rendered  # type: ignore[method-assign]
    assert ends(way, kind(way.xcoms, 1)) == outcome


def deferred_trigger(tmp_path: Path, **arguments: Any) -> HotmartNewSalesParticipantsTrigger:
    """What a sensor defers to that finds nobody."""
    way = WAYS["deferrable"](tmp_path, **arguments)
    assert isinstance(way, SensorWay)
    ti = TaskRun(way.xcoms, 1)
    with outside_airflow(ti), pytest.raises(TaskDeferred) as caught:
        way.sensor().execute(ti.context)
    assert isinstance(caught.value.trigger, HotmartNewSalesParticipantsTrigger)
    return caught.value.trigger


@pytest.mark.parametrize("max_wait", [None, 40, timedelta(seconds=40)], ids=str)
def test_waits_grow_in_the_triggerer_as_they_do_between_pokes(
    hotmart: HotmartEmulator, tmp_path: Path, max_wait: Any
) -> None:
    waits = {"poke_interval": 10, "timeout": 10_000, "exponential_backoff": True, "max_wait": max_wait}
    trigger = deferred_trigger(tmp_path, **waits)
    for pokes in range(1, 9):
        trigger.polls = pokes
        sensors = [HotmartNewSalesParticipantsSensor(task_id=f"t{number}", **waits) for number in range(20)]
        between = [sensor._get_next_poke_interval(0.0, lambda: 0.0, pokes) for sensor in sensors]
        deferred = [trigger._interval() for _ in range(200)]
        shortest = min(max(5 * 2 ** (pokes - 1), 1), 40 if max_wait else 10_000)
        longest = min(2 * shortest, 40 if max_wait else 10_000)
        assert all(shortest <= wait <= longest for wait in between + deferred)
        # Many sensors that began together do not look together. (200 draws in half the span: 1 in 2**190.)
        assert max(deferred) - min(deferred) >= (longest - shortest) / 2


def test_without_backoff_every_wait_is_the_interval(hotmart: HotmartEmulator, tmp_path: Path) -> None:
    trigger = deferred_trigger(tmp_path, poke_interval=7, max_wait=3, timeout=60)
    assert [trigger._interval() for _ in range(5)] == [7] * 5


def test_looks_are_counted_on_from_the_worker_to_the_triggerer_and_back(
    hotmart: HotmartEmulator, tmp_path: Path
) -> None:
    way = WAYS["deferrable"](tmp_path, min_new=100, timeout=60)
    assert isinstance(way, SensorWay)
    ti = TaskRun(way.xcoms, 1)
    with outside_airflow(ti):
        with pytest.raises(TaskDeferred) as caught:
            way.sensor().execute(ti.context)
        assert caught.value.trigger.polls == 1
        event = {"event": {"status": "changed", "polls": 4}, "began": 1000.0}
        with pytest.raises(TaskDeferred) as caught:
            way.sensor().resume_execution("execute_complete", event, ti.context)
    assert caught.value.trigger.polls == 5
    # The wait began long ago, so nothing is left of the timeout.
    assert (caught.value.kwargs, caught.value.timeout) == ({"began": 1000.0}, timedelta(0))
