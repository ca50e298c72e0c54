"""What headers of an answer say about waiting. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """
    Give the seconds that an answer over the call limit asks to wait: the longer of Retry-After and RateLimit-Reset.

    RateLimit-Reset counts the seconds left, it is not an epoch.
    Source: https://developers.hotmart.com/docs/en/start/rate-limit/.

    :param headers: the answer's headers, looked up without regard to case.
    :param now: seconds since the epoch, for a Retry-After that is a date.
    """
    waits = [seconds(headers.get("RateLimit-Reset")), _parse_retry_after(headers.get("Retry-After"), now)]
    return max((wait for wait in waits if wait is not None), default=None)


def seconds(text: str | None) -> float | None:
    """Parse a header that holds a number of seconds, or a plain count; None when it does not."""
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return max(value, 0.0) if math.isfinite(value) else None


def _parse_retry_after(text: str | None, now: float) -> float | None:
    number = seconds(text)
    if number is not None or text is None:
        return number
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    # A date that names no zone is meant as UTC, as HTTP has it.
    return max((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now, 0.0)
