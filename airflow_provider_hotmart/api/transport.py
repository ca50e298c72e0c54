"""What requests and urllib3 say, turned into errors and log lines that hold no query."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import requests

from airflow_provider_hotmart.api.answers import CutShortError
from airflow_provider_hotmart.api.endpoints import PRODUCTS, SALES_PARTICIPANTS
from airflow_provider_hotmart.api.errors import HotmartTransportError


class UnknownHostError(HotmartTransportError):
    """The name of the host has no address."""


def failure_of(problem: requests.RequestException, url: str) -> HotmartTransportError:
    """
    Turn an exception of requests into one that says what to do and shows no query.

    :param problem: what requests raised; its text holds the whole URL, filters included.
    :param url: of the request.
    """
    parts = urlsplit(url)
    host, path = parts.hostname, parts.path
    causes = list(_causes(problem))
    if any(isinstance(cause, socket.gaierror) or "NameResolution" in type(cause).__name__ for cause in causes):
        return UnknownHostError(
            f"The name {host} has no address: check host and environment of the connection, and the network "
            "(the sandbox's name is missing at times)",
            path=path,
        )
    if isinstance(problem, requests.exceptions.ProxyError):
        return HotmartTransportError(f"The proxy did not connect to {host}: check the proxy settings", path=path)
    if isinstance(problem, requests.exceptions.SSLError) or any(isinstance(one, ssl.SSLError) for one in causes):
        return HotmartTransportError(
            f"The certificate of {host} is not trusted, or TLS failed: "
            "check the clock, and REQUESTS_CA_BUNDLE behind a company proxy",
            path=path,
        )
    if isinstance(problem, requests.exceptions.Timeout):
        return HotmartTransportError(
            f"{host} did not answer in time: run it again later, or raise timeout in the connection", path=path
        )
    if isinstance(problem, (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)):
        return CutShortError(f"The answer of {host} was cut short: run it again", path=path)
    if any("timeout" in type(cause).__name__.lower() for cause in causes):
        return HotmartTransportError(f"{host} stopped in the middle of its answer: run it again later", path=path)
    return HotmartTransportError(f"No connection to {host}: check the network and try again", path=path)


def _causes(problem: BaseException) -> Iterator[BaseException]:
    """An exception and all that it was made of, as requests and urllib3 nest them."""
    todo: list[object] = [problem]
    seen: set[int] = set()
    while todo:
        one = todo.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        todo += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


class _QueryFilter(logging.Filter):
    """
    Cuts the query off the request lines that urllib3 logs at level DEBUG.

    A filter on a buyer's e-mail address is part of the query.
    """

    paths = (PRODUCTS.path, SALES_PARTICIPANTS.path)

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                arg.partition("?")[0] if isinstance(arg, str) and any(path in arg for path in self.paths) else arg
                for arg in record.args
            )
        return True


_query_filter = _QueryFilter()


def hide_queries_from_debug_logs() -> None:
    """Make urllib3 log requests to Hotmart without their query. Doing it again changes nothing."""
    logging.getLogger("urllib3.connectionpool").addFilter(_query_filter)
    logging.getLogger("urllib3.util.retry").addFilter(_query_filter)
