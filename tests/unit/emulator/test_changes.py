"""What a test changes by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_hotmart.api.enums import SaleStatus
from airflow_provider_hotmart.emulator import Call, HotmartEmulator
from tests.unit.emulator.support import NOW, Client, everything, ms


def test_an_added_sale_is_listed_with_the_people_asked_for(visitor: Client, empty: HotmartEmulator) -> None:
    buyer = {"ucode": "u-1", "name": "Zoé", "email": "zoe@example.com"}
    first = empty.add_sale(status="COMPLETE", buyer=buyer, coproducers=2, affiliate=True)
    second = empty.add_sale(buyer=first)
    items = {item["transaction"]: item["users"] for item in visitor.items()}
    roles = [user["role"] for user in items[first.transaction]]
    assert sorted(roles) == ["AFFILIATE", "BUYER", "COPRODUCER", "COPRODUCER", "PRODUCER"]
    assert items[first.transaction][1]["user"] == items[second.transaction][1]["user"] == buyer
    assert (first.transaction, "BUYER", "u-1", "COMPLETE") in empty.truth()


def test_an_added_life_is_lived(visitor: Client, empty: HotmartEmulator) -> None:
    sale = empty.add_sale(life=[(NOW - timedelta(hours=1), "PRINTED_BILLET"), (NOW + timedelta(hours=1), "APPROVED")])
    assert sale.ordered_at == NOW.timestamp() - 3600
    assert sale.approved_at == NOW.timestamp() + 3600
    assert visitor.transactions(transaction_status="PRINTED_BILLET") == [sale.transaction]
    empty.clock.advance(3600)
    assert visitor.transactions(transaction_status="PRINTED_BILLET") == []
    assert visitor.transactions(transaction_status="APPROVED") == [sale.transaction]


def test_a_sale_of_the_future_appears_when_it_is_ordered(visitor: Client, empty: HotmartEmulator) -> None:
    sale = empty.add_sale(ordered_at=NOW + timedelta(minutes=1))
    assert visitor.transactions(**everything()) == []
    empty.clock.advance(60)
    assert visitor.transactions(**everything()) == [sale.transaction]


def test_a_moved_sale_has_its_new_status_for_good(client: Client, hotmart: HotmartEmulator) -> None:
    code = next(iter(hotmart.truth("WAITING_PAYMENT")))[0]
    hotmart.move(code, SaleStatus.APPROVED)
    assert code in client.transactions(**everything(transaction_status="APPROVED"))
    assert code not in client.transactions(**everything(transaction_status="WAITING_PAYMENT"))
    hotmart.clock.advance(timedelta(days=400))
    client.log_in()
    assert code in client.transactions(**everything(transaction_status="APPROVED"))


def test_a_removed_sale_is_gone(client: Client, hotmart: HotmartEmulator) -> None:
    code = next(iter(hotmart.truth("COMPLETE")))[0]
    hotmart.remove(code)
    assert code not in client.transactions(**everything())
    assert client.transactions(transaction=code) == []
    assert code not in {one[0] for one in hotmart.truth()}
    assert len(hotmart.sales) == 999


def test_data_can_shift_while_pages_are_read(visitor: Client, empty: HotmartEmulator) -> None:
    old = [empty.add_sale(ordered_at=NOW - timedelta(hours=hours)).transaction for hours in (1, 2, 3, 4)]

    def shift(call: Call) -> None:
        if call.page == 2 and len(empty.sales) == 4:
            empty.add_sale()

    empty.on_call = shift
    assert visitor.transactions(max_results=2) == [old[0], old[1], old[1], old[2], old[3]]


def test_a_listing_of_several_statuses_shifts_too(visitor: Client, empty: HotmartEmulator) -> None:
    old = [empty.add_sale(status=status).transaction for status in ("APPROVED", "COMPLETE")]
    assert sorted(visitor.transactions()) == sorted(old)
    assert len(empty.sales) == 2
    new = empty.add_sale().transaction
    assert sorted(visitor.transactions()) == sorted([*old, new])
    assert [sale.transaction for sale in empty.sales] == [*old, new]


def test_moving_a_sale_moves_its_approval(visitor: Client, empty: HotmartEmulator) -> None:
    empty.quirks.date_filter = "approval"
    late = empty.add_sale(ordered_at=NOW - timedelta(days=5), approved_at=NOW + timedelta(days=1))
    window = {"start_date": ms(NOW) - 1, "end_date": ms(NOW)}
    assert visitor.transactions(**window, transaction_status="WAITING_PAYMENT") == []
    assert visitor.transactions(**everything(end_date=ms(NOW)), transaction_status="WAITING_PAYMENT") == [
        late.transaction
    ]
    empty.move(late.transaction, "APPROVED")
    assert late.approved_at == NOW.timestamp()
    assert visitor.transactions(**window, transaction_status="APPROVED") == [late.transaction]
    dropped = empty.add_sale(ordered_at=NOW - timedelta(days=5), approved_at=NOW + timedelta(days=1))
    empty.move(dropped.transaction, "EXPIRED")
    assert dropped.approved_at is None


def test_the_second_callback_comes_after_the_answer(visitor: Client, empty: HotmartEmulator) -> None:
    def sell(_: Call) -> None:
        empty.add_sale()

    empty.after_call = sell
    assert visitor.transactions() == []
    assert len(visitor.transactions()) == 1


def test_a_callback_that_fails_is_seen(
    visitor: Client, empty: HotmartEmulator, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(_: Call) -> None:
        raise ZeroDivisionError

    empty.on_call = fail
    assert visitor.error() == (500, "emulator_error")
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_change_by_hand_shows_in_every_listing_at_once(visitor: Client, empty: HotmartEmulator) -> None:
    product = next(one for one in empty.products if one["is_subscription"])
    paths = [f"/payments/api/v1/{name}" for name in ("subscriptions", "subscriptions/transactions", "sales/summary")]
    assert [visitor.items(path) for path in paths] == [[], [], []]
    sale = empty.add_sale(product_id=product["id"])
    assert [len(visitor.items(path)) for path in paths] == [1, 1, 1]
    empty.move(sale.transaction, "REFUNDED")
    rows, charges, summary = (visitor.items(path) for path in paths)
    assert (rows[0]["status"], charges[0]["recurrency"]["status"]) == ("CANCELLED_BY_SELLER", "REFUNDED")
    assert summary == []
    empty.remove(sale.transaction)
    assert [visitor.items(path) for path in paths] == [[], [], []]


@pytest.mark.parametrize(
    ("sale_status", "ticket_status"),
    [("COMPLETE", "SOLD"), ("REFUNDED", "REFUNDED"), ("CHARGEBACK", "CHARGEBACK"), ("EXPIRED", "EXCLUDED"),
     ("WAITING_PAYMENT", "RESERVED")],
)  # fmt: skip
def test_a_ticket_follows_its_sale(
    visitor: Client, empty: HotmartEmulator, sale_status: str, ticket_status: str
) -> None:
    (event_id,) = empty.event_ids
    sale = empty.add_sale(product_id=event_id)
    before = empty.clock.now()
    empty.clock.advance(60)
    empty.move(sale.transaction, sale_status)
    path = f"/events/api/v1/{event_id}/participants"
    tickets = visitor.items(path, ticket_status=ticket_status)
    assert {row["buyer"].get("ucode") for row in tickets} == {sale.buyer.get("ucode")}
    changed = visitor.items(path, ticket_status=ticket_status, last_update=ms(before) + 30_000)
    assert changed == tickets
