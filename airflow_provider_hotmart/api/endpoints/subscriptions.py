"""Subscriptions, their summaries, transactions and purchases."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_hotmart.api.endpoint import DateRange, Endpoint, Filter, Found, columns
from airflow_provider_hotmart.api.endpoints.sales import OFFER_CODE, PRODUCT_ID, TRANSACTION
from airflow_provider_hotmart.api.enums import (
    BillingType,
    PaymentType,
    RecurrencyStatus,
    SubscriptionPurchaseStatus,
    SubscriptionStatus,
)

_ACCESSION = DateRange(
    ("accession_start_date", "accession_date"),
    ("accession_end_date", "end_accession_date"),
    is_end_unsure=True,  # it ends the range, or is the day of cancelling
    column="accession_date",
)
_NEXT_CHARGE = DateRange(
    ("next_charge_start_date", "date_next_charge"), ("next_charge_end_date", "end_date_next_charge"), ahead=True
)
_SUBSCRIBER_CODE = Filter("subscriber_code", any_date=True)

SUBSCRIPTIONS = Endpoint(
    # Source: https://developers.hotmart.com/docs/en/v1/subscription/get-subscribers/.
    name="subscriptions",
    path="/payments/api/v1/subscriptions",
    noun="subscriptions",
    identity=("subscription_id",),
    columns=columns(
        "subscriber_code subscription_id:integer status accession_date:moment end_accession_date:moment? "
        "request_date:moment date_next_charge:moment? trial:boolean transaction plan.id:integer plan.name "
        "plan.recurrency_period:integer plan.max_charge_cycles:integer? product.id:integer product.name "
        "product.ucode price.value:decimal price.currency_code subscriber.name!? subscriber.email!? "
        "subscriber.ucode?"
    ),
    filters=(
        Filter("status", "word", SubscriptionStatus, several=True, selects="status"),
        PRODUCT_ID,
        Filter("plan", "name", several=True, selects="plan.name"),
        Filter("plan_id", "id"),
        _SUBSCRIBER_CODE,
        Filter("subscriber_email", personal=True),
        Filter("transaction", any_date=True),
        Filter("trial", "boolean"),
    ),
    ranges=(
        _ACCESSION,
        DateRange(("cancellation_start_date", "cancelation_date"), ("cancellation_end_date", "end_cancelation_date")),
        _NEXT_CHARGE,
    ),
)

SUBSCRIPTION_SUMMARIES = Endpoint(
    # Source: https://developers.hotmart.com/docs/en/v1/subscription/get-subscription-summary/. date_next_charge is a
    # parameter without an end; in rows it is not documented, and in all recorded answers.
    name="subscription_summaries",
    path="/payments/api/v1/subscriptions/summary",
    noun="subscriptions",
    identity=("subscription_id",),
    columns=columns(
        "subscriber_code subscription_id:integer status lifetime:integer accession_date:moment "
        "end_accession_date:moment? trial:boolean date_next_charge:moment? plan.name "
        "plan.recurrency_period:integer product.id:integer product.name offer.code last_recurrency.number:integer "
        "last_recurrency.request_date:moment last_recurrency.status last_recurrency.transaction_number:integer "
        "last_recurrency.billing_type unpaid_recurrencies:json(number,charge_date)? subscriber.id:integer? "
        "subscriber.name!? subscriber.email!?"
    ),
    filters=(PRODUCT_ID, _SUBSCRIBER_CODE),
    ranges=(_ACCESSION, replace(_NEXT_CHARGE, end=("next_charge_end_date", ""), column="date_next_charge")),
)

SUBSCRIPTION_TRANSACTIONS = Endpoint(
    # Source: https://developers.hotmart.com/docs/en/v1/subscription/get-subscription-transactions/. The documentation's
    # table says payment_delay_days, its sample and every recorded answer payment_delays_days.
    name="subscription_transactions",
    path="/payments/api/v1/subscriptions/transactions",
    noun="transactions",
    identity=("purchase.transaction", "purchase.commission.currency"),
    columns=columns(
        "subscription_id:integer subscriber_code status billing_type adoption_date:moment last_update:moment "
        "date_next_charge:moment? cancellation_date:moment? max_cycles:integer? "
        "last_recurrency_start_date:moment last_recurrency_number:integer has_unpaid_recurrency:boolean "
        "has_credit_card_change:boolean is_paid_anticipation:boolean is_paid_negotiation:boolean "
        "product.id:integer product.name producer.name!? trial_info.trial:boolean trial_info.trial_period:integer? "
        "trial_info.trial_end:moment? plan.name plan.recurrency_period:integer plan.recurrency_type "
        "plan.coupon_code? plan.offer.key plan.offer.code? plan.offer.description? recurrency.status "
        "recurrency.number:integer recurrency.start_datetime:moment recurrency.payment_delays_days:integer? "
        "recurrency.payment_delay_days:integer? recurrency.transaction_type "
        "recurrency.transaction_sequence:integer recurrency.is_current_purchase:boolean "
        "recurrency.has_retry:boolean recurrency.number_list? recurrency.scheduled_retry:json? "
        "purchase.transaction purchase.order_date:moment purchase.approved_date:moment? purchase.status "
        "purchase.payment.payment_type purchase.payment.credit_card_flag? purchase.payment.refusal_message? "
        "purchase.payment.refund_chargeback_date:moment? purchase.payment.pix_expiration_date:moment? "
        "purchase.payment.billet_expiration_date:moment? purchase.payment.billet_reprint_code? "
        "purchase.payment.billet_recovery_type? purchase.installment.installment_type "
        "purchase.installment.installment_number:integer purchase.price.currency purchase.price.value:decimal "
        "purchase.price.total_value:decimal purchase.commission.conversion_rate:ratio "
        "purchase.commission.currency purchase.commission.original_value:decimal "
        "purchase.commission.original_paid_value:decimal purchase.commission.producer_value:decimal "
        "purchase.commission.producer_paid_value:decimal subscriber.id:integer? subscriber.name!? "
        "subscriber.email!? subscriber.phone_ddd!? subscriber.phone!?"
    ),
    filters=(
        TRANSACTION,
        PRODUCT_ID,
        Filter("subscriber_code"),
        Filter("subscriber_name", personal=True),
        Filter("subscriber_email", personal=True),
        Filter("billing_type", "word", BillingType, several=True, selects="billing_type"),
        Filter("subscription_status", "word", SubscriptionStatus, several=True, selects="status"),
        Filter("recurrency_status", "word", RecurrencyStatus, several=True, selects="recurrency.status"),
        Filter("purchase_status", "word", SubscriptionPurchaseStatus, several=True, selects="purchase.status"),
        OFFER_CODE,
        Filter("purchase_payment_type", "word", PaymentType, is_open=True, several=True),
    ),
    dates=(("transaction_start_date", "transaction_date"), ("transaction_end_date", "end_transaction_date")),
)

SUBSCRIBER_PURCHASES = Endpoint(
    # Source: https://developers.hotmart.com/docs/, "Subscriptions", "Purchases of a subscriber".
    name="subscriber_purchases",
    path="/payments/api/v1/subscriptions/{subscriber_code}/purchases",
    noun="purchases",
    identity=("transaction",),
    columns=columns(
        "transaction approved_date:moment? payment_engine status price.value:decimal price.currency_code "
        "payment_type payment_method recurrency_number:integer under_warranty:boolean "
        "purchase_subscription:boolean?"
    ),
    filters=(
        Filter(
            "subscriber_code",
            several=True,
            in_path=True,
            found_by=Found(SUBSCRIPTIONS, "subscriber_code", where=(("accession_start_date", "2011-01-01"),)),
        ),
    ),
    rows_key="[]",
    page_size=None,
)
