"""Offers, plans and coupons as the rows of the endpoints that show them."""

from __future__ import annotations

from typing import Any

from airflow_provider_hotmart.api.enums import OfferPaymentMode, ProductStatus
from airflow_provider_hotmart.emulator.account.catalog import Catalog
from airflow_provider_hotmart.emulator.account.money import value
from airflow_provider_hotmart.emulator.account.rows import ms

_TIME_ZONE = {
    "offset": "-03:00",
    "id": "America/Sao_Paulo",
    "name": "AMERICA_SAO_PAULO",
    "description": "Fuso horário de Brasília",
}


def offers(catalog: Catalog, product: dict[str, Any]) -> list[dict[str, Any]]:
    """
    Give the offers of a product; a deleted one has none any more, whatever was sold of it before.

    :param catalog: what is sold
    :param product: as the API shows it
    """
    if product["status"] == ProductStatus.DELETED:
        return []
    return [
        {
            "code": offer.code,
            "name": offer.name,
            "description": "",
            "price": value(offer.price, offer.currency),
            "payment_mode": offer.mode.value,
            "is_main_offer": offer.is_main,
            "is_currency_conversion_enabled": offer.currency == "BRL",
            "is_smart_recovery_enabled": offer.mode is OfferPaymentMode.MULTIPLE_PAYMENTS,
        }
        for offer in catalog.offers(product)
    ]


def plans(catalog: Catalog, product: dict[str, Any]) -> list[dict[str, Any]]:
    """
    Give the plans of a product; none where it is no subscription.

    :param catalog: what is sold
    :param product: as the API shows it
    """
    found: list[dict[str, Any]] = []
    for offer in catalog.offers(product):
        if offer.plan is not None:
            row: dict[str, Any] = {
                "code": offer.plan.code,
                "name": offer.plan.name,
                "description": "",
                "price": value(offer.price, offer.currency),
                "periodicity": offer.plan.periodicity.value,
                "max_installments": 12 if offer.plan.period == 360 else 1,
                # In Portuguese, unlike the same word of an offer.
                "payment_mode": "ASSINATURA",
            }
            if offer.plan.trial_days is not None:
                row["trial_period"] = offer.plan.trial_days
            found.append(row | {"is_subscription_recovery_enabled": True, "is_switch_plan_enabled": offer.is_main})
    return found


def coupons(catalog: Catalog, product: dict[str, Any]) -> list[dict[str, Any]]:
    """
    Give the coupons of a product.

    :param catalog: what is sold
    :param product: as the API shows it
    """
    return [
        {
            "id": coupon.id,
            "coupon_code": coupon.code,
            "discount": coupon.percent / 100,
            "start_date": ms(coupon.starts_at),
            "status": "valid" if coupon.is_valid else "overdue",
            "active": coupon.is_valid,
            "time_zone": dict(_TIME_ZONE),
        }
        for coupon in catalog.coupons(product)
    ]
