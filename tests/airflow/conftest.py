"""A throw-away Airflow for the tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_hotmart.emulator import HotmartEmulator
from tests.airflow.support import HAS_SUPERVISOR, QUIET, ThrowawayAirflow, small_hotmart

# Before anything imports more of Airflow than its exceptions.
os.environ.update(QUIET)


@pytest.fixture(scope="session", autouse=True)
def models() -> None:
    """Import all models: Airflow 2's `Connection` needs those that it is related to."""
    if not HAS_SUPERVISOR:
        import airflow.models

        airflow.models.import_all_models()


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> ThrowawayAirflow:
    base = tmp_path_factory.getbasetemp()
    # With pytest-xdist each process has a folder below the one that they share.
    shared = base.parent if base.name.startswith("popen-") else base
    return ThrowawayAirflow(Path(shared) / "migrated-airflow", tmp_path_factory.mktemp("airflow"))


@pytest.fixture
def hotmart() -> Iterator[HotmartEmulator]:
    with small_hotmart() as emulator:
        yield emulator
