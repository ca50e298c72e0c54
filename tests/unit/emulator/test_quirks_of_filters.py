"""How the API behaves where its documentation is silent: filters."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_hotmart.emulator import HotmartEmulator
from tests.unit.emulator.support import NOW, PRODUCTS, Client, everything, ms


@pytest.mark.parametrize("start_inclusive", [True, False])
@pytest.mark.parametrize("end_inclusive", [True, False])
def test_the_ends_of_a_window_are_inclusive_or_not(
    visitor: Client, empty: HotmartEmulator, start_inclusive: bool, end_inclusive: bool
) -> None:
    empty.quirks.start_inclusive, empty.quirks.end_inclusive = start_inclusive, end_inclusive
    at = ms(empty.add_sale().ordered_at)
    found = {
        (start, end): bool(visitor.items(start_date=at + start, end_date=at + end))
        for start, end in [(0, 5000), (-5000, 0), (-1, 5000), (-5000, 1), (1, 5000), (-5000, -1), (0, 0)]
    }
    assert found == {
        (0, 5000): start_inclusive,
        (-5000, 0): end_inclusive,
        (-1, 5000): True,
        (-5000, 1): True,
        (1, 5000): False,
        (-5000, -1): False,
        (0, 0): start_inclusive and end_inclusive,
    }


def test_one_bound_alone(visitor: Client, empty: HotmartEmulator) -> None:
    old, new = (empty.add_sale(ordered_at=NOW - timedelta(days=days)).transaction for days in (40, 5))
    start, end = ms(NOW - timedelta(days=4)), ms(NOW - timedelta(days=20))
    assert visitor.transactions(end_date=end) == [old]
    assert visitor.transactions(start_date=start) == []
    empty.quirks.single_bound = "ignored"
    assert visitor.transactions(end_date=end) == [new]
    assert visitor.transactions(start_date=start) == [new]
    empty.quirks.single_bound = "error"
    assert visitor.error(end_date=end) == (400, "invalid_parameter")


def test_no_bound(visitor: Client, empty: HotmartEmulator) -> None:
    old, new = (empty.add_sale(ordered_at=NOW - timedelta(days=days)).transaction for days in (40, 5))
    assert visitor.transactions() == [new]
    empty.quirks.no_bound = "everything"
    assert visitor.transactions() == [new, old]


def test_several_values(visitor: Client, empty: HotmartEmulator) -> None:
    first, second = (empty.add_sale(status=status).transaction for status in ("APPROVED", "REFUNDED"))

    def found(value: Any) -> set[str] | int:
        answer = visitor.get(transaction_status=value)
        if answer.status_code != 200:
            return answer.status_code
        return {item["transaction"] for item in answer.json()["items"]}

    repeated, comma = ["APPROVED", "REFUNDED"], "APPROVED,REFUNDED"
    expected: dict[Any, tuple[Any, Any]] = {
        "repeat": ({first, second}, 400),
        "comma": ({second}, {first, second}),
        "last": ({second}, 400),
        "error": (400, 400),
    }
    for way, answers in expected.items():
        empty.quirks.several_values = way
        assert (found(repeated), found(comma)) == answers, way


def test_several_product_values(client: Client, hotmart: HotmartEmulator) -> None:
    wanted = [product for product in hotmart.products if product["status"] in ("PAUSED", "DRAFT")]
    assert client.items(PRODUCTS, status=["PAUSED", "DRAFT"]) == wanted
    assert client.error(PRODUCTS, format="EBOOK,VIDEOS") == (400, "invalid_parameter")
    hotmart.quirks.several_values = "last"
    assert client.items(PRODUCTS, format="EBOOK,VIDEOS") == []
    hotmart.quirks.several_values = "repeat"
    ids = [product["id"] for product in hotmart.products[:2]]
    assert client.items(PRODUCTS, id=ids) == hotmart.products[:2]
    both = {one[0] for one in hotmart.truth("COMPLETE", product_id=ids[0])}
    both |= {one[0] for one in hotmart.truth("COMPLETE", product_id=ids[1])}
    assert set(client.transactions(**everything(transaction_status="COMPLETE", product_id=ids))) == both


@pytest.mark.parametrize(
    ("limited", "start", "end", "status"),
    [
        ("none", 5000, 0, 200),
        ("age", 730, 0, 200),
        ("age", 730.9, 720, 200),
        ("age", 731, 720, 400),
        ("age", 731, None, 400),
        ("length", 730, 0, 200),
        ("length", 2000, 1270, 200),
        ("length", 730.1, 0, 400),
        ("length", 731, None, 400),
    ],
)
def test_how_far_back_sales_are_listed(
    client: Client, hotmart: HotmartEmulator, limited: Any, start: float, end: float | None, status: int
) -> None:
    hotmart.quirks.look_back = limited
    window = {"start_date": ms(NOW - timedelta(days=start))}
    if end is not None:
        window["end_date"] = ms(NOW - timedelta(days=end))
    answer = client.get(**window)
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["error"] == "invalid_parameter"
    assert client.get().status_code == client.get(end_date=ms(NOW)).status_code == 200


def test_a_transaction_without_dates_may_be_found_in_the_default_window_alone(
    visitor: Client, empty: HotmartEmulator
) -> None:
    old, new = (empty.add_sale(ordered_at=NOW - timedelta(days=days)).transaction for days in (40, 5))
    empty.quirks.transaction_window = "default"
    assert visitor.transactions(transaction=new) == [new]
    assert visitor.transactions(transaction=old) == []
    assert visitor.transactions(transaction=old, start_date=ms(NOW - timedelta(days=41)), end_date=ms(NOW)) == [old]


def test_dates_that_mean_the_approval_may_hide_what_was_never_approved(visitor: Client, empty: HotmartEmulator) -> None:
    empty.quirks.date_filter = "approval"
    sale = empty.add_sale(status="WAITING_PAYMENT").transaction
    asked = {"transaction_status": "WAITING_PAYMENT"}
    assert visitor.transactions(**asked, **everything()) == [sale]
    empty.quirks.never_approved = "hidden"
    assert visitor.transactions(**asked, **everything()) == []
    assert visitor.transactions(transaction=sale, **everything()) == []
    assert visitor.transactions(**asked) == visitor.transactions(transaction=sale) == [sale]
    assert empty.truth("WAITING_PAYMENT", start=NOW - timedelta(days=1)) == set()
    assert {one[0] for one in empty.truth("WAITING_PAYMENT")} == {sale}
    empty.move(sale, "APPROVED")
    assert visitor.transactions(**everything()) == [sale]
    assert {one[0] for one in empty.truth(start=NOW - timedelta(days=1))} == {sale}
    empty.quirks.date_filter = "order"
    unpaid = empty.add_sale(status="WAITING_PAYMENT").transaction
    assert visitor.transactions(**asked, **everything()) == [unpaid]


def test_too_wide_a_window_is_answered_502(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.quirks.too_wide = timedelta(days=7)
    week = NOW - timedelta(days=7)
    assert client.get(start_date=ms(week), end_date=ms(NOW)).status_code == 200
    assert client.error(start_date=ms(week) - 1, end_date=ms(NOW)) == (502, "internal_server_error")
    assert client.error() == (502, "internal_server_error")
    assert client.get(transaction="HP1").status_code == 200
