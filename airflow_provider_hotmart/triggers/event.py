"""What an asset's watcher runs: new people in the sales, as events."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from array import array
from collections.abc import AsyncIterator, Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import TriggerEvent

from airflow_provider_hotmart.api.endpoints.sales import SALES_PARTICIPANTS
from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError
from airflow_provider_hotmart.api.windows import iso
from airflow_provider_hotmart.triggers.polling import Connection, connect, log_failure, until_done
from airflow_provider_hotmart.watching.entries import Owner
from airflow_provider_hotmart.watching.memory import WatcherMemory, memory_of
from airflow_provider_hotmart.watching.snapshot import News, Snapshot
from airflow_provider_hotmart.watching.watch import NOW, Watch, announcement_scope, canonical

try:
    from airflow.triggers.shared_stream import SharedStreamProducer
except ImportError:  # before Airflow 3.3, where nobody asks for a producer
    SharedStreamProducer = object  # type: ignore[assignment,misc]  # another class in its place

log = logging.getLogger(__name__)
#: Seconds within which the triggerer hands an event on, once it has answered what it was asked after the event.
HANDOVER = 5.0
#: So many equal watchers look at a poll at the same time: a thousand at once would keep the event loop busy.
TURNS = 8
#: One thread compares, for all watchers in turn: many would keep the event loop waiting for its own turn.
_comparing = ThreadPoolExecutor(1, thread_name_prefix="hotmart-compare")


class Poll(NamedTuple):
    """
    What one poll saw.

    :param connection: by which it was made.
    :param turns: taken by the watchers that look at it at the same time.
    :param stored: set once Airflow has stored all events that came of it; None: it will not tell.
    """

    connection: Connection
    snapshot: Snapshot
    turns: asyncio.Semaphore
    stored: asyncio.Event | None = None


# Compared and shown as Airflow's triggers are.
@dataclass(kw_only=True, eq=False, repr=False)
class HotmartSalesParticipantsEventTrigger(BaseEventTrigger):
    """
    Watch for new people in the account's sales, without end: for ``AssetWatcher``, which starts DAG runs.

    Each event holds at most 500 sales, and nobody's personal data: ``{"new", "transactions": [{"transaction",
    "product_id", "roles", "transaction_status"}], "since", "until"}``. What was reported is remembered in the
    asset's state (Airflow 3.3 and later) or in the ``ledger``; it is put there once Airflow has stored the event, so
    that a restart in between repeats an event and never loses one.

    New means the same as for the sensor. A watcher that cannot go on says why in its log, and tries again at its
    next poll.

    :param transaction: one transaction code or several.
    :param transaction_status: one status or several, or ``"ALL"``. None means APPROVED and COMPLETE.
    :param product_id: one product ID or several.
    :param buyer_email: the buyer's e-mail address.
    :param buyer_name: the buyer's name.
    :param sales_source: the SRC code of the sale's link.
    :param affiliate_name: the affiliate's name.
    :param commission_as: PRODUCER, COPRODUCER or AFFILIATE: the role of the account that asks.
    :param roles: only people in these roles: BUYER, PRODUCER, COPRODUCER, AFFILIATE.
    :param since: earliest order date: ISO 8601 text; ``"now"``: when the watcher first ran.
    :param timezone: of ``since`` where it names none; None: the connection's.
    :param lookback: how far each look goes back from now, at most 366 days; a ``timedelta`` or seconds.
    :param report_status_changes: whether somebody is new again in another state of the sale, refunded say.
    :param poll_interval: seconds between two polls.
    :param ledger: URL of a file to remember in; None: in the asset's state.
    :param ledger_conn_id: the connection of the ledger's object store.
    :param webhook_grace: seconds for which a sale is held back that a webhook may yet tell of, where the receiver of
        webhooks writes into the same ``ledger``.
    :param hotmart_conn_id: the connection of type ``hotmart``.
    :raises HotmartInvalidRequestError: when ``poll_interval`` is no number above zero, or ``lookback`` none.
    """

    transaction: Any = None
    transaction_status: Any = None
    product_id: Any = None
    buyer_email: str | None = None
    buyer_name: str | None = None
    sales_source: str | None = None
    affiliate_name: str | None = None
    commission_as: str | None = None
    roles: Any = None
    since: str | None = None
    timezone: str | None = None
    lookback: timedelta | float = timedelta(days=7)
    report_status_changes: bool = True
    poll_interval: float = 300.0
    ledger: str | None = None
    ledger_conn_id: str | None = None
    webhook_grace: float = 0.0
    hotmart_conn_id: str = "hotmart_default"

    filters = tuple(one.name for one in SALES_PARTICIPANTS.filters)
    #: Arguments in which watchers may differ and still share a poll.
    _own = ("ledger", "ledger_conn_id", "webhook_grace")

    def __post_init__(self) -> None:
        super().__init__()
        # Here, where the author of the DAG sees it: a watcher without a pause would do nothing but call Hotmart.
        pause: Any = self.poll_interval
        if isinstance(pause, bool) or not isinstance(pause, (int, float)) or not pause > 0:
            raise HotmartInvalidRequestError(f"poll_interval is {pause!r}, expected seconds above zero")
        for name in self.filters:
            # The same text from parse to parse, or Airflow would take it for another watcher each time.
            setattr(self, name, canonical(name, getattr(self, name)))
        self.since = self.since if self.since is None else str(self.since)
        self.ledger = self.ledger if self.ledger is None else str(self.ledger)
        try:
            self._lookback = self.lookback if isinstance(self.lookback, timedelta) else timedelta(seconds=self.lookback)
        except (TypeError, ValueError, OverflowError):
            raise HotmartInvalidRequestError(
                f"lookback is {self.lookback!r}, expected a timedelta or seconds"
            ) from None
        self.lookback = self._lookback.total_seconds()

        self._memory: WatcherMemory | None = None
        #: What was reported and is not recorded yet, and when it may be forgotten.
        self._pending: list[tuple[float, array[int]]] = []
        #: When those who are held back were first seen, in seconds since the epoch.
        self._first_seen: dict[int, float] = {}
        self._recording: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give the class and its arguments, all of them JSON scalars."""
        return (
            "airflow_provider_hotmart.triggers.event.HotmartSalesParticipantsEventTrigger",
            {one.name: getattr(self, one.name) for one in fields(self)},
        )

    def shared_stream_key(self) -> Hashable | None:
        """Watchers that differ in nothing but :attr:`_own` share one poll (Airflow 3.3 and later)."""
        if self.since == NOW:
            return None  # begins at a moment of its own
        shared = {name: value for name, value in self.serialize()[1].items() if name not in self._own}
        # A digest, because Airflow logs the key, and a filter may name a buyer.
        return ("hotmart", hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest())

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Poll]:
        """
        Poll without end, for all watchers that share the poll.

        :param kwargs: arguments of one of them.
        """
        trigger = cls(**kwargs)
        while True:
            yield await until_done(trigger._poll, trigger.poll_interval)
            await asyncio.sleep(trigger.poll_interval)

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        """
        Poll for watchers that Airflow tells when their events are stored (Airflow 3.3 and later).

        :param kwargs: arguments of one of them.
        """
        return _Polls(cls.open_shared_stream(kwargs))

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Poll]) -> AsyncIterator[TriggerEvent]:
        """
        Fire for whoever is new to this watcher.

        :param shared_stream: what :meth:`open_shared_stream` yields.
        """
        async for poll in shared_stream:
            try:
                async with poll.turns:
                    news = await self._compare(poll)
            except Exception as error:  # noqa: BLE001 - the next poll shows the same people
                log_failure(error)
                continue
            for payload in news.events:
                yield TriggerEvent(payload)
            if news.digests:
                self._record_later(poll, news.digests)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll alone: where Airflow does not share polls, or this watcher begins at a moment of its own."""
        kwargs = self.serialize()[1]
        if self.since == NOW:
            kwargs["since"] = iso(await until_done(self._begin, self.poll_interval))
        async for event in self.filter_shared_stream(type(self).open_shared_stream(kwargs)):
            yield event

    async def cleanup(self) -> None:
        """Leave unrecorded what may not have been stored yet: it is reported again."""
        for task in self._recording:
            task.cancel()

    def watch(self) -> Watch:
        """Tell what is watched."""
        filters = {name: getattr(self, name) for name in self.filters}
        return Watch(self.hotmart_conn_id, filters, self.since, self._lookback, self.report_status_changes)

    async def _begin(self) -> int:
        """Tell when this watcher first ran, in seconds since the epoch."""
        connection = await connect(self.hotmart_conn_id)
        memory, now = self._remember(connection), connection.client.clock.time()
        await memory.load(now)
        if memory.since is None:
            await memory.record(array("Q"), now, int(now))
        return int(now) if memory.since is None else memory.since

    async def _poll(self) -> Poll:
        watch = self.watch()
        connection = await connect(self.hotmart_conn_id)
        now = connection.client.clock.time()
        window = watch.window(now, watch.begin(None, now, self.timezone or connection.client.config.timezone))
        snapshot = await connection.poll(watch, window, self.poll_interval, partial(Snapshot.take, watch, window))
        log.info("Polled: %d people in %s", len(snapshot.people), window)
        return Poll(connection, snapshot, asyncio.Semaphore(TURNS))

    async def _compare(self, poll: Poll) -> News:
        now = poll.connection.client.clock.time()
        self._pending = [(until, digests) for until, digests in self._pending if until > now]
        memory = self._remember(poll.connection)
        known = [*await memory.load(now), *(digests for _, digests in self._pending)]

        def compare() -> News:
            return poll.snapshot.news([*known, self._held_back(poll.snapshot, known, now)], memory.announced)

        return await asyncio.get_running_loop().run_in_executor(_comparing, compare)

    def _held_back(self, snapshot: Snapshot, known: Iterable[Iterable[int]], now: float) -> list[int]:
        """Those whom a webhook may yet tell of."""
        if not self.webhook_grace:
            return []
        unknown = snapshot.people.keys() - set().union(*known)
        self._first_seen = {digest: self._first_seen.get(digest, now) for digest in unknown}
        return [digest for digest, seen in self._first_seen.items() if now - seen < self.webhook_grace]

    def _remember(self, connection: Connection) -> WatcherMemory:
        """Find where to remember."""
        if self._memory is None:
            watch = self.watch()
            owner = Owner(watch.scope, None, watch.lookback, announcement_scope(self.hotmart_conn_id))
            store = getattr(self, "asset_state_store", None)
            self._memory = memory_of(owner, store, self.ledger, self.ledger_conn_id, connection.run)
        return self._memory

    def _record_later(self, poll: Poll, digests: array[int]) -> None:
        """Record what was handed over, once Airflow has stored it."""
        memory, clock = self._remember(poll.connection), poll.connection.client.clock
        pending = (clock.time() + self._lookback.total_seconds(), digests)
        self._pending.append(pending)

        async def record() -> None:
            if poll.stored is None:
                stored = partial(_airflow_has_stored, poll.connection)
                await until_done(stored, self.poll_interval, "Airflow does not answer, so nothing is recorded")
            else:
                await poll.stored.wait()
            # One after the other, and as often as it takes: until then, a restart repeats what was reported.
            async with self._turn:
                await until_done(
                    lambda: memory.record(digests, clock.time()),
                    self.poll_interval,
                    "What was reported is not recorded yet",
                )
            self._pending = [one for one in self._pending if one is not pending]

        task = asyncio.create_task(record())
        self._recording.add(task)
        task.add_done_callback(self._recording.discard)


class _Polls(SharedStreamProducer):
    """
    Polls, and passes on when the events of a poll are stored.

    :param polls: the polls.
    """

    def __init__(self, polls: AsyncIterator[Poll]) -> None:
        self._polls = polls

    async def open_stream(self) -> AsyncIterator[tuple[Poll, asyncio.Event]]:
        """Give each poll to the watchers."""
        async for poll in self._polls:
            stored = asyncio.Event()
            yield poll._replace(stored=stored), stored

    async def advance(self, batch: Any) -> None:
        """Tell the watchers that the events of these polls are stored; where that failed, they are repeated."""
        for item in batch:
            if not item.outcome.failed:
                item.broker_payload.set()


async def _airflow_has_stored(connection: Connection) -> None:
    """
    Wait until Airflow, which does not say so, must have stored what it was handed.

    The process with the triggers reports events to another one, which answers in turn what it is asked, and stores
    after each turn. When the first question is answered, the report before the event is through, and the one with the
    event leaves within :data:`HANDOVER`. The second question comes after it, perhaps in the same turn, and the third
    in a later one. Where the other process stands still, none of them is answered.

    :param connection: in whose threads to wait.
    """
    await connection.run(_ask_airflow)
    await asyncio.sleep(HANDOVER)
    await connection.run(_ask_airflow)
    await connection.run(_ask_airflow)


def _ask_airflow() -> None:
    """Ask the process that stores events for anything."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    RuntimeTaskInstance.get_dr_count(dag_id="hotmart")
