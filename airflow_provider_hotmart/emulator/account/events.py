"""Events and their tickets, which belong to the sales of products of the format ETICKET."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from airflow_provider_hotmart.api.enums import CheckinStatus, ProductFormat, SaleStatus, TicketStatus, TicketType
from airflow_provider_hotmart.emulator.account.catalog import Catalog
from airflow_provider_hotmart.emulator.account.lives import DAY
from airflow_provider_hotmart.emulator.account.people import People, User
from airflow_provider_hotmart.emulator.account.rows import ms, picked
from airflow_provider_hotmart.emulator.account.sale import Sale
from airflow_provider_hotmart.emulator.quirks import Quirks

#: What comes back when no status is asked for.
USUAL_STATUSES = frozenset({TicketStatus.SOLD, TicketStatus.INVITE})
_OF_A_SALE = {
    SaleStatus.APPROVED: TicketStatus.SOLD,
    SaleStatus.COMPLETE: TicketStatus.SOLD,
    SaleStatus.PROTESTED: TicketStatus.SOLD,
    SaleStatus.PARTIALLY_REFUNDED: TicketStatus.SOLD,
    SaleStatus.REFUNDED: TicketStatus.REFUNDED,
    SaleStatus.CHARGEBACK: TicketStatus.CHARGEBACK,
    SaleStatus.CANCELLED: TicketStatus.EXCLUDED,
    SaleStatus.EXPIRED: TicketStatus.EXCLUDED,
    SaleStatus.NO_FUNDS: TicketStatus.EXCLUDED,
    SaleStatus.BLOCKED: TicketStatus.EXCLUDED,
}
_INVITES = 5
_PERSON = ("id", "name", "email", "document", "phone")


def is_event(product: dict[str, Any]) -> bool:
    """
    Tell whether a product is an event.

    :param product: as the API shows it
    """
    return bool(product["format"] == ProductFormat.ETICKET)


@dataclass(frozen=True)
class Ticket:
    """
    One ticket.

    :param id: Hotmart's number
    :param status: Hotmart's word
    :param type: whether it costs something
    :param changed_at: epoch milliseconds
    :param lot: id and name
    :param checkin: how much is known of who comes
    :param who: makes the buyer and the participant, of whom there are very many
    """

    id: int
    status: TicketStatus
    type: TicketType
    changed_at: int
    lot: dict[str, Any]
    checkin: CheckinStatus
    who: Callable[[], tuple[User, dict[str, Any]]]

    @property
    def buyer(self) -> User:
        """The buyer as sales show them."""
        return self.who()[0]

    @property
    def participant(self) -> dict[str, Any]:
        """Who comes, as far as it is known."""
        return self.who()[1]

    @property
    def qr_code(self) -> str:
        """What is shown at the door."""
        return f"QR{self.id * 7_919 % 10**9:09d}"


class Event:
    """
    One event.

    :param product: that is sold
    :param catalog: a source of choices
    :param people: everybody
    :param begins_before: epoch seconds that it begins around
    """

    def __init__(self, product: dict[str, Any], catalog: Catalog, people: People, begins_before: int) -> None:
        self.product = product
        self._catalog = catalog
        self._people = people
        self._around = begins_before

    def info(self) -> dict[str, Any]:
        """Show the event as the API does."""
        begins = (self._around // DAY + self._digest("begins")[0] % 60) * DAY + 12 * 3600
        return {
            "product": picked(self.product, "id", "name"),
            "start_event_date": ms(begins),
            "end_event_date": ms(begins + DAY // 3),
            "lots": self._catalog.lots(self.product),
        }

    def tickets(self, sales: Iterable[Sale], now: float, founded_at: int) -> list[Ticket]:
        """
        Give all tickets, invitations first.

        :param sales: of the event
        :param now: epoch seconds
        :param founded_at: epoch seconds of the invitations
        """
        lots = self._catalog.lots(self.product)
        found = [self._invite(number, lots[0], founded_at) for number in range(_INVITES)]
        for sale in sales:
            if sale.ordered_at <= now:
                digest = self._digest("tickets", sale.index)
                found.extend(self._sold(sale, place, lots, digest, now) for place in range(1 + digest[0] // 100))
        return found

    def ticket_row(self, ticket: Ticket, quirks: Quirks) -> dict[str, Any]:
        """
        A ticket as the API shows it.

        :param ticket: one of ``tickets()``
        :param quirks: how the API behaves
        """
        user, participant = ticket.who()
        buyer = picked(user, "ucode", "name", "email")
        eticket: dict[str, Any] = {
            "id": ticket.id,
            "ticket_qr_code": ticket.qr_code,
            "current_update": ticket.changed_at,
            "checkin_status": ticket.checkin.value,
            "is_blocked": ticket.status in (TicketStatus.REFUNDED, TicketStatus.CHARGEBACK, TicketStatus.EXCLUDED),
            "ticket_status": ticket.status.value,
            "ticket_type": ticket.type.value,
            "checkin_url": f"https://example.com/checkin/{ticket.qr_code}",
        }
        if quirks.ticket_nulls:
            buyer |= {"phone": None, "document": None}
            participant = {key: participant.get(key) for key in _PERSON}
            eticket["category"] = None
        return {
            "buyer": buyer,
            "participant": participant,
            "eticket": eticket,
            "lot": ticket.lot,
            "product": picked(self.product, "id", "name"),
        }

    def _sold(self, sale: Sale, place: int, lots: list[dict[str, Any]], digest: bytes, now: float) -> Ticket:
        state = sale.status_at(now)
        status = TicketStatus.RESERVED if state is None else _OF_A_SALE.get(state, TicketStatus.RESERVED)
        lot = lots[digest[1] % len(lots)]
        changed = ms(sale.last_change(now)) + digest[2 + place]
        checkin = (CheckinStatus.PENDING, CheckinStatus.PARTIAL, CheckinStatus.CONCLUDED)[digest[5 + place] % 3]
        number = sale.index * 3 + place

        def who() -> tuple[User, dict[str, Any]]:
            return sale.buyer, self._participant(sale.buyer if place == 0 else None, number, checkin)

        return Ticket(10_000_000 + number, status, TicketType.PAID, changed, lot, checkin, who)

    def _invite(self, number: int, lot: dict[str, Any], founded_at: int) -> Ticket:
        digest = self._digest("invite", number)
        status = TicketStatus.INVITE if number else TicketStatus.INVITE_CANCELED
        code = self.product["id"] * 10 + number
        checkin, changed = CheckinStatus.CONCLUDED, ms(founded_at + number * 60) + digest[0]

        def who() -> tuple[User, dict[str, Any]]:
            return self._people.user("PRODUCER", 0, "absent"), self._participant(None, code, checkin)

        return Ticket(code, status, TicketType.FREE, changed, lot, checkin, who)

    def _participant(self, buyer: User | None, number: int, checkin: CheckinStatus) -> dict[str, Any]:
        """Who comes with a ticket, as far as it is known."""
        if checkin is CheckinStatus.PENDING:
            return {}
        user = self._people.user("GUEST", number, "absent") if buyer is None else buyer
        known = {"id": 2_000_000 + number, "name": user.get("name"), "email": user.get("email")}
        if checkin is CheckinStatus.CONCLUDED:
            documents = user.get("documents") or [{}]
            known |= {"document": documents[0].get("value"), "phone": user.get("phone")}
        return {key: value for key, value in known.items() if value}

    def _digest(self, *names: object) -> bytes:
        return self._catalog.digest("event", self.product["id"], *names)
