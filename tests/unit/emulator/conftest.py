"""An emulator with a thousand sales, one with none, and a client for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_hotmart.emulator import HotmartEmulator
from tests.unit.emulator.support import Client, emulator


@pytest.fixture
def hotmart() -> Iterator[HotmartEmulator]:
    with emulator() as running:
        yield running


@pytest.fixture
def client(hotmart: HotmartEmulator) -> Iterator[Client]:
    client = Client(hotmart)
    with client.http:
        yield client


@pytest.fixture
def empty() -> Iterator[HotmartEmulator]:
    with emulator(sales=0) as running:
        yield running


@pytest.fixture
def visitor(empty: HotmartEmulator) -> Iterator[Client]:
    client = Client(empty)
    with client.http:
        yield client
