"""
Every morning: the sales of each of the last days anew, one file a day, so that late changes arrive.

Where to: the Variable ``hotmart_destination``, any URL that Airflow's object storage takes, such as
``s3://aws_default@my-bucket/hotmart``. Without it, a folder below ``/tmp``.

Sales have no "changed since", and keep their date while their status moves on: a boleto of Tuesday that is paid on
Friday, and a refund within the warranty, belong to the day of the order. So each day is listed again as long as
something of it may change, and its file replaced. How many days: ``days`` of the run, 30 unless it says otherwise.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

# Finds it on every Airflow. Where yours is 3 and stays so: from airflow.sdk import DAG, task
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_hotmart.operators.sales import HotmartListSalesOperator

ZONE = "America/Sao_Paulo"
FOLDER = "{{ var.value.get('hotmart_destination', 'file:///tmp/hotmart') }}"
TODAY = f"{{{{ macros.hotmart.today(dag_run, '{ZONE}') }}}}"

with DAG(
    dag_id="hotmart_last_days_anew",
    description="The sales of each of the last days anew, one file a day",
    schedule="0 5 * * *",  # in the zone of the start_date
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(ZONE)),
    catchup=False,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    params={"days": 30},
    doc_md=__doc__,
    tags=["hotmart"],
):

    @task
    def days(today: str, count: str, folder: str) -> list[dict[str, str]]:
        """Name the days, each with its window and its file."""
        starts = [date.fromisoformat(today) - timedelta(days=back) for back in range(1, int(count) + 1)]
        return [
            {
                "sales_start_date": f"{start}",
                "sales_end_date": f"{start + timedelta(days=1)}",
                "destination": f"{folder}/sales_by_day/{start}.jsonl.gz",
            }
            for start in starts
        ]

    HotmartListSalesOperator.partial(task_id="sales", transaction_status="ALL", timezone=ZONE).expand_kwargs(
        days(TODAY, "{{ params.days }}", FOLDER)
    )
