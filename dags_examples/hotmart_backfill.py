"""
All sales participants from a month on until today, one file a month, each month a task of its own.

Months and days are those of the seller's time zone, as in the daily example, which goes on where this ends: the last
file is the month under way, up to the midnight with which today began.

The months are mapped, so a distributed executor spreads them over its workers. All of them share the call limit
of the one credential: the client paces itself by what Hotmart says is left, so more tasks at once do not
break the limit, and beyond two or three they do not make it faster either.

A month that fails is run again alone; a file appears only when it is complete.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

# Finds them on every Airflow. Where yours is 3 and stays so: from airflow.sdk import DAG, Param, task,
# and from airflow.exceptions import AirflowFailException
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, Param, task

from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator

ZONE = "America/Sao_Paulo"
FOLDER = "{{ var.value.get('hotmart_destination', 'file:///tmp/hotmart') }}"


@task
def months(first: str, count: int, today: str, folder: str) -> list[dict[str, str]]:
    """
    Cut the time from a month on into months: one window and one file for each.

    :param first: the first month, as in 2026-01; empty: the month of a year ago.
    :param count: how many months.
    :param today: as in 2026-01-31; neither it nor any later day is listed.
    """
    year, month = map(int, (first or today).split("-")[:2])
    number = year * 12 + month - (1 if first else 13)
    starts = [f"{one // 12}-{one % 12 + 1:02}-01" for one in range(number, number + int(count) + 1)]
    windows = [(start, min(end, today)) for start, end in pairwise(starts) if start < today]
    if not windows:
        raise AirflowFailException(f"{first} has no day before {today}: give an earlier first_month")
    return [
        {"sales_start_date": start, "sales_end_date": end, "destination": f"{folder}/backfill/{start[:7]}.jsonl.gz"}
        for start, end in windows
    ]


with DAG(
    dag_id="hotmart_backfill",
    description="Sales participants from a month on until today, one file a month",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2)},
    params={
        "first_month": Param(
            None,
            type=["string", "null"],
            pattern=r"^\d{4}-\d{2}$",
            description="Year and month, as in 2026-01. Empty: the month of a year ago",
        ),
        "months": Param(13, type="integer", minimum=1, maximum=240, description="How many months, at most until today"),
    },
    doc_md=__doc__,
    tags=["hotmart"],
):
    HotmartListSalesParticipantsOperator.partial(
        task_id="participants",
        transaction_status="ALL",
        timezone=ZONE,
        max_active_tis_per_dagrun=4,
    ).expand_kwargs(
        months(
            first="{{ params.first_month or '' }}",
            count="{{ params.months }}",
            today=f"{{{{ macros.hotmart.today(dag_run, '{ZONE}') }}}}",
            folder=FOLDER,
        )
    )
