"""One call to Hotmart = call budget + send + authorise + retry. It knows no listings."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from msgspec import Raw

from airflow_provider_hotmart.api import http_errors, responses
from airflow_provider_hotmart.api.auth import Token, read_token, shared_token_cache
from airflow_provider_hotmart.api.clock import SYSTEM_CLOCK, Clock
from airflow_provider_hotmart.api.config import HotmartConfig
from airflow_provider_hotmart.api.endpoints.products import PRODUCTS
from airflow_provider_hotmart.api.errors import (
    HotmartAuthError,
    HotmartError,
    HotmartNotJsonError,
    HotmartStoppedError,
    HotmartTransportError,
)
from airflow_provider_hotmart.api.filter_values import parse_undeclared
from airflow_provider_hotmart.api.http import HttpSession, Response
from airflow_provider_hotmart.api.rate_limit import shared_budget
from airflow_provider_hotmart.api.responses import Page
from airflow_provider_hotmart.api.retry import Retrier, RetryPolicy


class HotmartClient:
    """
    Hotmart over HTTP: one credential, one environment.

    Safe to use from several threads. Clients of one credential in one process share its token and its call budget.

    :param config: where Hotmart is, and as whom to call it.
    :param clock: gives the time, and waits.
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
        self.on_secret = on_secret
        digest = hashlib.sha256(config.basic.encode()).digest()
        credential = (config.base_url, config.token_url, digest)
        self.tokens = shared_token_cache(credential, clock)
        self.budget = shared_budget(credential, clock, config.calls_per_minute)
        self._session: tuple[int, Session] | None = None
        self._lock = threading.Lock()

    def session(self, policy: RetryPolicy | None = None) -> Session:
        """Begin calls that end together: those of one listing."""
        return Session(self, policy or RetryPolicy(self.config.max_retries, self.config.max_rate_limit_wait))

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """
        Send one call to any path, with token, call budget and retries.

        :param path: below the base URL.
        :param params: the query, which does not show in logs and errors.
        :return: the decoded body.
        :raises HotmartError: of the kind that tells what is wrong.
        """
        path, query = parse_undeclared(path, params or {})
        session = self._shared_session()
        call = session.call(path, query, personal=bool(query))
        return session.retrying(call, session.fetch(call), partial(responses.parse_object, path=path))

    def check(self) -> bool:
        """
        Get a new token and read one product, to see that the credential works.

        :return: whether there is a product.
        :raises HotmartError: of the kind that tells what is wrong.
        """
        policy = RetryPolicy(min(self.config.max_retries, 1), self.config.max_rate_limit_wait)
        with self.session(policy) as session:
            session.log_in(anew=True)
            return bool(session.get(session.call(PRODUCTS.path, {"max_results": "1"})).rows)

    def close(self) -> None:
        """Close the connections of single calls."""
        with self._lock:
            held, self._session = self._session, None
        if held is not None and held[0] == os.getpid():
            held[1].close()

    def _shared_session(self) -> Session:
        """Give the connections for single calls; a forked process has its own."""
        with self._lock:
            if self._session is None or self._session[0] != os.getpid():
                self._session = (os.getpid(), self.session())
            return self._session[1]


@dataclass(frozen=True)
class Call:
    """
    One call, repetitions included.

    :param path: below the base URL.
    :param params: the query.
    :param retrier: its repetitions.
    :param rows_key: where the rows are, as in the endpoint table.
    :param row_type: what rows are decoded to, where all of a page can be.
    :param personal: whether the query holds something about a person.
    :param can_narrow: fail at once on 502, which says that the query is too wide, so that the caller narrows it.
    """

    path: str
    params: Mapping[str, Any]
    retrier: Retrier
    rows_key: str | None = "items"
    row_type: Any = Raw
    personal: bool = False
    can_narrow: bool = False


class Session:
    """
    The calls of one listing: connections, threads, a turn in the call budget, and an end.

    Threads only fetch bytes; the caller's thread takes them apart.

    :param client: has the token, the call budget and the clock.
    :param policy: how often a call is repeated.
    """

    def __init__(self, client: HotmartClient, policy: RetryPolicy) -> None:
        self.client = client
        self.width = client.config.max_parallel_calls
        self._policy = policy
        self._http = HttpSession(self.width + 1)  # the caller's thread fetches too
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._stopped = False
        #: Calls sent so far, repeated ones included.
        self.calls = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, path: str, params: Mapping[str, Any], **facts: Any) -> Call:
        """Prepare a call."""
        return Call(path, params, Retrier(self._policy, self._sleep, self.client.budget.block), **facts)

    def submit(self, call: Call) -> Future[bytes]:
        """Fetch in one of the threads."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.width, thread_name_prefix="hotmart")
        try:
            return self._pool.submit(self.fetch, call)
        except RuntimeError:  # the main thread has ended, and no other thread is given work any more
            future: Future[bytes] = Future()
            try:
                future.set_result(self.fetch(call))
            except HotmartError as error:
                future.set_exception(error)
            return future

    def get(self, call: Call) -> Page:
        """Send a call and take its page apart."""
        return self.read(call, self.fetch(call))

    def read(self, call: Call, body: bytes) -> Page:
        """Take the body of a call apart; where it turns out to be no JSON, the call is repeated."""
        page: Page = self.retrying(call, body, partial(self.parse, call))
        return page

    def parse(self, call: Call, body: bytes) -> Page:
        """Take the body of a call apart."""
        return responses.parse_page(body, call.path, call.rows_key, call.row_type)

    def retrying(self, call: Call, body: bytes, parse: Callable[[bytes], Any]) -> Any:
        """Parse a body, and fetch it again as long as it is no JSON."""
        while True:
            try:
                return parse(body)
            except HotmartNotJsonError as error:
                call.retrier.wait(error)
            body = self.fetch(call)

    def fetch(self, call: Call) -> bytes:
        """
        Get the body of a successful answer, as often as it takes.

        :raises HotmartError: of the kind that tells what is wrong.
        """
        client = self.client
        token = self.log_in()
        renewed = False
        while True:
            self.check_running()
            number = client.budget.acquire(self, self._sleep)
            with self._lock:
                self.calls += 1
            body = b""
            headers: Mapping[str, str] = {}
            error: HotmartError | None
            try:
                response = self._send("GET", client.config.base_url + call.path, f"Bearer {token}", params=call.params)
            except HotmartError as failure:
                error = failure
            else:
                body, headers = response.body, response.headers
                secrets = (token, client.config.client_secret)
                error = http_errors.error_of(
                    response, call.path, now=client.clock.time(), secrets=secrets, personal=call.personal
                )
            client.budget.report(number, headers)
            if error is None:
                return body
            if call.can_narrow and error.status == 502:
                raise error
            if isinstance(error, HotmartAuthError):
                if renewed:
                    call.retrier.wait(error)
                token = self._announced(client.tokens.replace(token, self._fetch_token, self.check_running))
                renewed = True
                continue
            call.retrier.wait(error)

    def log_in(self, *, anew: bool = False) -> str:
        """Give the token, fetched where there is none; ``anew``: a new one in any case."""
        tokens = self.client.tokens
        get = tokens.renew if anew else tokens.get
        return self._announced(get(self._fetch_token, self.check_running))

    def check_running(self) -> None:
        """
        Keep work from being done that nobody waits for.

        :raises HotmartStoppedError: when the session was stopped.
        """
        if self._stopped:
            raise HotmartStoppedError("The listing was stopped, because its task was")

    def stop(self) -> None:
        """End all calls and waits. Takes no lock and waits for nothing, so a signal handler may call it."""
        self._stopped = True
        self._http.abort()

    def close(self) -> None:
        """End all calls and waits, and the threads."""
        self.stop()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._http.close()

    def _sleep(self, seconds: float) -> None:
        self.client.clock.sleep(seconds, lambda: self._stopped)
        self.check_running()

    def _announced(self, token: str) -> str:
        if self.client.on_secret is not None:
            self.client.on_secret(token)
        return token

    def _fetch_token(self) -> Token:
        """
        Ask the token host.

        The secret travels in a header and never in the URL, although Hotmart documents that form too: URLs end
        up in logs. Source: https://developers.hotmart.com/docs/en/start/app-auth/.
        """
        config = self.client.config
        retrier = Retrier(self._policy, self._sleep, lambda _: None)
        form = {"grant_type": "client_credentials"}
        while True:
            self.check_running()
            try:
                response = self._send("POST", config.token_url, f"Basic {config.basic}", form=form)
                return read_token(response, config, self.client.clock.time())
            except HotmartError as error:
                retrier.wait(error)

    def _send(self, method: str, url: str, authorization: str, **content: Any) -> Response:
        try:
            return self._http.send(method, url, authorization, self.client.config.timeout, **content)
        except HotmartTransportError:
            self.check_running()  # broken off by ourselves
            raise
