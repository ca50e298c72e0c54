"""Whatever the rows of a page are decoded to, the same records are made of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from airflow_provider_hotmart.api import errors
from airflow_provider_hotmart.api.endpoints.sales import SALES, SALES_PARTICIPANTS
from airflow_provider_hotmart.api.filters import build_query
from airflow_provider_hotmart.api.json_text import json_lines
from airflow_provider_hotmart.api.participants import Participant, Sale, mappings, row_type
from airflow_provider_hotmart.api.responses import parse_page
from airflow_provider_hotmart.api.rows import RecordReader, identity, objects

NOW = 1_790_000_000
QUERY = build_query(SALES_PARTICIPANTS, now=NOW)
scalars = st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4)
values = scalars | st.lists(scalars, max_size=2) | st.dictionaries(st.text(max_size=3), scalars, max_size=3)
people = st.fixed_dictionaries(
    {"role": values, "user": values}, optional={"transaction": values, "product": values, "new": values}
)
documented = st.lists(st.fixed_dictionaries({"role": values, "user": values}), max_size=3)
sales = st.fixed_dictionaries({"transaction": st.text(min_size=1, max_size=4), "product": values, "users": documented})
odd_sales = st.fixed_dictionaries(
    {"transaction": st.text(min_size=1, max_size=4)},
    optional={"product": values, "users": st.none() | st.lists(people, max_size=3), "new": values},
)


def body_of(rows: list[Any]) -> bytes:
    return json.dumps({"items": rows, "page_info": {}}, ensure_ascii=False).encode(errors="surrogatepass")


def read(body: bytes, decoded_to: Any, status: str | None = "COMPLETE") -> list[Any]:
    return RecordReader(QUERY).read(parse_page(body, "/sales/users", "items", decoded_to).rows, status)


@given(st.lists(sales, max_size=4) | st.lists(sales | odd_sales, max_size=4), st.sampled_from(["COMPLETE", None]))
@example([{"transaction": "HP1", "product": {"id": 1.5}, "users": [{"role": "BUYER", "user": {}, "new": 1}]}], None)
def test_records_are_the_same(rows: list[Any], status: str | None) -> None:
    body = body_of(rows)
    raw = [*objects(read(body, Raw, status))]
    assert [json.loads(line) for line in json_lines(read(body, Sale, status)).splitlines()] == raw


def test_documented_rows_are_structs_and_their_values_what_hotmart_wrote() -> None:
    body = b'{"items":[{"transaction":"HP1","product":{"id": 7.10},"users":[{"role":"BUYER","user":{"n":1E2}}]}]}'
    [record] = read(body, Sale)
    assert isinstance(record, Participant)
    assert json_lines([record]) == (
        b'{"transaction":"HP1","transaction_status":"COMPLETE","product":{"id": 7.10},'
        b'"role":"BUYER","user":{"n":1E2}}\n'
    )
    assert [*objects(mappings([record]))] == [*objects([record])]


@pytest.mark.parametrize("decoded_to", [Raw, Sale])
@pytest.mark.parametrize(
    ("row", "error"),
    [
        (b'{"transaction":"HP1","product":{"id":1e999},"users":[]}', errors.HotmartResponseError),
        (b'{"transaction":"HP1","product":{"name":"\xe9"},"users":[]}', errors.HotmartNotJsonError),
        (b"7", errors.HotmartResponseError),
        (b'{"transaction":"HP1","product":{},"users":7}', errors.HotmartResponseError),
        (b'{"transaction":"HP1","product":{},"users":[7]}', errors.HotmartResponseError),
    ],
)
def test_what_is_refused_is_refused_whatever_rows_are_decoded_to(
    decoded_to: Any, row: bytes, error: type[Exception]
) -> None:
    with pytest.raises(error):
        read(b'{"items":[' + row + b"]}", decoded_to)


@pytest.mark.parametrize("decoded_to", [Raw, Sale])
def test_half_a_surrogate_pair_blocks_none(decoded_to: Any) -> None:
    body = rb'{"items":[{"transaction":"HP1","product":{},"users":[{"role":"BUYER","user":{"name":"Z \ud83d"}}]}]}'
    [record] = objects(read(body, decoded_to))
    assert record["user"] == {"name": "Z \ud83d"}


def test_a_row_is_told_from_others_by_the_same() -> None:
    body = body_of([{"transaction": "HP1", "product": {"id": 7}, "users": []}])
    [raw], [row] = (parse_page(body, "", "items", one).rows for one in (Raw, Sale))
    assert identity(SALES_PARTICIPANTS, row) == identity(SALES_PARTICIPANTS, raw)


def test_rows_that_are_looked_into_are_no_structs() -> None:
    assert row_type(QUERY) is Sale
    assert row_type(build_query(SALES_PARTICIPANTS, now=NOW, roles="BUYER")) is Raw
    assert row_type(build_query(SALES_PARTICIPANTS, now=NOW, select="users.user.email")) is Raw
    assert row_type(build_query(SALES, now=NOW)) is Raw
