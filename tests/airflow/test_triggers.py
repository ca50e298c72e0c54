"""The triggers in an event loop: what ends a wait and what does not, what an event holds, when it counts as told."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError, HotmartPermissionError, HotmartServerError
from airflow_provider_hotmart.emulator import Fault, HotmartEmulator
from airflow_provider_hotmart.hooks.hotmart import HotmartHook, missing_connection
from airflow_provider_hotmart.sensors.sales import HotmartNewSalesParticipantsSensor
from airflow_provider_hotmart.storage import StorageError, object_file
from airflow_provider_hotmart.storage.object_file import ObjectFile
from airflow_provider_hotmart.triggers import event as event_module
from airflow_provider_hotmart.triggers.event import HotmartSalesParticipantsEventTrigger
from airflow_provider_hotmart.triggers.polling import connect, is_permanent
from airflow_provider_hotmart.triggers.sensor import HotmartNewSalesParticipantsTrigger
from airflow_provider_hotmart.watching.entries import Owner
from airflow_provider_hotmart.watching.ledgers import FileLedger
from airflow_provider_hotmart.watching.snapshot import Snapshot
from tests.airflow.support import HAS_SUPERVISOR, ROOT, connected, connection, small_hotmart
from tests.airflow.watching import INTERVAL, TaskRun, XComs, first_event, record_as

try:
    from airflow.triggers.shared_stream import SharedStreamManager
except ImportError:
    SharedStreamManager = None

pytestmark = pytest.mark.airflow

needs_watchers = pytest.mark.skipif(not HAS_SUPERVISOR, reason="assets have watchers since Airflow 3")
needs_shared_streams = pytest.mark.skipif(SharedStreamManager is None, reason="polls are shared since Airflow 3.3")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def hotmart() -> Iterator[HotmartEmulator]:
    with small_hotmart(sales=0) as emulator, connected(connection(emulator)):
        yield emulator


# What the sensor defers to


def wait(**arguments: Any) -> Any:
    """Run the sensor's trigger until its event; unless it is told whom the sensor saw, the first look is a change."""
    usual = {"seen": "", "since": int(time.time()) - 3600, "poll_interval": INTERVAL}
    trigger = HotmartNewSalesParticipantsTrigger(**{**usual, **arguments})
    return asyncio.run(first_event(*trigger.serialize(), MINUTE))


def complete(event: Any) -> Any:
    sensor = HotmartNewSalesParticipantsSensor(task_id="new_people")
    return sensor.execute_complete(TaskRun(XComs(), 1).context, event)


def test_passing_faults_are_waited_out_and_logged(
    hotmart: HotmartEmulator, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    hotmart.faults.add(Fault.status(500), times=3)
    hotmart.faults.add(Fault.reset(), times=2)
    with caplog.at_level(logging.WARNING):
        assert wait() == {"status": "changed", "polls": 7}
    # Airflow 3 has a way of its own to log.
    told = re.findall(r"Poll failed, and is tried again: (\w+):", caplog.text or capsys.readouterr().out)
    assert told == ["HotmartServerError"] * 3 + ["HotmartTransportError"] * 2


def test_a_permanent_fault_ends_the_wait_at_once_and_for_good(hotmart: HotmartEmulator) -> None:
    hotmart.permission = False
    event = wait()
    assert (event["status"], len(hotmart.calls)) == ("error", 1)
    with pytest.raises(AirflowFailException, match=r"^The credential has no right .*\(HotmartPermissionError\)$"):
        complete(event)


def test_a_connection_that_is_not_there_ends_the_wait_for_good() -> None:
    event = wait(hotmart_conn_id="missing")
    assert event["status"] == "error"
    assert event["message"] == f"{missing_connection('missing')} (HotmartConfigError)"


@pytest.mark.parametrize(
    ("error", "permanent"),
    [
        (missing_connection("missing"), True),
        (HotmartPermissionError("no right"), True),
        (HotmartServerError("down"), False),
        (StorageError("in use", permanent=False), False),
        # Airflow's API server may be away for a while.
        (ConnectionError("refused"), False),
        (TimeoutError(), False),
    ],
    ids=repr,
)
def test_what_is_not_known_to_be_permanent_may_pass(error: Exception, permanent: bool) -> None:
    assert is_permanent(error) is permanent


@pytest.mark.parametrize(
    "event", [None, {}, [], "changed", 5, {"status": "success"}, {"status": None}, {"status": "changed"}], ids=str
)
def test_an_event_that_is_not_understood_fails_for_good(event: Any) -> None:
    with pytest.raises(AirflowFailException, match="that this sensor does not understand"):
        complete(event)


# What is cancelled


def fetching() -> list[str]:
    """Threads that fetch, of any listing."""
    return [thread.name for thread in threading.enumerate() if re.match(r"hotmart_\d", thread.name)]


@pytest.mark.parametrize("kind", ["sensor", "event"])
def test_a_poll_that_is_cancelled_ends_its_calls_and_its_threads(
    hotmart: HotmartEmulator, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    if kind == "event" and not HAS_SUPERVISOR:
        pytest.skip("assets have watchers since Airflow 3")
    hotmart.faults.add(Fault.stall(3600), times=None)
    monkeypatch.setenv("AIRFLOW_CONN_HOTMART_DEFAULT", json.dumps(connection(hotmart, timeout=3600)))
    trigger: Any = HotmartSalesParticipantsEventTrigger(poll_interval=INTERVAL)
    if kind == "sensor":
        trigger = HotmartNewSalesParticipantsTrigger(seen="", since=0, poll_interval=INTERVAL)

    async def cancel() -> float:
        async def watch() -> None:
            async for _ in trigger.run():
                raise AssertionError

        task = asyncio.create_task(watch())
        await eventually(lambda: hotmart.calls or fetching())
        await eventually(fetching)
        began = time.monotonic()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await trigger.cleanup()
        await eventually(lambda: not fetching())
        return time.monotonic() - began

    assert asyncio.run(cancel()) < 30


class Supervisor:
    """The other end of a triggerer's requests to Airflow, which answers when it may."""

    def __init__(self, hotmart: HotmartEmulator) -> None:
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self._connection = {
            "type": "ConnectionResult",
            "conn_id": "supervised",
            "conn_type": "hotmart",
            "host": hotmart.url,
            "login": hotmart.client_id,
            "password": hotmart.client_secret,
            **dict.fromkeys(("schema", "port", "extra")),
        }

    async def serve(self, end: socket.socket) -> None:
        requests, answers = await asyncio.open_connection(sock=end)
        while length := await requests.read(4):
            number, body, *_ = msgspec.msgpack.decode(await requests.readexactly(int.from_bytes(length, "big")))
            self.asked.set()
            await self.may_answer.wait()
            found = self._connection if body["type"] == "GetConnection" else None
            answer = msgspec.msgpack.encode([number, found, None])
            answers.write(len(answer).to_bytes(4, "big") + answer)
        answers.close()
        await answers.wait_closed()


@pytest.mark.skipif(not HAS_SUPERVISOR, reason="the triggerer of Airflow 2 asks the database")
@pytest.mark.parametrize("how", ["look_up", "run"])
def test_a_trigger_that_is_cancelled_while_it_asks_airflow_leaves_the_answers_of_others_whole(
    hotmart: HotmartEmulator, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    from airflow.jobs.triggerer_job_runner import TriggerCommsDecoder
    from airflow.sdk.execution_time import task_runner

    async def story() -> None:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        requests = TriggerCommsDecoder(async_writer=writer, async_reader=reader, socket=ours)
        if hasattr(requests, "start_reader"):
            await requests.start_reader()
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", requests, raising=False)
        supervisor = Supervisor(hotmart)
        serving = asyncio.create_task(supervisor.serve(theirs))
        supervisor.may_answer.set()
        connection = await connect("supervised")
        supervisor.may_answer.clear()
        supervisor.asked.clear()
        ways: dict[str, Callable[[], Any]] = {
            "look_up": lambda: connect("supervised"),
            "run": lambda: connection.run(lambda: HotmartHook("supervised").get_conn()),
        }
        asking = asyncio.create_task(ways[how]())
        await supervisor.asked.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        supervisor.may_answer.set()
        assert (await connect("supervised")).client.config.base_url == hotmart.url
        # Closed with an answer unread, the socket would tell its other end of a reset.
        writer.write_eof()
        await serving
        if hasattr(requests, "start_reader"):
            requests._reader_task.cancel()
        writer.close()
        await writer.wait_closed()

    asyncio.run(asyncio.wait_for(story(), 120))


DRIVER = """
import asyncio, sys
from airflow_provider_hotmart.triggers.sensor import HotmartNewSalesParticipantsTrigger
async def main():
    async def wait():
        async for event in HotmartNewSalesParticipantsTrigger(seen="", since=0, poll_interval=0.01).run():
            print(event)
    tasks = [asyncio.create_task(wait()) for _ in range(30)]
    await asyncio.sleep(3)
    print("told to stop", flush=True)
asyncio.run(main())
"""


def test_the_process_of_triggers_ends_at_once_whatever_is_under_way(
    hotmart: HotmartEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    hotmart.faults.add(Fault.stall(3600), times=None)
    monkeypatch.setenv("AIRFLOW_CONN_HOTMART_DEFAULT", json.dumps(connection(hotmart, timeout=3600)))
    with subprocess.Popen([sys.executable, "-c", DRIVER], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert any(line == "told to stop\n" for line in process.stdout)
        told = time.monotonic()
        process.communicate(timeout=120)
    # Airflow's own farewell included.
    assert time.monotonic() - told < 60
    assert process.returncode == 0


# Watchers


def watcher(**arguments: Any) -> HotmartSalesParticipantsEventTrigger:
    first = HotmartSalesParticipantsEventTrigger(poll_interval=INTERVAL, **arguments)
    return HotmartSalesParticipantsEventTrigger(**json.loads(json.dumps(first.serialize()[1])))


def recorded(path: Path, trigger: HotmartSalesParticipantsEventTrigger) -> int:
    """How many participants a ledger holds for a watcher."""
    owner = Owner(trigger.watch().scope, None, timedelta(days=7))
    return len(FileLedger(owner, path).load(0).known)


async def eventually(what: Callable[[], Any]) -> Any:
    """Let the event loop run until something is true."""
    for _ in range(6000):
        if answer := what():
            return answer
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to pass")


class Triggerer:
    """
    Does with watchers what Airflow's triggerer does, through Airflow's own manager of shared streams.

    :param stores: whether events reach the database.
    """

    def __init__(self, stores: bool = True) -> None:
        self.stores = stores
        self.events: dict[int, list[Any]] = {}
        self._manager = SharedStreamManager()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, trigger: HotmartSalesParticipantsEventTrigger) -> list[Any]:
        """Run a watcher; gives the list that its events go to."""
        number = len(self._tasks)
        self.events[number] = []
        self._tasks.append(asyncio.create_task(self._run(number, trigger)))
        return self.events[number]

    async def _run(self, number: int, trigger: HotmartSalesParticipantsEventTrigger) -> None:
        key = trigger.shared_stream_key()
        stream = self._manager.subscribe(trigger_id=number, trigger=trigger, key=key)
        try:
            async for event in trigger.filter_shared_stream(stream):
                sequence = self._manager.bind_pending_event(trigger_id=number, key=key)
                self.events[number].append(event.payload)
                if self.stores:
                    asyncio.get_running_loop().call_later(0.01, self._manager.confirm_persisted, [sequence])
        finally:
            await self._manager.unsubscribe(number, key)
            await trigger.cleanup()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._manager.stop_all()


@asynccontextmanager
async def triggerer(stores: bool = True) -> AsyncIterator[Triggerer]:
    running = Triggerer(stores)
    try:
        yield running
    finally:
        await running.stop()


@needs_shared_streams
def test_an_event_holds_at_most_500_sales_and_nobodys_data(hotmart: HotmartEmulator, tmp_path: Path) -> None:
    sales = [hotmart.add_sale(coproducers=1) for _ in range(1_100)]

    async def watch() -> list[Any]:
        async with triggerer() as running:
            events = running.start(watcher(ledger=str(tmp_path / "ledger")))
            await eventually(lambda: len(events) == 3)
            return events

    events = asyncio.run(watch())
    assert [len(event["transactions"]) for event in events] == [500, 500, 100]
    told = [sale for event in events for sale in event["transactions"]]
    assert {sale["transaction"] for sale in told} == {sale.transaction for sale in sales}
    assert {tuple(sorted(sale)) for sale in told} == {("product_id", "roles", "transaction", "transaction_status")}
    assert {tuple(sorted(sale["roles"])) for sale in told} == {("BUYER", "COPRODUCER", "PRODUCER")}
    assert {tuple(event) for event in events} == {("new", "transactions", "since", "until")}
    assert sum(event["new"] for event in events) == 3_300


@needs_shared_streams
def test_an_event_counts_as_told_only_once_it_is_stored(hotmart: HotmartEmulator, tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    hotmart.add_sale()

    async def watch(stores: bool) -> int:
        async with triggerer(stores) as running:
            trigger = watcher(ledger=str(path))
            events = running.start(trigger)
            await eventually(lambda: events)
            polls = len(hotmart.calls)
            if stores:
                await eventually(lambda: recorded(path, trigger))
            await eventually(lambda: len(hotmart.calls) > polls + 10)
            assert len(events) == 1
            return recorded(path, trigger)

    # The triggerer goes before it has stored the event, comes back, and is told again; then it is not.
    assert asyncio.run(watch(stores=False)) == 0
    assert asyncio.run(watch(stores=True)) == 2

    async def watch_on() -> list[Any]:
        async with triggerer() as running:
            events = running.start(watcher(ledger=str(path)))
            polls = len(hotmart.calls)
            await eventually(lambda: len(hotmart.calls) > polls + 10)
            return events

    assert asyncio.run(watch_on()) == []


@needs_shared_streams
def test_equal_watchers_cost_the_calls_of_one_and_remember_for_themselves(
    hotmart: HotmartEmulator, tmp_path: Path
) -> None:
    sale = hotmart.add_sale()
    most = 0

    def count(_: Any) -> None:
        nonlocal most
        most += 1

    hotmart.on_call = count

    async def watch() -> list[list[Any]]:
        async with triggerer() as running:
            told = [running.start(watcher(ledger=str(tmp_path / f"{number}"))) for number in range(50)]
            await eventually(lambda: all(told))
            await eventually(lambda: all((tmp_path / f"{number}").exists() for number in range(50)))
            return told

    told = asyncio.run(watch())
    assert [[event["transactions"][0]["transaction"] for event in events] for events in told] == [
        [sale.transaction]
    ] * 50
    by_poll = [call for call in hotmart.calls if call.params["transaction_status"] == ["APPROVED"]]
    # Polls are told apart by their windows: none was made twice.
    assert len({call.at for call in by_poll}) == len(by_poll)
    assert most < 50 * 2


@needs_shared_streams
@pytest.mark.parametrize("broken", ["ledger", "permission"])
def test_a_watcher_that_cannot_go_on_says_so_and_goes_on_when_it_can(
    hotmart: HotmartEmulator, tmp_path: Path, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    path = tmp_path / "ledger"
    sale = hotmart.add_sale()
    if broken == "ledger":
        path.write_text("not a ledger")
    else:
        hotmart.permission = False

    async def watch() -> list[Any]:
        async with triggerer() as running:
            other = running.start(watcher(ledger=str(tmp_path / "other")))
            events = running.start(watcher(ledger=str(path)))
            await eventually(lambda: sum("Poll failed" in message for message in caplog.messages) >= 3)
            assert events == []
            assert bool(other) is (broken == "ledger")
            path.unlink(missing_ok=True)
            hotmart.permission = True
            await eventually(lambda: events and other)
            return events

    with caplog.at_level(logging.ERROR):
        [event] = asyncio.run(watch())
    assert [one["transaction"] for one in event["transactions"]] == [sale.transaction]
    told = {"ledger": "is another kind of file, and is left alone", "permission": "HotmartPermissionError"}
    assert told[broken] in caplog.text


@needs_watchers
def test_what_cannot_be_recorded_yet_is_recorded_later(
    hotmart: HotmartEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # As on an Airflow that shares no polls; here it answers what it is asked.
    monkeypatch.setattr(event_module, "HANDOVER", 0.0)
    monkeypatch.setattr(event_module, "_ask_airflow", lambda: None)
    monkeypatch.setattr(object_file, "LOCK_TIMEOUT", 0.0)
    path, lock = tmp_path / "ledger", ExitStack()
    lock.enter_context(ObjectFile(tmp_path / "ledger").locked())
    hotmart.add_sale()

    async def watch() -> None:
        trigger = watcher(ledger=str(path))
        events = trigger.run()
        await anext(events)
        waiting = asyncio.ensure_future(anext(events))
        await eventually(lambda: "is being written by another run" in caplog.text)
        assert recorded(path, trigger) == 0
        lock.close()
        await eventually(lambda: recorded(path, trigger) == 2)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await trigger.cleanup()

    asyncio.run(watch())
    assert "What was reported is not recorded yet: StorageError" in caplog.text


@needs_watchers
def test_a_watcher_that_begins_now_begins_there_again_after_a_restart(hotmart: HotmartEmulator, tmp_path: Path) -> None:
    path = str(tmp_path / "ledger")

    async def one_event() -> Any:
        trigger = watcher(since="now", ledger=path)
        assert trigger.shared_stream_key() is None
        events = trigger.run()
        event = asyncio.ensure_future(anext(events))
        polls = len(hotmart.calls)
        await eventually(lambda: event.done() or len(hotmart.calls) > polls + 8)
        event.cancel()
        await trigger.cleanup()
        return event.result().payload if event.done() and not event.cancelled() else None

    assert asyncio.run(one_event()) is None
    while_away = hotmart.add_sale()
    event = asyncio.run(one_event())
    assert [sale["transaction"] for sale in event["transactions"]] == [while_away.transaction]


@pytest.mark.parametrize("interval", [0, -1, float("nan"), None, True, "300", timedelta(minutes=5)], ids=str)
def test_an_interval_that_is_none_is_refused_where_the_dag_is_written(interval: Any) -> None:
    with pytest.raises(HotmartInvalidRequestError, match=r"poll_interval is .*, expected seconds above zero"):
        HotmartSalesParticipantsEventTrigger(poll_interval=interval)


@pytest.mark.parametrize("lookback", ["7 days", None, float("nan"), 1e20], ids=str)
def test_a_look_back_that_is_none_is_refused_there_too(lookback: Any) -> None:
    with pytest.raises(HotmartInvalidRequestError, match=r"lookback is .*, expected a timedelta or seconds"):
        HotmartSalesParticipantsEventTrigger(lookback=lookback)


@pytest.mark.skipif(not HAS_SUPERVISOR, reason="before Airflow 3, nothing shares a poll")
def test_the_key_of_a_shared_poll_which_airflow_logs_names_no_buyer() -> None:
    key = watcher(buyer_email="maria@example.com").shared_stream_key()
    assert "maria" not in str(key)
    assert key == watcher(buyer_email="maria@example.com", ledger="file:///elsewhere").shared_stream_key()
    assert key != watcher(buyer_email="joana@example.com").shared_stream_key()


@needs_watchers
def test_a_watcher_is_the_same_from_parse_to_parse_and_however_it_is_written() -> None:
    ways = [
        {"transaction_status": ["REFUNDED", "APPROVED"], "product_id": [2, 1], "roles": "buyer"},
        {"transaction_status": {"approved", "refunded"}, "product_id": {1, 2}, "roles": ["BUYER"]},
        {"transaction_status": "APPROVED,REFUNDED,APPROVED", "product_id": "1,2", "roles": ("BUYER", "buyer")},
    ]
    triggers = [HotmartSalesParticipantsEventTrigger(**way) for way in ways]
    assert len({json.dumps(trigger.serialize()) for trigger in triggers}) == 1
    if SharedStreamManager is not None:
        assert len({trigger.shared_stream_key() for trigger in triggers}) == 1
    again = HotmartSalesParticipantsEventTrigger(**triggers[0].serialize()[1])
    assert again.serialize() == triggers[0].serialize()


@needs_shared_streams
def test_a_ledger_file_is_read_anew_at_each_look(hotmart: HotmartEmulator, tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    trigger = watcher(ledger=str(path))

    async def watch() -> list[Any]:
        async with triggerer() as running:
            events = running.start(trigger)
            polls = len(hotmart.calls)
            await eventually(lambda: len(hotmart.calls) > polls + 4)
            # Another with the same watch reports the sale before the watcher can see it.
            hotmart.stop()
            sale = hotmart.add_sale()
            record_as(None, path, sale)
            hotmart.start()
            other = hotmart.add_sale()
            await eventually(lambda: events)
            polls = len(hotmart.calls)
            await eventually(lambda: len(hotmart.calls) > polls + 4)
            return [one["transaction"] for event in events for one in event["transactions"]], other.transaction

    told, other = asyncio.run(watch())
    assert told == [other]


@needs_watchers
def test_nobody_is_looked_at_or_compared_on_the_event_loop(
    hotmart: HotmartEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hotmart.add_sale()
    threads: dict[str, threading.Thread] = {}
    for name in ("take", "news"):
        work = getattr(Snapshot, name)

        def noted(*args: Any, work: Any = work, name: str = name) -> Any:
            threads[name] = threading.current_thread()
            return work(*args)

        monkeypatch.setattr(Snapshot, name, noted)

    async def watch() -> None:
        events = watcher(ledger=str(tmp_path / "ledger")).run()
        await anext(events)
        await events.aclose()

    asyncio.run(watch())
    assert set(threads) == {"take", "news"}
    assert threading.main_thread() not in threads.values()


@needs_watchers
def test_an_event_is_recorded_only_once_airflow_has_answered_three_questions_after_it(
    hotmart: HotmartEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "ledger"
    monkeypatch.setattr(event_module, "HANDOVER", 0.0)
    answers: list[bool] = []

    def ask() -> None:
        answers.append(len(answers) >= 4)
        assert recorded(path, watcher()) == 0
        if not answers[-1]:
            raise ConnectionError("the supervisor stands still")

    monkeypatch.setattr(event_module, "_ask_airflow", ask)
    hotmart.add_sale()

    async def watch() -> None:
        trigger = watcher(ledger=str(path))
        events = trigger.run()
        await anext(events)
        waiting = asyncio.ensure_future(anext(events))
        await eventually(lambda: recorded(path, trigger) == 2)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await trigger.cleanup()

    asyncio.run(watch())
    assert answers == [False] * 4 + [True] * 3
    assert "Airflow does not answer, so nothing is recorded: ConnectionError" in caplog.text
