"""The one place that sends requests to Hotmart."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable, Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit
from weakref import WeakSet

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from airflow_provider_hotmart import __version__
from airflow_provider_hotmart.api import answers
from airflow_provider_hotmart.api.auth import Token, shared_token_cache
from airflow_provider_hotmart.api.clock import SYSTEM_CLOCK, Clock
from airflow_provider_hotmart.api.config import HotmartConfig
from airflow_provider_hotmart.api.decoding import in_decoder
from airflow_provider_hotmart.api.endpoints import PRODUCTS
from airflow_provider_hotmart.api.errors import (
    HotmartAuthError,
    HotmartError,
    HotmartResponseError,
    HotmartTransportError,
)
from airflow_provider_hotmart.api.listing import Encode, ParticipantsListing, ProductsListing, as_records
from airflow_provider_hotmart.api.patience import Patience
from airflow_provider_hotmart.api.queries import ParticipantsQuery, ProductsQuery
from airflow_provider_hotmart.api.rate_limit import shared_budget
from airflow_provider_hotmart.api.retry import RetryPolicy
from airflow_provider_hotmart.api.transport import failure_of, hide_queries_from_debug_logs

_T = TypeVar("_T")
#: Seconds to wait for a connection; Hotmart takes its time to answer, never to connect.
CONNECT_TIMEOUT = 15.0
#: Filters whose values are personal data.
PERSONAL = ("buyer_email", "buyer_name", "affiliate_name")
#: Bytes that are read of a body at a time: large, so that a page is not gathered from dozens of pieces.
PIECE = 1 << 20
#: Seconds that a token lives when the token host does not say.
UNTOLD_LIFETIME = 3600.0

_clients: WeakSet[HotmartClient] = WeakSet()


class HotmartClient:
    """
    Hotmart over HTTP: one credential, one environment.

    Safe to use from several threads. Clients of one credential in one process share its token and its call budget.

    :param config: where Hotmart is, and as whom to call it.
    :param clock: the passing of time.
    :param on_secret: called with each access token before it is first used, so that logs can mask it.
    """

    def __init__(
        self,
        config: HotmartConfig,
        *,
        clock: Clock = SYSTEM_CLOCK,
        on_secret: Callable[[str], None] | None = None,
    ) -> None:
        self.config = config
        self.clock = clock
        self._on_secret = on_secret
        self._policy = RetryPolicy(config.max_retries, config.max_rate_limit_wait)
        digest = hashlib.sha256(config.basic.encode()).digest()
        credential = (config.base_url, config.token_url, digest)
        self._tokens = shared_token_cache(credential, clock)
        self.budget = shared_budget(credential, clock, config.calls_per_minute)
        self._session = _session(config.max_parallel_calls)
        _clients.add(self)
        self._jitter = random.Random()  # noqa: S311 - spreads repeated calls in time; nothing secret depends on it

    def list_products(self, query: ProductsQuery, encode: Encode[_T]) -> ProductsListing[_T]:
        """
        Prepare a listing of products; iterating it sends the calls.

        :param query: the filters.
        :param encode: what to make of each page's records, called where the page is read.
        """
        return ProductsListing(self, query, encode)

    def list_sales_participants(self, query: ParticipantsQuery, encode: Encode[_T]) -> ParticipantsListing[_T]:
        """
        Prepare a listing of sales participants; iterating it sends the calls.

        :param query: the filters.
        :param encode: what to make of each page's records, called where the page is read.
        """
        return ParticipantsListing(self, query, encode)

    def iter_products(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """Yield products; the filters are those of :meth:`.HotmartHook.iter_products`."""
        yield from as_records(ProductsListing, self, ProductsQuery.build(**filters))

    def iter_sales_participants(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """Yield sales participants; the filters are those of :meth:`.HotmartHook.iter_sales_participants`."""
        query = ParticipantsQuery.build(now=self.clock.time(), **filters)
        yield from as_records(ParticipantsListing, self, query)

    def check(self) -> bool:
        """
        Get a new token and read one product, to see that the credential works.

        :return: whether there is a product.
        :raises HotmartError: of the kind that tells what is wrong.
        """
        token = self._fetch_token()
        self._announce(token.value)
        self._tokens.replace(token.value, lambda: token)
        return bool(self.fetch(PRODUCTS.path, {"max_results": "1"}, lambda body: body.get("items")))

    def log_in(self) -> None:
        """Make sure that there is a token."""
        self._token()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def fetch(
        self,
        path: str,
        params: Mapping[str, str],
        read: Callable[[dict[str, Any]], _T],
        *,
        listing: Any = None,
        narrowable: bool = False,
    ) -> _T:
        """
        Ask for one page, as often as it takes.

        :param path: below the base URL.
        :param params: the query.
        :param read: makes the result of the decoded body. It runs in the one thread that takes pages apart.
        :param listing: whose call it is, with ``count_call()`` and ``check_running()``; listings take turns.
        :param narrowable: fail at once on 502, which says that the query is too wide, so that the caller narrows it.
        :raises HotmartError: of the kind that tells what is wrong.
        """
        patience = self._patience()
        token = self._token()
        renewed = False
        while True:
            if listing is not None:
                listing.check_running()
            call = self.budget.acquire(listing)
            if listing is not None:
                listing.count_call()
            error: HotmartError
            headers: Mapping[str, str] = {}
            try:
                answer = self._send("GET", self.config.base_url + path, _Bearer(token), params=params)
                headers = answer.headers
                self.budget.report(call, headers)
                if answer.status == 200:
                    page: _T = in_decoder(_read_page, read, answer.body, path)
                    return page
                hidden = [token, self.config.client_secret, *(params[one] for one in PERSONAL if one in params)]
                error = answers.error_for(answer.status, headers, answer.body, path, hidden)
            except (HotmartTransportError, answers.NotJsonError) as failure:
                error = failure
            if isinstance(error, HotmartAuthError) and not renewed:
                token, renewed = self._new_token(token), True
                continue
            if error.status == 502 and narrowable:
                raise error
            patience.wait(error, headers)

    def forked(self) -> None:
        """Begin anew in a forked process: two processes must not read from one connection."""
        self._session = _session(self.config.max_parallel_calls)

    def _patience(self) -> Patience:
        return Patience(self._policy, self.clock, self.budget, self._jitter.random)

    def _token(self) -> str:
        token = self._tokens.get(self._fetch_token)
        self._announce(token)
        return token

    def _new_token(self, refused: str) -> str:
        token = self._tokens.replace(refused, self._fetch_token)
        self._announce(token)
        return token

    def _announce(self, token: str) -> None:
        if self._on_secret is not None:
            self._on_secret(token)

    def _fetch_token(self) -> Token:
        """
        Ask the token host.

        The secret travels in a header and never in the URL, although Hotmart documents that form too: URLs end
        up in logs. Source: https://developers.hotmart.com/docs/en/start/app-auth/.
        """
        url = self.config.token_url
        path = urlsplit(url).path
        patience = self._patience()
        while True:
            error: HotmartError
            headers: Mapping[str, str] = {}
            try:
                answer = self._send("POST", url, _Basic(self.config.basic), data={"grant_type": "client_credentials"})
                headers = answer.headers
                if answer.status == 200:
                    return _read_token(answers.decode(answer.body, path), path)
                error = self._token_error(answer, path)
            except (HotmartTransportError, answers.NotJsonError) as failure:
                error = failure
            patience.wait(error, headers)

    def _token_error(self, answer: _Answer, path: str) -> HotmartError:
        hidden = [self.config.client_secret, self.config.basic]
        error = answers.error_for(answer.status, answer.headers, answer.body, path, hidden)
        if answer.status in (400, 401, 403):
            return HotmartAuthError(
                "Hotmart does not accept the Client ID and Client Secret: "
                "copy both again from Tools > Hotmart credentials",
                status=error.status,
                error=error.error,
                description=error.description,
                path=path,
            )
        return error

    def _send(self, method: str, url: str, auth: AuthBase, **content: Any) -> _Answer:
        """Send one request and read its whole answer."""
        timeout = (min(CONNECT_TIMEOUT, self.config.timeout), self.config.timeout)
        try:
            with self._session.request(
                method, url, auth=auth, timeout=timeout, allow_redirects=False, stream=True, **content
            ) as response:
                body = b"".join(response.iter_content(PIECE))
        except requests.RequestException as problem:
            failure = failure_of(problem, url)
        else:
            answer = _Answer(response.status_code, response.headers, body)
            _check_length(answer, url)
            return answer
        # Outside the handler, so that the original, whose text holds the whole query, is not chained to it.
        raise failure


class _Answer(NamedTuple):
    """An answer that was read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Bearer(AuthBase):
    """Sends the token; as an ``auth`` object, so that a ``.netrc`` cannot put its own in place."""

    scheme = "Bearer"

    def __init__(self, value: str) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"{self.scheme} {self._value}"
        return request


class _Basic(_Bearer):
    """Sends client id and secret."""

    scheme = "Basic"


def _session(connections: int) -> requests.Session:
    """Make a session with few and plain headers: Hotmart may answer 400 to unexpected ones."""
    hide_queries_from_debug_logs()
    session = requests.Session()
    session.headers.clear()
    session.headers.update(
        {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": f"airflow-provider-hotmart/{__version__}",
        }
    )
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = HTTPAdapter(pool_connections=2, pool_maxsize=max(connections, 1))
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _read_page(read: Callable[[dict[str, Any]], _T], body: bytes, path: str) -> _T:
    """Take a page apart."""
    return read(answers.decode(body, path))


def _check_length(answer: _Answer, url: str) -> None:
    """Make sure that a body is as long as announced; not every version of urllib3 does."""
    announced = answer.headers.get("Content-Length", "")
    plain = "Content-Encoding" not in answer.headers
    if plain and announced.isdigit() and len(answer.body) != int(announced):
        raise answers.CutShortError("Hotmart's answer was cut short: run it again", path=urlsplit(url).path)


def _read_token(body: dict[str, Any], path: str) -> Token:
    value, lifetime = body.get("access_token"), body.get("expires_in")
    # What does not fit into a header must not reach the library that would quote it in its error.
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value or " " in value:
        raise HotmartResponseError(
            "The token host answered without a usable access_token: check token_url of the connection", path=path
        )
    valid = isinstance(lifetime, (int, float)) and not isinstance(lifetime, bool) and lifetime > 0
    return Token(value, float(lifetime) if valid and lifetime is not None else UNTOLD_LIFETIME)


def _forked() -> None:
    for client in list(_clients):
        client.forked()


os.register_at_fork(after_in_child=_forked)
