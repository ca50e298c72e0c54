"""What the endpoints say agrees with each other."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_hotmart.api.enums import PaymentType, RecurrencyStatus, SubscriptionStatus
from airflow_provider_hotmart.emulator import Clock, HotmartEmulator
from tests.unit.emulator.support import NOW, emulator

Row = dict[str, Any]
PAID = {"APPROVED", "COMPLETE", "PROTESTED", "PARTIALLY_REFUNDED", "REFUNDED", "CHARGEBACK"}


@pytest.fixture(scope="module")
def shop() -> HotmartEmulator:
    """A year of sales; nothing is changed in it."""
    return emulator(sales=3000, days=365)


def by_transaction(rows: list[Row]) -> dict[str, Row]:
    return {row["purchase"]["transaction"] if "purchase" in row else row["transaction"]: row for row in rows}


@pytest.fixture(scope="module")
def history(shop: HotmartEmulator) -> dict[str, Row]:
    return by_transaction(shop.truth_rows("sales/history"))


def cents(amount: float) -> int:
    return round(amount * 100)


def test_commissions_add_up_to_the_price_less_the_fee(shop: HotmartEmulator, history: dict[str, Row]) -> None:
    in_dollars = 0
    for row in shop.truth_rows("sales/commissions"):
        fee = history[row["transaction"]]["purchase"]["hotmart_fee"]
        total = 0
        for one in row["commissions"]:
            value, currency = one["commission"]["value"], one["commission"]["currency_code"]
            converted = currency != fee["currency_code"]
            in_dollars += converted
            # A dollar is five reais.
            total += cents(value) * (5 if converted else 1)
        assert total == cents(fee["base"]) - cents(fee["total"])
        assert fee["total"] == pytest.approx(fee["base"] * fee["percentage"] / 100 + fee["fixed"], abs=0.006)
        assert {one["source"] for one in row["commissions"]} >= {"PRODUCER"}
    assert in_dollars > 10


def test_a_price_is_made_of_its_parts(shop: HotmartEmulator, history: dict[str, Row]) -> None:
    with_coupon = currencies = 0
    offers = {row["code"]: row for one in shop.products for row in offers_of(shop, one)}
    deleted = {one["id"] for one in shop.products if one["status"] == "DELETED"}
    for row in shop.truth_rows("sales/price/details"):
        purchase = history[row["transaction"]]["purchase"]
        assert {row[part]["currency_code"] for part in ("base", "total", "vat")} == {purchase["price"]["currency_code"]}
        parts = cents(row["base"]["value"]) + cents(row["vat"]["value"]) + cents(row.get("fee", {}).get("value", 0))
        assert parts == cents(row["total"]["value"]) == cents(purchase["price"]["value"])
        if row["product"]["id"] in deleted:
            assert purchase["offer"]["code"] not in offers, "nothing is offered any more"
            continue
        offer = offers[purchase["offer"]["code"]]
        discount = row.get("coupon", {}).get("value", 0)
        with_coupon += bool(discount)
        currencies += row["base"]["currency_code"] != offer["price"]["currency_code"]
        assert cents(purchase["hotmart_fee"]["base"]) == pytest.approx(
            cents(offer["price"]["value"]) * (1 - discount), abs=1
        )
        assert purchase["offer"]["payment_mode"] == offer["payment_mode"]
        assert row["base"]["value"] == pytest.approx(
            purchase["hotmart_fee"]["base"] * row["real_conversion_rate"], rel=0.01
        )
    assert with_coupon > 50
    assert currencies > 50


def offers_of(shop: HotmartEmulator, product: Row) -> list[Row]:
    return shop.truth_rows("products/:ucode/offers", ucode=product["ucode"])


def test_money_is_a_whole_number_where_it_is_one(history: dict[str, Row]) -> None:
    values = [row["purchase"]["price"]["value"] for row in history.values()]
    assert {type(value) for value in values} == {int, float}
    assert all(isinstance(value, int) or value != int(value) for value in values)


def test_the_history_tells_what_is_known_of_a_sale(shop: HotmartEmulator, history: dict[str, Row]) -> None:
    now = NOW.timestamp()
    kinds = set()
    for sale in shop.sales:
        row = history[sale.transaction]
        purchase = row["purchase"]
        assert purchase["status"] == sale.status_at(now)
        assert purchase["order_date"] == sale.ordered_at * 1000
        approved = sale.approved_at if sale.is_approved(now) else None
        assert purchase.get("approved_date") == (None if approved is None else approved * 1000)
        assert ("warranty_expire_date" in purchase) is (approved is not None)
        assert "ucode" not in row["product"]
        assert row["buyer"].get("ucode") == sale.participants[1]["user"].get("ucode")
        assert purchase["payment"]["type"] in set(PaymentType)
        kinds.add(purchase["payment"]["type"])
        if purchase["status"] == "PRINTED_BILLET":
            assert purchase["payment"]["type"] == "BILLET"
        if purchase["status"] in ("NO_FUNDS", "UNDER_ANALISYS", "OVERDUE"):
            assert purchase["payment"]["type"] == "CREDIT_CARD"
    assert len(kinds) > 6
    assert any("tracking" not in row["purchase"] for row in history.values())
    assert any("recurrency_number" in row["purchase"] for row in history.values() if not subscribed(row))


def subscribed(row: Row) -> bool:
    return bool(row["purchase"]["is_subscription"])


def test_a_moved_sale_keeps_its_price(shop: HotmartEmulator) -> None:
    hotmart = emulator(sales=300)
    before = by_transaction(hotmart.truth_rows("sales/price/details"))
    for sale in hotmart.sales:
        hotmart.move(sale.transaction, "REFUNDED")
    assert by_transaction(hotmart.truth_rows("sales/price/details")) == before


def test_subscriptions_agree_with_the_sales_that_they_were_charged_by(
    shop: HotmartEmulator, history: dict[str, Row]
) -> None:
    charges = by_transaction(shop.truth_rows("subscriptions/transactions"))
    assert set(charges) == {code for code, row in history.items() if subscribed(row)}
    by_subscriber: dict[str, list[Row]] = defaultdict(list)
    for code, row in charges.items():
        purchase = history[code]["purchase"]
        assert row["recurrency"]["number"] == purchase["recurrency_number"]
        assert row["purchase"]["order_date"] == purchase["order_date"]
        assert row["purchase"].get("approved_date") == purchase.get("approved_date")
        assert row["purchase"]["price"]["total_value"] == purchase["price"]["value"]
        assert row["plan"]["offer"]["key"] == purchase["offer"]["code"]
        assert (row["recurrency"]["status"] == "NOT_PAID") is (purchase["status"] not in PAID)
        by_subscriber[row["subscriber_code"]].append(row)
    assert max(len(rows) for rows in by_subscriber.values()) > 4
    assert any(row["recurrency"]["has_retry"] for row in charges.values())
    for row in shop.truth_rows("subscriptions"):
        own = by_subscriber[row["subscriber_code"]]
        assert {one["subscriber"].get("email") for one in own} == {row["subscriber"].get("email")}
        assert row["transaction"] == max(own, key=lambda one: one["purchase"]["order_date"])["purchase"]["transaction"]
        assert {one["status"] for one in own} == {row["status"]}
        plan = next(
            one for one in offers_and_plans(shop, row["product"]["ucode"]) if one["name"] == row["plan"]["name"]
        )
        assert row["price"] == plan["price"]


def offers_and_plans(shop: HotmartEmulator, ucode: str) -> list[Row]:
    return shop.truth_rows("products/:ucode/plans", ucode=ucode)


def test_the_two_lists_of_subscriptions_agree(shop: HotmartEmulator) -> None:
    rows = {row["subscription_id"]: row for row in shop.truth_rows("subscriptions")}
    found = shop.truth_rows("subscriptions/summary")
    assert {row["subscription_id"] for row in found} == set(rows)
    for row in found:
        same = rows[row["subscription_id"]]
        for key in ("subscriber_code", "status", "accession_date", "end_accession_date", "date_next_charge", "trial"):
            assert row.get(key) == same.get(key)
        assert row["lifetime"] >= 0
        assert row["last_recurrency"]["status"] in set(RecurrencyStatus)
        assert ("unpaid_recurrencies" in row) <= (row["status"] not in ("STARTED", "INACTIVE"))
    assert any(row.get("unpaid_recurrencies") for row in found)


def test_subscriptions_of_every_status_are_there_and_only_ended_ones_have_an_end(shop: HotmartEmulator) -> None:
    rows = shop.truth_rows("subscriptions")
    assert {row["status"] for row in rows} == set(SubscriptionStatus)
    for row in rows:
        assert ("end_accession_date" in row) is (row["status"].startswith("CANCELLED") or row["status"] == "OVERDUE")


def test_a_subscription_changes_while_time_passes() -> None:
    clock = Clock(frozen=NOW)
    hotmart = emulator(sales=0, clock=clock)
    (product,) = [one for one in hotmart.products if one["is_subscription"]][:1]
    sale = hotmart.add_sale(
        product_id=product["id"], life=[(NOW, "WAITING_PAYMENT"), (NOW + timedelta(days=1), "APPROVED")]
    )

    def status() -> str:
        (row,) = hotmart.truth_rows("subscriptions")
        return str(row["status"])

    assert status() == "STARTED"
    clock.advance(timedelta(days=2))
    assert status() == "ACTIVE"
    clock.advance(timedelta(days=30))
    assert status() == "DELAYED"
    hotmart.add_sale(product_id=product["id"], buyer=sale)
    assert status() == "ACTIVE"
    (row,) = hotmart.truth_rows("subscriptions/summary")
    assert (row["last_recurrency"]["number"], row["last_recurrency"]["status"]) == (2, "PAID")
    hotmart.move(sale.transaction, "CHARGEBACK")
    assert status() == "CANCELLED_BY_ADMIN"
    hotmart.remove(sale.transaction)
    assert status() == "ACTIVE"


def test_tickets_belong_to_the_sales_of_events(shop: HotmartEmulator, history: dict[str, Row]) -> None:
    for event_id in shop.event_ids:
        sold = [row for row in history.values() if row["product"]["id"] == event_id]
        paid = {row["buyer"].get("ucode") for row in sold if row["purchase"]["status"] in ("APPROVED", "COMPLETE")}
        tickets = shop.truth_rows("events/:event_id/participants", event_id=event_id)
        owners = {row["buyer"].get("ucode") for row in tickets if row["eticket"]["ticket_type"] == "PAID"}
        assert paid <= owners <= {row["buyer"].get("ucode") for row in sold}
        (info,) = shop.truth_rows("events/:event_id/info", event_id=event_id)
        assert {row["lot"]["id"] for row in tickets} <= {lot["id"] for lot in info["lots"]}
        assert len({row["eticket"]["id"] for row in tickets}) == len(tickets)


def test_the_users_of_the_club_are_the_buyers_of_its_product(shop: HotmartEmulator, history: dict[str, Row]) -> None:
    statuses = set()
    for name, product_id in shop.club_subdomains.items():
        paid = [
            row
            for row in history.values()
            if row["product"]["id"] == product_id and "approved_date" in row["purchase"] and row["buyer"].get("email")
        ]
        users = shop.truth_rows("club/users", subdomain=name)
        buyers = {user["email"]: user for user in users if user["type"] == "BUYER"}
        assert set(buyers) == {row["buyer"]["email"] for row in paid}
        for row in paid:
            assert buyers[row["buyer"]["email"]]["purchase_date"] <= row["purchase"]["approved_date"]
        assert [user["role"] for user in users].count("OWNER") == 1
        assert len({user["user_id"] for user in users}) == len(users)
        statuses |= {user["status"] for user in users}
    assert statuses == {"ACTIVE", "BLOCKED", "OVERDUE"}


def test_no_date_lies_in_the_future_of_what_has_happened(shop: HotmartEmulator) -> None:
    for name in shop.club_subdomains:
        for user in shop.truth_rows("club/users", subdomain=name):
            dates = [user.get(key, 0) for key in ("purchase_date", "first_access_date", "last_access_date")]
            assert all(datetime.fromtimestamp(date / 1000, UTC) <= NOW for date in dates)
