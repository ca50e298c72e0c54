"""Events and their tickets."""

from __future__ import annotations

from airflow_provider_hotmart.api.endpoint import Endpoint, Filter, Found, columns
from airflow_provider_hotmart.api.endpoints.products import PRODUCTS
from airflow_provider_hotmart.api.enums import CheckinStatus, ProductFormat, TicketStatus, TicketType
from airflow_provider_hotmart.api.lifecycle import TICKET_RANKS

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
    columns=columns("product.id:integer product.name start_event_date:moment end_event_date:moment lots:json(id,name)"),
    filters=(_EVENT_ID,),
    rows_key=None,
    page_size=None,
)

EVENT_TICKETS = Endpoint(
    # Source: https://developers.hotmart.com/docs/, "Tickets for events", "Tickets and participants".
    name="event_tickets",
    path="/events/api/v1/{event_id}/participants",
    noun="tickets",
    identity=("eticket.id",),
    columns=columns(
        "buyer.ucode? buyer.name!? buyer.email!? buyer.phone!? buyer.document!? participant.id:integer? "
        "participant.name!? participant.email!? participant.document!? participant.phone!? eticket.id:integer "
        "eticket.ticket_qr_code! eticket.current_update:moment eticket.checkin_status eticket.is_blocked:boolean "
        "eticket.ticket_status eticket.ticket_type eticket.category? eticket.checkin_url!? lot.id:integer lot.name "
        "product.id:integer product.name"
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
