"""
A year of sales participants, one file a month, each month a task of its own.

The months are mapped, so a distributed executor spreads them over its workers. All of them share the call limit
of the one credential: the client paces itself by what Hotmart says is left, so more tasks at once do not
break the limit, and beyond two or three they do not make it faster either.

A month that fails is run again alone; a file appears only when it is complete.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator

FOLDER = "{{ var.value.get('hotmart_destination', 'file:///tmp/hotmart') }}"


@task
def months(first: str, count: int, folder: str) -> list[dict[str, str]]:
    """Cut the time from the first month on into months: one window and one file for each."""
    begin = datetime.strptime(first, "%Y-%m").replace(tzinfo=UTC)
    numbers = [begin.year * 12 + begin.month - 1 + i for i in range(int(count) + 1)]
    starts = [begin.replace(year=number // 12, month=number % 12 + 1) for number in numbers]
    return [
        {
            "sales_start_date": start.isoformat(),
            "sales_end_date": end.isoformat(),
            "destination": f"{folder}/backfill/{start:%Y-%m}.jsonl.gz",
        }
        for start, end in pairwise(starts)
    ]


with DAG(
    dag_id="hotmart_backfill",
    description="A year of sales participants, one file a month",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2)},
    params={
        "first_month": Param("2026-01", type="string", pattern=r"^\d{4}-\d{2}$", description="Year and month"),
        "months": Param(12, type="integer", minimum=1, maximum=120, description="How many months"),
    },
    doc_md=__doc__,
    tags=["hotmart"],
):
    HotmartListSalesParticipantsOperator.partial(
        task_id="participants",
        transaction_status="ALL",
        max_active_tis_per_dagrun=4,
    ).expand_kwargs(months("{{ params.first_month }}", "{{ params.months }}", FOLDER))
