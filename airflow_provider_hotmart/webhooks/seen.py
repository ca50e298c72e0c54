"""Which events are known: the same memory in front of Airflow's database and of its API."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from airflow_provider_hotmart.webhooks.delivery import keys

#: A delivery that comes again within so many days makes no second event …
MAX_DAYS = 7
#: … and is one of the last so many.
MAX_EVENTS = 100_000


def asset_uri(conn_id: str, event: str | None = None) -> str:
    """
    Name the asset that deliveries become events of.

    :param conn_id: whose webhooks they are.
    :param event: of this kind alone; None: of any.
    """
    return f"hotmart://webhooks/{conn_id}" + (f"/{event}" if event else "")


class Seen:
    """The events of the last days, as digests."""

    lifetime = MAX_DAYS * 86400.0

    def __init__(self) -> None:
        #: Held by whoever looks here and adds an event.
        self.lock = threading.Lock()
        #: Id of the newest event that was added.
        self.last_id = 0
        #: When each was seen, in seconds since the epoch, oldest first.
        self._moments: dict[int, float] = {}

    def add(self, event_id: int, moment: float, extra: Mapping[str, Any] | None) -> None:
        """
        Remember an event.

        :param event_id: its id in Airflow.
        :param moment: when Airflow stored it, in seconds since the epoch.
        :param extra: of the event, whoever made it.
        """
        self.last_id = max(self.last_id, event_id)
        for key in keys(extra or {}):
            self._moments.setdefault(key, moment)
        earliest = time.time() - self.lifetime
        while self._moments:
            key, oldest = next(iter(self._moments.items()))
            if oldest >= earliest and len(self._moments) <= 2 * MAX_EVENTS:
                break
            del self._moments[key]

    def knows(self, extra: Mapping[str, Any]) -> bool:
        """Tell whether the same event has been added."""
        earliest = time.time() - self.lifetime
        return any(self._moments.get(key, 0.0) >= earliest for key in keys(extra))
