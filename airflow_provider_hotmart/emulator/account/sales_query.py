"""What a listing of sales is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_hotmart.api.enums import ParticipantRole, SaleStatus
from airflow_provider_hotmart.emulator.account.sale import Sale


@dataclass(frozen=True)
class SalesQuery:
    """
    What a listing of sales is asked for.

    :param statuses: any of these; None: all
    :param low: epoch seconds of the first date inside; None: no bound
    :param high: epoch seconds of the first date outside; None: no bound
    :param transaction: this one alone
    :param product_ids: any of these; None: all
    :param words: further conditions, each a name of ``WORDS`` and its value
    :param nothing: whether the account takes part in no sale in the role that was asked for
    :param approved_only: sales without an approval are not there
    """

    statuses: frozenset[SaleStatus] | None = None
    low: int | None = None
    high: int | None = None
    transaction: str | None = None
    product_ids: frozenset[int] | None = None
    words: frozenset[tuple[str, str]] = frozenset()
    nothing: bool = False
    approved_only: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether statuses and dates alone decide."""
        return replace(self, statuses=None, low=None, high=None) == SalesQuery()

    def fits(self, sale: Sale, now: float) -> bool:
        """
        Tell whether a sale fulfils what is asked beyond its status and its date.

        :param sale: any
        :param now: epoch seconds
        """
        if self.product_ids is not None and sale.product_id not in self.product_ids:
            return False
        if self.approved_only and not sale.is_approved(now):
            return False
        return all(WORDS[name](sale, value) for name, value in self.words)


def _same(one: Any, other: str) -> bool:
    return isinstance(one, str) and one.strip().casefold() == other.strip().casefold()


def _person_has(role: ParticipantRole, key: str) -> Callable[[Sale, str], bool]:
    def check(sale: Sale, value: str) -> bool:
        return any(person["role"] == role and _same(person["user"].get(key), value) for person in sale.participants)

    return check


#: Filters of text, and whether a sale fulfils them.
WORDS: dict[str, Callable[[Sale, str], bool]] = {
    "buyer_email": _person_has(ParticipantRole.BUYER, "email"),
    "buyer_name": _person_has(ParticipantRole.BUYER, "name"),
    "affiliate_name": _person_has(ParticipantRole.AFFILIATE, "name"),
    "sales_source": lambda sale, value: _same(sale.sales_source, value),
    "payment_type": lambda sale, value: sale.money.payment_type == value,
    "offer_code": lambda sale, value: sale.money.offer.code == value,
}
