"""Hotmart's own words: the values that its filters take.

Source: https://developers.hotmart.com/docs/en/v1/sales/sales-users/ and .../products/.
"""

from __future__ import annotations

from enum import StrEnum


class SaleStatus(StrEnum):
    """
    Status of a sale, in the order of a sale's life.

    ``PROTESTED`` and ``DISPUTE`` are an old and a new name of one state.
    ``UNDER_ANALISYS`` is Hotmart's own spelling.
    """

    STARTED = "STARTED"
    PROCESSING_TRANSACTION = "PROCESSING_TRANSACTION"
    PRE_ORDER = "PRE_ORDER"
    WAITING_PAYMENT = "WAITING_PAYMENT"
    PRINTED_BILLET = "PRINTED_BILLET"
    UNDER_ANALISYS = "UNDER_ANALISYS"
    BLOCKED = "BLOCKED"
    NO_FUNDS = "NO_FUNDS"
    OVERDUE = "OVERDUE"
    EXPIRED = "EXPIRED"
    APPROVED = "APPROVED"
    COMPLETE = "COMPLETE"
    PROTESTED = "PROTESTED"
    DISPUTE = "DISPUTE"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    CANCELLED = "CANCELLED"
    REFUNDED = "REFUNDED"
    CHARGEBACK = "CHARGEBACK"


class ProductStatus(StrEnum):
    """Status of a product."""

    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    NOT_APPROVED = "NOT_APPROVED"
    IN_REVIEW = "IN_REVIEW"
    DELETED = "DELETED"
    CHANGES_PENDING_ON_PRODUCT = "CHANGES_PENDING_ON_PRODUCT"


class ProductFormat(StrEnum):
    """Format of a product. Hotmart adds to this list; values that are not in it are passed on."""

    EBOOK = "EBOOK"
    SOFTWARE = "SOFTWARE"
    MOBILE_APPS = "MOBILE_APPS"
    VIDEOS = "VIDEOS"
    AUDIOS = "AUDIOS"
    TEMPLATES = "TEMPLATES"
    IMAGES = "IMAGES"
    ONLINE_COURSE = "ONLINE_COURSE"
    SERIAL_CODES = "SERIAL_CODES"
    ETICKET = "ETICKET"
    ONLINE_SERVICE = "ONLINE_SERVICE"
    ONLINE_EVENT = "ONLINE_EVENT"
    BUNDLE = "BUNDLE"
    COMMUNITY = "COMMUNITY"
    AGENT = "AGENT"


class CommissionRole(StrEnum):
    """Role of the account that asks, in the sales that are listed."""

    PRODUCER = "PRODUCER"
    COPRODUCER = "COPRODUCER"
    AFFILIATE = "AFFILIATE"


class ParticipantRole(StrEnum):
    """Role of a person in a sale. Roles that are not in this list are passed on."""

    BUYER = "BUYER"
    PRODUCER = "PRODUCER"
    COPRODUCER = "COPRODUCER"
    AFFILIATE = "AFFILIATE"


class PaymentType(StrEnum):
    """
    How a buyer pays. Hotmart adds to this list; values that are not in it are passed on.

    Source: https://developers.hotmart.com/docs/en/v1/sales/sales-history/. ``ECHECK``, ``HOTMART_BALANCE`` and
    ``BALANCE_HOTMART`` are in recorded answers only; the last two are two spellings of one thing.
    """

    BILLET = "BILLET"
    CASH_PAYMENT = "CASH_PAYMENT"
    CREDIT_CARD = "CREDIT_CARD"
    DIRECT_BANK_TRANSFER = "DIRECT_BANK_TRANSFER"
    DIRECT_DEBIT = "DIRECT_DEBIT"
    FINANCED_BILLET = "FINANCED_BILLET"
    FINANCED_INSTALLMENT = "FINANCED_INSTALLMENT"
    GOOGLE_PAY = "GOOGLE_PAY"
    HOTCARD = "HOTCARD"
    HYBRID = "HYBRID"
    MANUAL_TRANSFER = "MANUAL_TRANSFER"
    PAYPAL = "PAYPAL"
    PAYPAL_INTERNACIONAL = "PAYPAL_INTERNACIONAL"
    PICPAY = "PICPAY"
    PIX = "PIX"
    SAMSUNG_PAY = "SAMSUNG_PAY"
    WALLET = "WALLET"
    ECHECK = "ECHECK"
    HOTMART_BALANCE = "HOTMART_BALANCE"
    BALANCE_HOTMART = "BALANCE_HOTMART"


class OfferPaymentMode(StrEnum):
    """
    How an offer is paid.

    Source: https://developers.hotmart.com/docs/en/v1/product/product-offers/.
    """

    UNIQUE_PAYMENT = "UNIQUE_PAYMENT"
    SUBSCRIPTION = "SUBSCRIPTION"
    MULTIPLE_PAYMENTS = "MULTIPLE_PAYMENTS"
    PAY_IN_FULL = "PAY_IN_FULL"
    NOT_DEFINED = "NOT_DEFINED"
    INVOICE = "INVOICE"
    SMART_INSTALLMENT = "SMART_INSTALLMENT"
    BILLET_INSTALLMENT = "BILLET_INSTALLMENT"
    FINANCED_BILLET = "FINANCED_BILLET"


class PlanPeriodicity(StrEnum):
    """
    How often a plan is charged.

    Source: https://developers.hotmart.com/docs/en/v1/product/product-plans/.
    """

    SINGLE_INSTALLMENT = "SINGLE_INSTALLMENT"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    BIMONTHLY = "BIMONTHLY"
    QUARTERLY = "QUARTERLY"
    BIANNUAL = "BIANNUAL"
    ANNUAL = "ANNUAL"


class SubscriptionStatus(StrEnum):
    """
    Status of a subscription.

    Source: https://developers.hotmart.com/docs/en/v1/subscription/get-subscribers/.
    """

    STARTED = "STARTED"
    INACTIVE = "INACTIVE"
    ACTIVE = "ACTIVE"
    DELAYED = "DELAYED"
    OVERDUE = "OVERDUE"
    CANCELLED_BY_CUSTOMER = "CANCELLED_BY_CUSTOMER"
    CANCELLED_BY_SELLER = "CANCELLED_BY_SELLER"
    CANCELLED_BY_ADMIN = "CANCELLED_BY_ADMIN"


class RecurrencyStatus(StrEnum):
    """
    Whether one charge of a subscription was paid.

    Source: https://developers.hotmart.com/docs/en/v1/subscription/get-subscription-summary/.
    """

    PAID = "PAID"
    NOT_PAID = "NOT_PAID"
    CLAIMED = "CLAIMED"
    REFUNDED = "REFUNDED"
    CHARGEBACK = "CHARGEBACK"


class BillingType(StrEnum):
    """
    Why a buyer is charged again and again.

    Source: https://developers.hotmart.com/docs/en/v1/subscription/get-subscription-summary/.
    """

    SUBSCRIPTION = "SUBSCRIPTION"
    SMART_INSTALLMENT = "SMART_INSTALLMENT"
    SMART_RECOVERY = "SMART_RECOVERY"


class SubscriptionPurchaseStatus(StrEnum):
    """
    Status of a sale as the transactions of subscriptions spell it: ``DELAYED`` and ``UNDER_ANALYSIS`` are their own.

    Source: https://developers.hotmart.com/docs/en/v1/subscription/get-subscription-transactions/.
    """

    STARTED = "STARTED"
    WAITING_PAYMENT = "WAITING_PAYMENT"
    PRINTED_BILLET = "PRINTED_BILLET"
    UNDER_ANALYSIS = "UNDER_ANALYSIS"
    DELAYED = "DELAYED"
    EXPIRED = "EXPIRED"
    APPROVED = "APPROVED"
    COMPLETE = "COMPLETE"
    PROTESTED = "PROTESTED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    CANCELLED = "CANCELLED"
    REFUNDED = "REFUNDED"
    CHARGEBACK = "CHARGEBACK"


class TicketStatus(StrEnum):
    """
    Status of a ticket to an event.

    Source: https://developers.hotmart.com/docs/, "Tickets for events", "Tickets and participants".
    """

    SOLD = "SOLD"
    INVITE = "INVITE"
    INVITE_CANCELED = "INVITE_CANCELED"
    REFUNDED = "REFUNDED"
    CHARGEBACK = "CHARGEBACK"
    EXCLUDED = "EXCLUDED"
    AVAILABLE = "AVAILABLE"
    RESERVED = "RESERVED"


class TicketType(StrEnum):
    """
    Whether a ticket costs something.

    Source: https://developers.hotmart.com/docs/, "Tickets for events", "Tickets and participants".
    """

    PAID = "PAID"
    FREE = "FREE"
    ALL = "ALL"


class CheckinStatus(StrEnum):
    """
    Whether it is known who comes with a ticket.

    Source: https://developers.hotmart.com/docs/, "Tickets for events", "Tickets and participants".
    """

    PENDING = "PENDING"
    PARTIAL = "PARTIAL"
    CONCLUDED = "CONCLUDED"
    ALL = "ALL"


#: What people write in Portuguese, in upper case with underscores, and Hotmart's word for it.
PORTUGUESE = {
    "INICIADO": "STARTED", "INICIADA": "STARTED",
    "PRE_VENDA": "PRE_ORDER", "PRÉ_VENDA": "PRE_ORDER", "PRE_PEDIDO": "PRE_ORDER",
    "PROCESSANDO": "PROCESSING_TRANSACTION", "EM_PROCESSAMENTO": "PROCESSING_TRANSACTION",
    "AGUARDANDO_PAGAMENTO": "WAITING_PAYMENT",
    "BOLETO_IMPRESSO": "PRINTED_BILLET", "BOLETO": "PRINTED_BILLET",
    "EM_ANALISE": "UNDER_ANALISYS", "EM_ANÁLISE": "UNDER_ANALISYS", "UNDER_ANALYSIS": "UNDER_ANALISYS",
    "BLOQUEADO": "BLOCKED", "BLOQUEADA": "BLOCKED",
    "SEM_SALDO": "NO_FUNDS", "SALDO_INSUFICIENTE": "NO_FUNDS",
    "ATRASADO": "OVERDUE", "ATRASADA": "OVERDUE", "VENCIDO": "OVERDUE",
    "EXPIRADO": "EXPIRED", "EXPIRADA": "EXPIRED",
    "APROVADO": "APPROVED", "APROVADA": "APPROVED",
    "COMPLETO": "COMPLETE", "COMPLETA": "COMPLETE", "COMPLETED": "COMPLETE",
    "RECLAMADO": "PROTESTED", "RECLAMADA": "PROTESTED", "DISPUTA": "DISPUTE",
    "REEMBOLSADO_PARCIALMENTE": "PARTIALLY_REFUNDED", "PARCIALMENTE_REEMBOLSADO": "PARTIALLY_REFUNDED",
    "CANCELADO": "CANCELLED", "CANCELADA": "CANCELLED", "CANCELED": "CANCELLED",
    "REEMBOLSADO": "REFUNDED", "REEMBOLSADA": "REFUNDED", "REEMBOLSO": "REFUNDED",
    "ESTORNADO": "CHARGEBACK", "ESTORNO": "CHARGEBACK",
    "COMPRADOR": "BUYER", "COMPRADORA": "BUYER",
    "PRODUTOR": "PRODUCER", "PRODUTORA": "PRODUCER",
    "COPRODUTOR": "COPRODUCER", "CO_PRODUTOR": "COPRODUCER", "COPRODUTORA": "COPRODUCER",
    "AFILIADO": "AFFILIATE", "AFILIADA": "AFFILIATE",
    "RASCUNHO": "DRAFT", "ATIVO": "ACTIVE", "ATIVA": "ACTIVE", "PAUSADO": "PAUSED", "PAUSADA": "PAUSED",
    "CURSO": "ONLINE_COURSE", "CURSO_ONLINE": "ONLINE_COURSE", "COMUNIDADE": "COMMUNITY", "INGRESSO": "ETICKET",
    "EVENTO_ONLINE": "ONLINE_EVENT",
}  # fmt: skip
