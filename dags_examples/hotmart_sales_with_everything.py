"""
Every morning: yesterday's sales, each with the people in it, who earns what, and what its price is made of.

Where to: the Variable ``hotmart_destination``, any URL that Airflow's object storage takes, such as
``s3://aws_default@my-bucket/hotmart``. Without it, a folder below ``/tmp``.

A record is one sale: Hotmart's row of the history of sales, and under ``participants``, ``commissions`` and
``price_details`` what the other endpoints say of it. The commissions are the money of each participant after Hotmart's
fee, in the currency that each is paid in. ``reconcile="warn"`` says so in the log when Hotmart's own summary counts
another number of sales.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

# Finds it on every Airflow. Where yours is 3 and stays so: from airflow.sdk import DAG
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_hotmart.operators.sales import HotmartListSalesOperator

ZONE = "America/Sao_Paulo"
FOLDER = "{{ var.value.get('hotmart_destination', 'file:///tmp/hotmart') }}"
TODAY = f"{{{{ macros.hotmart.today(dag_run, '{ZONE}') }}}}"
YESTERDAY = f"{{{{ macros.hotmart.yesterday(dag_run, '{ZONE}') }}}}"

with DAG(
    dag_id="hotmart_sales_with_everything",
    description="Yesterday's sales with people, commissions and prices, one record per sale",
    schedule="0 6 * * *",  # in the zone of the start_date
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(ZONE)),
    catchup=False,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["hotmart"],
):
    HotmartListSalesOperator(
        task_id="sales",
        transaction_status="ALL",
        timezone=ZONE,
        sales_start_date=YESTERDAY,
        sales_end_date=TODAY,
        include=["participants", "commissions", "price_details"],
        reconcile="warn",
        destination=f"{FOLDER}/sales/{YESTERDAY}.jsonl.gz",
    )
