"""
What templates may use as ``macros.hotmart``. Airflow's plugin loads it in every process: nothing heavy is imported.

Both go by the end of the run's data interval, and where there is none (a run by hand, or by an asset, on Airflow 3) by
``run_after``. They take the run and not its variables, because templates are strict: ``data_interval_end`` is
undefined in a run without a logical date.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from airflow_provider_hotmart.api.zones import zone_of


def today(dag_run: Any, timezone: str) -> str:
    """
    Tell the day of a run in a time zone: where a window of whole days ends, without being in it.

    :param dag_run: the run, ``dag_run`` in templates.
    :param timezone: IANA name of the zone, such as ``America/Sao_Paulo``.
    :return: as in ``2026-01-31``.
    """
    return _day(dag_run, timezone).isoformat()


def yesterday(dag_run: Any, timezone: str) -> str:
    """
    Tell the day before that of a run in a time zone: the last whole day there.

    :param dag_run: the run, ``dag_run`` in templates.
    :param timezone: IANA name of the zone, such as ``America/Sao_Paulo``.
    :return: as in ``2026-01-30``.
    """
    return (_day(dag_run, timezone) - timedelta(days=1)).isoformat()


def _day(dag_run: Any, timezone: str) -> date:
    moment = dag_run.data_interval_end or dag_run.run_after
    day: date = moment.astimezone(zone_of(timezone)).date()
    return day
