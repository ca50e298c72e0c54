"""What requests says, turned into errors and log lines that hold no query."""

from __future__ import annotations

import logging
import socket
import ssl

import pytest
import requests
import urllib3
from requests import exceptions as failures

from airflow_provider_hotmart.api.answers import CutShortError
from airflow_provider_hotmart.api.errors import HotmartTransportError
from airflow_provider_hotmart.api.transport import UnknownHostError, failure_of, hide_queries_from_debug_logs

PATH = "/payments/api/v1/sales/users"
URL = f"https://sandbox.hotmart.com{PATH}?buyer_email=maria%40example.com"


def unresolved() -> failures.ConnectionError:
    """As requests raises it where a name has no address: nested, not chained."""
    pool = urllib3.HTTPSConnectionPool("sandbox.hotmart.com")
    reason = urllib3.exceptions.NameResolutionError("sandbox.hotmart.com", pool, socket.gaierror(-2, "unknown"))  # type: ignore[arg-type]
    return failures.ConnectionError(urllib3.exceptions.MaxRetryError(pool, URL, reason))


@pytest.mark.parametrize(
    ("problem", "kind", "told"),
    [
        (unresolved(), UnknownHostError, "The name sandbox.hotmart.com has no address"),
        (failures.ConnectionError(socket.gaierror(-2, "x")), UnknownHostError, "has no address"),
        (failures.ProxyError(URL), HotmartTransportError, "check the proxy settings"),
        (failures.SSLError(URL), HotmartTransportError, "certificate of sandbox.hotmart.com"),
        (failures.ConnectionError(ssl.SSLError(1, URL)), HotmartTransportError, "certificate of sandbox.hotmart.com"),
        (failures.ReadTimeout(URL), HotmartTransportError, "did not answer in time"),
        (failures.ConnectTimeout(URL), HotmartTransportError, "did not answer in time"),
        (failures.ChunkedEncodingError(URL), CutShortError, "was cut short"),
        (failures.ContentDecodingError(URL), CutShortError, "was cut short"),
        (
            failures.ConnectionError(urllib3.exceptions.ReadTimeoutError(None, URL, "x")),  # type: ignore[arg-type]
            HotmartTransportError,
            "stopped in the middle of its answer",
        ),
        (failures.ConnectionError(ConnectionResetError(104, URL)), HotmartTransportError, "No connection to"),
        (failures.InvalidURL(URL), HotmartTransportError, "No connection to"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_failure_says_what_to_do_and_shows_no_query(
    problem: requests.RequestException, kind: type[HotmartTransportError], told: str
) -> None:
    error = failure_of(problem, URL)
    assert type(error) is kind
    assert told in str(error)
    assert error.path == PATH
    assert "maria" not in str(error)
    assert error.__cause__ is error.__context__ is None


def test_exceptions_that_refer_to_each_other_come_to_an_end() -> None:
    one, other = failures.ConnectionError("one"), OSError("other")
    one.__cause__, other.__cause__ = other, one
    assert "No connection to" in str(failure_of(one, URL))


@pytest.mark.parametrize(
    "path", [PATH, "/products/api/v1/products", f"/proxy{PATH}", "https://proxy.example.com/products/api/v1/products"]
)
def test_urllib3_logs_requests_without_their_query(path: str, caplog: pytest.LogCaptureFixture) -> None:
    hide_queries_from_debug_logs()
    with caplog.at_level(logging.DEBUG, "urllib3"):
        logging.getLogger("urllib3.connectionpool").debug(
            '%s://%s:%s "%s %s %s" %s %s', "https", "host", 443, "GET", f"{path}?buyer_email=maria", "HTTP/1.1", 200, 1
        )
    assert f'"GET {path} HTTP/1.1" 200 1' in caplog.text
    assert "maria" not in caplog.text


def test_log_lines_of_others_stay_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    hide_queries_from_debug_logs()
    with caplog.at_level(logging.DEBUG, "urllib3"):
        logging.getLogger("urllib3.connectionpool").debug("%s and %d", "/other?x=1", 7)
        logging.getLogger("urllib3.connectionpool").debug("%(one)s", {"one": "/other?x=2"})
    assert "/other?x=1 and 7" in caplog.text
    assert "/other?x=2" in caplog.text


def test_hiding_queries_twice_is_hiding_them_once() -> None:
    hide_queries_from_debug_logs()
    before = list(logging.getLogger("urllib3.connectionpool").filters)
    hide_queries_from_debug_logs()
    assert logging.getLogger("urllib3.connectionpool").filters == before
