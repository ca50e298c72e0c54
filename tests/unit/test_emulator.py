"""The emulated account and its API, over real sockets."""

from __future__ import annotations

import base64
import concurrent.futures
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from graphlib import TopologicalSorter
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

import pytest
import requests

from airflow_provider_hotmart.api.enums import ProductFormat, ProductStatus, SaleStatus
from airflow_provider_hotmart.emulator import Call, Clock, HotmartEmulator, Quirks, Sale
from airflow_provider_hotmart.emulator.generate import SPREADS
from airflow_provider_hotmart.emulator.lives import MOVES, MOVES_BACK, life_line, life_through

SAO_PAULO = timezone(timedelta(hours=-3))
NOW = datetime(2026, 3, 15, 12, 0, 20, tzinfo=UTC)
STATES = [status for status in SaleStatus if status is not SaleStatus.DISPUTE]
PRODUCTS = "/products/api/v1/products"
SALES = "/payments/api/v1/sales/users"


def ms(moment: datetime | float) -> int:
    """Epoch milliseconds."""
    seconds = moment.timestamp() if isinstance(moment, datetime) else moment
    return round(seconds * 1000)


class Client:
    """Asks an emulator the way a simple client would."""

    def __init__(self, hotmart: HotmartEmulator) -> None:
        self.hotmart = hotmart
        self.http = requests.Session()
        self.log_in()

    def log_in(self) -> None:
        answer = self.http.post(
            self.hotmart.token_url,
            headers={"Authorization": self.hotmart.basic_token},
            data={"grant_type": "client_credentials"},
            timeout=10,
        )
        self.token = answer.json()["access_token"]

    def get(self, path: str = SALES, headers: dict[str, str] | None = None, **params: Any) -> requests.Response:
        sent = {"Authorization": f"Bearer {self.token}"} | (headers or {})
        return self.http.get(self.hotmart.url + path, params=params, headers=sent, timeout=10)

    def items(self, path: str = SALES, **params: Any) -> list[dict[str, Any]]:
        """All items of a listing, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            answer = self.get(path, **params)
            assert answer.status_code == 200, answer.text
            body = answer.json()
            found += body.get("items", [])
            params["page_token"] = body.get("page_info", {}).get("next_page_token")
            if not params["page_token"]:
                return found

    def transactions(self, **params: Any) -> list[str]:
        return [item["transaction"] for item in self.items(**params)]

    def error(self, path: str = SALES, headers: dict[str, str] | None = None, **params: Any) -> tuple[int, str]:
        answer = self.get(path, headers, **params)
        return answer.status_code, answer.json()["error"]


def everything(**more: Any) -> dict[str, Any]:
    """A window that holds all sales."""
    return {"start_date": 0, "end_date": ms(NOW + timedelta(days=3650)), "max_results": 500} | more


def identities(items: list[dict[str, Any]], status: str) -> set[tuple[str, str, str | None, str]]:
    return {
        (item["transaction"], user["role"], user["user"].get("ucode") or None, status)
        for item in items
        for user in item["users"]
    }


def emulator(**settings: Any) -> HotmartEmulator:
    return HotmartEmulator(**({"clock": Clock(frozen=NOW), "rate_limit": None} | settings))


@pytest.fixture
def hotmart() -> Iterator[HotmartEmulator]:
    with emulator() as running:
        yield running


@pytest.fixture
def client(hotmart: HotmartEmulator) -> Iterator[Client]:
    client = Client(hotmart)
    with client.http:
        yield client


@pytest.fixture
def empty() -> Iterator[HotmartEmulator]:
    with emulator(sales=0) as running:
        yield running


@pytest.fixture
def visitor(empty: HotmartEmulator) -> Iterator[Client]:
    client = Client(empty)
    with client.http:
        yield client


# The account.


def test_the_same_seed_makes_the_same_account() -> None:
    one, same, other = emulator(), emulator(), emulator(seed=2)
    assert [sale.participants for sale in one.sales] == [sale.participants for sale in same.sales]
    assert [sale.life for sale in one.sales] == [sale.life for sale in same.sales]
    assert one.products == same.products
    assert one.truth() != other.truth()


def test_the_numbers_asked_for_are_made_within_the_days_asked_for() -> None:
    hotmart = emulator(products=7, sales=321, days=30)
    assert (len(hotmart.products), len(hotmart.sales)) == (7, 321)
    dates = [sale.ordered_at for sale in hotmart.sales]
    assert min(dates) >= NOW.timestamp() - 30 * 86400
    assert max(dates) < NOW.timestamp()
    assert all(isinstance(date, int) for date in dates)


def test_a_launch_puts_half_of_the_sales_on_one_day() -> None:
    hotmart = emulator(spread="launch")
    dates = [sale.ordered_at for sale in hotmart.sales]
    assert max(sum(1 for date in dates if day <= date < day + 86400) for day in dates) >= 500


@pytest.mark.parametrize("seed", range(1, 6))
def test_every_state_is_there_at_the_start(seed: int) -> None:
    hotmart = emulator(seed=seed)
    found = Counter(sale.status_at(NOW.timestamp()) for sale in hotmart.sales)
    assert set(found) == set(STATES)


def test_fixed_statuses_are_dealt_out_in_turn_and_stay() -> None:
    clock = Clock(frozen=NOW)
    hotmart = emulator(sales=9, statuses=["APPROVED", "REFUNDED", "STARTED"], clock=clock)
    for _ in range(2):
        now = clock.now()
        assert Counter(sale.status_at(now) for sale in hotmart.sales) == {"APPROVED": 3, "REFUNDED": 3, "STARTED": 3}
        clock.advance(timedelta(days=365))


def test_sales_come_by_day_and_not_by_night_and_less_at_weekends() -> None:
    dates = [datetime.fromtimestamp(sale.ordered_at, SAO_PAULO) for sale in emulator(spread="daily", days=91).sales]
    hours, days = Counter(date.hour for date in dates), Counter(date.weekday() for date in dates)
    assert hours[20] + hours[21] + hours[22] > 5 * (hours[2] + hours[3] + hours[4])
    assert days[5] + days[6] < 0.75 * (days[1] + days[2])


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


def test_transaction_codes_are_unique_and_look_like_hotmarts() -> None:
    codes = [sale.transaction for sale in emulator(sales=20_000).sales]
    assert len(set(codes)) == len(codes)
    assert {len(code) for code in codes if re.fullmatch(r"HP(\d{10}|\d{14})", code)} == {12, 16}
    assert all(re.fullmatch(r"HP(\d{10}|\d{14})", code) for code in codes)


def test_the_people_are_varied_and_obviously_made_up() -> None:
    people = [one for sale in emulator().sales for one in sale.participants]
    roles = Counter(one["role"] for one in people)
    assert roles["BUYER"] == roles["PRODUCER"] == 1000
    assert 60 < roles["AFFILIATE"] < 200
    assert 80 < roles["COPRODUCER"] < 220
    buyers = [one["user"] for one in people if one["role"] == "BUYER"]
    emails = {user["email"] for user in buyers if user.get("email")}
    assert all(re.fullmatch(r"[a-z0-9.]+@example\.(com|org|net)", email) for email in emails)
    assert any(user["name"] != user["name"].strip() for user in buyers)
    assert any("🎸" in user["name"] for user in buyers)
    assert any(not user.get("ucode") for user in buyers)
    assert any(not user.get("email") for user in buyers)
    assert any("phone" not in user for user in buyers)
    assert any(user.get("phone") == "" for user in buyers)
    assert any(user.get("phone", "") is None for user in buyers)


def test_no_tax_number_is_valid() -> None:
    people = [one["user"] for sale in emulator().sales for one in sale.participants if one["role"] != "PRODUCER"]
    for number in (user["documents"][0]["value"] for user in people):
        digits = [int(digit) for digit in number]
        check = sum(digit * weight for digit, weight in zip(digits, range(10, 1, -1), strict=False)) * 10 % 11 % 10
        assert len(digits) == 11
        assert digits[9] != check


def test_buyers_come_back_with_the_same_ucode_and_email() -> None:
    buyers = [sale.participants[1]["user"] for sale in emulator().sales]
    seen: dict[str, set[str]] = {}
    for user in buyers:
        if user.get("ucode"):
            seen.setdefault(user["ucode"], set()).add(user.get("email") or "")
    assert 100 < len(buyers) - len(seen) < 200
    assert all(len(emails) == 1 for emails in seen.values())


def test_two_coproducers_of_a_sale_are_two_people() -> None:
    sales = [[one for one in sale.participants if one["role"] == "COPRODUCER"] for sale in emulator().sales]
    pairs = [people for people in sales if len(people) == 2]
    assert pairs
    assert all(one["user"]["ucode"] != other["user"]["ucode"] for one, other in pairs)


# Tokens.


def test_a_token_is_handed_out_for_a_form_or_for_a_query(hotmart: HotmartEmulator) -> None:
    fields = {"grant_type": "client_credentials"}
    full = fields | {"client_id": hotmart.client_id, "client_secret": hotmart.client_secret}
    header = {"Authorization": hotmart.basic_token}
    for sent in ({"data": fields}, {"params": full}):
        answer = requests.post(hotmart.token_url, headers=header, timeout=10, **sent)  # type: ignore[arg-type]
        body = answer.json()
        assert answer.status_code == 200
        assert (body["token_type"], body["expires_in"]) == ("bearer", 172_799)
        assert "%2B" in body["access_token"]
        assert "%3D" in body["access_token"]
    assert [call.status for call in hotmart.token_calls] == [200, 200]
    assert hotmart.token_calls[0].params == {}
    assert hotmart.calls == []


@pytest.mark.parametrize("name", ["invalid_client", "unauthorized"])
def test_a_wrong_credential_gets_no_token(hotmart: HotmartEmulator, name: Any) -> None:
    hotmart.quirks.wrong_credential = name
    wrong = "Basic " + base64.b64encode(b"somebody:else").decode()
    for headers in ({}, {"Authorization": wrong}, {"Authorization": hotmart.basic_token + "x"}):
        answer = requests.post(
            hotmart.token_url, headers=headers, data={"grant_type": "client_credentials"}, timeout=10
        )
        assert (answer.status_code, answer.json()["error"]) == (401, name)


def test_the_credential_in_a_query_must_be_right_too(hotmart: HotmartEmulator) -> None:
    answer = requests.post(
        hotmart.token_url,
        headers={"Authorization": hotmart.basic_token},
        params={"grant_type": "client_credentials", "client_secret": "wrong"},
        timeout=10,
    )
    assert answer.status_code == 401


def test_another_grant_type_gets_no_token(hotmart: HotmartEmulator) -> None:
    for data in ({}, {"grant_type": "password"}):
        answer = requests.post(hotmart.token_url, headers={"Authorization": hotmart.basic_token}, data=data, timeout=10)
        assert answer.status_code == 400


def test_the_token_endpoint_throttles_when_told_to(hotmart: HotmartEmulator) -> None:
    hotmart.token_rate_limit = 2
    statuses = [
        requests.post(
            hotmart.token_url,
            headers={"Authorization": hotmart.basic_token},
            data={"grant_type": "client_credentials"},
            timeout=10,
        ).status_code
        for _ in range(3)
    ]
    assert statuses == [200, 200, 429]


def test_each_bearer_problem_has_its_own_name(client: Client, hotmart: HotmartEmulator) -> None:
    assert requests.get(hotmart.url + SALES, timeout=10).json()["error"] == "unauthorized"
    assert client.error(headers={"Authorization": "Bearer"}) == (401, "unauthorized")
    assert client.error(headers={"Authorization": "Bearer x"}) == (401, "invalid_token")
    decoded = unquote(client.token)
    assert client.error(headers={"Authorization": f"Bearer {decoded}"}) == (401, "invalid_token")
    hotmart.clock.advance(172_798)
    assert client.get().status_code == 200
    hotmart.clock.advance(1)
    assert client.error() == (401, "token_expired")


def test_expired_tokens_stay_expired_and_new_ones_work(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.expire_tokens()
    assert client.error() == (401, "token_expired")
    client.log_in()
    assert client.get().status_code == 200


@pytest.mark.parametrize("status", [403, 401])
def test_a_credential_without_rights_gets_a_token_and_nothing_else(
    client: Client, hotmart: HotmartEmulator, status: Any
) -> None:
    hotmart.quirks.no_permission_status = status
    hotmart.permission = False
    answer = client.get(PRODUCTS)
    assert (answer.status_code, answer.json()["error"]) == (status, "unauthorized_client")
    assert answer.json()["error_description"] == "You don't have permission to take this action"


# Products.


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


# Sales.


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


# Changes by hand.


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


# Quirks.


def test_every_choice_of_a_quirk_is_accepted_and_nothing_else() -> None:
    for name, values in Quirks.choices().items():
        assert values[0] == getattr(Quirks(), name)
        for value in values:
            assert getattr(Quirks(**{name: value}), name) == value
    with pytest.raises(ValueError, match="date_filter must be one of"):
        Quirks(date_filter="birthday")  # type: ignore[arg-type]
    with pytest.raises(AttributeError, match="no such quirk"):
        Quirks().date_fitler = "order"


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


def test_the_shape_of_an_empty_result(visitor: Client, empty: HotmartEmulator) -> None:
    info = {"total_results": 0, "results_per_page": 0}
    assert visitor.get().json() == {"items": [], "page_info": info}
    empty.quirks.empty_shape = "no_items"
    assert visitor.get().json() == {"page_info": info}
    empty.quirks.empty_shape = "object"
    assert visitor.get().json() == {}


def test_the_token_of_the_last_page(visitor: Client, empty: HotmartEmulator) -> None:
    found = []
    for value in ("absent", "null", "empty"):
        empty.quirks.last_page_token = value
        found.append(visitor.get(PRODUCTS).json()["page_info"].get("next_page_token", "absent"))
    assert found == ["absent", None, ""]


def test_the_number_of_results_may_be_missing(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.quirks.total_results = False
    assert "total_results" not in client.get().json()["page_info"]


def test_the_two_names_of_a_protested_sale(visitor: Client, empty: HotmartEmulator) -> None:
    sale = empty.add_sale(status="DISPUTE").transaction
    expected: dict[Any, tuple[Any, Any, str]] = {
        "both": ([sale], [sale], "PROTESTED"),
        "protested": ([sale], None, "PROTESTED"),
        "dispute": (None, [sale], "DISPUTE"),
    }
    for quirk, (protested, dispute, shown) in expected.items():
        empty.quirks.protested = quirk
        for name, codes in (("PROTESTED", protested), ("DISPUTE", dispute)):
            if codes is None:
                assert visitor.error(transaction_status=name) == (400, "invalid_parameter")
                assert empty.truth(name) == set()
            else:
                assert visitor.transactions(transaction_status=name) == codes
        assert {one[3] for one in empty.truth()} == {shown}


def test_keys_change_their_order_from_call_to_call(client: Client, hotmart: HotmartEmulator) -> None:
    plain = client.get(max_results=5)
    assert client.get(max_results=5).text == plain.text
    hotmart.quirks.shuffle_keys = True
    one, other = client.get(max_results=5), client.get(max_results=5)
    assert one.text != other.text
    assert one.json() == other.json() == plain.json()
    assert {tuple(client.get(max_results=1).json()) for _ in range(30)} == {
        ("items", "page_info"),
        ("page_info", "items"),
    }


def test_the_text_of_an_error_has_one_of_two_names(client: Client, hotmart: HotmartEmulator) -> None:
    assert set(client.get(colour=1).json()) == {"error", "error_description", "error_uri"}
    hotmart.quirks.error_text = "message"
    assert set(client.get(colour=1).json()) == {"error", "message", "error_uri"}


def test_an_arbitrary_order_is_stable_and_complete(client: Client, hotmart: HotmartEmulator) -> None:
    ordered = client.transactions(**everything())
    hotmart.quirks.order = "arbitrary"
    one, other = client.transactions(**everything(max_results=100)), client.transactions(**everything())
    assert one == other
    assert one != ordered
    assert sorted(one) == sorted(ordered)
    hotmart.quirks.order = "date"
    complete = client.transactions(**everything(transaction_status="COMPLETE"))
    hotmart.quirks.order = "arbitrary"
    assert client.transactions(**everything(transaction_status="COMPLETE")) != complete


def test_missing_values_look_as_told(client: Client, hotmart: HotmartEmulator) -> None:
    looks: dict[str, set[Any]] = {}
    for look in ("absent", "blank", "null"):
        hotmart.quirks.missing_values = look
        users = [user["user"] for item in client.items(**everything()) for user in item["users"]]
        looks[look] = {user.get("phone", "absent") for user in users if not user.get("phone")}
    assert looks == {"absent": {"absent"}, "blank": {""}, "null": {None}}


def test_the_rows_of_sales_may_come_in_another_order_in_every_call(client: Client, hotmart: HotmartEmulator) -> None:
    whole = sorted(client.transactions(**everything()))
    hotmart.quirks.order = "shuffled"
    one, other = (
        [item["transaction"] for item in client.get(**everything(transaction_status="EXPIRED")).json()["items"]]
        for _ in range(2)
    )
    assert one != other
    assert sorted(one) == sorted(other)
    paged = client.transactions(**everything(max_results=100))
    assert len(paged) == len(whole)
    assert len(set(paged)) < len(whole), "nothing came twice, so nothing was skipped"
    assert client.items(PRODUCTS, max_results=3) == hotmart.products


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


@pytest.mark.parametrize("most", [1, 20, 50])
def test_the_service_may_give_smaller_pages_than_were_asked_for(
    client: Client, hotmart: HotmartEmulator, most: int
) -> None:
    hotmart.quirks.max_page_size = most
    first = client.get(PRODUCTS, max_results=500).json()
    assert len(first["items"]) == min(most, 20)
    assert client.items(PRODUCTS, max_results=500) == hotmart.products
    assert len(client.get().json()["items"]) == most
    for wrong in (0, 1.5, True, "20"):
        with pytest.raises(ValueError, match="max_page_size must be a whole number"):
            hotmart.quirks.max_page_size = wrong  # type: ignore[assignment]


def test_json_may_have_white_space_in_it(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.add_sale(buyer={"name": 'a "quoted, {b}: [c]\\', "documents": [], "address": {}})
    plain = client.get()
    for layout, settings in (("spaced", {}), ("indented", {"indent": 2})):
        hotmart.quirks.json_layout = layout  # type: ignore[assignment]
        answer = client.get()
        assert answer.text == json.dumps(plain.json(), ensure_ascii=False, **settings)
        assert client.get(colour=1).text.startswith('{"error": ' if layout == "spaced" else '{\n  "error": ')
        client.log_in()


def test_a_new_token_may_make_the_old_ones_invalid(client: Client, hotmart: HotmartEmulator) -> None:
    old = client.token
    client.log_in()
    assert client.get(headers={"Authorization": f"Bearer {old}"}).status_code == 200
    hotmart.quirks.only_newest_token = True
    assert client.error(headers={"Authorization": f"Bearer {old}"}) == (401, "invalid_token")
    assert client.get().status_code == 200


def test_unexpected_headers_may_be_refused(client: Client, hotmart: HotmartEmulator) -> None:
    assert client.get(headers={"X-Trace": "1"}).status_code == 200
    hotmart.quirks.unexpected_headers = "error"
    assert client.error(headers={"X-Trace": "1"}) == (400, "invalid_value_headers")
    assert client.get().status_code == 200


def test_answers_may_be_compressed(client: Client, hotmart: HotmartEmulator) -> None:
    plain = client.get()
    hotmart.quirks.content_encoding = "gzip"
    packed = client.get()
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"])
    assert packed.json() == plain.json()
    assert "Content-Encoding" not in client.get(headers={"Accept-Encoding": "identity"}).headers


def test_too_wide_a_window_is_answered_502(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.quirks.too_wide = timedelta(days=7)
    week = NOW - timedelta(days=7)
    assert client.get(start_date=ms(week), end_date=ms(NOW)).status_code == 200
    assert client.error(start_date=ms(week) - 1, end_date=ms(NOW)) == (502, "internal_server_error")
    assert client.error() == (502, "internal_server_error")
    assert client.get(transaction="HP1").status_code == 200


# Limits.


BUDGET = [
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "X-RateLimit-Limit-Minute",
    "X-RateLimit-Remaining-Minute",
]


def budget(answer: requests.Response) -> list[str | None]:
    return [answer.headers.get(name) for name in BUDGET]


def test_the_budget_of_calls_is_told_and_kept() -> None:
    with emulator(rate_limit=3) as hotmart:
        client = Client(hotmart)
        with client.http:
            answers = [client.get(), client.get(PRODUCTS), client.get(colour=1), client.get()]
            assert [answer.status_code for answer in answers] == [200, 200, 400, 429]
            assert budget(answers[0]) == ["3", "2", "40", "3", "2"]
            assert budget(answers[2]) == budget(answers[3]) == ["3", "0", "40", "3", "0"]
            assert answers[3].json()["error"] == "too_many_requests"
            assert "Retry-After" not in answers[3].headers
            hotmart.clock.advance(39)
            assert client.get().status_code == 429
            hotmart.clock.advance(1)
            assert client.get().status_code == 200


def test_a_sliding_budget_refills_call_by_call() -> None:
    with emulator(rate_limit=2, quirks=Quirks(rate_window="sliding")) as hotmart:
        client = Client(hotmart)
        with client.http:
            assert client.get().status_code == 200
            hotmart.clock.advance(50)
            assert client.get().status_code == 200
            refused = client.get()
            assert (refused.status_code, refused.headers["RateLimit-Reset"]) == (429, "10")
            hotmart.clock.advance(10)
            assert [client.get().status_code for _ in range(2)] == [200, 429]


def test_the_headers_of_the_budget_may_be_missing() -> None:
    with emulator(rate_limit=1, quirks=Quirks(rate_headers="none")) as hotmart:
        client = Client(hotmart)
        with client.http:
            answers = [client.get(), client.get()]
            assert [budget(answer) for answer in answers] == [[None] * 5] * 2
            assert "Retry-After" not in answers[1].headers
            hotmart.quirks.rate_headers = "retry_after"
            refused = client.get()
            assert (refused.status_code, refused.headers["Retry-After"]) == (429, "40")
            assert budget(refused) == [None] * 5


def test_calls_of_a_future_that_was_turned_back_do_not_count() -> None:
    with emulator(rate_limit=1, quirks=Quirks(rate_window="sliding")) as hotmart:
        client = Client(hotmart)
        with client.http:
            assert client.get().status_code == 200
            hotmart.clock.advance(-3600)
            assert client.get().status_code == 200


def test_a_token_costs_nothing_of_the_budget() -> None:
    with emulator(rate_limit=1) as hotmart:
        client = Client(hotmart)
        with client.http:
            client.log_in()
            assert client.get().status_code == 200


# The log, and many clients.


def test_calls_are_remembered(client: Client, hotmart: HotmartEmulator) -> None:
    client.get(transaction_status=["APPROVED", "COMPLETE"], max_results=3, headers={"X-Trace": "1"})
    client.get(colour=1)
    first, second = hotmart.calls
    assert (first.method, first.path, first.status, first.items, first.page) == ("GET", SALES, 200, 3, 1)
    assert first.params == {"transaction_status": ["APPROVED", "COMPLETE"], "max_results": ["3"]}
    assert first.headers["x-trace"] == "1"
    assert first.headers.get("Cookie") is None
    assert first.at == NOW.timestamp()
    assert first.fault is None
    assert second.status == 400
    assert [call.status for call in hotmart.calls[1:]] == [400]
    hotmart.calls.clear()
    assert hotmart.calls == []


def test_many_clients_are_answered_at_once(client: Client, hotmart: HotmartEmulator) -> None:
    expected = client.transactions(**everything())

    def listing(_: int) -> list[str]:
        with requests.Session() as http:
            mine = Client.__new__(Client)
            mine.hotmart, mine.http, mine.token = hotmart, http, client.token
            return mine.transactions(**everything(max_results=100))

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        assert all(found == expected for found in pool.map(listing, range(64)))


def test_the_work_on_answers_is_measured(client: Client, hotmart: HotmartEmulator) -> None:
    before = hotmart.server_seconds
    client.items(**everything())
    assert before < hotmart.server_seconds < before + 5


def test_a_clock_runs_or_stands_and_can_be_turned() -> None:
    frozen, running = Clock(frozen=NOW), Clock()
    assert frozen.now() == frozen.now() == NOW.timestamp()
    frozen.advance(timedelta(hours=1))
    assert frozen.now() == NOW.timestamp() + 3600
    frozen.set(datetime(2026, 1, 1))  # noqa: DTZ001
    assert frozen.now() == datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert abs(running.now() - datetime.now(UTC).timestamp()) < 5
    running.set(NOW)
    assert 0 <= running.now() - NOW.timestamp() < 5


def test_a_clock_may_run_faster_and_is_set_to_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    real = NOW.timestamp()
    monkeypatch.setattr("airflow_provider_hotmart.emulator.clock.time.time", lambda: real)
    clock = Clock(speed=60)
    real += 2
    assert clock.now() == NOW.timestamp() + 120
    clock.set(NOW)
    assert clock.now() == NOW.timestamp()
    real += 1
    assert clock.now() == NOW.timestamp() + 60


def test_a_sale_knows_its_life() -> None:
    sale: Sale = emulator(sales=0).add_sale(ordered_at=100, approved_at=200)
    assert sale.life == [(100, "WAITING_PAYMENT"), (200, "APPROVED")]
    assert [sale.status_at(at) for at in (99, 100, 199, 200)] == [
        None, "WAITING_PAYMENT", "WAITING_PAYMENT", "APPROVED",
    ]  # fmt: skip
