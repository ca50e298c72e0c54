"""A sale with everything is one record, and a listing that is reconciled agrees with the summary or fails."""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_hotmart.api.endpoints.sales import SALES
from airflow_provider_hotmart.api.errors import HotmartError, HotmartInvalidRequestError, HotmartResponseError
from airflow_provider_hotmart.api.filters import build_query
from airflow_provider_hotmart.api.joining import PARTS, SalesListing, parse_include, parse_reconcile
from airflow_provider_hotmart.api.json_text import json_lines
from airflow_provider_hotmart.emulator import Call, Fault, HotmartEmulator, Quirks
from tests.integration.support import NOW, WIDTHS, YEAR, account, client_of, drawing
from tests.integration.test_exactness import connect

EVERYTHING = tuple(PARTS)
CHOICES = Quirks.choices()
EVERY_SWITCH = [
    pytest.param({name: value}, id=f"{name}={value}")
    for name, values in CHOICES.items()
    for value in values[1:]  # the first is the usual one
]
#: No window wider than this is answered; and two weeks around the busiest day.
HOURS = timedelta(hours=30)
WEEKS = {"sales_start_date": NOW - timedelta(days=190), "sales_end_date": NOW - timedelta(days=176)}
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def hotmart() -> Iterator[HotmartEmulator]:
    """1,200 sales over a year, half of them on one day: more than fit a page."""
    with account(1_200, spread="launch") as emulator:
        yield emulator


@pytest.fixture
def usual(hotmart: HotmartEmulator) -> Iterator[HotmartEmulator]:
    """The same, and whatever a test does to quirks and faults is undone."""
    hotmart.quirks = Quirks()
    yield hotmart
    hotmart.quirks = Quirks()
    hotmart.faults.clear()


def listing(
    hotmart: HotmartEmulator, width: int = 3, include: Any = EVERYTHING, reconcile: Any = False, **filters: Any
) -> tuple[bytes, SalesListing]:
    """List sales with everything; return lines of JSON, and the listing."""
    filters = {"transaction_status": "ALL", **YEAR, **filters}
    with client_of(hotmart, width) as client:
        query = build_query(SALES, now=client.clock.time(), **filters)
        found = SalesListing(client, query, parse_include(include), parse_reconcile(reconcile))
        return b"".join(json_lines(batch) for batch in found), found


def records(lines: bytes) -> Rows:
    return [json.loads(line) for line in lines.splitlines()]


def truth(
    hotmart: HotmartEmulator, include: tuple[str, ...] = EVERYTHING, dates: dict[str, Any] = YEAR, **filters: Any
) -> Rows:
    """Every sale with what the endpoints show of it."""
    window = {"start_date": dates["sales_start_date"], "end_date": dates["sales_end_date"]}
    paths = {"participants": "sales/users", "commissions": "sales/commissions", "price_details": "sales/price/details"}
    parts = {
        name: {row.pop("transaction"): row for row in hotmart.truth_rows(paths[name], **window)} for name in include
    }
    found = []
    for row in hotmart.truth_rows("sales/history", **window, **filters):
        code = row["purchase"]["transaction"]
        more = {name: {k: v for k, v in parts[name][code].items() if k != "product"} for name in include}
        found.append({**row, **more})
    return found


def assert_same(rows: Rows, wanted: Rows) -> None:
    found, true = (Counter(json.dumps(row, sort_keys=True) for row in some) for some in (rows, wanted))
    assert found == true, f"{(true - found).total()} lost, {(found - true).total()} invented, of {len(wanted)}"


class TestEverything:
    def test_a_record_is_a_sale_with_what_every_endpoint_says_of_it(self, usual: HotmartEmulator) -> None:
        wanted = truth(usual)
        assert_same(records(listing(usual)[0]), wanted)
        assert len(wanted) == 1_200

    def test_at_any_number_of_parallel_calls_the_bytes_are_the_same(self) -> None:
        with account(6_000, spread="launch") as hotmart:
            files = {width: listing(hotmart, width)[0] for width in WIDTHS}
            assert_same(records(files[1]), truth(hotmart))
        assert files[1] == files[3] == files[16]

    def test_a_window_costs_one_call_for_each_part(self, usual: HotmartEmulator) -> None:
        before = len(usual.calls)
        listing(usual)
        calls = Counter(call.path.rpartition("/sales/")[2] for call in usual.calls[before:])
        full = [call for call in usual.calls[before:] if "history" in call.path and call.page == 1]
        assert calls["users"] == calls["commissions"] == calls["price/details"]
        assert calls["users"] < calls["history"] == len(full)

    @pytest.mark.parametrize("include", [("commissions",), ("price_details", "participants")])
    def test_some_parts_alone(self, usual: HotmartEmulator, include: tuple[str, ...]) -> None:
        assert_same(records(listing(usual, include=list(include))[0]), truth(usual, include))

    @pytest.mark.parametrize("switch", EVERY_SWITCH)
    def test_either_way_of_every_unknown_gives_the_truth(self, usual: HotmartEmulator, switch: dict[str, Any]) -> None:
        usual.quirks = Quirks(**switch)
        lines, found = listing(usual, **WEEKS)
        assert_same(records(lines), truth(usual, dates=WEEKS))
        assert found.facts == {"missing": dict.fromkeys(EVERYTHING, 0)}

    @drawing(12)
    @given(
        drawn=st.fixed_dictionaries({name: st.sampled_from(values) for name, values in CHOICES.items()}),
        too_wide=st.sampled_from([None, timedelta(days=20), HOURS]),
        width=st.sampled_from(WIDTHS),
    )
    def test_any_combination_of_unknowns_gives_the_truth(
        self, hotmart: HotmartEmulator, drawn: dict[str, Any], too_wide: timedelta | None, width: int
    ) -> None:
        hotmart.quirks = Quirks(**drawn, too_wide=too_wide)
        # Where windows have to be that narrow, a year is twenty thousand calls.
        dates = WEEKS if too_wide == HOURS else YEAR
        try:
            assert_same(records(listing(hotmart, width, **dates)[0]), truth(hotmart, dates=dates))
        finally:
            hotmart.quirks = Quirks()

    def test_a_filter_that_a_part_lacks_is_asked_for_by_transaction(
        self, usual: HotmartEmulator, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        wanted = truth(usual, payment_type="PIX", transaction_status="COMPLETE")
        before = len(usual.calls)
        lines, _ = listing(usual, payment_type="PIX", transaction_status="COMPLETE")
        assert_same(records(lines), wanted)
        calls = Counter(call.path.rpartition("/sales/")[2] for call in usual.calls[before:])
        assert calls["users"] == calls["commissions"] == len(wanted)
        assert calls["price/details"] < 10
        assert "no filter payment_type for commissions: asking once per sale" in caplog.text
        assert f"Asked for commissions of single sales with {calls['commissions']} calls" in caplog.text
        assert "Asked for price_details of single sales" not in caplog.text

    def test_a_personal_filter_does_not_reach_the_log(
        self, usual: HotmartEmulator, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        email = next(row["buyer"]["email"] for row in truth(usual, ()) if row["buyer"].get("email"))
        lines, _ = listing(usual, buyer_email=email)
        assert_same(records(lines), truth(usual, buyer_email=email))
        assert email not in caplog.text
        assert email.partition("@")[0] not in caplog.text

    def test_sales_by_their_codes_are_found_whatever_their_date(self, usual: HotmartEmulator) -> None:
        wanted = truth(usual)[:3]
        codes = [row["purchase"]["transaction"] for row in wanted]
        dates = {"sales_start_date": None, "sales_end_date": None, "transaction_status": None}
        for window in CHOICES["transaction_window"]:
            usual.quirks = Quirks(transaction_window=window)
            assert_same(records(listing(usual, transaction=codes, **dates)[0]), wanted)

    def test_sales_of_one_second_are_joined_as_well(self) -> None:
        with account(0) as hotmart:
            for _ in range(1_203):
                hotmart.add_sale(status="COMPLETE", ordered_at=NOW - timedelta(days=3))
            assert_same(records(listing(hotmart)[0]), truth(hotmart))

    def test_nothing_there_is_nothing(self) -> None:
        with account(0) as hotmart:
            assert listing(hotmart)[0] == b""

    @pytest.mark.parametrize("part", PARTS)
    def test_a_sale_that_moved_between_the_calls_is_asked_for_again(self, part: str) -> None:
        with account(0) as hotmart:
            for _ in range(3):
                sale = hotmart.add_sale(status="APPROVED", ordered_at=NOW - timedelta(days=3))

            def refund(call: Call) -> None:
                if call.path != SALES.path:
                    hotmart.move(sale.transaction, "REFUNDED")

            hotmart.on_call = refund
            lines, found = listing(hotmart, include=part, transaction_status="APPROVED")
        rows = records(lines)
        assert len(rows) == 3
        assert all(row[part] for row in rows)
        assert found.facts == {"missing": {part: 0}}

    def test_what_has_no_counterpart_is_null_and_counted(self) -> None:
        with account(0) as hotmart:
            sales = [hotmart.add_sale(status="APPROVED", ordered_at=NOW - timedelta(days=3)) for _ in range(3)]

            one_at_a_time = threading.Lock()
            gone: list[str] = []

            # On the way into whatever is asked for after the sale, by several threads.
            def vanish(call: Call) -> None:
                with one_at_a_time:
                    if call.path != SALES.path and not gone:
                        gone.append(sales[0].transaction)
                        hotmart.remove(gone[0])

            hotmart.on_call = vanish
            lines, found = listing(hotmart, transaction_status="APPROVED")
        rows = records(lines)
        assert sorted(row["commissions"] is None for row in rows) == [False, False, True]
        assert found.facts == {"missing": dict.fromkeys(EVERYTHING, 1)}

    @pytest.mark.parametrize("part", [*PARTS.values(), SALES], ids=lambda one: one.name)
    @pytest.mark.parametrize("after", [0, 2])
    def test_what_heals_is_not_noticed_and_what_stays_wrong_fails(
        self, usual: HotmartEmulator, part: Any, after: int
    ) -> None:
        wanted, _ = listing(usual, transaction_status="COMPLETE")
        usual.faults.add(Fault.html(), path=part.path, after=after)
        assert listing(usual, transaction_status="COMPLETE")[0] == wanted
        usual.faults.add(Fault.status(500), times=None, path=part.path, after=after)
        with pytest.raises(HotmartError):
            listing(usual, transaction_status="COMPLETE")

    def test_selected_fields_of_sale_and_parts(self, usual: HotmartEmulator) -> None:
        select = ["purchase.transaction", "commissions.commissions.commission.value"]
        rows = records(listing(usual, include=["commissions", "price_details"], select=select)[0])
        wanted = [
            {
                "purchase": {"transaction": row["purchase"]["transaction"]},
                "commissions": {
                    "commissions": [
                        {"commission": {"value": one["commission"]["value"]}}
                        for one in row["commissions"]["commissions"]
                    ]
                },
                "price_details": row["price_details"],
            }
            for row in truth(usual)
        ]
        assert_same(rows, wanted)

    def test_an_unknown_part_names_the_valid_ones(self) -> None:
        with pytest.raises(HotmartInvalidRequestError, match=r"did you mean 'commissions'.*participants, commissions"):
            parse_include(["comissions"])

    def test_the_operator_writes_it_and_its_manifest_counts(
        self, usual: HotmartEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from airflow_provider_hotmart.hooks.hotmart import HotmartHook
        from airflow_provider_hotmart.operators.sales import HotmartListSalesOperator

        connect(monkeypatch, usual)
        filters = {"transaction_status": "ALL", **YEAR, "include": "commissions,price_details", "reconcile": "True"}
        task = HotmartListSalesOperator(task_id="list", destination=f"{tmp_path}/all.jsonl", **filters)
        manifest = task.execute({})
        assert isinstance(manifest, dict)
        rows = records((tmp_path / "all.jsonl").read_bytes())
        assert_same(rows, truth(usual, ("commissions", "price_details")))
        assert list(HotmartHook().iter_sales(**filters)) == rows
        assert manifest["missing"] == {"commissions": 0, "price_details": 0}
        assert sum(one["total_items"] for one in manifest["summary"]) == len(rows)


class TestReconciliation:
    @pytest.mark.parametrize("include", [(), ("commissions",)])
    @pytest.mark.parametrize("select", [None, "purchase.transaction"])
    def test_what_agrees_passes(self, usual: HotmartEmulator, include: tuple[str, ...], select: Any) -> None:
        lines, found = listing(usual, include=list(include) or None, reconcile=True, select=select)
        assert len(records(lines)) == sum(one["total_items"] for one in found.facts["summary"]) == 1_200

    def test_the_default_statuses_and_filters_agree_too(self, usual: HotmartEmulator) -> None:
        for filters in ({"transaction_status": None}, {"payment_type": ["PIX", "BILLET"], "product_id": None}):
            lines, found = listing(usual, include=None, reconcile=True, **filters)
            assert len(records(lines)) == sum(one["total_items"] for one in found.facts["summary"]) > 100

    @pytest.mark.parametrize("names", CHOICES["protested"])
    def test_a_status_with_two_names_counts_once(self, usual: HotmartEmulator, names: Any) -> None:
        usual.quirks = Quirks(protested=names)
        listing(usual, include=None, reconcile=True)

    def test_what_differs_fails_after_a_second_look(
        self, usual: HotmartEmulator, caplog: pytest.LogCaptureFixture
    ) -> None:
        hide(usual)
        with pytest.raises(HotmartResponseError, match=r"do not agree .*sales listed and .* in the summary in BRL"):
            listing(usual, include=None, reconcile=True, transaction_status="COMPLETE")
        caplog.clear()
        usual.faults.clear()
        hide(usual)
        lines, _ = listing(usual, include=None, reconcile="warn", transaction_status="COMPLETE")
        assert len(records(lines)) == len(usual.truth_rows("sales/history", transaction_status="COMPLETE")) - 1
        assert "do not agree with Hotmart's summary" in caplog.text

    def test_what_moved_while_it_was_listed_is_no_difference(self) -> None:
        with account(0) as hotmart:
            for _ in range(3):
                hotmart.add_sale(status="APPROVED", ordered_at=NOW - timedelta(days=3))

            def one_more(call: Call) -> None:
                if call.path != SALES.path and len(hotmart.sales) == 3:
                    hotmart.add_sale(status="APPROVED", ordered_at=NOW - timedelta(days=3))

            hotmart.on_call = one_more
            lines, found = listing(hotmart, include=None, reconcile=True, transaction_status="APPROVED")
        assert len(records(lines)) == 3
        assert [one["total_items"] for one in found.facts["summary"]] == [4]

    @pytest.mark.parametrize("filters", [{"buyer_email": "a@example.com"}, {"commission_as": "PRODUCER"}])
    def test_a_filter_that_the_summary_lacks_is_refused(self, usual: HotmartEmulator, filters: dict[str, Any]) -> None:
        before = len(usual.calls)
        with pytest.raises(
            HotmartInvalidRequestError, match=f"reconcile and {next(iter(filters))} exclude each other: leave one out"
        ):
            listing(usual, include=None, reconcile=True, **filters)
        assert len(usual.calls) == before

    @pytest.mark.parametrize(
        ("value", "read"),
        [(None, False), (False, False), ("False", False), (True, True), ("true", True), ("warn", "warn")],
    )
    def test_it_is_a_boolean_or_warn(self, value: Any, read: Any) -> None:
        assert parse_reconcile(value) == read

    def test_anything_else_is_refused(self) -> None:
        with pytest.raises(HotmartInvalidRequestError, match="expected True, False or 'warn'"):
            parse_reconcile("perhaps")


def hide(hotmart: HotmartEmulator) -> None:
    """Let the history lack one sale, consistently, in every answer."""
    lost = hotmart.truth_rows("sales/history", transaction_status="COMPLETE")[0]["purchase"]["transaction"]

    def without(page: Any) -> None:
        page.items = [text for text in page.items if lost.encode() not in text]
        page.total = None

    hotmart.faults.add(Fault("hides one", edit_page=without), times=None, path=SALES.path)
