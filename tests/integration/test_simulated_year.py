"""
A year of watching, with all that goes wrong in a year: nobody who entered a watched status is left out.

The clock stands on the marks of a quarter of an hour. Of the 35,040 marks of a year, those are polled at which
something has changed since the mark before or at which the poll before failed, and three hundred others at random. The
rest would be the same to the last byte: what a poll reports depends on who is in the watched statuses within the
look-back and on what the ledger holds. Neither has changed there, except that people leave the look-back, and who
leaves is not reported.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, PokeReturnValue, TaskDeferred

from airflow_provider_hotmart.api.client import HotmartClient
from airflow_provider_hotmart.api.errors import HotmartError
from airflow_provider_hotmart.emulator import Clock, Fault, HotmartEmulator
from airflow_provider_hotmart.hooks.hotmart import HotmartHook
from airflow_provider_hotmart.sensors.sales import HotmartNewSalesParticipantsSensor
from airflow_provider_hotmart.triggers.event import HotmartSalesParticipantsEventTrigger, Poll
from airflow_provider_hotmart.triggers.polling import connect
from airflow_provider_hotmart.watching.snapshot import Snapshot
from tests.airflow.support import connected, connection
from tests.airflow.watching import AssetState, DiedError, TaskRun, XComs
from tests.integration.support import NO_LIMIT, config_for

START = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
MINUTE, DAY = 60, 86400
QUARTER = 15 * MINUTE
END = START + 365 * DAY
#: How long after its order a sale may still be approved.
LATEST_APPROVAL = 6 * DAY
#: Nobody is refunded more than three days after that.
LOOKBACK = timedelta(days=10)
WATCHED = ("APPROVED", "COMPLETE", "REFUNDED")
SALES = 200
OTHER_POLLS = 300

FAULTS: tuple[Callable[[], Fault], ...] = (
    lambda: Fault.status(429),
    lambda: Fault.status(500),
    lambda: Fault.stall(1),
    Fault.reset,
    Fault.html,
    Fault.expired_token,
    lambda: Fault.shift(1),
    lambda: Fault.shift(-1),
)

#: Transaction, role, and whether the sale was refunded; as often as there are such people.
Person = tuple[str, str, bool]


class Mortal(TaskRun):
    """
    A task instance whose worker is killed on the way.

    :param steps: so many XComs are pushed before; half a step more: the last one is pushed, and nobody hears of it.
    """

    def __init__(self, xcoms: XComs, number: int, steps: float) -> None:
        super().__init__(xcoms, number)
        self.steps = steps

    def xcom_push(self, key: str, value: Any) -> None:
        if self.steps < 0.5:
            raise DiedError
        super().xcom_push(key, value)
        self.steps -= 1
        if self.steps < 0:
            raise DiedError


class TurnedClock:
    """
    The emulator's clock, for the client: to wait is to turn it.

    :param clock: of the emulator.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def time(self) -> float:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.now() - START

    def sleep(self, seconds: float, stopped: object = None) -> None:
        self._clock.advance(seconds)


def live(hotmart: HotmartEmulator, chance: random.Random) -> list[float]:
    """Give the account a year of sales; tell when something changes."""
    changes: list[float] = []
    for _ in range(SALES):
        at = START + int(chance.random() * 358 * DAY)
        life: list[tuple[float, str]] = [(at, "WAITING_PAYMENT")]
        if chance.random() < 0.9:
            delay = chance.choice([0, 30, chance.random() * DAY, chance.random() * LATEST_APPROVAL, LATEST_APPROVAL])
            life.append((at + int(delay) + 1, "APPROVED"))
            if chance.random() < 0.2:
                # Between two polls nobody would see the sale approved.
                life.append((life[-1][0] + int((1 + 2 * chance.random()) * DAY), "REFUNDED"))
            else:
                life.append((life[-1][0] + 7 * DAY, "COMPLETE"))
        hotmart.add_sale(life=life, coproducers=chance.choice([0, 0, 2]), affiliate=chance.random() < 0.2)
        changes += [moment for moment, _ in life]
    return changes


def entered(hotmart: HotmartEmulator, changes: bool) -> Counter[Person]:
    """
    Everybody in the sales that were in a watched status in the course of the year, once for each state.

    :param changes: whether another state counts.
    """
    found: Counter[Person] = Counter()
    for sale in hotmart.sales:
        states = {status == "REFUNDED" for moment, status in sale.life if status in WATCHED and moment < END}
        for one in sale.participants:
            found.update((sale.transaction, one["role"], state and changes) for state in sorted(states)[: 1 + changes])
    return found


@contextmanager
def watched_account(seed: int) -> Iterator[tuple[HotmartEmulator, HotmartHook, list[float]]]:
    clock = Clock(frozen=datetime.fromtimestamp(START, UTC))
    with (
        HotmartEmulator(products=3, sales=0, clock=clock, rate_limit=NO_LIMIT, seed=seed) as hotmart,
        connected(connection(hotmart)),
    ):
        changes = live(hotmart, random.Random(seed))
        client = HotmartClient(config_for(hotmart, timeout=0.3, max_retries=2), clock=TurnedClock(clock))
        hook = HotmartHook()
        hook.__dict__["_client"] = client
        asyncio.run(connect("hotmart_default")).client = client
        yield hotmart, hook, changes
        client.close()


class Year:
    """
    Watches an account through the year, by a sensor that keeps its worker.

    :param ledger: ``"xcom"`` or a path.
    :param changes: whether another state is reported.
    :param faults: how many of a hundred polls meet a fault.
    :param crashes: how many of a hundred polls are killed on the way, if they report anybody.
    """

    def __init__(
        self, folder: Path, ledger: str, seed: int, changes: bool = True, faults: int = 0, crashes: int = 0
    ) -> None:
        self.destination = folder / "new.jsonl"
        self.ledger = ledger
        self.chance = random.Random(seed)
        self.changes = changes
        self.faults = faults
        self.crashes = crashes
        self.xcoms = XComs()
        self.number = 1
        self.reported: Counter[Person] = Counter()
        self.outcomes: Counter[str] = Counter()

    def watch(self, hotmart: HotmartEmulator, hook: HotmartHook, changes: list[float]) -> None:
        marks = [self._mark_after(moment) for moment in changes]
        marks += [self._mark_after(START + self.chance.random() * (END - START)) for _ in range(OTHER_POLLS)]
        heapq.heapify(marks)
        self.begin(hook)
        while marks:
            mark = heapq.heappop(marks)
            while marks and marks[0] == mark:
                heapq.heappop(marks)
            # A poll that waits long for its retries leaves the next marks behind.
            hotmart.clock.set(max(mark, hotmart.clock.now()))
            if self.chance.random() * 100 < self.faults:
                fault = self.chance.choice(FAULTS)()
                # A stall takes real time: of those one must do.
                hotmart.faults.add(fault, times=1 if fault.seconds else self.chance.randrange(1, 5))
            outcome = self.poll()
            self.outcomes[outcome] += 1
            hotmart.faults.clear()
            if outcome in ("killed", "failed"):
                # The task is started anew, in a process of its own, and Airflow clears what the last one pushed.
                self.xcoms.clear(self.number)
                self.begin(hook)
            if outcome not in ("reported", "nobody"):
                heapq.heappush(marks, self._mark_after(hotmart.clock.now()))
        self.end()

    @staticmethod
    def _mark_after(moment: float) -> float:
        return START + ((moment - START) // QUARTER + 1) * QUARTER

    def begin(self, hook: HotmartHook, **arguments: Any) -> None:
        """Start a process."""
        self.sensor = HotmartNewSalesParticipantsSensor(
            task_id=TaskRun.task_id,
            transaction_status=WATCHED,
            lookback=LOOKBACK,
            report_status_changes=self.changes,
            ledger=self.ledger,
            destination=str(self.destination),
            # The machine's own clock, which times a deferred sensor out, hardly moves.
            timeout=1000,
            **arguments,
        )
        self.sensor.__dict__["hook"] = hook

    def end(self) -> None:
        """End the last process."""

    def poll(self) -> str:
        """Let a quarter of an hour's poll happen; tell what it came to."""
        return self._outcome_of(lambda ti: self.sensor.poke(ti.context))

    def _outcome_of(self, look: Callable[[TaskRun], PokeReturnValue]) -> str:
        ti = TaskRun(self.xcoms, self.number)
        if self.chance.random() * 100 < self.crashes:
            ti = Mortal(self.xcoms, self.number, self.chance.choice([0, 0.5, 1, 1.5]))
        with self._warnings() as warnings:
            try:
                poked = look(ti)
            except DiedError:
                return "killed"
            except (AirflowFailException, HotmartError):
                return "failed"
        if not poked:
            return "waits" if warnings else "nobody"
        lines = self.destination.read_bytes().split(b"\n")[:-1]
        people = [json.loads(line) for line in lines]
        assert poked.xcom_value["new"] == len(people)
        self._report((one["transaction"], one["role"], one["transaction_status"]) for one in people)
        self.number += 1
        return "reported"

    @contextmanager
    def _warnings(self) -> Iterator[list[str]]:
        """Collect what the sensor warns of."""
        told: list[str] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.sensor.log, "warning", lambda text, *args: told.append(text % args))
            yield told

    def _report(self, people: Iterable[tuple[str, str, str]]) -> None:
        self.reported.update((code, role, self.changes and status == "REFUNDED") for code, role, status in people)


class RescheduledYear(Year):
    """By a sensor each poke of which is a process of its own."""

    def begin(self, hook: HotmartHook, **arguments: Any) -> None:
        self.hook = hook
        super().begin(hook, mode="reschedule")

    def poll(self) -> str:
        self.begin(self.hook)
        return super().poll()


class DeferredYear(Year):
    """By a sensor that waits in the triggerer: only when its trigger sees a change does it look itself."""

    def begin(self, hook: HotmartHook, **arguments: Any) -> None:
        super().begin(hook, deferrable=True)
        self.trigger: Any = None

    def poll(self) -> str:
        if self.trigger is not None:
            try:
                if asyncio.run(self.trigger._poll()) == self.trigger.seen:
                    return "nobody"
            except HotmartError:
                return "waits"
        return self._outcome_of(self._look)

    def _look(self, ti: TaskRun) -> PokeReturnValue:
        try:
            if self.trigger is None:
                value = type(self.sensor).execute.__wrapped__(self.sensor, ti.context)
            else:
                event = {"status": "changed", "polls": 2}
                value = self.sensor.resume_execution("execute_complete", {"event": event}, ti.context)
        except TaskDeferred as deferred:
            self.trigger = deferred.trigger
            return PokeReturnValue(is_done=False)
        self.trigger = None
        return PokeReturnValue(is_done=True, xcom_value=value)


class WatchedYear(Year):
    """By the watcher of an asset."""

    loop: asyncio.AbstractEventLoop | None = None

    def begin(self, hook: HotmartHook, **arguments: Any) -> None:
        if self.loop is not None:
            self.loop.close()
        self.loop = asyncio.new_event_loop()
        self.trigger = HotmartSalesParticipantsEventTrigger(
            transaction_status=WATCHED,
            lookback=LOOKBACK,
            report_status_changes=self.changes,
            ledger=None if self.ledger == "asset" else self.ledger,
        )
        if self.ledger == "asset":
            asset = self.xcoms.__dict__.setdefault("asset", AssetState())
            self.trigger.asset_state_store = SimpleNamespace(_by_name={"sales": asset}, _by_uri={})

    def end(self) -> None:
        async def settle() -> None:
            await asyncio.gather(*self.trigger._recording)

        self.loop.run_until_complete(settle())
        self.loop.close()

    def poll(self) -> str:
        return self.loop.run_until_complete(self._poll())

    async def _poll(self) -> str:
        poll_with = await connect("hotmart_default")
        watch, now = self.trigger.watch(), poll_with.client.clock.time()
        window = watch.window(now, None)
        try:
            snapshot = await poll_with.poll(watch, window, 300, partial(Snapshot.take, watch, window))
        except HotmartError:
            return "waits"
        stored = asyncio.Event()

        async def polls() -> AsyncIterator[Poll]:
            yield Poll(poll_with, snapshot, asyncio.Semaphore(1), stored)

        events = [event.payload async for event in self.trigger.filter_shared_stream(polls())]
        if not events:
            return "nobody"
        if self.chance.random() * 100 < self.crashes:
            # Some of the events were stored, and the process is gone before it hears of it.
            events = events[: self.chance.randrange(len(events) + 1)]
            self._tell(events)
            await self.trigger.cleanup()
            return "killed"
        self._tell(events)
        stored.set()
        await asyncio.gather(*self.trigger._recording)
        return "reported"

    def _tell(self, events: list[Any]) -> None:
        sales = [sale for event in events for sale in event["transactions"]]
        self._report(
            (sale["transaction"], role, sale["transaction_status"]) for sale in sales for role in sale["roles"]
        )


WAYS = [
    pytest.param(Year, "xcom", id="poke with XComs"),
    pytest.param(RescheduledYear, "file", id="reschedule with a file"),
    pytest.param(DeferredYear, "xcom", id="deferrable with XComs"),
    pytest.param(WatchedYear, "file", id="watcher with a file"),
    pytest.param(WatchedYear, "asset", id="watcher with its asset's state"),
]


def ledger_in(folder: Path, ledger: str) -> str:
    return str(folder / "ledger.json") if ledger == "file" else ledger


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "ledger"), WAYS)
def test_without_crashes_everybody_is_reported_exactly_once_in_each_state(
    tmp_path: Path, kind: type[Year], ledger: str
) -> None:
    year = kind(tmp_path, ledger_in(tmp_path, ledger), seed=1, faults=20)
    with watched_account(seed=1) as (hotmart, hook, changes):
        year.watch(hotmart, hook, changes)
        assert year.reported == entered(hotmart, changes=True)
    assert any(is_refunded for _, _, is_refunded in year.reported)
    assert min(year.outcomes[outcome] for outcome in ("reported", "nobody", "waits")) > 20, year.outcomes


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "ledger"), WAYS[2:4])
def test_where_status_changes_are_not_wanted_everybody_is_reported_exactly_once(
    tmp_path: Path, kind: type[Year], ledger: str
) -> None:
    year = kind(tmp_path, ledger_in(tmp_path, ledger), seed=4, changes=False)
    with watched_account(seed=4) as (hotmart, hook, changes):
        year.watch(hotmart, hook, changes)
        assert year.reported == entered(hotmart, changes=False)
    assert max(year.reported.values()) == 2, "two co-producers"


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "ledger"), WAYS)
def test_whatever_crashes_everybody_is_reported_at_least_once_in_each_state(
    tmp_path: Path, kind: type[Year], ledger: str
) -> None:
    year = kind(tmp_path, ledger_in(tmp_path, ledger), seed=2, faults=10, crashes=40)
    with watched_account(seed=2) as (hotmart, hook, changes):
        year.watch(hotmart, hook, changes)
        wanted = entered(hotmart, changes=True)
        assert wanted <= year.reported
        assert year.reported.keys() == wanted.keys()
    assert min(year.outcomes[outcome] for outcome in ("reported", "nobody", "killed")) > 20, year.outcomes


def test_a_lookback_shorter_than_the_wait_for_the_money_leaves_people_out(tmp_path: Path) -> None:
    # What the other tests could not see if the year held no late approvals.
    year = Year(tmp_path, "xcom", seed=3)
    with watched_account(seed=3) as (hotmart, hook, changes), pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{__name__}.LOOKBACK", timedelta(days=2))
        year.watch(hotmart, hook, changes)
        assert year.reported < entered(hotmart, changes=True)
