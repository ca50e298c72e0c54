"""The access token: fetched once per process and credential, reused until shortly before it expires."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from airflow_provider_hotmart.api.clock import NAP, Clock

#: Ask for a new token so many seconds before the old one expires.
MARGIN = 300.0


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


class TokenCache:
    """
    The token of one credential.

    Threads that need a token at the same time wait for the one that fetches it: the token host throttles.

    :param clock: the passing of time.
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


_caches: dict[Hashable, TokenCache] = {}
_caches_lock = threading.Lock()


def shared_token_cache(credential: Hashable, clock: Clock) -> TokenCache:
    """
    Find the one token cache of a credential in this process.

    :param credential: what tells credentials apart.
    :param clock: the passing of time.
    """
    with _caches_lock:
        return _caches.setdefault((credential, clock), TokenCache(clock))


def _forked() -> None:
    global _caches_lock
    _caches_lock = threading.Lock()
    for cache in _caches.values():
        cache.forked()


os.register_at_fork(after_in_child=_forked)
