"""The filters of a listing, read from what a DAG author writes."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_hotmart.api.enums import SaleStatus
from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError
from airflow_provider_hotmart.api.queries import (
    DEFAULT_STATUSES,
    DEFAULT_WINDOW,
    ParticipantsQuery,
    ProductsQuery,
    sale_statuses,
)
from airflow_provider_hotmart.api.windows import Window, moment

NOW = 1_767_225_600.0
TEXT_FILTERS = ["buyer_email", "buyer_name", "sales_source", "affiliate_name", "commission_as"]


def participants(**filters: Any) -> ParticipantsQuery:
    """A query as of now."""
    return ParticipantsQuery.build(now=NOW, **filters)


def refusal(**filters: Any) -> str:
    """What the error says about filters."""
    with pytest.raises(HotmartInvalidRequestError) as caught:
        participants(**filters)
    return str(caught.value)


def test_nothing_given_means_what_hotmart_means_by_it_said_explicitly() -> None:
    query = participants()
    assert query.statuses == DEFAULT_STATUSES == (SaleStatus.APPROVED, SaleStatus.COMPLETE)
    assert query.window == Window(int(NOW - DEFAULT_WINDOW.total_seconds()), int(NOW))
    assert (query.dated, query.window_given) == (True, False)
    assert ProductsQuery.build() == ProductsQuery()


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
    ],
)
def test_several_values_are_read_however_they_are_written(several: Any) -> None:
    assert sale_statuses(several) == (SaleStatus.APPROVED, SaleStatus.COMPLETE)


def test_statuses_come_in_the_order_of_a_sales_life() -> None:
    assert sale_statuses("REFUNDED,STARTED,COMPLETE,APPROVED") == ("STARTED", "APPROVED", "COMPLETE", "REFUNDED")


@pytest.mark.parametrize("every", ["ALL", "all", ["ALL"], "APPROVED,ALL"])
def test_all_means_every_status(every: Any) -> None:
    assert sale_statuses(every) == tuple(SaleStatus)


def test_an_unknown_status_names_the_closest_and_the_valid_ones() -> None:
    told = refusal(transaction_status="APROVED")
    assert "'APROVED' is unknown (did you mean 'APPROVED'?)" in told
    assert all(status in told for status in (*SaleStatus, "ALL"))


def test_an_unknown_status_is_refused_beside_all_too() -> None:
    assert "'BOGUS' is unknown;" in refusal(transaction_status=["ALL", "BOGUS"])


@pytest.mark.parametrize("name", ["transaction_status", "transaction", "product_id", "roles", "select"])
@pytest.mark.parametrize("empty", [[], "", "  ", "[]", [None], ["", "x"], ()], ids=repr)
def test_an_empty_filter_is_refused_because_it_would_select_everything(name: str, empty: Any) -> None:
    assert f"{name} is empty" in refusal(**{name: empty}) or f"{name} is an empty list" in refusal(**{name: empty})


@pytest.mark.parametrize("name", TEXT_FILTERS)
@pytest.mark.parametrize("empty", ["", " \n"])
def test_an_empty_text_is_refused_because_it_would_select_everything(name: str, empty: str) -> None:
    assert f"{name} is empty" in refusal(**{name: empty})


@pytest.mark.parametrize("name", ["transaction_status", "transaction", "product_id", "roles", "select"])
@pytest.mark.parametrize("nested", [[["APPROVED"]], {"status": "APPROVED"}, [{"id": 1}], "[['APPROVED']]"], ids=repr)
def test_nested_values_are_refused(name: str, nested: Any) -> None:
    assert f"{name} is " in refusal(**{name: nested})


@pytest.mark.parametrize("name", ["transaction", "transaction_status", "roles", "select"])
def test_what_should_be_text_and_is_not_is_refused(name: str) -> None:
    assert f"{name} is 7, expected text" in refusal(**{name: 7})


def test_a_hole_between_commas_is_refused() -> None:
    assert "empty value between its commas" in refusal(transaction="HP1,,HP2")


def test_a_text_that_looks_like_a_list_and_is_none_is_refused() -> None:
    assert "not readable as" in refusal(transaction="['HP1', {{ x }}]")


@pytest.mark.parametrize("several", [[1, 2], "1,2", "[1, 2]", ["1", 2, 2], " 1 , 2 ", "['1', '2']"], ids=repr)
def test_product_ids_are_numbers_however_they_are_written(several: Any) -> None:
    assert participants(product_id=several).product_ids == (1, 2)
    assert ProductsQuery.build(product_id=several).product_ids == (1, 2)


@pytest.mark.parametrize("wrong", ["abc", 1.0, True, -1, "1.5", "²", [1, "x"]], ids=repr)
def test_what_is_no_product_id_is_refused(wrong: Any) -> None:
    assert "expected a whole number" in refusal(product_id=wrong)


def test_sales_named_by_their_code_are_found_whatever_their_age_and_status() -> None:
    query = participants(transaction=["HP1", "HP2"])
    assert (query.transactions, query.statuses, query.dated) == (("HP1", "HP2"), (), False)
    assert query.window.start == moment("2011-01-01", "")
    assert query.window.end > NOW


def test_dates_narrow_sales_named_by_their_code_too() -> None:
    query = participants(transaction="HP1", start_date="2025-06-01", end_date="2025-06-02")
    assert query.dated
    assert query.window.seconds == 86400


def test_the_other_filters_become_parameters_as_they_are() -> None:
    query = participants(buyer_name=" Maria, de Sá ", sales_source="[x]", commission_as="producer")
    assert dict(query.params) == {
        "buyer_name": " Maria, de Sá ",
        "sales_source": "[x]",
        "commission_as": "PRODUCER",
    }


@pytest.mark.parametrize("name", ["buyer_email", "buyer_name", "affiliate_name"])
def test_an_error_about_personal_data_does_not_show_it(name: str) -> None:
    told = refusal(**{name: ["maria@example.com"]})
    assert f"{name} is a list, expected one text" in told
    assert "maria" not in told


def test_commission_as_is_the_role_of_the_account() -> None:
    told = refusal(commission_as="BUYER")
    assert "PRODUCER, COPRODUCER, AFFILIATE" in told
    assert "the role of the account that asks" in told


def test_new_roles_pass_and_misspelt_ones_do_not() -> None:
    assert participants(roles="buyer,MANAGER").roles == {"BUYER", "MANAGER"}
    assert "did you mean 'BUYER'?" in refusal(roles="BUYERS")


def test_new_formats_of_products_pass_and_unknown_statuses_do_not() -> None:
    query = ProductsQuery.build(format="hologram,EBOOK", status=["active", "DRAFT"])
    assert (query.formats, query.statuses) == (("HOLOGRAM", "EBOOK"), ("ACTIVE", "DRAFT"))
    with pytest.raises(HotmartInvalidRequestError, match="did you mean 'ACTIVE'"):
        ProductsQuery.build(status="ACTIV")


@pytest.mark.parametrize(
    "select", ["transaction, users.role", ["transaction", "users.role"], "transaction,users.role\n"]
)
def test_select_takes_paths_as_text_or_list(select: Any) -> None:
    assert participants(select=select).select == ("transaction", "users.role")
    assert ProductsQuery.build(select=select).select == ("transaction", "users.role")
