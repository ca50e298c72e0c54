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
