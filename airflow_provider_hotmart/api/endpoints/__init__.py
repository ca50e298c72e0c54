"""THE table: one row per endpoint. What operators, the hook, listings, logs and documentation need to know of it."""

from __future__ import annotations

from airflow_provider_hotmart.api.endpoint import Endpoint
from airflow_provider_hotmart.api.endpoints import club, events, products, sales, subscriptions

#: Every endpoint by its name.
ENDPOINTS = {
    one.name: one
    for module in (products, sales, subscriptions, club, events)
    for one in vars(module).values()
    if isinstance(one, Endpoint)
}
