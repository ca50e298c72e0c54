"""Whether a failed call is repeated, and when."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_hotmart.api.errors import (
    HotmartAuthError,
    HotmartError,
    HotmartInvalidRequestError,
    HotmartNotFoundError,
    HotmartNotJsonError,
    HotmartPermissionError,
    HotmartRateLimitError,
    HotmartResponseError,
    HotmartServerError,
    HotmartStoppedError,
    HotmartTransportError,
    HotmartUnknownHostError,
)
from airflow_provider_hotmart.api.rate_limit import CallBudget
from airflow_provider_hotmart.api.retry import DEFAULT_RETRY_AFTER, MAX_WAIT, MIN_WAIT, Retrier, RetryPolicy
from tests.support import FakeClock, SimulatedClock

FAILED = HotmartServerError("Failed", status=503, path="/x?buyer_email=maria@example.com")
JITTER = st.floats(0, 1)


def limited(retry_after: float | None) -> HotmartRateLimitError:
    """The error of an answer over the call limit."""
    return HotmartRateLimitError("Used up", status=429, error="too_many_requests", path="/x", retry_after=retry_after)


class Call:
    """The repetitions of one call, on a clock of its own."""

    def __init__(self, jitter: float = 0.0, **policy: float) -> None:
        self.clock = FakeClock()
        #: For how long all calls of the credential were held off.
        self.blocked: list[float] = []
        policy_of = RetryPolicy(**policy)  # type: ignore[arg-type]
        self.wait: Callable[[HotmartError], None] = Retrier(
            policy_of, self.clock.sleep, self.blocked.append, lambda: jitter
        ).wait

    def waits(self, error: HotmartError, times: int) -> list[float]:
        """How long it waits after each of so many failures."""
        for _ in range(times):
            self.wait(error)
        return self.clock.slept


def test_waits_double_from_a_second_to_half_a_minute() -> None:
    call = Call(jitter=1.0, max_retries=8)
    assert call.waits(FAILED, 8) == [1, 2, 4, 8, 16, 30, 30, 30]
    with pytest.raises(HotmartServerError) as caught:
        call.wait(FAILED)
    assert caught.value is FAILED
    assert call.blocked == []


def test_no_retries_means_no_retries() -> None:
    with pytest.raises(HotmartServerError):
        Call(max_retries=0).wait(FAILED)


@given(st.integers(1, 50), JITTER)
def test_a_wait_is_never_shorter_than_half_of_what_was_meant_nor_longer(times: int, jitter: float) -> None:
    waits = Call(jitter, max_retries=10_000).waits(FAILED, times)
    assert all(MIN_WAIT / 2 <= wait <= MAX_WAIT for wait in waits)


def test_a_service_that_never_comes_back_is_asked_a_thousand_times_if_that_is_wanted() -> None:
    assert len(Call(max_retries=2000).waits(FAILED, 2000)) == 2000


def test_callers_that_failed_together_do_not_come_back_together() -> None:
    assert Call(0.1).waits(FAILED, 3) != Call(0.9).waits(FAILED, 3)
    assert Call(0.1).waits(limited(5), 1) != Call(0.9).waits(limited(5), 1)


@given(st.floats(0, 100), JITTER)
def test_nobody_comes_back_before_the_time_that_was_told(told: float, jitter: float) -> None:
    [wait] = Call(jitter).waits(limited(told), 1)
    assert max(told, 1.0) <= wait <= max(told, 1.0) + 1.0


def test_where_no_time_is_told_it_is_a_guess() -> None:
    assert Call().waits(limited(None), 1) == [DEFAULT_RETRY_AFTER]


@pytest.mark.parametrize(
    "passing",
    [
        FAILED,
        HotmartServerError("Failed", status=502),
        HotmartTransportError("Cut"),
        HotmartUnknownHostError("Unknown"),
        HotmartNotJsonError("HTML", status=403),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_passing_failure_is_repeated_as_often_as_the_policy_says(passing: HotmartError) -> None:
    call = Call(max_retries=3)
    assert call.waits(passing, 3) == [0.5, 1.0, 2.0]
    with pytest.raises(type(passing)) as caught:
        call.wait(passing)
    assert caught.value is passing


@pytest.mark.parametrize(
    "lasting",
    [
        HotmartAuthError("No", status=401),
        HotmartPermissionError("No", status=403),
        HotmartInvalidRequestError("No", status=400),
        HotmartNotFoundError("No", status=404),
        HotmartResponseError("A row has no transaction"),
        HotmartStoppedError("Stopped"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_no_repetition_heals_is_raised_at_once(lasting: HotmartError) -> None:
    call = Call()
    with pytest.raises(type(lasting)) as caught:
        call.wait(lasting)
    assert caught.value is lasting
    assert call.clock.slept == []


def test_waiting_for_the_call_limit_uses_up_no_retries() -> None:
    call = Call(max_retries=1, max_rate_limit_wait=100)
    call.waits(limited(10), 3)
    call.wait(FAILED)
    with pytest.raises(HotmartServerError):
        call.wait(FAILED)


def test_a_connection_that_allows_no_waiting_fails_at_once() -> None:
    with pytest.raises(HotmartRateLimitError):
        Call(max_rate_limit_wait=0).wait(limited(0))


@pytest.mark.parametrize(("first", "second", "allowed"), [(60, None, True), (61, None, False), (31, 30, False)])
def test_a_wait_beyond_the_allowed_is_refused_rather_than_slept(
    first: float, second: float | None, allowed: bool
) -> None:
    call = Call(max_rate_limit_wait=60)
    if second is not None:
        call.wait(limited(first))
        first = second
    slept = list(call.clock.slept)
    if allowed:
        call.wait(limited(first))
        assert call.clock.slept == [*slept, first]
    else:
        with pytest.raises(HotmartRateLimitError):
            call.wait(limited(first))
        assert call.clock.slept == slept


def test_the_error_of_a_wait_beyond_the_allowed_says_what_to_do_and_how_long_it_is() -> None:
    call = Call(max_rate_limit_wait=60)
    call.wait(limited(40))
    with pytest.raises(HotmartRateLimitError) as caught:
        call.wait(limited(30))
    told = str(caught.value)
    assert "run it later or raise max_rate_limit_wait in the connection" in told
    assert "asks to wait 30 s after 40 s of waiting, where the connection allows 60 s" in told
    error = caught.value
    assert (error.retry_after, error.status, error.error, error.path) == (30.0, 429, "too_many_requests", "/x")


def test_a_limit_of_untold_length_is_refused_as_such() -> None:
    with pytest.raises(HotmartRateLimitError, match="asks to wait an unknown time") as caught:
        Call(max_rate_limit_wait=5).wait(limited(None))
    assert caught.value.retry_after is None


def test_while_one_call_waits_for_the_limit_nobody_else_calls() -> None:
    clock = SimulatedClock()
    budget = CallBudget(clock)
    called: list[float] = []

    def refused() -> None:
        Retrier(RetryPolicy(), clock.sleep, budget.block, lambda: 0.0).wait(limited(17))

    def other() -> None:
        clock.sleep(5)
        budget.acquire("other", clock.sleep)
        called.append(clock.monotonic())

    clock.run(refused, other)
    assert called[0] >= 17.0


def test_the_log_says_what_happened_and_shows_no_query(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        call = Call()
        call.wait(FAILED)
        call.wait(HotmartTransportError("Cut"))
        call.wait(limited(17))
    assert "HotmartServerError (HTTP 503), repeating the call in 0.5 s" in caplog.text
    assert "HotmartTransportError (no usable answer), repeating the call in 1.0 s" in caplog.text
    assert "going on in 17 s" in caplog.text
    assert "maria" not in caplog.text
