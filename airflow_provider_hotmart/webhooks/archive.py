"""Raw bodies on object storage. They hold personal data, so they do not stay for ever."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_hotmart.storage.object_file import ObjectFile
from airflow_provider_hotmart.storage.paths import checked_path, local_path
from airflow_provider_hotmart.webhooks.delivery import Delivery

_log = logging.getLogger(__name__)
_ARGUMENT = "[hotmart] webhook_archive"
#: Seconds between two looks for what is too old.
CLEANING_INTERVAL = 3600.0


class Archive:
    """
    Keep one file for each delivery: ``{folder}/{connection id}/{day}/{id}.json``, the day being that of the event.

    What claims to be of a day to come is of today.

    :param folder: absolute path or URL.
    :param days: so long it is kept; 0: for ever.
    :param connections: whose days are removed when they are too old, whichever of them a delivery is for.
    :raises StorageError: when the folder cannot be one.
    """

    def __init__(self, folder: str, days: int, connections: Collection[str]) -> None:
        self.folder = checked_path(folder, _ARGUMENT).rstrip("/")
        self.days = days
        self._connections = connections
        self._next_cleaning = 0.0

    def keep(self, conn_id: str, delivery: Delivery, body: bytes) -> None:
        """
        Write a body; the same delivery once more has the same place.

        :raises StorageError: when it cannot be written.
        """
        today = datetime.now(UTC).isoformat()
        day = min(delivery.occurred_at or today, today)[:10]
        path = f"{self.folder}/{conn_id}/{day}/{delivery.id}.json"
        ObjectFile(path, argument=_ARGUMENT).replace(body)
        if self.days and time.monotonic() >= self._next_cleaning:
            self._next_cleaning = time.monotonic() + CLEANING_INTERVAL
            threading.Thread(target=self._try_to_clean, name="hotmart-archive", daemon=True).start()

    def clean(self, conn_id: str) -> None:
        """Remove the days that are too old, and nothing that has another name than a day."""
        earliest = (datetime.now(UTC).date() - timedelta(days=self.days)).isoformat()
        local = local_path(self.folder)
        folder = ObjectStoragePath(f"{self.folder if local is None else f'file://{local}'}/{conn_id}")
        for day in list(folder.iterdir()) if folder.exists() else ():
            name = day.name.rstrip("/")
            if _is_day(name) and name < earliest:
                day.fs.rm(day.path, recursive=True)
                _log.info("Archive of %s: removed %s, older than %d days", conn_id, name, self.days)

    def _try_to_clean(self) -> None:
        for conn_id in self._connections:
            try:
                self.clean(conn_id)
            except Exception as problem:  # noqa: BLE001 - the next look tries again
                _log.error("Archive of %s: what is too old cannot be removed: %s", conn_id, type(problem).__name__)


def _is_day(name: str) -> bool:
    with suppress(ValueError):
        return date.fromisoformat(name).isoformat() == name
    return False
