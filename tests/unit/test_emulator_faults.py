"""What goes wrong on demand, and the command line; over real sockets."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_hotmart.emulator import Clock, Fault, HotmartEmulator, Quirks
from airflow_provider_hotmart.emulator.__main__ import main, parser
from airflow_provider_hotmart.emulator.fault_specs import parse_fault
from airflow_provider_hotmart.emulator.faults import ROW_EDITS
from airflow_provider_hotmart.emulator.quirks import MEANINGS

NOW = datetime(2026, 3, 15, 12, 0, 20, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
PRODUCTS = "/products/api/v1/products"
SALES = "/payments/api/v1/sales/users"


class Client:
    """Asks an emulator for the same ten sales, page by page."""

    def __init__(self, hotmart: HotmartEmulator) -> None:
        self.hotmart = hotmart
        self.http = requests.Session()
        self.log_in()

    def log_in(self) -> None:
        answer = self.ask_token()
        self.token = answer.json()["access_token"]

    def ask_token(self) -> requests.Response:
        return self.http.post(
            self.hotmart.token_url,
            headers={"Authorization": self.hotmart.basic_token},
            data={"grant_type": "client_credentials"},
            timeout=10,
        )

    def get(self, path: str = SALES, **params: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.http.get(self.hotmart.url + path, params={"max_results": 4} | params, headers=headers, timeout=10)

    def pages(self) -> list[dict[str, Any]]:
        """All pages until one has no next token; not more than ten."""
        found: list[dict[str, Any]] = []
        token = None
        while len(found) < 10:
            found.append(self.get(page_token=token).json())
            token = found[-1]["page_info"].get("next_page_token")
            if not token:
                break
        return found


def rows(page: dict[str, Any]) -> list[str]:
    return [item["transaction"] for item in page["items"]]


@pytest.fixture
def hotmart() -> Iterator[HotmartEmulator]:
    with HotmartEmulator(sales=0, clock=Clock(frozen=NOW), rate_limit=None) as running:
        for hours in range(1, 11):
            running.add_sale(ordered_at=NOW - timedelta(hours=hours))
        yield running


@pytest.fixture
def client(hotmart: HotmartEmulator) -> Iterator[Client]:
    client = Client(hotmart)
    with client.http:
        yield client


@pytest.fixture
def codes(hotmart: HotmartEmulator) -> list[str]:
    """The ten sales in the order of the listing."""
    return [sale.transaction for sale in hotmart.sales]


# When a fault is played.


def test_a_fault_is_played_once_and_is_noted(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.faults.add(Fault.status(503))
    assert [fault.name for fault in hotmart.faults.pending] == ["status_503"]
    assert [client.get().status_code for _ in range(2)] == [503, 200]
    assert [call.fault for call in hotmart.calls] == ["status_503", None]
    assert [call.status for call in hotmart.calls] == [503, 200]
    assert hotmart.faults.pending == []


def test_a_fault_is_played_as_often_as_told(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.faults.add(Fault.status(500), times=2, after=1)
    assert [client.get().status_code for _ in range(4)] == [200, 500, 500, 200]
    hotmart.faults.add(Fault.status(500), times=None)
    assert [client.get().status_code for _ in range(4)] == [500] * 4
    hotmart.faults.clear()
    assert client.get().status_code == 200


def test_faults_queue_and_each_counts_all_calls(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.faults.add(Fault.status(500))
    hotmart.faults.add(Fault.status(502), after=1)
    hotmart.faults.add(Fault.status(503))
    assert [client.get().status_code for _ in range(4)] == [500, 502, 503, 200]


def test_a_fault_may_wait_for_a_path(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.faults.add(Fault.status(500), path="products")
    assert client.ask_token().status_code == 200
    assert [client.get(path).status_code for path in (SALES, PRODUCTS)] == [200, 500]


def test_a_fault_meets_the_token_only_when_its_path_is_named(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.faults.add(Fault.status(500))
    assert client.ask_token().status_code == 200
    hotmart.faults.add(Fault.status(502), path="/oauth/token")
    assert client.ask_token().status_code == 502
    assert client.get().status_code == 500


def test_a_fault_may_wait_for_a_page(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.faults.add(Fault.html(), page=2)
    first = client.get()
    second = client.get(page_token=first.json()["page_info"]["next_page_token"])
    assert first.json()["items"]
    assert second.text.startswith("<!DOCTYPE html>")


def test_a_fault_may_wait_for_the_last_page(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.faults.add(Fault.wrong_total(5), last_page=True)
    assert [page["page_info"]["total_results"] for page in client.pages()] == [10, 10, 15]


# What is played.


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (400, "invalid_parameter"),
        (401, "unauthorized"),
        (403, "unauthorized_client"),
        (404, "not_found"),
        (429, "too_many_requests"),
        (500, "internal_server_error"),
        (502, "internal_server_error"),
        (503, "internal_server_error"),
        (504, "internal_server_error"),
    ],
)
def test_an_error_status_has_hotmarts_body(client: Client, hotmart: HotmartEmulator, code: int, error: str) -> None:
    hotmart.faults.add(Fault.status(code))
    answer = client.get()
    assert (answer.status_code, answer.json()["error"]) == (code, error)


def test_an_error_status_may_have_another_body(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.faults.add(Fault.status(503, "html", headers={"Retry-After": "7"}))
    hotmart.faults.add(Fault.status(503, "empty"))
    hotmart.faults.add(Fault.status(400, error="invalid_token"))
    page, nothing, named = client.get(), client.get(), client.get()
    assert (page.headers["Retry-After"], page.text[:9]) == ("7", "<!DOCTYPE")
    assert (nothing.status_code, nothing.content) == (503, b"")
    assert named.json()["error"] == "invalid_token"


def test_a_429_says_that_nothing_is_left(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.faults.add(Fault.status(429))
    headers = client.get().headers
    assert (headers["RateLimit-Remaining"], headers["RateLimit-Reset"]) == ("0", "40")


def test_answers_that_are_no_objects(client: Client, hotmart: HotmartEmulator) -> None:
    for fault, body in [
        (Fault.empty(), b""),
        (Fault.not_object(), b"[]"),
        (Fault.not_object('"text"'), b'"text"'),
        (Fault.not_object("null"), b"null"),
    ]:
        hotmart.faults.add(fault)
        answer = client.get()
        assert (answer.status_code, answer.content) == (200, body)


def test_a_redirect_leads_to_a_page_for_people(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.faults.add(Fault.redirect())
    answer = client.get()
    assert [step.status_code for step in answer.history] == [302]
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    hotmart.faults.add(Fault.redirect("http://127.0.0.1:9/"))
    headers = {"Authorization": f"Bearer {client.token}"}
    moved = client.http.get(hotmart.url + SALES, headers=headers, allow_redirects=False, timeout=10)
    assert moved.headers["Location"] == "http://127.0.0.1:9/"


@pytest.mark.parametrize("chunked", [False, True])
def test_an_answer_may_end_too_soon(client: Client, hotmart: HotmartEmulator, chunked: bool) -> None:
    hotmart.faults.add(Fault.cut_short(chunked=chunked))
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        client.get()
    assert client.get().status_code == 200


def test_json_may_end_too_soon(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.faults.add(Fault.truncated_json())
    answer = client.get()
    assert len(answer.content) == int(answer.headers["Content-Length"]) > 100
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


def test_a_connection_may_be_reset(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.faults.add(Fault.reset())
    with socket.create_connection(("127.0.0.1", int(hotmart.url.rpartition(":")[2])), timeout=10) as raw:
        raw.sendall(f"GET {SALES} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        with pytest.raises(ConnectionResetError):
            raw.recv(1)
    assert hotmart.calls[-1].status == 0
    assert client.get().status_code == 200


def test_a_stalled_answer_comes_in_the_end(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.faults.add(Fault.stall(0.2))
    began = time.monotonic()
    assert client.get().status_code == 200
    assert time.monotonic() - began >= 0.2


def test_stopping_does_not_wait_for_a_stalled_answer(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.faults.add(Fault.stall(3600))
    failed: list[Exception] = []

    def ask() -> None:
        try:
            client.get()
        except requests.exceptions.ConnectionError as problem:
            failed.append(problem)

    asking = threading.Thread(target=ask)
    asking.start()
    deadline = time.monotonic() + 10
    while hotmart.faults.pending and time.monotonic() < deadline:
        time.sleep(0.01)
    began = time.monotonic()
    hotmart.stop()
    asking.join(10)
    assert not asking.is_alive()
    assert time.monotonic() - began < 2
    assert len(failed) == 1
    serving = [thread for thread in threading.enumerate() if thread.name == "hotmart-emulator-connection"]
    for thread in serving:
        thread.join(2)
    assert not any(thread.is_alive() for thread in serving)


def test_a_token_may_expire_in_the_middle_of_a_listing(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.faults.add(Fault.expired_token())
    answers = [client.get(), client.get()]
    assert [(answer.status_code, answer.json()["error"]) for answer in answers] == [(401, "token_expired")] * 2
    client.log_in()
    assert client.get().status_code == 200


def test_only_the_token_that_was_used_expires(client: Client, hotmart: HotmartEmulator) -> None:
    other = Client(hotmart)
    with other.http:
        hotmart.faults.add(Fault.expired_token())
        client.get()
        assert other.get().status_code == 200
        hotmart.faults.add(Fault.expired_token())
        assert requests.get(hotmart.url + SALES, timeout=10).status_code == 401
        assert other.get().status_code == 200


def test_a_token_may_be_called_invalid_once(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.faults.add(Fault.invalid_token())
    refused = client.get()
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")
    assert client.get().status_code == 200


def test_a_page_token_may_repeat(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.faults.add(Fault.repeated_token(), page=2)
    token = client.get().json()["page_info"]["next_page_token"]
    second = client.get(page_token=token).json()
    assert second["page_info"]["next_page_token"] == token
    hotmart.faults.add(Fault.repeated_token(first=True), page=2)
    token = client.get(page_token=token).json()["page_info"]["next_page_token"]
    assert rows(client.get(page_token=token).json()) == rows(client.get().json())


@pytest.mark.parametrize("page", [1, 2, 3])
def test_an_empty_page_may_come_before_the_true_one(
    client: Client, hotmart: HotmartEmulator, codes: list[str], page: int
) -> None:
    hotmart.quirks.empty_shape = "object"
    hotmart.faults.add(Fault.empty_page(), page=page, times=2)
    pages = client.pages()
    assert len(pages) == 5
    assert [rows(pages[page - 1]), rows(pages[page])] == [[], []]
    assert [code for one in pages for code in rows(one)] == codes
    tokens = [one["page_info"].get("next_page_token") for one in pages]
    assert len(set(tokens)) == 5


def test_rows_may_come_twice(client: Client, hotmart: HotmartEmulator, codes: list[str]) -> None:
    hotmart.faults.add(Fault.shift(1), page=2)
    pages = client.pages()
    assert [rows(page) for page in pages] == [codes[:4], codes[3:7], codes[8:]]
    assert [page["page_info"]["total_results"] for page in pages] == [10, 11, 10]


def test_rows_may_be_skipped(client: Client, hotmart: HotmartEmulator, codes: list[str]) -> None:
    hotmart.faults.add(Fault.shift(-1), page=2, times=None)
    hotmart.faults.add(Fault.shift(-1), page=3)
    pages = client.pages()
    assert [rows(page) for page in pages] == [codes[:4], codes[5:9], codes[9:]]
    assert [page["page_info"]["total_results"] for page in pages] == [10, 9, 9]


def test_a_shift_may_leave_the_number_of_rows_alone(client: Client, hotmart: HotmartEmulator, codes: list[str]) -> None:
    hotmart.faults.add(Fault.shift(-1, same_total=True), page=2)
    pages = client.pages()
    assert rows(pages[1]) == codes[5:9]
    assert [page["page_info"]["total_results"] for page in pages] == [10, 10, 10]


def test_products_shift_too(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.faults.add(Fault.shift(1), path="products", page=2)
    token = client.get(PRODUCTS).json()["page_info"]["next_page_token"]
    assert client.get(PRODUCTS, page_token=token).json()["items"] == hotmart.products[3:7]


def test_items_may_be_no_list(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.faults.add(Fault.garbled_items())
    assert isinstance(client.get().json()["items"], dict)


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


# HTTP.


def test_a_connection_serves_many_calls(client: Client, hotmart: HotmartEmulator) -> None:
    port = int(hotmart.url.rpartition(":")[2])
    call = f"GET {SALES} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        for _ in range(3):
            raw.sendall(call)
            assert raw.recv(65_536).startswith(b"HTTP/1.1 401 Unauthorized\r\n")
        raw.sendall(call.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        answer = b""
        while part := raw.recv(65_536):
            answer += part
    assert b"Connection: close" in answer


@pytest.mark.parametrize("text", [b"hello\r\n\r\n", b"GET / HTTP/1.1\r\nnonsense\r\n\r\n"])
def test_what_is_no_http_is_answered_400(hotmart: HotmartEmulator, text: bytes) -> None:
    port = int(hotmart.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        raw.sendall(text)
        assert raw.recv(65_536).startswith(b"HTTP/1.1 400 ")


def test_an_emulator_can_go_down_and_come_back(client: Client, hotmart: HotmartEmulator) -> None:
    url = hotmart.url
    hotmart.stop()
    with pytest.raises(requests.exceptions.ConnectionError):
        client.get()
    hotmart.start()
    assert hotmart.url == url
    assert client.get().status_code == 200


def test_an_emulator_has_no_address_before_its_start() -> None:
    with pytest.raises(RuntimeError, match="before it is started"):
        HotmartEmulator(sales=0).url  # noqa: B018


def test_latency_comes_before_each_answer(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.latency = 0.1
    began = time.monotonic()
    client.get()
    assert time.monotonic() - began >= 0.1


# The command line.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_line_serves_until_it_is_stopped(number: signal.Signals) -> None:
    command = [
        sys.executable, "-m", "airflow_provider_hotmart.emulator", "--port", "0", "--sales", "40", "--speed", "3600",
        "--now", "2026-03-15", "--quirk", "several_values=comma", "--fault", "status:503@page=1",
    ]  # fmt: skip
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    try:
        shown = ""
        for line in running.stdout:
            shown += line
            if line.startswith("export"):
                break
        found = re.search("AIRFLOW_CONN_HOTMART_DEFAULT='(.*)'", shown)
        assert found
        connection = json.loads(found[1])
        assert connection["conn_type"] == "hotmart"
        assert f"Hotmart emulator: {connection['host']}" in shown
        token = requests.post(
            connection["extra"]["token_url"],
            auth=(connection["login"], connection["password"]),
            data={"grant_type": "client_credentials"},
            timeout=10,
        ).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        answers = [requests.get(connection["host"] + SALES, headers=headers, timeout=10) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [503, 200]
        running.send_signal(number)
        assert running.wait(10) == 0
    finally:
        running.kill()
        running.wait()
        running.stdout.close()


def test_the_help_names_every_quirk_and_every_fault(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert set(MEANINGS) - set(Quirks.choices()) == {"too_wide", "max_page_size"}
    assert "  too_wide=DAYS\n" in shown
    assert "  max_page_size=N\n" in shown
    for name, values in Quirks.choices().items():
        assert f"{name}={' | '.join(str(value).lower() for value in values)}" in shown
    makers = [name for name, value in vars(Fault).items() if isinstance(value, classmethod)]
    assert len(makers) == 22
    assert all(re.search(rf"^  {name}\b", shown, re.MULTILINE) for name in makers)


@pytest.mark.parametrize(
    ("text", "name", "when"),
    [
        ("status:503:html@page=2,times=3", "status_503", {"page": 2, "times": 3}),
        ("stall:1.5@path=/products", "stall", {"path": "/products"}),
        ("shift:-1@last_page,after=4", "shift", {"last_page": True, "after": 4}),
        ("cut_short:chunked@times=always", "cut_short", {"times": None}),
        ("empty", "empty", {}),
        ("row:nan:2", "row", {}),
        ("body:nonsense:418@page=2", "body", {"page": 2}),
    ],
)
def test_a_fault_can_be_written_in_words(text: str, name: str, when: dict[str, Any]) -> None:
    spec = parse_fault(text)
    assert (spec.fault.name, spec.when) == (name, when)


@pytest.mark.parametrize(
    "text", ["flood", "status", "status:x", "stall", "empty:1", "empty@page=x", "empty@moon=1", "row:x"]
)
def test_a_fault_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no such fault|is not|not a condition"):
        parse_fault(text)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--quirk", "order=random"],
        ["--quirk", "max_page_size=0"],
        ["--quirk", "colour=red"],
        ["--fault", "flood"],
        ["--now", "yesterday"],
    ],
)
def test_a_wrong_option_is_explained(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(arguments)
    assert ended.value.code == 2
    assert arguments[1].partition("=")[2] in capsys.readouterr().err


def test_a_port_in_use_is_explained(hotmart: HotmartEmulator, capsys: pytest.CaptureFixture[str]) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert main(["--port", hotmart.url.rpartition(":")[2], "--sales", "0"]) == 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert "cannot be opened" in capsys.readouterr().err


def test_nothing_is_left_open(hotmart: HotmartEmulator) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(5):
        with HotmartEmulator(sales=0) as short:
            client = Client(short)
            with client.http:
                client.get()
    deadline = time.monotonic() + 10
    while len(os.listdir("/proc/self/fd")) > before and time.monotonic() < deadline:  # noqa: PTH208
        time.sleep(0.01)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
