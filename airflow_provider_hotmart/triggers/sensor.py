"""What the sensor defers to."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_hotmart.api.listing import Listing
from airflow_provider_hotmart.api.windows import Window
from airflow_provider_hotmart.triggers.polling import connect, is_permanent, log_failure
from airflow_provider_hotmart.watching.watch import Watch, digest_of_all


class HotmartNewSalesParticipantsTrigger(BaseTrigger):
    """
    Fire when the people in the watched sales are not the same as before: what the sensor defers to.

    It holds no ledger. It wakes the worker when somebody came or went, and the worker decides whether anybody is new.
    Failures that may pass are waited out; the sensor's timeout ends the wait.

    :param seen: one digest of everybody whom the sensor saw.
    :param since: where the look starts, in seconds since the epoch; stays the same for as long as the trigger lives.
    :param report_status_changes: whether another state of the sale is a change.
    :param poll_interval: seconds between two polls.
    :param exponential_backoff: whether the interval doubles from poll to poll, as the sensor's does.
    :param max_wait: seconds that it may grow to.
    :param polls: looks that the sensor has taken before.
    :param hotmart_conn_id: the connection of type ``hotmart``.
    :param filters: the filters of the sensor, several values comma-separated.
    """

    own = (
        *("seen", "since", "report_status_changes", "poll_interval", "exponential_backoff", "max_wait", "polls"),
        "hotmart_conn_id",
    )

    def __init__(
        self,
        *,
        seen: str,
        since: int,
        report_status_changes: bool = True,
        poll_interval: float = 300.0,
        exponential_backoff: bool = False,
        max_wait: float | None = None,
        polls: int = 1,
        hotmart_conn_id: str = "hotmart_default",
        **filters: Any,
    ) -> None:
        super().__init__()
        self.seen = seen
        self.since = since
        self.report_status_changes = report_status_changes
        self.poll_interval = poll_interval
        self.exponential_backoff = exponential_backoff
        self.max_wait = max_wait
        self.polls = polls
        self.hotmart_conn_id = hotmart_conn_id
        self.filters = filters

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give the class and its arguments, all of them JSON scalars."""
        return (
            "airflow_provider_hotmart.triggers.sensor.HotmartNewSalesParticipantsTrigger",
            {name: getattr(self, name) for name in self.own}
            | {name: value for name, value in self.filters.items() if value is not None},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until somebody came or went."""
        # The sensor has just looked. Triggers that start together, after a restart say, spread over the interval.
        await asyncio.sleep(self._interval() * random.uniform(0.5, 1.0))  # noqa: S311 - no secret depends on it
        while True:
            self.polls += 1
            try:
                seen = await self._poll()
            except Exception as error:  # noqa: BLE001 - the worker is told of those that last
                log_failure(error)
                if is_permanent(error):
                    yield TriggerEvent({"status": "error", "message": f"{error} ({type(error).__name__})"})
                    return
            else:
                if seen != self.seen:
                    self.log.info("Polled: the people in the sales have changed")
                    yield TriggerEvent({"status": "changed", "polls": self.polls})
                    return
                self.log.info("Polled: no change")
            await asyncio.sleep(self._interval())

    def _interval(self) -> float:
        """Give the seconds until the next poll; they grow as those of Airflow's sensors do."""
        if not self.exponential_backoff:
            return self.poll_interval
        shortest = max(self.poll_interval * 2.0 ** min(self.polls - 2, 30), 1.0)
        wait = shortest * random.uniform(1.0, 2.0)  # noqa: S311 - no secret depends on it
        return min(wait, self.max_wait or math.inf)

    async def _poll(self) -> str:
        watch = Watch(self.hotmart_conn_id, self.filters, report_status_changes=self.report_status_changes)
        connection = await connect(self.hotmart_conn_id)
        last = watch.window(connection.client.clock.time(), None).end

        def read(listing: Listing) -> str:
            return digest_of_all([one.digest for one in watch.participants(listing)])

        return await connection.poll(watch, Window(min(self.since, last - 1), last), self.poll_interval, read)
