"""The day of a run, as templates ask for it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pendulum
import pytest

from airflow_provider_hotmart.macros import today, yesterday


def run(data_interval_end: Any, run_after: Any = None) -> Any:
    """A run as templates see it."""
    return SimpleNamespace(data_interval_end=data_interval_end, run_after=run_after)


@pytest.mark.parametrize("at", [datetime.fromisoformat, pendulum.parse], ids=["datetime", "pendulum"])
@pytest.mark.parametrize(
    ("moment", "zone", "days"),
    [
        ("2026-03-01T09:00:00+00:00", "America/Sao_Paulo", ("2026-02-28", "2026-03-01")),
        ("2026-03-01T02:59:59+00:00", "America/Sao_Paulo", ("2026-02-27", "2026-02-28")),
        ("2026-03-01T02:59:59+00:00", "UTC", ("2026-02-28", "2026-03-01")),
        # The end of a day of 25 hours, and of one of 23.
        ("2026-10-25T23:00:00+00:00", "Europe/Berlin", ("2026-10-25", "2026-10-26")),
        ("2026-10-25T22:59:59+00:00", "Europe/Berlin", ("2026-10-24", "2026-10-25")),
        ("2026-03-29T22:00:00+00:00", "Europe/Berlin", ("2026-03-29", "2026-03-30")),
    ],
)
def test_the_day_of_a_run_is_that_of_the_end_of_its_data_interval_in_the_zone(
    at: Any, moment: str, zone: str, days: tuple[str, str]
) -> None:
    assert (yesterday(run(at(moment)), zone), today(run(at(moment)), zone)) == days


def test_a_run_without_a_data_interval_goes_by_the_moment_after_which_it_runs() -> None:
    without = run(None, datetime(2026, 3, 1, 1, tzinfo=UTC))
    assert (yesterday(without, "UTC"), today(without, "UTC")) == ("2026-02-28", "2026-03-01")


def test_a_zone_that_there_is_not_is_an_error_with_the_closest_one() -> None:
    with pytest.raises(ValueError, match="did you mean 'America/Sao_Paulo'"):
        today(run(datetime.now(UTC)), "America/Sao Paulo")


def test_what_airflow_loads_everywhere_loads_nothing_heavy() -> None:
    code = "import sys, airflow_provider_hotmart.macros; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "airflow_provider_hotmart.macros" in loaded
    assert not {name.partition(".")[0] for name in loaded} & {"airflow", "requests", "pendulum", "jinja2"}
