"""From an HTTP answer to a page of rows, or to the error that it stands for. Pure."""

from __future__ import annotations

import base64
import json
import re
from codecs import iterdecode
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn
from urllib.parse import quote, quote_plus, unquote

import msgspec
from msgspec import Raw

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

#: Bytes that are checked to be UTF-8 in one go.
CHUNK_SIZE = 2**15
#: Hotmart's descriptions are short; anything longer is no description.
MAX_DESCRIPTION = 300
#: A number whose exponent has three digits and more, outside of text: it may be beyond range.
#: Two patterns, because each begins with a letter that is found quickly.
_LARGE_EXPONENTS = tuple(re.compile(letter + rb"[+-]?[0-9]{3,}[,}\]\s]") for letter in (b"e", b"E"))
#: Hotmart's names of errors; anything else may be a sentence, and echo what was asked for.
_ERROR_CODE = re.compile("[a-z0-9_]+")


@dataclass(frozen=True)
class Page:
    """
    One page of a listing.

    :param rows: each a JSON object on one line, as Hotmart wrote it.
    :param total: rows in the whole listing; None where Hotmart does not say.
    :param next_token: of the page that follows; None: this is the last one.
    :param is_bare: the body held neither rows nor anything about pages, as ``{}`` does.
    """

    rows: list[Raw]
    total: int | None = None
    next_token: str | None = None
    is_bare: bool = False


class _PageInfo(msgspec.Struct):
    total_results: Any = None
    next_page_token: str | None = None


class _Body(msgspec.Struct):
    rows: list[Raw] | None = None
    page_info: _PageInfo | None = None


@lru_cache
def _decoder(key: str) -> msgspec.json.Decoder[_Body]:
    """Make what takes a page apart whose rows are under a key."""
    rows = ("rows", list[Raw] | None, None)  # named again, because what is inherited is not renamed
    return msgspec.json.Decoder(msgspec.defstruct("Body", [rows], bases=(_Body,), rename={"rows": key}))


_bare_array = msgspec.json.Decoder(list[Raw])


def parse_page(body: bytes, path: str, rows_key: str | None = "items") -> Page:
    """
    Take a page apart.

    :param body: of a successful answer.
    :param path: of the request, for errors.
    :param rows_key: where the rows are; ``"[]"``: the body is an array of them; None: the body is the one row.
    :raises HotmartNotJsonError: when it is not JSON.
    :raises HotmartResponseError: when it is JSON of another form than promised.
    """
    is_row = rows_key is None
    if rows_key is None:
        body, rows_key = b"[" + body + b"]", "[]"
    if body.lstrip()[:1] != (b"[" if rows_key == "[]" else b"{"):
        raise _not_json_error(body, path)
    if b"\n" in body or b"\r" in body:
        body = _compacted(body)
    try:
        if not body.isascii():
            # What stays raw is not checked by msgspec. In pieces, because the whole as text is slow to make.
            pieces = (body[start : start + CHUNK_SIZE] for start in range(0, len(body), CHUNK_SIZE))
            deque(iterdecode(pieces, "utf-8"), maxlen=0)
        if rows_key == "[]":
            page = _Body(_bare_array.decode(body))
        else:
            page = _decoder(rows_key).decode(body)
        if any(pattern.search(body) for pattern in _LARGE_EXPONENTS):
            msgspec.json.decode(body)
    except msgspec.ValidationError as problem:
        _refuse_form(str(problem), path)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        page = _parse_unusual(body, path, rows_key)
    if is_row and len(page.rows or ()) != 1:
        _refuse_form("it is not one object", path)
    for row in page.rows or ():
        if bytes(memoryview(row)[:1]) != b"{":
            _refuse_form("a row is no object", path)
    info = page.page_info or _PageInfo()
    total = info.total_results
    return Page(
        page.rows or [],
        total if isinstance(total, int) and not isinstance(total, bool) else None,
        info.next_page_token or None,
        is_bare=page.rows is None and page.page_info is None,
    )


def parse_object(body: bytes, path: str) -> Any:
    """
    Decode a whole body.

    :param body: of a successful answer.
    :param path: of the request, for errors.
    :raises HotmartNotJsonError: when it is not JSON.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decode_with_json(body, path)


def _compacted(body: bytes) -> bytes:
    """Write a body without line breaks, so that a row fits on a line; what is no JSON stays."""
    try:
        return msgspec.json.format(body, indent=-1)
    except (msgspec.DecodeError, RecursionError):
        return body


def _parse_unusual(body: bytes, path: str, rows_key: str) -> _Body:
    """Parse what msgspec refuses and the standard library takes: half of a surrogate pair in somebody's name."""
    content = _decode_with_json(body, path)
    try:
        if rows_key == "[]":
            return _Body([_escaped(row) for row in msgspec.convert(content, list[Any])])
        page = msgspec.convert(content, dict[str, Any])
        rows = msgspec.convert(page.get(rows_key), list[Any] | None)
        info = msgspec.convert(page.get("page_info"), _PageInfo | None)
    except (msgspec.ValidationError, UnicodeError) as problem:
        _refuse_form(str(problem), path)
    return _Body(None if rows is None else [_escaped(row) for row in rows], info)


def _escaped(row: Any) -> Raw:
    return Raw(json.dumps(row, separators=(",", ":")).encode())


def _decode_with_json(body: bytes, path: str) -> Any:
    try:
        content = json.loads(body)
        json.dumps(content, allow_nan=False)
    except (ValueError, RecursionError):
        pass
    else:
        return content
    raise _not_json_error(body, path)


def _not_json_error(body: bytes, path: str, status: int | None = None) -> HotmartNotJsonError:
    """Say what a firewall, a proxy or a maintenance page sent in place of Hotmart's JSON."""
    looks = "an empty body" if not body.strip() else "something else"
    if body.lstrip()[:1] == b"<":
        looks = "an HTML page (a firewall or a maintenance notice)"
    return HotmartNotJsonError(
        f"Hotmart answered with {looks} in place of its JSON: run it again, and check host and proxy if it stays",
        status=status,
        path=path,
    )


def _refuse_form(what: str, path: str) -> NoReturn:
    raise HotmartResponseError(f"Hotmart's answer has another form than documented ({what}): report it", path=path)


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
            return _not_json_error(body, path, status)
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
        return HotmartRateLimitError("Hotmart's call limit is used up", retry_after=wait, **facts)
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
