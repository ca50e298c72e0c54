"""What the headers of an answer say about waiting."""

from __future__ import annotations

import pytest

from airflow_provider_hotmart.api.headers import retry_after, seconds

NOW = 1_445_412_400.0  # Wed, 21 Oct 2015 07:26:40 GMT


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
    assert retry_after(headers, NOW) == wait


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", 5), (" 5.5 ", 5.5), ("-5", 0), ("", None), ("x", None), ("nan", None), ("inf", None), (None, None)],
)
def test_seconds_are_read_only_from_a_finite_number(text: str | None, value: float | None) -> None:
    assert seconds(text) == value
