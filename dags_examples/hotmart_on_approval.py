"""
Start a run within seconds of a payment: Hotmart's webhook tells of it, and nothing polls. Airflow 3 only.

The receiver of webhooks (``[hotmart] webhook_connections``) adds an event to an asset for each approved purchase, first
charge or renewal. The event holds codes and no personal data, so the run lists the sales itself, with the people and
the commissions in them, as they are by then: a purchase that was refunded meanwhile is in the file as refunded. Several
events that come close together start one run. A run in which a sale is missing that Hotmart has told of fails, and its
retries look again.
"""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset, ObjectStoragePath, task

from airflow_provider_hotmart.operators.sales import HotmartListSalesOperator

FOLDER = "{{ var.value.get('hotmart_destination', 'file:///tmp/hotmart') }}"
RETRY = {"retries": 3, "retry_delay": timedelta(seconds=30)}


@task
def transactions(triggering_asset_events: dict | None = None) -> list[str]:
    """Collect the sales of the events that started this run; those of the panel's test button have product 0."""
    events = [event for listed in (triggering_asset_events or {}).values() for event in listed]
    found = {event.extra["transaction"] for event in events if event.extra.get("product_id")}
    if not found:
        from airflow.sdk.exceptions import AirflowSkipException

        raise AirflowSkipException("Only tests")
    return sorted(found)


@task(**RETRY)
def reconcile(announced: list[str], listed: dict) -> dict[str, int]:
    """Make sure that Hotmart lists every sale that it has told of, and count them by status."""
    path = ObjectStoragePath(listed["uri"], conn_id=listed["conn_id"])
    with path.open("rb") as raw, gzip.open(raw, "rt", encoding="utf-8") as lines:
        sales = [json.loads(line) for line in lines]
    missing = set(announced) - {sale["purchase"]["transaction"] for sale in sales}
    if missing:
        raise ValueError(f"Hotmart has told of sales that it does not list yet: {sorted(missing)}")
    counts: dict[str, int] = {}
    for sale in sales:
        status = sale["purchase"]["status"]
        counts[status] = counts.get(status, 0) + 1
    return counts


with DAG(
    dag_id="hotmart_on_approval",
    description="Runs within seconds when a purchase is approved",
    schedule=[Asset("hotmart://webhooks/hotmart_default/PURCHASE_APPROVED")],
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    doc_md=__doc__,
    tags=["hotmart"],
):
    announced = transactions()
    sales = HotmartListSalesOperator(
        task_id="sales",
        transaction=announced,
        include=["participants", "commissions"],
        destination=FOLDER + "/on_approval/{{ run_id | replace(':', '') }}.jsonl.gz",
        **RETRY,
    )
    reconcile(announced, sales.output)
