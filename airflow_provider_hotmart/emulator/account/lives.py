"""Life lines of sales: which status a sale has from when on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from airflow_provider_hotmart.api.enums import SaleStatus as S

DAY = 86_400
#: Every state that a sale can be in. DISPUTE is only another name of PROTESTED.
STATES: tuple[S, ...] = tuple(status for status in S if status is not S.DISPUTE)
#: States that a sale reaches only by being paid.
PAID = frozenset({S.APPROVED, S.COMPLETE, S.PROTESTED, S.PARTIALLY_REFUNDED, S.REFUNDED, S.CHARGEBACK})

#: A sale's statuses, and the epoch second from which each holds; never empty, in order.
Life = tuple[tuple[S, ...], tuple[int, ...]]
Draw = Callable[[], float]


#: Every step that a made-up life can take from one status to the next.
MOVES: Mapping[S, frozenset[S]] = MappingProxyType(
    {
        S.STARTED: frozenset({S.PROCESSING_TRANSACTION, S.WAITING_PAYMENT, S.PRINTED_BILLET}),
        S.PROCESSING_TRANSACTION: frozenset(
            {S.UNDER_ANALISYS, S.NO_FUNDS, S.BLOCKED, S.CANCELLED, S.OVERDUE, S.APPROVED}
        ),
        S.PRE_ORDER: frozenset({S.PROCESSING_TRANSACTION, S.CANCELLED}),
        S.WAITING_PAYMENT: frozenset({S.APPROVED, S.EXPIRED}),
        S.PRINTED_BILLET: frozenset({S.APPROVED, S.EXPIRED}),
        S.UNDER_ANALISYS: frozenset({S.APPROVED, S.NO_FUNDS, S.BLOCKED, S.CANCELLED}),
        S.BLOCKED: frozenset(),
        S.NO_FUNDS: frozenset(),
        S.OVERDUE: frozenset({S.PROCESSING_TRANSACTION, S.APPROVED, S.CANCELLED}),
        S.EXPIRED: frozenset({S.APPROVED}),
        S.APPROVED: frozenset({S.COMPLETE, S.PROTESTED, S.PARTIALLY_REFUNDED, S.REFUNDED, S.CHARGEBACK}),
        S.COMPLETE: frozenset({S.PROTESTED}),
        S.PROTESTED: frozenset({S.APPROVED, S.COMPLETE, S.REFUNDED, S.CHARGEBACK}),
        S.PARTIALLY_REFUNDED: frozenset(),
        S.CANCELLED: frozenset(),
        S.REFUNDED: frozenset(),
        S.CHARGEBACK: frozenset(),
    }
)
#: Those of them that lead back to a status that came before: an instalment tried again, a dispute won.
MOVES_BACK = frozenset(
    {
        (S.OVERDUE, S.PROCESSING_TRANSACTION),
        (S.PROTESTED, S.APPROVED),
        (S.PROTESTED, S.COMPLETE),
    }
)


class _Line:
    """A life line that is being drawn."""

    def __init__(self, draw: Draw, status: S, at: int) -> None:
        self.draw = draw
        self.states = [status]
        self.times = [at]

    def then(self, status: S, least: float, most: float) -> None:
        """
        Let the next status begin.

        :param status: the next one
        :param least: days after the last one, at least
        :param most: days after the last one, at most
        """
        self.states.append(status)
        self.times.append(self.times[-1] + 1 + int((least + (most - least) * self.draw()) * DAY))


def _paid(line: _Line, most: float = 0.002) -> None:
    """
    From the payment to the end: mostly a quiet life.

    :param line: the life so far
    :param most: days until the payment arrives, at most
    """
    line.then(S.APPROVED, 0, most)
    fate = line.draw()
    if fate < 0.05:
        line.then(S.REFUNDED, 0.2, 7)
    elif fate < 0.065:
        line.then(S.PARTIALLY_REFUNDED, 0.2, 7)
    elif fate < 0.08:
        line.then(S.CHARGEBACK, 5, 30)
    else:
        if fate > 0.11:  # the others are protested before their warranty ends
            line.then(S.COMPLETE, 7, 30)
        if fate < 0.11 or fate > 0.97:
            before = line.states[-1]
            line.then(S.PROTESTED, 1, 20)
            verdict = line.draw()
            line.then(S.REFUNDED if verdict < 0.4 else S.CHARGEBACK if verdict < 0.75 else before, 3, 15)
            if line.states[-1] is S.APPROVED:
                line.then(S.COMPLETE, 7, 30)


def _card(line: _Line) -> None:
    if line.draw() < 0.03:
        return  # left at the check-out
    line.then(S.PROCESSING_TRANSACTION, 0, 0.001)
    wait = 0.002
    if line.draw() < 0.2:
        line.then(S.UNDER_ANALISYS, 0, 0.01)
        wait = 1
    fate = line.draw()
    if fate < 0.82:
        _paid(line, wait)
    else:
        line.then(S.NO_FUNDS if fate < 0.9 else S.BLOCKED if fate < 0.94 else S.CANCELLED, 0, wait)


def _boleto(line: _Line) -> None:
    line.then(S.PRINTED_BILLET if line.draw() < 0.5 else S.WAITING_PAYMENT, 0, 0.001)
    fate = line.draw()
    if fate < 0.7:
        _paid(line, 4)
    else:
        line.then(S.EXPIRED, 3, 7)
        if fate > 0.98:  # the bank settles late
            _paid(line, 4)


def _pre_order(line: _Line) -> None:
    line.states[0] = S.PRE_ORDER
    if line.draw() < 0.85:
        line.then(S.PROCESSING_TRANSACTION, 10, 60)
        _paid(line)
    else:
        line.then(S.CANCELLED, 1, 30)


def _instalment(line: _Line) -> None:
    line.then(S.PROCESSING_TRANSACTION, 0, 0.001)
    line.then(S.OVERDUE, 0.5, 2)
    fate = line.draw()
    if fate < 0.6:
        line.then(S.PROCESSING_TRANSACTION, 1, 10)
        if fate < 0.15:  # there is no money on the card the second time either
            line.then(S.OVERDUE, 0, 0.01)
            line.then(S.PROCESSING_TRANSACTION, 1, 10)
        _paid(line)
    elif fate < 0.8:
        line.then(S.CANCELLED, 5, 15)


def life_line(draw: Draw, ordered_at: int) -> Life:
    """
    Draw the life of a sale, beyond today too.

    :param draw: a source of numbers from 0 to 1
    :param ordered_at: epoch seconds
    """
    line = _Line(draw, S.STARTED, ordered_at)
    kind = draw()
    if kind < 0.62:
        _card(line)
    elif kind < 0.9:
        _boleto(line)
    elif kind < 0.93:
        _pre_order(line)
    else:
        _instalment(line)
    return tuple(line.states), tuple(line.times)


_WAYS: dict[S, tuple[S, ...]] = {
    S.STARTED: (),
    S.PRE_ORDER: (),
    S.PROCESSING_TRANSACTION: (S.STARTED,),
    S.WAITING_PAYMENT: (S.STARTED,),
    S.PRINTED_BILLET: (S.STARTED,),
    S.EXPIRED: (S.STARTED, S.PRINTED_BILLET),
    S.APPROVED: (S.STARTED, S.PROCESSING_TRANSACTION),
}
_NEXT: dict[S, S] = {
    S.STARTED: S.PROCESSING_TRANSACTION,
    S.PRE_ORDER: S.PROCESSING_TRANSACTION,
    S.PROCESSING_TRANSACTION: S.APPROVED,
    S.UNDER_ANALISYS: S.APPROVED,
    S.WAITING_PAYMENT: S.APPROVED,
    S.PRINTED_BILLET: S.EXPIRED,
    S.OVERDUE: S.APPROVED,
    S.APPROVED: S.COMPLETE,
    S.PROTESTED: S.CHARGEBACK,
}


def life_through(status: S, ordered_at: int, now: int) -> Life:
    """
    A life in which a given status holds now, for a world too small to show every status by chance.

    :param status: the status now
    :param ordered_at: epoch seconds, before now
    :param now: epoch seconds
    """
    before = _WAYS.get(status, (S.STARTED, S.PROCESSING_TRANSACTION))
    if status in PAID and status is not S.APPROVED:
        before = (*before, S.APPROVED)
    states = (*before, status)
    step = (now - ordered_at) // len(states)
    times = tuple(ordered_at + step * number for number in range(len(states)))
    following = _NEXT.get(status)
    if following is None:
        return states, times
    return (*states, following), (*times, now + DAY)


def approval(states: Sequence[S], times: Sequence[int]) -> int | None:
    """
    Tell when a life reaches its payment, in epoch seconds; None: never.

    :param states: of the life
    :param times: of the life
    """
    for status, at in zip(states, times, strict=True):
        if status in PAID:
            return at
    return None
