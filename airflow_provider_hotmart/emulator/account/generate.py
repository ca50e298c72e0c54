"""Makes the sales that a world starts with."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator, Sequence
from typing import Any

from airflow_provider_hotmart.api.enums import ParticipantRole, SaleStatus
from airflow_provider_hotmart.emulator.account.catalog import Catalog
from airflow_provider_hotmart.emulator.account.lives import DAY, STATES, Life, approval, life_line, life_through
from airflow_provider_hotmart.emulator.account.money import payment_hint
from airflow_provider_hotmart.emulator.account.people import User
from airflow_provider_hotmart.emulator.account.sale import Cast, Sale
from airflow_provider_hotmart.emulator.account.spread import order_dates
from airflow_provider_hotmart.emulator.account.subscription import Subscription

AFFILIATES = 60
COPRODUCERS_PER_PRODUCT = 3
_RETURNING = 0.15
#: The part of subscribers that are charged once more, the days until a failed charge is tried again, and what ends all.
_LOYAL = 0.9
_RETRY_DAYS = 3
_OVER = frozenset({SaleStatus.REFUNDED, SaleStatus.CHARGEBACK})

Others = tuple[tuple[ParticipantRole, int | User], ...]


def transaction_code(index: int) -> str:
    """
    Make the code of a sale: HP and 10 digits, or 14 as newer ones have; no two are alike.

    :param index: the sale's place in the world
    """
    # The factors share no divisor with the ranges: every index leads to another number.
    if index % 10 < 7:
        return f"HP{1_000_000_000 + (index * 7_368_787_301 + 1_890_000_000) % 9_000_000_000}"
    return f"HP{10_000_000_000_000 + (index * 73_687_873_017_391 + 17_000_000_000) % 90_000_000_000_000}"


def others(affiliate: int | None, coproducers: int, product: int) -> Others:
    """
    Name those beyond the producer and the buyer.

    :param affiliate: number of the affiliate; None: none
    :param coproducers: how many
    :param product: number of the product; each has coproducers of its own
    """
    found: list[tuple[ParticipantRole, int | User]] = []
    if affiliate is not None:
        found.append((ParticipantRole.AFFILIATE, affiliate))
    first = product * COPRODUCERS_PER_PRODUCT
    found.extend((ParticipantRole.COPRODUCER, first + number) for number in range(coproducers))
    return tuple(found)


class Renewals:
    """
    Knows which subscriptions are to be charged next.

    :param rng: decides
    :param catalog: plans
    :param products: what is sold
    """

    def __init__(self, rng: random.Random, catalog: Catalog, products: Sequence[dict[str, Any]]) -> None:
        self.subscriptions: list[Subscription] = []
        self._rng = rng
        self._catalog = catalog
        self._products = products
        #: By the number of the product: when which subscription is due.
        self._due: dict[int, list[tuple[int, int]]] = {}

    def due(self, product: int, moment: int) -> Subscription | None:
        """
        Take the subscription that a sale renews; None: it renews none.

        :param product: number of the product
        :param moment: epoch seconds of the order
        """
        waiting = self._due.get(product)
        if not waiting or waiting[0][0] > moment:
            return None
        return self.subscriptions[heapq.heappop(waiting)[1]]

    def begin(self, product: int) -> Subscription | None:
        """
        Make the subscription that a sale begins; None: the product has none.

        :param product: number of the product
        """
        if not self._products[product]["is_subscription"]:
            return None
        offers = self._catalog.offers(self._products[product])
        luck = self._rng.random()
        made = Subscription(len(self.subscriptions), offers[int(luck * luck * len(offers))], int(luck * 9973) % 256)
        self.subscriptions.append(made)
        return made

    def plan(self, product: int, sale: Sale) -> None:
        """
        Decide whether and when the subscription of a sale is charged again.

        :param product: number of the product
        :param sale: the charge that was just made
        """
        subscription = sale.subscription
        if subscription is None or sale.life[-1][1] in _OVER:
            return
        paid = [charge for charge in subscription.sales if charge.approved_at is not None]
        if not paid or len(paid) == subscription.plan.max_cycles or self._rng.random() > _LOYAL:
            return
        wait = subscription.plan.period if sale.approved_at is not None else _RETRY_DAYS
        entry = (sale.ordered_at + wait * DAY, subscription.number)
        heapq.heappush(self._due.setdefault(product, []), entry)


def make_sales(
    count: int,
    products: Sequence[dict[str, Any]],
    *,
    days: float,
    seed: int,
    start: int,
    spread: str,
    statuses: Sequence[SaleStatus] | None,
    cast: Cast,
) -> tuple[list[Sale], int, list[Subscription]]:
    """
    Make the sales, oldest first, and tell how many buyers and which subscriptions they have.

    :param count: how many
    :param products: what is sold
    :param days: how far back the oldest lies
    :param seed: another seed, other sales
    :param start: epoch seconds, just after the newest
    :param spread: one of ``SPREADS``
    :param statuses: statuses that the sales have and keep, dealt out in turn; None: they live
    :param cast: makes people
    """
    rng = random.Random(seed)
    dates = order_dates(rng, count, max(1, int(days * DAY)), start, spread)
    crowd = _crowd(rng, len(products))
    renewals = Renewals(rng, cast.catalog, products)
    alike: dict[tuple[SaleStatus, ...], tuple[SaleStatus, ...]] = {}
    sales: list[Sale] = []
    buyers = 0
    for index, ordered_at in enumerate(dates):
        states, times = (
            life_line(rng.random, ordered_at)
            if statuses is None
            else ((statuses[index % len(statuses)],), (ordered_at,))
        )
        states = alike.setdefault(states, states)
        number, company = next(crowd)
        due = renewals.due(number, ordered_at)
        if due is not None:
            buyer, company = due.sales[0].people[1][1], due.sales[0].people[2:]
        elif buyers and rng.random() < _RETURNING:
            buyer = int(rng.random() * buyers)
        else:
            buyer = buyers
            buyers += 1
        sale = Sale(
            index,
            transaction_code(index),
            products[number],
            ordered_at,
            approval(states, times),
            (states, times),
            buyer,
            company,
            cast,
            due or renewals.begin(number),
        )
        renewals.plan(number, sale)
        sales.append(sale)
    if statuses is None:
        _show_every_state(sales, start)
    return sales, buyers, renewals.subscriptions


def _crowd(rng: random.Random, products: int) -> Iterator[tuple[int, Others]]:
    """Tell which product is sold next, and who takes part in the sale."""
    known: dict[tuple[int | None, int, int], Others] = {}
    while True:
        product = int(rng.random() ** 2 * products)
        luck = rng.random()
        affiliate = int(luck / 0.12 * AFFILIATES) if luck < 0.12 else None
        luck = rng.random()
        coproducers = 2 if luck < 0.03 else 1 if luck < 0.11 else 0
        key = (affiliate, coproducers, product if coproducers else 0)
        if key not in known:
            known[key] = others(affiliate, coproducers, key[2])
        yield product, known[key]


def _show_every_state(sales: Sequence[Sale], now: int) -> None:
    """Change the lives of a few sales so that every state is there, even if chance has left one out."""
    seen: dict[SaleStatus | None, int] = {}
    for sale in sales:
        status = sale.status_at(now)
        seen[status] = seen.get(status, 0) + 1
    lacking = [status for status in STATES if status not in seen]
    if len(sales) < 2 * len(STATES):
        return
    chosen = iter(sales[:: max(1, len(sales) // (2 * len(STATES)))])
    for status in lacking:
        for sale in chosen:
            current = sale.status_at(now)
            if seen[current] > 1:
                seen[current] -= 1
                _relive(sale, life_through(status, sale.ordered_at, now))
                break


def _relive(sale: Sale, timeline: Life) -> None:
    sale.timeline = timeline
    sale.approved_at = approval(*timeline)
    sale.payment_hint = payment_hint(timeline[0])
