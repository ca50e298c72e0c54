"""Answers before they go over the wire."""

from __future__ import annotations

import base64
import binascii
import json
import random
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_hotmart.emulator.quirks import Quirks
from airflow_provider_hotmart.emulator.service.bodies import encode, laid_out, shuffled

_TEXTS = {
    "unauthorized": "Full authentication is required to access this resource",
    "invalid_token": "The token is invalid",
    "token_expired": "The token has expired",
    "unauthorized_client": "You don't have permission to take this action",
    "too_many_requests": "The limit of calls per minute has been exceeded",
    "not_found": "Resource not found",
    "internal_server_error": "An unexpected error has occurred",
    "invalid_value_headers": "Unexpected header",
    "invalid_client": "Bad client credentials",
    "method_not_allowed": "Method not allowed",
}


def page_token(page: int, rows: int, again: int = 0, size_key: str = "rows") -> str:
    """
    Make the token of a page.

    :param page: from 1
    :param rows: items on a page
    :param again: another number, another token of the same page
    :param size_key: "rows", or "size" as products have it
    """
    content = {"page": page, size_key: rows} | ({"again": again} if again else {})
    return base64.b64encode(encode(content)).decode()


def read_page_token(token: str) -> tuple[int, int, int] | None:
    """
    Read page, rows and repetition from a token; None: it is none.

    :param token: as the client sent it
    """
    try:
        content = json.loads(base64.b64decode(token, validate=True))
        rows = content["size"] if "size" in content else content["rows"]
        found = int(content["page"]), int(rows), int(content.get("again", 0))
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError):
        return None
    return found if found[0] >= 1 and found[1] >= 1 else None


@dataclass
class Page:
    """
    One page of a listing.

    :param items: texts of the items
    :param number: of the page, from 1
    :param rows: items that fit on a page
    :param asked: the token that it was asked for with; None: none
    :param next: token of the next page; None: this is the last one
    :param total: items in the whole listing; None: not told
    :param nothing_selected: the paths of ``select`` matched nothing
    :param as_it_is: an empty page keeps the full shape
    :param garbled: the items are no list
    :param size_key: of its tokens
    :param form: "page"; "array": a bare one; "object": the only item; anything else: the key of the array, and no pages
    """

    items: list[bytes]
    number: int
    rows: int
    asked: str | None = None
    next: str | None = None
    total: int | None = None
    nothing_selected: bool = False
    as_it_is: bool = False
    garbled: bool = False
    size_key: str = "rows"
    form: str = "page"

    def token(self, number: int, again: int = 0) -> str:
        """
        Give the token of a page of the same listing.

        :param number: of that page, from 1
        :param again: another number, another token of the same page
        """
        return page_token(number, self.rows, again, self.size_key)

    def text(self, quirks: Quirks, rng: random.Random) -> bytes:
        """
        Give the JSON text of the page.

        :param quirks: how empty pages and last pages look
        :param rng: decides the order of keys if that is to change
        """
        if self.nothing_selected:
            return b"{}"
        if self.form != "page":
            return laid_out(self._unpaged(), quirks.json_layout)
        empty = not self.items and not self.as_it_is and not self.garbled
        if empty and quirks.empty_shape == "object":
            return b"{}"
        info = self._info(quirks)
        parts = [b'"page_info":' + encode(shuffled(info, rng) if quirks.shuffle_keys else info)]
        if not empty or quirks.empty_shape == "items":
            parts.insert(0, b'"items":' + (b'{"0":{}}' if self.garbled else b"[" + b",".join(self.items) + b"]"))
        if quirks.shuffle_keys:
            rng.shuffle(parts)
        return laid_out(b"{" + b",".join(parts) + b"}", quirks.json_layout)

    def _unpaged(self) -> bytes:
        if self.form == "object":
            return b"".join(self.items)
        array = b'{"0":{}}' if self.garbled else b"[" + b",".join(self.items) + b"]"
        return array if self.form == "array" else b"{" + encode(self.form) + b":" + array + b"}"

    def _info(self, quirks: Quirks) -> dict[str, Any]:
        info: dict[str, Any] = {}
        if self.total is not None and quirks.total_results:
            info["total_results"] = self.total
        if self.next is not None:
            info["next_page_token"] = self.next
        else:
            blanks = {"null": None, "empty": ""}
            if quirks.last_page_token in blanks:
                info["next_page_token"] = blanks[quirks.last_page_token]
        if quirks.prev_page_token == "null":
            info["prev_page_token"] = None
        elif quirks.prev_page_token == "token" and self.number > 1:
            info["prev_page_token"] = self.token(self.number - 1)
        return info | {"results_per_page": len(self.items)}


@dataclass
class Answer:
    """
    One answer.

    :param status: HTTP status
    :param body: bytes, when there is no page
    :param content_type: of the body
    :param headers: beyond the usual ones
    :param page: the body is made from it
    """

    status: int
    body: bytes = b""
    content_type: str = "application/json;charset=UTF-8"
    headers: dict[str, str] = field(default_factory=dict)
    page: Page | None = None


def error_answer(status: int, error: str, quirks: Quirks, text: str | None = None) -> Answer:
    """
    An answer that says what went wrong.

    :param status: HTTP status
    :param error: Hotmart's name of the error
    :param quirks: which key holds the text
    :param text: None: the usual one
    """
    body = {
        "error": error,
        quirks.error_text: text or _TEXTS.get(error, "The request is invalid"),
        "error_uri": f"https://developers.hotmart.com/docs/en/start/errors/#{error}",
    }
    return Answer(status, laid_out(encode(body), quirks.json_layout))


def club_answer(status: int, code: str, text: str, quirks: Quirks) -> Answer:
    """
    An error of the members' area: a text code, and no ``error``.

    :param status: HTTP status
    :param code: of four digits
    :param text: what is wrong
    :param quirks: how JSON is laid out
    """
    return Answer(status, laid_out(encode({"code": code, "message": text}), quirks.json_layout))
