"""HTTP over real sockets: bodies within bounds, failures that say what to do, logs that hold no query."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hotmart.api import http
from airflow_provider_hotmart.api.errors import (
    HotmartConfigError,
    HotmartError,
    HotmartResponseError,
    HotmartTransportError,
    HotmartUnknownHostError,
)
from airflow_provider_hotmart.api.http import HttpSession, Response
from airflow_provider_hotmart.api.query_logs import hide_queries_from_debug_logs
from airflow_provider_hotmart.emulator import Fault, Quirks
from airflow_provider_hotmart.emulator.service.answers import Answer
from airflow_provider_hotmart.emulator.service.faults import Delivery
from airflow_provider_hotmart.emulator.service.server import Reply
from tests.support import refusing_port, serving

PATH = "/payments/api/v1/sales/users"
SECRET_QUERY = {"buyer_email": "maria@example.com"}
BODY = b'{"items":[],"page_info":{}}'


@pytest.fixture
def session() -> Iterator[HttpSession]:
    one = HttpSession(4)
    yield one
    one.close()


class RawServer:
    """
    Answers each request with bytes, whatever they say.

    :param answers: one for each request, the last for all that follow; None: the connection is closed.
    :param then: what becomes of the connection after an answer: "next" call, "silence", or "close".
    """

    def __init__(self, *answers: bytes | None, then: str = "next") -> None:
        self._answers = list(answers)
        self._then = then
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.connections = 0
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            with connection.makefile("rb") as stream:
                while stream.readline().startswith(b"GET"):
                    while stream.readline() not in (b"\r\n", b""):
                        pass
                    answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                    if answer is None:
                        break
                    connection.sendall(answer)
                    if self._then != "next":
                        break
            if self._then != "silence":
                connection.close()


def get(session: HttpSession, url: str, timeout: float = 20.0, **content: Any) -> Response:
    """Send a request whose query is nobody's business."""
    return session.send("GET", url + PATH, "Bearer s3cret", timeout, params=SECRET_QUERY, **content)


def failure(session: HttpSession, url: str, **more: Any) -> HotmartError:
    """How a request fails; it must show neither query nor secret, also not by what it was raised from."""
    with pytest.raises(HotmartError) as caught:
        get(session, url, **more)
    error = caught.value
    assert "maria" not in str(error)
    assert "s3cret" not in str(error)
    assert error.__cause__ is error.__context__ is None
    assert error.path == PATH
    return error


@contextmanager
def answered(answer: Answer, **how: Any) -> Iterator[str]:
    """A server that always gives one answer."""
    with serving(lambda _: Reply(Answer(answer.status, answer.body, headers=dict(answer.headers)), **how)) as url:
        yield url


class TestAnswers:
    @pytest.mark.parametrize("status", [200, 202, 400, 429, 503])
    def test_an_answer_is_its_status_headers_and_bytes(self, session: HttpSession, status: int) -> None:
        with answered(Answer(status, BODY, headers={"RateLimit-Remaining": "7"})) as url:
            response = get(session, url)
        assert (response.status, response.body, response.headers["ratelimit-remaining"]) == (status, BODY, "7")

    @pytest.mark.parametrize("body", [b"", BODY, BODY * 10_000], ids=len)
    def test_a_gzipped_body_is_unpacked(self, session: HttpSession, body: bytes) -> None:
        with answered(Answer(200, body), gzip=True) as url:
            assert get(session, url).body == body

    def test_a_body_in_chunks_is_read_to_its_end(self, session: HttpSession) -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        with closing(RawServer(head + b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")) as server:
            assert [get(session, server.url).body for _ in range(3)] == [b"abcdefg"] * 3
        assert server.connections == 1

    def test_a_body_of_untold_length_ends_with_the_connection(self, session: HttpSession) -> None:
        with closing(RawServer(b"HTTP/1.1 200 OK\r\n\r\nabc", then="close")) as server:
            assert get(session, server.url).body == b"abc"

    def test_a_length_that_is_no_number_says_nothing(self, session: HttpSession) -> None:
        with closing(RawServer(b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\nabc", then="close")) as server:
            assert get(session, server.url).body == b"abc"

    def test_a_connection_serves_one_call_after_the_other(self, session: HttpSession) -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        with closing(RawServer(answer)) as server:
            for _ in range(5):
                get(session, server.url)
        assert server.connections == 1

    def test_a_redirect_is_an_answer_like_others(self, session: HttpSession) -> None:
        with answered(Answer(302, b"", headers={"Location": "https://example.com/"})) as url:
            assert get(session, url).status == 302


class TestBounds:
    def test_a_gzip_bomb_does_not_become_a_gigabyte_in_memory(self, session: HttpSession) -> None:
        edit = Fault.gzip_bomb().edit
        assert edit is not None
        bomb = edit(Answer(200), Quirks())
        assert len(bomb.body) < 1_000_000
        with answered(bomb) as url:
            tracemalloc.start()
            try:
                error = failure(session, url)
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert type(error) is HotmartResponseError
        assert "more than 64 MB" in str(error)
        assert peak < 3 * http.MAX_BODY

    @pytest.mark.parametrize("packed", [False, True])
    def test_a_body_longer_than_any_page_is_refused_and_one_of_that_length_is_not(
        self, session: HttpSession, monkeypatch: pytest.MonkeyPatch, packed: bool
    ) -> None:
        monkeypatch.setattr(http, "MAX_BODY", 1000)
        with answered(Answer(200, b"x" * 1000), gzip=packed) as url:
            assert len(get(session, url).body) == 1000
        with answered(Answer(200, b"x" * 1001), gzip=packed) as url:
            assert type(failure(session, url)) is HotmartResponseError

    def test_a_body_without_end_is_refused(self, session: HttpSession, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(http, "MAX_BODY", 1000)
        chunk = b"ff\r\n" + b"x" * 255 + b"\r\n"
        answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 100
        with closing(RawServer(answer, then="silence")) as server:
            assert type(failure(session, server.url)) is HotmartResponseError


class TestFailures:
    @pytest.mark.parametrize("delivery", [Delivery.CUT, Delivery.CUT_CHUNKED])
    @pytest.mark.parametrize("packed", [False, True])
    def test_a_body_cut_short_is_no_answer(self, session: HttpSession, delivery: Delivery, packed: bool) -> None:
        with answered(Answer(200, BODY * 100), delivery=delivery, gzip=packed) as url:
            error = failure(session, url)
        assert type(error) is HotmartTransportError
        assert "was cut short" in str(error)
        assert error.retryable

    @pytest.mark.parametrize(
        "body", [gzip.compress(BODY)[:-1], gzip.compress(BODY)[:20], BODY, b"\x1f\x8b" + b"\0" * 30], ids=len
    )
    def test_a_gzipped_body_that_is_broken_or_none_is_no_answer(self, session: HttpSession, body: bytes) -> None:
        with answered(Answer(200, body, headers={"Content-Encoding": "gzip"})) as url:
            assert "was cut short" in str(failure(session, url))

    def test_a_connection_that_is_refused_names_host_port_and_reason(self, session: HttpSession) -> None:
        with refusing_port() as port:
            error = failure(session, f"http://127.0.0.1:{port}")
        assert type(error) is HotmartTransportError
        assert f"Connection to 127.0.0.1:{port} refused" in str(error)

    def test_a_connection_that_is_torn_down_is_lost(self, session: HttpSession) -> None:
        with answered(Answer(200, BODY), delivery=Delivery.RESET) as url:
            assert f"Connection to {url.partition('://')[2]} lost" in str(failure(session, url))

    def test_a_connection_that_is_closed_in_place_of_an_answer_is_lost(self, session: HttpSession) -> None:
        with closing(RawServer(None)) as server:
            assert f"Connection to {server.url.partition('://')[2]} lost" in str(failure(session, server.url))

    def test_silence_times_out(self, session: HttpSession) -> None:
        with answered(Answer(200, BODY), silence=30.0) as url:
            error = failure(session, url, timeout=0.2)
        assert type(error) is HotmartTransportError
        assert f"{url.partition('://')[2]} timed out" in str(error)
        assert "raise timeout" in str(error)

    def test_hotmart_may_take_longer_than_a_connection_may(
        self, session: HttpSession, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(http, "CONNECT_TIMEOUT", 0.1)
        with answered(Answer(200, BODY), silence=0.4) as url:
            assert get(session, url).body == BODY

    def test_a_header_that_cannot_be_sent_does_not_show(self, session: HttpSession) -> None:
        with answered(Answer(200, BODY)) as url, pytest.raises(HotmartTransportError) as caught:
            session.send("GET", url + PATH, "Bearer s3cret\nX: 1", 20.0)
        assert "s3cret" not in str(caught.value)
        assert caught.value.__cause__ is caught.value.__context__ is None

    def test_silence_in_the_middle_of_a_body_times_out_too(self, session: HttpSession) -> None:
        with closing(RawServer(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", then="silence")) as server:
            assert "timed out" in str(failure(session, server.url, timeout=0.2))

    def test_a_name_without_an_address_is_not_known(self, session: HttpSession) -> None:
        error = failure(session, "https://hotmart.invalid")
        assert type(error) is HotmartUnknownHostError
        assert "The name hotmart.invalid is not known to the network" in str(error)

    @pytest.mark.parametrize(
        "url", ["https://a..b", "https://.example.com", "http://" + "a" * 64 + ".example.com", "http://ã..b"]
    )
    def test_what_is_no_address_is_a_typed_error(self, session: HttpSession, url: str) -> None:
        error = failure(session, url)
        assert type(error) is HotmartConfigError
        assert "is no address: correct host of the connection" in str(error)

    @pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
    def test_a_ca_bundle_that_does_not_exist_is_named_as_the_cause(
        self, session: HttpSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
    ) -> None:
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(variable, str(tmp_path / "company.pem"))
        error = failure(session, "https://127.0.0.1:1")
        assert type(error) is HotmartConfigError
        assert "file of CA certificates does not exist: correct REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE" in str(error)

    def test_a_ca_bundle_that_is_none_is_a_typed_error(
        self, session: HttpSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "company.pem").write_text("no certificate")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "company.pem"))
        assert isinstance(failure(session, "https://127.0.0.1:1"), HotmartTransportError)

    def test_a_server_that_speaks_no_tls_is_named_with_its_port(self, session: HttpSession) -> None:
        with answered(Answer(200, BODY)) as url:
            error = failure(session, url.replace("http:", "https:"))
        assert f"TLS with {url.partition('://')[2]} failed: check the clock" in str(error)

    @pytest.mark.parametrize(
        "answer",
        [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n"],
    )
    def test_a_server_that_speaks_no_http_is_a_typed_error(self, session: HttpSession, answer: bytes) -> None:
        with closing(RawServer(answer)) as server:
            assert isinstance(failure(session, server.url), HotmartTransportError)


class TestProxy:
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    def test_loopback_never_goes_through_a_proxy(
        self, session: HttpSession, monkeypatch: pytest.MonkeyPatch, host: str
    ) -> None:
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        with refusing_port() as port, answered(Answer(200, BODY)) as url:
            for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
            assert get(session, url.replace("127.0.0.1", host)).body == BODY

    def test_other_hosts_do(self, session: HttpSession, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        with refusing_port() as port:
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
            error = failure(session, "http://hotmart.invalid")
        assert "The proxy did not connect to hotmart.invalid:80: check the proxy settings" in str(error)

    @pytest.mark.parametrize("address", ["http:///proxy", "http://", "ftp://proxy.example.com:1"])
    def test_a_proxy_whose_address_cannot_be_used_is_a_matter_of_settings(
        self, session: HttpSession, monkeypatch: pytest.MonkeyPatch, address: str
    ) -> None:
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("https_proxy", address)
        error = failure(session, "https://hotmart.invalid")
        assert type(error) is HotmartConfigError
        assert "correct HTTP_PROXY or HTTPS_PROXY" in str(error)


class TestAbort:
    def test_calls_under_way_are_broken_off_at_once_and_no_other_begins(self, session: HttpSession) -> None:
        arrived = threading.Semaphore(0)

        def silent(_: object) -> Reply:
            arrived.release()
            return Reply(Answer(200, BODY), silence=60.0)

        with serving(silent) as url, ThreadPoolExecutor(3) as pool:
            calls = [pool.submit(get, session, url) for _ in range(3)]
            for _ in calls:
                assert arrived.acquire(timeout=20)
            began = time.monotonic()
            session.abort()
            assert all(isinstance(call.exception(20), HotmartTransportError) for call in calls)
            assert isinstance(failure(session, url), HotmartTransportError)
            assert time.monotonic() - began < 15

    def test_a_body_that_is_being_read_is_broken_off(self, session: HttpSession) -> None:
        with closing(RawServer(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", then="silence")) as server:
            threading.Timer(0.3, session.abort).start()
            began = time.monotonic()
            assert isinstance(failure(session, server.url), HotmartTransportError)
            assert time.monotonic() - began < 15

    def test_aborting_twice_or_without_any_call_does_no_harm(self, session: HttpSession) -> None:
        session.abort()
        session.abort()


class TestLogs:
    @pytest.mark.parametrize(
        "path",
        [PATH, "/products/api/v1/products", f"/proxy{PATH}", "https://proxy.example.com/products/api/v1/products"],
    )
    def test_urllib3_logs_requests_without_their_query(self, path: str, caplog: pytest.LogCaptureFixture) -> None:
        hide_queries_from_debug_logs()
        line = '%s://%s:%s "%s %s %s" %s %s'
        with caplog.at_level(logging.DEBUG, "urllib3"):
            logging.getLogger("urllib3.connectionpool").debug(
                line, "https", "host", 443, "GET", f"{path}?buyer_email=maria", "HTTP/1.1", 200, 1
            )
        assert f'"GET {path} HTTP/1.1" 200 1' in caplog.text
        assert "maria" not in caplog.text

    def test_a_session_logs_no_query_and_no_secret(
        self, session: HttpSession, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG), answered(Answer(200, BODY)) as url:
            get(session, url)
        assert PATH in caplog.text
        assert "maria" not in caplog.text
        assert "s3cret" not in caplog.text

    def test_log_lines_of_others_stay_as_they_are(self, caplog: pytest.LogCaptureFixture) -> None:
        hide_queries_from_debug_logs()
        with caplog.at_level(logging.DEBUG, "urllib3"):
            logging.getLogger("urllib3.connectionpool").debug("%s and %d", "/other?x=1", 7)
            logging.getLogger("urllib3.connectionpool").debug("%(one)s", {"one": "/other?x=2"})
        assert "/other?x=1 and 7" in caplog.text
        assert "/other?x=2" in caplog.text

    def test_hiding_queries_twice_is_hiding_them_once(self) -> None:
        hide_queries_from_debug_logs()
        before = list(logging.getLogger("urllib3.connectionpool").filters)
        hide_queries_from_debug_logs()
        assert logging.getLogger("urllib3.connectionpool").filters == before
