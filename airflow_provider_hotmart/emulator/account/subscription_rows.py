"""Subscriptions and their charges as the rows of the endpoints that show them."""

from __future__ import annotations

import zlib
from typing import Any

from airflow_provider_hotmart.api.enums import (
    BillingType,
    PaymentType,
    PlanPeriodicity,
    RecurrencyStatus,
    SaleStatus,
    SubscriptionPurchaseStatus,
    SubscriptionStatus,
)
from airflow_provider_hotmart.emulator.account.lives import DAY
from airflow_provider_hotmart.emulator.account.money import Money, amount, convert, rate, value
from airflow_provider_hotmart.emulator.account.rows import ms, picked, shown_status
from airflow_provider_hotmart.emulator.account.sale import Sale
from airflow_provider_hotmart.emulator.account.subscription import State, Subscription, recurrency_status
from airflow_provider_hotmart.emulator.quirks import Quirks

_PURCHASE_WORDS = {
    SaleStatus.OVERDUE: SubscriptionPurchaseStatus.DELAYED,
    SaleStatus.NO_FUNDS: SubscriptionPurchaseStatus.DELAYED,
    SaleStatus.UNDER_ANALISYS: SubscriptionPurchaseStatus.UNDER_ANALYSIS,
    SaleStatus.PROCESSING_TRANSACTION: SubscriptionPurchaseStatus.STARTED,
    SaleStatus.PRE_ORDER: SubscriptionPurchaseStatus.STARTED,
    SaleStatus.BLOCKED: SubscriptionPurchaseStatus.CANCELLED,
}
_NEVER_PAID = (SubscriptionStatus.STARTED, SubscriptionStatus.INACTIVE)
_GONE = (RecurrencyStatus.REFUNDED, RecurrencyStatus.CHARGEBACK)


def subscription_row(subscription: Subscription, state: State, quirks: Quirks) -> dict[str, Any]:
    """
    A row of subscriptions.

    :param subscription: whose
    :param state: at the moment
    :param quirks: how the API behaves
    """

    def date(seconds: int) -> int:
        return seconds if quirks.date_unit == "seconds" else ms(seconds)

    plan, last = subscription.plan, state.sales[-1]
    row: dict[str, Any] = {
        "subscriber_code": subscription.code,
        "subscription_id": subscription.id,
        "status": state.status.value,
        "accession_date": date(state.accession_at),
    }
    if state.ended_at is not None:
        row["end_accession_date"] = date(state.ended_at)
    row["request_date"] = date(state.sales[0].ordered_at)
    if state.next_charge_at is not None:
        row["date_next_charge"] = date(state.next_charge_at)
    shown_plan: dict[str, Any] = {"name": plan.name, "id": plan.id, "recurrency_period": plan.period}
    if plan.max_cycles is not None:
        shown_plan["max_charge_cycles"] = plan.max_cycles
    return row | {
        "trial": subscription.is_trial,
        "transaction": last.transaction,
        "plan": shown_plan,
        "product": picked(subscription.product, "name", "id", "ucode"),
        "price": value(subscription.offer.price, subscription.offer.currency),
        "subscriber": picked(last.buyer, "name", "email", "ucode"),
    }


def summary_row(subscription: Subscription, state: State, now: float) -> dict[str, Any]:
    """
    A row of subscriptions/summary.

    :param subscription: whose
    :param state: at the moment
    :param now: epoch seconds, the moment
    """
    number, charges = last_recurrency(subscription, state)
    row: dict[str, Any] = {
        "subscriber_code": subscription.code,
        "subscription_id": subscription.id,
        "status": state.status.value,
        "lifetime": _lifetime(state, now),
        "accession_date": ms(state.accession_at),
    }
    if state.ended_at is not None:
        row["end_accession_date"] = ms(state.ended_at)
    row["trial"] = subscription.is_trial
    if state.next_charge_at is not None:
        row["date_next_charge"] = ms(state.next_charge_at)
    row |= {
        "plan": {"name": subscription.plan.name, "recurrency_period": subscription.plan.period},
        "product": picked(subscription.product, "name", "id"),
        "offer": {"code": subscription.offer.code},
        "last_recurrency": {
            "number": number,
            "request_date": ms(charges[0].ordered_at),
            "status": recurrency_status(charges[-1], now).value,
            "transaction_number": len(charges),
            "billing_type": BillingType.SUBSCRIPTION.value,
        },
    }
    unpaid = unpaid_recurrencies(subscription, state, now)
    if unpaid:
        row["unpaid_recurrencies"] = unpaid
    buyer = state.sales[-1].buyer
    return row | {"subscriber": _subscriber(state.sales[-1]) | picked(buyer, "email")}


def transaction_row(
    sale: Sale, subscription: Subscription, currency: str, quirks: Quirks, now: float
) -> dict[str, Any]:
    """
    A row of subscriptions/transactions; a charge has one for each currency in which somebody earns by it.

    :param sale: one charge
    :param subscription: that it belongs to
    :param currency: one of ``payout_currencies``
    :param quirks: how the API behaves
    :param now: epoch seconds, not before the order
    """
    state = subscription.state_at(now)
    if state is None:
        raise ValueError(f"{sale.transaction} has not been ordered yet")
    money = sale.money
    purchase = _purchase(sale, subscription, money, now)
    purchase["commission"] = _commission(sale, money, currency, now)
    return _shared(sale, subscription, state, quirks, now) | {"purchase": purchase}


def purchase_row(sale: Sale, subscription: Subscription, quirks: Quirks, now: float) -> dict[str, Any]:
    """
    A row of the purchases of a subscriber.

    :param sale: one charge
    :param subscription: that it belongs to
    :param quirks: how the API behaves
    :param now: epoch seconds
    """
    money = sale.money
    row: dict[str, Any] = {"transaction": sale.transaction}
    paid = sale.is_approved(now) and sale.approved_at is not None
    if paid:
        row["approved_date"] = ms(int(sale.approved_at or 0))
    warranty = int(sale.catalog_product["warranty_period"]) * DAY
    return row | {
        "payment_engine": "HotPay" if money.currency == "BRL" else "HotPay Internacional",
        "status": shown_status(sale, quirks, now),
        "price": value(money.total, money.currency),
        "payment_type": money.payment_type.value,
        "payment_method": money.method,
        "recurrency_number": subscription.number_of(sale),
        "under_warranty": paid and now < int(sale.approved_at or 0) + warranty,
    }


def last_recurrency(subscription: Subscription, state: State) -> tuple[int, list[Sale]]:
    """
    Give the number of the charge that a subscription stands at, and the attempts at it, oldest first.

    :param subscription: whose
    :param state: at the moment
    """
    last = state.sales[0] if state.status in _NEVER_PAID else state.sales[-1]
    number = subscription.number_of(last)
    return number, [sale for sale in state.sales if subscription.number_of(sale) == number]


def unpaid_recurrencies(subscription: Subscription, state: State, now: float) -> list[dict[str, int]]:
    """
    Give the charges that nobody has paid.

    :param subscription: whose
    :param state: at the moment
    :param now: epoch seconds, the moment
    """
    if state.status in _NEVER_PAID:
        return []
    paid = {subscription.number_of(sale) for sale in state.sales if sale.is_approved(now)}
    first: dict[int, Sale] = {}
    for sale in state.sales:
        first.setdefault(subscription.number_of(sale), sale)
    return [
        {"number": number, "charge_date": ms(sale.ordered_at)} for number, sale in first.items() if number not in paid
    ]


def purchase_word(sale: Sale, subscription: Subscription, now: float) -> SubscriptionPurchaseStatus:
    """
    Give the status of a charge as the transactions of subscriptions spell it.

    :param sale: one charge
    :param subscription: that it belongs to
    :param now: epoch seconds
    """
    status = sale.status_at(now) or SaleStatus.STARTED
    found = _PURCHASE_WORDS.get(status) or SubscriptionPurchaseStatus(status.value)
    if found is SubscriptionPurchaseStatus.DELAYED and subscription.number_of(sale) == 1:
        return SubscriptionPurchaseStatus.CANCELLED
    return found


def _shared(sale: Sale, subscription: Subscription, state: State, quirks: Quirks, now: float) -> dict[str, Any]:
    """Give what is the same in all rows of one charge."""
    number, charges = last_recurrency(subscription, state)
    row: dict[str, Any] = {
        "subscription_id": subscription.id,
        "subscriber_code": subscription.code,
        "status": state.status.value,
        "billing_type": BillingType.SUBSCRIPTION.value,
        "adoption_date": ms(state.sales[0].ordered_at),
        "last_update": ms(sale.last_change(now)),
        "last_recurrency_start_date": ms(charges[0].ordered_at),
        "last_recurrency_number": number,
        "has_unpaid_recurrency": bool(unpaid_recurrencies(subscription, state, now)),
        "has_credit_card_change": False,
        "is_paid_anticipation": False,
        "is_paid_negotiation": False,
    }
    if state.next_charge_at is not None and state.ended_at is None:
        row["date_next_charge"] = ms(state.next_charge_at)
    if state.ended_at is not None:
        row["cancellation_date"] = ms(state.ended_at)
    if subscription.plan.max_cycles is not None:
        row["max_cycles"] = subscription.plan.max_cycles
    buyer = sale.buyer
    phone = str(buyer.get("phone") or buyer.get("cellphone") or "")
    return row | {
        "product": picked(subscription.product, "name", "id"),
        "producer": picked(sale.producer, "name"),
        "trial_info": _trial(subscription, state),
        "plan": {
            "name": subscription.plan.name,
            "recurrency_period": subscription.plan.period,
            "recurrency_type": PlanPeriodicity(subscription.plan.periodicity).value,
            "offer": {"key": subscription.offer.code},
        },
        "recurrency": _recurrency(sale, subscription, state, quirks, now),
        "subscriber": _subscriber(sale)
        | picked(buyer, "email")
        | ({"phone_ddd": phone[:2], "phone": phone[2:]} if phone else {}),
    }


def _trial(subscription: Subscription, state: State) -> dict[str, Any]:
    days = subscription.plan.trial_days
    if days is None:
        return {"trial": False}
    return {"trial": True, "trial_period": days, "trial_end": ms(state.sales[0].ordered_at + days * DAY)}


def _recurrency(sale: Sale, subscription: Subscription, state: State, quirks: Quirks, now: float) -> dict[str, Any]:
    number = subscription.number_of(sale)
    attempts = [charge for charge in state.sales if subscription.number_of(charge) == number]
    status = recurrency_status(sale, now)
    unpaid = status is RecurrencyStatus.NOT_PAID
    return {
        "status": status.value,
        "number": number,
        "start_datetime": ms(attempts[0].ordered_at),
        quirks.payment_delay_key: int(now - sale.ordered_at) // DAY if unpaid else 0,
        "transaction_type": "AUTOMATIC",
        "transaction_sequence": attempts.index(sale) + 1,
        "is_current_purchase": sale is attempts[-1],
        "has_retry": len(attempts) > 1,
    }


def _purchase(sale: Sale, subscription: Subscription, money: Money, now: float) -> dict[str, Any]:
    row: dict[str, Any] = {"transaction": sale.transaction, "order_date": ms(sale.ordered_at)}
    if sale.is_approved(now) and sale.approved_at is not None:
        row["approved_date"] = ms(sale.approved_at)
    row["status"] = purchase_word(sale, subscription, now).value
    shown_type = "BALANCE_HOTMART" if money.payment_type is PaymentType.HOTMART_BALANCE else money.payment_type.value
    payment: dict[str, Any] = {"payment_type": shown_type}
    if money.payment_type is PaymentType.CREDIT_CARD:
        payment["credit_card_flag"] = money.method.removeprefix("CREDIT_CARD_")
    if money.payment_type is PaymentType.PIX:
        payment["pix_expiration_date"] = ms(sale.ordered_at + DAY)
    if money.payment_type is PaymentType.BILLET:
        payment["billet_expiration_date"] = ms(sale.ordered_at + 3 * DAY)
    if sale.status_at(now) is SaleStatus.NO_FUNDS:
        payment["refusal_message"] = "INSUFFICIENT FUNDS"
    if recurrency_status(sale, now) in _GONE:
        payment["refund_chargeback_date"] = ms(sale.last_change(now))
    several = money.installments > 1
    return row | {
        "payment": payment,
        "installment": {
            "installment_type": "CONVENTIONAL_INSTALLMENT" if several else "ONE_TIME_PAYMENT",
            "installment_number": money.installments,
        },
        "price": {"currency": money.currency, "value": amount(money.base), "total_value": amount(money.total)},
    }


def _commission(sale: Sale, money: Money, currency: str, now: float) -> dict[str, Any]:
    """Tell what the account and the sale are worth in one of the currencies that somebody is paid in."""

    def shown(hundredths: int) -> int | float:
        return amount(hundredths if currency == money.payout_currency else convert(hundredths, currency))

    paid = recurrency_status(sale, now) is RecurrencyStatus.PAID
    original, producer = shown(money.payout_base), shown(sale.shares(money)[0][0].value)
    return {
        "conversion_rate": rate(money.currency, currency),
        "currency": currency,
        "original_value": original,
        "original_paid_value": original if paid else 0,
        "producer_value": producer,
        "producer_paid_value": producer if paid else 0,
    }


def _subscriber(sale: Sale) -> dict[str, Any]:
    number = 1_000_000 + zlib.crc32(sale.buyer_key.encode()) % 9_000_000
    return {"id": number} | picked(sale.buyer, "name")


def _lifetime(state: State, now: float) -> int:
    if state.status in _NEVER_PAID:
        return 0
    end = int(now) if state.ended_at is None else state.ended_at
    return max(0, end - state.accession_at) // DAY
