"""Products and sales, over real sockets."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_hotmart.api.enums import ProductFormat, ProductStatus
from airflow_provider_hotmart.emulator import HotmartEmulator
from tests.unit.emulator.support import NOW, PRODUCTS, SALES, STATES, Client, everything, identities, ms


def test_products_are_listed_with_all_their_fields(client: Client, hotmart: HotmartEmulator) -> None:
    body = client.get(PRODUCTS).json()
    assert body["items"] == hotmart.products
    assert body["page_info"] == {"results_per_page": 20}
    fields = {"id", "name", "ucode", "status", "created_at", "format", "is_subscription", "warranty_period"}
    assert all(set(item) == fields for item in body["items"])
    assert {item["status"] for item in body["items"]} == set(ProductStatus)
    assert {item["format"] for item in body["items"]} == set(ProductFormat)


def test_products_are_filtered(client: Client, hotmart: HotmartEmulator) -> None:
    for key, value in (("id", hotmart.products[3]["id"]), ("status", "PAUSED"), ("format", "EBOOK")):
        expected = [product for product in hotmart.products if product[key] == value]
        assert expected
        assert client.items(PRODUCTS, **{key: value}, max_results=1) == expected
    assert client.items(PRODUCTS, format="HOLOGRAM") == []
    assert client.error(PRODUCTS, status="HAPPY") == (400, "invalid_parameter")


def test_a_listing_finds_exactly_the_truth(client: Client, hotmart: HotmartEmulator) -> None:
    found: set[Any] = set()
    for status in STATES:
        found |= identities(client.items(**everything(transaction_status=status, max_results=37)), status)
    assert found == hotmart.truth()
    assert len({one[0] for one in found}) == 1000


def test_the_listing_follows_the_clock_forward_and_back(client: Client, hotmart: HotmartEmulator) -> None:
    for days in (0.01, 1, 9, 40, -20, -31):
        hotmart.clock.advance(timedelta(days=days))
        client.log_in()
        for status in STATES:
            found = identities(client.items(**everything(transaction_status=status)), status)
            assert found == hotmart.truth(status), (days, status)


@pytest.mark.parametrize("date_filter", ["order", "approval"])
def test_a_window_holds_the_sales_of_the_date_that_is_filtered(
    client: Client, hotmart: HotmartEmulator, date_filter: Any
) -> None:
    hotmart.quirks.date_filter = date_filter
    start, end = NOW - timedelta(days=20), NOW - timedelta(days=10)
    found = client.items(start_date=ms(start) - 1, end_date=ms(end) - 1, transaction_status="COMPLETE")
    assert identities(found, "COMPLETE") == hotmart.truth("COMPLETE", start, end)


def test_the_two_kinds_of_date_differ_for_a_boleto(visitor: Client, empty: HotmartEmulator) -> None:
    paid = empty.add_sale(ordered_at=NOW - timedelta(days=5), approved_at=NOW - timedelta(days=2))
    window = {"start_date": ms(NOW - timedelta(days=3)), "end_date": ms(NOW), "transaction_status": "APPROVED"}
    assert visitor.transactions(**window) == []
    assert empty.truth(start=NOW - timedelta(days=3)) == set()
    empty.quirks.date_filter = "approval"
    assert visitor.transactions(**window) == [paid.transaction]
    assert empty.truth(start=NOW - timedelta(days=3)) != set()


def test_without_status_or_transaction_only_approved_and_complete_come_back(
    client: Client, hotmart: HotmartEmulator
) -> None:
    found = set(client.transactions(**everything()))
    assert found == {one[0] for one in hotmart.truth(["APPROVED", "COMPLETE"])}


def test_a_transaction_is_found_whatever_its_status_and_date(client: Client, hotmart: HotmartEmulator) -> None:
    for sale in hotmart.sales[::100]:
        assert client.transactions(transaction=sale.transaction) == [sale.transaction]
    refunded = next(iter(hotmart.truth("REFUNDED")))[0]
    assert client.transactions(transaction=refunded, transaction_status="APPROVED") == []
    assert client.transactions(transaction="HP0") == []


def test_an_item_shows_the_sale_without_status_or_date(client: Client, hotmart: HotmartEmulator) -> None:
    sale = hotmart.sales[10]
    (item,) = client.items(transaction=sale.transaction)
    product = next(product for product in hotmart.products if product["id"] == sale.product_id)
    assert item == {
        "transaction": sale.transaction,
        "product": {"name": product["name"], "id": product["id"]},
        "users": sale.participants,
    }


def test_the_other_filters_filter(client: Client, hotmart: HotmartEmulator) -> None:
    sale = next(s for s in hotmart.sales if s.participants[1]["user"].get("email") and s.participants[2:])
    buyer = sale.participants[1]["user"]
    window = everything(transaction_status=sale.status_at(NOW.timestamp()))
    assert sale.transaction in client.transactions(**window, buyer_email=buyer["email"])
    assert sale.transaction in client.transactions(**window, buyer_name=buyer["name"])
    by_product = {one[0] for one in hotmart.truth("COMPLETE", product_id=sale.product_id)}
    complete = everything(transaction_status="COMPLETE")
    assert set(client.transactions(**complete, product_id=sale.product_id)) == by_product
    assert len(client.items(**complete, commission_as="PRODUCER")) == len(client.items(**complete))
    assert client.items(**complete, commission_as="AFFILIATE") == []
    assert 0 < len(client.items(**complete, sales_source="google")) < len(client.items(**complete))
    affiliates = {
        one["user"]["name"] for sale in hotmart.sales for one in sale.participants if one["role"] == "AFFILIATE"
    }
    assert any(client.items(**complete, affiliate_name=name) for name in sorted(affiliates))
    assert client.items(**complete, affiliate_name="Ninguém") == []


def test_pages_carry_their_numbers(client: Client, hotmart: HotmartEmulator) -> None:
    total = len({one[0] for one in hotmart.truth("EXPIRED")})
    first = client.get(**everything(transaction_status="EXPIRED", max_results=total - 1)).json()["page_info"]
    token = first["next_page_token"]
    assert first == {"total_results": total, "next_page_token": token, "results_per_page": total - 1}
    assert json.loads(base64.b64decode(token)) == {"page": 2, "rows": total - 1}
    last = client.get(**everything(transaction_status="EXPIRED", max_results=total - 1, page_token=token)).json()
    assert last["page_info"] == {"total_results": total, "results_per_page": 1}


def test_a_page_that_is_just_full_is_the_last_one(visitor: Client, empty: HotmartEmulator) -> None:
    for _ in range(4):
        empty.add_sale()
    body = visitor.get(max_results=4).json()
    assert len(body["items"]) == 4
    assert "next_page_token" not in body["page_info"]


def test_the_page_size_is_50_unless_told_and_500_at_most(client: Client) -> None:
    assert len(client.get(start_date=0, end_date=ms(NOW)).json()["items"]) == 50
    assert len(client.get(start_date=0, end_date=ms(NOW), max_results=9999).json()["items"]) == 500


def test_the_newest_sale_comes_first(client: Client, hotmart: HotmartEmulator) -> None:
    dates = {sale.transaction: sale.ordered_at for sale in hotmart.sales}
    found = [dates[code] for code in client.transactions(**everything())]
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"transaction_status": "PAID"}, "invalid_parameter"),
        ({"transaction_status": "approved"}, "invalid_parameter"),
        ({"colour": "red"}, "invalid_parameter"),
        ({"commission_as": "KING"}, "invalid_parameter"),
        ({"max_results": 0}, "invalid_value_parameter"),
        ({"max_results": "many"}, "invalid_value_parameter"),
        ({"start_date": "2026-01-01", "end_date": 5}, "invalid_value_parameter"),
        ({"start_date": "1.5", "end_date": 5}, "invalid_value_parameter"),
        ({"start_date": 6, "end_date": 5}, "invalid_parameter"),
        ({"product_id": "x"}, "invalid_value_parameter"),
        ({"transaction": ""}, "invalid_value_parameter"),
        ({"page_token": "garbage"}, "invalid_token"),
        ({"page_token": base64.b64encode(b'{"page":2,"rows":7}').decode(), "max_results": 8}, "invalid_token"),
    ],
)
def test_a_wrong_query_is_answered_400(client: Client, params: dict[str, Any], error: str) -> None:
    assert client.error(**params) == (400, error)


def test_a_wrong_status_is_named(client: Client) -> None:
    assert "transaction_status" in client.get(transaction_status="PAID").json()["error_description"]


def test_seconds_in_place_of_milliseconds_find_nothing(client: Client) -> None:
    assert client.items(start_date=0, end_date=int(NOW.timestamp())) == []


def test_select_keeps_what_it_names(client: Client, hotmart: HotmartEmulator) -> None:
    sale = hotmart.sales[10]
    (item,) = client.items(transaction=sale.transaction, select="transaction,users.role,users.user.documents.type")
    assert set(item) == {"transaction", "users"}
    assert item["users"][0] == {"role": "PRODUCER", "user": {"documents": [{"type": "CNPJ"}]}}
    assert client.items(PRODUCTS, select="id") == [{"id": product["id"]} for product in hotmart.products]


def test_select_that_matches_nothing_is_answered_with_an_empty_object(client: Client) -> None:
    assert client.get(select="user.email").json() == {}


def test_other_paths_and_methods_are_refused(client: Client, hotmart: HotmartEmulator) -> None:
    assert client.error("/payments/api/v1/nothing") == (404, "not_found")
    assert client.http.post(hotmart.url + SALES, timeout=10).status_code == 405
    assert client.http.get(hotmart.token_url, timeout=10).status_code == 405
