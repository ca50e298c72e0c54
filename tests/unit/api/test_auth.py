"""The access token: fetched once, reused until shortly before it expires."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_hotmart.api.auth import MARGIN, Token, TokenCache, shared_token_cache
from airflow_provider_hotmart.api.clock import SYSTEM_CLOCK
from tests.support import FakeClock

TWO_DAYS = 172_799.0


class TokenHost:
    """Hands out a new token each time."""

    def __init__(self, lifetime: float = TWO_DAYS) -> None:
        self.lifetime = lifetime
        self.asked = 0
        self._lock = threading.Lock()

    def __call__(self) -> Token:
        with self._lock:
            self.asked += 1
            return Token(f"token-{self.asked}", self.lifetime)


def go_on() -> None:
    """Somebody waits for the token."""


def at_once(work: Callable[[], str], threads: int = 16) -> list[str]:
    """What many threads get that start together."""
    together = threading.Barrier(threads)

    def run() -> str:
        together.wait()
        return work()

    with ThreadPoolExecutor(threads) as pool:
        return [future.result() for future in [pool.submit(run) for _ in range(threads)]]


def test_a_token_is_fetched_once_and_reused() -> None:
    host, cache = TokenHost(), TokenCache(FakeClock())
    assert [cache.get(host, go_on) for _ in range(3)] == ["token-1"] * 3
    assert host.asked == 1


def test_a_token_is_renewed_shortly_before_it_expires() -> None:
    host, clock = TokenHost(), FakeClock()
    cache = TokenCache(clock)
    cache.get(host, go_on)

    clock.sleep(TWO_DAYS - MARGIN - 1)
    assert cache.get(host, go_on) == "token-1"
    clock.sleep(1)
    assert cache.get(host, go_on) == "token-2"


def test_a_token_that_lives_shorter_than_the_margin_serves_half_its_life() -> None:
    host, clock = TokenHost(lifetime=100), FakeClock()
    cache = TokenCache(clock)
    cache.get(host, go_on)

    clock.sleep(49)
    assert cache.get(host, go_on) == "token-1"
    clock.sleep(1)
    assert cache.get(host, go_on) == "token-2"


def test_threads_that_need_a_token_together_share_one() -> None:
    host, cache = TokenHost(), TokenCache(FakeClock())
    assert set(at_once(lambda: cache.get(host, go_on))) == {"token-1"}
    assert host.asked == 1


def test_a_refused_token_is_replaced_once_however_many_were_refused() -> None:
    host, cache = TokenHost(), TokenCache(FakeClock())
    refused = cache.get(host, go_on)
    assert set(at_once(lambda: cache.replace(refused, host, go_on))) == {"token-2"}
    assert cache.get(host, go_on) == "token-2"


def test_a_token_refused_late_does_not_cost_its_successor() -> None:
    host, cache = TokenHost(), TokenCache(FakeClock())
    first = cache.get(host, go_on)
    second = cache.replace(first, host, go_on)
    assert cache.replace(first, host, go_on) == second
    assert host.asked == 2


def test_a_fetch_that_fails_leaves_no_token_behind() -> None:
    host, cache = TokenHost(), TokenCache(FakeClock())
    refused = cache.get(host, go_on)

    def fails() -> Token:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        cache.replace(refused, fails, go_on)
    assert cache.get(host, go_on) == "token-2"


def test_clients_of_one_credential_share_a_token_and_those_of_others_do_not() -> None:
    clock = FakeClock()
    mine = shared_token_cache("mine", clock)
    assert shared_token_cache("mine", clock) is mine
    assert shared_token_cache("yours", clock) is not mine
    assert shared_token_cache("mine", SYSTEM_CLOCK) is not mine


def test_whoever_is_stopped_does_not_wait_for_a_token_that_others_fetch() -> None:
    cache, begun, end = TokenCache(FakeClock()), threading.Event(), threading.Event()

    def slow() -> Token:
        begun.set()
        assert end.wait(100)
        return Token("token-1", TWO_DAYS)

    def stopped() -> None:
        raise InterruptedError

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(cache.get, slow, go_on)
        assert begun.wait(100)
        for wait in (lambda: cache.get(slow, stopped), lambda: cache.replace("old", slow, stopped)):
            with pytest.raises(InterruptedError):
                wait()
        end.set()
        assert first.result() == "token-1"


def test_a_forked_process_does_not_wait_for_the_thread_that_fetches_the_token() -> None:
    cache, begun, end = shared_token_cache("forking", SYSTEM_CLOCK), threading.Event(), threading.Event()

    def slow() -> Token:
        begun.set()
        assert end.wait(100)
        return Token("parent's", TWO_DAYS)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(cache.get, slow, go_on)
        assert begun.wait(100)
        child = os.fork()
        if not child:  # pragma: no cover - another process
            signal.alarm(60)
            os._exit(0 if cache.get(TokenHost(), go_on) == "token-1" else 1)
        end.set()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_repr_of_a_token_does_not_show_it() -> None:
    assert "abc" not in repr(Token("abc", 1.0))
