"""The endpoints of events."""

from __future__ import annotations

from airflow_provider_hotmart.api.enums import CheckinStatus, TicketStatus, TicketType
from airflow_provider_hotmart.emulator.account.club import founded_at
from airflow_provider_hotmart.emulator.account.events import USUAL_STATUSES, Event
from airflow_provider_hotmart.emulator.service import params as read
from airflow_provider_hotmart.emulator.service.endpoints.products import USUAL_ROWS
from airflow_provider_hotmart.emulator.service.listing import PAGING, Listing, Request
from airflow_provider_hotmart.emulator.service.params import RequestError

PARTICIPANTS_PARAMS = (
    "buyer_email", "participant_email", "last_update", "id_lot", "ticket_status", "ticket_type", "checkin_status",
    "id_eticket", "ticket_qr_code", "select", *PAGING,
)  # fmt: skip


def info(request: Request) -> Listing:
    """
    Answer what is known of an event.

    :param request: the call
    """
    return Listing([_event(request).info()], dict, form="object")


def participants(request: Request) -> Listing:
    """
    Answer the tickets of an event.

    :param request: the call
    """
    params, quirks, event = request.params, request.quirks, _event(request)
    status = read.word(params, "ticket_status", TicketStatus)
    kind = read.word(params, "ticket_type", TicketType)
    checkin = read.word(params, "checkin_status", CheckinStatus)
    since, lot, number = (read.number(params, name) for name in ("last_update", "id_lot", "id_eticket"))
    buyer, participant, code = (
        read.one(params, name) for name in ("buyer_email", "participant_email", "ticket_qr_code")
    )
    statuses = USUAL_STATUSES if status is None else {TicketStatus(status)}
    tickets = event.tickets(
        request.world.sales_of(event.product["id"]), request.world.clock.now(), founded_at(event.product)
    )
    found = [
        ticket
        for ticket in tickets
        if ticket.status in statuses
        and kind in (None, TicketType.ALL, ticket.type)
        and checkin in (None, CheckinStatus.ALL, ticket.checkin)
        and (since is None or ticket.changed_at >= since)
        and lot in (None, ticket.lot["id"])
        and number in (None, ticket.id)
        and code in (None, ticket.qr_code)
        and (buyer is None or buyer == ticket.buyer.get("email"))
        and (participant is None or participant == ticket.participant.get("email"))
    ]
    return Listing(
        found,
        lambda ticket: event.ticket_row(ticket, quirks),
        has_total=True,
        most=quirks.max_page_size_elsewhere,
        usual=USUAL_ROWS,
    )


def _event(request: Request) -> Event:
    text = request.values["event_id"]
    event = request.world.event(int(text)) if text.isdecimal() else None
    if event is None:
        raise RequestError("not_found", "Event not found", 404)
    return event
