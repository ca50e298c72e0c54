"""The account lives on while it is listed: what was there throughout is in the result, once, and the listing ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from airflow_provider_hotmart.api.errors import HotmartResponseError
from airflow_provider_hotmart.emulator import Call, Clock, HotmartEmulator, Quirks
from tests.integration.support import (
    NOW,
    WIDTHS,
    YEAR,
    FakeTime,
    account,
    assert_exact,
    client_of,
    identities,
    products,
    write,
)
from tests.support import until

BOTH = {"transaction_status": ["APPROVED", "COMPLETE"], **YEAR}
ONE = {"transaction_status": "COMPLETE", **YEAR}
#: Sales of one status: a few windows, or many that are read at the same time.
SIZES = {"few": 1_203, "many": 6_400}

each_width = pytest.mark.parametrize("width", WIDTHS)


class Moves:
    """
    Changes an account while it is listed, on the way into every answer or once it is sent.

    :param hotmart: the account.
    """

    def __init__(self, hotmart: HotmartEmulator) -> None:
        self.hotmart = hotmart
        #: Transactions that were touched.
        self.touched: set[str] = set()
        self._front = iter(sorted(hotmart.sales, key=lambda sale: -sale.ordered_at))
        self._back = iter(sorted(hotmart.sales, key=lambda sale: sale.ordered_at))

    def appear_in_front(self) -> None:
        self.touched.add(self.hotmart.add_sale(status="COMPLETE", ordered_at=NOW - timedelta(seconds=1)).transaction)

    def appear_in_the_middle(self) -> None:
        sale = self.hotmart.add_sale(status="COMPLETE", ordered_at=NOW - timedelta(days=200))
        self.touched.add(sale.transaction)

    def vanish_in_front(self) -> None:
        self._vanish(next(self._front).transaction)

    def vanish_behind(self) -> None:
        self._vanish(next(self._back).transaction)

    def move_on_in_front(self) -> None:
        transaction = next(self._front).transaction
        self.touched.add(transaction)
        self.hotmart.move(transaction, "REFUNDED")

    def _vanish(self, transaction: str) -> None:
        self.touched.add(transaction)
        self.hotmart.remove(transaction)


MOVES: dict[str, Callable[[Moves], None]] = {
    name: getattr(Moves, name)
    for name in ("appear_in_front", "appear_in_the_middle", "vanish_in_front", "vanish_behind", "move_on_in_front")
}


def after_calls(change: Callable[[], None], times: float, first: int = 1) -> Callable[[Call], None]:
    """A callback that makes a change after so many calls, from a given one on."""
    number = count(1)

    def changed(_: Call) -> None:
        if first <= next(number) < first + times:
            change()

    return changed


def assert_holds_what_stayed(path: Path, hotmart: HotmartEmulator, touched: set[str]) -> None:
    """Everybody in a sale that nothing happened to is there, and only sales that something happened to may differ."""
    found, truth = identities(path), hotmart.truth(None, *YEAR.values())
    assert {one for one in truth if one[0] not in touched} == {one for one in found if one[0] not in touched}
    assert found


@each_width
@pytest.mark.parametrize("number", [1, 500, 1_203])
def test_a_sale_that_completes_between_the_two_passes_is_in_the_result(tmp_path: Path, width: int, number: int) -> None:
    with account(1_203, statuses=["APPROVED"]) as hotmart, client_of(hotmart, width) as client:
        wanted = hotmart.sales[-number].transaction
        asked: list[str] = []

        def complete_it(call: Call) -> None:
            asked.append(call.params["transaction_status"][0])
            # Before its status is asked for the first time, and after the last page of the other.
            if asked.count("COMPLETE") == 1 and asked[-1] == "COMPLETE":
                hotmart.move(wanted, "COMPLETE")

        hotmart.on_call = complete_it
        write(client, tmp_path / "both.jsonl", **BOTH)
        statuses = {one[3] for one in identities(tmp_path / "both.jsonl") if one[0] == wanted}
        assert statuses == {"APPROVED", "COMPLETE"}
        assert_holds_what_stayed(tmp_path / "both.jsonl", hotmart, {wanted})


@pytest.mark.parametrize(("size", "width"), [("few", 1), ("many", 1), ("many", 3), ("many", 16)])
@pytest.mark.parametrize("order", Quirks.choices()["order"])
def test_sales_that_complete_after_every_page_are_all_in_the_result(
    tmp_path: Path, width: int, size: str, order: str
) -> None:
    quirks = Quirks(order=order)
    with account(SIZES[size], statuses=["APPROVED"], quirks=quirks) as hotmart, client_of(hotmart, width) as client:
        everybody = {sale.transaction for sale in hotmart.sales}
        newest_first = iter(sorted(hotmart.sales, key=lambda sale: -sale.ordered_at))
        # For as long as the longest listing of the account takes, several at a time.
        hotmart.after_call = after_calls(
            lambda: [hotmart.move(next(newest_first).transaction, "COMPLETE") for _ in range(3)] and None, times=40
        )
        write(client, tmp_path / "both.jsonl", **BOTH)
        assert {one[0] for one in identities(tmp_path / "both.jsonl")} == everybody


def test_a_life_that_goes_on_by_the_clock_is_met_at_every_station(tmp_path: Path) -> None:
    # Nobody moves these by hand: a minute passes with every call, and boletos get paid, warranties end.
    clock = Clock(frozen=NOW)
    with account(3_000, days=20, clock=clock) as hotmart, client_of(hotmart, 3) as client:
        before = {one[0] for one in hotmart.truth(None, *YEAR.values())}
        statuses = {one[3] for one in hotmart.truth(None, *YEAR.values())}
        hotmart.after_call = lambda _: clock.advance(60)
        write(client, tmp_path / "all.jsonl", transaction_status="ALL", **YEAR)
        found = identities(tmp_path / "all.jsonl")
    assert len(statuses) > 10
    assert {one[0] for one in found} == before


@pytest.mark.parametrize(
    ("size", "width", "order"),
    [
        ("few", 1, "date"),
        ("few", 1, "arbitrary"),
        ("many", 1, "date"),
        ("many", 3, "arbitrary"),
        ("many", 16, "date"),
    ],
)
@pytest.mark.parametrize("name", MOVES)
def test_one_change_after_the_first_page_loses_and_repeats_nobody(
    tmp_path: Path, width: int, size: str, order: str, name: str
) -> None:
    quirks = Quirks(order=order)
    with account(SIZES[size], statuses=["COMPLETE"], quirks=quirks) as hotmart, client_of(hotmart, width) as client:
        moves = Moves(hotmart)
        hotmart.after_call = after_calls(lambda: MOVES[name](moves), times=1)
        write(client, tmp_path / "all.jsonl", **ONE)
        until(lambda: len(moves.touched) == 1)
        assert_holds_what_stayed(tmp_path / "all.jsonl", hotmart, moves.touched)


@pytest.mark.parametrize(("size", "width"), [("few", 1), ("many", 1), ("many", 3), ("many", 16)])
@pytest.mark.parametrize("name", MOVES)
def test_changes_after_every_page_lose_and_repeat_nobody_and_the_listing_ends(
    tmp_path: Path, width: int, size: str, name: str
) -> None:
    with account(SIZES[size], statuses=["COMPLETE"]) as hotmart, client_of(hotmart, width) as client:
        moves = Moves(hotmart)
        hotmart.after_call = lambda _: MOVES[name](moves)
        write(client, tmp_path / "all.jsonl", **ONE)
        until(lambda: len(moves.touched) == len(hotmart.calls))
        assert_holds_what_stayed(tmp_path / "all.jsonl", hotmart, moves.touched)


@each_width
def test_different_changes_after_every_page_lose_and_repeat_nobody(tmp_path: Path, width: int) -> None:
    with account(6_400, statuses=["COMPLETE"]) as hotmart, client_of(hotmart, width) as client:
        moves = Moves(hotmart)
        # Two appear for one that goes: the total never stays what it was.
        turns = [moves.appear_in_front, moves.vanish_in_front, moves.appear_in_the_middle]
        number = count()
        hotmart.after_call = lambda _: turns[next(number) % len(turns)]()
        write(client, tmp_path / "all.jsonl", **ONE)
        assert_holds_what_stayed(tmp_path / "all.jsonl", hotmart, moves.touched)


@each_width
def test_a_sale_that_leaves_while_an_older_one_enters_hides_nobody(tmp_path: Path, width: int) -> None:
    with account(1_203, statuses=["COMPLETE"]) as hotmart, client_of(hotmart, width) as client:
        moves = Moves(hotmart)

        def both() -> None:
            moves.move_on_in_front()
            moves.appear_in_the_middle()

        hotmart.after_call = lambda _: both()
        write(client, tmp_path / "all.jsonl", **ONE)
        assert_holds_what_stayed(tmp_path / "all.jsonl", hotmart, moves.touched)


@each_width
def test_rows_in_another_order_at_every_call_cost_no_call_and_lose_nobody(tmp_path: Path, width: int) -> None:
    with account(6_400) as hotmart, client_of(hotmart, width) as client:
        calls = {}
        for order in Quirks.choices()["order"]:
            hotmart.quirks.order = order
            calls[order] = write(client, tmp_path / f"{order}.jsonl", **BOTH).calls
            truth = hotmart.truth(BOTH["transaction_status"], *YEAR.values())
            assert_exact(tmp_path / f"{order}.jsonl", truth)
        assert len(set(calls.values())) == 1


def test_rows_that_move_within_the_smallest_window_fail_rather_than_be_lost(tmp_path: Path) -> None:
    # All within one second: nothing smaller can be asked for.
    with account(0) as hotmart, client_of(hotmart) as client:
        moment = NOW - timedelta(days=3)
        for _ in range(1_203):
            hotmart.add_sale(status="COMPLETE", ordered_at=moment)
        hotmart.after_call = lambda _: hotmart.add_sale(status="COMPLETE", ordered_at=moment) and None
        with pytest.raises(
            HotmartResponseError, match=r"kept moving, so some may be missing: run it again .no two of 6 readings agree"
        ):
            write(client, tmp_path / "all.jsonl", **ONE)
        assert list(tmp_path.iterdir()) == []


def test_a_row_that_moved_once_within_the_smallest_window_is_read_again(tmp_path: Path) -> None:
    with account(0) as hotmart, client_of(hotmart) as client:
        moment = NOW - timedelta(days=3)
        for _ in range(1_203):
            hotmart.add_sale(status="COMPLETE", ordered_at=moment)
        gone: list[str] = []

        def remove_one(_: Call) -> None:
            if not gone:
                gone.append(hotmart.sales[-1].transaction)
                hotmart.remove(gone[0])

        hotmart.after_call = remove_one
        second = {"sales_start_date": moment, "sales_end_date": moment + timedelta(seconds=1)}
        write(client, tmp_path / "all.jsonl", transaction_status="COMPLETE", **second)
        # Three pages, of which the later ones had shifted, and then twice the same.
        assert [call.page for call in hotmart.calls] == [1, 2, 3] * 3
        assert_holds_what_stayed(tmp_path / "all.jsonl", hotmart, set(gone))


@each_width
def test_a_wait_for_the_call_limit_lets_the_account_move_on_and_loses_nobody(tmp_path: Path, width: int) -> None:
    clock = Clock(frozen=NOW)
    time = FakeTime(clock)
    with (
        account(6_400, statuses=["COMPLETE"], clock=clock, rate_limit=10) as hotmart,
        client_of(hotmart, width, time) as client,
    ):
        write(client, tmp_path / "all.jsonl", **ONE)
        assert_exact(tmp_path / "all.jsonl", hotmart.truth(None, *YEAR.values()))
        assert time.monotonic() > 30


class TestProducts:
    @pytest.mark.parametrize("size", [300, 1_203])
    @pytest.mark.parametrize("place", [0, -1, 600])
    def test_a_product_that_vanishes_while_they_are_read_hides_no_other(self, size: int, place: int) -> None:
        with account(0, products=size) as hotmart, client_of(hotmart) as client:
            hotmart.after_call = after_calls(lambda: hotmart.products.pop(min(place, size - 1)) and None, times=1)
            found = Counter(one["id"] for one in products(client))
            assert set(found.values()) == {1}
            assert {one["id"] for one in hotmart.products} <= set(found)

    def test_a_product_that_appears_while_they_are_read_hides_no_other(self) -> None:
        with account(0, products=1_203) as hotmart, client_of(hotmart) as client:
            new = {**hotmart.products[0], "id": 1}
            hotmart.after_call = after_calls(lambda: hotmart.products.insert(0, new), times=1)
            found = Counter(one["id"] for one in products(client))
            assert found == Counter(one["id"] for one in hotmart.products)

    def test_products_that_never_stand_still_are_an_error(self) -> None:
        with account(0, products=1_203) as hotmart, client_of(hotmart) as client:
            numbers = count(1)
            hotmart.after_call = lambda _: hotmart.products.insert(0, {**hotmart.products[0], "id": next(numbers)})
            with pytest.raises(
                HotmartResponseError,
                match=r"kept moving, so some may be missing: run it again .no two of 6 readings agree",
            ):
                list(products(client))
