"""A listing holds exactly what is there, whichever way the unknowns of Hotmart's API turn out."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_hotmart.api.enums import ProductFormat, ProductStatus, SaleStatus
from airflow_provider_hotmart.emulator import HotmartEmulator, Quirks
from airflow_provider_hotmart.hooks.hotmart import HotmartHook
from airflow_provider_hotmart.operators.products import HotmartListProductsOperator
from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator
from tests.integration.support import (
    NOW,
    WIDTHS,
    YEAR,
    account,
    assert_exact,
    client_of,
    drawing,
    identities,
    identity,
    lines_of,
    participants,
    products,
    write,
)

CHOICES = Quirks.choices()
EVERY_SWITCH = [
    pytest.param({name: value}, id=f"{name}={value}") for name, values in CHOICES.items() for value in values
]
#: Answers as wide as this are refused: a year must be cut, and cut again.
TOO_WIDE = {"too_wide": timedelta(days=60)}


@pytest.fixture(scope="module")
def large() -> Iterator[HotmartEmulator]:
    """20,000 sales over a year."""
    with account(20_000) as hotmart:
        yield hotmart


@pytest.fixture(scope="module")
def medium() -> Iterator[HotmartEmulator]:
    """3,000 sales over a year, half of them on one day; five pages of COMPLETE."""
    with account(3_000, spread="launch", products=1_300) as hotmart:
        yield hotmart


@pytest.fixture
def usual(medium: HotmartEmulator) -> Iterator[HotmartEmulator]:
    """The same, and whatever a test does to the quirks is undone."""
    medium.quirks = Quirks()
    yield medium
    medium.quirks = Quirks()


class TestParticipants:
    def test_a_year_of_all_statuses_is_listed_exactly_however_many_calls_run_at_once(
        self, large: HotmartEmulator, tmp_path: Path
    ) -> None:
        for width in WIDTHS:
            with client_of(large, width) as client:
                write(client, tmp_path / f"{width}.jsonl", transaction_status="ALL", **YEAR)
        assert_exact(tmp_path / "1.jsonl", large.truth(None, *YEAR.values()))
        files = [(tmp_path / f"{width}.jsonl").read_bytes() for width in WIDTHS]
        assert all(file == files[0] for file in files), "the same records in another order"

    def test_the_operator_writes_the_same(
        self, large: HotmartEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connect(monkeypatch, large)
        manifest = HotmartListSalesParticipantsOperator(
            task_id="list",
            transaction_status="ALL",
            sales_start_date=YEAR["sales_start_date"],
            sales_end_date=YEAR["sales_end_date"],
            destination=f"file://{tmp_path}/operator.jsonl",
        ).execute({})
        assert isinstance(manifest, dict)
        truth = large.truth(None, *YEAR.values())
        assert_exact(tmp_path / "operator.jsonl", truth)
        assert manifest["records"] == len(truth)

    @pytest.mark.parametrize("width", WIDTHS)
    @pytest.mark.parametrize("switch", EVERY_SWITCH)
    def test_either_way_of_every_unknown_gives_the_true_set(
        self, usual: HotmartEmulator, tmp_path: Path, switch: dict[str, Any], width: int
    ) -> None:
        usual.quirks = Quirks(**switch)
        with client_of(usual, width) as client:
            write(client, tmp_path / "all.jsonl", transaction_status="ALL", **YEAR)
        assert_exact(tmp_path / "all.jsonl", usual.truth(None, *YEAR.values()))

    @drawing(25)
    @given(
        drawn=st.fixed_dictionaries({name: st.sampled_from(values) for name, values in CHOICES.items()}),
        too_wide=st.sampled_from([None, timedelta(days=20), timedelta(hours=30)]),
        window=st.tuples(st.integers(0, 365 * 86_400), st.integers(1, 200 * 86_400)),
        width=st.sampled_from(WIDTHS),
    )
    def test_any_combination_of_unknowns_gives_the_true_set(
        self,
        medium: HotmartEmulator,
        tmp_path_factory: pytest.TempPathFactory,
        drawn: dict[str, Any],
        too_wide: timedelta | None,
        window: tuple[int, int],
        width: int,
    ) -> None:
        start = NOW - timedelta(days=365) + timedelta(seconds=window[0])
        end = start + timedelta(seconds=window[1])
        medium.quirks = Quirks(**drawn, too_wide=too_wide)
        path = tmp_path_factory.mktemp("drawn") / "all.jsonl"
        with client_of(medium, width) as client:
            write(client, path, transaction_status="ALL", sales_start_date=start, sales_end_date=end)
        assert_exact(path, medium.truth(None, start, end))

    @pytest.mark.parametrize("switches", [TOO_WIDE, {"order": "arbitrary"}, {"total_results": False}])
    def test_the_order_depends_on_nothing_but_the_data(
        self, usual: HotmartEmulator, tmp_path: Path, switches: dict[str, Any]
    ) -> None:
        usual.quirks = Quirks(**switches)
        for width in WIDTHS:
            with client_of(usual, width) as client:
                write(client, tmp_path / f"{width}.jsonl", transaction_status="ALL", **YEAR)
        assert_exact(tmp_path / "1.jsonl", usual.truth(None, *YEAR.values()))
        files = [(tmp_path / f"{width}.jsonl").read_bytes() for width in WIDTHS]
        assert all(file == files[0] for file in files)

    def test_shuffled_keys_change_the_order_of_keys_and_nothing_else(
        self, usual: HotmartEmulator, tmp_path: Path
    ) -> None:
        with client_of(usual) as client:
            write(client, tmp_path / "plain.jsonl", transaction_status="ALL", **YEAR)
            usual.quirks.shuffle_keys = True
            write(client, tmp_path / "shuffled.jsonl", transaction_status="ALL", **YEAR)
        plain, shuffled = lines_of(tmp_path / "plain.jsonl"), lines_of(tmp_path / "shuffled.jsonl")
        assert plain != shuffled
        assert [json.loads(line) for line in plain] == [json.loads(line) for line in shuffled]

    @pytest.mark.parametrize("inclusive", [True, False])
    def test_neighbouring_windows_neither_overlap_nor_leave_a_gap(self, tmp_path: Path, inclusive: bool) -> None:
        # One sale in every second around a bound, so that a bound off by one shows.
        with account(0, quirks=Quirks(start_inclusive=inclusive, end_inclusive=inclusive)) as hotmart:
            middle = NOW - timedelta(days=1)
            sales = [hotmart.add_sale(ordered_at=middle + timedelta(seconds=second)) for second in range(-3, 4)]
            with client_of(hotmart) as client:
                before = middle - timedelta(seconds=2)
                write(client, tmp_path / "left.jsonl", sales_start_date=before, sales_end_date=middle)
                write(
                    client,
                    tmp_path / "right.jsonl",
                    sales_start_date=middle,
                    sales_end_date=middle + timedelta(seconds=2),
                )
        found = [{one[0] for one in identities(tmp_path / name)} for name in ("left.jsonl", "right.jsonl")]
        assert found == [{sale.transaction for sale in part} for part in (sales[1:3], sales[3:5])]

    def test_more_sales_in_one_second_than_fit_a_page_are_listed_exactly(self, tmp_path: Path) -> None:
        with account(0) as hotmart:
            for number in range(1_203):
                hotmart.add_sale(ordered_at=NOW - timedelta(days=3), coproducers=number % 3)
            with client_of(hotmart, width=3) as client:
                write(client, tmp_path / "rush.jsonl", **YEAR)
            assert_exact(tmp_path / "rush.jsonl", hotmart.truth(None, *YEAR.values()))

    @pytest.mark.parametrize("width", WIDTHS)
    def test_a_launch_day_that_holds_half_of_the_year_is_listed_exactly(self, tmp_path: Path, width: int) -> None:
        with account(9_000, spread="launch", statuses=["COMPLETE"], quirks=Quirks(**TOO_WIDE)) as hotmart:
            with client_of(hotmart, width) as client:
                write(client, tmp_path / "launch.jsonl", transaction_status="COMPLETE", **YEAR)
            assert_exact(tmp_path / "launch.jsonl", hotmart.truth(None, *YEAR.values()))

    @pytest.mark.parametrize("shape", CHOICES["empty_shape"])
    @pytest.mark.parametrize("total", [True, False])
    def test_no_sales_at_all_make_an_empty_file(self, tmp_path: Path, shape: str, total: bool) -> None:
        with (
            account(0, quirks=Quirks(empty_shape=shape, total_results=total)) as hotmart,
            client_of(hotmart) as client,
        ):
            listing = write(client, tmp_path / "none.jsonl", transaction_status="ALL", **YEAR)
            assert (listing.records, (tmp_path / "none.jsonl").read_bytes()) == (0, b"")

    @pytest.mark.parametrize("name", ["PROTESTED", "DISPUTE"])
    @pytest.mark.parametrize("accepted", CHOICES["protested"])
    def test_protested_sales_are_found_under_whichever_name_the_service_knows(
        self, usual: HotmartEmulator, tmp_path: Path, name: str, accepted: str
    ) -> None:
        usual.quirks = Quirks(protested=accepted)
        with client_of(usual) as client:
            write(client, tmp_path / "disputes.jsonl", transaction_status=name, **YEAR)
        truth = usual.truth(["PROTESTED", "DISPUTE"], *YEAR.values())
        found = identities(tmp_path / "disputes.jsonl")
        assert truth
        assert {one[:3] for one in found} == {one[:3] for one in truth}
        stamp = name if accepted == "both" else accepted.upper()
        assert {one[3] for one in found} == {stamp}

    @pytest.mark.parametrize("empty", CHOICES["empty_shape"])
    def test_filters_together_list_what_fits_all_of_them(
        self, usual: HotmartEmulator, tmp_path: Path, empty: str
    ) -> None:
        usual.quirks = Quirks(empty_shape=empty)
        ids = [product for product, _ in Counter(sale.product_id for sale in usual.sales).most_common(3)]
        statuses = ["REFUNDED", "APPROVED"]
        with client_of(usual, width=3) as client:
            write(client, tmp_path / "some.jsonl", transaction_status=statuses, product_id=ids, **YEAR)
        truth = set().union(*(usual.truth(statuses, *YEAR.values(), product_id=one) for one in ids))
        assert truth
        assert_exact(tmp_path / "some.jsonl", truth)


class TestParticipantsByFilter:
    def test_one_transaction_is_found_whatever_its_age_and_status(self, usual: HotmartEmulator) -> None:
        old = usual.sales[0]
        with client_of(usual) as client:
            records = list(participants(client, transaction=old.transaction))
        assert {one["role"] for one in records} >= {"BUYER", "PRODUCER"}
        assert {(one["transaction"], one["transaction_status"]) for one in records} == {(old.transaction, None)}

    def test_several_transactions_are_each_found_once(self, usual: HotmartEmulator) -> None:
        wanted = [sale.transaction for sale in usual.sales[::400]]
        with client_of(usual, width=3) as client:
            records = list(participants(client, transaction=[*wanted, wanted[0]]))
        truth = set().union(*(usual.truth(transaction=one) for one in wanted))
        assert Counter(identity(one)[:3] for one in records) == Counter(one[:3] for one in truth)
        assert list(dict.fromkeys(one["transaction"] for one in records)) == wanted

    @pytest.mark.parametrize("status", ["COMPLETE", "ALL", ["APPROVED", "REFUNDED"]])
    def test_a_transaction_with_a_status_is_found_only_in_that_status(
        self, usual: HotmartEmulator, status: Any
    ) -> None:
        wanted = [sale.transaction for sale in usual.sales[:40]]
        with client_of(usual, width=3) as client:
            records = list(participants(client, transaction=wanted, transaction_status=status))
        asked = None if status == "ALL" else status
        truth = set().union(*(usual.truth(asked, transaction=one) for one in wanted))
        assert truth
        assert Counter(map(identity, records)) == Counter(truth)

    def test_a_transaction_with_dates_is_found_only_within_them(self, usual: HotmartEmulator) -> None:
        old, new = usual.sales[0], usual.sales[-1]
        dates = {"sales_start_date": NOW - timedelta(days=30), "sales_end_date": NOW}
        with client_of(usual) as client:
            records = list(participants(client, transaction=[old.transaction, new.transaction], **dates))
        assert {one["transaction"] for one in records} == {new.transaction}

    def test_an_unknown_transaction_is_no_rows(self, usual: HotmartEmulator) -> None:
        with client_of(usual) as client:
            assert list(participants(client, transaction="HP0000000000")) == []

    def test_a_buyer_is_found_by_the_address_of_the_mailbox(self, usual: HotmartEmulator) -> None:
        sale = next(sale for sale in usual.sales if sale.status_at(NOW.timestamp()) is SaleStatus.COMPLETE)
        buyer = next(one["user"] for one in sale.participants if one["role"] == "BUYER")
        with client_of(usual) as client:
            records = list(participants(client, buyer_email=buyer["email"], transaction_status="ALL", **YEAR))
        truth = usual.truth(None, *YEAR.values(), buyer_email=buyer["email"])
        assert (sale.transaction, "BUYER", buyer["ucode"], "COMPLETE") in truth
        assert Counter(map(identity, records)) == Counter(truth)

    @pytest.mark.parametrize("roles", ["BUYER", ["COPRODUCER", "AFFILIATE"]])
    def test_only_people_in_the_wanted_roles_are_listed(
        self, usual: HotmartEmulator, tmp_path: Path, roles: Any
    ) -> None:
        with client_of(usual) as client:
            write(client, tmp_path / "roles.jsonl", transaction_status="ALL", roles=roles, **YEAR)
        wanted = {roles} if isinstance(roles, str) else set(roles)
        truth = {one for one in usual.truth(None, *YEAR.values()) if one[1] in wanted}
        assert truth
        assert_exact(tmp_path / "roles.jsonl", truth)

    def test_without_dates_the_last_thirty_days_are_listed(self, usual: HotmartEmulator) -> None:
        with client_of(usual) as client:
            records = list(participants(client))
        truth = usual.truth(["APPROVED", "COMPLETE"], NOW - timedelta(days=30), NOW)
        assert truth
        assert Counter(map(identity, records)) == Counter(truth)


class TestSelect:
    @pytest.mark.parametrize("shuffle", [False, True])
    def test_participants_hold_what_was_selected_and_their_status(self, usual: HotmartEmulator, shuffle: bool) -> None:
        usual.quirks.shuffle_keys = shuffle
        select = "transaction,users.role,users.user.ucode"
        with client_of(usual, width=3) as client:
            records = list(participants(client, transaction_status="ALL", select=select, **YEAR))
        truth = usual.truth(None, *YEAR.values())
        assert Counter(map(identity, records)) == Counter(truth)
        assert {frozenset(one) for one in records} == {
            frozenset({"transaction", "transaction_status", "role", "user"}),
            frozenset({"transaction", "transaction_status", "role"}),  # of somebody without a ucode
        }
        assert all(set(one.get("user", {})) <= {"ucode"} for one in records)

    @pytest.mark.parametrize(
        ("select", "fields"),
        [
            ("users.user.email", {"transaction_status", "user"}),
            (["transaction"], {"transaction", "transaction_status"}),
            ("product.name, users.role", {"transaction_status", "product", "role"}),
        ],
    )
    def test_what_was_not_selected_does_not_show(self, usual: HotmartEmulator, select: Any, fields: set[str]) -> None:
        with client_of(usual) as client:
            whole = list(participants(client, **YEAR))
            records = list(participants(client, select=select, **YEAR))
        assert len(records) == len(whole)
        assert set().union(*records) == fields
        assert all(set(one.get("product", {})) <= {"name"} for one in records)
        emails = [one.get("user", {}).get("email") for one in records]
        if "user" in fields:
            assert emails == [one["user"].get("email") for one in whole]

    @pytest.mark.parametrize("roles", [None, "BUYER"])
    def test_a_role_can_be_asked_for_without_being_selected(self, usual: HotmartEmulator, roles: Any) -> None:
        with client_of(usual) as client:
            records = list(participants(client, select="users.user.ucode", roles=roles, **YEAR))
        truth = usual.truth(["APPROVED", "COMPLETE"], *YEAR.values())
        people = Counter(one[2] for one in truth if roles in (None, one[1]))
        assert Counter(one.get("user", {}).get("ucode") or None for one in records) == people

    @pytest.mark.parametrize("shape", CHOICES["empty_shape"])
    def test_a_select_over_no_rows_is_an_empty_listing(self, usual: HotmartEmulator, shape: str) -> None:
        usual.quirks = Quirks(empty_shape=shape)
        long_ago = {"sales_start_date": "2020-01-01", "sales_end_date": "2020-02-01"}
        with client_of(usual) as client:
            assert list(participants(client, select="users.role", **long_ago)) == []
            assert list(products(client, select="name", product_id=1)) == []


class TestProducts:
    @pytest.mark.parametrize("switch", EVERY_SWITCH)
    def test_either_way_of_every_unknown_gives_all_products(
        self, usual: HotmartEmulator, switch: dict[str, Any]
    ) -> None:
        usual.quirks = Quirks(**switch)
        with client_of(usual) as client:
            assert list(products(client)) == usual.products

    @drawing(15)
    @given(
        drawn=st.fixed_dictionaries({name: st.sampled_from(values) for name, values in CHOICES.items()}),
        statuses=st.lists(st.sampled_from(list(ProductStatus)), max_size=3),
        formats=st.lists(st.sampled_from(list(ProductFormat)), max_size=3),
        some=st.integers(0, 3),
        seed=st.integers(0, 1000),
    )
    def test_any_filters_under_any_unknowns_give_what_fits(
        self,
        medium: HotmartEmulator,
        drawn: dict[str, Any],
        statuses: list[str],
        formats: list[str],
        some: int,
        seed: int,
    ) -> None:
        medium.quirks = Quirks(**drawn)
        ids = [one["id"] for one in random.Random(seed).sample(medium.products, some)]
        filters = {"product_id": ids or None, "status": statuses or None, "format": formats or None}
        with client_of(medium) as client:
            records = list(products(client, **filters))
        fitting = [
            one
            for one in medium.products
            if (not ids or one["id"] in ids)
            and (not statuses or one["status"] in statuses)
            and (not formats or one["format"] in formats)
        ]
        assert sorted(records, key=by_id) == sorted(fitting, key=by_id)

    def test_a_selection_holds_exactly_the_selected_fields(self, usual: HotmartEmulator) -> None:
        with client_of(usual) as client:
            records = list(products(client, select="name,status"))
        assert records == [{"name": one["name"], "status": one["status"]} for one in usual.products]

    def test_the_operator_writes_them_to_a_file(
        self, usual: HotmartEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connect(monkeypatch, usual)
        operator = HotmartListProductsOperator(task_id="list", destination=f"{tmp_path}/products.jsonl.gz")
        manifest = operator.execute({})
        assert isinstance(manifest, dict)
        assert [json.loads(line) for line in lines_of(tmp_path / "products.jsonl.gz")] == usual.products
        assert manifest["records"] == len(usual.products)

    @pytest.mark.parametrize("shape", CHOICES["empty_shape"])
    def test_no_products_at_all_are_an_empty_listing(self, shape: str) -> None:
        with account(0, products=0, quirks=Quirks(empty_shape=shape)) as hotmart, client_of(hotmart) as client:
            assert list(products(client)) == []


def by_id(product: dict[str, Any]) -> int:
    return int(product["id"])


def connect(monkeypatch: pytest.MonkeyPatch, hotmart: HotmartEmulator) -> None:
    """Make an emulator what the connection ``hotmart_default`` leads to."""
    connection = {
        "conn_type": "hotmart",
        "host": hotmart.url,
        "login": hotmart.client_id,
        "password": hotmart.client_secret,
        "extra": {"token_url": hotmart.token_url},
    }
    monkeypatch.setenv(f"AIRFLOW_CONN_{HotmartHook.default_conn_name.upper()}", json.dumps(connection))
