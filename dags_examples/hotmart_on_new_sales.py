"""
Start a run when there are new sales or refunds: no schedule, no task that waits. Airflow 3 only.

A watcher in the triggerer polls Hotmart and adds an event to the asset for each batch of new participants. The event
holds transaction codes and their status, no personal data; the run lists the participants of those sales itself, into
one file for each status: who bought is not mixed with who was refunded. A sale that has moved on between the event and
the listing is not in the file of its old status; its next event tells.

What was reported is remembered in the state of the asset (Airflow 3.3 and later). On Airflow 3.0 to 3.2 give the
trigger a ``ledger``, the URL of a file that it can write.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator
from airflow_provider_hotmart.triggers.event import HotmartSalesParticipantsEventTrigger

FOLDER = "{{ var.value.get('hotmart_destination', 'file:///tmp/hotmart') }}"

sales = Asset(
    name="hotmart_sales",
    uri="hotmart://sales",
    watchers=[
        AssetWatcher(
            name="new_participants",
            trigger=HotmartSalesParticipantsEventTrigger(
                transaction_status=["APPROVED", "COMPLETE", "REFUNDED"],
                lookback=timedelta(days=37),  # a warranty of 30 days and a week
                poll_interval=300,
            ),
        )
    ],
)


@task
def sales_by_status(folder: str, triggering_asset_events: dict | None = None) -> list[dict]:
    """Sort the sales of the events that started this run: one selection and one file for each status."""
    events = [event for listed in (triggering_asset_events or {}).values() for event in listed]
    payloads = [event.extra.get("payload", event.extra) for event in events]
    sorted_by_status: dict[str, set[str]] = {}
    for sale in [sale for payload in payloads for sale in payload["transactions"]]:
        sorted_by_status.setdefault(sale["transaction_status"], set()).add(sale["transaction"])
    return [
        {
            "transaction_status": status,
            "transaction": sorted(transactions),
            "destination": f"{folder}/{status}.jsonl.gz",
        }
        for status, transactions in sorted(sorted_by_status.items())
    ]


with DAG(
    dag_id="hotmart_on_new_sales",
    description="Runs when somebody new buys or is refunded",
    schedule=[sales],
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    doc_md=__doc__,
    tags=["hotmart"],
):
    HotmartListSalesParticipantsOperator.partial(task_id="participants").expand_kwargs(
        sales_by_status(FOLDER + "/on_new_sales/{{ run_id | replace(':', '') }}")
    )
