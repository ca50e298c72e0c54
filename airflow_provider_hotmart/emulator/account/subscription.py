"""One subscription: the sales that are its charges, and what has become of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_hotmart.api.enums import RecurrencyStatus, SaleStatus, SubscriptionStatus
from airflow_provider_hotmart.emulator.account.catalog import Offer, Plan
from airflow_provider_hotmart.emulator.account.lives import DAY, PAID

if TYPE_CHECKING:
    from airflow_provider_hotmart.emulator.account.sale import Sale

_FIRST_ID = 10_000_000
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
# How long an unpaid subscription waits for its money, in days.
_GRACE = 30
#: The payment cannot come any more.
_FAILED = frozenset({SaleStatus.EXPIRED, SaleStatus.CANCELLED, SaleStatus.NO_FUNDS, SaleStatus.BLOCKED})
_ENDED = {
    SaleStatus.REFUNDED: SubscriptionStatus.CANCELLED_BY_SELLER,
    SaleStatus.CHARGEBACK: SubscriptionStatus.CANCELLED_BY_ADMIN,
}
CANCELLED = frozenset(
    {
        SubscriptionStatus.CANCELLED_BY_ADMIN,
        SubscriptionStatus.CANCELLED_BY_CUSTOMER,
        SubscriptionStatus.CANCELLED_BY_SELLER,
    }
)


@dataclass(frozen=True)
class State:
    """
    What a subscription is at a moment; times are epoch seconds.

    :param status: Hotmart's word
    :param accession_at: when the subscriber got in, or asked to while nothing is paid
    :param ended_at: when it was cancelled or ran out; None: it goes on
    :param next_charge_at: when the next payment is due, or was, where it has ended; None: nothing was ever paid
    :param sales: its charges so far, oldest first; never empty
    """

    status: SubscriptionStatus
    accession_at: int
    ended_at: int | None
    next_charge_at: int | None
    sales: list[Sale]


class Subscription:
    """
    A subscription. There may be very many, so it keeps next to nothing.

    :param number: from 0; each has its own
    :param offer: with the plan that is charged
    :param fate: 0 to 255; decides who cancels it, if anybody does
    """

    __slots__ = ("fate", "number", "offer", "sales")

    def __init__(self, number: int, offer: Offer, fate: int) -> None:
        self.number = number
        self.offer = offer
        self.fate = fate
        self.sales: list[Sale] = []

    @property
    def id(self) -> int:
        """Hotmart's number."""
        return _FIRST_ID + self.number

    @property
    def code(self) -> str:
        """The subscriber code: eight letters and digits, no two alike."""
        rest, text = self.number * 1_234_567_891 % len(_LETTERS) ** 8, ""
        for _ in range(8):
            rest, letter = divmod(rest, len(_LETTERS))
            text += _LETTERS[letter]
        return text

    @property
    def plan(self) -> Plan:
        """What is charged."""
        if self.offer.plan is None:
            raise ValueError(f"offer {self.offer.code} has no plan")
        return self.offer.plan

    @property
    def product(self) -> dict[str, Any]:
        """The product as the list of products shows it."""
        return self.sales[0].catalog_product

    @property
    def is_trial(self) -> bool:
        """Whether it began with free days."""
        return self.plan.trial_days is not None

    def number_of(self, sale: Sale) -> int:
        """
        Tell which charge a sale is, from 1; one that is tried again keeps its number.

        :param sale: one of this subscription's
        """
        number = 1
        for other in self.sales:
            if other is sale:
                break
            number += other.approved_at is not None
        return number

    def state_at(self, moment: float) -> State | None:
        """
        Give its state at a moment; None before its first order.

        :param moment: epoch seconds
        """
        sales = [sale for sale in self.sales if sale.ordered_at <= moment]
        if not sales:
            return None
        first = sales[0]
        paid = [sale for sale in sales if sale.is_approved(moment)]
        if not paid:
            failed = first.status_at(moment) in _FAILED
            status = SubscriptionStatus.INACTIVE if failed else SubscriptionStatus.STARTED
            return State(status, first.ordered_at, None, None, sales)
        accession = paid[0].approved_at or first.ordered_at
        due = paid[-1].ordered_at + self.plan.period * DAY
        status, ended = self._outcome(sales, paid, due, moment)
        return State(status, accession, ended, due, sales)

    def _outcome(
        self, sales: list[Sale], paid: list[Sale], due: int, moment: float
    ) -> tuple[SubscriptionStatus, int | None]:
        """Give the status of a subscription that was paid at least once, and when it ended."""
        for sale in sales:
            now = sale.status_at(moment)
            if now in _ENDED:
                return _ENDED[now], sale.last_change(moment)
        if paid[-1] is self.sales[-1]:
            whose = {0: SubscriptionStatus.CANCELLED_BY_CUSTOMER, 1: SubscriptionStatus.CANCELLED_BY_SELLER}
            cancelled = paid[-1].ordered_at + self.plan.period * DAY * (64 + self.fate % 128) // 256
            if self.fate < 90 and moment >= cancelled:
                return whose[self.fate // 60], max(cancelled, paid[-1].approved_at or 0)
        if self.plan.max_cycles is not None and len(paid) >= self.plan.max_cycles and moment >= due:
            return SubscriptionStatus.OVERDUE, due
        if moment >= due + _GRACE * DAY:
            return SubscriptionStatus.OVERDUE, due + _GRACE * DAY
        if moment >= due or sales[-1] is not paid[-1]:
            return SubscriptionStatus.DELAYED, None
        return SubscriptionStatus.ACTIVE, None


def recurrency_status(sale: Sale, moment: float) -> RecurrencyStatus:
    """
    Tell whether a charge is paid.

    :param sale: the charge
    :param moment: epoch seconds
    """
    status = sale.status_at(moment)
    if status is SaleStatus.REFUNDED:
        return RecurrencyStatus.REFUNDED
    if status is SaleStatus.CHARGEBACK:
        return RecurrencyStatus.CHARGEBACK
    if status is SaleStatus.PROTESTED:
        return RecurrencyStatus.CLAIMED
    return RecurrencyStatus.PAID if status in PAID else RecurrencyStatus.NOT_PAID
