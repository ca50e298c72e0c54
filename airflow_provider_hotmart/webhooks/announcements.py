"""Tells the watchers that share a ledger with the receiver which sales need not be reported any more."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from datetime import timedelta

from airflow_provider_hotmart.watching.entries import Owner
from airflow_provider_hotmart.watching.ledgers import FileLedger
from airflow_provider_hotmart.watching.watch import announcement, announcement_scope

_log = logging.getLogger(__name__)
#: Seconds for which announcements are gathered: the file is replaced as a whole each time.
INTERVAL = 5.0


class Announcements:
    """
    Write into a ledger file, from a thread of its own, which sales webhooks have told of.

    They are written after the delivery was answered. A process that is killed in between has told of a sale that a
    watcher then reports as well.

    :param path: of the ledger file: absolute, or a URL.
    :param days: so long they are kept: as long as the watchers look back.
    """

    def __init__(self, path: str, days: int) -> None:
        self._path = path
        self._lifetime = timedelta(days=days)
        self._waiting: dict[str, set[int]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, conn_id: str, states: Iterable[tuple[str, str]]) -> None:
        """
        Have sales written.

        :param conn_id: the connection.
        :param states: transactions, and the status of each.
        """
        digests = {announcement(conn_id, transaction, status) for transaction, status in states}
        if not digests:
            return
        with self._lock:
            self._waiting.setdefault(conn_id, set()).update(digests)
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_on, name="hotmart-announcements", daemon=True)
                self._thread.start()

    def _write_on(self) -> None:
        while True:
            time.sleep(INTERVAL)
            self.flush()

    def flush(self) -> None:
        """Write what waits. What cannot be written waits on."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for conn_id, digests in waiting.items():
            try:
                owner = Owner(announcement_scope(conn_id), None, self._lifetime)
                FileLedger(owner, self._path).record(digests, time.time(), None)
            except Exception as problem:  # noqa: BLE001 - nothing is lost by trying again
                _log.warning("Sales of webhooks are not in the ledger yet: %s: %s", type(problem).__name__, problem)
                with self._lock:
                    self._waiting.setdefault(conn_id, set()).update(digests)
