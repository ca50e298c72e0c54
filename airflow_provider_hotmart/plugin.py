"""What Airflow takes from this package by itself, in every one of its processes. Nothing heavy is imported."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import AirflowPlugin

from airflow_provider_hotmart.macros import today, yesterday
from airflow_provider_hotmart.webhooks.mount import URL_PREFIX, MountedReceiver


class HotmartPlugin(AirflowPlugin):
    """
    Gives templates ``macros.hotmart.today`` and ``macros.hotmart.yesterday``, and Airflow a receiver of webhooks.

    The API server of Airflow 3 mounts it; Airflow 2 has none, and ignores it.
    """

    name = "hotmart"
    macros = [today, yesterday]  # noqa: RUF012 - declared by Airflow
    fastapi_apps = [  # noqa: RUF012 - as above
        {"app": MountedReceiver(), "url_prefix": URL_PREFIX, "name": "Hotmart webhooks"}
    ]
