"""Whether a failed call is worth repeating, and when. Pure: facts in, decision out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

#: Answers that pass by themselves. 502 is among them only where the question cannot be made smaller.
PASSING = frozenset({408, 425, 500, 502, 503, 504})
FIRST_WAIT = 1.0
LONGEST_WAIT = 30.0
#: Seconds to wait for the call limit where the answer does not say how long.
UNTOLD_RATE_LIMIT_WAIT = 10.0


@dataclass(frozen=True)
class RetryPolicy:
    """
    How patient a client is with one call.

    :param max_retries: how often a call is repeated after a passing failure.
    :param max_rate_limit_wait: seconds that one call may spend waiting for the call limit, in all.
    """

    max_retries: int = 5
    max_rate_limit_wait: float = 120.0

    def wait_after_failure(self, attempt: int, jitter: float) -> float | None:
        """
        Seconds to wait before a call is repeated after a passing failure; None: give up.

        Doubles from one second to half a minute; the upper half of each wait is random, so that callers
        that failed together do not come back together.

        :param attempt: how many repetitions there were so far.
        :param jitter: a random number from 0 to 1.
        """
        if attempt >= self.max_retries:
            return None
        longest = min(FIRST_WAIT * 2.0 ** min(attempt, 30), LONGEST_WAIT)
        return longest * (0.5 + jitter / 2)

    def wait_after_rate_limit(self, told: float | None, waited: float, jitter: float) -> float | None:
        """
        Seconds to wait before a call that met the call limit is repeated; None: longer than allowed.

        :param told: seconds that the answer asked to wait, None when it did not say.
        :param waited: seconds that this call has waited for the limit so far.
        :param jitter: a random number from 0 to 1; spreads the callers that were all told the same second.
        """
        wait = max(1.0, UNTOLD_RATE_LIMIT_WAIT if told is None else told)
        return wait + jitter if waited + wait <= self.max_rate_limit_wait else None


def is_passing(status: int) -> bool:
    """Whether an HTTP status says that the same call may succeed a little later."""
    return status in PASSING or status > 504


def told_wait(headers: Mapping[str, str], now: float) -> float | None:
    """
    Seconds that an answer over the call limit asks to wait: the longer of Retry-After and RateLimit-Reset.

    RateLimit-Reset counts the seconds left, it is not an epoch.
    Source: https://developers.hotmart.com/docs/en/start/rate-limit/.

    :param headers: the answer's headers, looked up without regard to case.
    :param now: seconds since the epoch, for a Retry-After that is a date.
    """
    waits = [seconds(headers.get("RateLimit-Reset")), _retry_after(headers.get("Retry-After"), now)]
    known = [wait for wait in waits if wait is not None]
    return max(known) if known else None


def seconds(text: str | None) -> float | None:
    """Parse a header that holds a number of seconds, or a plain count; None when it does not."""
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return max(value, 0.0) if math.isfinite(value) else None


def _retry_after(text: str | None, now: float) -> float | None:
    number = seconds(text)
    if number is not None or text is None:
        return number
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    # A date that names no zone is meant as UTC, as HTTP has it.
    return max((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now, 0.0)
