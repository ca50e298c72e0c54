"""What Airflow takes from this package by itself, in every one of its processes. Nothing heavy is imported."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import AirflowPlugin

from airflow_provider_hotmart.macros import today, yesterday


class HotmartPlugin(AirflowPlugin):
    """Gives templates ``macros.hotmart.today`` and ``macros.hotmart.yesterday``."""

    name = "hotmart"
    macros = [today, yesterday]  # noqa: RUF012 - declared by Airflow
