"""What the triggers share: connections and their threads, and one poll."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson
from airflow.providers.common.compat.sdk import AirflowNotFoundException
from asgiref.sync import sync_to_async

from airflow_provider_hotmart.api.client import HotmartClient
from airflow_provider_hotmart.api.config import HotmartConfig
from airflow_provider_hotmart.api.listing import Listing
from airflow_provider_hotmart.api.windows import Window
from airflow_provider_hotmart.hooks.hotmart import HotmartHook, missing_connection
from airflow_provider_hotmart.watching.watch import Watch, warn_of_cost

_T = TypeVar("_T")
_log = logging.getLogger(__name__)
#: Threads for the calls of one connection. So many polls of it may stall before others of it wait; those of other
#: connections have threads of their own.
THREADS_PER_CONNECTION = 16
POLL_FAILED = "Poll failed, and is tried again"

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
        return await finished(sync_to_async(work, thread_sensitive=False, executor=self._threads)())

    async def poll(self, watch: Watch, window: Window, interval: float, read: Callable[[Listing], _T]) -> _T:
        """
        Look once. When the trigger is cancelled meanwhile, all calls end at once, and the thread with them.

        :param watch: what to look at.
        :param window: where.
        :param interval: seconds between two polls.
        :param read: makes something of the listing, in one of the threads.
        """
        listing = watch.listing(self.client, window)
        try:
            found = await self.run(partial(read, listing))
        finally:
            listing.stop()
        warn_of_cost(watch, listing.calls, interval, self.client.budget.limit)
        return found


async def finished(request: Awaitable[_T]) -> _T:
    """
    Let a request to Airflow come to its end, even when the trigger is cancelled meanwhile.

    Until Airflow 3.2 the answer to a request that is broken off stays in the triggerer's socket, and the next request
    of any trigger ends the whole triggerer with "Response read out of order".
    """
    task = asyncio.ensure_future(request)
    # Else asyncio logs the errors that nobody waits for any more.
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return await asyncio.shield(task)


async def connect(hotmart_conn_id: str) -> Connection:
    """
    Look a connection up without blocking the event loop.

    :param hotmart_conn_id: the connection.
    :raises HotmartConfigError: when there is none, or it is not usable as it is filled in.
    """
    return await finished(_look_up(hotmart_conn_id))


async def _look_up(hotmart_conn_id: str) -> Connection:
    try:
        connection = await get_async_connection(hotmart_conn_id, hook=HotmartHook)
    except AirflowNotFoundException:
        raise missing_connection(hotmart_conn_id) from None
    extra = await get_async_extra_dejson(connection)
    config = HotmartHook.config_from(connection, extra)
    if config not in _connections:
        _connections[config] = Connection(config)
    return _connections[config]


def is_permanent(error: Exception) -> bool:
    """
    Tell whether trying again is of no use. What is not known to be so may pass: Airflow's own services fail too.

    :param error: of this package, or of Airflow.
    """
    return bool(getattr(error, "permanent", False))


def log_failure(error: Exception, what: str = POLL_FAILED) -> None:
    """
    Log that something failed.

    :param error: of this package, or of Airflow.
    :param what: beginning of the line.
    """
    level = logging.ERROR if is_permanent(error) else logging.WARNING
    _log.log(level, "%s: %s: %s", what, type(error).__name__, error)


async def until_done(work: Callable[[], Awaitable[_T]], interval: float, what: str = POLL_FAILED) -> _T:
    """
    Do something as often as it takes: Airflow starts a watcher that ends anew, every second.

    :param work: what to do.
    :param interval: seconds between two tries.
    :param what: of :func:`log_failure`.
    """
    while True:
        try:
            return await work()
        except Exception as error:  # noqa: BLE001 - as above
            log_failure(error, what)
        await asyncio.sleep(interval)
