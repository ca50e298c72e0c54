"""
Every morning: yesterday's sales with everybody in them, and all products, as files on object storage.

Where to: the Variable ``hotmart_destination``, any URL that Airflow's object storage takes, such as
``s3://aws_default@my-bucket/hotmart``. Without it, a folder below ``/tmp``.

The window is written out, one day in the seller's time zone. It is derived from the *end* of the run's data
interval: since Airflow 3 a cron schedule's interval starts and ends at the same moment, so "from start to end"
would be empty. Triggered by hand, the day before that moment is listed.

A sale keeps its order date while its status moves on. Each file shows the statuses of the day it was written;
list a day again, or watch statuses with a sensor, to see refunds and late boletos.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_hotmart.operators.products import HotmartListProductsOperator
from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
FOLDER = "{{ var.value.get('hotmart_destination', 'file:///tmp/hotmart') }}"


def midnight(dag_run: Any, days: int = 0) -> datetime:
    """The midnight with which the run's day ended, or so many days from it."""
    moment = dag_run.data_interval_end or dag_run.run_after
    local = moment.astimezone(SAO_PAULO) + timedelta(days=days)
    return datetime(local.year, local.month, local.day, tzinfo=SAO_PAULO)


with DAG(
    dag_id="hotmart_daily_to_object_storage",
    description="Yesterday's sales participants and all products, as JSON Lines on object storage",
    schedule="0 6 * * *",  # in the zone of the start_date
    start_date=datetime(2026, 1, 1, tzinfo=SAO_PAULO),
    catchup=False,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    user_defined_macros={"midnight": midnight},
    doc_md=__doc__,
    tags=["hotmart"],
):
    HotmartListProductsOperator(
        task_id="products",
        destination=FOLDER + "/products/{{ midnight(dag_run, -1).date() }}.jsonl.gz",
    )
    HotmartListSalesParticipantsOperator(
        task_id="participants",
        transaction_status="ALL",
        sales_start_date="{{ midnight(dag_run, -1).isoformat() }}",
        sales_end_date="{{ midnight(dag_run).isoformat() }}",
        destination=FOLDER + "/participants/{{ midnight(dag_run, -1).date() }}.jsonl.gz",
    )
