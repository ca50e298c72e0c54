"""A query → a stream of records that is complete, or fails: against an emulated Hotmart."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_hotmart.api.client import HotmartClient
from airflow_provider_hotmart.api.clock import SYSTEM_CLOCK
from airflow_provider_hotmart.api.config import HotmartConfig
from airflow_provider_hotmart.api.endpoints.products import PRODUCTS as PRODUCTS_ENDPOINT
from airflow_provider_hotmart.api.enums import SaleStatus
from airflow_provider_hotmart.api.errors import (
    HotmartInvalidRequestError,
    HotmartNotFoundError,
    HotmartResponseError,
    HotmartServerError,
    HotmartStoppedError,
)
from airflow_provider_hotmart.api.filters import build_query
from airflow_provider_hotmart.api.json_text import json_lines
from airflow_provider_hotmart.api.lifecycle import ranks
from airflow_provider_hotmart.api.listing import Listing
from airflow_provider_hotmart.emulator import Call, Fault, HotmartEmulator, Quirks
from airflow_provider_hotmart.emulator.service.answers import Answer
from airflow_provider_hotmart.emulator.service.faults import ROW_EDITS
from airflow_provider_hotmart.emulator.service.server import Reply
from tests.integration.support import (
    NOW,
    PRODUCTS,
    SALES,
    WIDTHS,
    YEAR,
    account,
    client_of,
    identity,
    listing_of,
    participants,
    products,
)
from tests.support import FakeClock, fetching_threads, serving, until

DAY = timedelta(days=1)
COMPLETE: dict[str, Any] = {"transaction_status": "COMPLETE", **YEAR}


@pytest.fixture
def shop() -> Iterator[HotmartEmulator]:
    """A small account, whose sales have all kinds of statuses."""
    with account(200) as hotmart:
        yield hotmart


@pytest.fixture
def big() -> Iterator[HotmartEmulator]:
    """An account with many pages of one status."""
    with account(4_000, statuses=["COMPLETE"]) as hotmart:
        yield hotmart


def found(client: HotmartClient, **filters: Any) -> list[Any]:
    """Who is found, in the order in which they come."""
    return [identity(record) for record in participants(client, **filters)]


def lines(client: HotmartClient, **filters: Any) -> list[bytes]:
    """The records as JSON Lines."""
    return b"".join(json_lines(batch) for batch in listing_of(client, **filters)).splitlines()


def of(call: Call, name: str) -> str:
    """The one value of a parameter."""
    [value] = call.params[name]
    return value


class TestExactness:
    @pytest.mark.parametrize("quirks", [{}, {"total_results": False}, {"too_wide": 7 * DAY}], ids=str)
    def test_records_are_complete_and_their_order_does_not_depend_on_the_width(
        self, big: HotmartEmulator, quirks: dict[str, Any]
    ) -> None:
        big.quirks = Quirks(**quirks)
        orders = []
        for width in WIDTHS:
            with client_of(big, width) as client:
                orders.append(found(client, **COMPLETE))
        assert orders[0] == orders[1] == orders[2]
        assert len(set(orders[0])) == len(orders[0])
        assert set(orders[0]) == big.truth("COMPLETE", YEAR["sales_start_date"], NOW)

    @pytest.mark.parametrize("width", WIDTHS)
    def test_a_502_in_the_middle_loses_nobody(self, big: HotmartEmulator, width: int) -> None:
        big.faults.add(Fault.status(502, "html"), path=SALES, after=4, times=3)
        with client_of(big, width) as client:
            everybody = found(client, **COMPLETE)
        assert len(set(everybody)) == len(everybody)
        assert set(everybody) == big.truth("COMPLETE", YEAR["sales_start_date"], NOW)

    @pytest.mark.parametrize("order", Quirks.choices()["order"])
    def test_rows_that_change_their_order_between_calls_cost_no_call_more(
        self, big: HotmartEmulator, order: str
    ) -> None:
        with client_of(big) as client:
            found(client, **COMPLETE)
            calls = len(big.calls)
            big.calls.clear()
            big.quirks = Quirks(order=order)
            assert set(found(client, **COMPLETE)) == big.truth("COMPLETE", YEAR["sales_start_date"], NOW)
        assert len(big.calls) == calls

    def test_a_service_that_gives_one_row_a_page_is_read_all_the_same(self) -> None:
        with account(30, statuses=["COMPLETE"], quirks=Quirks(max_page_size=1)) as hotmart:
            hotmart.add_sale(status="COMPLETE", ordered_at=NOW - 3 * DAY)
            hotmart.add_sale(status="COMPLETE", ordered_at=NOW - 3 * DAY)
            with client_of(hotmart) as client:
                everybody = found(client, **COMPLETE)
                assert sorted(one["id"] for one in products(client)) == sorted(one["id"] for one in hotmart.products)
            assert len(set(everybody)) == len(everybody)
            assert set(everybody) == hotmart.truth("COMPLETE", YEAR["sales_start_date"], NOW)

    def test_a_total_of_a_hundred_thousand_millions_costs_little(self, shop: HotmartEmulator) -> None:
        shop.faults.add(Fault.huge_total(), path=SALES)
        with client_of(shop) as client:
            began = time.process_time()
            assert set(found(client, **COMPLETE)) == shop.truth("COMPLETE", YEAR["sales_start_date"], NOW)
            assert time.process_time() - began < 10
        assert len(shop.calls) <= 600

    def test_a_total_that_is_never_reached_is_a_failure_and_no_endless_search(self, shop: HotmartEmulator) -> None:
        shop.faults.add(Fault.huge_total(), path=SALES, times=None)
        with client_of(shop) as client, pytest.raises(HotmartResponseError, match="some may be missing"):
            found(client, **COMPLETE)
        assert len(shop.calls) <= 3_000

    def test_an_empty_page_with_a_next_one_is_followed(self, shop: HotmartEmulator) -> None:
        shop.faults.add(Fault.empty_page(), path=SALES)
        with client_of(shop) as client:
            assert set(found(client, **COMPLETE)) == shop.truth("COMPLETE", YEAR["sales_start_date"], NOW)
        assert len({of(call, "start_date") for call in shop.calls}) == 1

    def test_products_whose_pages_never_end_are_a_failure(self, shop: HotmartEmulator) -> None:
        shop.faults.add(Fault.endless(), path=PRODUCTS, times=None)
        with client_of(shop) as client, pytest.raises(HotmartResponseError, match="run it again"):
            list(products(client))
        assert len(shop.calls) <= 20

    def test_no_connection_is_thrown_away_where_pages_are_followed_beside_the_threads(
        self, shop: HotmartEmulator, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("WARNING")
        shop.quirks = Quirks(max_page_size=2)
        with client_of(shop, max_parallel_calls=1) as client:
            query = build_query(PRODUCTS_ENDPOINT, now=NOW.timestamp(), status=["ACTIVE", "DRAFT", "DELETED"])
            assert sum(len(batch) for batch in Listing(client, query)) > 2
        assert caplog.text == ""

    def test_products_of_several_statuses_come_once(self, shop: HotmartEmulator) -> None:
        shop.products[0]["status"] = "DRAFT"
        shop.products[1]["status"] = "ACTIVE"

        def publish(call: Call) -> None:
            shop.products[0]["status"] = "ACTIVE"

        shop.after_call = publish
        with client_of(shop, width=1) as client:
            numbers = [one["id"] for one in products(client, status=["DRAFT", "ACTIVE"])]
        assert len(set(numbers)) == len(numbers)
        assert {shop.products[0]["id"], shop.products[1]["id"]} <= set(numbers)


class TestRanks:
    def test_statuses_are_asked_for_rank_by_rank_and_side_by_side_within(self, shop: HotmartEmulator) -> None:
        shop.latency = 0.02
        with client_of(shop, width=16) as client:
            everybody = found(client, transaction_status="ALL", **YEAR)
        rank = {str(status): number for number, one in enumerate(ranks()) for status in one}
        asked = [rank[of(call, "transaction_status")] for call in shop.calls]
        assert asked == sorted(asked)
        given = [rank[status] for *_, status in everybody]
        assert given == sorted(given)
        assert len(shop.calls) == len(SaleStatus)

    def test_statuses_of_one_rank_are_under_way_together(self, shop: HotmartEmulator) -> None:
        # None is answered before all of its rank have come.
        together: dict[str, threading.Barrier] = {}
        for rank in ranks():
            together |= dict.fromkeys(map(str, rank), threading.Barrier(len(rank)))

        def come(call: Call) -> None:
            together[of(call, "transaction_status")].wait(15)

        shop.on_call = come
        with client_of(shop, width=16) as client:
            everybody = found(client, transaction_status="ALL", **YEAR)
        assert {call.status for call in shop.calls} == {200}
        assert len(everybody) > 0

    @pytest.mark.parametrize("width", WIDTHS)
    def test_a_sale_that_moves_on_between_two_ranks_is_seen_twice_and_never_missed(self, width: int) -> None:
        with account(0) as hotmart:
            sale = hotmart.add_sale(status="APPROVED", ordered_at=NOW - DAY)

            # On the way into the later answer: what is to follow the earlier one may be overtaken by the later call.
            def move(call: Call) -> None:
                if of(call, "transaction_status") == "REFUNDED":
                    hotmart.move(sale.transaction, "REFUNDED")

            hotmart.on_call = move
            with client_of(hotmart, width) as client:
                statuses = [status for *_, status in found(client, transaction_status="ALL", **YEAR)]
        assert set(statuses) == {"APPROVED", "REFUNDED"}


class TestTwoNamesOfOneState:
    """PROTESTED and DISPUTE, of which the service may know either, or both."""

    @pytest.fixture
    def disputed(self) -> Iterator[HotmartEmulator]:
        with account(90, statuses=["PROTESTED", "COMPLETE"]) as hotmart:
            yield hotmart

    @pytest.mark.parametrize("known", Quirks.choices()["protested"])
    @pytest.mark.parametrize("asked", ["PROTESTED", "DISPUTE", "PROTESTED,DISPUTE", "ALL"])
    @pytest.mark.parametrize("width", [1, 16])
    def test_whoever_is_in_it_is_found_once_whichever_name_is_known_or_asked_for(
        self, disputed: HotmartEmulator, known: str, asked: str, width: int
    ) -> None:
        disputed.quirks = Quirks(protested=known)
        with client_of(disputed, width) as client:
            people = found(client, transaction_status=asked, **YEAR)
        persons = [one[:3] for one in people if one[3] in ("PROTESTED", "DISPUTE")]
        assert len(set(persons)) == len(persons)
        truth = disputed.truth("DISPUTE" if known == "dispute" else "PROTESTED", YEAR["sales_start_date"], NOW)
        assert set(persons) == {one[:3] for one in truth} != set()
        names = {one[3] for one in people} & {"PROTESTED", "DISPUTE"}
        assert len(names) == 1
        if known != "both":
            assert names == {known.upper()}

    def test_where_neither_name_is_known_it_is_an_error(self, disputed: HotmartEmulator) -> None:
        disputed.faults.add(Fault.status(400), path=SALES, times=None)
        with client_of(disputed) as client, pytest.raises(HotmartInvalidRequestError):
            found(client, transaction_status="PROTESTED", **YEAR)
        assert [of(call, "transaction_status") for call in disputed.calls] == ["PROTESTED", "DISPUTE"]

    @pytest.mark.parametrize(
        "fault",
        [Fault.status(400, error="invalid_value_headers"), Fault.status(422), Fault.status(404), Fault.status(403)],
        ids=lambda fault: fault.name,
    )
    def test_only_a_400_about_a_value_is_taken_for_it(self, disputed: HotmartEmulator, fault: Fault) -> None:
        disputed.faults.add(fault, path=SALES)
        with client_of(disputed, width=1) as client, pytest.raises(Exception, match="HTTP 4"):
            found(client, transaction_status="PROTESTED,DISPUTE", **YEAR)

    @pytest.mark.parametrize("known", Quirks.choices()["protested"])
    @pytest.mark.parametrize("asked", ["PROTESTED", "DISPUTE", "PROTESTED,DISPUTE"])
    def test_a_part_of_the_window_that_is_refused_for_its_age_is_not_taken_for_a_name_that_is_not_known(
        self, disputed: HotmartEmulator, known: str, asked: str
    ) -> None:
        disputed.quirks = Quirks(protested=known, look_back="age")
        dates = {"sales_start_date": NOW - 800 * DAY, "sales_end_date": NOW}
        with (
            client_of(disputed) as client,
            pytest.raises(HotmartInvalidRequestError, match="probably for its age: give "),
        ):
            found(client, transaction_status=asked, **dates)

    def test_a_400_about_another_status_is_an_error(self, shop: HotmartEmulator) -> None:
        shop.faults.add(Fault.status(400), path=SALES)
        with client_of(shop) as client, pytest.raises(HotmartInvalidRequestError):
            found(client, transaction_status="APPROVED", **YEAR)


class TestTransaction:
    """A sale that is asked for by its code, without dates."""

    @pytest.fixture
    def old(self) -> Iterator[HotmartEmulator]:
        with account(50, days=20) as hotmart:
            for days, status in ((3, "STARTED"), (400, "COMPLETE"), (715, "COMPLETE"), (1500, "EXPIRED")):
                hotmart.add_sale(status=status, ordered_at=NOW - days * DAY, coproducers=2)
            yield hotmart

    @pytest.mark.parametrize("date_filter", Quirks.choices()["date_filter"])
    @pytest.mark.parametrize("never_approved", Quirks.choices()["never_approved"])
    @pytest.mark.parametrize("age", range(4))
    def test_where_the_service_finds_it_whatever_its_date_one_call_does(
        self, old: HotmartEmulator, date_filter: str, never_approved: str, age: int
    ) -> None:
        old.quirks = Quirks(date_filter=date_filter, never_approved=never_approved)
        sale = old.sales[50 + age]
        with client_of(old) as client:
            people = found(client, transaction=sale.transaction)
        assert {one[:3] for one in people} == {one[:3] for one in old.truth(transaction=sale.transaction)}
        assert {one[3] for one in people} == {None}
        assert len(old.calls) == 1
        assert not {"start_date", "end_date", "transaction_status"} & old.calls[0].params.keys()

    @pytest.mark.parametrize("age", range(4))
    def test_where_it_looks_at_the_last_days_alone_it_is_looked_for_in_all_time(
        self, old: HotmartEmulator, age: int
    ) -> None:
        old.quirks = Quirks(transaction_window="default", look_back="length")
        sale = old.sales[50 + age]
        with client_of(old) as client:
            people = found(client, transaction=sale.transaction)
        assert {one[:3] for one in people} == {one[:3] for one in old.truth(transaction=sale.transaction)}
        assert "start_date" not in old.calls[0].params

    @pytest.mark.parametrize("age", range(3))
    def test_where_old_dates_are_refused_it_is_looked_for_as_far_back_as_they_are_not(
        self, old: HotmartEmulator, age: int
    ) -> None:
        old.quirks = Quirks(transaction_window="default", look_back="age")
        sale = old.sales[50 + age]
        with client_of(old) as client:
            people = found(client, transaction=sale.transaction)
            assert {one[:3] for one in people} == {one[:3] for one in old.truth(transaction=sale.transaction)}
            assert found(client, transaction=old.sales[53].transaction) == []

    def test_a_sale_that_was_never_approved_is_found_where_dates_would_hide_it(self, old: HotmartEmulator) -> None:
        old.quirks = Quirks(date_filter="approval", never_approved="hidden", transaction_window="default")
        sale = old.sales[50]
        with client_of(old) as client:
            assert found(client, transaction=sale.transaction)

    def test_several_codes_and_a_status_are_each_looked_for(self, old: HotmartEmulator) -> None:
        old.quirks = Quirks(transaction_window="default")
        codes = [sale.transaction for sale in old.sales[50:]]
        with client_of(old) as client:
            assert {one[0] for one in found(client, transaction=codes)} == set(codes)
            complete = found(client, transaction=codes, transaction_status="COMPLETE")
        assert {(one[0], one[3]) for one in complete} == {(code, "COMPLETE") for code in codes[1:3]}

    @pytest.mark.parametrize("known", Quirks.choices()["protested"])
    @pytest.mark.parametrize("asked", ["PROTESTED", "DISPUTE", "ALL"])
    @pytest.mark.parametrize("look_back", Quirks.choices()["look_back"])
    def test_a_protested_one_is_found_under_either_name_of_its_status(
        self, old: HotmartEmulator, known: str, asked: str, look_back: str
    ) -> None:
        old.quirks = Quirks(protested=known, transaction_window="default", look_back=look_back)
        sale = old.add_sale(status="PROTESTED", ordered_at=NOW - 500 * DAY)
        with client_of(old) as client:
            people = found(client, transaction=sale.transaction, transaction_status=asked)
            nobody = found(client, transaction="HP0000000000", transaction_status=asked)
        assert {one[:3] for one in people} == {one[:3] for one in old.truth(transaction=sale.transaction)}
        assert nobody == []

    def test_a_code_that_there_is_not_finds_nothing(self, old: HotmartEmulator) -> None:
        with client_of(old) as client:
            assert found(client, transaction="HP0000000000") == []

    def test_codes_that_there_are_not_are_looked_for_side_by_side(self, old: HotmartEmulator) -> None:
        old.quirks = Quirks(transaction_window="default")
        codes = [f"HP{number:010}" for number in range(20)]
        with client_of(old) as client:
            assert found(client, transaction=codes) == []
        windows = [str(call.params.get("start_date")) for call in old.calls]
        assert len(windows) == len(codes) * len(set(windows))
        assert windows[::20] == sorted(set(windows), key=windows.index), "all codes in one window, then in the next"

    def test_with_dates_it_is_looked_for_between_them_alone(self, old: HotmartEmulator) -> None:
        with client_of(old) as client:
            assert found(client, transaction=old.sales[51].transaction, **YEAR) == []
        assert all("start_date" in call.params for call in old.calls)


class TestRawValues:
    def test_unknown_keys_and_numbers_pass_as_hotmart_wrote_them(self, shop: HotmartEmulator) -> None:
        shop.faults.add(Fault.row(lambda text: text.replace("{", '{"new":[1.50,1E2,{"a":null}],', 1)), path=SALES)
        with client_of(shop) as client:
            first, *others = lines(client, **COMPLETE)
        assert b'"new":[1.50,1E2,{"a":null}]' in first
        assert b'"new"' not in others[-1]

    @pytest.mark.parametrize("layout", Quirks.choices()["json_layout"])
    def test_a_record_fits_on_a_line_however_bodies_are_laid_out(self, shop: HotmartEmulator, layout: str) -> None:
        with client_of(shop) as client:
            compact = [json.loads(line) for line in lines(client, **COMPLETE)]
            shop.quirks = Quirks(json_layout=layout)
            assert [json.loads(line) for line in lines(client, **COMPLETE)] == compact

    @pytest.mark.parametrize("edit", ["nan", "beyond", "not_utf8", "no_object", "null", "users_no_list"])
    def test_a_row_that_is_wrong_fails_the_listing(self, shop: HotmartEmulator, edit: str) -> None:
        shop.faults.add(Fault.row(ROW_EDITS[edit]), path=SALES, times=None)
        with client_of(shop) as client, pytest.raises(HotmartResponseError):
            lines(client, **COMPLETE)

    @pytest.mark.parametrize("page", [500, 1])
    def test_half_of_a_cut_emoji_in_a_name_does_not_block_a_listing_and_is_written_escaped(
        self, shop: HotmartEmulator, page: int
    ) -> None:
        shop.quirks = Quirks(max_page_size=page)
        shop.faults.add(Fault.row(ROW_EDITS["surrogate"]), path=SALES, times=None)
        with client_of(shop) as client:
            written = lines(client, transaction=shop.sales[5].transaction)
            decoded = list(participants(client, transaction=shop.sales[5].transaction))
        assert len(written) == len(decoded) > 0
        assert sum(rb"\ud83d" in line for line in written) == sum(r"\ud83d" in json.dumps(one) for one in decoded) > 0
        assert [json.loads(line) for line in written] == decoded

    def test_products_pass_whole(self, shop: HotmartEmulator) -> None:
        with client_of(shop) as client:
            query = build_query(PRODUCTS_ENDPOINT, now=NOW.timestamp())
            written = b"".join(json_lines(batch) for batch in Listing(client, query))
        assert [json.loads(line) for line in written.splitlines()] == shop.products


class TestRefusals:
    @pytest.mark.parametrize("name", ["buyer_email", "buyer_name", "affiliate_name"])
    def test_hotmarts_description_is_left_out_where_a_personal_filter_was_sent(
        self, shop: HotmartEmulator, name: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        echo = b'{"error":"invalid_parameter","message":"no such: mar... at example.com"}'
        shop.faults.add(Fault.body(echo, 400), path=SALES)
        caplog.set_level("DEBUG")
        with client_of(shop) as client, pytest.raises(HotmartInvalidRequestError) as caught:
            found(client, **{name: "maria@example.com"}, **YEAR)
        assert caught.value.description is None
        assert "no such" not in str(caught.value) + caplog.text
        assert "maria" not in caplog.text

    def test_it_is_shown_where_none_was_sent(self, shop: HotmartEmulator) -> None:
        shop.faults.add(Fault.body(b'{"error":"invalid_parameter","message":"no such"}', 400), path=SALES)
        with client_of(shop) as client, pytest.raises(HotmartInvalidRequestError, match="no such"):
            found(client, product_id=7, **YEAR)

    def test_a_window_that_is_refused_for_its_age_names_the_oldest_date_that_can_work(
        self, shop: HotmartEmulator
    ) -> None:
        shop.quirks = Quirks(look_back="age")
        dates = {"sales_start_date": NOW - 800 * DAY, "sales_end_date": NOW}
        with client_of(shop) as client, pytest.raises(HotmartInvalidRequestError) as caught:
            found(client, transaction_status="COMPLETE", **dates)
        oldest = (NOW - 730 * DAY).date().isoformat()
        assert f"sales_start_date, probably for its age: give {oldest} (730 days ago) or later" in str(caught.value)
        assert "sales_start_date" in str(caught.value)

    def test_a_refusal_of_a_younger_window_is_not_explained_by_its_age(self, shop: HotmartEmulator) -> None:
        shop.faults.add(Fault.status(400), path=SALES)
        with client_of(shop) as client, pytest.raises(HotmartInvalidRequestError) as caught:
            found(client, **COMPLETE)
        assert "oldest" not in str(caught.value)

    def test_a_long_window_is_asked_for_in_parts_that_hotmart_takes(self, shop: HotmartEmulator) -> None:
        shop.quirks = Quirks(look_back="length")
        dates = {"sales_start_date": datetime(2012, 1, 1, tzinfo=UTC), "sales_end_date": NOW}
        with client_of(shop) as client:
            assert set(found(client, transaction_status="COMPLETE", **dates)) == shop.truth("COMPLETE")

    @pytest.mark.parametrize(
        ("filters", "told"),
        [({"roles": "MANAGER"}, "roles 'MANAGER'"), ({"roles": ["BUYER", "CHAMPION"]}, "roles 'CHAMPION'")],
    )
    def test_a_word_that_nobody_knows_and_nothing_is_found_for_is_an_error(
        self, shop: HotmartEmulator, filters: dict[str, Any], told: str
    ) -> None:
        with client_of(shop) as client, pytest.raises(HotmartInvalidRequestError, match=told):
            found(client, **filters, **COMPLETE)

    def test_so_is_a_format_of_products(self, shop: HotmartEmulator) -> None:
        with client_of(shop) as client, pytest.raises(HotmartInvalidRequestError, match="format 'HOLOGRAM'"):
            list(products(client, format=["HOLOGRAM", "EBOOK"]))

    def test_a_word_that_hotmart_knows_before_this_package_does_is_none(self, shop: HotmartEmulator) -> None:
        shop.products[3]["format"] = "HOLOGRAM"
        with client_of(shop) as client:
            assert list(products(client, format="hologram")) == [shop.products[3]]

    def test_an_empty_object_for_a_path_that_is_known_is_no_rows(self, shop: HotmartEmulator) -> None:
        shop.quirks = Quirks(empty_shape="object")
        nobody = {**YEAR, "buyer_email": "nobody@example.com"}
        with client_of(shop) as client:
            assert found(client, **nobody) == []
            assert list(participants(client, select="transaction,users.role", **nobody)) == []


class TestProgress:
    def test_omitted_dates_are_logged(self, shop: HotmartEmulator, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        with client_of(shop) as client:
            found(client, transaction_status="COMPLETE")
        assert "No complete window of dates given: listing sales of [2026-02-13T12:00:20+00:00, 2026" in caplog.text

    def test_rows_records_and_calls_are_counted(self, big: HotmartEmulator) -> None:
        with client_of(big) as client:
            listing = listing_of(client, **COMPLETE)
            batches = [len(batch) for batch in listing]
        assert listing.rows == 4_000
        assert listing.records == sum(batches)
        assert listing.calls == len(big.calls)

    def test_a_line_now_and_then_says_how_far_it_is(
        self, shop: HotmartEmulator, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        with client_of(shop) as client:
            shop.faults.add(Fault.status(429, headers={"Retry-After": "20"}), path=SALES)
            found(client, **COMPLETE)
        assert "sales so far (" in caplog.text


class TestEnd:
    """However a listing ends, it ends at once, and no thread is left."""

    def test_no_thread_is_left_at_the_end(self, big: HotmartEmulator) -> None:
        with client_of(big) as client:
            found(client, **COMPLETE)
        assert fetching_threads() == []

    def test_none_is_left_when_nobody_reads_on(self, big: HotmartEmulator) -> None:
        with client_of(big) as client:
            listing = listing_of(client, **COMPLETE)
            records = listing.objects()
            next(records)
            assert fetching_threads() != []
            records.close()  # type: ignore[attr-defined]  # a generator
            assert fetching_threads() == []
            assert listing.calls < 20

    def test_an_error_of_one_call_breaks_off_the_others(self) -> None:
        silent: list[Call] = []

        def reply(call: Call) -> Reply:
            if "transaction_status" not in call.params:
                return Reply(Answer(200, b'{"access_token":"t0ken"}'))
            if of(call, "transaction_status") == "STARTED":
                until(lambda: len(silent) == 1)
                return Reply(Answer(404, b'{"error":"not_found"}'))
            silent.append(call)
            return Reply(Answer(200, b"{}"), silence=60)

        with serving(reply) as url:
            client = HotmartClient(HotmartConfig("client", "s3cret", base_url=url, token_url=url), clock=FakeClock())
            began = time.monotonic()
            with pytest.raises(HotmartNotFoundError):
                found(client, transaction_status="STARTED,PRE_ORDER", **YEAR)
            assert time.monotonic() - began < 30
            assert fetching_threads() == []

    @pytest.mark.parametrize("wait", ["answer", "budget", "failure"])
    def test_stop_ends_it_from_another_thread(self, shop: HotmartEmulator, wait: str) -> None:
        with client_of(shop, time=SYSTEM_CLOCK) as client:  # type: ignore[arg-type]
            client.check()
            if wait == "answer":
                shop.faults.add(Fault.stall(60), path=SALES, times=None)
            elif wait == "budget":
                client.budget.block(60)
            else:
                shop.faults.add(Fault.status(503), path=SALES, times=None)
            listing = listing_of(client, **COMPLETE)
            began = time.monotonic()
            stopping = threading.Timer(0.5, listing.stop)
            stopping.start()
            with pytest.raises(HotmartStoppedError, match="its task was"):
                list(listing)
            assert 0.4 < time.monotonic() - began < 15
            assert fetching_threads() == []

    def test_a_listing_that_was_stopped_before_it_began_sends_no_call(self, shop: HotmartEmulator) -> None:
        with client_of(shop) as client:
            listing = listing_of(client, **COMPLETE)
            listing.stop()
            with pytest.raises(HotmartStoppedError):
                list(listing)
        assert (len(shop.calls), len(shop.token_calls)) == (0, 0)

    def test_a_failure_that_stays_is_the_listings_failure(self, shop: HotmartEmulator) -> None:
        shop.faults.add(Fault.status(503), path=SALES, times=None)
        with client_of(shop) as client, pytest.raises(HotmartServerError):
            found(client, **COMPLETE)
        assert fetching_threads() == []
