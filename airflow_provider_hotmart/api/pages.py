"""The page cursor: answers in, rows and the next token out. Pure."""

from __future__ import annotations

from typing import Any

from airflow_provider_hotmart.api.errors import HotmartResponseError

#: An empty page may still have a successor; so many in a row mean that there is no end.
MOST_EMPTY_PAGES = 100


class PageCursor:
    """
    Where a listing stands: feed it each answer, ask it for the token of the next.

    Tokens are opaque and sent back verbatim; the last page has none (absent, null or empty).
    """

    def __init__(self) -> None:
        self.token: str | None = None
        self.pages = 0
        self.done = False
        #: Every value that ``total_results`` took; more than one means that the data moved.
        self.totals: set[int] = set()
        self._tokens: set[str] = set()
        self._empty = 0

    @property
    def total(self) -> int | None:
        """The number of rows as Hotmart last said it; None where it does not say."""
        return self._total

    _total: int | None = None

    def read(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """
        Take in one answer.

        :param body: the decoded answer; an empty object means no rows.
        :return: its rows.
        :raises HotmartResponseError: when the answer has not the promised form, or repeats a token.
        """
        items = _rows(body)
        info = body.get("page_info")
        if info is None:
            info = {}
        if not isinstance(info, dict):
            raise HotmartResponseError(f"page_info is {_kind(info)} where an object was promised")
        total = info.get("total_results")
        if isinstance(total, int) and not isinstance(total, bool):
            self._total = total
            self.totals.add(total)
        self.pages += 1
        self._advance(info.get("next_page_token"), bool(items))
        return items

    def _advance(self, token: Any, has_rows: bool) -> None:
        if token is None or token == "":
            self.token, self.done = None, True
            return
        if not isinstance(token, str):
            raise HotmartResponseError(f"next_page_token is {_kind(token)} where text was promised")
        if token in self._tokens:
            raise HotmartResponseError(
                f"page {self.pages} names a next page that was read already, so the listing has no end: run it again"
            )
        self._empty = 0 if has_rows else self._empty + 1
        if self._empty >= MOST_EMPTY_PAGES:
            raise HotmartResponseError(f"{MOST_EMPTY_PAGES} empty pages in a row, each with a successor: run it again")
        self._tokens.add(token)
        self.token = token


def _rows(body: dict[str, Any]) -> list[dict[str, Any]]:
    items = body.get("items")
    if items is None:
        return []
    if not isinstance(items, list):
        raise HotmartResponseError(f"items is {_kind(items)} where a list was promised")
    for item in items:
        if not isinstance(item, dict):
            raise HotmartResponseError(f"a row is {_kind(item)} where an object was promised")
    return items


def _kind(value: Any) -> str:
    """What a JSON value is, without showing it: it may hold personal data."""
    names = {dict: "an object", list: "a list", str: "text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")
