"""
Wait for new buyers, without taking up a worker, and welcome them.

The sensor looks seven days back each time, so that a boleto that is paid days after its order is found too. Whom it
has reported is remembered in its own XComs; the records of the new buyers go to a file, and the next task
reads them there. Nobody's personal data enters XCom or a log.

Where to: the Variable ``hotmart_destination``, as in the other examples.
"""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

# Finds them on every Airflow. Where yours is 3 and stays so: from airflow.sdk import DAG, ObjectStoragePath, task
from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, task

from airflow_provider_hotmart.sensors.sales import HotmartNewSalesParticipantsSensor

FOLDER = "{{ var.value.get('hotmart_destination', 'file:///tmp/hotmart') }}"


@task
def welcome(found: dict[str, Any]) -> int:
    """Read the new buyers; return how many can be written to."""
    path = ObjectStoragePath(found["uri"], conn_id=found["conn_id"])
    with path.open("rb") as raw, gzip.open(raw, "rt", encoding="utf-8") as lines:
        buyers = [json.loads(line) for line in lines]
    reachable = [buyer for buyer in buyers if buyer["user"].get("email")]
    print(f"{len(buyers)} new buyers, {len(reachable)} of them with an e-mail address")
    return len(reachable)


with DAG(
    dag_id="hotmart_new_buyers",
    description="Waits for new buyers and hands them to the next task",
    schedule=timedelta(hours=1),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["hotmart"],
):
    new_buyers = HotmartNewSalesParticipantsSensor(
        task_id="new_buyers",
        roles="BUYER",
        lookback=timedelta(days=7),
        destination=FOLDER + "/new_buyers/{{ run_id | replace(':', '') }}.jsonl.gz",
        poke_interval=300,
        timeout=timedelta(minutes=50),
        soft_fail=True,  # an hour without a new buyer skips what follows; so does any failure
        deferrable=True,
    )
    welcome(new_buyers.output)
