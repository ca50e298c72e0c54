"""How long one call goes on trying."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pytest

from airflow_provider_hotmart.api.answers import CutShortError, NotJsonError
from airflow_provider_hotmart.api.errors import (
    HotmartAuthError,
    HotmartError,
    HotmartInvalidRequestError,
    HotmartRateLimitError,
    HotmartResponseError,
    HotmartServerError,
    HotmartTransportError,
)
from airflow_provider_hotmart.api.patience import Patience
from airflow_provider_hotmart.api.rate_limit import CallBudget
from airflow_provider_hotmart.api.retry import RetryPolicy
from tests.support import FakeClock, SimulatedClock

LIMITED = HotmartRateLimitError("Used up", status=429, error="too_many_requests", path="/x")
FAILED = HotmartServerError("Failed", status=503, path="/x?buyer_email=maria@example.com")


class Call:
    """One call, with its patience, on a clock of its own."""

    def __init__(self, **policy: float) -> None:
        self.clock = FakeClock()
        self.budget = CallBudget(self.clock)
        self._patience = Patience(RetryPolicy(**policy), self.clock, self.budget, lambda: 0.0)  # type: ignore[arg-type]

    def meets(self, error: HotmartError, headers: Mapping[str, str] | None = None) -> None:
        self._patience.wait(error, headers or {})


@pytest.mark.parametrize(
    "passing",
    [
        FAILED,
        HotmartServerError("Failed", status=502),
        HotmartTransportError("Cut"),
        CutShortError("Cut"),
        NotJsonError(""),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_passing_failure_is_repeated_as_often_as_the_policy_says(passing: HotmartError) -> None:
    call = Call(max_retries=3)

    for _ in range(3):
        call.meets(passing)
    with pytest.raises(type(passing)) as caught:
        call.meets(passing)

    assert caught.value is passing
    assert call.clock.slept == [0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    "lasting",
    [
        HotmartAuthError("No", status=401),
        HotmartInvalidRequestError("No", status=400),
        HotmartResponseError("A row has no transaction"),
        HotmartServerError("Never", status=501),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_no_repetition_heals_is_raised_at_once(lasting: HotmartError) -> None:
    call = Call()
    with pytest.raises(type(lasting)) as caught:
        call.meets(lasting)
    assert caught.value is lasting
    assert call.clock.slept == []


def test_the_call_limit_is_waited_for_as_long_as_the_answer_says() -> None:
    call = Call()
    call.meets(LIMITED, {"RateLimit-Reset": "17"})
    assert call.clock.slept == [17.0]


def test_waiting_for_the_call_limit_uses_up_no_retries() -> None:
    call = Call(max_retries=1, max_rate_limit_wait=100)
    for _ in range(3):
        call.meets(LIMITED, {"RateLimit-Reset": "10"})
    call.meets(FAILED)
    with pytest.raises(HotmartServerError):
        call.meets(FAILED)


def test_while_one_call_waits_for_the_limit_nobody_else_calls() -> None:
    clock = SimulatedClock()
    budget = CallBudget(clock)
    called: list[float] = []

    def refused() -> None:
        Patience(RetryPolicy(), clock, budget, lambda: 0.0).wait(LIMITED, {"RateLimit-Reset": "17"})

    def other() -> None:
        clock.sleep(5)
        budget.acquire()
        called.append(clock.monotonic())

    clock.run(refused, other)

    assert called[0] >= 17.0


def test_the_waits_for_the_call_limit_add_up_to_the_allowed_and_no_further() -> None:
    call = Call(max_rate_limit_wait=60)
    call.meets(LIMITED, {"RateLimit-Reset": "40"})

    with pytest.raises(HotmartRateLimitError) as caught:
        call.meets(LIMITED, {"RateLimit-Reset": "30"})

    assert call.clock.slept == [40.0]
    assert "asks to wait 30 s, after 40 s of waiting, where max_rate_limit_wait allows 60 s" in str(caught.value)
    assert "raise max_rate_limit_wait" in str(caught.value)
    assert (caught.value.retry_after, caught.value.status, caught.value.path) == (30.0, 429, "/x")


def test_a_limit_of_untold_length_is_refused_as_such() -> None:
    with pytest.raises(HotmartRateLimitError, match="for an untold time") as caught:
        Call(max_rate_limit_wait=5).meets(LIMITED)
    assert caught.value.retry_after is None


def test_the_log_says_what_happened_and_shows_no_query(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        call = Call()
        call.meets(FAILED)
        call.meets(LIMITED, {"RateLimit-Reset": "17"})
    assert "HotmartServerError (HTTP 503), repeating the call in 0.5 s" in caplog.text
    assert "going on in 17 s" in caplog.text
    assert "maria" not in caplog.text
