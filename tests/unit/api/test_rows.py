"""From rows as Hotmart wrote them to records."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from airflow_provider_hotmart.api.endpoints.products import PRODUCTS
from airflow_provider_hotmart.api.endpoints.sales import SALES_PARTICIPANTS
from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError, HotmartResponseError
from airflow_provider_hotmart.api.filters import build_query
from airflow_provider_hotmart.api.json_text import json_lines
from airflow_provider_hotmart.api.rows import (
    Record,
    RecordReader,
    identity,
    keep,
    objects,
    refuse_select,
    select_for,
)

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


def raw(value: Any) -> Raw:
    """A row as it comes from a page."""
    return Raw(value if isinstance(value, bytes) else json.dumps(value).encode())


def leaves(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Every scalar of a value, with the names that lead to it."""
    if isinstance(value, dict):
        return [leaf for name, part in value.items() for leaf in leaves(part, (*path, name))]
    if isinstance(value, list):
        return [leaf for part in value for leaf in leaves(part, path)]
    return [(path, value)]


def reader(**filters: Any) -> RecordReader:
    """What makes records of sales."""
    return RecordReader(build_query(SALES_PARTICIPANTS, now=1e9, **filters))


def lines(*sales: Any, status: str | None = "COMPLETE", **filters: Any) -> list[str]:
    """The records of sales as JSON Lines."""
    return json_lines(reader(**filters).read([raw(sale) for sale in sales], status)).decode().splitlines()


class TestIdentity:
    def test_a_product_is_known_by_its_id(self) -> None:
        assert identity(PRODUCTS, raw({"id": 7, "name": "Curso"})) == identity(PRODUCTS, raw({"name": "O", "id": 7}))

    def test_a_sale_is_known_by_its_transaction_and_product(self) -> None:
        def key(sale: Any) -> Any:
            return identity(SALES_PARTICIPANTS, raw(sale))

        assert key(SALE) == key({"product": {"id": 7}, "transaction": "HP1"})
        assert key(SALE) != key({**SALE, "product": {"id": 8}})
        assert key(SALE) != key({**SALE, "transaction": "HP2"})

    @pytest.mark.parametrize("product", [None, {}, {"id": None}, {"id": [1]}, "Curso"])
    def test_a_sale_without_a_product_is_known_by_its_transaction(self, product: Any) -> None:
        assert identity(SALES_PARTICIPANTS, raw({"transaction": "HP1", "product": product})) == ("HP1", None)

    @pytest.mark.parametrize("row", [{}, {"transaction": None}, {"transaction": ""}, {"transaction": ["HP1"]}])
    def test_a_sale_without_a_transaction_is_an_error(self, row: dict[str, Any]) -> None:
        with pytest.raises(HotmartResponseError, match="has no transaction"):
            identity(SALES_PARTICIPANTS, raw(row))

    def test_half_a_surrogate_pair_in_a_row_does_not_hide_which_one_it_is(self) -> None:
        assert identity(SALES_PARTICIPANTS, raw(rb'{"name":"\ud83d","transaction":"HP1"}')) == ("HP1", None)


class TestSelect:
    @pytest.mark.parametrize(
        ("asked", "sent"),
        [
            (("users.user.email",), "users.user.email,transaction,product.id,users.role"),
            (("transaction", "product", "users"), "transaction,product,users"),
            (("product.name", "users"), "product.name,users,transaction,product.id"),
            (("product.idx",), "product.idx,transaction,product.id,users.role"),
        ],
    )
    def test_what_tells_rows_apart_is_asked_for_too(self, asked: tuple[str, ...], sent: str) -> None:
        assert select_for(SALES_PARTICIPANTS, asked, ["users.role"]) == sent

    @given(rows, selects)
    def test_keep_leaves_exactly_the_fields_that_were_asked_for(
        self, row: dict[str, Any], asked: tuple[str, ...]
    ) -> None:
        wanted = [tuple(path.split(".")) for path in asked]
        expected = [(path, value) for path, value in leaves(row) if any(path[: len(want)] == want for want in wanted)]
        found = leaves(keep(row, asked))
        assert [leaf for leaf in found if leaf[1] is not None] == [leaf for leaf in expected if leaf[1] is not None]

    @given(rows, selects)
    def test_keep_done_twice_is_keep_done_once(self, row: dict[str, Any], asked: tuple[str, ...]) -> None:
        assert keep(keep(row, asked), asked) == keep(row, asked)

    def test_keep_leaves_lists_as_long_as_they_are(self) -> None:
        assert keep(SALE, ("users.user.email",)) == {"users": [{"user": {"email": "a@example.com"}}, {}]}

    @pytest.mark.parametrize("path", ["nothing", "product.nothing", "transaction.nothing"])
    def test_a_path_that_matches_nothing_leaves_nothing(self, path: str) -> None:
        assert keep(SALE, (path,)) == {}

    def test_a_whole_object_and_a_part_of_it_are_the_whole_object(self) -> None:
        assert keep(SALE, ("product.id", "product")) == {"product": {"name": "Curso", "id": 7}}

    def test_records_have_what_was_selected_and_the_status(self) -> None:
        found = [*objects(reader(select="product.name,users.user.email").read([raw(SALE)], "COMPLETE"))]
        assert found == [
            {"product": {"name": "Curso"}, "transaction_status": "COMPLETE", "user": {"email": "a@example.com"}},
            {"product": {"name": "Curso"}, "transaction_status": "COMPLETE"},
        ]

    def test_a_filter_of_our_own_counts_before_the_selection(self) -> None:
        found = [*objects(reader(select="users.user.ucode", roles="BUYER").read([raw(SALE)], None))]
        assert found == [{"transaction_status": None, "user": {"ucode": "u2"}}]

    def test_a_path_that_no_row_has_and_nobody_knows_is_refused_at_the_end(self) -> None:
        one = reader(select="transaction,nonsense")
        one.read([raw(SALE)], None)
        with pytest.raises(HotmartInvalidRequestError, match="select 'nonsense' matches nothing in any row"):
            one.check(rows_met=True)

    @pytest.mark.parametrize("path", ["users.user.phone", "users.user.documents.type", "users.user.new", "product.new"])
    def test_a_path_that_is_known_or_that_a_row_has_is_not(self, path: str) -> None:
        one = reader(select=path)
        one.read([raw(SALE)], None)
        one.read([raw({**SALE, "product": {"new": None}, "users": [{"role": "X", "user": {"new": 1}}, {}]})], None)
        one.check(rows_met=True)

    def test_where_no_row_came_no_path_can_be_wrong(self) -> None:
        reader(select="nonsense").check(rows_met=False)

    def test_the_path_that_was_probably_meant_is_named(self) -> None:
        with pytest.raises(HotmartInvalidRequestError, match=r"did you mean 'users\.user\.email'\?"):
            refuse_select(build_query(SALES_PARTICIPANTS, now=1e9, select="email"), "email")


class TestRecords:
    def test_a_sale_is_one_record_a_participant_with_the_transaction_first(self) -> None:
        [line] = lines({"product": {"id": 7}, "users": SALE["users"][:1], "transaction": "HP1"})
        assert line == (
            '{"transaction":"HP1","transaction_status":"COMPLETE","product":{"id": 7},'
            '"role":"PRODUCER","user":{"ucode": "u1", "email": "a@example.com"}}'
        )

    def test_what_hotmart_sent_passes_byte_for_byte(self) -> None:
        sale = (
            '{"transaction":"HP1","new_in_2030":{"a":[1,null]},"price":1.50E+2,"big":12345678901234567890123,'
            r'"product":{ "id":7,"name":"Caf\u00e9 ☕"},'
            r'"users":[{"role":"BUYER","x":0.10,"user":{"name":"Jo\u00e3o\/"}}]}'
        )
        [line] = lines(sale.encode())
        assert line == (
            '{"transaction":"HP1","transaction_status":"COMPLETE","new_in_2030":{"a":[1,null]},"price":1.50E+2,'
            r'"big":12345678901234567890123,"product":{ "id":7,"name":"Caf\u00e9 ☕"},'
            r'"role":"BUYER","x":0.10,"user":{"name":"Jo\u00e3o\/"}}'
        )

    def test_a_product_passes_whole(self) -> None:
        row = rb'{ "id" : 7, "name":"Jo\u00e3o", "warranty_period": 7.0 }'
        records = RecordReader(build_query(PRODUCTS, now=1e9)).read([Raw(row)], None)
        assert json_lines(records) == row + b"\n"

    def test_without_a_status_asked_for_the_status_is_null(self) -> None:
        assert {json.loads(line)["transaction_status"] for line in lines(SALE, status=None)} == {None}

    def test_roles_are_kept_by_exact_name_and_a_record_without_a_role_is_not_kept(self) -> None:
        sale = {**SALE, "users": [*SALE["users"], {"user": {}}, {"role": None}, {"role": 7}, {"role": "buyer"}]}
        found = [json.loads(line) for line in lines(sale, roles="BUYER")]
        assert [one["user"]["ucode"] for one in found] == ["u2"]

    def test_roles_that_were_met_are_remembered(self) -> None:
        one = reader(roles="MANAGER")
        one.read([raw(SALE)], None)
        assert one.met == {("role", "PRODUCER"), ("role", "BUYER")}

    @pytest.mark.parametrize("sale", [{"transaction": "HP1"}, {"transaction": "HP1", "users": None}, {"users": []}])
    def test_a_sale_without_participants_is_no_record(self, sale: Any) -> None:
        assert lines(sale) == []

    @pytest.mark.parametrize("users", [{"role": "BUYER"}, "maria", 7, [1], [["maria"]], [None], ["maria"]], ids=repr)
    @pytest.mark.parametrize("select", [None, "users.role"])
    def test_users_that_are_no_list_of_objects_are_refused_without_showing_them(
        self, users: Any, select: str | None
    ) -> None:
        with pytest.raises(HotmartResponseError, match="users is no list of objects") as caught:
            lines({**SALE, "users": users}, select=select)
        assert "maria" not in str(caught.value)

    def test_two_rows_of_one_sale_are_two_rows(self) -> None:
        assert len(lines(SALE, SALE)) == 4


class TestHalfASurrogatePair:
    """The first half of an emoji that somebody's name was cut in."""

    SALE = rb'{"transaction":"HP1","users":[{"role":"BUYER","user":{"name":"Ana \ud83d"}},{"role":"PRODUCER"}]}'

    def test_it_is_written_escaped(self) -> None:
        first, second = lines(self.SALE)
        assert r'"name":"Ana \ud83d"' in first
        assert json.loads(first)["user"]["name"] == "Ana \ud83d"
        assert json.loads(second)["role"] == "PRODUCER"

    def test_it_is_decoded(self) -> None:
        records = reader().read([Raw(self.SALE)], None)
        assert [one.get("user") for one in objects(records)] == [{"name": "Ana \ud83d"}, None]

    def test_numbers_beside_it_stay_as_they_are_written(self) -> None:
        row = rb'{"buyer":{"name":"Ana \ud83d"},"prices":[12345678901234567890.12]}'
        [record] = objects([Raw(row)], Decimal)
        assert record["prices"] == [Decimal("12345678901234567890.12")]
        assert json_lines([record]) == row + b"\n"

    def test_it_is_selected_and_filtered(self) -> None:
        [line] = lines(self.SALE, select="users.user.name", roles="BUYER")
        assert json.loads(line) == {"transaction_status": "COMPLETE", "user": {"name": "Ana \ud83d"}}

    @pytest.mark.parametrize("key", ["new", "role"])
    def test_it_may_stand_in_a_key_and_in_a_role(self, key: str) -> None:
        sale = (
            b'{"transaction":"HP1","users":[{"role":"BUYER","\\ud83d":1}]}'
            if key == "new"
            else b'{"transaction":"HP1","users":[{"role":"\\ud83d"}]}'
        )
        [line] = lines(sale)
        assert "\\ud83d" in line


records: st.SearchStrategy[Record] = st.one_of(rows, rows.map(raw), st.dictionaries(names, values.map(raw), max_size=4))


@given(st.lists(records, max_size=5))
def test_records_are_written_one_a_line_and_decoded_as_what_was_written(several: list[Record]) -> None:
    written = json_lines(several)
    assert written.count(b"\n") == len(several)
    assert [*objects(several)] == [json.loads(line) for line in written.splitlines()]
