"""From an HTTP answer to the error that it stands for. Pure."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from airflow_provider_hotmart.api.errors import (
    HotmartAuthError,
    HotmartError,
    HotmartInvalidRequestError,
    HotmartNotFoundError,
    HotmartNotJsonError,
    HotmartPermissionError,
    HotmartRateLimitError,
    HotmartResponseError,
    HotmartServerError,
    HotmartTransportError,
)
from airflow_provider_hotmart.api.headers import retry_after
from airflow_provider_hotmart.api.http import Response

#: Hotmart's descriptions are short; anything longer is no description.
MAX_DESCRIPTION = 300
#: Hotmart's names of errors; anything else may be a sentence, and echo what was asked for.
_ERROR_CODE = re.compile("[a-z0-9_]+")


def error_of(
    response: Response, path: str, *, now: float, secrets: Iterable[str] = (), personal: bool = False
) -> HotmartError | None:
    """
    Find the error that an answer stands for; None: it is a success.

    :param path: of the request.
    :param now: seconds since the epoch.
    :param secrets: texts that must not show in the error, in whatever encoding Hotmart echoes them.
    :param personal: whether a personal filter was sent; Hotmart's description, which may echo it, is then left out.
    """
    status, body = response.status, response.body
    first = body.lstrip()[:1]
    looks_like_json = first in (b"{", b"[")
    if status == 200 and looks_like_json:
        return None
    if not looks_like_json and (first or status == 200):
        if status != 429 and status < 500:
            return not_json_error(body, path, status)
        body = b""
    error, description = _said(body, list(secrets))
    if personal:
        description = None
        error = error if error and _ERROR_CODE.fullmatch(error) else None
    return _error(status, path, error, description, retry_after(response.headers, now))


def _error(status: int, path: str, error: str | None, description: str | None, wait: float | None) -> HotmartError:
    facts: dict[str, Any] = {"status": status, "error": error, "description": description, "path": path}
    if status < 300:
        return HotmartResponseError(
            "Hotmart answered with a status that it does not document: run it again, and check host and proxy", **facts
        )
    if status < 400:
        return HotmartNotJsonError(
            "Hotmart redirects elsewhere in place of answering: check host and environment of the connection", **facts
        )
    if status == 401 and error != "unauthorized_client":
        failure = HotmartAuthError(
            "Hotmart does not accept the access token, nor new ones: "
            "check that the credential belongs to this environment and was not deleted",
            **facts,
        )
        # Another task of the credential may have got a newer token, where only the newest one lives.
        failure.retryable = True
        return failure
    if status in (401, 403):
        return HotmartPermissionError(
            "The credential has no right to this: create it as the owner of the account, "
            "or have the owner grant you access",
            **facts,
        )
    if status == 404:
        return HotmartNotFoundError(
            "Hotmart does not know what was asked for: check the filters, and host of the connection", **facts
        )
    if status == 407:
        return HotmartTransportError("The proxy asks for a password: check the proxy settings", **facts)
    if status == 429:
        return HotmartRateLimitError("Hotmart's call limit is used up: run it again later", retry_after=wait, **facts)
    if status >= 500 or status in (408, 409, 423, 425, 499):
        return HotmartServerError("Hotmart failed: run it again later", **facts)
    if status in (400, 413, 414, 422):
        return HotmartInvalidRequestError("Hotmart refuses the request: correct the filters", **facts)
    return HotmartResponseError(
        "Hotmart answered with a status that it does not document: check host and proxy", **facts
    )


def _said(body: bytes, secrets: list[str]) -> tuple[str | None, str | None]:
    """Read Hotmart's own error and description, also from the envelopes that Club and others use."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None, None
    texts: dict[str, str] = {}
    todo = [content]
    while todo:
        one = todo.pop(0)
        if isinstance(one, list):
            todo += one[:1]
        elif isinstance(one, dict):
            for key, value in one.items():
                if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "":
                    texts.setdefault(key, str(value))
                else:
                    todo.append(value)
    error = next((texts[key] for key in ("error", "code", "error_code", "reason") if key in texts), None)
    keys = ("error_description", "message", "description", "detail", "reason")
    description = next((texts[key] for key in keys if key in texts and texts[key] != error), None)
    return (
        None if error is None else scrub(error, secrets),
        None if description is None else scrub(description, secrets),
    )


def scrub(text: str, secrets: Iterable[str]) -> str:
    """
    Take secrets out of a text, whether they stand plain, URL-encoded, URL-decoded or base64.

    :param text: what somebody else wrote.
    :param secrets: what must not show.
    :return: one line of bounded length.
    """
    for secret in secrets:
        encoded = base64.b64encode(secret.encode()).decode()
        urls = (quote(secret, safe=""), quote(secret), quote_plus(secret), unquote(secret))
        for form in (secret, *urls, encoded, encoded.rstrip("=")):
            if form:
                text = re.sub(re.escape(form), "***", text, flags=re.IGNORECASE)
    text = " ".join(text.split())
    return text if len(text) <= MAX_DESCRIPTION else f"{text[:MAX_DESCRIPTION]}…"


def not_json_error(body: bytes, path: str, status: int | None = None) -> HotmartNotJsonError:
    """Say what a firewall, a proxy or a maintenance page sent in place of Hotmart's JSON."""
    looks = "an empty body" if not body.strip() else "something else"
    if body.lstrip()[:1] == b"<":
        looks = "an HTML page"
    return HotmartNotJsonError(
        f"Hotmart answered with {looks}, not JSON: run it again, and check host and proxy if it stays "
        "(a firewall or a maintenance notice may answer in its place)",
        status=status,
        path=path,
    )
