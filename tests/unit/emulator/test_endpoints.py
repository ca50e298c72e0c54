"""Every endpoint shows exactly what is there."""

from __future__ import annotations

import base64
import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_hotmart.emulator import HotmartEmulator
from tests.unit.emulator.support import NOW, STATES, Client, everything, ms

PAYMENTS = "/payments/api/v1/"
ALWAYS = {"accession_date": 0, "end_accession_date": ms(NOW)}
SALES_ENDPOINTS = ["sales/users", "sales/history", "sales/commissions", "sales/price/details"]


def as_set(rows: list[dict[str, Any]]) -> Counter[str]:
    return Counter(json.dumps(row, sort_keys=True) for row in rows)


def product(hotmart: HotmartEmulator, **wanted: Any) -> dict[str, Any]:
    return next(one for one in hotmart.products if all(one[key] == value for key, value in wanted.items()))


def club(hotmart: HotmartEmulator) -> str:
    """The members' area with the most students."""
    sales = Counter(sale.product_id for sale in hotmart.sales)
    return max(hotmart.club_subdomains, key=lambda name: sales[hotmart.club_subdomains[name]])


@pytest.mark.parametrize("endpoint", SALES_ENDPOINTS)
def test_sales_are_shown_by_all_their_endpoints(client: Client, hotmart: HotmartEmulator, endpoint: str) -> None:
    for status in STATES:
        found = client.items(PAYMENTS + endpoint, **everything(transaction_status=status, max_results=150))
        assert as_set(found) == as_set(hotmart.truth_rows(endpoint, transaction_status=status)), status
    assert len(hotmart.truth_rows(endpoint)) == 1000


@pytest.mark.parametrize(
    ("endpoint", "names"),
    [
        ("sales/users", ["buyer_name", "buyer_email", "sales_source", "affiliate_name"]),
        ("sales/history", ["buyer_name", "buyer_email", "sales_source", "payment_type", "offer_code"]),
        ("sales/commissions", []),
        ("sales/price/details", ["payment_type"]),
        ("sales/summary", ["sales_source", "affiliate_name", "payment_type", "offer_code"]),
    ],
)
def test_each_endpoint_of_sales_takes_its_own_filters(
    client: Client, hotmart: HotmartEmulator, endpoint: str, names: list[str]
) -> None:
    sale = next(one for one in hotmart.sales if len(one.participants) > 2 and one.sales_source and one.buyer["email"])
    row = hotmart.truth_rows("sales/history", transaction=sale.transaction)[0]
    affiliates = [one["user"]["name"] for one in sale.participants if one["role"] == "AFFILIATE"]
    values = {
        "product_id": sale.product_id,
        "buyer_name": row["buyer"]["name"],
        "buyer_email": row["buyer"]["email"],
        "sales_source": sale.sales_source,
        "affiliate_name": affiliates[0] if affiliates else "Ninguém",
        "payment_type": row["purchase"]["payment"]["type"],
        "offer_code": row["purchase"]["offer"]["code"],
    }
    paid = everything(transaction_status=row["purchase"]["status"])
    for name, value in values.items():
        if name == "product_id" or name in names:
            found = client.items(PAYMENTS + endpoint, **paid, **{name: value})
            truth = hotmart.truth_rows(endpoint, transaction_status=row["purchase"]["status"], **{name: value})
            assert as_set(found) == as_set(truth), name
        else:
            assert client.error(PAYMENTS + endpoint, **{name: value}) == (400, "invalid_parameter")
    takes_roles = endpoint in ("sales/users", "sales/history", "sales/commissions")
    assert client.get(PAYMENTS + endpoint, commission_as="PRODUCER").status_code == (200 if takes_roles else 400)


@pytest.mark.parametrize("date_filter", ["order", "approval"])
@pytest.mark.parametrize("endpoint", [*SALES_ENDPOINTS, "sales/summary"])
def test_a_window_of_dates_holds_what_it_should(
    client: Client, hotmart: HotmartEmulator, endpoint: str, date_filter: Any
) -> None:
    hotmart.quirks.date_filter = date_filter
    start, end = NOW - timedelta(days=20), NOW - timedelta(days=10)
    found = client.items(PAYMENTS + endpoint, start_date=ms(start) - 1, end_date=ms(end) - 1, max_results=500)
    truth = hotmart.truth_rows(endpoint, transaction_status=["APPROVED", "COMPLETE"], start_date=start, end_date=end)
    assert as_set(found) == as_set(truth)
    assert truth


def test_the_summary_counts_the_rows_of_the_history(client: Client, hotmart: HotmartEmulator) -> None:
    rows = client.items(PAYMENTS + "sales/summary", **everything())
    assert [row["total_value"]["currency_code"] for row in rows] == ["BRL", "USD"]
    assert sum(row["total_items"] for row in rows) == len(client.items(PAYMENTS + "sales/history", **everything()))
    body = client.get(PAYMENTS + "sales/summary", **everything(max_results=1)).json()
    assert (body["page_info"]["total_results"], len(body["items"])) == (2, 1)


@pytest.mark.parametrize("endpoint", ["subscriptions", "subscriptions/summary"])
def test_all_subscriptions_are_shown(client: Client, hotmart: HotmartEmulator, endpoint: str) -> None:
    found = client.items(PAYMENTS + endpoint, **ALWAYS, max_results=7)
    assert as_set(found) == as_set(hotmart.truth_rows(endpoint))
    assert len({row["subscriber_code"] for row in found}) == len({row["subscription_id"] for row in found}) > 50
    info = client.get(PAYMENTS + endpoint, **ALWAYS).json()["page_info"]
    assert info.get("total_results") == (len(found) if endpoint == "subscriptions" else None)


def test_subscriptions_are_filtered(client: Client, hotmart: HotmartEmulator) -> None:
    rows = hotmart.truth_rows("subscriptions")
    row = next(row for row in rows if row["subscriber"].get("email") and row["trial"])
    for name, value in {
        "product_id": row["product"]["id"],
        "plan": [row["plan"]["name"], "Plano anual"],
        "plan_id": row["plan"]["id"],
        "status": ["ACTIVE", row["status"]],
        "subscriber_code": row["subscriber_code"],
        "subscriber_email": row["subscriber"]["email"],
        "transaction": row["transaction"],
    }.items():
        truth = hotmart.truth_rows("subscriptions", **{name: value})
        assert as_set(client.items(PAYMENTS + "subscriptions", **ALWAYS, **{name: value})) == as_set(truth), name
        assert row in truth
        assert len(truth) < len(rows)
    for text, value in (("true", True), ("false", False)):
        truth = hotmart.truth_rows("subscriptions", trial=value)
        assert as_set(client.items(PAYMENTS + "subscriptions", **ALWAYS, trial=text)) == as_set(truth)
    assert client.error(PAYMENTS + "subscriptions", status="HAPPY") == (400, "invalid_parameter")
    assert client.error(PAYMENTS + "subscriptions", start_date=5) == (400, "invalid_parameter")


@pytest.mark.parametrize("pair", ["accession_date", "cancelation_date", "date_next_charge"])
def test_subscriptions_have_three_kinds_of_dates(client: Client, hotmart: HotmartEmulator, pair: str) -> None:
    start, end = NOW - timedelta(days=25), NOW - timedelta(days=2)
    truth = hotmart.truth_rows("subscriptions", **{pair: start, f"end_{pair}": end})
    window = {pair: ms(start) - 1, f"end_{pair}": ms(end) - 1}
    assert as_set(client.items(PAYMENTS + "subscriptions", **window)) == as_set(truth)
    assert 0 < len(truth) < len(hotmart.truth_rows("subscriptions"))


def test_summaries_of_subscriptions_have_a_start_of_the_next_charge(client: Client, hotmart: HotmartEmulator) -> None:
    truth = hotmart.truth_rows("subscriptions/summary", date_next_charge=NOW)
    assert as_set(client.items(PAYMENTS + "subscriptions/summary", date_next_charge=ms(NOW) - 1)) == as_set(truth)
    assert 0 < len(truth) < len(hotmart.truth_rows("subscriptions/summary"))
    refused = client.error(PAYMENTS + "subscriptions/summary", date_next_charge=0, end_date_next_charge=ms(NOW))
    assert refused == (400, "invalid_parameter")


def test_the_charges_of_subscriptions_are_shown(client: Client, hotmart: HotmartEmulator) -> None:
    path = PAYMENTS + "subscriptions/transactions"
    window = {"transaction_date": 0, "end_transaction_date": ms(NOW), "max_results": 60}
    rows = client.items(path, **window)
    assert as_set(rows) == as_set(hotmart.truth_rows("subscriptions/transactions"))
    row = next(row for row in rows if row["subscriber"].get("email") and row["recurrency"]["number"] > 1)
    for name, value in {
        "product_id": row["product"]["id"],
        "transaction": row["purchase"]["transaction"],
        "subscriber_name": row["subscriber"]["name"],
        "subscriber_email": row["subscriber"]["email"],
        "subscriber_code": row["subscriber_code"],
        "billing_type": "SUBSCRIPTION",
        "subscription_status": row["status"],
        "recurrency_status": row["recurrency"]["status"],
        "purchase_status": row["purchase"]["status"],
        "offer_code": row["plan"]["offer"]["key"],
        "purchase_payment_type": row["purchase"]["payment"]["payment_type"],
    }.items():
        truth = hotmart.truth_rows("subscriptions/transactions", **{name: value})
        assert as_set(client.items(path, **window, **{name: value})) == as_set(truth), name
        assert row in truth
    recent = hotmart.truth_rows("subscriptions/transactions", transaction_date=NOW - timedelta(days=30))
    assert as_set(client.items(path)) == as_set(recent)
    assert client.error(path, start_date=0) == (400, "invalid_parameter")
    assert "total_results" not in client.get(path, **window).json()["page_info"]


def test_the_purchases_of_a_subscriber_are_a_bare_array(client: Client, hotmart: HotmartEmulator) -> None:
    for row in hotmart.truth_rows("subscriptions")[:20]:
        code = row["subscriber_code"]
        found = client.get(f"{PAYMENTS}subscriptions/{code}/purchases").json()
        assert found == hotmart.truth_rows("subscriptions/:subscriber_code/purchases", subscriber_code=code)
        assert found[-1]["transaction"] == row["transaction"]
    assert client.error(f"{PAYMENTS}subscriptions/NOBODY00/purchases") == (404, "not_found")


def test_the_offers_plans_and_coupons_of_a_product_are_shown(client: Client, hotmart: HotmartEmulator) -> None:
    coupons = 0
    for one in hotmart.products:
        path = f"/products/api/v1/products/{one['ucode']}/"
        for kind in ("offers", "plans") if one["is_subscription"] else ("offers",):
            found = client.items(path + kind, max_results=1)
            assert found == hotmart.truth_rows(f"products/:ucode/{kind}", ucode=one["ucode"])
            assert bool(found) is (one["status"] != "DELETED")
        path = f"/products/api/v1/coupon/product/{one['id']}"
        truth = hotmart.truth_rows("coupon/product/:product_id", product_id=one["id"])
        assert client.items(path, max_results=1) == truth
        for row in truth:
            assert client.items(path, code=row["coupon_code"]) == [row]
        coupons += len(truth)
    assert coupons > 5
    assert client.error("/products/api/v1/coupon/product/1") == (404, "not_found")
    info = client.get(f"/products/api/v1/products/{hotmart.products[0]['ucode']}/offers", max_results=1).json()
    assert "total_results" not in info["page_info"]
    assert json.loads(base64.b64decode(info["page_info"]["next_page_token"])) == {"page": 2, "size": 1}


def test_the_club_shows_its_modules_and_their_pages(client: Client, hotmart: HotmartEmulator) -> None:
    assert len(hotmart.club_subdomains) > 3
    for name, product_id in hotmart.club_subdomains.items():
        modules = client.get("/club/api/v1/modules", subdomain=name).json()
        extras = client.get("/club/api/v1/modules", subdomain=name, is_extra="true").json()
        assert modules == hotmart.truth_rows("club/modules", subdomain=name)
        assert extras == hotmart.truth_rows("club/modules", subdomain=name, is_extra=True)
        assert [row["sequence"] for row in [*modules, *extras]] == list(range(1, len(modules) + 2))
        for module in modules:
            path = f"modules/{module['module_id']}/pages"
            pages = client.get(f"/club/api/v2/{path}", product_id=product_id).json()
            assert pages == client.get(f"/club/api/v1/{path}").json()
            truth = hotmart.truth_rows("club/modules/:module_id/pages", subdomain=name, module_id=module["module_id"])
            assert pages == truth
            assert len(pages) == module["total_pages"]
    answer = client.get(f"/club/api/v2/{path}")
    assert (answer.status_code, "error" in answer.json()) == (422, False)
    assert client.get("/club/api/v1/modules/nothing/pages").status_code == 404


def test_the_club_shows_its_users_and_their_lessons(client: Client, hotmart: HotmartEmulator) -> None:
    name = club(hotmart)
    users = client.items("/club/api/v1/users", subdomain=name, max_results=9)
    assert users == hotmart.truth_rows("club/users", subdomain=name)
    total = client.get("/club/api/v1/users", subdomain=name).json()["page_info"]["total_results"]
    assert total == len(users)
    part = users[-1]["email"][:9].upper()
    some = client.items("/club/api/v1/users", subdomain=name, email=part)
    assert users[-1] in some
    assert some == [row for row in users if part.lower() in row["email"]]
    for user in users[:40]:
        path = f"/club/api/v1/users/{user['user_id']}/lessons"
        lessons = client.get(path, subdomain=name).json()
        truth = hotmart.truth_rows("club/users/:user_id/lessons", subdomain=name, user_id=user["user_id"])
        assert lessons == {"lessons": truth}
        done = [lesson for lesson in truth if lesson["is_completed"]]
        assert (len(truth), len(done)) == (user["progress"]["total"], user["progress"]["completed"])
        assert all(("completed_date" in lesson) is lesson["is_completed"] for lesson in truth)
    assert any(user["progress"]["completed"] for user in users)
    assert client.get("/club/api/v1/users/nobody/lessons", subdomain=name).status_code == 404


def test_an_event_shows_itself_and_its_tickets(client: Client, hotmart: HotmartEmulator) -> None:
    (event_id,) = hotmart.event_ids
    info = client.get(f"/events/api/v1/{event_id}/info").json()
    assert [info] == hotmart.truth_rows("events/:event_id/info", event_id=event_id)
    path, name = f"/events/api/v1/{event_id}/participants", "events/:event_id/participants"
    tickets = client.items(path, max_results=7)
    assert as_set(tickets) == as_set(hotmart.truth_rows(name, event_id=event_id))
    assert {row["eticket"]["ticket_status"] for row in tickets} == {"SOLD", "INVITE"}
    refunded = client.items(path, ticket_status="REFUNDED")
    assert as_set(refunded) == as_set(hotmart.truth_rows(name, event_id=event_id, ticket_status="REFUNDED"))
    row = next(row for row in tickets if row["participant"]["email"] and row["eticket"]["ticket_type"] == "PAID")
    for key, value in {
        "buyer_email": row["buyer"]["email"],
        "participant_email": row["participant"]["email"],
        "id_lot": row["lot"]["id"],
        "ticket_type": "PAID",
        "checkin_status": row["eticket"]["checkin_status"],
        "id_eticket": row["eticket"]["id"],
        "ticket_qr_code": row["eticket"]["ticket_qr_code"],
    }.items():
        truth = hotmart.truth_rows(name, event_id=event_id, **{key: value})
        assert as_set(client.items(path, **{key: value})) == as_set(truth), key
        assert row in truth
    assert as_set(client.items(path, ticket_type="ALL", checkin_status="ALL")) == as_set(tickets)
    since = sorted(row["eticket"]["current_update"] for row in tickets)[-10]
    assert len(client.items(path, last_update=since)) == 10
    assert client.error(f"/events/api/v1/{hotmart.products[0]['id']}/info") == (404, "not_found")
    assert client.get(path).json()["page_info"]["total_results"] == len(tickets)


def test_the_account_shows_itself(client: Client, hotmart: HotmartEmulator) -> None:
    profile = client.get("/user/api/v1/me").json()
    assert [profile] == hotmart.truth_rows("user/me")
    assert (profile["email"], profile["currency_code"]) == ("producer@example.com", "BRL")


def test_select_keeps_what_it_names_everywhere(client: Client, hotmart: HotmartEmulator) -> None:
    paths = {
        PAYMENTS + "sales/history": ("purchase.transaction,buyer.email", {"purchase", "buyer"}),
        PAYMENTS + "subscriptions": ("subscriber_code", {"subscriber_code"}),
        f"/products/api/v1/products/{hotmart.products[0]['ucode']}/offers": ("code", {"code"}),
    }
    for path, (select, keys) in paths.items():
        assert set().union(*client.items(path, select=select)) == keys


def test_truth_is_refused_for_what_does_not_exist(hotmart: HotmartEmulator) -> None:
    with pytest.raises(ValueError, match="no such endpoint: sales; there are products"):
        hotmart.truth_rows("sales")
    with pytest.raises(ValueError, match="sales/history has no filter colour"):
        hotmart.truth_rows("sales/history", colour="red")
    with pytest.raises(ValueError, match="no such product"):
        hotmart.truth_rows("products/:ucode/offers", ucode="x")
