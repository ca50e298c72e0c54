"""What goes wrong on the way from a service to a client, to be played on demand."""

from __future__ import annotations

import functools
import http.client
import re
import struct
import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from airflow_provider_hotmart.emulator.quirks import Quirks
from airflow_provider_hotmart.emulator.service.answers import Answer, Page, club_answer, error_answer, read_page_token

DOCS_PATH = "/docs/en/"
_FIREWALL = (
    "<!DOCTYPE html><html><head><title>Request blocked</title></head><body><h1>Request blocked</h1></body></html>"
)
_ERRORS = {
    400: "invalid_parameter",
    401: "unauthorized",
    403: "unauthorized_client",
    404: "not_found",
    429: "too_many_requests",
}
_JSON = "application/json;charset=UTF-8"
_MEGABYTE = 1_048_576
#: Texts of rows that are wrong in a way that JSON, or Hotmart, allows: name and what becomes of the text.
ROW_EDITS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "nan": lambda text: _put_first(text, '"value":NaN'),
        "beyond": lambda text: _put_first(text, '"value":1e999'),
        "surrogate": lambda text: text.replace('"name":"', r'"name":"\ud83d', 1),
        "not_utf8": lambda text: text.replace('"name":"', '"name":"\udce9', 1),
        "unknown_key": lambda text: _put_first(text, '"new_in_2030":{"a":[1,null]}'),
        "no_object": lambda _: '"row"',
        "null": lambda _: "null",
        "users_no_list": lambda text: re.sub(r'"users":\[.*\]', '"users":{"role":"BUYER"}', text, flags=re.DOTALL),
    }
)


class Delivery(Enum):
    """How the bytes of an answer reach the client, or do not."""

    WHOLE = "whole"
    CUT = "cut"
    CUT_CHUNKED = "cut_chunked"
    RESET = "reset"


Edit = Callable[[Answer, Quirks], Answer]


@dataclass(frozen=True)
class Fault:
    """
    Something that goes wrong once it is added to an emulator's ``faults``. Made by the class methods.

    :param name: as the log of calls names it
    :param edit: turns the true answer into the one that is sent
    :param edit_page: changes the true page; other answers stay as they are
    :param delivery: how it is sent
    :param seconds: real seconds of silence before
    :param rows: by how many rows the listing is shifted
    :param keep_total: a shift does not show in the number of rows
    :param expires: the token that was used is void from now on
    """

    name: str
    edit: Edit | None = field(default=None, repr=False, compare=False)
    edit_page: Callable[[Page], None] | None = field(default=None, repr=False, compare=False)
    delivery: Delivery = Delivery.WHOLE
    seconds: float = 0.0
    rows: int = 0
    keep_total: bool = False
    expires: bool = False

    @classmethod
    def status(
        cls, code: int, body: str = "json", error: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Fault:
        """
        Another status than the true one.

        :param code: HTTP status; one that says that all is well keeps the true body, unless that is replaced
        :param body: "json", "html" or "empty"; HTTP allows no body with 204
        :param error: Hotmart's name of the error; None: the usual one
        :param headers: to send with it; the headers of the call budget are sent with a 429 anyway
        """
        if body not in ("json", "html", "empty"):
            raise ValueError(f'body must be "json", "html" or "empty", not {body!r}')

        def edit(answer: Answer, quirks: Quirks) -> Answer:
            if code >= 300 or error is not None:
                answer = error_answer(code, error or _error_name(code), quirks)
            answer.status = code
            if body != "json":
                answer.body = _FIREWALL.encode() if body == "html" else b""
                answer.content_type = "text/html;charset=UTF-8"
            answer.headers.update(headers or {})
            return answer

        return cls(f"status_{code}", edit)

    @classmethod
    def html(cls) -> Fault:
        """A firewall's page, with status 200."""
        return cls("html", lambda _, __: Answer(200, _FIREWALL.encode(), "text/html;charset=UTF-8"))

    @classmethod
    def empty(cls) -> Fault:
        """Status 200 and no bytes."""
        return cls("empty", lambda _, __: Answer(200))

    @classmethod
    def redirect(cls, url: str | None = None) -> Fault:
        """
        Status 302.

        :param url: where to; None: a documentation page that the emulator serves with status 200
        """
        target = {"Location": url or DOCS_PATH}
        return cls("redirect", lambda _, __: Answer(302, b"", "text/html", dict(target)))

    @classmethod
    def cut_short(cls, *, chunked: bool = False) -> Fault:
        """
        The connection ends before the answer does.

        :param chunked: the length was not announced; the body comes in chunks and the last ones are missing
        """
        return cls("cut_short", delivery=Delivery.CUT_CHUNKED if chunked else Delivery.CUT)

    @classmethod
    def truncated_json(cls) -> Fault:
        """HTTP says that all is there, but the JSON text ends in the middle."""

        def edit(answer: Answer, _: Quirks) -> Answer:
            answer.body = answer.body[: max(1, len(answer.body) * 2 // 3)]
            return answer

        return cls("truncated_json", edit)

    @classmethod
    def not_object(cls, text: str = "[]") -> Fault:
        """
        JSON, but no object.

        :param text: the JSON text, for instance ``[]``, ``"text"`` or ``null``
        """
        return cls("not_object", lambda _, __: Answer(200, text.encode()))

    @classmethod
    def reset(cls) -> Fault:
        """The connection is torn down instead of an answer."""
        return cls("reset", delivery=Delivery.RESET)

    @classmethod
    def stall(cls, seconds: float) -> Fault:
        """
        Silence, then the true answer.

        :param seconds: real ones; less when the client or the emulator goes
        """
        return cls("stall", seconds=seconds)

    @classmethod
    def expired_token(cls) -> Fault:
        """The token that the call was made with expires at this moment."""
        return cls("expired_token", lambda _, quirks: error_answer(401, "token_expired", quirks), expires=True)

    @classmethod
    def invalid_token(cls) -> Fault:
        """The token is called invalid, though it is not."""
        return cls("invalid_token", lambda _, quirks: error_answer(401, "invalid_token", quirks))

    @classmethod
    def repeated_token(cls, *, first: bool = False) -> Fault:
        """
        The next page is the one that was asked for.

        :param first: the next page is the first one
        """

        def edit(page: Page) -> None:
            page.next = page.token(1) if first or page.asked is None else page.asked

        return cls("repeated_token", edit_page=edit)

    @classmethod
    def empty_page(cls) -> Fault:
        """A page without items, with a token that leads to the true page."""

        def edit(page: Page) -> None:
            page.items = []
            page.as_it_is = True
            page.next = page.token(page.number, _repetition(page.asked) + 1)

        return cls("empty_page", edit_page=edit)

    @classmethod
    def shift(cls, rows: int, *, same_total: bool = False) -> Fault:
        """
        Rows appear (come twice) or vanish (are skipped) in front of this page.

        :param rows: how many appear; negative: vanish
        :param same_total: as many vanish or appear behind it, so that the number of rows does not tell
        """
        return cls("shift", rows=rows, keep_total=same_total)

    @classmethod
    def wrong_total(cls, delta: int) -> Fault:
        """
        The number of rows is told wrongly.

        :param delta: by how much
        """

        def edit(page: Page) -> None:
            page.total = None if page.total is None else max(0, page.total + delta)

        return cls("wrong_total", edit_page=edit)

    @classmethod
    def garbled_items(cls) -> Fault:
        """The items are an object instead of a list."""

        def edit(page: Page) -> None:
            page.garbled = True

        return cls("garbled_items", edit_page=edit)

    @classmethod
    def row(cls, edit: Callable[[str], str], at: int = 0) -> Fault:
        """
        One row of the page is wrong.

        :param edit: turns the JSON text of the row into another; ``ROW_EDITS`` has some. A half of a surrogate pair
            from U+DC80 on becomes a single byte, which is no UTF-8
        :param at: which row of the page, from 0; a page that has no such row stays as it is
        """

        def change(page: Page) -> None:
            if at < len(page.items):
                page.items[at] = edit(page.items[at].decode()).encode(errors="surrogateescape")

        return cls("row", edit_page=change)

    @classmethod
    def huge_total(cls) -> Fault:
        """There are said to be a hundred thousand million rows."""

        def edit(page: Page) -> None:
            page.total = 10**11

        return cls("huge_total", edit_page=edit)

    @classmethod
    def endless(cls) -> Fault:
        """The last page is not the last: the next one has the same rows, and another token."""

        def edit(page: Page) -> None:
            if page.next is None:
                page.next = page.token(page.number, _repetition(page.asked) + 1)

        return cls("endless", edit_page=edit)

    @classmethod
    def body(cls, content: bytes, status: int = 200, content_type: str = _JSON) -> Fault:
        """
        Any bytes.

        :param content: what is sent
        :param status: HTTP status
        :param content_type: what it is said to be
        """
        return cls("body", lambda _, __: Answer(status, content, content_type))

    @classmethod
    def gzip_bomb(cls) -> Fault:
        """Some 600 kB, compressed, that hold a JSON text of more than 600 MB, most of it white space."""
        packed = {"Content-Encoding": "gzip"}
        return cls("gzip_bomb", lambda _, __: Answer(200, _bomb(), headers=dict(packed)))

    @classmethod
    def club_error(cls) -> Fault:
        """A 404 in the form of the members' area: a text code, and no ``error``."""
        return cls("club_error", lambda _, quirks: club_answer(404, "0006", "Subdomain acme does not exist", quirks))


def _error_name(code: int) -> str:
    """The name of an error that Hotmart gives none: that of HTTP."""
    if code >= 500:
        return "internal_server_error"
    return _ERRORS.get(code) or http.client.responses.get(code, "client closed request").lower().replace(" ", "_")


def _put_first(text: str, pair: str) -> str:
    """Put a key and a value in front of the others of the row."""
    return text.replace("{", f"{{{pair},", 1)


@functools.cache
def _bomb() -> bytes:
    """Compressed in one piece; each megabyte of blanks takes the same bytes, so that only one has to be packed."""
    blanks = b" " * _MEGABYTE
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    piece = packer.compress(blanks) + packer.flush(zlib.Z_FULL_FLUSH)
    text, times = b'{"items":[],"page_info":{}}', 640
    end = packer.compress(text) + packer.flush()
    checksum = 0
    for _ in range(times):
        checksum = zlib.crc32(blanks, checksum)
    checksum = zlib.crc32(text, checksum)
    size = times * _MEGABYTE + len(text)
    header = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    return header + piece * times + end + struct.pack("<II", checksum, size % 2**32)


def _repetition(token: str | None) -> int:
    """How many empty pages came before; every further one needs a token that has not been there yet."""
    content = read_page_token(token) if token else None
    return content[2] if content else 0


@dataclass
class _Rule:
    """When a fault is played."""

    fault: Fault
    times: int | None
    path: str | None
    page: int | None
    after: int
    last_page: bool
    from_query: Mapping[str, str]

    def fits(self, path: str, page: int, is_last: bool, is_api: bool, params: Mapping[str, Sequence[str]]) -> bool:
        if any(value not in params.get(name, ()) for name, value in self.from_query.items()):
            return False
        if not (is_api if self.path is None else self.path in path):
            return False
        return (self.page is None or self.page == page) and (is_last or not self.last_page)


class Faults:
    """The faults that are yet to come. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []

    def add(
        self,
        fault: Fault,
        *,
        times: int | None = 1,
        path: str | None = None,
        page: int | None = None,
        after: int = 0,
        last_page: bool = False,
        from_query: Mapping[str, str] | None = None,
    ) -> None:
        """
        Play a fault in answer to the next calls that match. One call meets one fault: the one added first.

        :param fault: what goes wrong
        :param times: how often; None: from now on
        :param path: part of the path; None: any call but that for a token
        :param page: number of the page asked for, from 1; None: any
        :param after: matching calls to let through first
        :param last_page: only calls whose true answer is a page without a next one
        :param from_query: not before a call whose query has these values; that call is the first to meet it
        """
        with self._lock:
            self._rules.append(_Rule(fault, times, path, page, after, last_page, from_query or {}))

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        with self._lock:
            self._rules.clear()

    @property
    def pending(self) -> list[Fault]:
        """Faults that have not been played as often as they were asked for."""
        with self._lock:
            return [rule.fault for rule in self._rules]

    def take(
        self,
        path: str,
        *,
        page: int = 1,
        is_last: bool = False,
        is_api: bool = True,
        params: Mapping[str, Sequence[str]] | None = None,
    ) -> Fault | None:
        """
        The fault that a call meets; None: all goes well.

        :param path: of the call
        :param page: number of the page asked for, from 1
        :param is_last: whether the true answer is a page without a next one
        :param is_api: whether the call is for the API, not for a token
        :param params: its query
        """
        with self._lock:
            fitting = [rule for rule in self._rules if rule.fits(path, page, is_last, is_api, params or {})]
            ready = next((rule for rule in fitting if rule.after <= 0), None)
            for rule in fitting:
                rule.after -= 1
                rule.from_query = {}
            if ready is None:
                return None
            if ready.times is not None:
                ready.times -= 1
                if ready.times <= 0:
                    self._rules.remove(ready)
            return ready.fault
