"""
A local Hotmart for demos and tests: the same calls, answers, limits and failures, with made-up people.

In a test: ``with HotmartEmulator() as hotmart:``.
In a terminal: ``python -m airflow_provider_hotmart.emulator``.
"""

from __future__ import annotations

from airflow_provider_hotmart.emulator.account.sale import Sale
from airflow_provider_hotmart.emulator.clock import Clock
from airflow_provider_hotmart.emulator.emulator import HotmartEmulator
from airflow_provider_hotmart.emulator.quirks import Quirks
from airflow_provider_hotmart.emulator.service.calls import Call
from airflow_provider_hotmart.emulator.service.faults import Fault

__all__ = ["Call", "Clock", "Fault", "HotmartEmulator", "Quirks", "Sale"]
