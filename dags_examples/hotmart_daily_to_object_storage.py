"""
Every morning: yesterday's sales with everybody in them, and all products, as files on object storage.

Where to: the Variable ``hotmart_destination``, any URL that Airflow's object storage takes, such as
``s3://aws_default@my-bucket/hotmart``. Without it, a folder below ``/tmp``.

Yesterday is a whole day in the seller's time zone: of 23, 24 or 25 hours, as days are there. The file has its date, and
neighbouring files neither overlap nor leave a gap. It is the day before the end of the run's data interval; a run
without one (by hand, on Airflow 3) lists the day before the moment at which it runs.

A sale keeps its order date while its status moves on. Each file shows the statuses of the day it was written;
list a day again, or watch statuses with a sensor, to see refunds and late boletos.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

# Finds it on every Airflow. Where yours is 3 and stays so: from airflow.sdk import DAG
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_hotmart.operators.products import HotmartListProductsOperator
from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator

ZONE = "America/Sao_Paulo"
FOLDER = "{{ var.value.get('hotmart_destination', 'file:///tmp/hotmart') }}"
TODAY = f"{{{{ macros.hotmart.today(dag_run, '{ZONE}') }}}}"
YESTERDAY = f"{{{{ macros.hotmart.yesterday(dag_run, '{ZONE}') }}}}"

with DAG(
    dag_id="hotmart_daily_to_object_storage",
    description="Yesterday's sales participants and all products, as JSON Lines on object storage",
    schedule="0 6 * * *",  # in the zone of the start_date
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(ZONE)),
    catchup=False,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["hotmart"],
):
    HotmartListProductsOperator(
        task_id="products",
        destination=f"{FOLDER}/products/{TODAY}.jsonl.gz",
    )
    HotmartListSalesParticipantsOperator(
        task_id="participants",
        transaction_status="ALL",
        timezone=ZONE,
        sales_start_date=YESTERDAY,
        sales_end_date=TODAY,
        destination=f"{FOLDER}/participants/{YESTERDAY}.jsonl.gz",
    )
