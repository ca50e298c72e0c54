"""Everything that the emulated account holds, at the clock's now."""

from __future__ import annotations

import itertools
import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, overload

from airflow_provider_hotmart.api.enums import ParticipantRole, SaleStatus
from airflow_provider_hotmart.emulator.account.catalog import Catalog, make_products
from airflow_provider_hotmart.emulator.account.club import Club, has_club, subdomain
from airflow_provider_hotmart.emulator.account.events import Event, is_event
from airflow_provider_hotmart.emulator.account.generate import AFFILIATES, make_sales, others, transaction_code
from airflow_provider_hotmart.emulator.account.index import StatusIndex, sale_of
from airflow_provider_hotmart.emulator.account.lives import DAY, PAID, Life, approval
from airflow_provider_hotmart.emulator.account.people import People, User
from airflow_provider_hotmart.emulator.account.sale import Cast, Sale
from airflow_provider_hotmart.emulator.account.sales_query import SalesQuery
from airflow_provider_hotmart.emulator.account.spread import SPREADS
from airflow_provider_hotmart.emulator.account.subscription import Subscription
from airflow_provider_hotmart.emulator.clock import Clock, epoch
from airflow_provider_hotmart.emulator.quirks import Quirks

_REMEMBERED_LISTINGS = 8


class SaleRange(Sequence[Sale]):
    """
    A stretch of sales, newest first.

    :param sales: all sales by their index
    :param keys: of the sales, oldest first
    :param first: where in the keys the stretch begins
    :param end: where it ends
    """

    def __init__(self, sales: Sequence[Sale | None], keys: Sequence[int], first: int, end: int) -> None:
        self._sales = sales
        self._keys = keys
        self._first = first
        self._end = end

    def __len__(self) -> int:
        return self._end - self._first

    @overload
    def __getitem__(self, place: int) -> Sale: ...
    @overload
    def __getitem__(self, place: slice) -> list[Sale]: ...
    def __getitem__(self, place: int | slice) -> Sale | list[Sale]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        if not 0 <= place < len(self):
            raise IndexError(place)
        sale = self._sales[sale_of(self._keys[self._end - 1 - place])]
        if sale is None:
            raise IndexError(place)
        return sale


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
        self.started_at = start
        self.catalog = Catalog(seed, start - int(days * DAY))
        self._cast = Cast(self.people, self.catalog, lambda: self.quirks.missing_values)
        fixed = None if statuses is None else [state_named(status) for status in statuses]
        self._sales: list[Sale | None] = []
        made, self._buyers, self._subscriptions = make_sales(
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
        self._by_product: dict[int, list[Sale]] | None = None
        self._index = StatusIndex(self._sales)
        self._listings: OrderedDict[object, list[int]] = OrderedDict()
        self._added = itertools.count()
        #: Told of each sale that is made or moved.
        self.on_change: Callable[[Sale], None] | None = None
        self._sync()

    @property
    def version(self) -> int:
        """Another number after every change by hand, and after some of those that time makes."""
        return self._index.version

    @property
    def sales(self) -> Sequence[Sale]:
        """All sales; those that the world started with come first, oldest first."""
        with self.lock:
            if self._present is None:
                self._present = tuple(sale for sale in self._sales if sale is not None)
            return self._present

    def sale(self, transaction: str) -> Sale:
        """
        Give one sale.

        :param transaction: its code
        """
        return self._by_transaction[transaction]

    def some_sale(self, luck: float) -> Sale | None:
        """
        A sale that was made already; None: there is none where chance has looked.

        :param luck: from 0 to 1
        """
        return self._sales[int(luck * len(self._sales))] if self._sales else None

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
                self._subscription(self.products[number], buyer),
            )
            self._sales.append(sale)
            self._by_transaction[sale.transaction] = sale
            self._present = self._by_product = None
            self._sync([sale.index])
            if self.on_change is not None:
                self.on_change(sale)
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
            if self.on_change is not None:
                self.on_change(sale)

    def remove(self, transaction: str) -> None:
        """
        Let a sale vanish.

        :param transaction: its code
        """
        with self.lock:
            sale = self._by_transaction.pop(transaction)
            self._index.forget(sale)
            self._sales[sale.index] = None
            self._present = self._by_product = None
            if sale.subscription is not None:
                sale.subscription.sales.remove(sale)

    def find(self, query: SalesQuery) -> SaleRange:
        """
        Give the sales of a listing at the clock's now. Hold the lock until they are read.

        :param query: which sales
        """
        with self.lock:
            self._sync()
            return SaleRange(self._sales, *self._stretch(query))

    def sales_of(self, product_id: int) -> Sequence[Sale]:
        """
        Give all sales of a product, also those to be ordered in the future.

        :param product_id: of the product
        """
        with self.lock:
            if self._by_product is None:
                self._by_product = {}
                for sale in self.sales:
                    self._by_product.setdefault(sale.product_id, []).append(sale)
            return self._by_product.get(product_id, ())

    @property
    def subscriptions(self) -> Sequence[Subscription]:
        """All subscriptions that have a charge, also those to be ordered in the future; oldest first."""
        with self.lock:
            return [one for one in self._subscriptions if one.sales]

    def product(self, **wanted: object) -> dict[str, Any] | None:
        """
        Give the product that has a value; None: there is none.

        :param wanted: one key and its value, for instance ucode or id
        """
        (key, value), *_ = wanted.items()
        return next((product for product in list(self.products) if product.get(key) == value), None)

    def profile(self) -> dict[str, Any]:
        """Give the account itself, as the API shows it."""
        owner = self.people.user(ParticipantRole.PRODUCER, 0, "absent")
        known = {key: owner[key] for key in ("ucode", "name", "email", "phone", "locale", "address")}
        return {"id": 1_000_001, **known, "time_zone": "America/Sao_Paulo", "currency_code": "BRL"}

    def club(self, subdomain_: str) -> Club | None:
        """
        A members' area; None: there is none.

        :param subdomain_: of the area
        """
        for product in list(self.products):
            if has_club(product) and subdomain(product) == subdomain_:
                return Club(product, self.catalog, self.people)
        return None

    def event(self, event_id: int) -> Event | None:
        """
        An event; None: there is none.

        :param event_id: id of its product
        """
        product = self.product(id=event_id)
        if product is None or not is_event(product):
            return None
        return Event(product, self.catalog, self.people, self.started_at)

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
        found = ((key, self._sales[sale_of(key)]) for key in candidates)
        return (key for key, sale in found if sale is not None and query.fits(sale, now))

    def _product_number(self, product_id: int) -> int:
        for number, product in enumerate(self.products):
            if product["id"] == product_id:
                return number
        raise ValueError(f"no such product: {product_id}")

    def _subscription(self, product: dict[str, Any], buyer: Sale | User | None) -> Subscription | None:
        """Give what a sale by hand is a charge of: the subscription of the sale whose buyer it has, or a new one."""
        if not product["is_subscription"]:
            return None
        if isinstance(buyer, Sale) and buyer.subscription is not None and buyer.product_id == product["id"]:
            return buyer.subscription
        number = len(self._subscriptions)
        # The highest fate: nobody cancels what a test has made.
        self._subscriptions.append(Subscription(number, self.catalog.offers(product)[0], 255))
        return self._subscriptions[number]

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
    Give the state behind a status name: DISPUTE and PROTESTED are one.

    :param name: one of SaleStatus
    """
    status = SaleStatus(name)
    return SaleStatus.PROTESTED if status is SaleStatus.DISPUTE else status


def _timeline(status: SaleStatus, ordered_at: int, approved_at: int | None) -> Life:
    """Give the life of a sale that is added by hand, and that stays what it is from its approval on."""
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
    """Tell whether a sale is in one of the stretches."""
    for keys, first, end in spans:
        place = bisect_left(keys, sale.filed_key, first, end)
        if place < end and keys[place] == sale.filed_key:
            return True
    return False


def _scrambled(key: int) -> int:
    """An order without meaning that a sale keeps, whatever else is listed."""
    return (sale_of(key) + 1) * 2_654_435_761 % 4_294_967_291
