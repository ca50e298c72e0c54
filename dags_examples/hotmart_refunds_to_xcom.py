"""
Which products were refunded or charged back in the last days: a small result, through XCom, used by the next task.

``select`` fetches what is needed and nothing else, so no name, e-mail address or document enters XCom.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

# Finds them on every Airflow. Where yours is 3 and stays so: from airflow.sdk import DAG, Param, task
from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator


@task
def count_by_product(buyers: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Count sales by status and product."""
    counted: dict[str, Counter[str]] = {}
    for buyer in buyers:
        counted.setdefault(buyer["transaction_status"], Counter())[buyer["product"]["name"]] += 1
    for status, products in sorted(counted.items()):
        for product, sales in products.most_common():
            print(f"{status}: {sales} x {product}")
    return {status: dict(products) for status, products in counted.items()}


with DAG(
    dag_id="hotmart_refunds_to_xcom",
    description="Refunds and chargebacks of the last days, by product",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    params={"days": Param(30, type="integer", minimum=1, maximum=365, description="How many days to look back")},
    user_defined_macros={"utcnow": lambda: datetime.now(UTC)},
    doc_md=__doc__,
    tags=["hotmart"],
):
    buyers = HotmartListSalesParticipantsOperator(
        task_id="buyers",
        transaction_status=["REFUNDED", "PARTIALLY_REFUNDED", "CHARGEBACK"],
        sales_start_date="{{ utcnow() - macros.timedelta(days=params.days) }}",
        sales_end_date="{{ utcnow() }}",
        roles="BUYER",
        select=["transaction", "product.name", "users.role"],
        max_xcom_records=5000,
    )
    count_by_product(buyers.output)
