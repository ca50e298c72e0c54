"""
Every morning: the catalogue, which is products, offers, plans and coupons, as four files.

Where to: the Variable ``hotmart_destination``, any URL that Airflow's object storage takes, such as
``s3://aws_default@my-bucket/hotmart``. Without it, a folder below ``/tmp``.

Offers and plans say the ``product_ucode`` that they belong to, coupons the ``product_id``; both are columns of the
products. Each product takes a call for each of the three.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

# Finds it on every Airflow. Where yours is 3 and stays so: from airflow.sdk import DAG
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_hotmart.operators.products import (
    HotmartListProductCouponsOperator,
    HotmartListProductOffersOperator,
    HotmartListProductPlansOperator,
    HotmartListProductsOperator,
)

ZONE = "America/Sao_Paulo"
FOLDER = "{{ var.value.get('hotmart_destination', 'file:///tmp/hotmart') }}"
TODAY = f"{{{{ macros.hotmart.today(dag_run, '{ZONE}') }}}}"

with DAG(
    dag_id="hotmart_catalogue",
    description="All products with their offers, plans and coupons",
    schedule="0 6 * * *",  # in the zone of the start_date
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(ZONE)),
    catchup=False,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["hotmart"],
):
    for operator, name in (
        (HotmartListProductsOperator, "products"),
        (HotmartListProductOffersOperator, "offers"),
        (HotmartListProductPlansOperator, "plans"),
        (HotmartListProductCouponsOperator, "coupons"),
    ):
        operator(task_id=name, destination=f"{FOLDER}/{name}/{TODAY}.jsonl.gz")
