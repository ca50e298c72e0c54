"""How sales and tickets move from status to status, and in which order statuses are asked for therefore."""

from __future__ import annotations

import functools

from airflow_provider_hotmart.api.enums import SaleStatus, TicketStatus

_S = SaleStatus
#: An old and a new name of one state of a sale; the service may know only one of them.
ALIASES = (_S.PROTESTED, _S.DISPUTE)
_UNPAID = (_S.OVERDUE, _S.NO_FUNDS, _S.BLOCKED, _S.CANCELLED)
_TAKEN_BACK = (*ALIASES, _S.PARTIALLY_REFUNDED, _S.REFUNDED, _S.CHARGEBACK, _S.CANCELLED)
#: From which status a sale can move directly to which. Listings ask for statuses in this order, so that a sale that
#: moves on meanwhile is met again under its next status instead of being missed.
MOVES: dict[SaleStatus, tuple[SaleStatus, ...]] = {
    _S.STARTED: (_S.PROCESSING_TRANSACTION, _S.WAITING_PAYMENT, _S.PRINTED_BILLET, _S.APPROVED, _S.CANCELLED),
    _S.PRE_ORDER: (_S.PROCESSING_TRANSACTION, _S.APPROVED, _S.CANCELLED),
    _S.PROCESSING_TRANSACTION: (_S.UNDER_ANALISYS, _S.APPROVED, *_UNPAID),
    _S.WAITING_PAYMENT: (_S.APPROVED, _S.EXPIRED, _S.CANCELLED),
    _S.PRINTED_BILLET: (_S.APPROVED, _S.EXPIRED, _S.CANCELLED),
    _S.UNDER_ANALISYS: (_S.APPROVED, _S.NO_FUNDS, _S.BLOCKED, _S.CANCELLED),
    _S.OVERDUE: (_S.APPROVED, _S.CANCELLED),
    # The bank settles a boleto late.
    _S.EXPIRED: (_S.APPROVED,),
    _S.APPROVED: (_S.COMPLETE, *_TAKEN_BACK),
    _S.COMPLETE: _TAKEN_BACK,
    _S.PROTESTED: (_S.REFUNDED, _S.CHARGEBACK, _S.CANCELLED),
    _S.DISPUTE: (_S.REFUNDED, _S.CHARGEBACK, _S.CANCELLED),
    _S.PARTIALLY_REFUNDED: (_S.REFUNDED, _S.CHARGEBACK, _S.CANCELLED),
}
#: Moves against that order: a dispute or a chargeback that is won, an instalment that is tried again. A sale that
#: makes one of them while it is listed can be missed by that listing; the next one has it.
MOVES_BACK: dict[SaleStatus, tuple[SaleStatus, ...]] = {
    _S.OVERDUE: (_S.PROCESSING_TRANSACTION,),
    _S.PROTESTED: (_S.APPROVED, _S.COMPLETE),
    _S.DISPUTE: (_S.APPROVED, _S.COMPLETE),
    _S.CHARGEBACK: (_S.APPROVED, _S.COMPLETE),
}


@functools.cache
def ranks() -> tuple[tuple[SaleStatus, ...], ...]:
    """
    Sort the statuses of a sale into ranks: no sale moves within a rank, and every move leads to a later one.

    :return: the ranks in order; the rank of a status is the length of the longest way to it.
    """
    found = dict.fromkeys(SaleStatus, 0)
    for _ in SaleStatus:
        for status, targets in MOVES.items():
            for target in targets:
                found[target] = max(found[target], found[status] + 1)
    return tuple(
        tuple(status for status in SaleStatus if found[status] == rank) for rank in range(max(found.values()) + 1)
    )


_T = TicketStatus
#: The statuses of a ticket, in ranks as those of a sale: a ticket moves to a later rank.
TICKET_RANKS: tuple[tuple[TicketStatus, ...], ...] = (
    (_T.AVAILABLE,),
    (_T.RESERVED,),
    (_T.SOLD, _T.INVITE),
    (_T.REFUNDED, _T.CHARGEBACK, _T.INVITE_CANCELED),
    (_T.EXCLUDED,),
)
