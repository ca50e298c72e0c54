"""Triggers that watch an account's sales from the triggerer."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple, TypeVar

from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson
from airflow.providers.common.compat.sdk import AirflowNotFoundException
from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from airflow_provider_hotmart.api.client import HotmartClient
from airflow_provider_hotmart.api.config import HotmartConfig
from airflow_provider_hotmart.api.endpoints import SALES_PARTICIPANTS
from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError
from airflow_provider_hotmart.api.windows import Window, iso
from airflow_provider_hotmart.hooks.hotmart import HotmartHook
from airflow_provider_hotmart.watch import NOW, Watch, as_scalar, digest_of_all
from airflow_provider_hotmart.watcher_memory import AssetMemory, FileMemory, ProcessMemory, WatcherMemory
from airflow_provider_hotmart.watching.ledgers import FileLedger, Memory, Owner

try:
    from airflow.triggers.shared_stream import SharedStreamProducer
except ImportError:  # before Airflow 3.3, where nobody asks for a producer
    SharedStreamProducer = object  # type: ignore[assignment,misc]

_T = TypeVar("_T")
log = logging.getLogger(__name__)
#: Threads for the calls of one connection. So many polls of it may stall before others of it wait; those of other
#: connections have threads of their own.
THREADS_PER_CONNECTION = 16
#: Sales in one event.
LARGEST_EVENT = 500
#: Seconds after which an event that was handed over is taken to be stored, where Airflow does not say: the
#: triggerer stores them every second.
HANDED_OVER = 5.0

_connections: dict[HotmartConfig, Connection] = {}


class Connection:
    """
    A client and the threads that it is used in, shared by all triggers of one configuration in this process.

    :param config: where Hotmart is, and as whom to call it.
    """

    def __init__(self, config: HotmartConfig) -> None:
        self.client = HotmartClient(config)
        self._threads = ThreadPoolExecutor(THREADS_PER_CONNECTION, thread_name_prefix="hotmart-poll")

    async def run(self, work: Callable[[], _T]) -> _T:
        """
        Do something in one of the threads.

        :param work: may block, and may use Airflow's synchronous look-ups, which then go by way of the event loop.
        """
        return await sync_to_async(work, thread_sensitive=False, executor=self._threads)()


async def connect(hotmart_conn_id: str) -> Connection:
    """
    Look a connection up without blocking the event loop.

    :param hotmart_conn_id: the connection.
    """
    connection = await get_async_connection(hotmart_conn_id, hook=HotmartHook)
    extra = await get_async_extra_dejson(connection)
    config = HotmartHook.config_from(connection, extra)
    if config not in _connections:
        _connections[config] = Connection(config)
    return _connections[config]


def is_permanent(error: Exception) -> bool:
    """
    Whether trying again is of no use. What is not known to be so may pass: Airflow's own services fail at times too.

    :param error: of this package, or of Airflow.
    """
    return bool(getattr(error, "permanent", isinstance(error, AirflowNotFoundException)))


class HotmartNewSalesParticipantsTrigger(BaseTrigger):
    """
    Fire when the people in the watched sales are not the same as before: what the sensor defers to.

    It holds no ledger. It wakes the worker when somebody came or went, and the worker decides whether anybody is new.

    :param seen: one digest of everybody whom the sensor saw.
    :param since: where the look starts, in seconds since the epoch; stays the same for as long as the trigger lives.
    :param poll_interval: seconds between two looks.
    :param max_consecutive_failures: so many passing failures in a row are waited out; the next one ends the wait.
    :param hotmart_conn_id: the connection of type ``hotmart``.
    :param filters: the filters of the sensor, several values comma-separated.
    """

    def __init__(
        self,
        *,
        seen: str,
        since: int,
        poll_interval: float = 300.0,
        max_consecutive_failures: int = 5,
        hotmart_conn_id: str = "hotmart_default",
        **filters: Any,
    ) -> None:
        super().__init__()
        self.seen = seen
        self.since = since
        self.poll_interval = poll_interval
        self.max_consecutive_failures = max_consecutive_failures
        self.hotmart_conn_id = hotmart_conn_id
        self.filters = filters

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give the class and its arguments, all of them JSON scalars."""
        return (
            "airflow_provider_hotmart.triggers.hotmart.HotmartNewSalesParticipantsTrigger",
            {
                "seen": self.seen,
                "since": self.since,
                "poll_interval": self.poll_interval,
                "max_consecutive_failures": self.max_consecutive_failures,
                "hotmart_conn_id": self.hotmart_conn_id,
                **{name: value for name, value in self.filters.items() if value is not None},
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until somebody came or went."""
        failures = 0
        connection: Connection | None = None
        # The sensor has just looked. Triggers that start together, after a restart say, spread over the interval.
        await asyncio.sleep(self.poll_interval * random.uniform(0.5, 1.0))  # noqa: S311 - no secret depends on it
        while True:
            try:
                if connection is None:
                    connection = await connect(self.hotmart_conn_id)
                seen = await connection.run(partial(self._look, connection.client))
            except Exception as error:  # noqa: BLE001 - the worker is told of every one of them
                failures += 1
                connection = None
                permanent = is_permanent(error)
                self.log.warning("Poll failed, %d in a row: %s: %s", failures, type(error).__name__, error)
                if permanent or failures > self.max_consecutive_failures:
                    message = f"{type(error).__name__}: {error}"
                    yield TriggerEvent({"status": "error", "message": message, "permanent": permanent})
                    return
            else:
                failures = 0
                if seen != self.seen:
                    self.log.info("Polled: the people in the sales have changed")
                    yield TriggerEvent({"status": "changed"})
                    return
                self.log.info("Polled: no change")
            await asyncio.sleep(self.poll_interval)

    def _look(self, client: HotmartClient) -> str:
        watch = Watch(self.hotmart_conn_id, self.filters)
        last = watch.window(client.clock.time(), None).end
        window = Window(min(self.since, last - 1), last)
        return digest_of_all({participant.digest for participant in watch.look(client, window)})


class HotmartSalesParticipantsEventTrigger(BaseEventTrigger):
    """
    Watch for new people in the account's sales, without end: for ``AssetWatcher``, which starts DAG runs.

    Each event holds at most 500 sales, and nobody's personal data: ``{"new", "transactions": [{"transaction",
    "product_id", "roles", "transaction_status"}], "since", "until"}``. What was reported is remembered in the
    asset's state (Airflow 3.3 and later) or in the ``ledger``; it is put there once the event was handed over, so
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
    :param lookback: how far each look goes back from now, at most 366 days; a ``timedelta`` or seconds.
    :param poll_interval: seconds between two looks.
    :param ledger: URL of a file to remember in; None: in the asset's state.
    :param ledger_conn_id: the connection of the ledger's object store.
    :param hotmart_conn_id: the connection of type ``hotmart``.
    :raises HotmartInvalidRequestError: when ``poll_interval`` is no number above zero.
    """

    filters = tuple(one.name for one in SALES_PARTICIPANTS.filters)

    def __init__(
        self,
        *,
        transaction: Any = None,
        transaction_status: Any = None,
        product_id: Any = None,
        buyer_email: str | None = None,
        buyer_name: str | None = None,
        sales_source: str | None = None,
        affiliate_name: str | None = None,
        commission_as: str | None = None,
        roles: Any = None,
        since: str | None = None,
        lookback: timedelta | float = timedelta(days=7),
        poll_interval: float = 300.0,
        ledger: str | None = None,
        ledger_conn_id: str | None = None,
        hotmart_conn_id: str = "hotmart_default",
    ) -> None:
        super().__init__()
        # Here, where the author of the DAG sees it: a watcher without a pause would do nothing but call Hotmart.
        pause: Any = poll_interval
        if isinstance(pause, bool) or not isinstance(pause, (int, float)) or not pause > 0:
            raise HotmartInvalidRequestError(f"poll_interval is {poll_interval!r}, expected seconds above zero")
        self.transaction = transaction
        self.transaction_status = transaction_status
        self.product_id = product_id
        self.buyer_email = buyer_email
        self.buyer_name = buyer_name
        self.sales_source = sales_source
        self.affiliate_name = affiliate_name
        self.commission_as = commission_as
        self.roles = roles
        self.since = since
        self.lookback = lookback
        self.poll_interval = poll_interval
        self.ledger = ledger
        self.ledger_conn_id = ledger_conn_id
        self.hotmart_conn_id = hotmart_conn_id

        self._memory: WatcherMemory | None = None
        self._recording: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        self._failures = 0

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give the class and its arguments, all of them JSON scalars."""
        lookback = self.lookback.total_seconds() if isinstance(self.lookback, timedelta) else self.lookback
        return (
            "airflow_provider_hotmart.triggers.hotmart.HotmartSalesParticipantsEventTrigger",
            {
                **{name: as_scalar(getattr(self, name)) for name in self.filters},
                "since": self.since if self.since is None else str(self.since),
                "lookback": lookback,
                "poll_interval": self.poll_interval,
                "ledger": None if self.ledger is None else str(self.ledger),
                "ledger_conn_id": self.ledger_conn_id,
                "hotmart_conn_id": self.hotmart_conn_id,
            },
        )

    def shared_stream_key(self) -> Hashable | None:
        """Watchers that differ in nothing but their ledger share one poll (Airflow 3.3 and later)."""
        if self.since == NOW:
            return None  # begins at a moment of its own
        shared = {name: value for name, value in self.serialize()[1].items() if not name.startswith("ledger")}
        # A digest, because Airflow logs the key, and a filter may name a buyer.
        return ("hotmart", hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest())

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Snapshot]:
        """
        Poll without end, for all watchers that share the poll.

        :param kwargs: arguments of one of them.
        :return: everybody in the window, at each poll.
        """
        trigger = cls(**kwargs)
        failures = 0
        while True:
            try:
                connection = await connect(trigger.hotmart_conn_id)
                snapshot = await connection.run(partial(take_snapshot, trigger.watch(), connection.client))
            except Exception as error:  # noqa: BLE001 - Airflow starts a watcher that ends anew, every second
                failures += 1
                _log_failure(error, failures)
            else:
                failures = 0
                log.info("Polled: %d sales in %s", len(snapshot.sales), snapshot.window)
                yield snapshot
            await asyncio.sleep(trigger.poll_interval)

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        """
        Poll for watchers that Airflow tells when their events are stored (Airflow 3.3 and later).

        :param kwargs: arguments of one of them.
        """
        return _Polls(cls.open_shared_stream(kwargs))

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Snapshot]) -> AsyncIterator[TriggerEvent]:
        """
        Fire for whoever is new to this watcher.

        :param shared_stream: what :meth:`open_shared_stream` yields.
        """
        remembered = None
        async for snapshot in shared_stream:
            remembered = remembered or await self._remember()
            if remembered is None:
                continue  # the next poll shows the same people
            memory, known = remembered[0], remembered[1].known
            reported: list[int] = []
            fresh = [(sale, new) for sale in snapshot.sales if (new := sale.unknown(known))]
            for start in range(0, len(fresh), LARGEST_EVENT):
                batch = fresh[start : start + LARGEST_EVENT]
                digests = [digest for _, new in batch for digest in new.values()]
                yield TriggerEvent(_payload(snapshot.window, batch))
                known.update(digests)
                reported += digests
            if reported:
                self._record_later(memory, reported, snapshot.stored)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll alone: where Airflow does not share polls, or this watcher begins at a moment of its own."""
        kwargs = self.serialize()[1]
        if self.since == NOW:
            while (remembered := await self._remember()) is None:  # noqa: ASYNC110 - nothing tells when it works again
                await asyncio.sleep(self.poll_interval)
            memory, since = remembered[0], remembered[1].since
            if since is None:
                since = int(time.time())
                await self._record(memory, [], since)
            kwargs["since"] = iso(since)
        async for event in self.filter_shared_stream(type(self).open_shared_stream(kwargs)):
            yield event

    async def cleanup(self) -> None:
        """Leave unrecorded what may not have been stored yet: it is reported again."""
        for task in self._recording:
            task.cancel()

    def watch(self) -> Watch:
        """What is watched."""
        lookback = self.lookback if isinstance(self.lookback, timedelta) else timedelta(seconds=self.lookback)
        filters = {name: getattr(self, name) for name in self.filters}
        return Watch(self.hotmart_conn_id, filters, self.since, lookback)

    async def _remember(self) -> tuple[WatcherMemory, Memory] | None:
        """Find what was reported, and where to remember more; None: that does not work yet."""
        try:
            memory = await self._choose_memory()
            return memory, await memory.load(time.time())
        except Exception as error:  # noqa: BLE001 - as above
            self._failures += 1
            _log_failure(error, self._failures)
        return None

    async def _choose_memory(self) -> WatcherMemory:
        if self._memory is None:
            watch = self.watch()
            owner = Owner(watch.scope, None, watch.lookback)
            store = getattr(self, "asset_state_store", None)
            if self.ledger is not None:
                connection = await connect(self.hotmart_conn_id)
                self._memory = FileMemory(lambda: FileLedger(owner, self.ledger, self.ledger_conn_id), connection.run)
            elif store is not None:
                self._memory = AssetMemory(store, owner)
            else:
                self._memory = ProcessMemory()
        return self._memory

    def _record_later(self, memory: WatcherMemory, digests: list[int], stored: asyncio.Event | None) -> None:
        """Record what was handed over, once the triggerer has stored it."""

        async def record() -> None:
            await (asyncio.sleep(HANDED_OVER) if stored is None else stored.wait())
            await self._record(memory, digests)

        task = asyncio.create_task(record())
        self._recording.add(task)
        task.add_done_callback(self._recording.discard)

    async def _record(self, memory: WatcherMemory, digests: list[int], since: int | None = None) -> None:
        """Record, one after the other, and as often as it takes: until then, a restart repeats what was reported."""
        async with self._turn:
            while True:
                try:
                    return await memory.record(digests, time.time(), since)
                except Exception as error:  # noqa: BLE001 - nothing is lost by trying again
                    log.warning("What was reported is not recorded yet: %s: %s", type(error).__name__, error)
                await asyncio.sleep(self.poll_interval)


class Sale(NamedTuple):
    """
    One sale in a snapshot.

    :param roles: digest of each participant by a key that starts with its role.
    """

    transaction: str
    product_id: Any
    transaction_status: str | None
    people: tuple[tuple[str, int], ...]

    def unknown(self, known: set[int]) -> dict[tuple[int, str], int]:
        """The participants that are not known: digest by position and role."""
        return {(place, role): digest for place, (role, digest) in enumerate(self.people) if digest not in known}


class Snapshot(NamedTuple):
    """
    Everybody in the window at one moment.

    :param stored: set once all events that came of it are stored; None: nobody will tell.
    """

    window: Window
    sales: list[Sale]
    stored: asyncio.Event | None = None


class _Polls(SharedStreamProducer):
    """
    Polls, and passes on when the events of a poll are stored.

    :param snapshots: the polls.
    """

    def __init__(self, snapshots: AsyncIterator[Snapshot]) -> None:
        self._snapshots = snapshots

    async def open_stream(self) -> AsyncIterator[tuple[Snapshot, asyncio.Event]]:
        """Give each poll to the watchers."""
        async for snapshot in self._snapshots:
            stored = asyncio.Event()
            yield snapshot._replace(stored=stored), stored

    async def advance(self, batch: Any) -> None:
        """Tell the watchers that the events of these polls are stored; where that failed, they are repeated."""
        for item in batch:
            if not item.outcome.failed:
                item.broker_payload.set()


def _log_failure(error: Exception, failures: int) -> None:
    level = logging.ERROR if is_permanent(error) else logging.WARNING
    log.log(level, "Poll failed, %d in a row: %s: %s", failures, type(error).__name__, error)


def take_snapshot(watch: Watch, client: HotmartClient) -> Snapshot:
    """
    Look once.

    :param watch: what to look at.
    :param client: sends the calls.
    """
    now = client.clock.time()
    window = watch.window(now, watch.begin(None, now))
    people: dict[tuple[str, Any, str | None], list[tuple[str, int]]] = {}
    for participant in watch.look(client, window):
        record = participant.record
        product = record["product"]
        product_id = product.get("id") if isinstance(product, dict) else None
        sale = (record["transaction"], product_id, record["transaction_status"])
        people.setdefault(sale, []).append((str(record["role"]), participant.digest))
    return Snapshot(window, [Sale(*sale, tuple(roles)) for sale, roles in people.items()])


def _payload(window: Window, batch: list[tuple[Sale, dict[tuple[int, str], int]]]) -> dict[str, Any]:
    """Write an event: who is new by sale and role, and nothing about them."""
    start, end = window.isoformat()
    return {
        "new": sum(len(new) for _, new in batch),
        "transactions": [
            {
                "transaction": sale.transaction,
                "product_id": sale.product_id,
                "roles": [role for _, role in new],
                "transaction_status": sale.transaction_status,
            }
            for sale, new in batch
        ],
        "since": start,
        "until": end,
    }
