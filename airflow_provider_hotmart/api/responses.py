"""From the body of a successful answer to a page of rows. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw

from airflow_provider_hotmart.api.errors import unexpected_form
from airflow_provider_hotmart.api.http_errors import not_json_error

#: Bytes that are looked through in one go, beside those up to the next comma.
CHUNK_SIZE = 2**13
#: An exponent of three digits and more, outside of text: the number may be beyond range. To be searched for in
#: what _DIGITS makes of a body, because a pattern that begins with fixed characters is found quickly.
_LARGE_EXPONENT = re.compile(rb"e000+[,}\]\s]")
_DIGITS = bytes.maketrans(b"123456789+-E", b"00000000000e")
#: A next page's token, told as a text and not as null.
_SUCCESSOR = re.compile(rb'"next_page_token"\s*:\s*"')


@dataclass(frozen=True)
class Page:
    """
    One page of a listing.

    :param rows: each a JSON object on one line, as Hotmart wrote it; or of the type that was asked for.
    :param total: rows in the whole listing; None where Hotmart does not say.
    :param next_token: of the page that follows; None: this is the last one.
    :param is_bare: the body held neither rows nor anything about pages, as ``{}`` does.
    """

    rows: list[Any]
    total: int | None = None
    next_token: str | None = None
    is_bare: bool = False


class _PageInfo(msgspec.Struct):
    total_results: Any = None
    next_page_token: str | None = None


class _Body(msgspec.Struct):
    rows: list[Any] | None = None
    page_info: _PageInfo | None = None


@lru_cache
def _decoder(key: str, row_type: Any) -> msgspec.json.Decoder[_Body]:
    """Make what takes a page apart whose rows are under a key."""
    rows = ("rows", list[row_type] | None, None)  # named again, because what is inherited is not renamed
    return msgspec.json.Decoder(msgspec.defstruct("Body", [rows], bases=(_Body,), rename={"rows": key}))


_bare_array = msgspec.json.Decoder(list[Raw])


def parse_page(body: bytes, path: str, rows_key: str | None = "items", row_type: Any = Raw) -> Page:
    """
    Take a page apart.

    :param body: of a successful answer.
    :param path: of the request, for errors.
    :param rows_key: where the rows are; ``"[]"``: the body is an array of them; None: the body is the one row.
    :param row_type: what rows are decoded to, where all of them can be.
    :raises HotmartNotJsonError: when it is not JSON.
    :raises HotmartResponseError: when it is JSON of another form than promised.
    """
    is_row = rows_key is None
    if rows_key is None:
        body, rows_key = b"[" + body + b"]", "[]"
    if body.lstrip()[:1] != (b"[" if rows_key == "[]" else b"{"):
        raise not_json_error(body, path)
    if b"\n" in body or b"\r" in body:
        body = _compacted(body)
    try:
        page = _parse(body, rows_key, row_type)
    except msgspec.ValidationError as problem:
        if row_type is not Raw:
            return parse_page(body, path, rows_key)
        raise unexpected_form(str(problem), path) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        page = _parse_unusual(body, path, rows_key)
    if is_row and len(page.rows or ()) != 1:
        raise unexpected_form("it is not one object", path)
    if row_type is Raw and any(bytes(memoryview(row)[:1]) != b"{" for row in page.rows or ()):
        raise unexpected_form("a row is no object", path)
    info = page.page_info or _PageInfo()
    total = info.total_results
    return Page(
        page.rows or [],
        total if isinstance(total, int) and not isinstance(total, bool) else None,
        info.next_page_token or None,
        is_bare=page.rows is None and page.page_info is None,
    )


def names_a_successor(body: bytes) -> bool:
    """Tell whether a page seems to have a next one, much faster than by parsing it."""
    return bool(_SUCCESSOR.match(body, max(body.rfind(b'"next_page_token"'), 0)))  # Hotmart writes it last


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


def _parse(body: bytes, rows_key: str, row_type: Any) -> _Body:
    """Parse a body, and check of it what msgspec does not check of what stays raw."""
    page = _Body(_bare_array.decode(body)) if rows_key == "[]" else _decoder(rows_key, row_type).decode(body)
    is_ascii, may_be_beyond_range = body.isascii(), False
    for piece in _pieces(body):
        if not is_ascii:
            piece.decode()
        may_be_beyond_range = may_be_beyond_range or bool(_LARGE_EXPONENT.search(piece.translate(_DIGITS)))
    if may_be_beyond_range:
        msgspec.json.decode(body)
    return page


def _pieces(body: bytes) -> Iterator[bytes]:
    """Cut a body after commas, so that no number and no character is cut. Large copies would leave holes in memory."""
    start = 0
    while start < len(body):
        end = body.find(b",", start + CHUNK_SIZE) + 1 or len(body)
        yield body[start:end]
        start = end


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
        raise unexpected_form(str(problem), path) from None
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
    raise not_json_error(body, path)
