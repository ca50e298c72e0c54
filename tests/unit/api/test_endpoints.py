"""The table of endpoints: what everything else reads there is there."""

from __future__ import annotations

import pytest

from airflow_provider_hotmart.api.endpoint import Column, Endpoint, columns
from airflow_provider_hotmart.api.endpoints import ENDPOINTS
from airflow_provider_hotmart.api.endpoints.products import PRODUCTS
from airflow_provider_hotmart.api.endpoints.sales import SALES_PARTICIPANTS

every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=ENDPOINTS)


@every_endpoint
def test_an_endpoint_is_found_under_its_name(endpoint: Endpoint) -> None:
    assert ENDPOINTS[endpoint.name] is endpoint
    assert endpoint.path.startswith("/")


@every_endpoint
def test_no_argument_and_no_column_comes_twice(endpoint: Endpoint) -> None:
    assert len(set(endpoint.arguments)) == len(endpoint.arguments)
    paths = [column.path for column in endpoint.columns]
    assert len(set(paths)) == len(paths)


@every_endpoint
def test_what_tells_rows_apart_is_among_the_columns_that_every_row_has(endpoint: Endpoint) -> None:
    always = {column.path for column in endpoint.columns if not column.optional}
    assert set(endpoint.identity) <= always


@every_endpoint
def test_what_a_filter_of_our_own_looks_at_is_a_column(endpoint: Endpoint) -> None:
    prefix = f"{endpoint.records_in}." if endpoint.records_in else ""
    ours = [one for one in endpoint.filters if not one.sent_as]
    assert all(endpoint.knows(f"{prefix}{one.selects}") for one in ours)


@every_endpoint
def test_the_status_that_is_asked_for_in_order_is_a_filter_with_words(endpoint: Endpoint) -> None:
    if endpoint.status is not None:
        assert endpoint.filter(endpoint.status).words is not None


@every_endpoint
def test_kinds_of_filters_and_types_of_columns_are_the_ones_that_are_explained(endpoint: Endpoint) -> None:
    assert {one.kind for one in endpoint.filters} <= {
        "text", "name", "id", "uuid", "boolean", "moment", "word",
    }  # fmt: skip

    assert all((one.kind == "word") == (one.words is not None) for one in endpoint.filters)
    assert {column.type for column in endpoint.columns} <= {
        "text", "integer", "decimal", "ratio", "boolean", "moment", "json",
    }  # fmt: skip


def test_whatever_names_a_person_or_says_where_they_live_is_personal() -> None:
    personal = {column.path.rpartition(".")[2] for column in SALES_PARTICIPANTS.columns if column.personal}
    assert personal == {
        "name", "trade_name", "cellphone", "phone", "email", "documents",
        "city", "zip_code", "address", "complement", "neighborhood", "number",
    }  # fmt: skip
    assert {one.name for one in SALES_PARTICIPANTS.filters if one.personal} == {
        "buyer_email", "buyer_name", "affiliate_name",
    }  # fmt: skip
    assert not any(column.personal for column in PRODUCTS.columns)


def test_arguments_are_filters_dates_and_select() -> None:
    assert PRODUCTS.arguments == ("product_id", "status", "format", "select")
    assert SALES_PARTICIPANTS.arguments[-3:] == ("sales_start_date", "sales_end_date", "select")


def test_a_filter_is_sent_under_hotmarts_own_name() -> None:
    assert PRODUCTS.filter("product_id").sent_as == "id"
    assert SALES_PARTICIPANTS.filter("product_id").sent_as == "product_id"
    assert SALES_PARTICIPANTS.filter("roles").sent_as == ""


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("transaction", True),
        ("product", True),
        ("users", True),
        ("users.user", True),
        ("users.user.email", True),
        ("users.user.documents.value", True),
        ("users.email", False),
        ("transactions", False),
        ("product.name.first", False),
        ("", False),
    ],
)
def test_a_path_is_known_when_it_leads_to_a_column_or_into_one_that_may_hold_anything(path: str, known: bool) -> None:
    assert SALES_PARTICIPANTS.knows(path) is known


def test_columns_are_written_one_after_the_other() -> None:
    assert list(columns("id:integer name", personal=True)) == [
        Column("id", "integer", personal=True), Column("name", personal=True),
    ]  # fmt: skip
