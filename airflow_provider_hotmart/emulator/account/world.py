"""Everything that the emulated account holds, at the clock's now."""

from __future__ import annotations

import itertools
import random
import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from airflow_provider_hotmart.api.enums import ParticipantRole, SaleStatus
from airflow_provider_hotmart.emulator.account.catalog import make_products
from airflow_provider_hotmart.emulator.account.generate import AFFILIATES, SPREADS, make_sales, others, transaction_code
from airflow_provider_hotmart.emulator.account.index import StatusIndex, sale_of
from airflow_provider_hotmart.emulator.account.lives import DAY, PAID, Life, approval
from airflow_provider_hotmart.emulator.account.people import People, User
from airflow_provider_hotmart.emulator.account.sale import Cast, Sale
from airflow_provider_hotmart.emulator.clock import Clock, epoch
from airflow_provider_hotmart.emulator.quirks import Quirks

_REMEMBERED_LISTINGS = 8


@dataclass(frozen=True)
class SalesQuery:
    """
    What a listing of sales is asked for.

    :param statuses: any of these; None: all
    :param low: epoch seconds of the first date inside; None: no bound
    :param high: epoch seconds of the first date outside; None: no bound
    :param transaction: this one alone
    :param product_ids: any of these; None: all
    :param words: further conditions, name and value: buyer_email, buyer_name, sales_source, affiliate_name
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


class World:
    """
    The products and sales of one account. Safe to share between threads.

    :param products: how many
    :param sales: how many
    :param days: how far back the oldest sale lies
    :param seed: another seed, another world
    :param spread: one of ``SPREADS``
    :param statuses: statuses that all sales have and keep, dealt out in turn; None: they live
    :param clock: the world's time; the newest sale lies just before its now
    :param quirks: how the API behaves
    """

    def __init__(
        self,
        *,
        products: int,
        sales: int,
        days: float,
        seed: int,
        spread: str,
        statuses: Sequence[SaleStatus | str] | None,
        clock: Clock,
        quirks: Quirks,
    ) -> None:
        if products < 1 and sales:
            raise ValueError("sales need at least one product")
        if spread not in SPREADS:
            raise ValueError(f"spread must be one of {', '.join(SPREADS)}, not {spread!r}")
        start = int(clock.now())
        self.lock = threading.RLock()
        self.clock = clock
        self.quirks = quirks
        self.people = People(seed)
        self.products = make_products(products, seed, start - int(days * DAY))
        self._cast = Cast(self.people, lambda: self.quirks.missing_values)
        fixed = None if statuses is None else [state_named(status) for status in statuses]
        self._sales: list[Sale | None] = []
        made, self._buyers = make_sales(
            sales,
            self.products,
            days=days,
            seed=seed,
            start=start,
            spread=spread,
            statuses=fixed,
            cast=self._cast,
        )
        self._sales.extend(made)
        self._by_transaction = {sale.transaction: sale for sale in made}
        self._present: tuple[Sale, ...] | None = None
        self._index = StatusIndex(self._sales)
        self._listings: OrderedDict[object, list[int]] = OrderedDict()
        self._added = itertools.count()
        self._sync()

    @property
    def sales(self) -> Sequence[Sale]:
        """All sales; those that the world started with come first, oldest first."""
        with self.lock:
            if self._present is None:
                self._present = tuple(sale for sale in self._sales if sale is not None)
            return self._present

    def sale(self, transaction: str) -> Sale:
        """
        One sale.

        :param transaction: its code
        """
        return self._by_transaction[transaction]

    def add(
        self,
        *,
        status: SaleStatus | str = SaleStatus.APPROVED,
        ordered_at: datetime | float | None = None,
        approved_at: datetime | float | None = None,
        product_id: int | None = None,
        buyer: Sale | User | None = None,
        coproducers: int = 0,
        affiliate: bool = False,
        life: Iterable[tuple[datetime | float, SaleStatus | str]] | None = None,
    ) -> Sale:
        """
        Add a sale; it keeps its status unless a life is given.

        :param status: from the order on, or from the approval on if that is later
        :param ordered_at: datetime (naive: UTC) or epoch seconds; None: now, or when the life begins
        :param approved_at: likewise; None: when a paid status begins, if ever
        :param product_id: None: the first product
        :param buyer: a user, a participant or a sale whose buyer it is; None: a new one
        :param coproducers: how many
        :param affiliate: whether an affiliate takes part
        :param life: when each status begins; replaces ``status``
        """
        with self.lock:
            ordered = int(self.clock.now() if ordered_at is None else epoch(ordered_at))
            paid = None if approved_at is None else int(epoch(approved_at))
            timeline = _timeline(state_named(status), ordered, paid) if life is None else _given(life)
            if life is not None and ordered_at is None:
                ordered = timeline[1][0]
            number = 0 if product_id is None else self._product_number(product_id)
            count = next(self._added)
            sale = Sale(
                len(self._sales),
                transaction_code(len(self._sales)),
                self.products[number],
                ordered,
                approval(*timeline) if paid is None else paid,
                timeline,
                self._buyer(buyer),
                others(count % AFFILIATES if affiliate else None, coproducers, number),
                self._cast,
            )
            self._sales.append(sale)
            self._by_transaction[sale.transaction] = sale
            self._present = None
            self._sync([sale.index])
            return sale

    def move(self, transaction: str, status: SaleStatus | str) -> None:
        """
        Give a sale another status now; what would have become of it is void.

        :param transaction: code of the sale
        :param status: the new one
        """
        with self.lock:
            now = int(self.clock.now())
            sale = self.sale(transaction)
            if sale.status_at(now) is None:
                raise ValueError(f"{transaction} has not been ordered yet")
            state = state_named(status)
            past = [(at, before) for at, before in sale.life if at <= now]
            sale.timeline = (*(before for _, before in past), state), (*(at for at, _ in past), now)
            if sale.approved_at is not None and sale.approved_at > now:
                sale.approved_at = None
            if sale.approved_at is None and state in PAID:
                sale.approved_at = now
            self._sync([sale.index])

    def remove(self, transaction: str) -> None:
        """
        Let a sale vanish.

        :param transaction: its code
        """
        with self.lock:
            sale = self._by_transaction.pop(transaction)
            self._index.forget(sale)
            self._sales[sale.index] = None
            self._present = None

    def page(
        self, query: SalesQuery, offset: int, count: int, rng: random.Random, shift: int = 0
    ) -> tuple[list[Sale], int]:
        """
        One page of a listing at the clock's now, and the number of sales in the whole listing.

        :param query: which sales
        :param offset: sales before the page
        :param count: sales on the page, at most
        :param rng: decides the order where every call has another
        :param shift: as if so many sales had just appeared at the front (negative: had gone from there)
        """
        with self.lock:
            self._sync()
            keys, first, end = self._stretch(query)
            total = max(0, end - first + shift)
            # What would have appeared is not there to be shown: the first sale comes in its place.
            places = [max(0, place - shift) for place in range(offset, min(offset + count, total))]
            if self.quirks.order == "shuffled":
                # A stretch of a random order is a random choice.
                places = rng.sample(range(end - first), min(len(places), end - first))
            sales = (self._sales[sale_of(keys[end - 1 - place])] for place in places if place < end - first)
            return [sale for sale in sales if sale is not None], total

    def _stretch(self, query: SalesQuery) -> tuple[list[int], int, int]:
        """Keys, oldest first, and where in them the listing begins and ends."""
        spans = [self._index.span(status, query.low, query.high) for status in query.statuses or SaleStatus]
        spans = [span for span in spans if span[1] < span[2]]
        if query.is_plain and self.quirks.order != "arbitrary" and len(spans) == 1:
            return spans[0]
        keys = self._listing(query, spans)
        return keys, 0, len(keys)

    def _listing(self, query: SalesQuery, spans: list[tuple[list[int], int, int]]) -> list[int]:
        """Keys of a listing that is no plain stretch of one file; kept, because its other pages follow."""
        name = (self._index.version, self.quirks.order, query)
        found = self._listings.get(name)
        if found is None:
            found = list(self._matching(query, spans))
            found.sort(key=_scrambled if self.quirks.order == "arbitrary" else None)
            self._listings[name] = found
            while len(self._listings) > _REMEMBERED_LISTINGS:
                self._listings.popitem(last=False)
        return found

    def _matching(self, query: SalesQuery, spans: list[tuple[list[int], int, int]]) -> Iterable[int]:
        if query.nothing:
            return []
        candidates: Iterable[int] = itertools.chain.from_iterable(keys[first:end] for keys, first, end in spans)
        if query.transaction is not None:
            sale = self._by_transaction.get(query.transaction)
            candidates = [sale.filed_key] if sale and _inside(sale, spans) else []
        now = self.clock.now()
        return (key for key in candidates if self._fits(self._sales[sale_of(key)], query, now))

    def _fits(self, sale: Sale | None, query: SalesQuery, now: float) -> bool:
        if sale is None or (query.product_ids is not None and sale.product_id not in query.product_ids):
            return False
        if query.approved_only and not sale.is_approved(now):
            return False
        return all(_WORDS[name](sale, value) for name, value in query.words)

    def _product_number(self, product_id: int) -> int:
        for number, product in enumerate(self.products):
            if product["id"] == product_id:
                return number
        raise ValueError(f"no such product: {product_id}")

    def _buyer(self, buyer: Sale | User | None) -> int | User:
        if isinstance(buyer, Sale):
            return next(person for role, person in buyer.people if role is ParticipantRole.BUYER)
        if buyer is not None:
            return dict(buyer.get("user", buyer))
        self._buyers += 1
        return self._buyers - 1

    def _sync(self, changed: Sequence[int] = ()) -> None:
        """Bring the index up to the clock and to the quirks."""
        self._index.advance(self.clock.now(), self.quirks.date_filter)
        if changed:
            self._index.refresh(changed)


def state_named(name: SaleStatus | str) -> SaleStatus:
    """
    The state behind a status name: DISPUTE and PROTESTED are one.

    :param name: one of SaleStatus
    """
    status = SaleStatus(name)
    return SaleStatus.PROTESTED if status is SaleStatus.DISPUTE else status


def _timeline(status: SaleStatus, ordered_at: int, approved_at: int | None) -> Life:
    """The life of a sale that is added by hand, and that stays what it is from its approval on."""
    if approved_at is not None and approved_at > ordered_at:
        return (SaleStatus.WAITING_PAYMENT, status), (ordered_at, approved_at)
    return (status,), (ordered_at,)


def _given(life: Iterable[tuple[datetime | float, SaleStatus | str]]) -> Life:
    """A life that was written by hand."""
    steps = sorted(((int(epoch(at)), state_named(name)) for at, name in life), key=lambda step: step[0])
    if not steps:
        raise ValueError("a life needs at least one status")
    return tuple(state for _, state in steps), tuple(at for at, _ in steps)


def _inside(sale: Sale, spans: list[tuple[list[int], int, int]]) -> bool:
    """Whether a sale is in one of the stretches."""
    for keys, first, end in spans:
        place = bisect_left(keys, sale.filed_key, first, end)
        if place < end and keys[place] == sale.filed_key:
            return True
    return False


def _scrambled(key: int) -> int:
    """An order without meaning that a sale keeps, whatever else is listed."""
    return (sale_of(key) + 1) * 2_654_435_761 % 4_294_967_291


def _same(one: Any, other: str) -> bool:
    return isinstance(one, str) and one.strip().casefold() == other.strip().casefold()


def _person_has(role: ParticipantRole, key: str) -> Callable[[Sale, str], bool]:
    def check(sale: Sale, value: str) -> bool:
        return any(person["role"] == role and _same(person["user"].get(key), value) for person in sale.participants)

    return check


_WORDS: dict[str, Callable[[Sale, str], bool]] = {
    "buyer_email": _person_has(ParticipantRole.BUYER, "email"),
    "buyer_name": _person_has(ParticipantRole.BUYER, "name"),
    "affiliate_name": _person_has(ParticipantRole.AFFILIATE, "name"),
    "sales_source": lambda sale, value: _same(sale.sales_source, value),
}
