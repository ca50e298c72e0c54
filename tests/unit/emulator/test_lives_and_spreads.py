"""When sales are made, and what becomes of them."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime, timedelta, timezone
from graphlib import TopologicalSorter
from itertools import pairwise

import pytest

from airflow_provider_hotmart.emulator.account.lives import MOVES, MOVES_BACK, life_line, life_through
from airflow_provider_hotmart.emulator.account.spread import SPREADS
from tests.unit.emulator.support import NOW, STATES, emulator

SAO_PAULO = timezone(timedelta(hours=-3))


def test_a_launch_puts_half_of_the_sales_on_one_day() -> None:
    hotmart = emulator(spread="launch")
    dates = [sale.ordered_at for sale in hotmart.sales]
    assert max(sum(1 for date in dates if day <= date < day + 86400) for day in dates) >= 500


def test_days_may_differ_by_chance() -> None:
    def scatter(spread: str) -> float:
        hotmart = emulator(spread=spread, sales=40_000, days=40)
        counts = Counter((sale.ordered_at - int(NOW.timestamp())) // (7 * 86400) for sale in hotmart.sales)
        full = [count for week, count in counts.items() if week >= -5]
        return (max(full) - min(full)) / (sum(full) / len(full))

    assert scatter("noisy") > 2 * scatter("daily")


def test_sales_may_grow_to_three_times_as_many() -> None:
    dates = [sale.ordered_at for sale in emulator(spread="growing", sales=20_000).sales]
    span = max(dates) - min(dates)
    first, last = (sum(1 for date in dates if low <= (date - min(dates)) / span < low + 0.1) for low in (0, 0.9))
    assert 2.3 < last / first < 3.1


def test_a_spike_is_a_third_in_three_days_and_most_of_that_in_four_hours() -> None:
    dates = [sale.ordered_at for sale in emulator(spread="spike").sales]
    middle = int(NOW.timestamp()) - 45 * 86400
    assert 333 <= sum(1 for date in dates if middle <= date < middle + 3 * 86400) < 400
    assert 200 <= sum(1 for date in dates if middle <= date < middle + 4 * 3600) < 230


@pytest.mark.parametrize("spread", SPREADS)
def test_every_spread_makes_as_many_sales_as_asked_for_in_any_number_of_days(spread: str) -> None:
    for days in (0.01, 1, 2.5, 30):
        dates = [sale.ordered_at for sale in emulator(spread=spread, sales=50, days=days).sales]
        assert len(dates) == 50
        assert NOW.timestamp() - days * 86400 <= min(dates) <= max(dates) < NOW.timestamp()


def test_a_spread_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="spread must be one of even, daily"):
        emulator(spread="evne")


def test_lives_make_all_the_moves_that_are_listed_and_no_others() -> None:
    draw = random.Random(1).random
    lives = [life_line(draw, 0)[0] for _ in range(30_000)] + [life_through(state, 0, 100)[0] for state in STATES]
    moves = {move for states in lives for move in pairwise(states)}
    assert moves == {(before, after) for before, afters in MOVES.items() for after in afters}
    assert moves >= MOVES_BACK


def test_only_the_moves_that_are_listed_as_such_lead_back() -> None:
    forward = {state: MOVES[state] - {after for before, after in MOVES_BACK if before is state} for state in MOVES}
    list(TopologicalSorter(forward).static_order())  # raises CycleError where a way leads back


def test_sales_come_by_day_and_not_by_night_and_less_at_weekends() -> None:
    dates = [datetime.fromtimestamp(sale.ordered_at, SAO_PAULO) for sale in emulator(spread="daily", days=91).sales]
    hours, days = Counter(date.hour for date in dates), Counter(date.weekday() for date in dates)
    assert hours[20] + hours[21] + hours[22] > 5 * (hours[2] + hours[3] + hours[4])
    assert days[5] + days[6] < 0.75 * (days[1] + days[2])
