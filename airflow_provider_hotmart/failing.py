"""Which errors end a task for good."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.providers.common.compat.sdk import AirflowFailException


@contextmanager
def fail_without_retry() -> Iterator[None]:
    """
    Fail the task without retries on an error of this package that repeating the task cannot heal.

    :raises AirflowFailException: in place of an error that says that it is permanent. The text begins with cause and
        remedy, because a list of logs shows no more than its first words; the name of the error ends it.
    """
    try:
        yield
    except Exception as error:
        if not getattr(error, "permanent", False):
            raise
        # The text says all there is to say: a log that shows what it came from shows it twice.
        raise AirflowFailException(f"{error} ({type(error).__name__})") from None
