"""People's data under control: what is hidden shows nowhere, and the same person has one pseudonym everywhere."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from airflow_provider_hotmart.api.endpoints import ENDPOINTS
from airflow_provider_hotmart.api.personal import normalized, pseudonym
from airflow_provider_hotmart.emulator import Fault, HotmartEmulator
from airflow_provider_hotmart.emulator.service.answers import Answer
from airflow_provider_hotmart.hooks.hotmart import HotmartHook
from airflow_provider_hotmart.operators.sales import HotmartListSalesOperator, HotmartListSalesParticipantsOperator
from tests.integration.support import account
from tests.integration.test_endpoints_operators import OPERATORS, asked, every_operator

KEY = "a key that nobody has"
WINDOW = {"sales_start_date": "2026-02-01", "sales_end_date": "2026-04-01", "transaction_status": "ALL"}
EVERYTHING = ["participants", "commissions", "price_details"]
#: Of a user, what is not personal.
PUBLIC = {"ucode", "locale", "country", "state", "type"}


@pytest.fixture(scope="module")
def hotmart() -> Iterator[HotmartEmulator]:
    with account(300, days=25) as emulator:
        yield emulator


@pytest.fixture
def connected(hotmart: HotmartEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[HotmartEmulator]:
    """The same, as the connection ``hotmart_default`` with a key of pseudonyms, and ``no_key`` without one."""
    for name, more in (("HOTMART_DEFAULT", {"pseudonym_key": KEY}), ("NO_KEY", {})):
        fields = {"host": hotmart.url, "login": hotmart.client_id, "password": hotmart.client_secret}
        connection = {"conn_type": "hotmart", **fields, "extra": {"token_url": hotmart.token_url, **more}}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(connection))
    yield hotmart
    hotmart.faults.clear()


def secrets_of(hotmart: HotmartEmulator) -> set[str]:
    """All that the emulator knows of people, as far as it is long enough not to stand somewhere by chance."""
    found: set[str] = set()

    def collect(value: Any, name: str = "") -> None:
        if isinstance(value, dict):
            for key, one in value.items():
                collect(one, key)
        elif isinstance(value, list):
            for one in value:
                collect(one, name)
        elif name not in PUBLIC and len(str(value).strip()) >= 6:
            found.add(str(value))

    for row in hotmart.truth_rows("sales/users"):
        collect([one["user"] for one in row["users"]])
    states = {
        str(one["user"].get("address", {}).get("state"))
        for row in hotmart.truth_rows("sales/users")
        for one in row["users"]
    }
    return found - states - {"São José", "Centro"}


def personal_in(name: str, records: list[dict[str, Any]]) -> set[str]:
    """All values of personal columns in records of an endpoint, as far as they are long enough."""
    endpoint = ENDPOINTS[name]
    found: set[str] = set()

    def collect(value: Any, path: list[str]) -> None:
        if isinstance(value, list):
            for one in value:
                collect(one, path or ["value"])
        elif isinstance(value, dict):
            collect(value.get(path[0]), path[1:])
        elif len(str(value or "").strip()) >= 6:
            found.add(str(value).strip().lower())

    for column in endpoint.columns:
        if column.personal:
            collect(records, column.path.removeprefix(f"{endpoint.records_in}.").split("."))
    return found


def forms(value: str) -> set[str]:
    """What a value may look like: in any case, bare, and hashed without a key."""
    bare = "".join(one for one in value if one.isalnum())
    plain = {value, value.strip(), value.lower(), value.upper(), value.strip().lower(), bare, bare.lower()}
    hashed = {
        make(one.encode()).hexdigest()
        for one in plain
        for make in (hashlib.md5, hashlib.sha1, hashlib.sha256, hashlib.sha512)
    }
    return plain | hashed


def text_of(path: Path) -> str:
    if path.suffix == ".parquet":
        return json.dumps(pq.read_table(path).to_pylist(), default=str, ensure_ascii=False)
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()


def words_in(text: str) -> set[str]:
    """The values in a text: what stands between quotation marks, commas, colons and braces."""
    for mark in '"{}[],:\\\\\n':
        text = text.replace(mark, "\x00")
    return {word.strip() for word in text.split("\x00")} - {""}


@every_operator
@pytest.mark.parametrize("mode", ["pseudonymize", "drop"])
def test_nothing_personal_shows_anywhere(
    connected: HotmartEmulator, name: str, mode: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    arguments: dict[str, Any] = {"personal_data": mode, **asked(ENDPOINTS[name], connected)}
    if name == "sales":
        arguments["include"] = EVERYTHING
    told = []
    for suffix in (".jsonl", ".jsonl.gz", ".csv", ".parquet"):
        for flat in ("false", "true") if "json" in suffix else ("true",):
            path = tmp_path / f"{flat}{suffix}"
            told.append(OPERATORS[name](task_id="list", destination=str(path), flat=flat, **arguments).execute({}))
            assert told[-1]["records"] > 0
    told.append(OPERATORS[name](task_id="list", max_xcom_records=100_000, **arguments).execute({}))
    text = json.dumps(told, ensure_ascii=False) + caplog.text + "".join(text_of(path) for path in tmp_path.iterdir())
    words = words_in(text) | words_in(text.lower())
    shown = [value for value in secrets_of(connected) if not words.isdisjoint(forms(value))]
    assert shown == []
    assert "@example" not in text.lower()
    own = personal_in(name, listed(name, **asked(ENDPOINTS[name], connected)))
    assert bool(own) is any(column.personal for column in ENDPOINTS[name].columns)
    assert {value for value in own if value in text.lower()} == set()


def test_the_check_above_finds_what_is_kept(connected: HotmartEmulator, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    HotmartListSalesParticipantsOperator(task_id="list", destination=str(path), **WINDOW).execute({})
    words = words_in(text_of(path))
    secrets = secrets_of(connected)
    assert len([one for one in secrets if not words.isdisjoint(forms(one))]) > 0.9 * len(secrets) > 300


def listed(name: str, **more: Any) -> list[dict[str, Any]]:
    records = OPERATORS[name](task_id="list", max_xcom_records=100_000, **more).execute({})
    assert isinstance(records, list)
    return records


def test_the_same_person_has_one_pseudonym_everywhere(connected: HotmartEmulator) -> None:
    """Each value is replaced by what a few lines of the standard library make of it, in every endpoint."""

    def expected(value: str) -> str:
        return hmac.new(KEY.encode(), value.encode(), hashlib.sha256).hexdigest()

    kept, hidden = (
        {
            name: listed(name, personal_data=mode, **asked(ENDPOINTS[name], connected))
            for name in OPERATORS
            if any(column.pseudonym for column in ENDPOINTS[name].columns)
        }
        for mode in ("keep", "pseudonymize")
    )
    emails: dict[str, set[str]] = {}
    phones: set[tuple[str, str]] = set()
    documents: set[str] = set()
    for name, records in kept.items():
        for record, other in zip(records, hidden[name], strict=True):
            for who in ("user", "buyer", "subscriber", "participant"):
                one, two = record.get(who) or {}, other.get(who) or {}
                one, two = (record, other) if name == "club_users" and who == "user" else (one, two)
                if one.get("email"):
                    assert two["email"] == expected(one["email"].lower())
                    emails.setdefault(one["email"], set()).add(name)
                if one.get("document"):
                    assert two["document"] == expected(one["document"])
                    documents.add(two["document"])
                if one.get("phone"):
                    number = f"{one.get('phone_ddd', '')}{one['phone']}"
                    assert two["phone"] == expected(number)
                    phones.add((name, two["phone"]))
                assert "phone_ddd" not in two
                for before, after in zip(one.get("documents") or [], two.get("documents") or [], strict=True):
                    assert after == {"type": before["type"], "value": expected(before["value"])}
                assert one.get("ucode") == two.get("ucode")
    assert max(map(len, emails.values())) >= 4, "somebody is in several endpoints"
    charged = {phone for where, phone in phones if where == "subscription_transactions"}
    users = [one["user"] for one in listed("sales_participants", personal_data="pseudonymize", **WINDOW)]
    assert len(charged) > 10
    assert documents & {one["value"] for user in users for one in user.get("documents") or ()}
    assert charged <= {user.get(name) for user in users for name in ("phone", "cellphone")}


@pytest.mark.parametrize(
    ("kind", "ways"),
    [
        ("email", ["Maria@Example.com", " maria@example.com ", "MARIA@EXAMPLE.COM", "maria@ex ample.com"]),
        ("phone", ["21 90000-0000", "(21) 900000000", "21900000000", 21900000000]),
        ("document", ["000.000.000-00", "00000000000", " 00000000000 "]),
        ("document", ["12.abc.345/01DE-35", "12ABC34501DE35"]),
        ("code", ["abc", " abc "]),
    ],
)
def test_all_ways_of_writing_a_value_have_one_pseudonym(kind: str, ways: list[Any]) -> None:
    assert len({pseudonym(KEY, kind, one) for one in ways}) == 1
    assert pseudonym("another key", kind, ways[0]) != pseudonym(KEY, kind, ways[0])


def test_values_that_differ_have_pseudonyms_that_differ() -> None:
    assert normalized("document", "AB123456") != normalized("document", "CD123456")
    assert pseudonym(KEY, "phone", "---") == pseudonym(KEY, "email", " ") == ""


def test_the_hook_tells_the_pseudonym_of_somebody(connected: HotmartEmulator) -> None:
    assert HotmartHook().pseudonym("email", " Maria@Example.com") == pseudonym(KEY, "email", "maria@example.com")


@pytest.mark.parametrize(
    "arguments", [{"personal_data": "pseudonymize"}, {"personal_data": "drop", "pseudonymize_ucode": "True"}]
)
def test_without_a_key_there_are_no_pseudonyms(
    connected: HotmartEmulator, arguments: dict[str, Any], tmp_path: Path
) -> None:
    for where in (None, f"{tmp_path}/a.csv"):
        calls = len(connected.calls)
        task = HotmartListSalesParticipantsOperator(
            task_id="list", hotmart_conn_id="no_key", destination=where, **WINDOW, **arguments
        )
        with pytest.raises(
            Exception, match=r"Check connection 'no_key': .*'Pseudonym key' \(pseudonym_key in the extra\)"
        ):
            task.execute({})
        assert len(connected.calls) == calls
    dropped = HotmartListSalesParticipantsOperator(
        task_id="list", hotmart_conn_id="no_key", personal_data="drop", max_xcom_records=10_000, **WINDOW
    ).execute({})
    assert all(set(one.get("user", {})) <= {"ucode", "locale", "address"} for one in dropped)


def test_countries_and_states_stay_and_addresses_go(connected: HotmartEmulator) -> None:
    users = [one["user"] for one in listed("sales_participants", personal_data="pseudonymize", **WINDOW)]
    assert {key for user in users for key in user.get("address", {})} == {"country", "state"}
    assert {"ucode", "locale", "email", "phone", "cellphone", "documents", "address"} == {
        key for user in users for key in user
    }


@pytest.mark.parametrize("mode", ["pseudonymize", "drop"])
def test_codes_of_tickets_are_replaced_and_their_links_go(connected: HotmartEmulator, mode: str) -> None:
    arguments = asked(ENDPOINTS["event_tickets"], connected)
    kept, hidden = listed("event_tickets", **arguments), listed("event_tickets", personal_data=mode, **arguments)
    for one, two in zip(kept, hidden, strict=True):
        code = pseudonym(KEY, "code", one["eticket"]["ticket_qr_code"]) if mode == "pseudonymize" else None
        assert two["eticket"].get("ticket_qr_code") == code
        assert "checkin_url" in one["eticket"]
        assert "checkin_url" not in two["eticket"]


@pytest.mark.parametrize("mode", ["pseudonymize", "drop"])
def test_hotmarts_codes_of_people_are_replaced_where_a_flag_asks_for_it(
    connected: HotmartEmulator, mode: str, tmp_path: Path
) -> None:
    kept = listed("sales", personal_data=mode, include=EVERYTHING, **WINDOW)
    hidden = listed("sales", personal_data=mode, pseudonymize_ucode=True, include=EVERYTHING, **WINDOW)
    for one, two in zip(kept, hidden, strict=True):
        assert one["purchase"] == two["purchase"]
        for who in ("buyer", "producer"):
            code = one[who].get("ucode")
            assert two[who].get("ucode") == (code and pseudonym(KEY, "code", code))
    ucodes = {ucode for _, _, ucode, _ in connected.truth() if ucode}
    assert len(ucodes) > 100
    assert not any(ucode in json.dumps(hidden) for ucode in ucodes)
    path = tmp_path / "a.csv"
    HotmartListSalesParticipantsOperator(
        task_id="list", personal_data=mode, pseudonymize_ucode=True, destination=str(path), **WINDOW
    ).execute({})
    assert not any(ucode in path.read_text(encoding="utf-8") for ucode in ucodes)


def test_the_ucode_of_a_product_is_nobodys(connected: HotmartEmulator) -> None:
    arguments = asked(ENDPOINTS["subscriptions"], connected)
    found = listed("subscriptions", personal_data="drop", pseudonymize_ucode=True, **arguments)
    assert {one["product"]["ucode"] for one in found} <= {one["ucode"] for one in connected.products}


def edited(hotmart: HotmartEmulator, edit: Any, path: str = "sales/users") -> None:
    """Change every row of an endpoint's answers, the participants' by default."""

    def change(answer: Answer, _: Any) -> Answer:
        body = json.loads(answer.body)
        for row in body.get("items", ()):
            edit(row)
        answer.body = json.dumps(body).encode()
        return answer

    hotmart.faults.add(Fault("edited", change), times=None, path=f"/payments/api/v1/{path}")


@pytest.mark.parametrize("mode", ["pseudonymize", "drop"])
def test_what_the_table_does_not_know_counts_as_personal(connected: HotmartEmulator, mode: str, tmp_path: Path) -> None:
    def edit(row: dict[str, Any]) -> None:
        row["guarantor"] = {"name": "Zoraide"}
        for one in row["users"]:
            one["nickname"] = "Zoraide"
            one["user"] |= {"mother": "Zoraide", "email": {"main": "Zoraide"}, "locale": {"name": "Zoraide"}}
            one["user"]["documents"] = [{"type": "CPF", "value": ["Zoraide"], "issuer": "Zoraide"}, "Zoraide"]
            one["user"]["address"] = "Zoraide"
        row["product"]["owner"] = "Zoraide"

    edited(connected, edit)
    records = listed("sales_participants", personal_data=mode, **WINDOW)
    assert "oraide" not in json.dumps(records)
    assert all(set(one) == {"transaction", "transaction_status", "product", "role", "user"} for one in records)
    for suffix in (".jsonl", ".csv", ".parquet"):
        path = tmp_path / f"a{suffix}"
        HotmartListSalesParticipantsOperator(
            task_id="list", personal_data=mode, destination=str(path), **WINDOW
        ).execute({})
        assert "oraide" not in text_of(path)
    assert "oraide" in json.dumps(listed("sales_participants", **WINDOW))


@pytest.mark.parametrize("mode", ["pseudonymize", "drop"])
def test_what_the_table_does_not_know_within_json_counts_as_personal(connected: HotmartEmulator, mode: str) -> None:
    def edit(row: dict[str, Any]) -> None:
        row["unpaid_recurrencies"] = [{"number": 2, "charge_date": 1, "payer": "Zoraide"}, [{"payer": ["Zoraide"]}], 3]

    edited(connected, edit, "subscriptions/summary")
    arguments = asked(ENDPOINTS["subscription_summaries"], connected)
    records = listed("subscription_summaries", personal_data=mode, **arguments)
    assert records
    assert all(one["unpaid_recurrencies"] == [{"number": 2, "charge_date": 1}, [{}], 3] for one in records)
    assert "oraide" in json.dumps(listed("subscription_summaries", **arguments))


@pytest.mark.parametrize("name", [name for name, one in ENDPOINTS.items() if any(c.names for c in one.columns)])
def test_documented_names_within_json_are_kept(connected: HotmartEmulator, name: str) -> None:
    arguments = asked(ENDPOINTS[name], connected)
    kept, hidden = listed(name, **arguments), listed(name, personal_data="drop", **arguments)
    for column in (one.path for one in ENDPOINTS[name].columns if one.names):
        assert [one.get(column) for one in kept] == [one.get(column) for one in hidden]
        # Nobody owes anything in this account; the test above has somebody who does.
        assert any(one.get(column) for one in kept) or column == "unpaid_recurrencies"


def test_keeping_changes_nothing(connected: HotmartEmulator, tmp_path: Path) -> None:
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    HotmartListSalesOperator(task_id="list", destination=str(one), **WINDOW).execute({})
    HotmartListSalesOperator(task_id="list", personal_data=" Keep", destination=str(other), **WINDOW).execute({})
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"personal_data": "pseudonymise"}, "did you mean 'pseudonymize'.*keep, pseudonymize, drop"),
        ({"pseudonymize_ucode": True}, "set that to 'pseudonymize' or 'drop'"),
        ({"pseudonymize_ucode": "perhaps"}, "pseudonymize_ucode is 'perhaps', expected True or False"),
        ({"personal_data": None}, "personal_data is None"),
    ],
)
def test_a_wrong_argument_is_told(connected: HotmartEmulator, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(Exception, match=message):
        HotmartListSalesOperator(task_id="list", **WINDOW, **arguments).execute({})
