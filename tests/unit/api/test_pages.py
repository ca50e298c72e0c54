"""The page cursor: answers in, rows and the next token out."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_hotmart.api.errors import HotmartResponseError
from airflow_provider_hotmart.api.pages import MOST_EMPTY_PAGES, PageCursor

ROW = {"id": 1}


def page(token: Any = None, *, rows: int = 1, **info: Any) -> dict[str, Any]:
    """An answer."""
    return {"items": [ROW] * rows, "page_info": {"next_page_token": token, **info}}


def test_a_listing_ends_with_the_page_that_names_no_next() -> None:
    cursor = PageCursor()
    told = []
    for answer in (page("a"), page("b"), page()):
        assert not cursor.done
        assert cursor.read(answer) == [ROW]
        told.append(cursor.token)
    assert cursor.done
    assert told == ["a", "b", None]
    assert cursor.pages == 3


@pytest.mark.parametrize("last", [{"next_page_token": None}, {"next_page_token": ""}, {}, None])
def test_the_last_page_may_say_so_in_any_way(last: Any) -> None:
    cursor = PageCursor()
    cursor.read({"items": [ROW], "page_info": last})
    assert (cursor.done, cursor.token) == (True, None)


@pytest.mark.parametrize("nothing", [{"items": [], "page_info": {}}, {"page_info": {}}, {}, {"items": None}])
def test_no_rows_may_be_said_in_any_way(nothing: dict[str, Any]) -> None:
    cursor = PageCursor()
    assert cursor.read(nothing) == []
    assert cursor.done


def test_a_token_is_handed_back_as_it_came() -> None:
    cursor = PageCursor()
    cursor.read(page("eyJwYWdlIjoyfQ==%2B +/"))
    assert cursor.token == "eyJwYWdlIjoyfQ==%2B +/"


def test_a_token_that_repeats_is_an_error() -> None:
    cursor = PageCursor()
    cursor.read(page("a"))
    cursor.read(page("b"))
    with pytest.raises(HotmartResponseError, match="page 3 names a next page that was read already"):
        cursor.read(page("a"))


def test_an_empty_page_with_a_next_goes_on() -> None:
    cursor = PageCursor()
    cursor.read(page("a", rows=0))
    assert (cursor.done, cursor.token) == (False, "a")


def test_empty_pages_without_end_are_an_error() -> None:
    cursor = PageCursor()
    for number in range(MOST_EMPTY_PAGES - 1):
        cursor.read(page(f"token-{number}", rows=0))
    with pytest.raises(HotmartResponseError, match="empty pages in a row"):
        cursor.read(page("one more", rows=0))


def test_a_page_with_rows_ends_a_row_of_empty_ones() -> None:
    cursor = PageCursor()
    for number in range(3 * MOST_EMPTY_PAGES):
        cursor.read(page(f"token-{number}", rows=number % 2))
    assert not cursor.done


def test_every_total_is_remembered_and_the_last_one_counts() -> None:
    cursor = PageCursor()
    cursor.read(page("a", total_results=5))
    cursor.read(page("b"))
    cursor.read(page(total_results=6))
    assert (cursor.total, cursor.totals) == (6, {5, 6})


@pytest.mark.parametrize("total", [None, "5", True, {}])
def test_a_total_that_is_no_number_is_none(total: Any) -> None:
    cursor = PageCursor()
    cursor.read(page(total_results=total))
    assert (cursor.total, cursor.totals) == (None, set())


def test_a_total_of_zero_is_a_total() -> None:
    cursor = PageCursor()
    cursor.read(page(rows=0, total_results=0))
    assert (cursor.total, cursor.totals) == (0, {0})


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"items": {"maria": 1}}, "items is an object where a list"),
        ({"items": "maria"}, "items is text where a list"),
        ({"items": [ROW, "maria"]}, "a row is text where an object"),
        ({"items": [None]}, "a row is null where an object"),
        ({"items": [], "page_info": ["maria"]}, "page_info is a list where an object"),
        ({"items": [], "page_info": {"next_page_token": 7}}, "next_page_token is a number where text"),
        ({"items": [], "page_info": {"next_page_token": False}}, "next_page_token is a truth value where text"),
    ],
)
def test_another_form_than_the_promised_is_an_error_that_shows_no_data(body: dict[str, Any], told: str) -> None:
    with pytest.raises(HotmartResponseError, match=told) as caught:
        PageCursor().read(body)
    assert "maria" not in str(caught.value)
