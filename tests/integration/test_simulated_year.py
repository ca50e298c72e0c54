"""
A year of watching, with all that goes wrong in a year: nobody who entered a watched status is left out.

The clock stands on the marks of a quarter of an hour. Of the 35,040 marks of a year, those are polled at which
something has changed since the mark before or at which the poll before failed, and five hundred others at random. The
rest would be the same to the last byte: what a poll reports depends on who is in the watched statuses within the
look-back and on what the ledger holds. Neither has changed there, except that people leave the look-back, and who
leaves is not reported.
"""

from __future__ import annotations

import heapq
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_hotmart.api.client import HotmartClient
from airflow_provider_hotmart.api.errors import HotmartError
from airflow_provider_hotmart.emulator import Clock, Fault, HotmartEmulator
from airflow_provider_hotmart.hooks.hotmart import HotmartHook
from airflow_provider_hotmart.sensors.hotmart import HotmartNewSalesParticipantsSensor
from tests.airflow.watching import TaskRun, XComs
from tests.integration.support import NO_LIMIT, config_for

START = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
MINUTE, DAY = 60, 86400
QUARTER = 15 * MINUTE
END = START + 365 * DAY
#: How long after its order a sale may still be approved.
LATEST_APPROVAL = 6 * DAY
LOOKBACK = timedelta(days=7)
WATCHED = ("APPROVED", "COMPLETE", "REFUNDED")
SALES = 300
OTHER_POLLS = 500

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

#: Transaction, role, and the ucode or else all that is known.
Person = tuple[str, str, str]


def person(transaction: str, one: dict[str, Any]) -> Person:
    return transaction, one["role"], one["user"].get("ucode") or json.dumps(one["user"], sort_keys=True)


class DiedError(Exception):
    """The worker was killed."""


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
                life.append((life[-1][0] + int(chance.random() * 3 * DAY) + 1, "REFUNDED"))
            else:
                life.append((life[-1][0] + 7 * DAY, "COMPLETE"))
        hotmart.add_sale(life=life, coproducers=chance.choice([0, 0, 2]), affiliate=chance.random() < 0.2)
        changes += [moment for moment, _ in life]
    return changes


def entered(hotmart: HotmartEmulator) -> set[Person]:
    """Everybody in the sales that were in a watched status in the course of the year."""
    return {
        person(sale.transaction, one)
        for sale in hotmart.sales
        if any(status in WATCHED and moment < END for moment, status in sale.life)
        for one in sale.participants
    }


@contextmanager
def watched_account(seed: int) -> Iterator[tuple[HotmartEmulator, HotmartHook, list[float]]]:
    clock = Clock(frozen=datetime.fromtimestamp(START, UTC))
    with HotmartEmulator(products=3, sales=0, clock=clock, rate_limit=NO_LIMIT, seed=seed) as hotmart:
        changes = live(hotmart, random.Random(seed))
        client = HotmartClient(config_for(hotmart, timeout=0.3, max_retries=2), clock=TurnedClock(clock))
        hook = HotmartHook()
        hook.__dict__["_client"] = client
        yield hotmart, hook, changes
        client.close()


class Year:
    """
    Watches an account through the year.

    :param ledger: ``"xcom"`` or a path.
    :param faults: how many of a hundred polls meet a fault.
    :param crashes: how many of a hundred polls are killed on the way, if they report anybody.
    """

    def __init__(self, folder: Path, ledger: str, seed: int, faults: int = 0, crashes: int = 0) -> None:
        self.destination = folder / "new.jsonl"
        self.ledger = ledger
        self.chance = random.Random(seed)
        self.faults = faults
        self.crashes = crashes
        self.xcoms = XComs()
        self.run = 1
        self.reported: Counter[Person] = Counter()
        self.outcomes: Counter[str] = Counter()

    def watch(self, hotmart: HotmartEmulator, hook: HotmartHook, changes: list[float]) -> None:
        marks = [self._mark_after(moment) for moment in changes]
        marks += [self._mark_after(START + self.chance.random() * (END - START)) for _ in range(OTHER_POLLS)]
        heapq.heapify(marks)
        sensor = self._sensor(hook)
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
            outcome = self._poll(sensor)
            self.outcomes[outcome] += 1
            hotmart.faults.clear()
            if outcome in ("killed", "failed"):
                # The task is started anew, in a process of its own, and Airflow clears what the last one pushed.
                self.xcoms.clear(self.run)
                sensor = self._sensor(hook)
            if outcome not in ("reported", "nobody"):
                heapq.heappush(marks, self._mark_after(hotmart.clock.now()))

    @staticmethod
    def _mark_after(moment: float) -> float:
        return START + ((moment - START) // QUARTER + 1) * QUARTER

    def _sensor(self, hook: HotmartHook) -> HotmartNewSalesParticipantsSensor:
        sensor = HotmartNewSalesParticipantsSensor(
            task_id=TaskRun.task_id,
            transaction_status=WATCHED,
            lookback=LOOKBACK,
            ledger=self.ledger,
            destination=str(self.destination),
        )
        sensor.__dict__["hook"] = hook
        return sensor

    def _poll(self, sensor: HotmartNewSalesParticipantsSensor) -> str:
        ti = TaskRun(self.xcoms, self.run)
        if self.chance.random() * 100 < self.crashes:
            ti = Mortal(self.xcoms, self.run, self.chance.choice([0, 0.5, 1, 1.5]))
        failures = sensor._failures
        try:
            poked = sensor.poke(ti.context)
        except DiedError:
            return "killed"
        except (AirflowFailException, HotmartError):
            return "failed"
        if not poked:
            return "nobody" if sensor._failures <= failures else "waits"
        lines = self.destination.read_bytes().split(b"\n")[:-1]
        people = [json.loads(line) for line in lines]
        assert poked.xcom_value["new"] == len(people)
        self.reported.update(person(one["transaction"], one) for one in people)
        self.run += 1
        return "reported"


@pytest.fixture(params=["xcom", "file"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "xcom" if request.param == "xcom" else str(tmp_path / "ledger.json")


@pytest.mark.slow
def test_without_crashes_everybody_is_reported_exactly_once(tmp_path: Path, ledger: str) -> None:
    year = Year(tmp_path, ledger, seed=1, faults=20)
    with watched_account(seed=1) as (hotmart, hook, changes):
        year.watch(hotmart, hook, changes)
        assert year.reported == Counter(entered(hotmart))
    assert min(year.outcomes[outcome] for outcome in ("reported", "nobody", "waits")) > 20, year.outcomes


@pytest.mark.slow
def test_whatever_crashes_everybody_is_reported_at_least_once(tmp_path: Path, ledger: str) -> None:
    year = Year(tmp_path, ledger, seed=2, faults=10, crashes=40)
    with watched_account(seed=2) as (hotmart, hook, changes):
        year.watch(hotmart, hook, changes)
        assert set(year.reported) == entered(hotmart)
    assert min(year.outcomes[outcome] for outcome in ("reported", "nobody", "killed")) > 20, year.outcomes


def test_a_lookback_shorter_than_the_wait_for_the_money_leaves_people_out(tmp_path: Path) -> None:
    # What the other tests could not see if the year held no late approvals.
    year = Year(tmp_path, "xcom", seed=3)
    with watched_account(seed=3) as (hotmart, hook, changes), pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{__name__}.LOOKBACK", timedelta(days=2))
        year.watch(hotmart, hook, changes)
        assert set(year.reported) < entered(hotmart)
