"""From an HTTP answer to its body, or to the error that it stands for."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from airflow_provider_hotmart.api import errors
from airflow_provider_hotmart.api.answers import LONGEST_DESCRIPTION, NotJsonError, decode, error_for, scrub

PATH = "/payments/api/v1/sales/users"


def error(status: int, body: Any = None, secrets: tuple[str, ...] = ()) -> errors.HotmartError:
    """The error of an answer."""
    raw = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    return error_for(status, {}, raw, PATH, secrets)


def test_a_json_object_is_the_body() -> None:
    assert decode(b'{"items": []}', PATH) == {"items": []}
    assert decode(b"{}", PATH) == {}


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "an empty body"),
        (b" \r\n", "an empty body"),
        (b" <!DOCTYPE html><html>", "an HTML page"),
        (b"[]", "no JSON object"),
        (b"null", "no JSON object"),
        (b'{"items": [', "no JSON object"),
        (b"\xff\xfe", "no JSON object"),
        (b"[" * 100_000, "no JSON object"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_anything_else_is_never_no_data(raw: bytes, told: str) -> None:
    with pytest.raises(NotJsonError, match=told) as caught:
        decode(raw, PATH)
    assert caught.value.path == PATH


@pytest.mark.parametrize(
    ("status", "told", "kind"),
    [
        (302, None, errors.HotmartResponseError),
        (400, "invalid_parameter", errors.HotmartInvalidRequestError),
        (401, "token_expired", errors.HotmartAuthError),
        (401, "unauthorized", errors.HotmartAuthError),
        (401, None, errors.HotmartAuthError),
        (401, "unauthorized_client", errors.HotmartPermissionError),
        (403, "unauthorized_client", errors.HotmartPermissionError),
        (403, None, errors.HotmartPermissionError),
        (404, "not_found", errors.HotmartNotFoundError),
        (408, None, errors.HotmartServerError),
        (422, None, errors.HotmartInvalidRequestError),
        (425, None, errors.HotmartServerError),
        (429, "too_many_requests", errors.HotmartRateLimitError),
        (500, "internal_server_error", errors.HotmartServerError),
        (502, None, errors.HotmartServerError),
        (599, None, errors.HotmartServerError),
    ],
)
def test_a_status_is_sorted_by_what_the_caller_can_do(
    status: int, told: str | None, kind: type[errors.HotmartError]
) -> None:
    found = error(status, {"error": told} if told else None)
    assert type(found) is kind
    assert (found.status, found.error, found.path) == (status, told, PATH)


@pytest.mark.parametrize("field", ["error_description", "message"])
def test_hotmarts_own_words_are_part_of_the_error(field: str) -> None:
    assert "«invalid_parameter: No such status»" in str(
        error(400, {"error": "invalid_parameter", field: "No such status"})
    )


@pytest.mark.parametrize(
    "body", [b"<html>blocked by firewall</html>", b"", b"[1]", b'{"error": {"code": 7}}', b"[" * 99_999]
)
def test_a_body_that_is_not_hotmarts_is_not_quoted(body: bytes) -> None:
    found = error(403, body)
    assert (found.error, found.description) == (None, None)


@pytest.mark.parametrize("secret", ["s3cr%2Bet/=", "maria silva+x@example.com", "João"])
def test_a_secret_is_hidden_in_whatever_form_it_is_echoed(secret: str) -> None:
    encoded = base64.b64encode(secret.encode()).decode()
    for form in (secret, quote(secret, safe=""), quote_plus(secret), encoded, encoded.rstrip("=")):
        found = error(400, {"error": f"bad {form}", "error_description": f"value {form} refused"}, (secret,))
        assert str(found).count("***") == 2
        assert form not in str(found)


def test_an_empty_secret_hides_nothing() -> None:
    assert scrub("plain words", [""]) == "plain words"


def test_a_description_is_one_line_of_bounded_length() -> None:
    assert scrub("a\n b\t c", []) == "a b c"
    assert len(scrub("word " * 1000, [])) == LONGEST_DESCRIPTION + 1


def test_an_error_never_shows_the_beginning_of_a_secret_that_was_cut() -> None:
    secret = "s3cret" * 10
    told = scrub("x" * (LONGEST_DESCRIPTION - 10) + secret, [secret])
    assert "s3cret" not in told


def test_a_secret_that_is_repeated_in_another_case_does_not_show() -> None:
    assert "maria" not in scrub("buyer MARIA@example.com unknown, maria%40EXAMPLE.com", ["Maria@Example.com"]).lower()
