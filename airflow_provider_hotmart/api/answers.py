"""From an HTTP answer to its decoded body, or to the error that it stands for. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from airflow_provider_hotmart.api import codec
from airflow_provider_hotmart.api.errors import (
    HotmartAuthError,
    HotmartError,
    HotmartInvalidRequestError,
    HotmartNotFoundError,
    HotmartPermissionError,
    HotmartRateLimitError,
    HotmartResponseError,
    HotmartServerError,
    HotmartTransportError,
)

#: Hotmart's descriptions are short; anything longer is no description.
LONGEST_DESCRIPTION = 300


class CutShortError(HotmartTransportError):
    """The connection ended before the announced end of the body."""


class NotJsonError(HotmartResponseError):
    """The body of a successful answer is empty, HTML, or not a JSON object: worth one more try."""


def decode(raw: bytes, path: str) -> dict[str, Any]:
    """
    Decode the body of a successful answer.

    :param raw: the body.
    :param path: of the request, for the error.
    :return: the JSON object.
    :raises NotJsonError: when it is anything else.
    """
    if not raw.strip():
        raise NotJsonError("Hotmart answered 200 with an empty body, which is no answer: run it again", path=path)
    try:
        body = codec.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, dict):
        return body
    looks = "an HTML page (a firewall or a maintenance notice)" if raw.lstrip()[:1] == b"<" else "no JSON object"
    raise NotJsonError(
        f"Hotmart answered 200 with {looks} in place of its JSON: run it again, and check host and proxy if it stays",
        path=path,
    )


def error_for(
    status: int, headers: Mapping[str, str], raw: bytes, path: str, secrets: Iterable[str] = ()
) -> HotmartError:
    """
    Find the error that an unsuccessful answer stands for.

    :param status: HTTP status, not 200.
    :param headers: looked up without regard to case.
    :param raw: the body.
    :param path: of the request.
    :param secrets: texts that must not show in the error, in whatever encoding Hotmart echoes them.
    """
    error, description = _told(raw, secrets)
    facts: dict[str, Any] = {"status": status, "error": error, "description": description, "path": path}
    if 300 <= status < 400:
        return HotmartResponseError(
            "Hotmart redirects elsewhere in place of answering: check host and environment of the connection",
            **facts,
        )
    if status == 401 and error != "unauthorized_client":
        return HotmartAuthError(
            "Hotmart does not accept the access token, nor a new one: "
            "check that the credential belongs to this environment and was not deleted",
            **facts,
        )
    if status in (401, 403):
        return HotmartPermissionError(
            "The credential has no right to this: create it as the owner of the account, "
            "or have the owner grant you access",
            **facts,
        )
    if status == 404:
        return HotmartNotFoundError("Hotmart knows nothing at this path: check host of the connection", **facts)
    if status == 429:
        return HotmartRateLimitError("Hotmart's call limit is used up", **facts)
    if status >= 500 or status in (408, 425):
        return HotmartServerError("Hotmart failed: run it again later", **facts)
    return HotmartInvalidRequestError("Hotmart refuses the request: correct the filters", **facts)


def _told(raw: bytes, secrets: Iterable[str]) -> tuple[str | None, str | None]:
    """Hotmart's own error and description, where the body is Hotmart's."""
    try:
        body = codec.loads(raw)
    except (ValueError, RecursionError):
        return None, None
    if not isinstance(body, dict):
        return None, None
    hidden = list(secrets)
    told = (body.get("error"), body.get("error_description") or body.get("message"))
    error, description = (scrub(one, hidden) if isinstance(one, str) and one else None for one in told)
    return error, description


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
                # Hotmart may repeat an e-mail address in another case than it was sent.
                text = re.sub(re.escape(form), "***", text, flags=re.IGNORECASE)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_DESCRIPTION else f"{text[:LONGEST_DESCRIPTION]}…"
