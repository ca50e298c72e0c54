"""The filters of a listing, read from what a DAG author writes."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import pytest

from airflow_provider_hotmart.api.dates import parse_datetime
from airflow_provider_hotmart.api.endpoints.products import PRODUCTS
from airflow_provider_hotmart.api.endpoints.sales import SALES_PARTICIPANTS
from airflow_provider_hotmart.api.enums import SaleStatus
from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError
from airflow_provider_hotmart.api.filter_values import did_you_mean
from airflow_provider_hotmart.api.filters import DEFAULT_WINDOW, Query, build_query
from airflow_provider_hotmart.api.lifecycle import ranks
from airflow_provider_hotmart.api.windows import Window

NOW = 1_767_225_600.5  # 2026-01-01T00:00:00.5Z
DAY = 86_400
TEXT_FILTERS = ["buyer_email", "buyer_name", "sales_source", "affiliate_name", "commission_as"]


def moment(text: str) -> int:
    """Seconds since the epoch."""
    return parse_datetime(text, "")


def participants(**filters: Any) -> Query:
    """A query for sales as of now."""
    return build_query(SALES_PARTICIPANTS, now=NOW, **filters)


def products(**filters: Any) -> Query:
    """A query for products as of now."""
    return build_query(PRODUCTS, now=NOW, **filters)


def statuses(value: Any) -> tuple[str, ...]:
    """The statuses that are asked for."""
    return participants(transaction_status=value).all_statuses


def refusal(**filters: Any) -> str:
    """What the error says about filters."""
    with pytest.raises(HotmartInvalidRequestError) as caught:
        participants(**filters)
    return str(caught.value)


def test_nothing_given_means_what_hotmart_means_by_it_said_explicitly() -> None:
    query = participants()
    assert query.all_statuses == (SaleStatus.APPROVED, SaleStatus.COMPLETE)
    assert query.window == Window(math.ceil(NOW) - 30 * DAY, math.ceil(NOW))
    assert timedelta(days=30) == DEFAULT_WINDOW
    assert not query.window_given
    assert products() == Query(PRODUCTS, now=NOW)


def test_none_is_a_filter_that_is_left_out() -> None:
    nothing = dict.fromkeys(SALES_PARTICIPANTS.arguments)
    assert participants(**nothing) == participants()


def test_a_filter_that_the_endpoint_has_not_is_a_mistake_of_the_program() -> None:
    with pytest.raises(TypeError, match="products has no filter buyer_email"):
        products(buyer_email="maria@example.com")


@pytest.mark.parametrize(
    "several",
    [
        ["COMPLETE", "APPROVED"],
        ("COMPLETE", "APPROVED", "COMPLETE"),
        "complete, approved",
        '["COMPLETE", "APPROVED"]',
        "['COMPLETE', 'APPROVED']",
        " ('COMPLETE', 'APPROVED') ",
        [SaleStatus.COMPLETE, "approved"],
        iter(["COMPLETE", "APPROVED"]),
        {"COMPLETE": 1, "APPROVED": 2}.keys(),
        {"COMPLETE", "APPROVED"},
    ],
)
def test_several_values_are_read_however_they_are_written(several: Any) -> None:
    assert statuses(several) == ("APPROVED", "COMPLETE")


def test_statuses_are_asked_for_in_the_order_of_a_sales_life() -> None:
    assert statuses("REFUNDED,STARTED,COMPLETE,APPROVED") == ("STARTED", "APPROVED", "COMPLETE", "REFUNDED")


def test_statuses_that_no_sale_moves_between_share_a_rank() -> None:
    query = participants(transaction_status="APPROVED,BLOCKED,NO_FUNDS,STARTED")
    assert ("BLOCKED", "NO_FUNDS") in [tuple(sorted(set(rank) - {"APPROVED"})) for rank in query.statuses]
    assert query.statuses[0] == ("STARTED",)


@pytest.mark.parametrize("every", ["ALL", "all", ["ALL"], "APPROVED,ALL"])
def test_all_means_every_status(every: Any) -> None:
    assert participants(transaction_status=every).statuses == ranks()


def test_an_unknown_status_names_the_closest_and_the_valid_ones() -> None:
    told = refusal(transaction_status="APROVED")
    assert "'APROVED' is unknown (did you mean 'APPROVED'?)" in told
    assert all(status in told for status in (*SaleStatus, "ALL"))


@pytest.mark.parametrize(
    ("filters", "meant"),
    [
        ({"transaction_status": "reembolsado"}, "REFUNDED"),
        ({"transaction_status": "Pré Venda"}, "PRE_ORDER"),
        ({"transaction_status": "UNDER_ANALYSIS"}, "UNDER_ANALISYS"),
        ({"roles": "COMPRADOR"}, "BUYER"),
        ({"commission_as": "afiliado"}, "AFFILIATE"),
    ],
)
def test_a_word_in_portuguese_is_answered_with_hotmarts(filters: dict[str, str], meant: str) -> None:
    assert f"did you mean '{meant}'?" in refusal(**filters)


def test_a_portuguese_word_is_suggested_only_where_the_filter_knows_it() -> None:
    assert did_you_mean("CANCELADO", ["BUYER"]) == ""


def test_an_unknown_status_is_refused_beside_all_too() -> None:
    assert "'BOGUS' is unknown;" in refusal(transaction_status=["ALL", "BOGUS"])


@pytest.mark.parametrize("name", ["transaction_status", "transaction", "product_id", "roles", "select"])
@pytest.mark.parametrize("empty", [[], "", "  ", "[]", [None], ["", "x"], (), "HP1,,HP2", "A,"], ids=repr)
def test_an_empty_filter_is_refused_because_it_would_select_everything(name: str, empty: Any) -> None:
    told = refusal(**{name: empty})
    assert f"{name} is empty: give a value" in told or f"{name} is an empty list" in told


@pytest.mark.parametrize("name", TEXT_FILTERS)
@pytest.mark.parametrize("empty", ["", " \n"])
def test_an_empty_text_is_refused_because_it_would_select_everything(name: str, empty: str) -> None:
    assert f"{name} is empty" in refusal(**{name: empty})


@pytest.mark.parametrize("name", ["buyer_name", "transaction", "transaction_status", "product_id", "roles", "select"])
@pytest.mark.parametrize("nothing", ["None", "nan", "NaT", "<NA>"])
def test_what_a_template_gives_that_has_no_value_is_refused_as_such(name: str, nothing: str) -> None:
    assert f"{name} is the text {nothing!r}: correct its template" in refusal(**{name: nothing})


def test_null_is_a_surname() -> None:
    assert participants(buyer_name="Null").params == {"buyer_name": "Null"}


@pytest.mark.parametrize("name", ["transaction_status", "transaction", "product_id", "roles", "select"])
@pytest.mark.parametrize("nested", [[["APPROVED"]], {"status": "APPROVED"}, [{"id": 1}], "[['APPROVED']]"], ids=repr)
def test_nested_values_are_refused(name: str, nested: Any) -> None:
    assert f"{name} is " in refusal(**{name: nested})


@pytest.mark.parametrize("name", ["transaction", "transaction_status", "roles", "select"])
def test_what_should_be_text_and_is_not_is_refused(name: str) -> None:
    assert f"{name} is 7, expected text" in refusal(**{name: 7})


def test_a_text_that_looks_like_a_list_and_is_none_is_refused() -> None:
    assert "is no readable list: write it like" in refusal(transaction="['HP1', {{ x }}]")


@pytest.mark.parametrize("several", [[1, 2], "1,2", "[1, 2]", ["1", 2, 2], " 1 , 2 ", "['1', '2']", "01,2"], ids=repr)
def test_product_ids_are_numbers_however_they_are_written(several: Any) -> None:
    assert participants(product_id=several).fan_out == {"product_id": ("1", "2")}
    assert products(product_id=several).fan_out == {"id": ("1", "2")}


@pytest.mark.parametrize("wrong", ["abc", 1.0, True, -1, "1.5", "²", [1, "x"]], ids=repr)
def test_what_is_no_product_id_is_refused(wrong: Any) -> None:
    assert "expected a whole number" in refusal(product_id=wrong)


def test_sales_named_by_their_code_are_asked_for_without_dates_and_whatever_their_status() -> None:
    query = participants(transaction=["HP1", "HP2"])
    assert query.fan_out == {"transaction": ("HP1", "HP2")}
    assert (query.statuses, query.window, query.window_given) == ((), None, True)


def test_dates_and_statuses_narrow_sales_named_by_their_code_too() -> None:
    query = participants(
        transaction="HP1", transaction_status="COMPLETE", sales_start_date="2025-06-01", sales_end_date="2025-06-02"
    )
    assert query.window == Window(moment("2025-06-01"), moment("2025-06-02"))
    assert query.all_statuses == ("COMPLETE",)


def test_the_other_filters_become_parameters_as_they_are() -> None:
    query = participants(buyer_name=" Maria, de Sá ", sales_source="[x]", commission_as="producer")
    assert dict(query.params) == {
        "buyer_name": " Maria, de Sá ",
        "sales_source": "[x]",
        "commission_as": "PRODUCER",
    }


@pytest.mark.parametrize("name", ["buyer_email", "buyer_name", "affiliate_name"])
@pytest.mark.parametrize("wrong", [["maria@example.com"], {"maria": 1}, ("maria",)], ids=repr)
def test_an_error_about_personal_data_does_not_show_it(name: str, wrong: Any) -> None:
    told = refusal(**{name: wrong})
    assert f"{name} is a {type(wrong).__name__}, expected one text" in told
    assert "maria" not in told


@pytest.mark.parametrize("name", ["buyer_email", "buyer_name", "affiliate_name"])
def test_a_query_that_sends_something_about_a_person_knows_it(name: str) -> None:
    assert participants(**{name: "maria"}).is_personal


def test_a_query_that_sends_nothing_about_a_person_knows_it_too() -> None:
    assert not participants(transaction="HP1", product_id=7, sales_source="x", roles="BUYER").is_personal


def test_a_filter_with_one_value_refuses_several() -> None:
    assert "commission_as takes one value: leave out all but one of 2" in refusal(commission_as="PRODUCER,AFFILIATE")


def test_a_role_of_the_account_that_there_is_not_names_those_there_are() -> None:
    assert "expected one of PRODUCER, COPRODUCER, AFFILIATE" in refusal(commission_as="BUYER")


def test_roles_are_looked_at_here_and_not_sent() -> None:
    query = participants(roles="buyer,producer")
    assert (query.kept, query.params, query.fan_out) == ({"role": {"BUYER", "PRODUCER"}}, {}, {})


def test_new_roles_pass_to_be_verified_by_what_comes_and_misspelt_ones_do_not() -> None:
    query = participants(roles="buyer,MANAGER")
    assert query.kept == {"role": {"BUYER", "MANAGER"}}
    assert query.unverified == (("role", "MANAGER", "roles"),)
    assert "did you mean 'BUYER'?" in refusal(roles="BUYERS")


def test_new_formats_of_products_pass_and_unknown_statuses_do_not() -> None:
    query = products(format="hologram,EBOOK", status=["active", "DRAFT"])
    assert query.fan_out == {"format": ("HOLOGRAM", "EBOOK"), "status": ("ACTIVE", "DRAFT")}
    assert query.unverified == (("format", "HOLOGRAM", "format"),)
    with pytest.raises(HotmartInvalidRequestError, match="did you mean 'ACTIVE'"):
        products(status="ACTIV")


@pytest.mark.parametrize(
    "select", ["transaction, users.role", ["transaction", "users.role"], "transaction,users.role\n"]
)
def test_select_takes_paths_as_text_or_list(select: Any) -> None:
    assert participants(select=select).select == ("transaction", "users.role")
    assert products(select=select).select == ("transaction", "users.role")


def test_one_omitted_date_is_filled_in() -> None:
    early = participants(sales_end_date="2025-06-01")
    late = participants(sales_start_date="2025-06-01")
    assert early.window == Window(moment("2025-05-02"), moment("2025-06-01"))
    assert late.window == Window(moment("2025-06-01"), math.ceil(NOW))
    assert not early.window_given
    assert not late.window_given


def test_two_given_dates_are_taken_as_they_are() -> None:
    query = participants(sales_start_date="2025-06-01", sales_end_date=date(2025, 6, 2))
    assert query.window == Window(moment("2025-06-01"), moment("2025-06-02"))
    assert query.window_given


def test_an_empty_window_explains_the_usual_cause() -> None:
    told = refusal(sales_start_date="2025-06-01", sales_end_date="2025-06-01")
    assert told.startswith(
        "The window is empty: give an end after the start, such as macros.hotmart.yesterday(dag_run, "
    )
    assert "since Airflow 3 a cron schedule" in told
    assert "[each is 2025-06-01T00:00:00+00:00]" in told


def test_a_reversed_window_says_which_end_is_which_and_nothing_of_schedules() -> None:
    told = refusal(sales_start_date="2025-06-01", sales_end_date="2025-05-31")
    assert told.startswith(
        "sales_start_date is after sales_end_date: give an end after the start [2025-06-01T00:00:00+00"
    )
    assert "Airflow" not in told
