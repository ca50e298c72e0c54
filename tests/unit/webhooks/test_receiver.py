"""The receiver takes what Hotmart sends, refuses the rest in bounded work, and says nothing of either in a log."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_hotmart.webhooks import receiver as module
from airflow_provider_hotmart.webhooks.delivery import Delivery
from airflow_provider_hotmart.webhooks.receiver import MAX_BODY_SIZE, MAX_WRONG_TOKENS, Receiver

uvicorn = pytest.importorskip("uvicorn", reason="Airflow 3 brings the server that it runs in")

TOKEN = "the-token-of-this-account"
PATH = "/hotmart/webhooks/hotmart_default"
BODY = {
    "id": "00000000-0000-4000-8000-0000000000aa",
    "creation_date": 1767225609123,
    "event": "PURCHASE_APPROVED",
    "version": "2.0.0",
    "data": {
        "product": {"id": 4060001},
        "buyer": {"name": "Maria Exemplo", "email": "buyer@example.com"},
        "purchase": {"transaction": "HP2890000001", "status": "APPROVED"},
    },
}


class Desk:
    """Where deliveries end up."""

    def __init__(self) -> None:
        self.tokens: dict[str, str | None] = {"hotmart_default": TOKEN, "without": None}
        self.looked_up = 0
        self.accepted: list[tuple[str, Delivery, bytes]] = []
        self.problem: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        #: Deliveries that came to the gate.
        self.arrived = threading.Semaphore(0)

    def find_token(self, conn_id: str) -> str | None:
        self.looked_up += 1
        if self.problem is not None:
            raise self.problem
        return self.tokens[conn_id]

    def accept(self, conn_id: str, delivery: Delivery, body: bytes) -> bool:
        self.arrived.release()
        self.gate.wait(30)
        if self.problem is not None:
            raise self.problem
        self.accepted.append((conn_id, delivery, body))
        return len(self.accepted) == 1


@contextmanager
def served(desk: Desk) -> Iterator[int]:
    """Serve a receiver on a port of its own."""
    receiver = Receiver(desk.tokens, desk.find_token, desk.accept)
    config = uvicorn.Config(receiver, port=0, lifespan="off", access_log=False, log_config=None, timeout_keep_alive=300)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        desk.gate.set()
        server.should_exit = True
        thread.join()


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def port(desk: Desk) -> Iterator[int]:
    with served(desk) as port:
        yield port


def post(
    port: int, body: Any = BODY, token: str | None = TOKEN, path: str = PATH, method: str = "POST"
) -> tuple[int, dict[str, Any], http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {} if token is None else {"X-Hotmart-Hottok": token}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        connection.request(method, path, content, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.headers
    finally:
        connection.close()


def test_a_delivery_is_answered_when_it_is_stored(desk: Desk, port: int) -> None:
    assert post(port)[:2] == (200, {"status": "stored"})
    assert post(port)[:2] == (200, {"status": "duplicate"})
    [(conn_id, delivery, body), _] = desk.accepted
    assert (conn_id, delivery.transaction, json.loads(body)) == ("hotmart_default", "HP2890000001", BODY)


@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN + "x", TOKEN[:-1], "ä"])
def test_whoever_does_not_know_the_token_is_refused(desk: Desk, port: int, token: str | None) -> None:
    assert post(port, token=token)[0] == 401
    assert desk.accepted == []


def test_the_token_in_the_body_alone_is_not_enough_and_is_not_kept(desk: Desk, port: int) -> None:
    assert post(port, BODY | {"hottok": TOKEN}, token=None)[0] == 401
    assert post(port, BODY | {"hottok": TOKEN})[0] == 200
    assert TOKEN.encode() not in desk.accepted[0][2]
    assert b"Maria Exemplo" in desk.accepted[0][2]


def test_a_connection_without_a_token_refuses_everything_and_says_so(
    desk: Desk, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    for token in (None, "", "None"):
        assert post(port, token=token, path="/hotmart/webhooks/without")[0] == 401
    assert "the connection has no hottok" in caplog.text


@pytest.mark.parametrize("path", ["/", "/hotmart", "/hotmart/webhooks/", "/hotmart/webhooks/other", f"{PATH}/x"])
def test_there_is_nothing_elsewhere(desk: Desk, port: int, path: str) -> None:
    assert post(port, path=path)[0] == 404
    assert desk.looked_up == 0


def test_only_posting_is_answered(port: int) -> None:
    assert {post(port, method=method)[0] for method in ("GET", "PUT", "DELETE", "PATCH")} == {405}


def test_wrong_tokens_are_limited_and_do_not_keep_hotmart_out(
    desk: Desk, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    statuses = [post(port, token=f"guess {n}")[0] for n in range(MAX_WRONG_TOKENS + 5)]
    assert statuses == [401] * MAX_WRONG_TOKENS + [429] * 5
    assert 0 < int(post(port, token="guess")[2]["Retry-After"]) <= 61
    assert len([line for line in caplog.messages if "refused" in line]) == MAX_WRONG_TOKENS
    assert post(port)[0] == 200
    assert desk.looked_up == 1


def test_a_large_body_is_refused_however_it_comes(desk: Desk, port: int) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nX-HOTMART-HOTTOK: {TOKEN}\r\n"
    # Whoever announces it is answered before anything of it is read: sending it would meet a closed connection.
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(f"{head}Content-Length: {MAX_BODY_SIZE + 1}\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413")
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for size in (*[10_000] * (MAX_BODY_SIZE // 10_000), 1):
            connection.sendall(f"{size:x}\r\n{' ' * size}\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413")
    assert desk.accepted == []


def test_a_body_that_does_not_come_is_given_up(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BODY_TIMEOUT", 0.2)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nX-HOTMART-HOTTOK: {TOKEN}\r\nContent-Length: 100\r\n\r\n"
        connection.sendall(head.encode() + b"{")
        assert connection.recv(100).startswith(b"HTTP/1.1 408")


def test_what_cannot_be_stored_is_asked_for_again(desk: Desk, port: int, caplog: pytest.LogCaptureFixture) -> None:
    assert post(port)[0] == 200
    desk.problem = RuntimeError("the database is away\nand more of it")
    status, _, headers = post(port)
    assert (status, headers["Retry-After"]) == (503, "60")
    assert "RuntimeError: the database is away" in caplog.text
    assert "and more of it" not in caplog.text


def test_where_the_token_cannot_be_looked_up_the_delivery_is_asked_for_again(
    desk: Desk, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.problem = RuntimeError("the secrets are away")
    assert [post(port)[0] for _ in range(5)] == [503] * 5
    assert desk.looked_up == 1, "strangers must not cause a look-up each"
    with served(desk) as another:
        monkeypatch.setattr(module, "FAILURE_LIFETIME", 0.0)
        assert post(another)[0] == 503
        desk.problem = None
        assert post(another)[0] == 200


def test_more_than_so_many_at_once_are_not_even_read(desk: Desk, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PENDING", 3)
    desk.gate.clear()
    waiting = [threading.Thread(target=post, args=(port,)) for _ in range(3)]
    for thread in waiting:
        thread.start()
    for _ in waiting:
        assert desk.arrived.acquire(timeout=25)
    assert post(port, token="wrong")[0] == 503
    desk.gate.set()
    for thread in waiting:
        thread.join()
    assert post(port)[0] == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
PURCHASE = st.dictionaries(st.sampled_from(["transaction", "status", "recurrence_number", "payment"]), JSON)
DATA = st.fixed_dictionaries({}, optional={"purchase": PURCHASE | JSON, "product": JSON, "buyer": JSON})
ENVELOPES = st.fixed_dictionaries(
    {"version": st.just("2.0.0") | JSON},
    optional={"id": JSON, "event": JSON, "creation_date": JSON, "creationDate": JSON, "data": DATA | JSON},
)
BODIES = st.binary(max_size=200) | ENVELOPES.map(lambda value: json.dumps(value).encode()) | JSON.map(
    lambda value: json.dumps(value).encode()
)  # fmt: skip
HEADER_VALUES = st.sampled_from([TOKEN, TOKEN, TOKEN, "wrong", ""]) | st.text(
    st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f"), max_size=40
)
SECRET_NAME = "Pessoa-Muito-Secreta"


@pytest.mark.slow
def test_nothing_that_is_sent_makes_it_fail_or_shows_in_a_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    desk = Desk()
    met: set[int] = set()
    with served(desk) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

        @settings(max_examples=10_000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(BODIES, HEADER_VALUES, st.sampled_from([PATH, PATH, f"{PATH}/", "/hotmart/webhooks/%00", "/x"]))
        def send(body: bytes, token: str, path: str) -> None:
            marked = body.replace(b'"version": "2.0.0"', b'"version": "2.0.0", "name": "%s"' % SECRET_NAME.encode())
            headers = {"X-HOTMART-HOTTOK": token.encode("latin-1").strip()}
            connection.request("POST", path, marked, headers)
            answer = connection.getresponse()
            content = answer.read()
            met.add(answer.status)
            assert answer.status < 500, (body, token, path)
            assert json.loads(content)

        send()
        connection.close()
    assert met == {200, 400, 401, 404, 429}
    assert len(desk.accepted) > 500
    assert TOKEN not in caplog.text
    assert SECRET_NAME not in caplog.text
