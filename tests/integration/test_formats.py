"""Files with columns: read back with other people's tools, they say what Hotmart said."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow.parquet as pq
import pytest

from airflow_provider_hotmart.api.endpoint import Endpoint
from airflow_provider_hotmart.api.endpoints import ENDPOINTS
from airflow_provider_hotmart.api.filters import Query
from airflow_provider_hotmart.api.shape import Shape
from airflow_provider_hotmart.api.windows import Window
from airflow_provider_hotmart.emulator import Fault, HotmartEmulator
from airflow_provider_hotmart.emulator.service.answers import Answer
from airflow_provider_hotmart.hooks.hotmart import HotmartHook
from airflow_provider_hotmart.operators.products import HotmartListProductsOperator
from airflow_provider_hotmart.operators.sales import HotmartListSalesOperator, HotmartListSalesParticipantsOperator
from airflow_provider_hotmart.storage import RecordFile
from airflow_provider_hotmart.watching.watch import Watch, plain
from tests.integration.support import account
from tests.integration.test_endpoints_operators import OPERATORS, asked, every_operator

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".jsonl")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PYTHON_TYPES = {
    "string": str,
    "json": str,
    "integer": int,
    "decimal": Decimal,
    "boolean": bool,
    "timestamp": datetime,
}  # fmt: skip
DUCKDB_TYPES = {
    "string": "VARCHAR",
    "json": "VARCHAR",
    "integer": "BIGINT",
    "decimal": "DECIMAL(38,10)",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
}
START, END = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
WINDOW = {"sales_start_date": "2026-02-01", "sales_end_date": "2026-04-01", "transaction_status": "ALL"}


@pytest.fixture(scope="module")
def hotmart() -> Iterator[HotmartEmulator]:
    with account(300, days=25) as emulator:
        yield emulator


@pytest.fixture
def connected(hotmart: HotmartEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[HotmartEmulator]:
    """The same, as the connection ``hotmart_default``."""
    fields = {"host": hotmart.url, "login": hotmart.client_id, "password": hotmart.client_secret}
    extra = {"token_url": hotmart.token_url}
    monkeypatch.setenv("AIRFLOW_CONN_HOTMART_DEFAULT", json.dumps({"conn_type": "hotmart", **fields, "extra": extra}))
    yield hotmart
    hotmart.faults.clear()


def read(path: Path, columns: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Read a file back, each value as the type that the manifest says."""
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    types = {one["name"]: one["type"] for one in columns}
    if path.suffix == ".jsonl":
        rows = [json.loads(line, parse_float=Decimal) for line in text.split("\n")[:-1]]
        return [{name: _typed(value, types[name]) for name, value in row.items()} for row in rows]
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    assert reader.fieldnames == list(types)
    return [{name: _read(value, types[name]) for name, value in row.items()} for row in reader]


def _read(text: str, kind: str) -> Any:
    """Read a value of CSV; the csv module does not tell a text without characters from null."""
    if text == "":
        return None
    if kind == "integer":
        return int(text)
    if kind == "boolean":
        return {"true": True, "false": False}[text]
    return _typed(Decimal(text) if kind == "decimal" else text, kind)


def _typed(value: Any, kind: str) -> Any:
    if kind == "timestamp" and value is not None:
        return datetime.fromisoformat(value)
    return Decimal(value) if kind == "decimal" and value is not None else value


def exact(endpoint: Endpoint, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The records of the hook, which other tests compare with the truth."""
    return list(getattr(HotmartHook(), f"iter_{endpoint.name}")(**filters))


def at(record: Any, path: str) -> Any:
    for name in path.split("."):
        record = record.get(name) if isinstance(record, dict) else None
    return record


def check_row(endpoint: Endpoint, record: dict[str, Any], row: dict[str, Any], has_blanks: bool) -> None:
    """See that a row says of a record all there is to say."""
    left = json.loads(json.dumps(record))
    for column in endpoint.columns:
        path = column.path.removeprefix(f"{endpoint.records_in}.")
        value, found = at(record, path), row[path.replace(".", "_")]
        if value == "" and (column.type != "text" or not has_blanks):
            value = None
        if column.type == "moment" and value is not None:
            value = EPOCH + timedelta(milliseconds=value)
        if column.type in ("decimal", "ratio") and value is not None:
            value = Decimal(str(value))
        if column.type == "json":
            found = found and json.loads(found)
        assert found == value, (path, found, value)
        assert type(found) is type(value)
        _drop(left, path)
    for one in endpoint.stamps:
        assert row[one.name] == left.pop(one.name, None)
    if endpoint.status_key:
        assert row[endpoint.status_key] == left.pop(endpoint.status_key)
    documents = at(record, "user.documents") or [{}]
    for key in ("type", "value"):
        assert row.get(f"user_document_{key}") == documents[0].get(key)
    other = row["other"] and json.loads(row["other"])
    assert (other or {}) == _full(left)


def _drop(record: dict[str, Any], path: str) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        inside = record.get(parent)
        if not isinstance(inside, dict):
            return
        record = inside
    record.pop(name, None)


def _full(value: dict[str, Any]) -> dict[str, Any]:
    """Without objects in which there is nothing."""
    found = {name: _full(one) if isinstance(one, dict) else one for name, one in value.items()}
    return {name: one for name, one in found.items() if one not in ({}, None)}


@every_operator
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_read_back_is_what_hotmart_said(
    connected: HotmartEmulator, name: str, suffix: str, tmp_path: Path
) -> None:
    endpoint, path = ENDPOINTS[name], tmp_path / f"a{suffix}"
    filters = asked(endpoint, connected)
    manifest = OPERATORS[name](task_id="list", destination=str(path), flat=True, **filters).execute({})
    assert isinstance(manifest, dict)
    columns = manifest["columns"]
    rows, records = read(path, columns), exact(endpoint, filters)
    assert len(rows) == len(records) == manifest["records"] > 0
    assert (manifest["format"], manifest["compression"]) == (
        suffix.split(".")[1],
        "gzip" if suffix == ".csv.gz" else None,
    )
    for record, row in zip(records, rows, strict=True):
        assert list(row) == [one["name"] for one in columns]
        assert all(row[one["name"]] is None or type(row[one["name"]]) is PYTHON_TYPES[one["type"]] for one in columns)
        check_row(endpoint, record, row, has_blanks=not suffix.startswith(".csv"))
    keys = [tuple(row[column] for column in manifest["primary_key"]) for row in rows]
    assert len(set(keys)) == len(keys)
    assert all(value is not None for key in keys for value in key)


@every_operator
def test_an_empty_listing_is_a_valid_file_with_its_columns(name: str, tmp_path: Path) -> None:
    endpoint = ENDPOINTS[name]
    for suffix in SUFFIXES:
        path = tmp_path / f"none{suffix}"
        shape = Shape(Query(endpoint), is_flat=True)
        with RecordFile(path, flat=True).writing(shape.columns):
            pass
        assert read(path, [{"name": one.name, "type": one.type} for one in shape.columns or ()]) == []
    schema = pq.read_schema(tmp_path / "none.parquet")
    assert schema.names == [one.name for one in shape.columns or ()]


@every_operator
def test_duckdb_reads_what_the_manifest_says(connected: HotmartEmulator, name: str, tmp_path: Path) -> None:
    filters = asked(ENDPOINTS[name], connected)
    for suffix in (".csv", ".jsonl.gz", ".parquet"):
        path = tmp_path / f"a{suffix}"
        manifest = OPERATORS[name](task_id="list", destination=str(path), flat=True, **filters).execute({})
        assert isinstance(manifest, dict)
        types = {one["name"]: DUCKDB_TYPES[one["type"]] for one in manifest["columns"]}
        if suffix == ".csv":
            found = duckdb.read_csv(manifest["uri"], columns=types, header=True, allow_quoted_nulls=False)
        elif suffix == ".jsonl.gz":
            found = duckdb.read_json(manifest["uri"], columns=types)
        else:
            found = duckdb.read_parquet(manifest["uri"])
        assert dict(zip(found.columns, map(str, found.types), strict=True)) == types
        rows = [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]
        assert len(rows) == manifest["records"] > 0
        for record, row in zip(exact(ENDPOINTS[name], filters), rows, strict=True):
            check_row(ENDPOINTS[name], record, row, has_blanks=True)


def participants(path: Path, **more: Any) -> dict[str, Any]:
    manifest = HotmartListSalesParticipantsOperator(
        task_id="list", destination=str(path), flat=True, **{**WINDOW, **more}
    ).execute({})
    assert isinstance(manifest, dict)
    return manifest


def edited(hotmart: HotmartEmulator, edit: Any, path: str = "/sales/users", rows: int = 1) -> None:
    """Change the first rows of each answer."""

    def change(answer: Answer, _: Any) -> Answer:
        body = json.loads(answer.body)
        if isinstance(body, dict) and body.get("items"):
            for row in body["items"][:rows]:
                edit(row)
            # Numbers as text, so that none of them is a binary fraction.
            answer.body = json.dumps(body).replace('"<', "").replace('>"', "").encode()
        return answer

    hotmart.faults.add(Fault("edited", change), times=None, path=f"/payments/api/v1{path}")


ODD = {
    "quotes": "Zé \"o Velho\"; 'aspas', vírgula",
    "line_breaks": "uma\r\nduas\rtrês\n\u2028quatro",
    "formula": "=1+1",
    "emoji": "👩🏽‍🎤🎸",
    "blanks": "  \t ",
    "null_character": "a\x00b",
    "delimiter_at_the_end": "a,",
}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("odd", ODD)
def test_odd_names_survive(connected: HotmartEmulator, suffix: str, odd: str, tmp_path: Path) -> None:
    edited(connected, lambda row: row["users"][0]["user"].update(name=ODD[odd]))
    path = tmp_path / f"a{suffix}"
    rows = read(path, participants(path)["columns"])
    assert ODD[odd] in [row["user_name"] for row in rows]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_the_table_does_not_know_and_what_does_not_fit_stands_in_other(
    connected: HotmartEmulator, suffix: str, tmp_path: Path
) -> None:
    def edit(row: dict[str, Any]) -> None:
        row["new"] = {"deep": ["<1.10>", None], "wide": "<123456789012345678901234567890>"}
        row["users"] = row["users"][:1]
        row["users"][0]["user"] |= {"nickname": "Zé", "locale": ["PT_BR"], "address": "Rua X, 1", "phone": "<21900>"}

    edited(connected, edit)
    path = tmp_path / f"a{suffix}"
    row = next(row for row in read(path, participants(path)["columns"]) if row["other"])
    assert row["other"] == (
        '{"new":{"deep":[1.10,null],"wide":123456789012345678901234567890},'
        '"user":{"address":"Rua X, 1","nickname":"Zé"}}'
    ) or json.loads(row["other"]) == {
        "new": {"deep": [1.10, None], "wide": 123456789012345678901234567890},
        "user": {"address": "Rua X, 1", "nickname": "Zé"},
    }
    assert "1.10" in row["other"]
    assert (row["user_locale"], row["user_phone"], row["user_address_city"]) == ('["PT_BR"]', "21900", None)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_half_of_a_surrogate_pair_is_the_text_of_its_escape(
    connected: HotmartEmulator, suffix: str, tmp_path: Path
) -> None:
    def edit(row: dict[str, Any]) -> None:
        row["users"] = row["users"][:1]
        row["users"][0]["user"] |= {"name": "Zé \ud83d", "documents": [{"type": "\ud83d", "value": "\udfa4"}]}
        row["new \ud83d"] = {"deep": ["\ud83d", "🎤", 1]}

    edited(connected, edit)
    path = tmp_path / f"a{suffix}"
    row = next(row for row in read(path, participants(path)["columns"]) if row["other"])
    assert (row["user_name"], row["user_document_type"], row["user_document_value"]) == (
        "Zé \\ud83d",
        "\\ud83d",
        "\\udfa4",
    )
    # Nothing that a strict reader of JSON refuses.
    assert msgspec.json.decode(row["user_documents"]) == [{"type": "\\ud83d", "value": "\\udfa4"}]
    assert msgspec.json.decode(row["other"]) == {"new \\ud83d": {"deep": ["\\ud83d", "🎤", 1]}}
    if suffix == ".jsonl":
        assert len(msgspec.json.Decoder().decode_lines(path.read_bytes())) > 1


def sales(path: Path, **more: Any) -> list[dict[str, Any]]:
    manifest = HotmartListSalesOperator(task_id="list", destination=str(path), flat=True, **WINDOW, **more).execute({})
    assert isinstance(manifest, dict)
    return read(path, manifest["columns"])


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("amount", ["1234567890123456789012345678.0123456789", "-0.0000000001", "1E+27", "0", "97"])
def test_money_that_fits_is_exact(connected: HotmartEmulator, suffix: str, amount: str, tmp_path: Path) -> None:
    edited(connected, lambda row: row["purchase"]["price"].update(value=f"<{amount}>"), "/sales/history")
    assert Decimal(amount) in [row["purchase_price_value"] for row in sales(tmp_path / f"a{suffix}")]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("amount", ["12345678901234567890123456789", "0.00000000001", "1E+28", "[97]", "true"])
def test_money_that_does_not_fit_fails_and_names_the_row(
    connected: HotmartEmulator, suffix: str, amount: str, tmp_path: Path
) -> None:
    edited(connected, lambda row: row["purchase"]["price"].update(value=f"<{amount}>"), "/sales/history")
    with pytest.raises(
        Exception, match=r"purchase\.price\.value does not fit into decimal\(38,10\): write JSON Lines .*'HP"
    ) as caught:
        sales(tmp_path / f"a{suffix}")
    assert "JSON Lines" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_other_numbers_are_rounded_and_stand_in_other_as_they_were(connected: HotmartEmulator, tmp_path: Path) -> None:
    edited(
        connected,
        lambda row: row["purchase"]["hotmart_fee"].update(percentage="<9.90000000000000036>"),
        "/sales/history",
    )
    row = next(row for row in sales(tmp_path / "a.parquet") if row["other"])
    assert row["purchase_hotmart_fee_percentage"] == Decimal("9.9")
    assert row["other"] == '{"purchase":{"hotmart_fee":{"percentage":9.90000000000000036}}}'


def test_numbers_and_moments_that_nothing_holds_stand_in_other(connected: HotmartEmulator, tmp_path: Path) -> None:
    def edit(row: dict[str, Any]) -> None:
        row["purchase"]["recurrency_number"] = f"<{2**70}>"
        row["purchase"]["order_date"] = "<99999999999999999>"
        row["purchase"]["is_subscription"] = "perhaps"

    edited(connected, edit, "/sales/history")
    row = next(row for row in sales(tmp_path / "a.csv") if row["other"])
    assert json.loads(row["other"]) == {
        "purchase": {"recurrency_number": 2**70, "order_date": 99999999999999999, "is_subscription": "perhaps"}
    }


def test_a_key_that_does_not_fit_fails(connected: HotmartEmulator, tmp_path: Path) -> None:
    edited(connected, lambda row: row["product"].update(id="none"))
    with pytest.raises(Exception, match=r"product\.id does not fit into integer: write JSON Lines .*\[none, row of "):
        participants(tmp_path / "a.csv")


def test_parts_of_a_sale_are_columns_of_json(connected: HotmartEmulator, tmp_path: Path) -> None:
    rows = sales(tmp_path / "a.parquet", include=["participants", "price_details"])
    assert all(json.loads(row["participants"])["users"] for row in rows)
    assert all(json.loads(row["price_details"])["total"]["value"] for row in rows)


def test_formulas_stay_text_where_a_flag_asks_for_it(connected: HotmartEmulator, tmp_path: Path) -> None:
    names = ("=1+1", "+55", "-1", "@SUM(A1)", "\t=1", "\r=1", "=1\n", "normal")
    left = list(names)

    def edit(row: dict[str, Any]) -> None:
        if left:
            row["users"][0]["user"]["name"] = left.pop(0)

    edited(connected, edit)
    path = tmp_path / "a.csv"
    rows = read(path, participants(path, escape_formulas=True)["columns"])
    found = {row["user_name"] for row in rows}
    told = names[: len(names) - len(left)]
    assert "=1+1" in told
    assert {name if name == "normal" else f"'{name}" for name in told} <= found
    assert not any(str(row["user_name"]).startswith(("=", "@")) for row in rows)
    with pytest.raises(Exception, match=r"escape_formulas is for spreadsheets.*\.csv"):
        participants(tmp_path / "a.parquet", escape_formulas=True)


def test_csv_tells_a_text_without_characters_from_null(connected: HotmartEmulator, tmp_path: Path) -> None:
    edited(connected, lambda row: row["users"][0]["user"].update(name="", trade_name=None))
    path = tmp_path / "a.csv"
    columns = [one["name"] for one in participants(path)["columns"]]
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines[0].split(",") == columns
    name = columns.index("user_name")
    # No comma stands before the name in these rows.
    assert any(line.split(",")[name : name + 2] == ['""', ""] for line in lines[1:-1])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_without_what_makes_the_key_there_is_none(connected: HotmartEmulator, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    part = participants(path, select="transaction,users.role")
    assert part["primary_key"] == []
    assert [one["name"] for one in part["columns"]] == [one["name"] for one in participants(path)["columns"]]
    whole = participants(path, select="transaction,product.id,users.role,users.user.ucode")
    assert whole["primary_key"] == ["transaction", "product_id", "role", "user_key"]


def without_codes(row: dict[str, Any]) -> None:
    """Make the people of a sale four, of whom one has a code."""
    users = [{"role": role, "user": {"name": "Nobody"}} for role in ("BUYER", "COPRODUCER", "COPRODUCER")]
    row["users"] = [*users[:2], {"role": "COPRODUCER", "user": {"ucode": "u-1", "name": "Nobody"}}, users[2]]


def test_people_without_a_code_are_told_apart_by_their_place(connected: HotmartEmulator, tmp_path: Path) -> None:
    edited(connected, without_codes, rows=2)
    path = tmp_path / "a.parquet"
    people: dict[str, list[tuple[str, str]]] = {}
    for row in read(path, participants(path)["columns"]):
        if row["user_name"] == "Nobody":
            people.setdefault(row["transaction"], []).append((row["role"], row["user_key"]))
    assert len(people) > 2
    expected = [("BUYER", "#1"), ("COPRODUCER", "#1"), ("COPRODUCER", "u-1"), ("COPRODUCER", "#3")]
    assert all(found == expected for found in people.values())


def test_a_watch_tells_the_same_places_of_whom_it_reports(connected: HotmartEmulator) -> None:
    edited(connected, without_codes, rows=2)
    client = HotmartHook().get_conn()
    watch = Watch("hotmart_default", {"transaction_status": "ALL"}, lookback=timedelta(days=366))
    window = Window(int(START.timestamp()), int(END.timestamp()))
    places: dict[str, list[int | None]] = {}
    for one in watch.participants(watch.listing(client, window)):
        if plain(one.record, "user").get("name") == "Nobody":
            places.setdefault(plain(one.record, "transaction"), []).append(one.place)
    assert len(places) > 2
    assert all(found == [1, 1, 2, 3] for found in places.values())


def test_a_flag_about_files_is_refused_without_one(connected: HotmartEmulator) -> None:
    for flag in ("flat", "escape_formulas"):
        with pytest.raises(Exception, match=f"{flag} is about a file: set destination"):
            HotmartListProductsOperator(task_id="list", **{flag: "True"}).execute({})


def test_plain_json_lines_are_hotmarts_own_bytes(connected: HotmartEmulator, tmp_path: Path) -> None:
    edited(connected, lambda row: row.update(new="<1.100>"))
    manifest = HotmartListSalesParticipantsOperator(
        task_id="list", destination=f"{tmp_path}/a.jsonl", **WINDOW
    ).execute({})
    assert isinstance(manifest, dict)
    assert (manifest["columns"], b'"new":1.100' in (tmp_path / "a.jsonl").read_bytes()) == (None, True)
