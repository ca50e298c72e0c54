"""Hotmart's own words: the values that its filters take.

Source: https://developers.hotmart.com/docs/en/v1/sales/sales-users/ and .../products/.
"""

from __future__ import annotations

from enum import StrEnum


class SaleStatus(StrEnum):
    """
    Status of a sale, in the order of a sale's life.

    The order matters: statuses are listed in it, one after the other, so that a sale that moves on
    while it is being listed is met again under its next status instead of being missed. Statuses from
    which a sale may still be approved (an overdue instalment, an expired boleto that the bank settles
    late) come before ``APPROVED``; those that end a sale come after ``COMPLETE``.

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


class ParticipantRole(StrEnum):
    """Role of a person in a sale. Roles that are not in this list are passed on."""

    BUYER = "BUYER"
    PRODUCER = "PRODUCER"
    COPRODUCER = "COPRODUCER"
    AFFILIATE = "AFFILIATE"


#: Names of the filters of sales participants, without the dates.
PARTICIPANT_FILTERS = (
    "transaction",
    "transaction_status",
    "product_id",
    "buyer_email",
    "buyer_name",
    "sales_source",
    "affiliate_name",
    "commission_as",
    "roles",
    "select",
)
