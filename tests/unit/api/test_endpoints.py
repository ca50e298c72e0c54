"""What makes a row the same row, and which of its fields are asked for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_hotmart.api.endpoints import PRODUCTS, SALES_PARTICIPANTS, keep
from airflow_provider_hotmart.api.errors import HotmartResponseError

SALE = {
    "transaction": "HP1",
    "product": {"name": "Curso", "id": 7},
    "users": [
        {"role": "PRODUCER", "user": {"ucode": "u1", "email": "a@example.com"}},
        {"role": "BUYER", "user": {"ucode": "u2"}},
    ],
}
names = st.sampled_from(["a", "b", "c", "d"])
paths = st.lists(names, min_size=1, max_size=3).map(".".join)
selects = st.lists(paths, min_size=1, max_size=5).map(tuple)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=15,
)
rows = st.dictionaries(names, values, max_size=4)


def leaves(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Every scalar of a value, with the names that lead to it."""
    if isinstance(value, dict):
        return [leaf for name, part in value.items() for leaf in leaves(part, (*path, name))]
    if isinstance(value, list):
        return [leaf for part in value for leaf in leaves(part, path)]
    return [(path, value)]


def test_a_product_is_known_by_its_id() -> None:
    assert PRODUCTS.key({"id": 7, "name": "Curso"}) == PRODUCTS.key({"name": "Outro", "id": 7})


def test_a_sale_is_known_by_its_transaction_and_product() -> None:
    key = SALES_PARTICIPANTS.key
    assert key(SALE) == key({"product": {"id": 7}, "transaction": "HP1"})
    assert key(SALE) != key({**SALE, "product": {"id": 8}})
    assert key(SALE) != key({**SALE, "transaction": "HP2"})


@pytest.mark.parametrize("product", [None, {}, {"id": None}, {"id": [1]}, "Curso"])
def test_a_sale_without_a_product_is_known_by_its_transaction(product: Any) -> None:
    assert SALES_PARTICIPANTS.key({"transaction": "HP1", "product": product}) == ("HP1", None)


@pytest.mark.parametrize("row", [{}, {"transaction": None}, {"transaction": ""}, {"transaction": ["HP1"]}])
def test_a_sale_without_a_transaction_is_an_error(row: dict[str, Any]) -> None:
    with pytest.raises(HotmartResponseError, match="has no transaction"):
        SALES_PARTICIPANTS.key(row)


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        (("users.user.email",), "users.user.email,transaction,product.id,users.role"),
        (("transaction", "product", "users"), "transaction,product,users"),
        (("product.name", "users"), "product.name,users,transaction,product.id"),
        (("product.idx",), "product.idx,transaction,product.id,users.role"),
    ],
)
def test_what_tells_rows_apart_is_asked_for_too(asked: tuple[str, ...], sent: str) -> None:
    assert SALES_PARTICIPANTS.select(asked) == sent


@given(rows, selects)
def test_keep_leaves_exactly_the_fields_that_were_asked_for(row: dict[str, Any], asked: tuple[str, ...]) -> None:
    wanted = [tuple(path.split(".")) for path in asked]
    expected = [(path, value) for path, value in leaves(row) if any(path[: len(want)] == want for want in wanted)]
    found = leaves(keep(row, asked))
    assert [leaf for leaf in found if leaf[1] is not None] == [leaf for leaf in expected if leaf[1] is not None]


@given(rows, selects)
def test_keep_done_twice_is_keep_done_once(row: dict[str, Any], asked: tuple[str, ...]) -> None:
    assert keep(keep(row, asked), asked) == keep(row, asked)


def test_keep_leaves_lists_as_long_as_they_are() -> None:
    assert keep(SALE, ("users.user.email",)) == {"users": [{"user": {"email": "a@example.com"}}, {}]}


@pytest.mark.parametrize("path", ["nothing", "product.nothing", "transaction.nothing"])
def test_a_path_that_matches_nothing_leaves_nothing(path: str) -> None:
    assert keep(SALE, (path,)) == {}


def test_a_whole_object_and_a_part_of_it_are_the_whole_object() -> None:
    assert keep(SALE, ("product.id", "product")) == {"product": {"name": "Curso", "id": 7}}
