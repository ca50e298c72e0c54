"""THE table: one row per endpoint. What operators, the hook, listings, logs and documentation need to know of it."""

from __future__ import annotations

from airflow_provider_hotmart.api.endpoints.club import CLUB_LESSONS, CLUB_MODULES, CLUB_PAGES, CLUB_USERS
from airflow_provider_hotmart.api.endpoints.events import EVENT_TICKETS, EVENTS
from airflow_provider_hotmart.api.endpoints.products import PRODUCT_COUPONS, PRODUCT_OFFERS, PRODUCT_PLANS, PRODUCTS
from airflow_provider_hotmart.api.endpoints.sales import (
    SALES,
    SALES_COMMISSIONS,
    SALES_PARTICIPANTS,
    SALES_PRICE_DETAILS,
    SALES_SUMMARY,
)
from airflow_provider_hotmart.api.endpoints.subscriptions import (
    SUBSCRIBER_PURCHASES,
    SUBSCRIPTION_SUMMARIES,
    SUBSCRIPTION_TRANSACTIONS,
    SUBSCRIPTIONS,
)

__all__ = [
    "CLUB_LESSONS",
    "CLUB_MODULES",
    "CLUB_PAGES",
    "CLUB_USERS",
    "ENDPOINTS",
    "EVENTS",
    "EVENT_TICKETS",
    "PRODUCTS",
    "PRODUCT_COUPONS",
    "PRODUCT_OFFERS",
    "PRODUCT_PLANS",
    "SALES",
    "SALES_COMMISSIONS",
    "SALES_PARTICIPANTS",
    "SALES_PRICE_DETAILS",
    "SALES_SUMMARY",
    "SUBSCRIBER_PURCHASES",
    "SUBSCRIPTIONS",
    "SUBSCRIPTION_SUMMARIES",
    "SUBSCRIPTION_TRANSACTIONS",
]

#: Every endpoint by its name.
ENDPOINTS = {
    endpoint.name: endpoint
    for endpoint in (
        PRODUCTS,
        PRODUCT_OFFERS,
        PRODUCT_PLANS,
        PRODUCT_COUPONS,
        SALES,
        SALES_PARTICIPANTS,
        SALES_COMMISSIONS,
        SALES_PRICE_DETAILS,
        SALES_SUMMARY,
        SUBSCRIPTIONS,
        SUBSCRIPTION_SUMMARIES,
        SUBSCRIPTION_TRANSACTIONS,
        SUBSCRIBER_PURCHASES,
        CLUB_MODULES,
        CLUB_PAGES,
        CLUB_USERS,
        CLUB_LESSONS,
        EVENTS,
        EVENT_TICKETS,
    )
}
