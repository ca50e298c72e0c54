"""What the tests of watching share: a task's runs without a scheduler, and every way to watch behind one interface."""

from __future__ import annotations

import asyncio
import importlib
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, TaskDeferred

from airflow_provider_hotmart.emulator import HotmartEmulator, Sale
from airflow_provider_hotmart.sensors.sales import HotmartNewSalesParticipantsSensor
from airflow_provider_hotmart.triggers.event import HotmartSalesParticipantsEventTrigger
from airflow_provider_hotmart.watching.entries import Owner, Run
from airflow_provider_hotmart.watching.ledgers import FileLedger
from airflow_provider_hotmart.watching.watch import Watch
from tests.airflow.support import HAS_SUPERVISOR
from tests.airflow.versions import AirflowRescheduleException, ExecutorSafeguard

#: Where the clock stands when a test begins.
NOW = datetime(2026, 3, 15, 12, 0, 20, tzinfo=UTC)
#: Seconds between two polls.
INTERVAL = 0.01
#: Seconds after which a sensor that meets nobody gives up.
TIMEOUT = 0.5
#: Polls after which a watcher that meets nobody is given up.
POLLS = 5

#: Transaction, role and status of everybody who was reported.
People = list[tuple[str, str, str]]


def people(hotmart: HotmartEmulator, *sales: Sale) -> People:
    """Everybody in these sales, with the status that the sales have now."""
    everybody = [one for sale in sales for one in hotmart.truth(transaction=sale.transaction)]
    return sorted((transaction, role, status) for transaction, role, _, status in everybody)


class XComs:
    """The XComs of one task."""

    def __init__(self) -> None:
        #: JSON by key, and by number of the run and map index.
        self.by_key: defaultdict[str, dict[tuple[int, int], str]] = defaultdict(dict)

    def values(self) -> list[Any]:
        """All of them."""
        return [json.loads(value) for values in self.by_key.values() for value in values.values()]

    def clear(self, run: int, map_index: int = -1) -> None:
        """Delete those of one run, as Airflow does before a cleared task runs again."""
        for values in self.by_key.values():
            values.pop((run, map_index), None)


def record_as(run: Run | None, ledger: Any, sale: Sale) -> None:
    """Write into a ledger file that a run or, without one, a watcher reported an approved sale; it has no filter."""
    watch = Watch("hotmart_default")
    facts = {"transaction": sale.transaction, "transaction_status": "APPROVED", "product": None}
    digests = [one.digest for one in watch.identify([{**facts, **one} for one in sale.participants])]
    FileLedger(Owner(watch.scope, run, watch.lookback), ledger).record(digests, time.time(), None)


class TaskRun:
    """
    Stands for the task instance that Airflow gives to a task.

    :param xcoms: of the task.
    :param number: place of its DAG run among all of them.
    """

    dag_id = "watching"
    task_id = "new_people"
    max_tries = 0
    try_number = 1

    def __init__(self, xcoms: XComs, number: int, map_index: int = -1) -> None:
        self.xcoms = xcoms
        self.number = number
        self.map_index = map_index
        self.run_id = f"run-{number}"
        self.first_poke: datetime | None = None

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms.by_key[key][self.number, self.map_index] = json.dumps(value)

    def xcom_pull(self, *, task_ids: list[str], key: str, include_prior_dates: bool) -> list[Any]:
        assert (task_ids, include_prior_dates) == ([self.task_id], True)
        found = [value for (run, _), value in self.xcoms.by_key[key].items() if run <= self.number]
        return [json.loads(value) for value in found] or [None]

    def get_task_states(self, *, dag_id: str, task_ids: list[str], run_ids: list[str]) -> dict[str, Any]:
        return {}  # Airflow knows of no other run

    def get_first_reschedule_date(self, context: Any) -> datetime | None:
        return self.first_poke

    @property
    def context(self) -> dict[str, Any]:
        return {"ti": self, "dag_run": SimpleNamespace(start_date=datetime.now(UTC))}


class DiedError(Exception):
    """The triggerer was killed."""


class AssetState(dict[str, str]):
    """
    Stands for the state that Airflow keeps of one asset.

    :param lasts: so many changes come through before the triggerer dies.
    """

    def __init__(self, lasts: int = 1_000_000) -> None:
        super().__init__()
        self.lasts = lasts

    async def aget(self, key: str) -> Any:
        await asyncio.sleep(0)
        return json.loads(self[key]) if key in self else None

    async def aset(self, key: str, value: Any) -> None:
        await self._live()
        self[key] = json.dumps(value)

    async def adelete(self, key: str) -> None:
        await self._live()
        self.pop(key, None)

    async def _live(self) -> None:
        await asyncio.sleep(0)
        self.lasts -= 1
        if self.lasts < 0:
            raise DiedError


@contextmanager
def outside_airflow(ti: TaskRun) -> Iterator[None]:
    """Let operators be executed by a test, which Airflow would warn of."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ExecutorSafeguard, "test_mode", True)
        if not HAS_SUPERVISOR:
            # Airflow 2 asks its database.
            patch.setattr("airflow.sensors.base._orig_start_date", lambda **_: ti.first_poke)
        yield


class Way:
    """
    A way of watching.

    :param folder: for files.
    :param arguments: of the sensor or the trigger.
    """

    def __init__(self, folder: Path, **arguments: Any) -> None:
        self.folder = folder
        self.arguments = arguments

    def report(self) -> People | None:
        """Who is reported next; None: nobody within reason."""
        raise NotImplementedError

    def close(self) -> None:
        """End what is under way."""


class SensorWay(Way):
    """A sensor, and a DAG run for each report."""

    mode: ClassVar[dict[str, Any]] = {}

    def __init__(self, folder: Path, **arguments: Any) -> None:
        super().__init__(folder, **arguments)
        self.xcoms = XComs()
        self.runs = 0

    def sensor(self) -> HotmartNewSalesParticipantsSensor:
        return HotmartNewSalesParticipantsSensor(
            task_id=TaskRun.task_id,
            destination=str(self.folder / f"{self.runs}.jsonl"),
            **{"poke_interval": INTERVAL, "timeout": TIMEOUT, **self.mode, **self.arguments},
        )

    def report(self) -> People | None:
        self.runs += 1
        return self.run(self.runs)

    def run(self, number: int) -> People | None:
        """Run the DAG run of this number, perhaps not for the first time."""
        self.runs = number
        self.xcoms.clear(number)
        try:
            value = self.execute(TaskRun(self.xcoms, number))
        except AirflowSensorTimeout:
            return None
        lines = Path(value["uri"]).read_bytes().split(b"\n")[:-1]
        records = [json.loads(line) for line in lines]
        found = sorted((one["transaction"], one["role"], one["transaction_status"]) for one in records)
        assert (value["new"], value["records"]) == (len(found), len(found))
        assert sorted(value["transactions"]) == sorted({one[0] for one in found})
        return found

    def execute(self, ti: TaskRun) -> dict[str, Any]:
        """Do what Airflow does with a sensor, until it ends or raises what it ends in."""
        with outside_airflow(ti):
            return self._execute(ti)

    def _execute(self, ti: TaskRun) -> dict[str, Any]:
        raise NotImplementedError


class Poke(SensorWay):
    """A sensor that keeps its worker."""

    def _execute(self, ti: TaskRun) -> dict[str, Any]:
        return self.sensor().execute(ti.context)


class Reschedule(SensorWay):
    """A sensor that ends between its pokes; each poke is another process, and so another object."""

    mode: ClassVar[dict[str, Any]] = {"mode": "reschedule"}

    def _execute(self, ti: TaskRun) -> dict[str, Any]:
        while True:
            try:
                return self.sensor().execute(ti.context)
            except AirflowRescheduleException:
                ti.first_poke = ti.first_poke or datetime.now(UTC)
                ti.xcoms.clear(ti.number)
            time.sleep(INTERVAL)


class Deferrable(SensorWay):
    """A sensor that waits in the triggerer."""

    mode: ClassVar[dict[str, Any]] = {"deferrable": True}

    def _execute(self, ti: TaskRun) -> dict[str, Any]:
        try:
            return self.sensor().execute(ti.context)
        except TaskDeferred as deferred:
            return self.resume(ti, deferred)

    def resume(self, ti: TaskRun, deferred: TaskDeferred) -> dict[str, Any]:
        """Do what the triggerer does, and then the worker."""
        assert deferred.timeout is not None
        path, arguments = deferred.trigger.serialize()
        assert all(value is None or isinstance(value, (str, int, float)) for value in arguments.values())
        kwargs = json.loads(json.dumps(deferred.kwargs or {}))
        method = deferred.method_name
        try:
            kwargs["event"] = asyncio.run(first_event(path, arguments, deferred.timeout))
        except TimeoutError:
            method, kwargs = "__fail__", {"error": "Trigger timeout" if HAS_SUPERVISOR else "Trigger/execution timeout"}
        try:
            return self.sensor().resume_execution(method, kwargs, ti.context)
        except TaskDeferred as again:
            return self.resume(ti, again)


def made(path: str, arguments: dict[str, Any]) -> Any:
    """A trigger, made from what the database holds of it."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)(**json.loads(json.dumps(arguments)))


async def first_event(path: str, arguments: dict[str, Any], within: timedelta) -> Any:
    """Run a trigger until its first event; give the event's payload."""
    events = made(path, arguments).run()
    event = await asyncio.wait_for(anext(events), within.total_seconds())
    await events.aclose()
    return json.loads(json.dumps(event.payload))


class Watcher(Way):
    """The trigger of an asset watcher, which goes on from report to report."""

    def __init__(self, folder: Path, **arguments: Any) -> None:
        super().__init__(folder, **arguments)
        first = HotmartSalesParticipantsEventTrigger(poll_interval=INTERVAL, **arguments)
        self.trigger = made(*first.serialize())
        self.loop = asyncio.new_event_loop()
        self.events: list[Any] = []
        self.polled = asyncio.Event()
        self.next = asyncio.Event()
        self.watching: asyncio.Task[None] | None = None

    async def _watch(self) -> None:
        async for event in self.trigger.filter_shared_stream(self._polls()):
            self.events.append(json.loads(json.dumps(event.payload)))

    async def _polls(self) -> Any:
        """The polls, each once it is asked for."""
        async for snapshot in type(self.trigger).open_shared_stream(self.trigger.serialize()[1]):
            yield snapshot
            # The watcher has come back for more, so it has handed on all that this poll gave.
            self.polled.set()
            await self.next.wait()
            self.next.clear()

    async def _poll(self) -> None:
        if self.watching is None:
            self.watching = asyncio.create_task(self._watch())
        self.next.set()
        polled = asyncio.create_task(self.polled.wait())
        await asyncio.wait({polled, self.watching}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
        if self.watching.done():
            self.watching.result()
        self.polled.clear()

    def report(self) -> People | None:
        for _ in range(POLLS):
            self.events.clear()
            self.loop.run_until_complete(self._poll())
            if self.events:
                return self.told()
        return None

    def told(self) -> People:
        """Whom the events tell of."""
        found: People = []
        for event in self.events:
            told = [
                (sale["transaction"], role, sale["transaction_status"])
                for sale in event["transactions"]
                for role in sale["roles"]
            ]
            assert event["new"] == len(told)
            found += told
        return sorted(found)

    def close(self) -> None:
        async def end() -> None:
            if self.watching is not None:
                self.watching.cancel()
                await asyncio.wait({self.watching})
            await self.trigger.cleanup()

        with closing(self.loop):
            self.loop.run_until_complete(end())


WAYS: dict[str, type[Way]] = {
    "poke": Poke,
    "reschedule": Reschedule,
    "deferrable": Deferrable,
    "watcher": Watcher,
}
