"""Sales: their history, the people in them, money, and the summary."""

from __future__ import annotations

from functools import partial

from airflow_provider_hotmart.api.endpoint import Column, Endpoint, Filter, columns, prefixed
from airflow_provider_hotmart.api.enums import CommissionRole, ParticipantRole, PaymentType, SaleStatus
from airflow_provider_hotmart.api.lifecycle import ALIASES, ranks

_ADDRESS = "city zip_code address complement neighborhood number"
_USER = (
    *columns("ucode locale", optional=True),
    *columns("name trade_name cellphone phone email", personal=True, optional=True),
    Column("documents", "json", personal=True, optional=True, first=("type", "value")),
    *columns("address.country address.state", optional=True),
    *prefixed("address.", columns(_ADDRESS, personal=True, optional=True)),
)
TRANSACTION = Filter("transaction", several=True, any_date=True)
PRODUCT_ID = Filter("product_id", "id", several=True)
#: What all endpoints of sales take.
_SALE = (TRANSACTION, Filter("transaction_status", "word", SaleStatus, several=True), PRODUCT_ID)
_COMMISSION_AS = Filter("commission_as", "word", CommissionRole)
_BUYER = (Filter("buyer_email", personal=True), Filter("buyer_name", personal=True))
_SALES_SOURCE = Filter("sales_source")
_AFFILIATE_NAME = Filter("affiliate_name", personal=True)
_PAYMENT_TYPE = Filter("payment_type", "word", PaymentType, is_open=True, several=True)
OFFER_CODE = Filter("offer_code", several=True)
#: What the endpoints of sales have in common.
_endpoint = partial(
    Endpoint,
    noun="sales",
    dates=(("sales_start_date", "start_date"), ("sales_end_date", "end_date")),
    status="transaction_status",
    ranks=ranks(),
    default_statuses=(SaleStatus.APPROVED, SaleStatus.COMPLETE),
    refusable=ALIASES,
)

SALES = _endpoint(
    # Source: https://developers.hotmart.com/docs/en/v1/sales/sales-history/.
    name="sales",
    path="/payments/api/v1/sales/history",
    identity=("purchase.transaction",),
    columns=columns(
        "product.id:integer product.name buyer.name!? buyer.ucode? buyer.email!? producer.name!? producer.ucode? "
        "purchase.transaction purchase.order_date:moment purchase.approved_date:moment? purchase.status "
        "purchase.recurrency_number:integer? purchase.is_subscription:boolean purchase.commission_as "
        "purchase.price.value:decimal purchase.price.currency_code purchase.payment.method "
        "purchase.payment.type purchase.payment.installments_number:integer purchase.tracking.source? "
        "purchase.tracking.source_sck? purchase.tracking.external_code? purchase.warranty_expire_date:moment? "
        "purchase.offer.code purchase.offer.payment_mode purchase.hotmart_fee.total:decimal "
        "purchase.hotmart_fee.fixed:decimal purchase.hotmart_fee.base:decimal "
        "purchase.hotmart_fee.percentage:ratio purchase.hotmart_fee.currency_code"
    ),
    filters=(*_SALE, *_BUYER, _SALES_SOURCE, _PAYMENT_TYPE, OFFER_CODE, _COMMISSION_AS),
)

SALES_PARTICIPANTS = _endpoint(
    # Source: https://developers.hotmart.com/docs/en/v1/sales/sales-users/.
    name="sales_participants",
    path="/payments/api/v1/sales/users",
    identity=("transaction", "product.id"),
    columns=(*columns("transaction product.id:integer product.name users.role"), *prefixed("users.user.", _USER)),
    filters=(
        *_SALE,
        *_BUYER,
        _SALES_SOURCE,
        _AFFILIATE_NAME,
        _COMMISSION_AS,
        Filter("roles", "word", ParticipantRole, is_open=True, several=True, parameter="", selects="role"),
    ),
    status_key="transaction_status",
    records_in="users",
    list_identity=("role", "user.ucode"),
)

SALES_COMMISSIONS = _endpoint(
    # Source: https://developers.hotmart.com/docs/en/v1/sales/sales-commissions/. Recorded answers name the currency
    # of an amount currency_code, the documentation currency_value.
    name="sales_commissions",
    path="/payments/api/v1/sales/commissions",
    identity=("transaction",),
    columns=columns(
        "transaction product.id:integer product.name exchange_rate_currency_payout:ratio commissions.source "
        "commissions.commission.value:decimal commissions.commission.currency_code? "
        "commissions.commission.currency_value? commissions.user.ucode? commissions.user.name!? "
        "commissions.user.email!?"
    ),
    filters=(*_SALE, _COMMISSION_AS),
    status_key="transaction_status",
    records_in="commissions",
    list_identity=("source", "user.ucode"),
)

SALES_PRICE_DETAILS = _endpoint(
    # Source: https://developers.hotmart.com/docs/en/v1/sales/sales-price-details/. Its list of statuses lacks three.
    name="sales_price_details",
    path="/payments/api/v1/sales/price/details",
    identity=("transaction",),
    columns=columns(
        "transaction product.id:integer product.name base.value:decimal base.currency_code total.value:decimal "
        "total.currency_code vat.value:decimal vat.currency_code fee.value:decimal? fee.currency_code? "
        "coupon.code? coupon.value:ratio? real_conversion_rate:ratio"
    ),
    filters=(*_SALE, _PAYMENT_TYPE),
    refusable=(*ALIASES, SaleStatus.NO_FUNDS, SaleStatus.PRE_ORDER, SaleStatus.PROCESSING_TRANSACTION),
    status_key="transaction_status",
)

SALES_SUMMARY = _endpoint(
    # Source: https://developers.hotmart.com/docs/en/v1/sales/sales-summary/.
    name="sales_summary",
    path="/payments/api/v1/sales/summary",
    noun="currencies",
    identity=("total_value.currency_code",),
    columns=columns("total_items:integer total_value.value:decimal total_value.currency_code"),
    filters=(*_SALE, _SALES_SOURCE, _AFFILIATE_NAME, _PAYMENT_TYPE, OFFER_CODE),
    default_statuses=(),
    sums=("total_items", "total_value.value"),
)
