"""Answers that no client expects."""

from __future__ import annotations

import json

import pytest

from airflow_provider_hotmart.emulator import Fault, HotmartEmulator
from airflow_provider_hotmart.emulator.service.faults import ROW_EDITS
from tests.unit.emulator.support import PRODUCTS, SALES, Client, rows


@pytest.mark.parametrize("code", [201, 202, 206])
def test_a_status_that_says_that_all_is_well_keeps_the_true_body(
    client: Client, hotmart: HotmartEmulator, codes: list[str], code: int
) -> None:
    for body in ("json", "html", "empty"):
        hotmart.faults.add(Fault.status(code, body))
    true, page, nothing = client.get(), client.get(), client.get()
    assert [answer.status_code for answer in (true, page, nothing)] == [code] * 3
    assert rows(true.json()) == codes[:4]
    assert (page.text[:9], nothing.content) == ("<!DOCTYPE", b"")
    hotmart.faults.add(Fault.status(code, error="not_ready"))
    assert client.get().json()["error"] == "not_ready"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (405, "method_not_allowed"),
        (406, "not_acceptable"),
        (407, "proxy_authentication_required"),
        (409, "conflict"),
        (423, "locked"),
        (499, "client_closed_request"),
    ],
)
def test_a_status_that_hotmart_never_sent_has_http_s_name(
    client: Client, hotmart: HotmartEmulator, code: int, error: str
) -> None:
    for body in ("json", "html", "empty"):
        hotmart.faults.add(Fault.status(code, body))
    named, page, nothing = client.get(), client.get(), client.get()
    assert [answer.status_code for answer in (named, page, nothing)] == [code] * 3
    assert named.json()["error"] == error
    assert (page.text[:9], nothing.content) == ("<!DOCTYPE", b"")


def test_no_content_has_no_content_and_the_connection_goes_on(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.faults.add(Fault.status(204))
    answer = client.get()
    assert (answer.status_code, answer.content) == (204, b"")
    assert "Content-Length" not in answer.headers
    assert client.get().status_code == 200


def test_a_small_answer_may_unpack_to_more_than_fits(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.faults.add(Fault.gzip_bomb())
    hotmart.quirks.content_encoding = "gzip"
    headers = {"Authorization": f"Bearer {client.token}"}
    answer = client.http.get(hotmart.url + SALES, headers=headers, stream=True, timeout=10)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert 500_000 < int(answer.headers["Content-Length"]) < 1_000_000
    size, end = 0, b""
    for part in answer.iter_content(16 * 1_048_576):
        size, end = size + len(part), part
    assert size > 600_000_000
    assert json.loads(end.strip()) == {"items": [], "page_info": {}}


def test_a_total_may_be_beyond_all_reason(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.faults.add(Fault.huge_total())
    assert client.get().json()["page_info"]["total_results"] == 10**11


def test_any_bytes_may_be_the_answer(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.quirks.json_layout = "indented"
    hotmart.faults.add(Fault.body(b'\xff{"items":[]}'))
    hotmart.faults.add(Fault.body(b"teapot", 418, "text/plain"))
    first, second = client.get(), client.get()
    assert (first.status_code, first.content) == (200, b'\xff{"items":[]}')
    assert first.headers["Content-Type"].startswith("application/json")
    assert (second.status_code, second.text, second.headers["Content-Type"]) == (418, "teapot", "text/plain")


def test_a_row_may_be_anything(client: Client, hotmart: HotmartEmulator, codes: list[str]) -> None:
    for kind in ROW_EDITS:
        hotmart.faults.add(Fault.row(ROW_EDITS[kind]))
    found = {kind: client.get().content for kind in ROW_EDITS}
    assert hotmart.faults.pending == []
    assert b'[{"value":NaN,' in found["nan"]
    assert b'[{"value":1e999,' in found["beyond"]
    assert json.loads(found["surrogate"])["items"][0]["product"]["name"][0] == "\ud83d"
    with pytest.raises(UnicodeDecodeError):
        found["not_utf8"].decode()
    assert json.loads(found["unknown_key"])["items"][0]["new_in_2030"] == {"a": [1, None]}
    assert json.loads(found["no_object"])["items"][0] == "row"
    assert json.loads(found["null"])["items"][0] is None
    assert json.loads(found["users_no_list"])["items"][0]["users"] == {"role": "BUYER"}
    for kind in set(ROW_EDITS) - {"not_utf8", "no_object", "null"}:
        assert rows(json.loads(found[kind])) == codes[:4], kind


def test_one_row_alone_is_edited(client: Client, hotmart: HotmartEmulator, codes: list[str]) -> None:
    hotmart.faults.add(Fault.row(lambda text: text.replace(codes[2], "HP0"), at=2))
    hotmart.faults.add(Fault.row(lambda text: text.replace("HP", "XX"), at=4))
    assert rows(client.get().json()) == [*codes[:2], "HP0", codes[3]]
    assert rows(client.get().json()) == codes[:4]


def test_a_listing_may_have_no_end(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.faults.add(Fault.endless(), times=None, path="products")
    tokens: list[str] = []
    for _ in range(8):
        page = client.get(PRODUCTS, page_token=tokens[-1] if tokens else None).json()
        assert page["items"]
        tokens.append(page["page_info"]["next_page_token"])
    assert len(set(tokens)) == 8


def test_the_members_area_has_errors_of_its_own(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.faults.add(Fault.club_error())
    answer = client.get()
    assert (answer.status_code, answer.json()["code"]) == (404, "0006")
    assert "error" not in answer.json()
