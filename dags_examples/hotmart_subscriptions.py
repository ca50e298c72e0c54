"""
Every morning: all subscriptions as they are now, and the charges of the last three days.

Where to: the Variable ``hotmart_destination``, any URL that Airflow's object storage takes, such as
``s3://aws_default@my-bucket/hotmart``. Without it, a folder below ``/tmp``.

Subscriptions have no "changed since", so the file of a day holds all of them; the key is ``subscription_id``. Hotmart's
data about charges may be 24 hours old, so each day's file reaches back three days: load it over what is there, by
``purchase.transaction`` and ``purchase.commission.currency``.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

# Finds it on every Airflow. Where yours is 3 and stays so: from airflow.sdk import DAG
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_hotmart.operators.subscriptions import (
    HotmartListSubscriptionsOperator,
    HotmartListSubscriptionTransactionsOperator,
)

ZONE = "America/Sao_Paulo"
FOLDER = "{{ var.value.get('hotmart_destination', 'file:///tmp/hotmart') }}"
TODAY = f"{{{{ macros.hotmart.today(dag_run, '{ZONE}') }}}}"

with DAG(
    dag_id="hotmart_subscriptions",
    description="All subscriptions, and the charges of the last three days",
    schedule="0 6 * * *",  # in the zone of the start_date
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(ZONE)),
    catchup=False,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["hotmart"],
):
    HotmartListSubscriptionsOperator(
        task_id="subscriptions",
        timezone=ZONE,
        accession_start_date="2011-01-01",  # Hotmart opened in 2011: all of them
        destination=f"{FOLDER}/subscriptions/{TODAY}.jsonl.gz",
    )
    HotmartListSubscriptionTransactionsOperator(
        task_id="transactions",
        timezone=ZONE,
        transaction_start_date=f"{{{{ macros.ds_add(macros.hotmart.today(dag_run, '{ZONE}'), -3) }}}}",
        transaction_end_date=TODAY,
        destination=f"{FOLDER}/subscription_transactions/{TODAY}.jsonl.gz",
    )
