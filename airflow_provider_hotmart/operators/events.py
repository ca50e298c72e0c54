"""Operators that read events and list their tickets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_hotmart.api.endpoints.events import EVENT_TICKETS, EVENTS
from airflow_provider_hotmart.operators.base import HotmartListOperator


class HotmartGetEventOperator(HotmartListOperator):
    """
    Read when events begin and end, and their lots.

    A record is one event, with the ``event_id``.

    Without a ``destination`` the records are the task's XCom; with one they are written to that file, and the XCom is
    its manifest.

    Source: https://developers.hotmart.com/docs/, "Tickets for events", "Event".

    :param event_id: one ID or several, of products whose format is ETICKET (templated). None: all of the account.
    :param select: dot paths of the fields to keep, a list or comma-separated (templated).
    :param kwargs: of :class:`~airflow_provider_hotmart.operators.base.HotmartListOperator` and of any operator.
    """

    endpoint = EVENTS
    template_fields: Sequence[str] = (*EVENTS.arguments, *HotmartListOperator.template_fields)

    def __init__(
        self,
        *,
        event_id: int | str | Sequence[int | str] | None = None,
        select: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters=locals(), **kwargs)


class HotmartListEventTicketsOperator(HotmartListOperator):
    """
    List the tickets of events, and who comes with them.

    A record is one ticket, with the ``event_id``. Values that are not known may be null.

    Without a ``destination`` the records are the task's XCom; with one they are written to that file, and the XCom is
    its manifest.

    Records are personal data, protected by the Brazilian LGPD: choose a destination that you may keep them in.

    Source: https://developers.hotmart.com/docs/, "Tickets for events", "Tickets and participants".

    :param event_id: one ID or several, of products whose format is ETICKET (templated). None: all of the account.
    :param last_update: only tickets that have changed since: ISO 8601 text, ``datetime`` or ``date``; one without a
        zone is meant in ``timezone`` (templated).
    :param ticket_status: one or several of SOLD, INVITE, REFUNDED, …, or ``"ALL"`` (templated). None: SOLD and INVITE.
    :param ticket_type: PAID, FREE or ALL (templated).
    :param checkin_status: PENDING, PARTIAL, CONCLUDED or ALL (templated).
    :param id_lot: a lot, by an ID of the event's ``lots`` (templated).
    :param id_eticket: a ticket (templated).
    :param ticket_qr_code: the code that is shown at the door (templated).
    :param buyer_email: the buyer's e-mail address (templated).
    :param participant_email: the e-mail address of who comes (templated).
    :param select: dot paths of the fields to fetch, a list or comma-separated (templated).
    :param kwargs: of :class:`~airflow_provider_hotmart.operators.base.HotmartListOperator` and of any operator.
    """

    endpoint = EVENT_TICKETS
    template_fields: Sequence[str] = (*EVENT_TICKETS.arguments, *HotmartListOperator.template_fields)

    def __init__(
        self,
        *,
        event_id: int | str | Sequence[int | str] | None = None,
        last_update: Any = None,
        ticket_status: str | Sequence[str] | None = None,
        ticket_type: str | None = None,
        checkin_status: str | None = None,
        id_lot: int | str | None = None,
        id_eticket: int | str | None = None,
        ticket_qr_code: str | None = None,
        buyer_email: str | None = None,
        participant_email: str | None = None,
        select: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters=locals(), **kwargs)
