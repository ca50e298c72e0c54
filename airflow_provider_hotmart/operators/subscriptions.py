"""Operators that list an account's subscriptions, their charges, and the purchases of subscribers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_hotmart.api.endpoints.subscriptions import (
    SUBSCRIBER_PURCHASES,
    SUBSCRIPTION_SUMMARIES,
    SUBSCRIPTION_TRANSACTIONS,
    SUBSCRIPTIONS,
)
from airflow_provider_hotmart.operators.base import HotmartListOperator


class HotmartListSubscriptionsOperator(HotmartListOperator):
    """
    List the account's subscriptions.

    A record is one subscription. Dates are three pairs; those that are given are sent, and no others. None given means
    the last 30 days of accession, or any date where ``subscriber_code`` or ``transaction`` names subscriptions. Hotmart
    documents defaults for each pair, and whether they apply beside a pair that is sent is unknown: compare once with
    the panel that cancelled subscriptions are there. Dates in rows are milliseconds; Hotmart's documentation shows
    seconds.

    Without a ``destination`` the records are the task's XCom; with one they are written to that file, and the XCom is
    its manifest.

    Records are personal data, protected by the Brazilian LGPD: choose a destination that you may keep them in.

    Source: https://developers.hotmart.com/docs/en/v1/subscription/get-subscribers/.

    :param status: one or several of ACTIVE, DELAYED, CANCELLED_BY_CUSTOMER, … (templated).
    :param product_id: one product ID or several (templated).
    :param plan: one name of a plan or several, in a list (templated).
    :param plan_id: the ID of a plan (templated).
    :param subscriber_code: the code of a subscriber (templated).
    :param subscriber_email: the subscriber's e-mail address (templated).
    :param transaction: a transaction code (templated).
    :param trial: only those in a trial, or only the others (templated).
    :param accession_start_date: the first moment of the accession: ISO 8601 text, ``datetime`` or ``date``; one without
        a zone is meant in ``timezone`` (templated). None: 30 days before the end.
    :param accession_end_date: the first moment of the accession that no longer counts (templated). None: now.
    :param cancellation_start_date: the first moment of cancelling (templated). None: 30 days before its end.
    :param cancellation_end_date: the first moment of cancelling that no longer counts (templated). None: now.
    :param next_charge_start_date: the first moment of the next charge (templated). None: now.
    :param next_charge_end_date: the first moment of the next charge that no longer counts (templated). None: 30 days
        after its start.
    :param select: dot paths of the fields to fetch, a list or comma-separated (templated).
    :param kwargs: of :class:`~airflow_provider_hotmart.operators.base.HotmartListOperator` and of any operator.
    """

    endpoint = SUBSCRIPTIONS
    template_fields: Sequence[str] = (*SUBSCRIPTIONS.arguments, *HotmartListOperator.template_fields)

    def __init__(
        self,
        *,
        status: str | Sequence[str] | None = None,
        product_id: int | str | Sequence[int | str] | None = None,
        plan: str | Sequence[str] | None = None,
        plan_id: int | str | None = None,
        subscriber_code: str | None = None,
        subscriber_email: str | None = None,
        transaction: str | None = None,
        trial: bool | str | None = None,
        accession_start_date: Any = None,
        accession_end_date: Any = None,
        cancellation_start_date: Any = None,
        cancellation_end_date: Any = None,
        next_charge_start_date: Any = None,
        next_charge_end_date: Any = None,
        select: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters=locals(), **kwargs)


class HotmartListSubscriptionSummariesOperator(HotmartListOperator):
    """
    List how far the account's subscriptions have come: recurrences, unpaid ones, lifetime.

    A record is one subscription. Hotmart's data may be 24 hours old here. Dates are two pairs; those that are given are
    sent, and no others. None given means the last 30 days of accession, or any date with ``subscriber_code``. Hotmart
    documents defaults for each pair, and whether they apply beside a pair that is sent is unknown.

    Without a ``destination`` the records are the task's XCom; with one they are written to that file, and the XCom is
    its manifest.

    Records are personal data, protected by the Brazilian LGPD: choose a destination that you may keep them in.

    Source: https://developers.hotmart.com/docs/en/v1/subscription/get-subscription-summary/.

    :param product_id: one product ID or several (templated).
    :param subscriber_code: the code of a subscriber (templated).
    :param accession_start_date: the first moment of the accession: ISO 8601 text, ``datetime`` or ``date``; one without
        a zone is meant in ``timezone`` (templated). None: 30 days before the end.
    :param accession_end_date: the first moment of the accession that no longer counts (templated). None: now.
    :param next_charge_start_date: the first moment of the next charge (templated). None: now.
    :param next_charge_end_date: the first moment of the next charge that no longer counts (templated). None: 30 days
        after its start. Hotmart takes the start alone here, so that the end is applied to the rows that come.
    :param select: dot paths of the fields to fetch, a list or comma-separated (templated).
    :param kwargs: of :class:`~airflow_provider_hotmart.operators.base.HotmartListOperator` and of any operator.
    """

    endpoint = SUBSCRIPTION_SUMMARIES
    template_fields: Sequence[str] = (*SUBSCRIPTION_SUMMARIES.arguments, *HotmartListOperator.template_fields)

    def __init__(
        self,
        *,
        product_id: int | str | Sequence[int | str] | None = None,
        subscriber_code: str | None = None,
        accession_start_date: Any = None,
        accession_end_date: Any = None,
        next_charge_start_date: Any = None,
        next_charge_end_date: Any = None,
        select: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters=locals(), **kwargs)


class HotmartListSubscriptionTransactionsOperator(HotmartListOperator):
    """
    List the charges of the account's subscriptions.

    A record is one transaction in one currency of commission: the key is ``purchase.transaction`` and
    ``purchase.commission.currency``. Hotmart's data may be 24 hours old here. Several statuses are picked from all that
    is listed, because a charge may move from one to another meanwhile.

    Without a ``destination`` the records are the task's XCom; with one they are written to that file, and the XCom is
    its manifest.

    Records are personal data, protected by the Brazilian LGPD: choose a destination that you may keep them in.

    Source: https://developers.hotmart.com/docs/en/v1/subscription/get-subscription-transactions/.

    :param transaction: one transaction code or several (templated). Without dates, charges of any date are found.
    :param product_id: one product ID or several (templated).
    :param subscriber_code: the code of a subscriber (templated).
    :param subscriber_name: the subscriber's name (templated).
    :param subscriber_email: the subscriber's e-mail address (templated).
    :param billing_type: one or several of SUBSCRIPTION, SMART_INSTALLMENT, SMART_RECOVERY (templated).
    :param subscription_status: one or several of ACTIVE, DELAYED, CANCELLED_BY_CUSTOMER, … (templated).
    :param recurrency_status: one or several of PAID, NOT_PAID, CLAIMED, REFUNDED, CHARGEBACK (templated).
    :param purchase_status: one or several of APPROVED, COMPLETE, DELAYED, UNDER_ANALYSIS, … (templated). Not all words
        are those of sales.
    :param offer_code: one code of an offer or several (templated).
    :param purchase_payment_type: one or several of PIX, CREDIT_CARD, BILLET, … (templated). Hotmart adds to this list:
        a type unknown to this package is asked for, and is an error when there is none of it.
    :param transaction_start_date: Hotmart's ``transaction_date``, the first moment: ISO 8601 text, ``datetime`` or
        ``date``; one without a zone is meant in ``timezone`` (templated). None: 30 days before the end.
    :param transaction_end_date: Hotmart's ``end_transaction_date``, the first moment that no longer counts (templated).
        None: now.
    :param select: dot paths of the fields to fetch, a list or comma-separated (templated).
    :param kwargs: of :class:`~airflow_provider_hotmart.operators.base.HotmartListOperator` and of any operator.
    """

    endpoint = SUBSCRIPTION_TRANSACTIONS
    template_fields: Sequence[str] = (*SUBSCRIPTION_TRANSACTIONS.arguments, *HotmartListOperator.template_fields)

    def __init__(
        self,
        *,
        transaction: str | Sequence[str] | None = None,
        product_id: int | str | Sequence[int | str] | None = None,
        subscriber_code: str | None = None,
        subscriber_name: str | None = None,
        subscriber_email: str | None = None,
        billing_type: str | Sequence[str] | None = None,
        subscription_status: str | Sequence[str] | None = None,
        recurrency_status: str | Sequence[str] | None = None,
        purchase_status: str | Sequence[str] | None = None,
        offer_code: str | Sequence[str] | None = None,
        purchase_payment_type: str | Sequence[str] | None = None,
        transaction_start_date: Any = None,
        transaction_end_date: Any = None,
        select: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters=locals(), **kwargs)


class HotmartListSubscriberPurchasesOperator(HotmartListOperator):
    """
    List what subscribers have paid, and what they have failed to pay.

    A record is one attempt at a charge, with the ``subscriber_code``. Each subscriber takes a call.

    Without a ``destination`` the records are the task's XCom; with one they are written to that file, and the XCom is
    its manifest.

    Source: https://developers.hotmart.com/docs/, "Subscriptions", "Purchases of a subscriber".

    :param subscriber_code: one code of a subscriber or several (templated). None: all subscribers of the account.
    :param select: dot paths of the fields to keep, a list or comma-separated (templated).
    :param kwargs: of :class:`~airflow_provider_hotmart.operators.base.HotmartListOperator` and of any operator.
    """

    endpoint = SUBSCRIBER_PURCHASES
    template_fields: Sequence[str] = (*SUBSCRIBER_PURCHASES.arguments, *HotmartListOperator.template_fields)

    def __init__(
        self,
        *,
        subscriber_code: str | Sequence[str] | None = None,
        select: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters=locals(), **kwargs)
