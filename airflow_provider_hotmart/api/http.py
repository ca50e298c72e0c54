"""HTTP: a session that can be aborted, its errors turned into ours, and logs without queries."""

from __future__ import annotations

import http.client
import socket
import ssl
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from airflow_provider_hotmart import __version__
from airflow_provider_hotmart.api.config import is_loopback
from airflow_provider_hotmart.api.errors import (
    HotmartConfigError,
    HotmartError,
    HotmartResponseError,
    HotmartTransportError,
    HotmartUnknownHostError,
)
from airflow_provider_hotmart.api.query_logs import hide_queries_from_debug_logs, hide_queries_of

#: Seconds to wait for a connection; Hotmart takes its time to answer, never to connect.
CONNECT_TIMEOUT = 15.0
#: Bytes of a body, unpacked. A page of 500 sales has about 600,000.
MAX_BODY = 64 * 2**20
#: Few and plain: Hotmart may answer 400 to unexpected ones.
_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "User-Agent": f"airflow-provider-hotmart/{__version__}",
}


class Response(NamedTuple):
    """An answer that was read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpSession:
    """
    Connections to Hotmart that can be broken off, also from another thread or a signal handler.

    :param pool_size: connections that are kept open.
    """

    def __init__(self, pool_size: int) -> None:
        hide_queries_from_debug_logs()
        self._adapter = _AbortableAdapter(pool_size)
        self._routes: dict[tuple[str, str], _Route] = {}

    def send(
        self,
        method: str,
        url: str,
        authorization: str,
        timeout: float,
        *,
        params: Mapping[str, Any] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Response:
        """
        Send one request and read its whole answer.

        :param url: without a query.
        :param authorization: value of the header.
        :param timeout: seconds without any byte of an answer.
        :param params: the query; a list is a parameter that is repeated.
        :param form: the body.
        :raises HotmartConfigError: when the address or the file of CA certificates cannot be used.
        :raises HotmartTransportError: when no complete answer came.
        :raises HotmartResponseError: when the body is larger than any page can be.
        """
        headers = {**_HEADERS, "Authorization": authorization}
        body = None
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(form)
        try:
            path = urllib3.util.parse_url(url).path or "/"
            hide_queries_of(path)
            # Not sent by requests, whose preparation of each call takes a tenth of the time of a page; it only finds
            # proxy and certificates, once for each host.
            route = self._route(url)
            with route.pool.urlopen(
                method,
                (url if route.by_proxy else path) + (f"?{urlencode(params, doseq=True)}" if params else ""),
                body,
                headers,
                self._adapter.max_retries,
                redirect=False,
                assert_same_host=False,
                timeout=urllib3.Timeout(connect=min(CONNECT_TIMEOUT, timeout), read=timeout),
                preload_content=False,
                decode_content=False,
            ) as response:
                return Response(response.status, response.headers, _body(response, url))
        except (
            OSError,  # of requests too
            EOFError,
            ValueError,  # a header that cannot be sent, whose text holds it
            zlib.error,
            urllib3.exceptions.HTTPError,
            http.client.HTTPException,
        ) as problem:
            failure = _error_of(problem, url)
        # Outside the handler, so that the original, whose text holds the whole query, is not chained to it.
        raise failure

    def abort(self) -> None:
        """Break off every connection. Takes no lock, so a signal handler may call it."""
        self._adapter.abort()

    def close(self) -> None:
        """Close the connections."""
        self._adapter.close()

    def _route(self, url: str) -> _Route:
        """Find out from the environment, once for each host, which proxy and CA certificates count."""
        host = urlsplit(url)[:2]
        if host not in self._routes:
            request = requests.Request("GET", url).prepare()
            proxies = {"no_proxy": urlsplit(url).hostname or ""} if is_loopback(url) else {}
            settings = requests.Session().merge_environment_settings(url, proxies, True, None, None)
            pool = self._adapter.get_connection_with_tls_context(request, settings["verify"], settings["proxies"])
            self._adapter.cert_verify(pool, url, settings["verify"], None)  # type: ignore[no-untyped-call]  # has no types
            by_proxy = self._adapter.request_url(request, settings["proxies"]) != request.path_url
            self._routes[host] = _Route(pool, by_proxy)
        return self._routes[host]


class _Route(NamedTuple):
    """
    How to reach a host.

    :param pool: its connections.
    :param by_proxy: whether they lead to a proxy that has to be told the whole address.
    """

    pool: Any
    by_proxy: bool


class _AbortableAdapter(HTTPAdapter):
    """Knows the sockets of its connections, so that calls under way can be ended."""

    def __init__(self, pool_size: int) -> None:
        self._sockets: set[socket.socket] = set()
        self._aborted = False
        super().__init__(pool_connections=2, pool_maxsize=max(pool_size, 1))

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self._watch(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        self._watch(manager)
        return manager

    def abort(self) -> None:
        self._aborted = True
        for one in list(self._sockets):
            try:
                # Not SSLSocket's own, which changes what another thread reads from.
                socket.socket.shutdown(one, socket.SHUT_RDWR)
            except OSError:
                continue

    def _watch(self, manager: Any) -> None:
        manager.pool_classes_by_scheme = {
            scheme: type(pool.__name__, (pool,), {"ConnectionCls": self._watched(pool.ConnectionCls)})
            for scheme, pool in manager.pool_classes_by_scheme.items()
        }

    def _watched(self, base: Any) -> Any:
        adapter = self

        class Connection(base):  # type: ignore[misc]  # a class that urllib3 chooses
            def connect(self) -> None:
                super().connect()
                adapter._sockets.add(self.sock)
                if adapter._aborted:
                    raise ConnectionAbortedError

            def close(self) -> None:
                adapter._sockets.discard(self.sock)
                super().close()

        return Connection


def _body(response: urllib3.BaseHTTPResponse, url: str) -> bytes:
    """Read a body and unpack it, both within bounds."""
    data = response.read(MAX_BODY + 1, decode_content=False)
    announced = response.headers.get("Content-Length", "")
    if len(data) <= MAX_BODY and announced.isdecimal() and len(data) != int(announced):
        raise urllib3.exceptions.IncompleteRead(len(data), int(announced) - len(data))
    if response.headers.get("Content-Encoding", "").lower() in ("gzip", "x-gzip") and data:
        unpacker = zlib.decompressobj(wbits=31)
        data = unpacker.decompress(data, MAX_BODY + 1)
        if len(data) <= MAX_BODY and not unpacker.eof:
            raise EOFError
    if len(data) > MAX_BODY:
        raise HotmartResponseError(
            f"The answer is longer than any of Hotmart's: check host and proxy (more than {MAX_BODY >> 20} MB)",
            path=urlsplit(url).path,
        )
    return data


def _error_of(problem: BaseException, url: str) -> HotmartError:
    """
    Turn what a library raised into an error that says what to do and shows no query.

    :param problem: its text may hold the whole URL, filters included.
    """
    parts = urlsplit(url)
    where = f"{parts.hostname}:{parts.port or (80 if parts.scheme == 'http' else 443)}"
    path = parts.path
    causes = list(_causes(problem))
    names = " ".join(type(cause).__name__ for cause in causes)
    if any(isinstance(cause, socket.gaierror) for cause in causes) or "NameResolution" in names:
        return HotmartUnknownHostError(
            f"The name {parts.hostname} is not known to the network: check host and environment of the connection, "
            "and DNS (the sandbox's name is missing at times)",
            path=path,
        )
    if "InvalidProxyURL" in names or "ProxyScheme" in names:
        return HotmartConfigError(
            "The address of the proxy cannot be used: correct HTTP_PROXY or HTTPS_PROXY", path=path
        )
    if "ProxyError" in names:
        return HotmartTransportError(f"The proxy did not connect to {where}: check the proxy settings", path=path)
    if any(isinstance(cause, ssl.SSLError) for cause in causes) or "SSLError" in names:
        return HotmartTransportError(
            f"TLS with {where} failed: check the clock, and REQUESTS_CA_BUNDLE behind a company proxy "
            "(its certificate may not be trusted)",
            path=path,
        )
    if "TLS CA certificate" in str(problem):
        return HotmartConfigError(
            "The file of CA certificates does not exist: correct REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE", path=path
        )
    if isinstance(problem, UnicodeError) or "InvalidURL" in names or "LocationParse" in names:
        return HotmartConfigError(f"{where} is no address: correct host of the connection", path=path)
    reason = "failed"
    cut = (EOFError, zlib.error, http.client.HTTPException, urllib3.exceptions.ProtocolError)
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        reason = "refused"
    elif any(isinstance(cause, ConnectionError) for cause in causes):
        reason = "lost"
    elif "timeout" in names.lower():
        return HotmartTransportError(
            f"{where} timed out: run it again later, or raise timeout in the connection", path=path
        )
    elif isinstance(problem, cut) and "BadStatusLine" not in names:
        return HotmartTransportError(f"The answer of {where} was cut short: run it again", path=path)
    return HotmartTransportError(f"Connection to {where} {reason}: check the network and try again", path=path)


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
