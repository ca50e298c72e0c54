"""What can go wrong, sorted by what the caller can do about it."""

from __future__ import annotations

import copy
import pickle

import pytest

from airflow_provider_hotmart.api import errors

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.HotmartError)]
PERMANENT = {
    errors.HotmartConfigError,
    errors.HotmartAuthError,
    errors.HotmartPermissionError,
    errors.HotmartInvalidRequestError,
    errors.HotmartColumnError,
}


def test_an_error_says_what_to_do_then_the_facts() -> None:
    error = errors.HotmartServerError(
        "Hotmart failed: run it again later",
        status=503,
        error="internal_server_error",
        description="Try later",
        path="/products/api/v1/products",
    )

    assert str(error) == (
        "Hotmart failed: run it again later "
        "[HTTP 503, /products/api/v1/products, Hotmart says «internal_server_error: Try later»]"
    )


def test_facts_that_are_missing_leave_no_trace() -> None:
    assert str(errors.HotmartError("No connection")) == "No connection"
    assert str(errors.HotmartError("No connection", path="/x")) == "No connection [/x]"
    assert str(errors.HotmartError("Refused", description="bad")) == "Refused [Hotmart says «bad»]"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_only_what_no_repetition_heals_is_permanent(kind: type[errors.HotmartError]) -> None:
    assert kind.permanent is (kind in PERMANENT)


@pytest.mark.parametrize("kind", [errors.HotmartConfigError, errors.HotmartInvalidRequestError])
def test_a_wrong_value_is_a_value_error_too(kind: type[errors.HotmartError]) -> None:
    assert issubclass(kind, ValueError)


@pytest.mark.parametrize("duplicate", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_error_survives_the_way_to_another_process(duplicate: object) -> None:
    error = errors.HotmartRateLimitError("Used up", retry_after=7.0, status=429, path="/x")

    same = duplicate(error)  # type: ignore[operator]

    assert (type(same), str(same), same.retry_after, same.status) == (type(error), str(error), 7.0, 429)
