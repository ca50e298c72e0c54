"""Sales as the rows of the endpoints that show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_hotmart.api.enums import SaleStatus
from airflow_provider_hotmart.emulator.account.lives import DAY
from airflow_provider_hotmart.emulator.account.money import FEE_PERCENTAGE, FIXED_FEE, Money, amount, rate, value
from airflow_provider_hotmart.emulator.account.sale import Sale
from airflow_provider_hotmart.emulator.quirks import Quirks


def picked(values: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """
    Some of the keys of an object; those that it does not have stay away.

    :param values: the object
    :param keys: to keep
    """
    return {key: values[key] for key in keys if key in values}


def ms(seconds: int) -> int:
    """
    Epoch milliseconds.

    :param seconds: epoch seconds
    """
    return seconds * 1000


def shown_status(sale: Sale, quirks: Quirks, now: float) -> str | None:
    """
    Give the status of a sale in the name that the service uses; None before its order.

    :param sale: the sale
    :param quirks: whether PROTESTED is called DISPUTE
    :param now: epoch seconds
    """
    status = sale.status_at(now)
    if status is SaleStatus.PROTESTED and quirks.protested == "dispute":
        status = SaleStatus.DISPUTE
    return None if status is None else status.value


def participants(sale: Sale) -> dict[str, Any]:
    """
    A sale as a row of sales/users.

    :param sale: the sale
    """
    return {"transaction": sale.transaction, "product": sale.product, "users": sale.participants}


def history(sale: Sale, quirks: Quirks, now: float) -> dict[str, Any]:
    """
    A sale as a row of sales/history.

    :param sale: the sale
    :param quirks: how the API behaves
    :param now: epoch seconds
    """
    money, subscription = sale.money, sale.subscription
    purchase: dict[str, Any] = {"transaction": sale.transaction, "order_date": ms(sale.ordered_at)}
    if sale.is_approved(now) and sale.approved_at is not None:
        purchase["approved_date"] = ms(sale.approved_at)
    purchase["status"] = shown_status(sale, quirks, now)
    if subscription is not None:
        purchase["recurrency_number"] = subscription.number_of(sale)
    elif sale.payment_hint == "instalment":
        purchase["recurrency_number"] = 2 + sale.index % 11
    purchase["is_subscription"] = subscription is not None
    purchase["commission_as"] = "PRODUCER"
    purchase["price"] = value(money.total, money.currency)
    purchase["payment"] = {
        "method": money.method,
        "type": money.payment_type.value,
        "installments_number": money.installments,
    }
    tracking = _tracking(sale)
    if tracking:
        purchase["tracking"] = tracking
    if "approved_date" in purchase:
        purchase["warranty_expire_date"] = _warranty_end(sale)
    purchase["offer"] = {"code": money.offer.code, "payment_mode": money.offer.mode.value}
    purchase["hotmart_fee"] = {
        "total": amount(money.fee),
        "fixed": amount(FIXED_FEE),
        "base": amount(money.payout_base),
        "percentage": FEE_PERCENTAGE,
        "currency_code": money.payout_currency,
    }
    return {
        "product": sale.product,
        "buyer": picked(sale.buyer, "name", "ucode", "email"),
        "producer": picked(sale.producer, "name", "ucode"),
        "purchase": purchase,
    }


def commissions(sale: Sale, quirks: Quirks) -> dict[str, Any]:
    """
    A sale as a row of sales/commissions.

    :param sale: the sale
    :param quirks: how the API behaves
    """
    money = sale.money
    shares = [
        {
            "commission": {"value": amount(share.value), quirks.commission_currency_key: share.currency},
            "source": share.role.value,
            "user": picked(user, "ucode", "name", "email"),
        }
        for share, user in sale.shares(money)
    ]
    return {
        "transaction": sale.transaction,
        "product": sale.product,
        "exchange_rate_currency_payout": rate(money.currency, money.payout_currency),
        "commissions": shares,
    }


def price_details(sale: Sale) -> dict[str, Any]:
    """
    A sale as a row of sales/price/details.

    :param sale: the sale
    """
    money = sale.money
    row = {
        "transaction": sale.transaction,
        "product": sale.product,
        "base": value(money.base, money.currency),
        "total": value(money.total, money.currency),
        "vat": value(money.vat, money.currency),
    }
    if money.interest:
        row["fee"] = value(money.interest, money.currency)
    if money.coupon is not None:
        row["coupon"] = {"code": money.coupon.code, "value": money.coupon.percent / 100}
    return row | {"real_conversion_rate": rate(money.offer.currency, money.currency)}


def summary(sales: Iterable[Sale]) -> list[dict[str, Any]]:
    """
    Give the rows of sales/summary: the account's own commissions, by currency.

    :param sales: all that are asked for
    """
    counts: dict[str, int] = {}
    totals: dict[str, int] = {}
    for sale in sales:
        money = sale.money
        own = own_share(sale, money)
        counts[money.payout_currency] = counts.get(money.payout_currency, 0) + 1
        totals[money.payout_currency] = totals.get(money.payout_currency, 0) + own
    return [
        {"total_items": counts[currency], "total_value": value(totals[currency], currency)}
        for currency in sorted(counts)
    ]


def own_share(sale: Sale, money: Money) -> int:
    """
    Tell what the account itself earns by a sale, in hundredths of the currency that it is paid in.

    :param sale: the sale
    :param money: what it costs
    """
    return sale.shares(money)[0][0].value


def _tracking(sale: Sale) -> dict[str, str]:
    found = {} if sale.sales_source is None else {"source": sale.sales_source}
    if sale.index % 3 == 0:
        found["source_sck"] = f"mail_{sale.index % 12:02d}"
    if sale.index % 11 == 0:
        found["external_code"] = f"x-{sale.index}"
    return found


def _warranty_end(sale: Sale) -> int:
    """Give the midnight after the warranty, in Brazil."""
    days = int(sale.catalog_product["warranty_period"]) + 1
    return ms((int(sale.approved_at or 0) // DAY + days) * DAY + 3 * 3600)
