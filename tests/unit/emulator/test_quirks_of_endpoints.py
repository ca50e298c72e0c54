"""How the API behaves where its documentation is silent: endpoints other than those of products and participants."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_hotmart.emulator import HotmartEmulator
from tests.unit.emulator.support import NOW, Client, everything, ms

PAYMENTS = "/payments/api/v1/"
ALWAYS = {"accession_date": 0, "end_accession_date": ms(NOW), "max_results": 500}


def ids(rows: list[dict[str, Any]]) -> set[int]:
    return {row["subscription_id"] for row in rows}


def test_the_currency_of_a_commission_has_one_of_two_keys(client: Client, hotmart: HotmartEmulator) -> None:
    for key in ("currency_code", "currency_value"):
        hotmart.quirks.commission_currency_key = key  # type: ignore[assignment]
        rows = client.items(PAYMENTS + "sales/commissions", **everything(max_results=100))
        assert {tuple(one["commission"]) for row in rows for one in row["commissions"]} == {("value", key)}
    assert rows == client.items(PAYMENTS + "sales/commissions", **everything())
    assert hotmart.truth_rows("sales/commissions", transaction=rows[0]["transaction"]) == rows[:1]


def test_price_details_may_refuse_what_their_page_does_not_name(client: Client, hotmart: HotmartEmulator) -> None:
    path = PAYMENTS + "sales/price/details"
    assert client.items(path, **everything(transaction_status="NO_FUNDS"))
    hotmart.quirks.price_statuses = "documented"
    assert client.error(path, transaction_status="NO_FUNDS") == (400, "invalid_parameter")
    assert client.get(path, transaction_status="OVERDUE").status_code == 200


def test_the_dates_of_the_look_back_and_of_the_order_hold_for_all_sales(
    client: Client, hotmart: HotmartEmulator
) -> None:
    hotmart.quirks.look_back, hotmart.quirks.order = "age", "shuffled"
    for endpoint in ("history", "commissions", "price/details", "users"):
        path = f"{PAYMENTS}sales/{endpoint}"
        assert client.error(path, start_date=ms(NOW - timedelta(days=731)), end_date=ms(NOW))[0] == 400
        window = {"start_date": ms(NOW - timedelta(days=90)), "end_date": ms(NOW), "max_results": 500}
        assert client.get(path, **window).json()["items"] != client.get(path, **window).json()["items"]
    window = {"accession_date": ms(NOW - timedelta(days=800)), "max_results": 500}
    assert client.items(PAYMENTS + "subscriptions", **window) == client.items(PAYMENTS + "subscriptions", **window)


def test_default_dates_of_subscriptions(client: Client, hotmart: HotmartEmulator) -> None:
    path, month = PAYMENTS + "subscriptions", NOW - timedelta(days=30)
    recent = ids(hotmart.truth_rows("subscriptions", accession_date=month))
    assert ids(client.items(path)) == recent
    cancelled = hotmart.truth_rows("subscriptions", cancelation_date=month)
    asked = {"cancelation_date": ms(month), "max_results": 500}
    assert ids(client.items(path, **asked)) == ids(cancelled)
    assert ids(client.items(path, **ALWAYS)) == ids(hotmart.truth_rows("subscriptions"))
    hotmart.quirks.subscription_dates = "combined"
    assert ids(client.items(path, **asked)) == ids(cancelled) & recent
    old = {
        row["subscription_id"]
        for row in hotmart.truth_rows("subscriptions")
        if row["status"].startswith("CANCELLED") and row["end_accession_date"] < ms(month)
    }
    assert old
    assert ids(client.items(path, **ALWAYS)) == ids(hotmart.truth_rows("subscriptions")) - old
    everything_sent = ALWAYS | {"cancelation_date": 0, "end_cancelation_date": ms(NOW)}
    assert ids(client.items(path, **everything_sent)) == ids(hotmart.truth_rows("subscriptions", cancelation_date=0))


def test_a_subscription_that_is_named_is_found_whatever_its_date(client: Client, hotmart: HotmartEmulator) -> None:
    old = hotmart.truth_rows("subscriptions", end_accession_date=NOW - timedelta(days=60))[0]
    for name in ("subscriber_code", "transaction"):
        assert client.items(PAYMENTS + "subscriptions", **{name: old[name]}) == [old]


def test_the_end_of_the_accession_may_mean_the_cancelling(client: Client, hotmart: HotmartEmulator) -> None:
    path, middle = PAYMENTS + "subscriptions", NOW - timedelta(days=40)
    asked = {"accession_date": 0, "end_accession_date": ms(middle) - 1, "max_results": 500}
    assert ids(client.items(path, **asked)) == ids(hotmart.truth_rows("subscriptions", end_accession_date=middle))
    hotmart.quirks.end_accession_date = "cancelling"
    truth = hotmart.truth_rows("subscriptions", end_cancelation_date=middle)
    assert truth
    assert ids(client.items(path, **asked)) == ids(truth)


def test_summaries_may_be_a_day_old(client: Client, hotmart: HotmartEmulator) -> None:
    product = next(one for one in hotmart.products if one["is_subscription"])
    hotmart.quirks.summary_age = "day"
    sale = hotmart.add_sale(product_id=product["id"])
    code = hotmart.truth_rows("subscriptions", transaction=sale.transaction)[0]["subscriber_code"]
    paths = {"subscriptions": 1, "subscriptions/summary": 0, "subscriptions/transactions": 0}
    for path, count in paths.items():
        assert len(client.items(PAYMENTS + path, subscriber_code=code)) == count
        assert len(hotmart.truth_rows(path, subscriber_code=code)) == count
    hotmart.clock.advance(timedelta(days=1))
    for path in paths:
        assert len(client.items(PAYMENTS + path, subscriber_code=code)) == 1


def test_the_delay_of_a_payment_has_one_of_two_keys(client: Client, hotmart: HotmartEmulator) -> None:
    for key in ("payment_delays_days", "payment_delay_days"):
        hotmart.quirks.payment_delay_key = key  # type: ignore[assignment]
        rows = client.items(PAYMENTS + "subscriptions/transactions")
        assert all(key in row["recurrency"] for row in rows)
        assert any(row["recurrency"][key] > 0 for row in rows)


def test_dates_may_be_in_seconds_where_the_samples_have_them(client: Client, hotmart: HotmartEmulator) -> None:
    name = next(iter(hotmart.club_subdomains))
    whole = client.items(PAYMENTS + "subscriptions", **ALWAYS)
    users = client.items("/club/api/v1/users", subdomain=name)
    hotmart.quirks.date_unit = "seconds"
    for before, after in zip(whole, client.items(PAYMENTS + "subscriptions", **ALWAYS), strict=True):
        for key in ("accession_date", "request_date", "date_next_charge", "end_accession_date"):
            assert before.get(key, 0) == after.get(key, 0) * 1000
    for before, after in zip(users, client.items("/club/api/v1/users", subdomain=name), strict=True):
        assert before["access_count"] == after["access_count"]
        assert before.get("purchase_date", 0) == after.get("purchase_date", 0) * 1000


def test_odd_names_of_products(client: Client, hotmart: HotmartEmulator) -> None:
    product = hotmart.products[0]
    numeric = f"/products/api/v1/products/{product['id']}/offers"
    assert client.error(numeric) == (500, "internal_error")
    hotmart.quirks.numeric_ucode = "empty_body"
    answer = client.get(numeric)
    assert (answer.status_code, answer.content) == (200, b"")
    unknown = "/products/api/v1/products/00000000-0000-4000-8000-000000000000/offers"
    assert client.items(unknown) == []
    hotmart.quirks.unknown_ucode = "not_found"
    assert client.error(unknown) == (404, "not_found")
    plans = f"/products/api/v1/products/{product['ucode']}/plans"
    assert not product["is_subscription"]
    assert client.error(plans) == (400, "invalid_parameter")
    hotmart.quirks.no_plans = "empty"
    assert client.items(plans) == []


def test_the_club_needs_a_subdomain_that_exists(client: Client, hotmart: HotmartEmulator) -> None:
    for path in ("modules", "users", "users/x/lessons"):
        missing = client.get(f"/club/api/v1/{path}")
        assert (missing.status_code, set(missing.json())) == (422, {"code", "message"})
        wrong = client.get(f"/club/api/v1/{path}", subdomain="nothing")
        assert (wrong.status_code, wrong.json()["code"]) == (404, "0006")
    hotmart.quirks.club_without_subdomain = "empty"
    assert client.get("/club/api/v1/modules").json() == []
    assert client.items("/club/api/v1/users") == []
    assert client.get("/club/api/v1/users/x/lessons").json() == {"lessons": []}


def test_where_max_results_is_not_documented(client: Client, hotmart: HotmartEmulator) -> None:
    name = max(hotmart.club_subdomains, key=lambda name: len(hotmart.truth_rows("club/users", subdomain=name)))
    product_id = hotmart.club_subdomains[name]
    users, coupons = "/club/api/v1/users", f"/products/api/v1/coupon/product/{product_id}"
    assert len(client.get(users, subdomain=name, max_results=3).json()["items"]) == 3
    hotmart.quirks.undocumented_max_results = "ignored"
    assert len(client.get(users, subdomain=name, max_results=3).json()["items"]) == 20
    hotmart.quirks.undocumented_max_results = "error"
    assert client.get(users, subdomain=name, max_results=3).status_code == 400
    assert client.error(coupons, max_results=3) == (400, "invalid_parameter")
    assert client.get(coupons).status_code == 200


@pytest.mark.parametrize("most", [1, 4])
def test_pages_may_be_small_elsewhere(client: Client, hotmart: HotmartEmulator, most: int) -> None:
    hotmart.quirks.max_page_size_elsewhere = most
    name, (event_id,) = next(iter(hotmart.club_subdomains)), hotmart.event_ids
    for path, params in (
        ("/club/api/v1/users", {"subdomain": name}),
        (f"/events/api/v1/{event_id}/participants", {}),
        (f"/products/api/v1/products/{hotmart.products[0]['ucode']}/offers", {}),
    ):
        assert 0 < len(client.get(path, max_results=500, **params).json()["items"]) <= most
    assert client.items("/club/api/v1/users", subdomain=name) == hotmart.truth_rows("club/users", subdomain=name)
    assert len(client.get(max_results=60).json()["items"]) == 60


def test_the_token_of_the_page_before(client: Client, hotmart: HotmartEmulator) -> None:
    def infos() -> list[dict[str, Any]]:
        first = client.get(max_results=2).json()["page_info"]
        return [first, client.get(max_results=2, page_token=first["next_page_token"]).json()["page_info"]]

    assert all("prev_page_token" not in info for info in infos())
    hotmart.quirks.prev_page_token = "null"
    assert [info["prev_page_token"] for info in infos()] == [None, None]
    hotmart.quirks.prev_page_token = "token"
    first, second = infos()
    assert "prev_page_token" not in first
    page = client.get(max_results=2, page_token=second["prev_page_token"]).json()
    assert page["items"] == client.get(max_results=2).json()["items"]


def test_what_is_not_known_of_a_ticket_is_null_or_not_there(client: Client, hotmart: HotmartEmulator) -> None:
    path = f"/events/api/v1/{hotmart.event_ids[0]}/participants"
    rows = client.items(path)
    assert {tuple(row["participant"]) for row in rows} == {("id", "name", "email", "document", "phone")}
    assert any(set(row["participant"].values()) == {None} for row in rows)
    assert all(row["eticket"]["category"] is None and row["buyer"]["phone"] is None for row in rows)
    hotmart.quirks.ticket_nulls = False
    rows = client.items(path)
    assert all(None not in row["participant"].values() for row in rows)
    assert any(row["participant"] == {} for row in rows)
    assert all("category" not in row["eticket"] for row in rows)


@pytest.mark.parametrize("shape", ["items", "no_items", "object"])
def test_an_empty_result_looks_alike_everywhere(client: Client, hotmart: HotmartEmulator, shape: Any) -> None:
    hotmart.quirks.empty_shape = shape
    for path in ("sales/history", "subscriptions", "sales/summary"):
        body = client.get(PAYMENTS + path, product_id=1).json()
        assert ("items" in body, "page_info" in body) == (shape == "items", shape != "object")
