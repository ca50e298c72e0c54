"""Which errors end a task for good."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.providers.common.compat.sdk import AirflowFailException


@contextmanager
def fail_without_retry() -> Iterator[None]:
    """
    Fail the task without retries on an error of this package that repeating the task cannot heal.

    :raises AirflowFailException: in place of an error that says that it is permanent.
    """
    try:
        yield
    except Exception as error:
        if not getattr(error, "permanent", False):
            raise
        failure = AirflowFailException(f"{type(error).__name__}: {error}")
    else:
        return
    # Outside the handler: the text says all there is to say, and nothing else is chained to it.
    raise failure
