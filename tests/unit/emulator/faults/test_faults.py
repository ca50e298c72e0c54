"""What goes wrong on demand."""

from __future__ import annotations

import socket
import threading
import time

import pytest
import requests

from airflow_provider_hotmart.emulator import Fault, HotmartEmulator
from tests.unit.emulator.support import PRODUCTS, SALES, Client, rows


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
    deadline = time.monotonic() + 60
    while hotmart.faults.pending and time.monotonic() < deadline:
        time.sleep(0.01)
    began = time.monotonic()
    hotmart.stop()
    asking.join(60)
    assert not asking.is_alive()
    assert time.monotonic() - began < 30
    assert len(failed) == 1
    serving = [thread for thread in threading.enumerate() if thread.name == "hotmart-emulator-connection"]
    for thread in serving:
        thread.join(60)
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
