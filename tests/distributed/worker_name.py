"""Airflow's ``hostname_callable`` in these tests: tells two workers on one machine apart."""

from __future__ import annotations

import os


def worker_name() -> str:
    """The name that the test gave to the process."""
    return os.environ["WORKER_NAME"]
