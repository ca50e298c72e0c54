"""Operators that list an account's sales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_hotmart.api.endpoints import SALES_PARTICIPANTS
from airflow_provider_hotmart.operators.base import HotmartListOperator


class HotmartListSalesParticipantsOperator(HotmartListOperator):
    """
    List the people in the account's sales: buyers, producers, co-producers, affiliates.

    Without a ``destination`` the records are the task's XCom; with one they are written to that file, and the
    XCom is its manifest: ``{"path", "records", "bytes", "sha256", "start_date", "end_date",
    "transaction_status", "calls"}``. A record is one person in one sale:
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
        filters = {
            "transaction": transaction,
            "transaction_status": transaction_status,
            "sales_start_date": sales_start_date,
            "sales_end_date": sales_end_date,
            "product_id": product_id,
            "buyer_email": buyer_email,
            "buyer_name": buyer_name,
            "sales_source": sales_source,
            "affiliate_name": affiliate_name,
            "commission_as": commission_as,
            "roles": roles,
            "select": select,
        }
        super().__init__(filters=filters, **kwargs)
