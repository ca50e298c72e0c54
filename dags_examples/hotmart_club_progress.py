"""
Every week: the members' areas, with their modules, pages and users, and the lessons that each user has completed.

Where to: the Variable ``hotmart_destination``, any URL that Airflow's object storage takes, such as
``s3://aws_default@my-bucket/hotmart``. Without it, a folder below ``/tmp``.

Which members' areas: the Variable ``hotmart_subdomains``, their subdomains with commas between them. Hotmart cannot be
asked for them. Lessons take a call for each user: 500 users a minute.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

# Finds it on every Airflow. Where yours is 3 and stays so: from airflow.sdk import DAG
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_hotmart.operators.club import (
    HotmartListClubLessonsOperator,
    HotmartListClubModulesOperator,
    HotmartListClubPagesOperator,
    HotmartListClubUsersOperator,
)

ZONE = "America/Sao_Paulo"
FOLDER = "{{ var.value.get('hotmart_destination', 'file:///tmp/hotmart') }}"
TODAY = f"{{{{ macros.hotmart.today(dag_run, '{ZONE}') }}}}"
SUBDOMAINS = "{{ var.value.hotmart_subdomains }}"

with DAG(
    dag_id="hotmart_club_progress",
    description="Modules, users and completed lessons of members' areas",
    schedule="0 6 * * 1",  # in the zone of the start_date
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(ZONE)),
    catchup=False,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["hotmart"],
):
    for operator, name in (
        (HotmartListClubModulesOperator, "club_modules"),
        (HotmartListClubPagesOperator, "club_pages"),
        (HotmartListClubUsersOperator, "club_users"),
        (HotmartListClubLessonsOperator, "club_lessons"),
    ):
        operator(task_id=name, subdomain=SUBDOMAINS, destination=f"{FOLDER}/{name}/{TODAY}.jsonl.gz")
