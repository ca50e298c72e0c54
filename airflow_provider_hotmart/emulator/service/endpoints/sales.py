"""The endpoints of sales."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_hotmart.api.enums import SaleStatus
from airflow_provider_hotmart.emulator.account import rows
from airflow_provider_hotmart.emulator.account.sale import Sale
from airflow_provider_hotmart.emulator.account.sales_query import WORDS, SalesQuery
from airflow_provider_hotmart.emulator.service import params as read
from airflow_provider_hotmart.emulator.service.bodies import SaleTexts
from airflow_provider_hotmart.emulator.service.listing import PAGING, Listing, Request
from airflow_provider_hotmart.emulator.service.params import RequestError

_ROLES = ("PRODUCER", "COPRODUCER", "AFFILIATE")
_PEOPLE = ("buyer_name", "buyer_email")
PARAMS = ("transaction", "transaction_status", "product_id", "start_date", "end_date", "select", *PAGING)
USERS_PARAMS = (*PARAMS, *_PEOPLE, "sales_source", "affiliate_name", "commission_as")
HISTORY_PARAMS = (*PARAMS, *_PEOPLE, "sales_source", "payment_type", "offer_code", "commission_as")
COMMISSIONS_PARAMS = (*PARAMS, "commission_as")
PRICE_PARAMS = (*PARAMS, "payment_type")
SUMMARY_PARAMS = (*PARAMS, "sales_source", "affiliate_name", "payment_type", "offer_code")
#: Statuses that the page of sales/price/details does not name.
_NOT_OF_PRICE = (SaleStatus.NO_FUNDS, SaleStatus.PRE_ORDER, SaleStatus.PROCESSING_TRANSACTION)


class Sales:
    """Lists sales, with the texts of those that were listed before."""

    def __init__(self) -> None:
        self._texts = SaleTexts()

    def users(self, request: Request) -> Listing:
        """
        Answer sales/users.

        :param request: the call
        """

        def texts(sales: Sequence[Sale]) -> list[bytes]:
            return self._texts.of(sales, request.quirks.missing_values)

        return Listing(_found(request), rows.participants, has_total=True, shuffles=True, texts=texts)


def history(request: Request) -> Listing:
    """
    Answer sales/history.

    :param request: the call
    """
    quirks, now = request.quirks, request.world.clock.now()
    return Listing(_found(request), lambda sale: rows.history(sale, quirks, now), has_total=True, shuffles=True)


def commissions(request: Request) -> Listing:
    """
    Answer sales/commissions.

    :param request: the call
    """
    quirks = request.quirks
    return Listing(_found(request), lambda sale: rows.commissions(sale, quirks), has_total=True, shuffles=True)


def price_details(request: Request) -> Listing:
    """
    Answer sales/price/details.

    :param request: the call
    """
    if request.quirks.price_statuses == "documented":
        for status in request.params.get("transaction_status", ()):
            if status in _NOT_OF_PRICE:
                raise RequestError("invalid_parameter", f"Parameter transaction_status has an invalid value: {status}")
    return Listing(_found(request), rows.price_details, has_total=True, shuffles=True)


def summary(request: Request) -> Listing:
    """
    Answer sales/summary.

    :param request: the call
    """
    return Listing(rows.summary(_found(request)), lambda row: row, has_total=True)


def _found(request: Request) -> Sequence[Sale]:
    params, quirks = request.params, request.quirks
    role = read.word(params, "commission_as", _ROLES)
    words = {name: read.one(params, name) for name in WORDS}
    low, high = read.window(params, quirks, request.world.clock.now())
    query = SalesQuery(
        statuses=read.statuses(params, quirks),
        low=low,
        high=high,
        transaction=read.one(params, "transaction"),
        product_ids=read.numbers(params, "product_id", quirks.several_values),
        words=frozenset((name, value) for name, value in words.items() if value is not None),
        # The account is the producer of all that it sells.
        nothing=role not in (None, "PRODUCER"),
        approved_only=quirks.date_filter == "approval"
        and quirks.never_approved == "hidden"
        and ("start_date" in params or "end_date" in params),
    )
    return request.world.find(query)
