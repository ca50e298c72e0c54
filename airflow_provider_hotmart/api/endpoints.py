"""THE table: one row per endpoint. What operators, the hook, listings, logs and documentation need to know of it."""

from __future__ import annotations

from airflow_provider_hotmart.api.endpoint import Column, DateRange, Endpoint, Filter, Found, columns, prefixed
from airflow_provider_hotmart.api.enums import (
    BillingType,
    CheckinStatus,
    CommissionRole,
    ParticipantRole,
    PaymentType,
    ProductFormat,
    ProductStatus,
    RecurrencyStatus,
    SaleStatus,
    SubscriptionPurchaseStatus,
    SubscriptionStatus,
    TicketStatus,
    TicketType,
)
from airflow_provider_hotmart.api.lifecycle import ALIASES, TICKET_RANKS, ranks

_ADDRESS = "city zip_code address complement neighborhood number"
_USER = (
    *columns("ucode locale", optional=True),
    *columns("name trade_name cellphone phone email", personal=True, optional=True),
    Column("documents", "json", personal=True, optional=True, first=("type", "value")),
    *columns("address.country address.state", optional=True),
    *prefixed("address.", columns(_ADDRESS, personal=True, optional=True)),
)
_SALES_DATES = (("sales_start_date", "start_date"), ("sales_end_date", "end_date"))
_SALE_RANKS = ranks()
_PAID = (SaleStatus.APPROVED, SaleStatus.COMPLETE)
_TRANSACTION = Filter("transaction", several=True, any_date=True)
_TRANSACTION_STATUS = Filter("transaction_status", "word", SaleStatus, several=True)
_PRODUCT_ID = Filter("product_id", "id", several=True)
_COMMISSION_AS = Filter("commission_as", "word", CommissionRole)
_BUYER = (Filter("buyer_email", personal=True), Filter("buyer_name", personal=True))
_SALES_SOURCE = Filter("sales_source")
_AFFILIATE_NAME = Filter("affiliate_name", personal=True)
_PAYMENT_TYPE = Filter("payment_type", "word", PaymentType, is_open=True, several=True)
_OFFER_CODE = Filter("offer_code", several=True)

PRODUCTS = Endpoint(
    # Source: https://developers.hotmart.com/docs/en/v1/product/product-list/.
    name="products",
    path="/products/api/v1/products",
    noun="products",
    identity=("id",),
    columns=tuple(
        columns("id:integer name ucode status created_at:moment format is_subscription:boolean warranty_period:integer")
    ),
    filters=(
        Filter("product_id", "id", several=True, parameter="id"),
        Filter("status", "word", ProductStatus, several=True),
        Filter("format", "word", ProductFormat, is_open=True, several=True),
    ),
)
_OF_PRODUCT = Filter("product_ucode", "uuid", several=True, in_path=True, found_by=Found(PRODUCTS, "ucode"))

PRODUCT_OFFERS = Endpoint(
    # Source: https://developers.hotmart.com/docs/en/v1/product/product-offers/.
    name="product_offers",
    path="/products/api/v1/products/{product_ucode}/offers",
    noun="offers",
    identity=("code",),
    columns=tuple(
        columns(
            "code name description price.value:decimal price.currency_code payment_mode is_main_offer:boolean "
            "is_currency_conversion_enabled:boolean is_smart_recovery_enabled:boolean"
        )
    ),
    filters=(_OF_PRODUCT,),
)

PRODUCT_PLANS = Endpoint(
    # Source: https://developers.hotmart.com/docs/en/v1/product/product-plans/.
    name="product_plans",
    path="/products/api/v1/products/{product_ucode}/plans",
    noun="plans",
    identity=("code",),
    columns=tuple(
        columns(
            "code name description price.value:decimal price.currency_code periodicity max_installments:integer "
            "payment_mode trial_period:integer? is_subscription_recovery_enabled:boolean "
            "is_switch_plan_enabled:boolean"
        )
    ),
    filters=(
        Filter(
            "product_ucode",
            "uuid",
            several=True,
            in_path=True,
            found_by=Found(PRODUCTS, "ucode", only="is_subscription"),
        ),
    ),
    none_is_refused=True,
)

PRODUCT_COUPONS = Endpoint(
    # Source: https://developers.hotmart.com/docs/, "Products", "Coupons".
    name="product_coupons",
    path="/products/api/v1/coupon/product/{product_id}",
    noun="coupons",
    identity=("id",),
    columns=tuple(
        columns(
            "id:integer coupon_code discount:ratio start_date:moment status active:boolean "
            "time_zone.id time_zone.name time_zone.offset time_zone.description"
        )
    ),
    filters=(
        Filter("product_id", "id", several=True, in_path=True, found_by=Found(PRODUCTS, "id")),
        Filter("code"),
    ),
    page_size=None,
    takes_select=False,
)

SALES = Endpoint(
    # Source: https://developers.hotmart.com/docs/en/v1/sales/sales-history/.
    name="sales",
    path="/payments/api/v1/sales/history",
    noun="sales",
    identity=("purchase.transaction",),
    columns=tuple(
        columns(
            "product.id:integer product.name buyer.name!? buyer.ucode? buyer.email!? producer.name!? producer.ucode? "
            "purchase.transaction purchase.order_date:moment purchase.approved_date:moment? purchase.status "
            "purchase.recurrency_number:integer? purchase.is_subscription:boolean purchase.commission_as "
            "purchase.price.value:decimal purchase.price.currency_code purchase.payment.method "
            "purchase.payment.type purchase.payment.installments_number:integer purchase.tracking.source? "
            "purchase.tracking.source_sck? purchase.tracking.external_code? purchase.warranty_expire_date:moment? "
            "purchase.offer.code purchase.offer.payment_mode purchase.hotmart_fee.total:decimal "
            "purchase.hotmart_fee.fixed:decimal purchase.hotmart_fee.base:decimal "
            "purchase.hotmart_fee.percentage:ratio purchase.hotmart_fee.currency_code"
        )
    ),
    filters=(
        _TRANSACTION,
        _TRANSACTION_STATUS,
        _PRODUCT_ID,
        *_BUYER,
        _SALES_SOURCE,
        _PAYMENT_TYPE,
        _OFFER_CODE,
        _COMMISSION_AS,
    ),
    dates=_SALES_DATES,
    status="transaction_status",
    ranks=_SALE_RANKS,
    default_statuses=_PAID,
    refusable=ALIASES,
)

SALES_PARTICIPANTS = Endpoint(
    # Source: https://developers.hotmart.com/docs/en/v1/sales/sales-users/.
    name="sales_participants",
    path="/payments/api/v1/sales/users",
    noun="sales",
    identity=("transaction", "product.id"),
    columns=(*columns("transaction product.id:integer product.name users.role"), *prefixed("users.user.", _USER)),
    filters=(
        _TRANSACTION,
        _TRANSACTION_STATUS,
        _PRODUCT_ID,
        *_BUYER,
        _SALES_SOURCE,
        _AFFILIATE_NAME,
        _COMMISSION_AS,
        Filter("roles", "word", ParticipantRole, is_open=True, several=True, parameter="", selects="role"),
    ),
    dates=_SALES_DATES,
    status="transaction_status",
    ranks=_SALE_RANKS,
    default_statuses=_PAID,
    refusable=ALIASES,
    status_key="transaction_status",
    records_in="users",
    list_identity=("role", "user.ucode"),
)

SALES_COMMISSIONS = Endpoint(
    # Source: https://developers.hotmart.com/docs/en/v1/sales/sales-commissions/. Recorded answers name the currency
    # of an amount currency_code, the documentation currency_value.
    name="sales_commissions",
    path="/payments/api/v1/sales/commissions",
    noun="sales",
    identity=("transaction",),
    columns=tuple(
        columns(
            "transaction product.id:integer product.name exchange_rate_currency_payout:ratio commissions.source "
            "commissions.commission.value:decimal commissions.commission.currency_code? "
            "commissions.commission.currency_value? commissions.user.ucode? commissions.user.name!? "
            "commissions.user.email!?"
        )
    ),
    filters=(_TRANSACTION, _TRANSACTION_STATUS, _PRODUCT_ID, _COMMISSION_AS),
    dates=_SALES_DATES,
    status="transaction_status",
    ranks=_SALE_RANKS,
    default_statuses=_PAID,
    refusable=ALIASES,
    status_key="transaction_status",
    records_in="commissions",
    list_identity=("source", "user.ucode"),
)

SALES_PRICE_DETAILS = Endpoint(
    # Source: https://developers.hotmart.com/docs/en/v1/sales/sales-price-details/. Its list of statuses lacks three.
    name="sales_price_details",
    path="/payments/api/v1/sales/price/details",
    noun="sales",
    identity=("transaction",),
    columns=tuple(
        columns(
            "transaction product.id:integer product.name base.value:decimal base.currency_code total.value:decimal "
            "total.currency_code vat.value:decimal vat.currency_code fee.value:decimal? fee.currency_code? "
            "coupon.code? coupon.value:ratio? real_conversion_rate:ratio"
        )
    ),
    filters=(_TRANSACTION, _TRANSACTION_STATUS, _PRODUCT_ID, _PAYMENT_TYPE),
    dates=_SALES_DATES,
    status="transaction_status",
    ranks=_SALE_RANKS,
    default_statuses=_PAID,
    refusable=(*ALIASES, SaleStatus.NO_FUNDS, SaleStatus.PRE_ORDER, SaleStatus.PROCESSING_TRANSACTION),
    status_key="transaction_status",
)

SALES_SUMMARY = Endpoint(
    # Source: https://developers.hotmart.com/docs/en/v1/sales/sales-summary/.
    name="sales_summary",
    path="/payments/api/v1/sales/summary",
    noun="currencies",
    identity=("total_value.currency_code",),
    columns=tuple(columns("total_items:integer total_value.value:decimal total_value.currency_code")),
    filters=(
        _TRANSACTION,
        _TRANSACTION_STATUS,
        _PRODUCT_ID,
        _SALES_SOURCE,
        _AFFILIATE_NAME,
        _PAYMENT_TYPE,
        _OFFER_CODE,
    ),
    dates=_SALES_DATES,
    status="transaction_status",
    ranks=_SALE_RANKS,
    refusable=ALIASES,
    sums=("total_items", "total_value.value"),
)

_ACCESSION = DateRange(
    # Whether Hotmart's end_accession_date ends the range or is the day of cancelling is unknown.
    ("accession_start_date", "accession_date"), ("accession_end_date", ""), "accession_date"
)  # fmt: skip
_SUBSCRIBER_CODE = Filter("subscriber_code", any_date=True)

SUBSCRIPTIONS = Endpoint(
    # Source: https://developers.hotmart.com/docs/en/v1/subscription/get-subscribers/.
    name="subscriptions",
    path="/payments/api/v1/subscriptions",
    noun="subscriptions",
    identity=("subscription_id",),
    columns=tuple(
        columns(
            "subscriber_code subscription_id:integer status accession_date:moment end_accession_date:moment? "
            "request_date:moment date_next_charge:moment? trial:boolean transaction plan.id:integer plan.name "
            "plan.recurrency_period:integer plan.max_charge_cycles:integer? product.id:integer product.name "
            "product.ucode price.value:decimal price.currency_code subscriber.name!? subscriber.email!? "
            "subscriber.ucode?"
        )
    ),
    filters=(
        Filter("status", "word", SubscriptionStatus, several=True, selects="status"),
        _PRODUCT_ID,
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
        DateRange(
            ("next_charge_start_date", "date_next_charge"), ("next_charge_end_date", "end_date_next_charge"), ahead=True
        ),
    ),
)

SUBSCRIPTION_SUMMARIES = Endpoint(
    # Source: https://developers.hotmart.com/docs/en/v1/subscription/get-subscription-summary/. date_next_charge is in
    # all recorded answers and not documented.
    name="subscription_summaries",
    path="/payments/api/v1/subscriptions/summary",
    noun="subscriptions",
    identity=("subscription_id",),
    columns=tuple(
        columns(
            "subscriber_code subscription_id:integer status lifetime:integer accession_date:moment "
            "end_accession_date:moment? trial:boolean date_next_charge:moment? plan.name "
            "plan.recurrency_period:integer product.id:integer product.name offer.code last_recurrency.number:integer "
            "last_recurrency.request_date:moment last_recurrency.status last_recurrency.transaction_number:integer "
            "last_recurrency.billing_type unpaid_recurrencies:json? subscriber.id:integer? subscriber.name!? "
            "subscriber.email!?"
        )
    ),
    filters=(_PRODUCT_ID, _SUBSCRIBER_CODE),
    ranges=(_ACCESSION,),
)

SUBSCRIPTION_TRANSACTIONS = Endpoint(
    # Source: https://developers.hotmart.com/docs/en/v1/subscription/get-subscription-transactions/. The documentation's
    # table says payment_delay_days, its sample and every recorded answer payment_delays_days.
    name="subscription_transactions",
    path="/payments/api/v1/subscriptions/transactions",
    noun="transactions",
    identity=("purchase.transaction", "purchase.commission.currency"),
    columns=tuple(
        columns(
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
        )
    ),
    filters=(
        _TRANSACTION,
        _PRODUCT_ID,
        Filter("subscriber_code"),
        Filter("subscriber_name", personal=True),
        Filter("subscriber_email", personal=True),
        Filter("billing_type", "word", BillingType, several=True, selects="billing_type"),
        Filter("subscription_status", "word", SubscriptionStatus, several=True, selects="status"),
        Filter("recurrency_status", "word", RecurrencyStatus, several=True, selects="recurrency.status"),
        Filter("purchase_status", "word", SubscriptionPurchaseStatus, several=True, selects="purchase.status"),
        _OFFER_CODE,
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
    columns=tuple(
        columns(
            "transaction approved_date:moment? payment_engine status price.value:decimal price.currency_code "
            "payment_type payment_method recurrency_number:integer under_warranty:boolean "
            "purchase_subscription:boolean?"
        )
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
    takes_select=False,
)

_SUBDOMAIN = Filter("subdomain", several=True, stamped=True, required=True)

CLUB_MODULES = Endpoint(
    # Source: https://developers.hotmart.com/docs/, "Members area", "Modules".
    name="club_modules",
    path="/club/api/v1/modules",
    noun="modules",
    identity=("module_id",),
    columns=tuple(
        columns(
            "module_id name sequence:integer is_public:boolean is_extra:boolean is_extra_paid:boolean classes:json "
            "total_pages:integer"
        )
    ),
    # Left out, Hotmart lists no extra modules.
    filters=(_SUBDOMAIN, Filter("is_extra", "boolean", several=True, defaults=("false", "true"))),
    rows_key="[]",
    page_size=None,
    takes_select=False,
)

CLUB_PAGES = Endpoint(
    # Source: https://developers.hotmart.com/docs/, "Members area", "Pages".
    name="club_pages",
    path="/club/api/v1/modules/{module_id}/pages",
    noun="pages",
    identity=("page_id",),
    columns=tuple(
        columns(
            "page_id name page_order:integer type published:boolean has_media:boolean total_comments:integer "
            "rates_average:ratio rates:json dripping_configs:json"
        )
    ),
    filters=(
        Filter("subdomain", several=True, stamped=True),
        Filter(
            "module_id",
            several=True,
            in_path=True,
            found_by=Found(CLUB_MODULES, "module_id", along=("subdomain",)),
        ),
        Filter("product_id", "id", path="/club/api/v2/modules/{module_id}/pages"),
    ),
    rows_key="[]",
    page_size=None,
    takes_select=False,
)

CLUB_USERS = Endpoint(
    # Source: https://developers.hotmart.com/docs/, "Members area", "Students".
    name="club_users",
    path="/club/api/v1/users",
    noun="users",
    identity=("user_id",),
    columns=tuple(
        columns(
            "user_id name! email! role status type engagement plus_access locale class_id access_count:integer "
            "is_deletable:boolean purchase_date:moment? first_access_date:moment? last_access_date:moment? "
            "progress.completed_percentage:ratio progress.total:integer progress.completed:integer"
        )
    ),
    # Every Airflow task has an email of its own.
    filters=(_SUBDOMAIN, Filter("user_email", personal=True, parameter="email")),
    page_size=None,
    takes_select=False,
)

CLUB_LESSONS = Endpoint(
    # Source: https://developers.hotmart.com/docs/, "Members area", "Progress of a student".
    name="club_lessons",
    path="/club/api/v1/users/{user_id}/lessons",
    noun="lessons",
    identity=("page_id",),
    columns=tuple(
        columns("page_id page_name module_name is_module_extra:boolean is_completed:boolean completed_date:moment?")
    ),
    filters=(
        _SUBDOMAIN,
        Filter("user_id", several=True, in_path=True, found_by=Found(CLUB_USERS, "user_id", along=("subdomain",))),
    ),
    rows_key="lessons",
    page_size=None,
    takes_select=False,
)

_EVENT_ID = Filter(
    "event_id",
    "id",
    several=True,
    in_path=True,
    found_by=Found(PRODUCTS, "id", where=(("format", ProductFormat.ETICKET.value),)),
)

EVENTS = Endpoint(
    # Source: https://developers.hotmart.com/docs/, "Tickets for events", "Event".
    name="events",
    path="/events/api/v1/{event_id}/info",
    noun="events",
    identity=("product.id",),
    columns=tuple(columns("product.id:integer product.name start_event_date:moment end_event_date:moment lots:json")),
    filters=(_EVENT_ID,),
    rows_key=None,
    page_size=None,
    takes_select=False,
)

EVENT_TICKETS = Endpoint(
    # Source: https://developers.hotmart.com/docs/, "Tickets for events", "Tickets and participants".
    name="event_tickets",
    path="/events/api/v1/{event_id}/participants",
    noun="tickets",
    identity=("eticket.id",),
    columns=tuple(
        columns(
            "buyer.ucode? buyer.name!? buyer.email!? buyer.phone!? buyer.document!? participant.id:integer? "
            "participant.name!? participant.email!? participant.document!? participant.phone!? eticket.id:integer "
            "eticket.ticket_qr_code! eticket.current_update:moment eticket.checkin_status eticket.is_blocked:boolean "
            "eticket.ticket_status eticket.ticket_type eticket.category? eticket.checkin_url!? lot.id:integer lot.name "
            "product.id:integer product.name"
        )
    ),
    filters=(
        _EVENT_ID,
        Filter("last_update", "moment", selects="eticket.current_update"),
        Filter("ticket_status", "word", TicketStatus, several=True),
        Filter("ticket_type", "word", TicketType),
        Filter("checkin_status", "word", CheckinStatus),
        Filter("id_lot", "id"),
        Filter("id_eticket", "id"),
        Filter("ticket_qr_code", personal=True),
        *(Filter(name, personal=True) for name in ("buyer_email", "participant_email")),
    ),
    status="ticket_status",
    ranks=TICKET_RANKS,
    default_statuses=(TicketStatus.SOLD, TicketStatus.INVITE),
)

#: Every endpoint by its name.
ENDPOINTS = {
    endpoint.name: endpoint
    for endpoint in (
        PRODUCTS,
        PRODUCT_OFFERS,
        PRODUCT_PLANS,
        PRODUCT_COUPONS,
        SALES,
        SALES_PARTICIPANTS,
        SALES_COMMISSIONS,
        SALES_PRICE_DETAILS,
        SALES_SUMMARY,
        SUBSCRIPTIONS,
        SUBSCRIPTION_SUMMARIES,
        SUBSCRIPTION_TRANSACTIONS,
        SUBSCRIBER_PURCHASES,
        CLUB_MODULES,
        CLUB_PAGES,
        CLUB_USERS,
        CLUB_LESSONS,
        EVENTS,
        EVENT_TICKETS,
    )
}
