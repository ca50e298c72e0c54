"""A thousand sales in forty seconds, and an API server that is killed twice meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.webhooks import measure
from tests.airflow.versions import LINE

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_thousand_sales_and_two_kills_lose_nothing_and_start_runs_sooner_than_polling(tmp_path: Path) -> None:
    result = measure(tmp_path, sales=1000, rate=25, kills=2)
    assert (result.sales, result.lost, result.twice) == (1000, 0, 0)
    if LINE >= (3, 2):  # before, the scheduler forgets what is queued while it makes a run
        assert result.unstarted == 0
    assert result.deliveries > 1100
    assert result.run_median < result.polled_median
