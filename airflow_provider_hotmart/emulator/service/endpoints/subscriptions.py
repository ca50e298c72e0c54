"""The endpoints of subscriptions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from airflow_provider_hotmart.api.enums import (
    BillingType,
    RecurrencyStatus,
    SubscriptionPurchaseStatus,
    SubscriptionStatus,
)
from airflow_provider_hotmart.emulator.account import subscription_rows as make
from airflow_provider_hotmart.emulator.account.lives import DAY
from airflow_provider_hotmart.emulator.account.money import payout_currencies
from airflow_provider_hotmart.emulator.account.sale import Sale
from airflow_provider_hotmart.emulator.account.subscription import CANCELLED, State, Subscription
from airflow_provider_hotmart.emulator.service import params as read
from airflow_provider_hotmart.emulator.service.listing import PAGING, Listing, Request
from airflow_provider_hotmart.emulator.service.params import Bounds, RequestError

PARAMS = (
    "product_id", "plan", "plan_id", "accession_date", "end_accession_date", "status", "subscriber_code",
    "subscriber_email", "transaction", "trial", "cancelation_date", "end_cancelation_date", "date_next_charge",
    "end_date_next_charge", "select", *PAGING,
)  # fmt: skip
SUMMARY_PARAMS = (
    "product_id", "subscriber_code", "accession_date", "end_accession_date", "date_next_charge", "select", *PAGING,
)  # fmt: skip
TRANSACTIONS_PARAMS = (
    "transaction_date", "end_transaction_date", "product_id", "transaction", "subscriber_name", "subscriber_email",
    "subscriber_code", "billing_type", "subscription_status", "recurrency_status", "purchase_status", "offer_code",
    "purchase_payment_type", "select", *PAGING,
)  # fmt: skip
_USUAL_DAYS = 30

Found = tuple[Subscription, State]
_Charge = tuple[Sale, Subscription, str]


def subscriptions(request: Request) -> Listing:
    """
    Answer subscriptions.

    :param request: the call
    """
    params, quirks, now = request.params, request.quirks, request.world.clock.now()
    statuses = params.get("status")
    for status in statuses or ():
        if status not in set(SubscriptionStatus):
            raise RequestError("invalid_parameter", f"Parameter status has an invalid value: {status}")
    plan_names, plan_id = params.get("plan"), read.number(params, "plan_id")
    email, transaction = read.one(params, "subscriber_email"), read.one(params, "transaction")
    trial = read.flag(params, "trial")
    found = [
        (subscription, state)
        for subscription, state in _of_dates(request, now)
        if (statuses is None or state.status in statuses)
        and (plan_names is None or subscription.plan.name in plan_names)
        and plan_id in (None, subscription.plan.id)
        and trial in (None, subscription.is_trial)
        and (email is None or email == state.sales[-1].buyer.get("email"))
        and (transaction is None or any(sale.transaction == transaction for sale in state.sales))
    ]
    return Listing(found, lambda one: make.subscription_row(one[0], one[1], quirks), has_total=True)


def summary(request: Request) -> Listing:
    """
    Answer subscriptions/summary.

    :param request: the call
    """
    now = _as_of(request)
    found = _of_dates(request, now, next_charge_end=None)
    return Listing(found, lambda one: make.summary_row(one[0], one[1], now))


def transactions(request: Request) -> Listing:
    """
    Answer subscriptions/transactions.

    :param request: the call
    """
    params, quirks, now = request.params, request.quirks, _as_of(request)
    words = {
        "billing_type": read.word(params, "billing_type", BillingType),
        "subscription_status": read.word(params, "subscription_status", SubscriptionStatus),
        "recurrency_status": read.word(params, "recurrency_status", RecurrencyStatus),
        "purchase_status": read.word(params, "purchase_status", SubscriptionPurchaseStatus),
        **{
            name: read.one(params, name)
            for name in ("subscriber_name", "subscriber_email", "offer_code", "purchase_payment_type")
        },
    }
    wanted = {name: value for name, value in words.items() if value is not None}

    def row(charge: _Charge) -> dict[str, Any]:
        return make.transaction_row(*charge, quirks, now)

    found = [
        (sale, subscription, currency)
        for sale, subscription in _charges(request, now)
        for currency in payout_currencies(sale, subscription.offer.currency)
    ]
    if wanted:
        found = [
            charge for charge in found if all(_OF_A_ROW[name](row(charge)) == value for name, value in wanted.items())
        ]
    return Listing(found, row)


def purchases(request: Request) -> Listing:
    """
    Answer the purchases of a subscriber.

    :param request: the call
    """
    quirks, now = request.quirks, request.world.clock.now()
    code = request.values["subscriber_code"]
    subscription = next((one for one in request.world.subscriptions if one.code == code), None)
    state = None if subscription is None else subscription.state_at(now)
    if subscription is None or state is None:
        raise RequestError("not_found", "Subscription not found", 404)
    return Listing(state.sales, lambda sale: make.purchase_row(sale, subscription, quirks, now), form="array")


_OF_A_ROW: dict[str, Any] = {
    "billing_type": lambda row: row["billing_type"],
    "subscription_status": lambda row: row["status"],
    "recurrency_status": lambda row: row["recurrency"]["status"],
    "purchase_status": lambda row: row["purchase"]["status"],
    "subscriber_name": lambda row: row["subscriber"].get("name"),
    "subscriber_email": lambda row: row["subscriber"].get("email"),
    "offer_code": lambda row: row["plan"]["offer"]["key"],
    "purchase_payment_type": lambda row: row["purchase"]["payment"]["payment_type"],
}


def _as_of(request: Request) -> float:
    """Give the moment that an endpoint with old data shows."""
    return request.world.clock.now() - (DAY if request.quirks.summary_age == "day" else 0)


def _charges(request: Request, now: float) -> Iterator[tuple[Sale, Subscription]]:
    """Give the charges that fit, oldest first."""
    params = request.params
    bounds = read.dates(params, request.quirks, "transaction_date", "end_transaction_date")
    transaction, code = read.one(params, "transaction"), read.one(params, "subscriber_code")
    if bounds is None and transaction is None and request.quirks.no_bound == "last_30_days":
        bounds = int(request.world.clock.now()) - _USUAL_DAYS * DAY, None
    products = read.numbers(params, "product_id", request.quirks.several_values)
    charges = [
        (sale, subscription)
        for subscription in request.world.subscriptions
        if code in (None, subscription.code)
        for sale in subscription.sales
        if sale.ordered_at <= now
    ]
    for sale, subscription in sorted(charges, key=lambda charge: (charge[0].ordered_at, charge[0].index)):
        fits = transaction in (None, sale.transaction) and (products is None or sale.product_id in products)
        if fits and read.inside(sale.ordered_at, bounds):
            yield sale, subscription


@dataclass
class _Dates:
    """
    The windows that a call asks for; None: any date, and none.

    :param accession: of the accession
    :param cancelling: of the cancelling
    :param next_charge: of the next charge
    :param spares_the_living: the window of cancelling is a default, and leaves out nobody who has not cancelled
    """

    accession: Bounds | None
    cancelling: Bounds | None
    next_charge: Bounds | None
    spares_the_living: bool = False

    def fit(self, state: State) -> bool:
        cancelled_at = state.ended_at if state.status in CANCELLED else None
        return (
            read.inside(state.accession_at, self.accession)
            and read.inside(state.next_charge_at, self.next_charge)
            and ((self.spares_the_living and cancelled_at is None) or read.inside(cancelled_at, self.cancelling))
        )


def _of_dates(request: Request, now: float, next_charge_end: str | None = "end_date_next_charge") -> list[Found]:
    """
    Give the subscriptions whose dates, product and code fit, by accession.

    :param next_charge_end: name of that date; None: the endpoint has none
    """
    params, dates = request.params, _dates(request, now, next_charge_end)
    products = read.numbers(params, "product_id", request.quirks.several_values)
    code = read.one(params, "subscriber_code")
    found: list[Found] = []
    for subscription in request.world.subscriptions:
        if code in (None, subscription.code) and (products is None or subscription.product["id"] in products):
            state = subscription.state_at(now)
            if state is not None and dates.fit(state):
                found.append((subscription, state))
    return sorted(found, key=lambda one: (one[1].accession_at, one[0].number))


def _dates(request: Request, now: float, next_charge_end: str | None) -> _Dates:
    params, quirks = request.params, request.quirks
    found = _Dates(
        read.dates(params, quirks, "accession_date", "end_accession_date"),
        read.dates(params, quirks, "cancelation_date", "end_cancelation_date"),
        read.dates(params, quirks, "date_next_charge", next_charge_end),
    )
    if quirks.end_accession_date == "cancelling" and found.accession and "end_accession_date" in params:
        start, end = found.accession
        found.accession = (start, None) if "accession_date" in params else None
        found.cancelling = (found.cancelling[0] if found.cancelling else None, end)
    recent = int(now) - _USUAL_DAYS * DAY, None
    if quirks.subscription_dates == "combined":
        found.accession = found.accession or recent
        found.spares_the_living = found.cancelling is None
        found.cancelling = found.cancelling or recent
    elif not (found.accession or found.cancelling or found.next_charge):
        named = "transaction" in params or "subscriber_code" in params
        found.accession = None if named or quirks.no_bound == "everything" else recent
    return found
