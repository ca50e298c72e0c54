"""When the sales of a made-up account are ordered."""

from __future__ import annotations

import random
from collections.abc import Callable

from airflow_provider_hotmart.emulator.account.lives import DAY

#: How the sales lie in time.
SPREADS = ("even", "daily", "noisy", "growing", "launch", "spike")
HOUR = 3600
# Sales by the hour of the day, and by the day of the week; the first of January 1970 was a Thursday.
_HOURS = (3, 2, 1, 1, 1, 2, 3, 5, 7, 8, 9, 9, 8, 8, 8, 8, 8, 9, 9, 10, 11, 11, 9, 6)
_WEEKDAYS = (1.0, 1.0, 0.6, 0.5, 1.0, 1.0, 1.0)


def order_dates(rng: random.Random, count: int, span: int, start: int, spread: str) -> list[int]:
    """
    Make order dates in whole epoch seconds, oldest first.

    :param rng: decides
    :param count: how many
    :param span: seconds from the oldest to the newest, at most
    :param start: epoch seconds, just after the newest
    :param spread: one of ``SPREADS``
    """
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
    """Tell how busy each hour is: people sleep at night, in Brazil, and buy less at weekends."""
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
