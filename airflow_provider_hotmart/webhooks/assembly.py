"""Puts the receiver together, as Airflow's configuration and connections say."""

from __future__ import annotations

import re
from collections.abc import Callable

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook, conf

from airflow_provider_hotmart.api.config import EXTRA_PREFIX
from airflow_provider_hotmart.webhooks.announcements import Announcements
from airflow_provider_hotmart.webhooks.archive import Archive
from airflow_provider_hotmart.webhooks.delivery import Delivery
from airflow_provider_hotmart.webhooks.receiver import Receiver

SECTION = "hotmart"


def connections() -> list[str]:
    """Give the connections that webhooks are received for."""
    return [name for name in re.split(r"[\s,]+", conf.get(SECTION, "webhook_connections", fallback="")) if name]


def assemble(store: Callable[[str, Delivery], bool]) -> Receiver:
    """
    Make a receiver.

    :param store: makes a delivery of a connection an event of its assets, and says whether it was a new one.
    """
    names = connections()
    folder = conf.get(SECTION, "webhook_archive", fallback="").strip()
    archive = Archive(folder, conf.getint(SECTION, "webhook_archive_days", fallback=30), names) if folder else None
    ledger = conf.get(SECTION, "webhook_ledger", fallback="").strip()
    announcements = Announcements(ledger, conf.getint(SECTION, "webhook_ledger_days", fallback=31)) if ledger else None

    def accept(conn_id: str, delivery: Delivery, body: bytes) -> bool:
        is_new = store(conn_id, delivery)
        if announcements is not None:
            announcements.add(conn_id, delivery.states)
        # Last: where it fails, the DAG has started all the same, and Hotmart sends the body again.
        if archive is not None:
            archive.keep(conn_id, delivery, body)
        return is_new

    return Receiver(names, find_hottok, accept)


def find_hottok(conn_id: str) -> str | None:
    """
    Look up the token of webhooks. The rest of the connection need not be filled in.

    :return: None: there is no such connection, or no token in it.
    """
    try:
        extra = BaseHook.get_connection(conn_id).extra_dejson
    except AirflowNotFoundException:
        return None
    value = extra.get("hottok") or extra.get(f"{EXTRA_PREFIX}hottok")
    return str(value).strip() or None if value else None
