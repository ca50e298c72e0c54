"""From windows of time to answers in order, against a Hotmart made of plain data."""

from __future__ import annotations

import json
import random
import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import astuple
from itertools import count
from typing import Any

import pytest
from msgspec import Raw

from airflow_provider_hotmart.api.client import Call
from airflow_provider_hotmart.api.endpoint import Endpoint
from airflow_provider_hotmart.api.endpoints.products import PRODUCTS
from airflow_provider_hotmart.api.endpoints.sales import SALES_PARTICIPANTS
from airflow_provider_hotmart.api.errors import HotmartError, HotmartInvalidRequestError, HotmartResponseError
from airflow_provider_hotmart.api.errors import HotmartServerError as ServerError
from airflow_provider_hotmart.api.pagination import (
    AHEAD,
    CHUNK_ROWS,
    MAX_EMPTY_PAGES,
    MAX_READINGS,
    Answer,
    Pagination,
    Request,
)
from airflow_provider_hotmart.api.responses import Page
from airflow_provider_hotmart.api.retry import Retrier, RetryPolicy
from airflow_provider_hotmart.api.windows import Window

DAY = 86_400
YEAR = Window(1_700_000_000, 1_700_000_000 + 365 * DAY)
WIDTHS = [1, 3, 16]
Params = Mapping[str, str]


def raw(name: object) -> Raw:
    """A row that is both a sale and a product."""
    return Raw(json.dumps({"transaction": f"HP{name}", "id": name, "product": {"id": 1}}).encode())


def names(answers: Sequence[Answer]) -> list[Any]:
    """Which rows came, in their order."""
    return [json.loads(bytes(row))["id"] for answer in answers for row in answer.rows]


def ends(params: Params) -> Window:
    """The window that a call asks for."""
    return Window((int(params["start_date"]) + 1) // 1000, (int(params["end_date"]) + 1) // 1000)


class Hotmart:
    """
    Sales at moments, listed by pages, newest first.

    :param moments: seconds since the epoch of each sale; it is named by its place in this list.
    :param page: rows on a page at most, whatever is asked for.
    :param total: whether the number of rows is told.
    """

    def __init__(self, moments: Sequence[int], page: int = 500, *, total: bool = True) -> None:
        self.moments = list(moments)
        self.page = page
        self.total = total
        self.calls: list[Params] = []
        self._ordered: list[int] = []
        self._by_time: list[tuple[int, int]] = []
        #: Changes the true answer to a call, or raises.
        self.spoil: Callable[[Params, Page], Page] = lambda _, page: page

    def answer(self, params: Params) -> Page:
        self.calls.append(params)
        found = list(range(len(self.moments)))
        if "start_date" in params:
            if self._ordered != self.moments:
                self._ordered = list(self.moments)
                self._by_time = sorted((moment, -name) for name, moment in enumerate(self.moments))
            first, last = (bisect_left(self._by_time, (moment, -len(self.moments))) for moment in astuple(ends(params)))
            found = [-name for _, name in reversed(self._by_time[first:last])]
        size = min(self.page, int(params["max_results"]))
        offset = int(params.get("page_token", "0"))
        following = str(offset + size) if offset + size < len(found) else None
        rows = [raw(name) for name in found[offset : offset + size]]
        return self.spoil(params, Page(rows, len(found) if self.total else None, following))


class Calls:
    """What sends the calls, to a Hotmart of plain data, from other threads; which one is next is drawn."""

    def __init__(self, hotmart: Hotmart, width: int, threads: int = 1) -> None:
        self.width = width
        self.hotmart = hotmart
        self._due: list[tuple[Call, Future[bytes]]] = []
        self._kept: dict[bytes, Page] = {}
        self._dice = random.Random(width)
        self._numbers = count()
        self._threads = ThreadPoolExecutor(threads)
        self._unread: set[bytes] = set()
        #: Most calls that were ever submitted and not yet read.
        self.most = 0

    def call(self, path: str, params: Params, **facts: Any) -> Call:
        retrier = Retrier(RetryPolicy(0), lambda _: None, lambda _: None)
        return Call(path, params, retrier, **facts)

    def submit(self, call: Call) -> Future[bytes]:
        future: Future[bytes] = Future()
        self._due.append((call, future))
        self.most = max(self.most, len(self._due) + len(self._unread))
        self._threads.submit(self._answer_one)
        return future

    def parse(self, call: Call, body: bytes) -> Page:
        self._unread.discard(body)
        return self._kept[body]

    read = parse

    def get(self, call: Call) -> Page:
        return self.hotmart.answer(call.params)

    def _answer_one(self) -> None:
        call, future = self._due.pop(self._dice.randrange(len(self._due)))
        try:
            page = self.hotmart.answer(call.params)
        except (HotmartError, AssertionError) as error:
            future.set_exception(error)
        else:
            body = b'%d,"next_page_token":%s' % (next(self._numbers), b'"1"' if page.next_token else b"null")
            self._kept[body] = page
            self._unread.add(body)
            future.set_result(body)


def read(
    hotmart: Hotmart,
    *requests: Request,
    width: int = 3,
    endpoint: Endpoint = SALES_PARTICIPANTS,
    calls: Calls | None = None,
) -> list[Answer]:
    """All answers to requests; the year is asked for where none is named."""
    pagination = Pagination(calls or Calls(hotmart, width), endpoint)  # type: ignore[arg-type]
    return list(pagination.answers(requests or [of(YEAR)]))


def moments_of(answers: Sequence[Answer]) -> list[int]:
    """When the windows of answers begin."""
    return [answer.request.window.start for answer in answers if answer.request.window is not None]


def of(window: Window | None, **more: Any) -> Request:
    return Request("/path", more.pop("params", {}), window, **more)


def spread(sales: int, seed: int = 1, window: Window = YEAR) -> list[int]:
    """Moments all over a window."""
    dice = random.Random(seed)
    return [dice.randrange(window.start, window.end) for _ in range(sales)]


def names_in_order(hotmart: Hotmart) -> list[int]:
    return sorted(range(len(hotmart.moments)))


class TestWindows:
    def test_a_window_that_fits_on_one_page_is_one_call(self) -> None:
        hotmart = Hotmart(spread(500))
        [answer] = read(hotmart)
        assert len(answer.rows) == 500
        assert [dict(call) for call in hotmart.calls] == [
            {"max_results": "500", "start_date": f"{YEAR.start - 1}999", "end_date": f"{YEAR.end - 1}999"}
        ]

    @pytest.mark.parametrize("total", [True, False])
    @pytest.mark.parametrize("page", [500, 50, 1])
    def test_what_does_not_fit_is_cut_until_each_window_is_one_answer(self, page: int, total: bool) -> None:
        hotmart = Hotmart(spread(4 * page + 40), page, total=total)
        answers = read(hotmart)
        assert sorted(names(answers)) == names_in_order(hotmart)
        assert max(len(answer.rows) for answer in answers) <= page
        assert not any("page_token" in call for call in hotmart.calls)

    @pytest.mark.parametrize("total", [True, False])
    def test_the_order_of_the_rows_does_not_depend_on_the_width(self, total: bool) -> None:
        hotmart = Hotmart(spread(5_000), 40, total=total)
        orders = [names(read(hotmart, width=width)) for width in WIDTHS]
        assert orders[0] == orders[1] == orders[2]
        assert sorted(orders[0]) == names_in_order(hotmart)

    @pytest.mark.parametrize("width", WIDTHS)
    def test_answers_come_in_the_order_of_the_requests_and_of_time(self, width: int) -> None:
        early, late = YEAR.split()
        launch = Window(early.start, early.start + 3 * DAY)
        hotmart = Hotmart(spread(900, window=launch) + spread(300, window=early) + spread(40, window=late), 100)
        answers = read(hotmart, of(late), of(early), of(late), width=width)
        assert answers[0].request.window == answers[-1].request.window == late
        assert moments_of(answers[1:-1]) == sorted(moments_of(answers[1:-1]))
        assert len(answers) > 15

    @pytest.mark.parametrize("width", WIDTHS)
    def test_no_more_calls_are_ahead_than_the_threads_can_use(self, width: int) -> None:
        calls = Calls(Hotmart(spread(100)), width)
        read(calls.hotmart, *(of(window) for window in YEAR.split(100)), calls=calls)
        assert calls.most == AHEAD * width

    def test_a_window_is_cut_as_soon_as_its_answer_shows_that_it_does_not_fit(self) -> None:
        hotmart = Hotmart(spread(1_200), 100)
        early, late = YEAR.split()
        sent = threading.Event()

        def answer_the_first_last(params: Params, page: Page) -> Page:
            window = ends(params)
            if window == early:
                assert sent.wait(60)
            elif window.seconds < late.seconds:
                sent.set()
            return page

        hotmart.spoil = answer_the_first_last
        answers = read(hotmart, of(early), of(late), calls=Calls(hotmart, 2, threads=2))
        assert sorted(names(answers)) == names_in_order(hotmart)
        assert moments_of(answers) == sorted(moments_of(answers))

    def test_rows_at_the_very_edges_of_windows_come_once(self) -> None:
        half = YEAR.start + YEAR.seconds // 2
        hotmart = Hotmart([YEAR.start, half - 1, half, half, half + 1, YEAR.end - 1, YEAR.start - 1, YEAR.end], 3)
        assert sorted(names(read(hotmart))) == [0, 1, 2, 3, 4, 5]

    @pytest.mark.parametrize("width", WIDTHS)
    def test_a_502_in_the_middle_says_that_a_window_is_too_wide_and_is_cut(self, width: int) -> None:
        hotmart = Hotmart(spread(3_000), 100)
        middle = YEAR.start + YEAR.seconds // 2

        def too_wide(params: Params, page: Page) -> Page:
            window = ends(params)
            if window.start <= middle < window.end and 3600 < window.seconds < 30 * DAY:
                raise ServerError("Failed", status=502)
            return page

        undisturbed = names(read(hotmart, width=1))
        hotmart.spoil = too_wide
        found = names(read(hotmart, width=width))
        assert sorted(found) == names_in_order(hotmart) == sorted(undisturbed)
        assert found == names(read(hotmart, width=1))
        assert moments_of(read(hotmart)) == sorted(moments_of(read(hotmart)))

    @pytest.mark.parametrize("status", [500, 503, None])
    def test_another_failure_is_none_of_the_window(self, status: int | None) -> None:
        hotmart = Hotmart(spread(3_000), 100)

        def fail(params: Params, page: Page) -> Page:
            if len(hotmart.calls) == 9:
                raise ServerError("Failed", status=status)
            return page

        hotmart.spoil = fail
        with pytest.raises(ServerError):
            read(hotmart)

    def test_a_502_about_a_single_second_is_a_failure(self) -> None:
        hotmart = Hotmart([])

        def fail(params: Params, page: Page) -> Page:
            raise ServerError("Failed", status=502)

        hotmart.spoil = fail
        with pytest.raises(ServerError):
            read(hotmart, of(Window(1_700_000_000, 1_700_000_001)))
        assert len(hotmart.calls) == 1

    def test_a_page_that_announces_more_rows_than_it_holds_and_no_next_page_is_not_complete(self) -> None:
        hotmart = Hotmart(spread(30))

        def clamp(params: Params, page: Page) -> Page:
            return Page(page.rows[:7], page.total, None)

        hotmart.spoil = clamp
        assert sorted(names(read(hotmart))) == names_in_order(hotmart)
        assert len(hotmart.calls) > 4

    def test_where_even_a_second_holds_less_than_announced_the_listing_fails(self) -> None:
        hotmart = Hotmart([YEAR.start] * 3)
        hotmart.spoil = lambda _, page: Page(page.rows[:2], page.total, None)
        with pytest.raises(HotmartResponseError, match="some may be missing: run it again"):
            read(hotmart)

    def test_a_page_without_rows_that_announces_some_is_not_complete_either(self) -> None:
        hotmart = Hotmart([])
        hotmart.spoil = lambda *_: Page([], 3, None)
        with pytest.raises(HotmartResponseError, match="some may be missing"):
            read(hotmart)

    def test_fewer_rows_announced_than_held_is_no_reason_to_ask_again(self) -> None:
        hotmart = Hotmart(spread(30))
        hotmart.spoil = lambda _, page: Page(page.rows, 2, None)
        assert len(names(read(hotmart))) == 30
        assert len(hotmart.calls) == 1

    def test_an_absurd_total_costs_little(self) -> None:
        hotmart = Hotmart(spread(700))
        hotmart.spoil = lambda _, page: page if len(hotmart.calls) > 1 else Page(page.rows, 10**11, page.next_token)
        assert sorted(names(read(hotmart))) == names_in_order(hotmart)
        assert len(hotmart.calls) <= 600

    def test_an_empty_page_with_a_next_one_is_followed_and_its_window_never_cut(self) -> None:
        hotmart = Hotmart(spread(30))

        def empty_first(params: Params, page: Page) -> Page:
            return page if "page_token" in params else Page([], page.total, "0")

        hotmart.spoil = empty_first
        assert sorted(names(read(hotmart))) == names_in_order(hotmart)
        assert [call.get("page_token") for call in hotmart.calls] == [None, "0"]
        assert {call["start_date"] for call in hotmart.calls} == {f"{YEAR.start - 1}999"}

    def test_two_rows_of_one_sale_in_one_answer_are_two_rows(self) -> None:
        hotmart = Hotmart([])
        hotmart.spoil = lambda *_: Page([raw(7), raw(7), raw(8)], 3, None)
        assert names(read(hotmart)) == [7, 7, 8]
        assert len(hotmart.calls) == 1

    def test_an_empty_object_is_told_apart_from_an_empty_page(self) -> None:
        hotmart = Hotmart([])
        hotmart.spoil = lambda *_: Page([], is_bare=True)
        assert [answer.is_bare for answer in read(hotmart)] == [True]

    @pytest.mark.parametrize(("pages", "most"), [(10, 1.4), (200, 1.25)])
    def test_even_sales_cost_few_calls_more_than_full_pages(self, pages: int, most: float) -> None:
        hotmart = Hotmart(spread(500 * pages))
        read(hotmart)
        assert len(hotmart.calls) <= most * pages


class TestRefusedValues:
    @pytest.mark.parametrize("word", ["invalid_parameter", "invalid_value_parameter"])
    def test_a_value_that_may_be_refused_is_an_answer_when_it_is(self, word: str) -> None:
        hotmart = Hotmart(spread(10))
        refusal = HotmartInvalidRequestError("No", status=400, error=word)
        hotmart.spoil = raising(refusal)
        [answer] = read(hotmart, of(YEAR, may_be_refused=True))
        assert (answer.rows, answer.refusal) == ([], refusal)

    @pytest.mark.parametrize(
        "error",
        [
            HotmartInvalidRequestError("No", status=400, error="invalid_value_headers"),
            HotmartInvalidRequestError("No", status=400, error="invalid_token"),
            HotmartInvalidRequestError("No", status=400),
            HotmartInvalidRequestError("No", status=422, error="invalid_parameter"),
            ServerError("No", status=502),
        ],
        ids=str,
    )
    def test_only_a_400_about_a_value_is_such_an_answer(self, error: HotmartError) -> None:
        hotmart = Hotmart([])
        hotmart.spoil = raising(error)
        with pytest.raises(type(error)) as caught:
            read(hotmart, of(Window(YEAR.start, YEAR.start + 1), may_be_refused=True))
        assert caught.value is error

    def test_a_value_that_may_not_be_refused_is_a_failure_when_it_is(self) -> None:
        hotmart = Hotmart([])
        hotmart.spoil = raising(HotmartInvalidRequestError("No", status=400, error="invalid_parameter"))
        with pytest.raises(HotmartInvalidRequestError):
            read(hotmart)


class TestPages:
    """What no window can make smaller: an endpoint without dates, or a single second."""

    @pytest.mark.parametrize("window", [None, Window(YEAR.start, YEAR.start + 1)], ids=["no window", "a second"])
    @pytest.mark.parametrize("total", [True, False])
    def test_it_is_read_until_two_readings_agree(self, window: Window | None, total: bool) -> None:
        hotmart = Hotmart([YEAR.start] * 45, 10, total=total)
        assert sorted(names(read(hotmart, of(window)))) == names_in_order(hotmart)
        assert [call.get("page_token") for call in hotmart.calls] == [None, "10", "20", "30", "40"] * 2

    def test_one_page_is_one_answer_there_too(self) -> None:
        hotmart = Hotmart([YEAR.start] * 10, 10)
        assert len(names(read(hotmart, of(None)))) == 10
        assert len(hotmart.calls) == 1

    def test_max_results_that_is_clamped_to_one_row_is_read_all_the_same(self) -> None:
        hotmart = Hotmart([YEAR.start] * 7, 1)
        assert sorted(names(read(hotmart, of(None)))) == names_in_order(hotmart)

    def test_rows_are_handed_on_in_chunks_in_hotmarts_order(self) -> None:
        hotmart = Hotmart([YEAR.start] * 1_203)
        answers = read(hotmart, of(None))
        assert names(answers) == names_in_order(hotmart)
        assert [len(answer.rows) for answer in answers] == [CHUNK_ROWS, CHUNK_ROWS, 203]

    def test_rows_pass_byte_for_byte(self) -> None:
        rows = [Raw(b'{ "id":%d,"transaction":"HP%d" , "x":1.0E2,"y":"\\u00e9 \xc3\xa9"}' % (n, n)) for n in range(4)]
        hotmart = Hotmart([])
        hotmart.spoil = lambda params, _: Page(rows[2:]) if "page_token" in params else Page(rows[:2], next_token="2")
        answers = read(hotmart, of(None), endpoint=PRODUCTS)
        assert [bytes(row) for answer in answers for row in answer.rows] == [bytes(row) for row in rows]

    def test_a_row_that_leaves_and_one_that_enters_between_two_pages_lose_nobody(self) -> None:
        hotmart = Hotmart([YEAR.start] * 45, 10)

        def move(params: Params, page: Page) -> Page:
            if len(hotmart.calls) == 2:  # the first page's first row is gone: what follows moves up
                hotmart.moments[0] = YEAR.start - 1
                hotmart.moments.append(YEAR.start - 1)
            return page

        hotmart.spoil = move
        found = names(read(hotmart, of(Window(YEAR.start, YEAR.start + 1))))
        assert sorted(found) == list(range(1, 45))
        assert len(hotmart.calls) > 10

    def test_the_later_of_two_readings_that_agree_is_kept(self) -> None:
        hotmart = Hotmart([])

        def answer(params: Params, _: Page) -> Page:
            row = Raw(b'{"id":1,"reading":%d}' % ((len(hotmart.calls) + 1) // 2))
            return Page([Raw(b'{"id":2}')]) if "page_token" in params else Page([row], next_token="1")

        hotmart.spoil = answer
        [answer_] = read(hotmart, of(None), endpoint=PRODUCTS)
        assert bytes(answer_.rows[0]) == b'{"id":1,"reading":2}'

    def test_a_row_that_comes_twice_has_moved_and_the_pages_are_read_again(self) -> None:
        hotmart = Hotmart([YEAR.start] * 25, 10)
        once = count(1)

        def shift(params: Params, page: Page) -> Page:
            if params.get("page_token") == "10" and next(once) == 1:
                return Page([raw(9), *page.rows[:-1]], page.total, page.next_token)
            return page

        hotmart.spoil = shift
        assert sorted(names(read(hotmart, of(None)))) == names_in_order(hotmart)
        assert len(hotmart.calls) == 2 + 3 + 3

    def test_two_rows_of_one_identity_on_one_page_are_two_rows(self) -> None:
        hotmart = Hotmart([])
        hotmart.spoil = lambda params, _: (
            Page([raw(3)]) if "page_token" in params else Page([raw(1), raw(1)], next_token="1")
        )
        assert names(read(hotmart, of(None))) == [1, 1, 3]

    def test_rows_that_never_stand_still_are_a_failure_that_says_so(self) -> None:
        hotmart = Hotmart([])
        numbers = count()
        hotmart.spoil = lambda params, _: Page([raw(next(numbers))], next_token=None if "page_token" in params else "1")
        with pytest.raises(HotmartResponseError, match=f"run it again .no two of {MAX_READINGS} readings agree"):
            read(hotmart, of(None))
        assert len(hotmart.calls) == 2 * MAX_READINGS

    def test_fewer_rows_than_announced_are_never_the_end(self) -> None:
        hotmart = Hotmart([YEAR.start] * 25, 10)
        hotmart.spoil = lambda _, page: Page(page.rows, 26, page.next_token)
        with pytest.raises(HotmartResponseError, match="some may be missing"):
            read(hotmart, of(None))

    @pytest.mark.parametrize("again", ["10", "20"])
    def test_a_token_that_repeats_is_an_error(self, again: str) -> None:
        hotmart = Hotmart([YEAR.start] * 100, 10)
        hotmart.spoil = lambda params, page: Page([], page.total, again) if params.get("page_token") == "20" else page
        with pytest.raises(HotmartResponseError, match="names a next page that was read already"):
            read(hotmart, of(None))

    def test_a_listing_of_products_whose_last_page_comes_again_and_again_fails(self) -> None:
        hotmart = Hotmart([YEAR.start] * 25, 10)
        tokens = count(100)
        hotmart.spoil = lambda _, page: page if page.next_token else Page([raw(24)], None, str(next(tokens)))
        with pytest.raises(HotmartResponseError, match="run it again"):
            read(hotmart, of(None), endpoint=PRODUCTS)
        assert len(hotmart.calls) <= MAX_READINGS * 5

    def test_a_listing_of_products_that_goes_on_with_new_rows_for_ever_fails(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("airflow_provider_hotmart.api.pagination.MAX_PAGES", 50)
        hotmart = Hotmart([])
        numbers = count(1)

        def more(*_: object) -> Page:
            number = next(numbers)
            return Page([raw(number)], None, str(number))

        hotmart.spoil = more
        with pytest.raises(HotmartResponseError, match="no end"):
            read(hotmart, of(None), endpoint=PRODUCTS)
        assert len(hotmart.calls) <= 52

    def test_empty_pages_without_end_are_an_error(self) -> None:
        hotmart = Hotmart([])
        numbers = count(1)
        hotmart.spoil = lambda *_: Page([], None, str(next(numbers)))
        with pytest.raises(HotmartResponseError, match=f"{MAX_EMPTY_PAGES} empty ones at the end"):
            read(hotmart, of(None))
        assert len(hotmart.calls) <= MAX_EMPTY_PAGES + 1

    def test_a_page_with_rows_ends_a_row_of_empty_ones(self) -> None:
        hotmart = Hotmart([])

        def alternating(params: Params, _: Page) -> Page:
            number = int(params.get("page_token", "0"))
            rows = [raw(number)] if number % (MAX_EMPTY_PAGES - 1) == 0 else []
            return Page(rows, None, str(number + 1) if number < 3 * MAX_EMPTY_PAGES else None)

        hotmart.spoil = alternating
        assert len(names(read(hotmart, of(None)))) == 4

    def test_a_page_token_that_is_refused_reads_anew(self) -> None:
        hotmart = Hotmart([YEAR.start] * 25, 10)
        once = count(1)

        def forget(params: Params, page: Page) -> Page:
            if params.get("page_token") == "20" and next(once) == 1:
                raise HotmartInvalidRequestError("No", status=400, error="invalid_token")
            return page

        hotmart.spoil = forget
        assert sorted(names(read(hotmart, of(None)))) == names_in_order(hotmart)
        assert len(hotmart.calls) == 9

    def test_a_page_token_that_is_always_refused_is_a_failure(self) -> None:
        hotmart = Hotmart([YEAR.start] * 25, 10)

        def forget(params: Params, page: Page) -> Page:
            if "page_token" in params:
                raise HotmartInvalidRequestError("No", status=400, error="invalid_token")
            return page

        hotmart.spoil = forget
        with pytest.raises(HotmartError, match="run it again"):
            read(hotmart, of(None))

    def test_another_refusal_in_the_middle_of_pages_is_a_failure_at_once(self) -> None:
        hotmart = Hotmart([YEAR.start] * 25, 10)

        def refuse(params: Params, page: Page) -> Page:
            if "page_token" in params:
                raise HotmartInvalidRequestError("No", status=400, error="invalid_parameter")
            return page

        hotmart.spoil = refuse
        with pytest.raises(HotmartInvalidRequestError):
            read(hotmart, of(None))
        assert len(hotmart.calls) == 2

    def test_a_row_without_identity_is_a_failure(self) -> None:
        hotmart = Hotmart([])
        hotmart.spoil = lambda *_: Page([Raw(b'{"name":"x"}')], None, "1")
        with pytest.raises(HotmartResponseError, match="a row has no id"):
            read(hotmart, of(None), endpoint=PRODUCTS)


def raising(error: HotmartError) -> Callable[[Params, Page], Page]:
    """An answer that is always this error."""

    def spoil(*_: object) -> Page:
        raise error

    return spoil
