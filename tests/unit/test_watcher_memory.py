"""What a watcher of assets remembers, wherever it does."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_hotmart.storage import StorageError
from airflow_provider_hotmart.watcher_memory import LARGEST_PART, AssetMemory, ProcessMemory
from airflow_provider_hotmart.watching.ledgers import Owner

NOW = 1_750_000_000.0
DAY = 86400
OWNER = Owner(b"12345678", None, timedelta(days=7))


class DiedError(Exception):
    """The triggerer was killed."""


class AssetState(dict[str, str]):
    """
    Stands for the state that Airflow keeps of one asset.

    :param lasts: so many changes come through before the triggerer dies.
    """

    def __init__(self, lasts: int = 1_000_000) -> None:
        super().__init__()
        self.lasts = lasts

    async def aget(self, key: str) -> Any:
        await asyncio.sleep(0)
        return json.loads(self[key]) if key in self else None

    async def aset(self, key: str, value: Any) -> None:
        await self._live()
        self[key] = json.dumps(value)

    async def adelete(self, key: str) -> None:
        await self._live()
        self.pop(key, None)

    async def _live(self) -> None:
        await asyncio.sleep(0)
        self.lasts -= 1
        if self.lasts < 0:
            raise DiedError


def memory_of(*assets: AssetState) -> AssetMemory:
    by_name = {str(number): asset for number, asset in enumerate(assets)}
    return AssetMemory(SimpleNamespace(_by_name=by_name, _by_uri={}), OWNER)


def known(*assets: AssetState, now: float = NOW) -> set[int]:
    """What a watcher knows that starts now."""
    return asyncio.run(memory_of(*assets).load(now)).known


def record(memory: AssetMemory, *digests: int, now: float = NOW, since: int | None = None) -> None:
    asyncio.run(memory.record(digests, now, since))


def loaded(*assets: AssetState, now: float = NOW) -> AssetMemory:
    memory = memory_of(*assets)
    asyncio.run(memory.load(now))
    return memory


def test_a_process_remembers_as_long_as_it_lives_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        memory = ProcessMemory()
        asyncio.run(memory.record([1, 2], NOW, 100))
        asyncio.run(memory.record([3], NOW, None))
        found = asyncio.run(memory.load(NOW))
    assert (found.known, found.since) == ({1, 2, 3}, 100)
    [told] = caplog.messages
    assert "only as long as the triggerer runs" in told
    assert "give it a ledger, or run Airflow 3.3 or later" in told


def test_a_new_asset_has_nothing_to_remember() -> None:
    found = asyncio.run(memory_of(AssetState()).load(NOW))
    assert (found.known, found.since) == (set(), None)


def test_what_was_recorded_is_known_after_a_restart() -> None:
    asset = AssetState()
    memory = loaded(asset)
    record(memory, 1, 2)
    record(memory, 3)
    assert known(asset) == {1, 2, 3}
    record(loaded(asset), 4)
    assert known(asset) == {1, 2, 3, 4}


def test_the_beginning_is_remembered_for_good() -> None:
    asset = AssetState()
    record(loaded(asset), since=100)
    record(loaded(asset), 1, since=200)
    assert asyncio.run(memory_of(asset).load(NOW)).since == 100


def test_many_are_kept_in_parts_that_the_database_takes() -> None:
    asset = AssetState()
    memory = loaded(asset)
    for start in range(0, 50_000, 1234):
        record(memory, *range(start, min(start + 1234, 50_000)))
    assert known(asset) == set(range(50_000))
    assert max(len(value) for value in asset.values()) < 64_000
    assert len(asset) == 1 + -(-50_000 // LARGEST_PART)


def test_what_has_left_the_lookback_is_dropped() -> None:
    asset = AssetState()
    memory = loaded(asset)
    record(memory, *range(LARGEST_PART))
    record(memory, 10_000, now=NOW + 5 * DAY)
    assert known(asset, now=NOW + 9 * DAY) == {10_000}
    record(memory, 10_001, now=NOW + 9 * DAY)
    assert len(asset) == 2
    assert known(asset, now=NOW + 9 * DAY) == {10_000, 10_001}
    record(memory, 10_002, now=NOW + 100 * DAY)
    record(loaded(asset), 10_003, now=NOW + 200 * DAY)
    assert 10_003 in known(asset, now=NOW + 200 * DAY)
    assert len(asset) == 2


@pytest.mark.parametrize("lasts", range(6))
def test_whenever_the_triggerer_dies_nothing_is_known_that_was_not_recorded(lasts: int) -> None:
    asset = AssetState()
    record(loaded(asset), *range(LARGEST_PART - 10))
    asset.lasts = lasts
    with suppress(DiedError):
        record(loaded(asset), *range(10_000, 10_100))
    asset.lasts = 1_000_000
    before = set(range(LARGEST_PART - 10))
    assert before <= known(asset) <= before | set(range(10_000, 10_100))
    record(loaded(asset), *range(20_000, 20_100))
    assert known(asset) >= before | set(range(20_000, 20_100))


def test_assets_that_share_a_watcher_remember_the_same() -> None:
    old, new = AssetState(), AssetState()
    record(loaded(old), 1)
    memory = loaded(old, new)
    record(memory, 2)
    assert known(old, new) == {1, 2}
    assert known(old) == {1, 2}
    assert known(new) >= {2}


def test_a_state_of_a_newer_version_is_left_alone() -> None:
    asset = AssetState()
    record(loaded(asset), 1)
    key = min(asset, key=len)
    asset[key] = json.dumps({"version": 2})
    before = dict(asset)
    with pytest.raises(StorageError, match="by a newer version of airflow-provider-hotmart: upgrade the package"):
        known(asset)
    assert asset == before
