"""What a webhook of Hotmart says, without anybody's personal data. Knows nothing of Airflow."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from airflow_provider_hotmart.api.enums import SaleStatus

#: The only version that is understood. Version 1.0.0 is flat, and carries its token in the body.
VERSION = "2.0.0"
#: The status of the sale, in the words of the rest of Hotmart's API, that an event tells of; for those that have a sale
#: and do not name its status. What was printed may be a boleto or a Pix.
STATUSES = {
    "PURCHASE_APPROVED": SaleStatus.APPROVED,
    "PURCHASE_COMPLETE": SaleStatus.COMPLETE,
    "PURCHASE_CANCELED": SaleStatus.CANCELLED,
    "PURCHASE_BILLET_PRINTED": SaleStatus.WAITING_PAYMENT,
    "PURCHASE_PROTEST": SaleStatus.PROTESTED,
    "PURCHASE_REFUNDED": SaleStatus.REFUNDED,
    "PURCHASE_CHARGEBACK": SaleStatus.CHARGEBACK,
    "PURCHASE_EXPIRED": SaleStatus.EXPIRED,
    "PURCHASE_DELAYED": SaleStatus.OVERDUE,
}
#: Words of ``purchase.status`` that differ from those of the rest of Hotmart's API.
WORDS = {
    "COMPLETED": SaleStatus.COMPLETE,
    "CANCELED": SaleStatus.CANCELLED,
    "BILLET_PRINTED": SaleStatus.WAITING_PAYMENT,
    "DISPUTE": SaleStatus.PROTESTED,
    "DELAYED": SaleStatus.OVERDUE,
}
#: What stands for the kind of an event whose name cannot be that of an asset.
UNKNOWN = "UNKNOWN"
#: Keeps what is no name, and so may be somebody's data, out of events and logs.
_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_KIND = re.compile(r"[A-Za-z0-9_]{1,100}")
_TRANSACTION = re.compile(r"[A-Z0-9]{4,40}")
_STATUS = re.compile(r"[A-Z_]{1,40}")
_MAX_NUMBER = 2**53


class UnreadableError(ValueError):
    """A body is no webhook of version 2.0.0."""


@dataclass(frozen=True)
class Delivery:
    """
    One event that Hotmart tells of, without the people in it.

    Source: https://developers.hotmart.com/docs/en/2.0.0/webhook/purchase-webhook/.

    :param id: of the event, the same in every delivery of it; a digest of the body where that names none.
    :param event: ``PURCHASE_APPROVED`` and others, those that this package does not know as well.
    :param transaction: code of the sale; None: it is about something else.
    :param product_id: 0: a test out of Hotmart's panel.
    :param status: of the sale, in the words of :class:`~airflow_provider_hotmart.api.enums.SaleStatus`.
    :param occurred_at: when it happened, ISO 8601 in UTC with milliseconds.
    :param recurrence_number: which charge of a subscription.
    """

    id: str
    event: str
    transaction: str | None = None
    product_id: int | None = None
    status: str | None = None
    occurred_at: str | None = None
    recurrence_number: int | None = None

    @classmethod
    def read(cls, body: bytes) -> Delivery:
        """
        Read a webhook.

        :param body: as Hotmart sent it.
        :raises UnreadableError: saying what is wrong, and nothing of what the body holds.
        """
        try:
            # Half of a surrogate pair in somebody's name is no reason to refuse: msgspec would.
            envelope = json.loads(body.decode())
        except (ValueError, RecursionError):
            raise UnreadableError("the body is no JSON") from None
        if not isinstance(envelope, dict):
            raise UnreadableError("the body is no JSON object")
        if envelope.get("version") != VERSION:
            raise UnreadableError(f"the version is not {VERSION}: choose it in Hotmart's panel, Tools > Webhook")
        data = _part(envelope, "data")
        purchase = _part(data, "purchase")
        event = _match(_KIND, envelope.get("event")) or UNKNOWN
        # CLUB_FIRST_ACCESS alone says creationDate.
        moment = envelope.get("creation_date", envelope.get("creationDate"))
        return cls(
            id=_match(_ID, envelope.get("id")) or f"body-{hashlib.sha256(body).hexdigest()[:32]}",
            event=event,
            transaction=_match(_TRANSACTION, purchase.get("transaction")),
            product_id=_product_id(data),
            status=_status(event, purchase),
            occurred_at=_moment(moment),
            recurrence_number=_number(purchase.get("recurrence_number")),
        )

    @property
    def is_test(self) -> bool:
        """Whether it was sent by the button of Hotmart's panel."""
        return self.product_id == 0

    @property
    def extra(self) -> dict[str, Any]:
        """What an event of an asset says of it."""
        return asdict(self)

    @property
    def states(self) -> list[tuple[str, str]]:
        """The sale, and the status that it is now known to have: two where Hotmart's other words for it may be two."""
        if self.transaction is None or self.status is None or self.is_test:
            return []
        printed = (SaleStatus.WAITING_PAYMENT.value, SaleStatus.PRINTED_BILLET.value)
        return [(self.transaction, one) for one in (printed if self.status in printed else (self.status,))]


def keys(extra: Mapping[str, Any]) -> Iterator[int]:
    """
    Identify an event: by its id and, unless it is a test, by what became of which sale.

    The same is told several times, under other ids, where several webhooks are registered, and to each who earns by
    the sale.

    :param extra: of :attr:`Delivery.extra`.
    :return: digests, any of which is enough.
    """
    if extra.get("id") is not None:
        yield _digest("id", extra["id"])
    if extra.get("transaction") is not None and extra.get("product_id") != 0:
        names = ("event", "transaction", "status", "recurrence_number")
        yield _digest(*(extra.get(name) for name in names))


def _digest(*facts: Any) -> int:
    return int.from_bytes(hashlib.blake2b(json.dumps(facts).encode(), digest_size=8).digest(), "big")


def _part(value: dict[str, Any], name: str) -> dict[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _match(pattern: re.Pattern[str], value: Any) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _number(value: Any) -> int | None:
    # CLUB_MODULE_COMPLETED writes the product's id as text.
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= _MAX_NUMBER:
        return None
    return value


def _product_id(data: dict[str, Any]) -> int | None:
    # Events of subscriptions name it further in.
    places = (data, _part(data, "subscription"))
    return next((found for one in places if (found := _number(_part(one, "product").get("id"))) is not None), None)


def _moment(value: Any) -> str | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError, OSError):
            return datetime.fromtimestamp(value / 1000, UTC).isoformat(timespec="milliseconds")
    return None


def _status(event: str, purchase: dict[str, Any]) -> str | None:
    word = _match(_STATUS, purchase.get("status"))
    status = STATUSES.get(event) if word is None else WORDS.get(word, word)
    if status is SaleStatus.WAITING_PAYMENT and _part(purchase, "payment").get("type") == "BILLET":
        status = SaleStatus.PRINTED_BILLET
    return None if status is None else str(status)
