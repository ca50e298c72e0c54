"""Operators that list an account's sales: the sales, the people in them, and their money."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_hotmart.api.endpoints.sales import (
    SALES,
    SALES_COMMISSIONS,
    SALES_PARTICIPANTS,
    SALES_PRICE_DETAILS,
    SALES_SUMMARY,
)
from airflow_provider_hotmart.operators.base import HotmartListOperator

if TYPE_CHECKING:
    from airflow_provider_hotmart.api.client import HotmartClient
    from airflow_provider_hotmart.api.filters import Query
    from airflow_provider_hotmart.api.listing import Listing


class HotmartListSalesOperator(HotmartListOperator):
    """
    List the account's sales: dates, statuses, prices, offers, payments, fees.

    A record is one sale, in Hotmart's own words. ``price`` is in the buyer's currency and holds interest;
    ``hotmart_fee`` is in that of the commission. A sale that moves on while it is listed is listed twice, once in each
    status, never missed.

    Without a ``destination`` the records are the task's XCom; with one they are written to that file, and the XCom is
    its manifest, and with ``include`` also ``"missing"``, the number of sales without counterpart by
    part; with ``reconcile`` also ``"summary"``.

    Records are personal data, protected by the Brazilian LGPD: choose a destination that you may keep them in.

    Source: https://developers.hotmart.com/docs/en/v1/sales/sales-history/.

    :param transaction: one transaction code or several (templated). Without dates, sales of any date are found.
    :param transaction_status: one status or several, or ``"ALL"`` (templated). None means APPROVED and COMPLETE, or,
        with ``transaction``, whatever status the sale has.
    :param product_id: one product ID or several (templated).
    :param buyer_email: the buyer's e-mail address (templated).
    :param buyer_name: the buyer's name (templated).
    :param sales_source: the SRC code of the sale's link (templated).
    :param payment_type: one or several of PIX, CREDIT_CARD, BILLET, … (templated). Hotmart adds to this list: a type
        unknown to this package is asked for, and is an error when there is none of it.
    :param offer_code: one code of an offer or several (templated).
    :param commission_as: PRODUCER, COPRODUCER or AFFILIATE: the role of the account that asks (templated).
    :param sales_start_date: Hotmart's ``start_date``, the first moment: ISO 8601 text, ``datetime`` or ``date``; one
        without a zone is meant in ``timezone`` (templated). None: 30 days before the end.
    :param sales_end_date: Hotmart's ``end_date``, the first moment that no longer counts (templated). None: now.
    :param select: dot paths of the fields to fetch, a list or comma-separated (templated).
    :param include: one or several of ``participants``, ``commissions``, ``price_details``: a record then holds, under
        these names, what those endpoints say of the sale; null where they say nothing (templated). Each page of sales
        takes one call more for each, and where a filter is used that Hotmart does not have there, each sale does.
    :param reconcile: True: compare the number of sales by currency with Hotmart's summary of the same filters, and
        fail when they differ after a second look; ``"warn"``: say so in the log (templated). Nobody has proved that
        the two agree.
    :param kwargs: of :class:`~airflow_provider_hotmart.operators.base.HotmartListOperator` and of any operator.
    """

    endpoint = SALES
    template_fields: Sequence[str] = (
        *SALES.arguments,
        "include",
        "reconcile",
        *HotmartListOperator.template_fields,
    )

    def __init__(
        self,
        *,
        transaction: str | Sequence[str] | None = None,
        transaction_status: str | Sequence[str] | None = None,
        product_id: int | str | Sequence[int | str] | None = None,
        buyer_email: str | None = None,
        buyer_name: str | None = None,
        sales_source: str | None = None,
        payment_type: str | Sequence[str] | None = None,
        offer_code: str | Sequence[str] | None = None,
        commission_as: str | None = None,
        sales_start_date: Any = None,
        sales_end_date: Any = None,
        select: str | Sequence[str] | None = None,
        include: str | Sequence[str] | None = None,
        reconcile: bool | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters=locals(), **kwargs)

    include: str | Sequence[str] | None
    reconcile: bool | str | None

    def _make_listing(self, client: HotmartClient, query: Query) -> Listing:
        from airflow_provider_hotmart.api.joining import SalesListing, parse_include, parse_reconcile

        return SalesListing(client, query, parse_include(self.include), parse_reconcile(self.reconcile))


class HotmartListSalesParticipantsOperator(HotmartListOperator):
    """
    List the people in the account's sales: buyers, producers, co-producers, affiliates.

    Without a ``destination`` the records are the task's XCom; with one they are written to that file, and the
    XCom is its manifest. A record is one person in one sale:
    ``{"transaction", "transaction_status", "product": {…}, "role", "user": {…}}``.

    Records are personal data, protected by the Brazilian LGPD: choose a destination that you may keep them in.

    Source: https://developers.hotmart.com/docs/en/v1/sales/sales-users/.

    :param transaction: one transaction code or several (templated). Without dates, sales of any date are found.
    :param transaction_status: one status or several, or ``"ALL"`` (templated). None means APPROVED and COMPLETE,
        or, with ``transaction``, whatever status the sale has.
    :param sales_start_date: Hotmart's ``start_date``, the first moment: ISO 8601 text, ``datetime`` or ``date``;
        one without a zone is meant in ``timezone`` (templated). None: 30 days before the end. Not called
        ``start_date``, because every Airflow task has a ``start_date`` of its own.
    :param sales_end_date: Hotmart's ``end_date``, the first moment that no longer counts (templated). None: now.
    :param product_id: one product ID or several (templated).
    :param buyer_email: the buyer's e-mail address (templated).
    :param buyer_name: the buyer's name (templated).
    :param sales_source: the SRC code of the sale's link (templated).
    :param affiliate_name: the affiliate's name (templated).
    :param commission_as: PRODUCER, COPRODUCER or AFFILIATE: the role of the account that asks (templated).
    :param roles: keep only people in these roles: BUYER, PRODUCER, COPRODUCER, AFFILIATE (templated). A role unknown
        to this package is an error when nobody has it.
    :param select: dot paths of the fields to fetch, a list or comma-separated (templated).
    :param kwargs: of :class:`~airflow_provider_hotmart.operators.base.HotmartListOperator` and of any operator.
    """

    endpoint = SALES_PARTICIPANTS
    template_fields: Sequence[str] = (*SALES_PARTICIPANTS.arguments, *HotmartListOperator.template_fields)

    def __init__(
        self,
        *,
        transaction: str | Sequence[str] | None = None,
        transaction_status: str | Sequence[str] | None = None,
        sales_start_date: Any = None,
        sales_end_date: Any = None,
        product_id: int | str | Sequence[int | str] | None = None,
        buyer_email: str | None = None,
        buyer_name: str | None = None,
        sales_source: str | None = None,
        affiliate_name: str | None = None,
        commission_as: str | None = None,
        roles: str | Sequence[str] | None = None,
        select: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters=locals(), **kwargs)


class HotmartListSalesCommissionsOperator(HotmartListOperator):
    """
    List who earns how much by the account's sales.

    A record is one receiver in one sale: ``{"transaction", "transaction_status", "product",
    "exchange_rate_currency_payout", "commission", "user", "source"}``. The currency of an amount is under
    ``currency_code`` or ``currency_value``, as Hotmart says it.

    Without a ``destination`` the records are the task's XCom; with one they are written to that file, and the XCom is
    its manifest.

    Records are personal data, protected by the Brazilian LGPD: choose a destination that you may keep them in.

    Source: https://developers.hotmart.com/docs/en/v1/sales/sales-commissions/.

    :param transaction: one transaction code or several (templated). Without dates, sales of any date are found.
    :param transaction_status: one status or several, or ``"ALL"`` (templated). None means APPROVED and COMPLETE, or,
        with ``transaction``, whatever status the sale has.
    :param product_id: one product ID or several (templated).
    :param commission_as: PRODUCER, COPRODUCER or AFFILIATE: the role of the account that asks (templated).
    :param sales_start_date: Hotmart's ``start_date``, the first moment: ISO 8601 text, ``datetime`` or ``date``; one
        without a zone is meant in ``timezone`` (templated). None: 30 days before the end.
    :param sales_end_date: Hotmart's ``end_date``, the first moment that no longer counts (templated). None: now.
    :param select: dot paths of the fields to fetch, a list or comma-separated (templated).
    :param kwargs: of :class:`~airflow_provider_hotmart.operators.base.HotmartListOperator` and of any operator.
    """

    endpoint = SALES_COMMISSIONS
    template_fields: Sequence[str] = (*SALES_COMMISSIONS.arguments, *HotmartListOperator.template_fields)

    def __init__(
        self,
        *,
        transaction: str | Sequence[str] | None = None,
        transaction_status: str | Sequence[str] | None = None,
        product_id: int | str | Sequence[int | str] | None = None,
        commission_as: str | None = None,
        sales_start_date: Any = None,
        sales_end_date: Any = None,
        select: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters=locals(), **kwargs)


class HotmartListSalesPriceDetailsOperator(HotmartListOperator):
    """
    List what the prices of the account's sales are made of: base, interest, taxes, coupon.

    A record is one sale, with the ``transaction_status`` that was asked for. Where Hotmart refuses a status here, the
    sales of that status are found in the history of sales, and asked for one by one.

    Without a ``destination`` the records are the task's XCom; with one they are written to that file, and the XCom is
    its manifest.

    Source: https://developers.hotmart.com/docs/en/v1/sales/sales-price-details/.

    :param transaction: one transaction code or several (templated). Without dates, sales of any date are found.
    :param transaction_status: one status or several, or ``"ALL"`` (templated). None means APPROVED and COMPLETE, or,
        with ``transaction``, whatever status the sale has.
    :param product_id: one product ID or several (templated).
    :param payment_type: one or several of PIX, CREDIT_CARD, BILLET, … (templated). Hotmart adds to this list: a type
        unknown to this package is asked for, and is an error when there is none of it.
    :param sales_start_date: Hotmart's ``start_date``, the first moment: ISO 8601 text, ``datetime`` or ``date``; one
        without a zone is meant in ``timezone`` (templated). None: 30 days before the end.
    :param sales_end_date: Hotmart's ``end_date``, the first moment that no longer counts (templated). None: now.
    :param select: dot paths of the fields to fetch, a list or comma-separated (templated).
    :param kwargs: of :class:`~airflow_provider_hotmart.operators.base.HotmartListOperator` and of any operator.
    """

    endpoint = SALES_PRICE_DETAILS
    template_fields: Sequence[str] = (*SALES_PRICE_DETAILS.arguments, *HotmartListOperator.template_fields)

    def __init__(
        self,
        *,
        transaction: str | Sequence[str] | None = None,
        transaction_status: str | Sequence[str] | None = None,
        product_id: int | str | Sequence[int | str] | None = None,
        payment_type: str | Sequence[str] | None = None,
        sales_start_date: Any = None,
        sales_end_date: Any = None,
        select: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters=locals(), **kwargs)


class HotmartListSalesSummaryOperator(HotmartListOperator):
    """
    Count the account's sales and add up its commissions, by currency.

    A record is one currency: ``{"total_items", "total_value": {"value", "currency_code"}}``. What takes several calls
    is added up here; a sale that moves from one status to another meanwhile may then count twice. Without statuses
    Hotmart counts APPROVED and COMPLETE in one answer.

    Without a ``destination`` the records are the task's XCom; with one they are written to that file, and the XCom is
    its manifest.

    Source: https://developers.hotmart.com/docs/en/v1/sales/sales-summary/.

    :param transaction: one transaction code or several (templated). Without dates, sales of any date are found.
    :param transaction_status: one status or several, or ``"ALL"`` (templated). None: APPROVED and COMPLETE.
    :param product_id: one product ID or several (templated).
    :param sales_source: the SRC code of the sale's link (templated).
    :param affiliate_name: the affiliate's name (templated).
    :param payment_type: one or several of PIX, CREDIT_CARD, BILLET, … (templated). Hotmart adds to this list: a type
        unknown to this package is asked for, and is an error when there is none of it.
    :param offer_code: one code of an offer or several (templated).
    :param sales_start_date: Hotmart's ``start_date``, the first moment: ISO 8601 text, ``datetime`` or ``date``; one
        without a zone is meant in ``timezone`` (templated). None: 30 days before the end.
    :param sales_end_date: Hotmart's ``end_date``, the first moment that no longer counts (templated). None: now.
    :param select: dot paths of the fields to fetch, a list or comma-separated (templated).
    :param kwargs: of :class:`~airflow_provider_hotmart.operators.base.HotmartListOperator` and of any operator.
    """

    endpoint = SALES_SUMMARY
    template_fields: Sequence[str] = (*SALES_SUMMARY.arguments, *HotmartListOperator.template_fields)

    def __init__(
        self,
        *,
        transaction: str | Sequence[str] | None = None,
        transaction_status: str | Sequence[str] | None = None,
        product_id: int | str | Sequence[int | str] | None = None,
        sales_source: str | None = None,
        affiliate_name: str | None = None,
        payment_type: str | Sequence[str] | None = None,
        offer_code: str | Sequence[str] | None = None,
        sales_start_date: Any = None,
        sales_end_date: Any = None,
        select: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters=locals(), **kwargs)
