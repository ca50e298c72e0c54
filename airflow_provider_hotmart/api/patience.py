"""How long one call goes on trying."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import NoReturn

from airflow_provider_hotmart.api.answers import NotJsonError
from airflow_provider_hotmart.api.clock import Clock
from airflow_provider_hotmart.api.errors import (
    HotmartError,
    HotmartRateLimitError,
    HotmartServerError,
    HotmartTransportError,
)
from airflow_provider_hotmart.api.rate_limit import CallBudget
from airflow_provider_hotmart.api.retry import RetryPolicy, is_passing, told_wait

_log = logging.getLogger(__name__)


class Patience:
    """
    What patience is left with one call.

    :param policy: how much there is.
    :param clock: the passing of time.
    :param budget: the call budget, closed to everybody while the call limit is used up.
    :param jitter: gives random numbers from 0 to 1.
    """

    def __init__(self, policy: RetryPolicy, clock: Clock, budget: CallBudget, jitter: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock
        self._budget = budget
        self._jitter = jitter
        self._failures = 0
        self._waited = 0.0

    def wait(self, error: HotmartError, headers: Mapping[str, str]) -> None:
        """
        Wait before the call is repeated.

        :param error: why it is to be repeated.
        :param headers: of the answer, if there was one.
        :raises HotmartError: the error, when repeating is no use or was tried often enough.
        """
        if isinstance(error, HotmartRateLimitError):
            self._wait_for_limit(error, headers)
            return
        wait = self._policy.wait_after_failure(self._failures, self._jitter()) if _may_pass(error) else None
        if wait is None:
            raise error
        self._failures += 1
        answer = f"HTTP {error.status}" if error.status else "no usable answer"
        _log.info("%s (%s), repeating the call in %.1f s", type(error).__name__, answer, wait)
        self._clock.sleep(wait)

    def _wait_for_limit(self, error: HotmartRateLimitError, headers: Mapping[str, str]) -> None:
        told = told_wait(headers, self._clock.time())
        wait = self._policy.wait_after_rate_limit(told, self._waited, self._jitter())
        if wait is None:
            self._refuse(error, told)
        self._waited += wait
        self._budget.block(wait)
        _log.info("Hotmart's call limit is used up, going on in %.0f s", wait)
        self._clock.sleep(wait)

    def _refuse(self, error: HotmartRateLimitError, told: float | None) -> NoReturn:
        asked = "for an untold time" if told is None else f"{told:.0f} s"
        raise HotmartRateLimitError(
            f"Hotmart's call limit is used up and it asks to wait {asked}, after {self._waited:.0f} s of waiting, "
            f"where max_rate_limit_wait allows {self._policy.max_rate_limit_wait:.0f} s: "
            "run it later, or raise max_rate_limit_wait in the connection",
            retry_after=told,
            status=error.status,
            error=error.error,
            description=error.description,
            path=error.path,
        )


def _may_pass(error: HotmartError) -> bool:
    if isinstance(error, HotmartServerError):
        return error.status is not None and is_passing(error.status)
    return isinstance(error, (HotmartTransportError, NotJsonError))
