"""Whether a failed call is worth repeating, and when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_hotmart.api.retry import (
    FIRST_WAIT,
    LONGEST_WAIT,
    UNTOLD_RATE_LIMIT_WAIT,
    RetryPolicy,
    is_passing,
    seconds,
    told_wait,
)

NOW = 1_445_412_400.0  # Wed, 21 Oct 2015 07:26:40 GMT
JITTER = st.floats(0, 1)


def test_waits_double_from_a_second_to_half_a_minute() -> None:
    policy = RetryPolicy(max_retries=8)
    waits = [policy.wait_after_failure(attempt, 1.0) for attempt in range(9)]
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30, None]


def test_no_retries_means_no_retries() -> None:
    assert RetryPolicy(max_retries=0).wait_after_failure(0, 0.5) is None


@given(st.integers(0, 5000), JITTER)
def test_a_wait_is_never_shorter_than_half_of_what_was_meant_nor_longer(attempt: int, jitter: float) -> None:
    wait = RetryPolicy(max_retries=10_000).wait_after_failure(attempt, jitter)
    assert wait is not None
    assert FIRST_WAIT / 2 <= wait <= LONGEST_WAIT


def test_callers_that_failed_together_do_not_come_back_together() -> None:
    policy = RetryPolicy()
    assert policy.wait_after_failure(3, 0.1) != policy.wait_after_failure(3, 0.9)
    assert policy.wait_after_rate_limit(5, 0, 0.1) != policy.wait_after_rate_limit(5, 0, 0.9)


@given(st.floats(0, 100), JITTER)
def test_nobody_comes_back_before_the_time_that_was_told(told: float, jitter: float) -> None:
    wait = RetryPolicy().wait_after_rate_limit(told, 0.0, jitter)
    assert wait is not None
    assert max(told, 1.0) <= wait <= max(told, 1.0) + 1.0


def test_an_untold_wait_is_a_guess() -> None:
    assert RetryPolicy().wait_after_rate_limit(None, 0.0, 0.0) == UNTOLD_RATE_LIMIT_WAIT


def test_a_wait_beyond_the_allowed_is_refused_rather_than_slept() -> None:
    policy = RetryPolicy(max_rate_limit_wait=60)
    assert policy.wait_after_rate_limit(60, 0, 0.0) == 60
    assert policy.wait_after_rate_limit(61, 0, 0.0) is None
    assert policy.wait_after_rate_limit(30, 31, 0.0) is None


def test_a_connection_that_allows_no_waiting_fails_at_once() -> None:
    assert RetryPolicy(max_rate_limit_wait=0).wait_after_rate_limit(0, 0, 0.0) is None


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504, 520, 524, 599])
def test_failures_of_the_service_pass(status: int) -> None:
    assert is_passing(status)


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 422, 429, 501])
def test_what_the_caller_has_to_change_does_not_pass(status: int) -> None:
    assert not is_passing(status)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"RateLimit-Reset": "12"}, 12),
        ({"Retry-After": "7"}, 7),
        ({"RateLimit-Reset": "12", "Retry-After": "7"}, 12),
        ({"RateLimit-Reset": "3", "Retry-After": "7"}, 7),
        ({"RateLimit-Reset": "soon"}, None),
        ({"Retry-After": "Wed, 21 Oct 2015 07:27:00 GMT"}, 20),
        ({"Retry-After": "Wed, 21 Oct 2015 07:27:00"}, 20),
        ({"Retry-After": "Wed, 21 Oct 2015 07:27:00 -0000"}, 20),
        ({"Retry-After": "Wed, 21 Oct 2015 09:27:00 +0200"}, 20),
        ({"Retry-After": "Wed, 21 Oct 2015 07:00:00 GMT"}, 0),
        ({"Retry-After": "in a while"}, None),
        ({"Retry-After": ""}, None),
    ],
)
def test_an_answer_tells_how_long_to_wait(headers: dict[str, str], wait: float | None) -> None:
    assert told_wait(headers, NOW) == wait


@pytest.mark.parametrize(
    ("text", "value"), [("5", 5), (" 5.5 ", 5.5), ("-5", 0), ("", None), ("x", None), ("nan", None), ("inf", None)]
)
def test_seconds_are_read_only_from_a_finite_number(text: str, value: float | None) -> None:
    assert seconds(text) == value


def test_no_header_is_no_number_of_seconds() -> None:
    assert seconds(None) is None
