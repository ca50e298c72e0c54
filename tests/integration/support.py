"""What the integration tests share: a clock that costs nothing, a client for an emulator, files and what is in them."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from airflow_provider_hotmart.api.client import HotmartClient
from airflow_provider_hotmart.api.config import HotmartConfig
from airflow_provider_hotmart.api.endpoints.products import PRODUCTS as PRODUCTS_ENDPOINT
from airflow_provider_hotmart.api.endpoints.sales import SALES_PARTICIPANTS
from airflow_provider_hotmart.api.filters import build_query
from airflow_provider_hotmart.api.json_text import json_lines
from airflow_provider_hotmart.api.listing import Listing
from airflow_provider_hotmart.emulator import Clock, HotmartEmulator
from airflow_provider_hotmart.storage import RecordFile

NOW = datetime(2026, 3, 15, 12, 0, 20, tzinfo=UTC)
YEAR = {"sales_start_date": NOW - timedelta(days=365), "sales_end_date": NOW}
#: How many calls a listing may have under way: one, few, and more than there are windows.
WIDTHS = (1, 3, 16)
#: So many calls a minute that no test ever waits for one.
NO_LIMIT = 10_000_000
SALES = "/payments/api/v1/sales/users"
PRODUCTS = "/products/api/v1/products"

#: Transaction, role, ucode, status.
Identity = tuple[str, str, str | None, str]


class FakeTime:
    """
    A clock for the client on which waiting costs nothing.

    :param turns: an emulator's clock that moves on while the client waits; None: the emulator's time stands still.
    """

    def __init__(self, turns: Clock | None = None) -> None:
        self._lock = threading.Lock()
        self._turns = turns
        self._passed = 0.0
        #: Every wait of a second or more.
        self.waits: list[float] = []

    def time(self) -> float:
        return NOW.timestamp() + self._passed

    def monotonic(self) -> float:
        return self._passed

    def sleep(self, seconds: float, stopped: Callable[[], bool] | None = None) -> None:
        with self._lock:
            self._passed += seconds
            if seconds >= 1:
                self.waits.append(seconds)
            if self._turns is not None:
                self._turns.advance(seconds)


def account(sales: int, days: float = 365, **more: Any) -> HotmartEmulator:
    """An emulated account whose clock stands still at ``NOW``."""
    return HotmartEmulator(
        sales=sales, days=days, **{"rate_limit": NO_LIMIT, "clock": Clock(frozen=NOW), "products": 20, **more}
    )


def drawing(count: int) -> settings:
    """
    Draw so many examples, each of which is a listing; as many as a profile says that draws at random.

    A failing one is not made smaller, which would take minutes.
    """
    profile = settings.default
    return settings(
        max_examples=count if profile.derandomize else profile.max_examples,
        phases=(Phase.explicit, Phase.reuse, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )


def config_for(hotmart: HotmartEmulator, width: int = 8, **more: Any) -> HotmartConfig:
    config = HotmartConfig(
        hotmart.client_id,
        hotmart.client_secret,
        base_url=hotmart.url,
        token_url=hotmart.token_url,
        max_parallel_calls=width,
        timeout=20,
    )
    return replace(config, **more)


@contextmanager
def client_of(
    hotmart: HotmartEmulator, width: int = 8, time: FakeTime | None = None, **more: Any
) -> Iterator[HotmartClient]:
    """A client that has never called before: it shares neither token nor budget with that of another test."""
    client = HotmartClient(config_for(hotmart, width, **more), clock=time or FakeTime())
    try:
        yield client
    finally:
        client.close()


def listing_of(client: HotmartClient, **filters: Any) -> Listing:
    """A listing of sales participants."""
    return Listing(client, build_query(SALES_PARTICIPANTS, now=client.clock.time(), **filters))


def participants(client: HotmartClient, **filters: Any) -> Iterator[dict[str, Any]]:
    """List sales participants one by one."""
    return listing_of(client, **filters).objects()


def products(client: HotmartClient, **filters: Any) -> Iterator[dict[str, Any]]:
    """List products one by one."""
    return Listing(client, build_query(PRODUCTS_ENDPOINT, now=client.clock.time(), **filters)).objects()


def write(client: HotmartClient, path: Path, **filters: Any) -> Listing:
    """List sales participants into a file as the operator does; return the listing when it is done."""
    listing = listing_of(client, **filters)
    with RecordFile(path).writing() as writer:
        for batch in listing:
            writer.write(json_lines(batch), len(batch))
    assert writer.result.records == listing.records
    return listing


def lines_of(path: Path) -> list[bytes]:
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).splitlines()


def identity(record: dict[str, Any]) -> Identity:
    return (
        record["transaction"],
        record["role"],
        record.get("user", {}).get("ucode") or None,
        record["transaction_status"],
    )


def identities(path: Path) -> set[Identity]:
    """Who is in a file; fails when anybody is in it twice, within a status."""
    lines = lines_of(path)
    found = [identity(json.loads(line)) for line in lines]
    assert len(set(found)) == len(found), "somebody is in the file twice"
    return set(found)


def assert_exact(path: Path, truth: set[Identity]) -> None:
    """The file holds the true set: no more, no less, nobody twice."""
    found = identities(path)
    assert found == truth, f"{len(truth - found)} lost, {len(found - truth)} invented, of {len(truth)}"


def assert_fails(client: HotmartClient, folder: Path, error: type[Exception], **filters: Any) -> Exception:
    """The run fails with this error; it leaves nothing behind, and an earlier file as it was."""
    with pytest.raises(error) as caught:
        write(client, folder / "new.jsonl", **filters)
    assert [one.name for one in folder.iterdir()] == []
    return caught.value
