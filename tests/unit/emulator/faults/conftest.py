"""An emulator with ten sales, a client that asks for four at a time, and the sales in the order of the listing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from airflow_provider_hotmart.emulator import HotmartEmulator
from tests.unit.emulator.support import NOW, Client, emulator


@pytest.fixture
def hotmart() -> Iterator[HotmartEmulator]:
    with emulator(sales=0) as running:
        for hours in range(1, 11):
            running.add_sale(ordered_at=NOW - timedelta(hours=hours))
        yield running


@pytest.fixture
def client(hotmart: HotmartEmulator) -> Iterator[Client]:
    client = Client(hotmart, max_results=4)
    with client.http:
        yield client


@pytest.fixture
def codes(hotmart: HotmartEmulator) -> list[str]:
    """The ten sales in the order of the listing."""
    return [sale.transaction for sale in hotmart.sales]
