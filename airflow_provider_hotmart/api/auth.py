"""The access token: fetched once per process and credential, reused until shortly before it expires."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from airflow_provider_hotmart.api import http_errors, responses
from airflow_provider_hotmart.api.clock import NAP, Clock
from airflow_provider_hotmart.api.config import HotmartConfig
from airflow_provider_hotmart.api.errors import HotmartAuthError, HotmartNotJsonError, HotmartResponseError
from airflow_provider_hotmart.api.http import Response

#: Ask for a new token so many seconds before the old one expires.
MARGIN = 300.0
#: Seconds that a token lives when the token host does not say.
DEFAULT_LIFETIME = 3600.0
#: Seconds that a token lives at most, whatever is said; Hotmart's live 48 hours.
MAX_LIFETIME = 30 * 86400.0


@dataclass(frozen=True)
class Token:
    """
    What the token host hands out.

    :param value: opaque; sent back verbatim, URL-encoded characters and all.
    :param lifetime: seconds from now.
    """

    value: str
    lifetime: float

    def __repr__(self) -> str:
        return "Token(***)"


def read_token(response: Response, config: HotmartConfig, now: float) -> Token:
    """
    Read an answer of the token host.

    :param now: seconds since the epoch.
    :raises HotmartError: of the kind that tells what is wrong.
    """
    path = urlsplit(config.token_url).path
    error = http_errors.error_of(response, path, now=now, secrets=(config.client_secret, config.basic))
    if error is not None and error.status in (400, 401, 403) and not isinstance(error, HotmartNotJsonError):
        raise HotmartAuthError(
            "Hotmart does not accept the Client ID and Client Secret: copy both again from Tools > Hotmart credentials",
            **error.details,
        )
    if error is not None:
        raise error
    body = responses.parse_object(response.body, path)
    if not isinstance(body, dict):
        raise HotmartNotJsonError("The token host answered with no JSON object: run it again", path=path)
    value, lifetime = body.get("access_token"), body.get("expires_in")
    # What does not fit into a header must not reach the library that would quote it in its error.
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value or " " in value:
        raise HotmartResponseError(
            "The token host answered without a usable access_token: check token_url of the connection", path=path
        )
    valid = isinstance(lifetime, (int, float)) and not isinstance(lifetime, bool) and lifetime > 0
    return Token(value, min(lifetime, MAX_LIFETIME) if valid and lifetime is not None else DEFAULT_LIFETIME)


class TokenCache:
    """
    The token of one credential.

    Threads that need a token at the same time wait for the one that fetches it: the token host throttles.

    :param clock: gives the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._token: str | None = None
        self._expires = 0.0

    def get(self, fetch: Callable[[], Token], check: Callable[[], None]) -> str:
        """
        Give the token, fetched when there is none that will last.

        :param fetch: asks the token host.
        :param check: raises where nobody waits for the token any longer.
        """
        with self._locked(check):
            if self._token is None or self._clock.monotonic() >= self._expires:
                return self._renew(fetch)
            return self._token

    def renew(self, fetch: Callable[[], Token], check: Callable[[], None]) -> str:
        """
        Fetch a new token, even if there is one that would last.

        :param fetch: asks the token host.
        :param check: raises where nobody waits for the token any longer.
        """
        with self._locked(check):
            return self._renew(fetch)

    def replace(self, refused: str, fetch: Callable[[], Token], check: Callable[[], None]) -> str:
        """
        Give a token other than one that Hotmart refused; fetched only once however many threads were refused.

        :param refused: the token that was sent.
        :param fetch: asks the token host.
        :param check: raises where nobody waits for the token any longer.
        """
        with self._locked(check):
            if self._token is None or self._token == refused:
                self._token = None
                return self._renew(fetch)
            return self._token

    def forked(self) -> None:
        """Begin anew in a forked process, which has none of the threads that may hold the lock."""
        self._lock = threading.Lock()

    @contextmanager
    def _locked(self, check: Callable[[], None]) -> Iterator[None]:
        """Wait for whoever fetches the token; that may take long."""
        lock = self._lock
        while not lock.acquire(timeout=NAP):
            check()
        try:
            yield
        finally:
            lock.release()

    def _renew(self, fetch: Callable[[], Token]) -> str:
        token = fetch()
        self._token = token.value
        self._expires = self._clock.monotonic() + max(token.lifetime - MARGIN, token.lifetime / 2)
        return token.value


#: Without a lock, which a fork could leave locked: each look-up is a single step.
_caches: dict[Hashable, TokenCache] = {}


def shared_token_cache(credential: Hashable, clock: Clock) -> TokenCache:
    """
    Find the one token cache of a credential in this process.

    :param credential: what tells credentials apart.
    :param clock: gives the time.
    """
    return _caches.setdefault((credential, clock), TokenCache(clock))


def _forked() -> None:
    for cache in _caches.values():
        cache.forked()


os.register_at_fork(after_in_child=_forked)
