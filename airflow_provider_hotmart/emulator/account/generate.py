"""Makes the sales that a world starts with."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from airflow_provider_hotmart.api.enums import ParticipantRole, SaleStatus
from airflow_provider_hotmart.emulator.account.lives import DAY, STATES, Life, approval, life_line, life_through
from airflow_provider_hotmart.emulator.account.sale import Cast, Sale

AFFILIATES = 60
COPRODUCERS_PER_PRODUCT = 3
#: How the sales lie in time.
SPREADS = ("even", "daily", "noisy", "growing", "launch", "spike")
HOUR = 3600
# Sales by the hour of the day, and by the day of the week; the first of January 1970 was a Thursday.
_HOURS = (3, 2, 1, 1, 1, 2, 3, 5, 7, 8, 9, 9, 8, 8, 8, 8, 8, 9, 9, 10, 11, 11, 9, 6)
_WEEKDAYS = (1.0, 1.0, 0.6, 0.5, 1.0, 1.0, 1.0)
_RETURNING = 0.15

Others = tuple[tuple[ParticipantRole, int], ...]


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
    found: list[tuple[ParticipantRole, int]] = []
    if affiliate is not None:
        found.append((ParticipantRole.AFFILIATE, affiliate))
    first = product * COPRODUCERS_PER_PRODUCT
    found.extend((ParticipantRole.COPRODUCER, first + number) for number in range(coproducers))
    return tuple(found)


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
) -> tuple[list[Sale], int]:
    """
    Make the sales, oldest first, and tell how many buyers they have.

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
    dates = _dates(rng, count, max(1, int(days * DAY)), start, spread)
    crowd = _crowd(rng, len(products))
    alike: dict[tuple[SaleStatus, ...], tuple[SaleStatus, ...]] = {}
    sales: list[Sale] = []
    buyers = 0
    for index, ordered_at in enumerate(dates):
        if statuses is None:
            states, times = life_line(rng.random, ordered_at)
            states = alike.setdefault(states, states)
        else:
            states, times = (statuses[index % len(statuses)],), (ordered_at,)
            states = alike.setdefault(states, states)
        number, company = next(crowd)
        if buyers and rng.random() < _RETURNING:
            buyer = int(rng.random() * buyers)
        else:
            buyer = buyers
            buyers += 1
        paid = approval(states, times)
        sales.append(
            Sale(
                index,
                transaction_code(index),
                products[number],
                ordered_at,
                paid,
                (states, times),
                buyer,
                company,
                cast,
            )
        )
    if statuses is None:
        _show_every_state(sales, start)
    return sales, buyers


def _dates(rng: random.Random, count: int, span: int, start: int, spread: str) -> list[int]:
    """Order dates in whole epoch seconds, oldest first."""
    oldest = start - span
    middle = oldest + span // 2
    if spread == "launch":
        rushes = [(count // 2, DAY)]
    elif spread == "spike":
        rushes = [(count // 5, 4 * HOUR), (count // 3 - count // 5, 3 * DAY)]
    else:
        rushes = []
    usual = count - sum(number for number, _ in rushes)
    if spread in _BUSY:
        hours = range(oldest, start, HOUR)
        chosen = rng.choices(hours, _BUSY[spread](rng, hours), k=usual)
        dates = [hour + int(rng.random() * min(HOUR, start - hour)) for hour in chosen]
    else:
        dates = [oldest + int(rng.random() * span) for _ in range(usual)]
    for number, length in rushes:
        dates += [middle + int(rng.random() * min(length, start - middle)) for _ in range(number)]
    dates.sort()
    return dates


def _daily(_: random.Random, hours: range) -> list[float]:
    """How busy each hour is: people sleep at night, in Brazil, and buy less at weekends."""
    return [_HOURS[(hour // HOUR - 3) % 24] * _WEEKDAYS[(hour // HOUR - 3) // 24 % 7] for hour in hours]


def _noisy(rng: random.Random, hours: range) -> list[float]:
    """As busy as usual, but no day is like the other."""
    luck = [rng.uniform(0.7, 1.3) for _ in range(len(hours) // 24 + 1)]
    return [weight * luck[number // 24] for number, weight in enumerate(_daily(rng, hours))]


def _growing(_: random.Random, hours: range) -> list[float]:
    """Three times as busy at the end as at the start."""
    return [1 + 2 * number / max(1, len(hours) - 1) for number in range(len(hours))]


_BUSY: dict[str, Callable[[random.Random, range], list[float]]] = {
    "daily": _daily,
    "noisy": _noisy,
    "growing": _growing,
}


def _crowd(rng: random.Random, products: int) -> Iterator[tuple[int, Others]]:
    """Which product is sold next, and who takes part in the sale."""
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
