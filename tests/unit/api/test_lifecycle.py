"""The moves of a sale from status to status, and the order in which statuses are asked for."""

from __future__ import annotations

import random
from itertools import pairwise

from airflow_provider_hotmart.api.enums import SaleStatus
from airflow_provider_hotmart.api.lifecycle import ALIASES, MOVES, MOVES_BACK, ranks
from airflow_provider_hotmart.emulator.account import lives

RANK = {status: number for number, rank in enumerate(ranks()) for status in rank}
Move = tuple[SaleStatus, SaleStatus]


def moves(table: dict[SaleStatus, tuple[SaleStatus, ...]]) -> set[Move]:
    """Every pair of a table."""
    return {(before, after) for before, afters in table.items() for after in afters}


def test_every_status_has_one_rank() -> None:
    assert sorted(status for rank in ranks() for status in rank) == sorted(SaleStatus)


def test_every_move_leads_to_a_later_rank_so_that_none_stays_within_one() -> None:
    assert [move for move in moves(MOVES) if RANK[move[0]] >= RANK[move[1]]] == []


def test_a_move_back_is_one_that_no_order_of_ranks_meets() -> None:
    assert [move for move in moves(MOVES_BACK) if RANK[move[0]] < RANK[move[1]]] == []


def test_ranks_are_few_because_each_costs_the_time_of_a_call() -> None:
    assert len(ranks()) <= 8


def test_every_move_of_a_made_up_life_is_one_that_the_order_counts_with() -> None:
    draw = random.Random(7).random
    drawn = [lives.life_line(draw, 0)[0] for _ in range(20_000)]
    drawn += [lives.life_through(state, 0, 100)[0] for state in lives.STATES]
    seen = {move for states in drawn for move in pairwise(states)}
    seen |= {(before, after) for before, afters in lives.MOVES.items() for after in afters}
    assert seen - moves(MOVES) - moves(MOVES_BACK) == set()
    assert moves(MOVES_BACK) >= lives.MOVES_BACK


def test_two_names_of_one_state_are_asked_for_side_by_side() -> None:
    old, new = ALIASES
    assert RANK[old] == RANK[new]
    assert MOVES[old] == MOVES[new]
    assert MOVES_BACK[old] == MOVES_BACK[new]
    assert {after in MOVES.get(status, ()) for status in SaleStatus for after in ALIASES} == {True, False}
    assert all((old in afters) == (new in afters) for afters in MOVES.values())
