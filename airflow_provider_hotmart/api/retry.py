"""Whether a failed call is repeated, and when: the one place that decides it."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_hotmart.api.errors import HotmartError, HotmartRateLimitError

_log = logging.getLogger(__name__)
#: Seconds before the first repetition; doubles each time.
MIN_WAIT = 1.0
MAX_WAIT = 30.0
#: Seconds to wait for the call limit where the answer does not say how long.
DEFAULT_RETRY_AFTER = 10.0


@dataclass(frozen=True)
class RetryPolicy:
    """
    How often and how long one call is repeated.

    :param max_retries: repetitions after a failure that may pass.
    :param max_rate_limit_wait: seconds that one call may spend waiting for the call limit, in all.
    """

    max_retries: int = 5
    max_rate_limit_wait: float = 120.0


class Retrier:
    """
    The repetitions of one call.

    :param policy: how many there may be.
    :param sleep: waits for so many seconds.
    :param block: lets no other call of the credential be sent for so many seconds.
    :param jitter: gives random numbers from 0 to 1.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        sleep: Callable[[float], None],
        block: Callable[[float], None],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._policy = policy
        self._sleep = sleep
        self._block = block
        self._jitter = jitter
        self._retries = 0
        self._waited = 0.0

    def wait(self, error: HotmartError) -> None:
        """
        Wait before the call is repeated.

        :param error: why it is to be repeated.
        :raises HotmartError: the error, when repeating is no use or was tried often enough.
        """
        if isinstance(error, HotmartRateLimitError):
            self._wait_for_limit(error)
            return
        if not error.retryable or self._retries >= self._policy.max_retries:
            raise error
        # The upper half of each wait is random, so that callers that failed together do not come back together.
        wait = min(MIN_WAIT * 2.0 ** min(self._retries, 30), MAX_WAIT) * (0.5 + self._jitter() / 2)
        self._retries += 1
        answer = f"HTTP {error.status}" if error.status else "no usable answer"
        _log.info("%s (%s), repeating the call in %.1f s", type(error).__name__, answer, wait)
        self._sleep(wait)

    def _wait_for_limit(self, error: HotmartRateLimitError) -> None:
        wait = max(1.0, DEFAULT_RETRY_AFTER if error.retry_after is None else error.retry_after)
        if self._waited + wait > self._policy.max_rate_limit_wait:
            asked = "an unknown time" if error.retry_after is None else f"{error.retry_after:.0f} s"
            raise HotmartRateLimitError(
                f"Hotmart's call limit is used up, run it later or raise max_rate_limit_wait in the connection: it "
                f"asks to wait {asked} after {self._waited:.0f} s of waiting, where the connection allows "
                f"{self._policy.max_rate_limit_wait:.0f} s",
                retry_after=error.retry_after,
                **error.details,
            )
        # Spreads the callers that were all told the same second.
        wait += self._jitter()
        self._waited += wait
        self._block(wait)
        _log.info("Hotmart's call limit is used up, going on in %.0f s", wait)
        self._sleep(wait)
