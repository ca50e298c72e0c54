"""Every endpoint is listed exactly, whichever way the unknowns of Hotmart's API turn out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_hotmart.api.endpoint import Endpoint
from airflow_provider_hotmart.api.endpoints import ENDPOINTS
from airflow_provider_hotmart.api.enums import SaleStatus, TicketStatus
from airflow_provider_hotmart.api.errors import HotmartError, HotmartInvalidRequestError, HotmartNotFoundError
from airflow_provider_hotmart.api.filters import build_query
from airflow_provider_hotmart.api.listing import Listing
from airflow_provider_hotmart.emulator import Call, Fault, HotmartEmulator, Quirks
from tests.integration.support import NOW, account, client_of, drawing

CHOICES = Quirks.choices()
EVERY_SWITCH = [
    pytest.param({name: value}, id=f"{name}={value}")
    for name, values in CHOICES.items()
    for value in values[1:]  # the first is the usual one
    # What cannot be known without asking for more than is filtered by, and is said so in the documentation.
    if (name, value) != ("subscription_dates", "combined")
]
START, END = NOW - timedelta(days=60), NOW - timedelta(days=5)
TICKETS = "events/:event_id/participants"
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """
    One endpoint, and what it is asked for in these tests.

    :param hotmart: the emulator.
    :param endpoint: of the table.
    """

    hotmart: HotmartEmulator
    endpoint: Endpoint

    @property
    def filters(self) -> dict[str, Any]:
        """What is asked for, by the names of arguments."""
        endpoint = self.endpoint
        pairs = [endpoint.dates] if endpoint.dates else [(one.start, one.end) for one in endpoint.ranges[:1]]
        found: dict[str, Any] = {
            name: moment for pair in pairs for (name, _), moment in zip(pair, (START, END), strict=True)
        }
        if endpoint.status is not None:
            found[endpoint.status] = "ALL"
        if "subdomain" in endpoint.arguments:
            found["subdomain"] = self.subdomains
        return found

    @property
    def subdomains(self) -> list[str]:
        """Two members' areas: the largest and the smallest; for lessons, which are most by far, two small ones."""
        sales = Counter(sale.product_id for sale in self.hotmart.sales)
        ordered = sorted(self.hotmart.club_subdomains, key=lambda name: sales[self.hotmart.club_subdomains[name]])
        return ordered[1:3] if self.endpoint.name == "club_lessons" else [ordered[0], ordered[-1]]

    def truth(self) -> Rows:
        """The records that a complete listing has, in any order."""
        maker = getattr(self, f"_{self.endpoint.name}", None)
        return maker() if maker else self._rows(self.endpoint.path.partition("/v1/")[2])

    def _rows(self, path: str, **more: Any) -> Rows:
        dates = {}
        if self.endpoint.dates:
            dates = {name: moment for (_, name), moment in zip(self.endpoint.dates, (START, END), strict=True)}
        if self.endpoint.ranges:
            dates = {"accession_date": START, "end_accession_date": END}
        return self.hotmart.truth_rows(path, **dates, **more)

    def _each(self, path: str, values: list[dict[str, Any]], **more: str) -> Rows:
        """The rows for each of several values, which they say; ``more`` are other names of them."""
        return [
            {**{more.get(key, key): value for key, value in one.items()}, **row}
            for one in values
            for row in self.hotmart.truth_rows(path, **one)
        ]

    def _by_status(self, path: str) -> Rows:
        rows: Rows = []
        for status in SaleStatus:
            if status is not SaleStatus.DISPUTE:
                shown = "DISPUTE" if status == "PROTESTED" and self.hotmart.quirks.protested == "dispute" else status
                rows += [
                    {"transaction_status": str(shown), **row} for row in self._rows(path, transaction_status=status)
                ]
        return rows

    def _product_offers(self) -> Rows:
        ucodes = [{"ucode": one["ucode"]} for one in self.hotmart.products]
        return self._each("products/:ucode/offers", ucodes, ucode="product_ucode")

    def _product_plans(self) -> Rows:
        ucodes = [{"ucode": one["ucode"]} for one in self.hotmart.products if one["is_subscription"]]
        return self._each("products/:ucode/plans", ucodes, ucode="product_ucode")

    def _product_coupons(self) -> Rows:
        return self._each("coupon/product/:product_id", [{"product_id": one["id"]} for one in self.hotmart.products])

    def _sales_participants(self) -> Rows:
        return [
            {**{key: value for key, value in row.items() if key != "users"}, **user}
            for row in self._by_status("sales/users")
            for user in row["users"]
        ]

    def _sales_commissions(self) -> Rows:
        return [
            {**{key: value for key, value in row.items() if key != "commissions"}, **share}
            for row in self._by_status("sales/commissions")
            for share in row["commissions"]
        ]

    def _sales_price_details(self) -> Rows:
        return self._by_status("sales/price/details")

    def _sales(self) -> Rows:
        return self._rows("sales/history")

    def _subscriber_purchases(self) -> Rows:
        codes = [{"subscriber_code": one["subscriber_code"]} for one in self.hotmart.truth_rows("subscriptions")]
        return self._each("subscriptions/:subscriber_code/purchases", codes)

    def _club_modules(self) -> Rows:
        extras = [{"subdomain": name, "is_extra": extra} for name in self.subdomains for extra in (False, True)]
        return self._each("club/modules", extras)

    def _club_pages(self) -> Rows:
        modules = [{"subdomain": one["subdomain"], "module_id": one["module_id"]} for one in self._club_modules()]
        return self._each("club/modules/:module_id/pages", modules)

    def _club_users(self) -> Rows:
        return self._each("club/users", [{"subdomain": name} for name in self.subdomains])

    def _club_lessons(self) -> Rows:
        users = [{"subdomain": one["subdomain"], "user_id": one["user_id"]} for one in self._club_users()]
        return self._each("club/users/:user_id/lessons", users)

    def _events(self) -> Rows:
        return self._each("events/:event_id/info", [{"event_id": one} for one in self.hotmart.event_ids])

    def _event_tickets(self) -> Rows:
        return [
            {"event_id": one, **row}
            for one in self.hotmart.event_ids
            for row in self.hotmart.truth_rows(TICKETS, event_id=one, ticket_status=list(TicketStatus))
        ]

    def listing(self, width: int = 3, **more: Any) -> tuple[Rows, Listing]:
        """List it."""
        with client_of(self.hotmart, width) as client:
            query = build_query(self.endpoint, now=client.clock.time(), **{**self.filters, **more})
            listing = Listing(client, query)
            return list(listing.objects()), listing


#: 700 sales in 90 days, half of them on one day.
ACCOUNT = {"sales": 700, "days": 90, "spread": "launch", "products": 24, "seed": 3}


@pytest.fixture(scope="module")
def hotmart() -> Iterator[HotmartEmulator]:
    with account(**ACCOUNT) as emulator:
        yield emulator


@pytest.fixture
def usual() -> Iterator[HotmartEmulator]:
    """The same for one test alone: a call that another test broke off may still arrive at its own."""
    with account(**ACCOUNT) as emulator:
        yield emulator


every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=ENDPOINTS)


def assert_same(rows: Rows, truth: Rows) -> None:
    """The same records, each as often."""
    found, wanted = (Counter(json.dumps(row, sort_keys=True) for row in some) for some in (rows, truth))
    assert found == wanted, f"{(wanted - found).total()} lost, {(found - wanted).total()} invented, of {len(truth)}"


@every_endpoint
def test_it_is_listed_exactly_however_many_calls_run_at_once(usual: HotmartEmulator, endpoint: Endpoint) -> None:
    case = Case(usual, endpoint)
    truth = case.truth()
    assert truth
    listed = {width: case.listing(width)[0] for width in (1, 3, 16)}
    assert_same(listed[1], truth)
    assert listed[1] == listed[3] == listed[16], "the same records in another order"


@every_endpoint
@pytest.mark.parametrize("switch", EVERY_SWITCH)
def test_either_way_of_every_unknown_gives_the_truth(
    usual: HotmartEmulator, endpoint: Endpoint, switch: dict[str, Any]
) -> None:
    usual.quirks = Quirks(**switch)
    case = Case(usual, endpoint)
    assert_same(case.listing()[0], case.truth())


@pytest.mark.parametrize("name", sorted(ENDPOINTS))
@drawing(4)
@given(
    drawn=st.fixed_dictionaries({name: st.sampled_from(values) for name, values in CHOICES.items()}),
    too_wide=st.sampled_from([None, timedelta(days=20), timedelta(hours=30)]),
    page=st.sampled_from([7, 50, 500]),
)
def test_any_combination_of_unknowns_gives_the_truth(
    hotmart: HotmartEmulator, name: str, drawn: dict[str, Any], too_wide: timedelta | None, page: int
) -> None:
    drawn["subscription_dates"] = "only_given"
    if drawn["single_bound"] == "error":
        # Where one date alone is refused and the other one is another date, that is an error: see below.
        drawn["end_accession_date"] = "range_end"
    hotmart.quirks = Quirks(**drawn, too_wide=too_wide, max_page_size_elsewhere=page)
    case = Case(hotmart, ENDPOINTS[name])
    try:
        assert_same(case.listing()[0], case.truth())
    finally:
        hotmart.quirks = Quirks()


@every_endpoint
def test_small_pages_change_nothing(usual: HotmartEmulator, endpoint: Endpoint) -> None:
    usual.quirks = Quirks(max_page_size=20, max_page_size_elsewhere=7)
    case = Case(usual, endpoint)
    assert_same(case.listing()[0], case.truth())


def query_of(call: Call) -> dict[str, str]:
    return {name: values[0] for name, values in call.params.items()}


@every_endpoint
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_what_heals_is_not_noticed(usual: HotmartEmulator, endpoint: Endpoint, place: str) -> None:
    case = Case(usual, endpoint)
    before = len(usual.calls)
    truth, listing = case.listing(width=1)
    calls = usual.calls[before:]
    assert len(calls) == listing.calls
    call = calls[{"first": 0, "middle": len(calls) // 2, "last": -1}[place]]
    for fault in (Fault.status(503), Fault.html(), Fault.empty(), Fault.cut_short(), Fault.status(429), Fault.reset()):
        usual.faults.clear()
        usual.faults.add(fault, path=call.path, from_query=query_of(call))
        rows, again = case.listing(width=1)
        assert again.calls > listing.calls, fault
        assert rows == truth, fault


@every_endpoint
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_what_stays_wrong_fails_the_listing(usual: HotmartEmulator, endpoint: Endpoint, place: str) -> None:
    case = Case(usual, endpoint)
    before = len(usual.calls)
    case.listing(width=1)
    calls = usual.calls[before:]
    call = calls[{"first": 0, "middle": len(calls) // 2, "last": -1}[place]]
    faults = [Fault.status(500), Fault.html(), Fault.status(403), Fault.not_object('"maintenance"')]
    if endpoint.rows_key is not None:
        faults.append(Fault.garbled_items())
    for fault in faults:
        usual.faults.clear()
        usual.faults.add(fault, times=None, path=call.path, from_query=query_of(call))
        with pytest.raises(HotmartError):
            case.listing(width=1)


@every_endpoint
def test_an_account_without_anything_has_no_records(endpoint: Endpoint) -> None:
    for shape in CHOICES["empty_shape"]:
        with account(0, products=0, quirks=Quirks(empty_shape=shape)) as hotmart, client_of(hotmart) as client:
            is_club = "subdomain" in endpoint.arguments
            filters = {"subdomain": "none"} if is_club else Case(hotmart, endpoint).filters
            listing = Listing(client, build_query(endpoint, now=client.clock.time(), **filters))
            if is_club:
                with pytest.raises(HotmartNotFoundError):
                    list(listing.objects())
            else:
                assert list(listing.objects()) == []


@every_endpoint
def test_every_row_has_the_columns_of_the_table_and_no_others(usual: HotmartEmulator, endpoint: Endpoint) -> None:
    stamped = {one.name for one in endpoint.stamps} | {endpoint.status_key}
    prefix = f"{endpoint.records_in}." if endpoint.records_in else ""
    own = {column.path.partition(".")[0] for column in endpoint.columns}
    always = {column.path for column in endpoint.columns if not column.optional}
    for row in Case(usual, endpoint).truth():
        leaves = {
            path if path.partition(".")[0] in own - {"user"} else prefix + path
            for path in paths_of(row)
            if path not in stamped
        }
        assert all(endpoint.knows(path) for path in leaves), [path for path in leaves if not endpoint.knows(path)]
        there = {path for path in always for leaf in leaves if f"{leaf}.".startswith(f"{path}.")}
        assert always - there == set()


def paths_of(value: Any, prefix: str = "") -> Iterator[str]:
    """The dot paths of what is in a row."""
    if isinstance(value, dict) and value:
        for key, part in value.items():
            yield from paths_of(part, f"{prefix}.{key}" if prefix else key)
    else:
        yield prefix


class TestFilters:
    def test_each_filter_of_subscriptions_finds_what_fits(self, usual: HotmartEmulator) -> None:
        case = Case(usual, ENDPOINTS["subscriptions"])
        rows = case.truth()
        row = next(one for one in rows if one["subscriber"].get("email") and one["trial"])
        plans = sorted({one["plan"]["name"] for one in rows})[:2]
        for name, value, truth in (
            ("status", "ACTIVE", {"status": "ACTIVE"}),
            ("status", ["ACTIVE", "OVERDUE", "DELAYED"], {"status": ["ACTIVE", "OVERDUE", "DELAYED"]}),
            ("product_id", [row["product"]["id"], 1], {"product_id": row["product"]["id"]}),
            ("plan", plans, {"plan": plans}),
            ("plan_id", row["plan"]["id"], {"plan_id": row["plan"]["id"]}),
            ("subscriber_code", row["subscriber_code"], {"subscriber_code": row["subscriber_code"]}),
            ("subscriber_email", row["subscriber"]["email"], {"subscriber_email": row["subscriber"]["email"]}),
            ("transaction", row["transaction"], {"transaction": row["transaction"]}),
            ("trial", True, {"trial": True}),
            ("trial", "false", {"trial": False}),
        ):
            found = case._rows("subscriptions", **truth)
            assert 0 < len(found) < len(rows), name
            assert_same(case.listing(**{name: value})[0], found)

    @pytest.mark.parametrize("quirk", CHOICES["end_accession_date"])
    @pytest.mark.parametrize("unit", CHOICES["date_unit"])
    @pytest.mark.parametrize(
        ("name", "pair", "sent"),
        [
            ("subscriptions", "accession", ["accession_date"]),
            ("subscriptions", "cancellation", ["cancelation_date", "end_cancelation_date"]),
            ("subscriptions", "next_charge", ["date_next_charge", "end_date_next_charge"]),
            ("subscription_summaries", "accession", ["accession_date"]),
            ("subscription_summaries", "next_charge", ["date_next_charge"]),
        ],
    )
    def test_each_pair_of_dates_of_subscriptions_is_sent_alone(
        self, usual: HotmartEmulator, name: str, pair: str, sent: list[str], quirk: Any, unit: Any
    ) -> None:
        usual.quirks = Quirks(end_accession_date=quirk, date_unit=unit)
        path = ENDPOINTS[name].path.partition("/v1/")[2]
        start, end = NOW - timedelta(days=25), NOW + timedelta(days=2)
        filters = {f"{pair}_start_date": start, f"{pair}_end_date": end}
        before = len(usual.calls)
        with client_of(usual) as client:
            query = build_query(ENDPOINTS[name], now=client.clock.time(), **filters)
            rows = list(Listing(client, query).objects())
        truth = usual.truth_rows(path, **{sent[0]: start, f"end_{sent[0]}": end})
        assert 0 < len(truth) < len(usual.truth_rows(path))
        assert_same(rows, truth)
        assert {one for call in usual.calls[before:] for one in call.params if "date" in one} == set(sent)

    @pytest.mark.parametrize("bound", CHOICES["single_bound"])
    def test_summaries_have_no_end_of_the_next_charge_that_could_be_missing(
        self, usual: HotmartEmulator, bound: Any
    ) -> None:
        usual.quirks = Quirks(single_bound=bound)
        with client_of(usual) as client:
            query = build_query(ENDPOINTS["subscription_summaries"], now=NOW.timestamp(), next_charge_start_date=NOW)
            rows = list(Listing(client, query).objects())
        month = {"date_next_charge": NOW, "end_date_next_charge": NOW + timedelta(days=30)}
        truth = usual.truth_rows("subscriptions/summary", **month)
        assert truth
        assert_same(rows, truth)

    def test_where_one_date_alone_is_refused_and_the_other_is_another_one_that_is_an_error(
        self, usual: HotmartEmulator
    ) -> None:
        usual.quirks = Quirks(single_bound="error", end_accession_date="cancelling")
        with pytest.raises(HotmartInvalidRequestError, match="accession_date alone"):
            Case(usual, ENDPOINTS["subscriptions"]).listing()

    @pytest.mark.parametrize("name", ["subscriber_code", "transaction"])
    def test_a_subscription_is_found_by_its_codes_whatever_its_date(self, usual: HotmartEmulator, name: str) -> None:
        oldest = min(usual.truth_rows("subscriptions"), key=lambda one: int(one["accession_date"]))
        assert oldest["accession_date"] < (NOW - timedelta(days=31)).timestamp() * 1000
        with client_of(usual) as client:
            query = build_query(ENDPOINTS["subscriptions"], now=client.clock.time(), **{name: oldest[name]})
            assert list(Listing(client, query).objects()) == [oldest]

    def test_without_dates_the_last_thirty_days_of_accession_are_listed(self, usual: HotmartEmulator) -> None:
        with client_of(usual) as client:
            rows = list(Listing(client, build_query(ENDPOINTS["subscriptions"], now=NOW.timestamp())).objects())
        month = {"accession_date": NOW - timedelta(days=30), "end_accession_date": NOW}
        assert_same(rows, usual.truth_rows("subscriptions", **month))

    def test_each_filter_of_transactions_finds_what_fits(self, usual: HotmartEmulator) -> None:
        case = Case(usual, ENDPOINTS["subscription_transactions"])
        rows = case.truth()
        row = next(one for one in rows if one["subscriber"].get("email") and one["recurrency"]["number"] > 1)
        for name, value, truth in (
            ("product_id", row["product"]["id"], row["product"]["id"]),
            ("transaction", row["purchase"]["transaction"], row["purchase"]["transaction"]),
            ("subscriber_code", row["subscriber_code"], row["subscriber_code"]),
            ("subscriber_name", row["subscriber"]["name"], row["subscriber"]["name"]),
            ("subscriber_email", row["subscriber"]["email"], row["subscriber"]["email"]),
            ("subscription_status", ["ACTIVE", "DELAYED"], ["ACTIVE", "DELAYED"]),
            ("recurrency_status", "PAID", "PAID"),
            ("purchase_status", ["APPROVED", "COMPLETE"], ["APPROVED", "COMPLETE"]),
            ("offer_code", row["plan"]["offer"]["key"], row["plan"]["offer"]["key"]),
            ("purchase_payment_type", "PIX", "PIX"),
        ):
            found = case._rows("subscriptions/transactions", **{name: truth})
            assert 0 < len(found) < len(rows), name
            assert_same(case.listing(**{name: value})[0], found)

    def test_each_filter_of_sales_finds_what_fits(self, usual: HotmartEmulator) -> None:
        case = Case(usual, ENDPOINTS["sales"])
        rows = case.truth()
        row = next(
            one
            for one in rows
            if one["buyer"].get("email") and one["purchase"].get("tracking", {}).get("source") and one["product"]
        )
        for name, value in (
            ("product_id", row["product"]["id"]),
            ("transaction", row["purchase"]["transaction"]),
            ("buyer_email", row["buyer"]["email"]),
            ("buyer_name", row["buyer"]["name"]),
            ("sales_source", row["purchase"]["tracking"]["source"]),
            ("payment_type", ["PIX", "BILLET"]),
            ("offer_code", row["purchase"]["offer"]["code"]),
            ("transaction_status", ["REFUNDED", "APPROVED"]),
        ):
            found = case._rows("sales/history", **{name: value})
            assert 0 < len(found) < len(rows), name
            assert_same(case.listing(**{name: value})[0], found)

    def test_a_summary_of_several_values_adds_them_up(self, usual: HotmartEmulator) -> None:
        case = Case(usual, ENDPOINTS["sales_summary"])
        statuses = ["COMPLETE", "REFUNDED", "EXPIRED"]
        usual.quirks = Quirks(too_wide=timedelta(days=9))
        assert_same(
            case.listing(transaction_status=statuses)[0], case._rows("sales/summary", transaction_status=statuses)
        )
        paid = case._rows("sales/summary", transaction_status=["APPROVED", "COMPLETE"])
        assert_same(case.listing(transaction_status=None)[0], paid)

    def test_tickets_that_changed_since_are_found(self, usual: HotmartEmulator) -> None:
        since = NOW - timedelta(days=20)
        rows, _ = Case(usual, ENDPOINTS["event_tickets"]).listing(last_update=since)
        truth = [
            {"event_id": one, **row}
            for one in usual.event_ids
            for row in usual.truth_rows(TICKETS, event_id=one, last_update=since, ticket_status=list(TicketStatus))
        ]
        assert 0 < len(truth) < len(Case(usual, ENDPOINTS["event_tickets"]).truth())
        assert_same(rows, truth)

    def test_without_a_status_sold_tickets_and_invitations_are_listed(self, usual: HotmartEmulator) -> None:
        rows, _ = Case(usual, ENDPOINTS["event_tickets"]).listing(ticket_status=None)
        assert {row["eticket"]["ticket_status"] for row in rows} == {"SOLD", "INVITE"}

    def test_users_of_the_club_are_found_by_a_part_of_their_address(self, usual: HotmartEmulator) -> None:
        case = Case(usual, ENDPOINTS["club_users"])
        rows, _ = case.listing(user_email="ana")
        assert_same(rows, [row for row in case.truth() if "ana" in row["email"].casefold()])
        assert rows

    def test_the_newer_version_of_pages_is_asked_where_the_product_is_given(self, usual: HotmartEmulator) -> None:
        case = Case(usual, ENDPOINTS["club_pages"])
        name = case.subdomains[-1]
        before = len(usual.calls)
        rows, _ = case.listing(subdomain=name, product_id=usual.club_subdomains[name])
        assert_same(rows, [row for row in case.truth() if row["subdomain"] == name])
        assert any("/club/api/v2/" in call.path for call in usual.calls[before:])

    def test_given_values_are_asked_for_without_looking_for_others(self, usual: HotmartEmulator) -> None:
        ucodes = [one["ucode"] for one in usual.products[:2]]
        rows, listing = Case(usual, ENDPOINTS["product_offers"]).listing(product_ucode=ucodes)
        assert {row["product_ucode"] for row in rows} == set(ucodes)
        assert listing.calls == 2


class TestUnknown:
    """What is not there is none, or an error that says so."""

    UNKNOWN = "00000000-0000-4000-8000-00000000dead"

    @pytest.mark.parametrize("name", ["product_offers", "product_plans"])
    def test_an_unknown_product(self, usual: HotmartEmulator, name: str) -> None:
        usual.quirks = Quirks(unknown_ucode="not_found")
        with pytest.raises(HotmartNotFoundError):
            Case(usual, ENDPOINTS[name]).listing(product_ucode=self.UNKNOWN)
        usual.quirks = Quirks(unknown_ucode="empty")
        assert Case(usual, ENDPOINTS[name]).listing(product_ucode=self.UNKNOWN)[0] == []

    @pytest.mark.parametrize("no_plans", CHOICES["no_plans"])
    def test_a_product_without_plans_has_none(self, usual: HotmartEmulator, no_plans: Any) -> None:
        usual.quirks = Quirks(no_plans=no_plans)
        product = next(one for one in usual.products if not one["is_subscription"])
        assert Case(usual, ENDPOINTS["product_plans"]).listing(product_ucode=product["ucode"])[0] == []

    @pytest.mark.parametrize("shape", CHOICES["empty_shape"])
    def test_a_product_without_offers_has_none_and_those_of_others_are_listed(
        self, usual: HotmartEmulator, shape: Any
    ) -> None:
        usual.quirks = Quirks(empty_shape=shape)
        case = Case(usual, ENDPOINTS["product_offers"])
        without = next(one["ucode"] for one in usual.products if one["status"] == "DELETED")
        assert case.listing(product_ucode=without)[0] == []
        rows = case.listing()[0]
        assert_same(rows, case.truth())
        assert {row["product_ucode"] for row in rows} == {one["ucode"] for one in usual.products} - {without}

    @pytest.mark.parametrize(
        ("name", "filters"),
        [
            ("product_coupons", {"product_id": 1}),
            ("subscriber_purchases", {"subscriber_code": "NOBODY"}),
            ("club_lessons", {"user_id": "nobody"}),
            ("club_pages", {"module_id": "nothing", "subdomain": None}),
            ("events", {"event_id": 1}),
            ("event_tickets", {"event_id": 1}),
        ],
    )
    def test_an_unknown_code_is_an_error(self, usual: HotmartEmulator, name: str, filters: dict[str, Any]) -> None:
        with pytest.raises(HotmartNotFoundError, match="does not know what was asked for"):
            Case(usual, ENDPOINTS[name]).listing(**filters)

    @pytest.mark.parametrize(
        ("name", "filters"),
        [
            ("product_offers", {"product_ucode": 4060000}),
            ("product_offers", {"product_ucode": "4060000"}),
            ("product_plans", {"product_ucode": ["4060000"]}),
            ("product_coupons", {"product_id": UNKNOWN}),
            ("events", {"event_id": UNKNOWN}),
            ("subscriber_purchases", {"subscriber_code": "../../products"}),
            ("club_modules", {"subdomain": None}),
            ("club_pages", {"subdomain": None}),
            ("subscriptions", {"trial": "perhaps"}),
        ],
    )
    def test_what_cannot_be_is_refused_before_any_call(
        self, usual: HotmartEmulator, name: str, filters: dict[str, Any]
    ) -> None:
        before = len(usual.calls)
        with pytest.raises(HotmartInvalidRequestError):
            Case(usual, ENDPOINTS[name]).listing(**filters)
        assert len(usual.calls) == before

    def test_a_product_that_vanished_since_it_was_found_has_no_offers(
        self, usual: HotmartEmulator, caplog: pytest.LogCaptureFixture
    ) -> None:
        gone = usual.products[3]["ucode"]
        usual.faults.add(Fault.status(404), times=None, path=f"/products/api/v1/products/{gone}/offers")
        case = Case(usual, ENDPOINTS["product_offers"])
        assert_same(case.listing()[0], [row for row in case.truth() if row["product_ucode"] != gone])
        assert f"has no offers at /products/api/v1/products/{gone}/offers (HTTP 404)" in caplog.text


class TestSelect:
    @every_endpoint
    def test_records_hold_what_was_selected_and_what_was_asked_for(
        self, usual: HotmartEmulator, endpoint: Endpoint
    ) -> None:
        case = Case(usual, endpoint)
        path = min((one for one in endpoint.columns if not one.optional), key=lambda one: one.path.count(".")).path
        whole, _ = case.listing()
        rows, _ = case.listing(select=path)
        stamped = {one.name for one in endpoint.stamps} | {endpoint.status_key}
        assert len(rows) == len(whole)
        top = path.partition(".")[0]
        assert set().union(*rows) - stamped == {top}
        assert all(one[name] == other[name] for one, other in zip(rows, whole, strict=True) for name in stamped if name)


def test_a_sale_that_moved_meanwhile_keeps_its_own_status_and_comes_with_the_later_one_too() -> None:
    with account(0) as hotmart:
        sale = hotmart.add_sale(status="APPROVED", ordered_at=NOW - timedelta(days=3))

        def refund(call: Call) -> None:
            if "APPROVED" in call.params.get("transaction_status", ()):
                hotmart.move(sale.transaction, "REFUNDED")

        hotmart.after_call = refund
        with client_of(hotmart, 1) as client:
            query = build_query(ENDPOINTS["sales"], now=NOW.timestamp(), transaction_status=["APPROVED", "REFUNDED"])
            rows = list(Listing(client, query).objects())
    assert [row["purchase"]["status"] for row in rows] == ["APPROVED", "REFUNDED"]
