"""What a watcher of assets remembers, wherever it does."""

from __future__ import annotations

import asyncio
import json
import logging
from array import array
from contextlib import suppress
from datetime import timedelta
from types import SimpleNamespace

import pytest

from airflow_provider_hotmart.storage import StorageError
from airflow_provider_hotmart.watching.entries import Owner
from airflow_provider_hotmart.watching.memory import MAX_PART_SIZE, AssetMemory, ProcessMemory, warn_of_forgetting
from tests.airflow.watching import AssetState, DiedError

NOW = 1_750_000_000.0
DAY = 86400
OWNER = Owner(b"12345678", None, timedelta(days=7))


def memory_of(*assets: AssetState) -> AssetMemory:
    by_name = {str(number): asset for number, asset in enumerate(assets)}
    return AssetMemory(OWNER, SimpleNamespace(_by_name=by_name, _by_uri={}))


def known(*assets: AssetState, now: float = NOW) -> set[int]:
    """What a watcher knows that starts now."""
    return remembered(memory_of(*assets), now)


def remembered(memory: ProcessMemory, now: float = NOW) -> set[int]:
    return set().union(*asyncio.run(memory.load(now)))


def record(memory: ProcessMemory, *digests: int, now: float = NOW, since: int | None = None) -> None:
    asyncio.run(memory.record(array("Q", digests), now, since))


def loaded(*assets: AssetState, now: float = NOW) -> AssetMemory:
    memory = memory_of(*assets)
    asyncio.run(memory.load(now))
    return memory


def test_a_process_remembers_as_long_as_it_lives_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    memory = ProcessMemory(OWNER)
    record(memory, 1, 2, since=100)
    record(memory, 3, since=200)
    assert (remembered(memory), memory.since) == ({1, 2, 3}, 100)
    warn_of_forgetting.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            warn_of_forgetting()
    [told] = caplog.messages
    assert "only as long as the triggerer runs" in told
    assert "give it a ledger, or run Airflow 3.3 or later" in told


@pytest.mark.parametrize("kind", ["process", "asset"])
def test_what_has_left_the_lookback_is_dropped_from_memory_too(kind: str) -> None:
    memory = ProcessMemory(OWNER) if kind == "process" else loaded(AssetState())
    for day in range(100):
        record(memory, *range(day * MAX_PART_SIZE, (day + 1) * MAX_PART_SIZE), now=NOW + day * DAY)
        held = asyncio.run(memory.load(NOW + day * DAY))
    assert len(held) <= 9
    assert len(memory._entries) <= 10
    assert remembered(memory, NOW + 200 * DAY) == set()


def test_a_new_asset_has_nothing_to_remember() -> None:
    memory = loaded(AssetState())
    assert (remembered(memory), memory.since) == (set(), None)


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
    assert loaded(asset).since == 100


def test_many_are_kept_in_parts_that_the_database_takes() -> None:
    asset = AssetState()
    memory = loaded(asset)
    for start in range(0, 50_000, 1234):
        record(memory, *range(start, min(start + 1234, 50_000)))
    assert known(asset) == set(range(50_000))
    assert max(len(value) for value in asset.values()) < 64_000
    assert len(asset) == 1 + -(-50_000 // MAX_PART_SIZE)


def test_what_has_left_the_lookback_is_dropped() -> None:
    asset = AssetState()
    memory = loaded(asset)
    record(memory, *range(MAX_PART_SIZE))
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
    record(loaded(asset), *range(MAX_PART_SIZE - 10))
    asset.lasts = lasts
    with suppress(DiedError):
        record(loaded(asset), *range(10_000, 10_100))
    asset.lasts = 1_000_000
    before = set(range(MAX_PART_SIZE - 10))
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
    with pytest.raises(
        StorageError, match="is of a newer version: upgrade airflow-provider-hotmart in the triggerer too"
    ):
        known(asset)
    assert asset == before
