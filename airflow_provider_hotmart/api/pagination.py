"""From windows of time to answers in order, each one page; pages are read until they agree where no window helps."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter, deque
from collections.abc import Hashable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from itertools import islice
from typing import IO, Any

from msgspec import Raw

from airflow_provider_hotmart.api.client import Call, Session
from airflow_provider_hotmart.api.endpoint import Endpoint
from airflow_provider_hotmart.api.errors import (
    HotmartError,
    HotmartInvalidRequestError,
    HotmartNotFoundError,
    HotmartResponseError,
)
from airflow_provider_hotmart.api.json_text import json_lines
from airflow_provider_hotmart.api.request import Request
from airflow_provider_hotmart.api.responses import Page, names_a_successor
from airflow_provider_hotmart.api.rows import identity
from airflow_provider_hotmart.api.windows import parts_for

_log = logging.getLogger(__name__)
#: Calls that are sent ahead of the one whose answer is due, per thread.
AHEAD = 2
#: How often pages are read, at most, until two readings in a row agree.
MAX_READINGS = 6
#: An empty page may still have a successor; so many in a row mean that there is no end.
MAX_EMPTY_PAGES = 100
#: Pages of one reading.
MAX_PAGES = 20_000
#: Rows that are handed on at a time when they come from disk.
CHUNK_ROWS = 500


@dataclass(frozen=True)
class Answer:
    """
    What came of a request.

    :param rows: JSON objects, in Hotmart's order; of one type.
    :param is_bare: the body was an empty object, which may mean that ``select`` matched nothing.
    :param refusal: the error, where the request might be refused.
    """

    request: Request
    rows: list[Any]
    is_bare: bool = False
    refusal: HotmartError | None = None


@dataclass(eq=False)
class _Sent:
    """
    A request under way.

    :param is_seen: whether its answer was looked at before its turn.
    """

    request: Request
    call: Call
    future: Future[bytes]
    is_seen: bool = False


class Pagination:
    """
    Reads requests of one endpoint.

    :param session: sends the calls.
    :param endpoint: whose rows they are.
    :param personal: whether the requests hold something about a person.
    :param row_type: what rows of the endpoint are decoded to, where all of a page can be.
    """

    def __init__(self, session: Session, endpoint: Endpoint, *, personal: bool = False, row_type: Any = Raw) -> None:
        self._session = session
        self._endpoint = endpoint
        self._personal = personal
        self._row_type = row_type
        #: How many calls are under way at most, or wait to be looked at.
        self.ahead = AHEAD * session.width

    def answers(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """
        Read requests side by side, and give their answers in their own order. The first calls are sent at once.

        A window that does not fit on one page is cut, and its parts are asked for in its place: one page is one
        answer, which cannot shift while it is read.

        :raises HotmartError: when one cannot be read completely.
        """
        todo: deque[Request | _Sent] = deque(requests)
        self._send(todo)
        return self._read(todo)

    def _send(self, todo: deque[Request | _Sent]) -> list[_Sent]:
        """Send the first requests, and give all that are under way among them."""
        for place, item in enumerate(list(islice(todo, self.ahead))):
            if isinstance(item, Request):
                call = self._call(item)
                todo[place] = _Sent(item, call, self._session.submit(call))
        return [item for item in islice(todo, self.ahead) if isinstance(item, _Sent)]

    def _read(self, todo: deque[Request | _Sent]) -> Iterator[Answer]:
        while todo:
            first, *others = self._send(todo)
            if not first.future.done():
                self._look_ahead(todo, [first, *others])
                continue
            del todo[0]
            request = first.request
            try:
                outcome: Page | HotmartError = self._session.read(first.call, first.future.result())
            except HotmartError as error:
                outcome = error
            if parts := _parts(request, outcome):
                todo.extendleft(reversed(parts))
            elif isinstance(outcome, HotmartError):
                refused = request.may_be_refused and _refuses_a_value(outcome)
                if not refused and not (request.may_be_missing and isinstance(outcome, HotmartNotFoundError)):
                    raise outcome
                yield Answer(request, [], refusal=outcome)
            elif _is_complete(outcome):
                yield Answer(request, outcome.rows, outcome.is_bare)
            else:
                for rows in self._settled(request, outcome):
                    yield Answer(request, rows)

    def _look_ahead(self, todo: deque[Request | _Sent], sent: list[_Sent]) -> None:
        """
        Wait for an answer, and cut the windows that do not fit on one page, so that no thread waits for their turn.

        What failed in another way is told when it is its turn.
        """
        wait([one.future for one in sent if not one.is_seen], return_when=FIRST_COMPLETED)
        for one in sent:
            if one.is_seen or not one.future.done():
                continue
            one.is_seen = True
            outcome: Page | HotmartError
            try:
                body = one.future.result()
                if not one.call.can_narrow or not names_a_successor(body):
                    continue
                outcome = self._session.parse(one.call, body)
            except HotmartError as error:
                outcome = error
            if parts := _parts(one.request, outcome):
                place = todo.index(one)
                del todo[place]
                for part in reversed(parts):
                    todo.insert(place, part)

    def _call(self, request: Request, token: str | None = None) -> Call:
        params = dict(request.params)
        endpoint = request.endpoint or self._endpoint
        if endpoint.page_size is not None:
            params["max_results"] = str(endpoint.page_size)
        if request.window is not None and endpoint.dates:
            (_, start), (_, end) = endpoint.dates
            params[start], params[end] = request.window.bounds()
        if token is not None:
            params["page_token"] = token
        return self._session.call(
            request.path,
            params,
            rows_key=endpoint.rows_key,
            row_type=self._row_type if endpoint is self._endpoint else Raw,
            personal=self._personal,
            can_narrow=request.window is not None and request.window.can_split,
        )

    def _settled(self, request: Request, first: Page) -> Iterator[list[Raw]]:
        """
        Read pages until two readings in a row agree, and give the later one's rows.

        Pages are offsets into a list that may move while it is read, and a row may then be skipped. The rows wait
        on disk meanwhile.

        :param first: the first page, which was read already.
        """
        before: Counter[Hashable] | None = None
        page: Page | None = first
        for reading in range(1, MAX_READINGS + 1):
            with tempfile.TemporaryFile() as file:
                found = self._read_pages(request, page, file)
                page = None
                if found is not None and (found.is_one_answer or found.keys == before):
                    yield from _chunks(file)
                    return
            before = None if found is None else found.keys
            if reading > 1:
                _log.info("The %s moved while they were read, reading them again", self._endpoint.noun)
        raise HotmartResponseError(
            f"The {self._endpoint.noun} kept moving, so some may be missing: run it again "
            f"(no two of {MAX_READINGS} readings agree)",
            path=request.path,
        )

    def _read_pages(self, request: Request, page: Page | None, file: IO[bytes]) -> _Reading | None:
        """
        Read all pages once.

        :return: None where it showed that rows moved meanwhile.
        """
        found = _Reading()
        tokens: set[str] = set()
        empty = 0
        token: str | None = None
        while True:
            if page is None:
                call = self._call(request, token)
                try:
                    page = self._session.get(call)
                except HotmartInvalidRequestError as error:
                    if token is not None and error.error == "invalid_token":
                        return None
                    raise
            keys: Counter[Hashable] = Counter(identity(request.endpoint or self._endpoint, row) for row in page.rows)
            clean = not (found.keys & keys)
            found.keys += keys
            found.is_one_answer = found.keys.total() == len(page.rows)
            file.write(json_lines(page.rows))
            if not clean:
                return None  # what comes twice has moved, and another may have been skipped
            token = page.next_token
            empty = 0 if page.rows else empty + 1
            if token is None:
                return found if page.total is None or page.total <= found.keys.total() else None
            if token in tokens:
                raise HotmartResponseError(
                    "The listing has no end: run it again (a page names a next page that was read already)",
                    path=request.path,
                )
            if empty >= MAX_EMPTY_PAGES or len(tokens) >= MAX_PAGES:
                raise HotmartResponseError(
                    f"The listing has no end: run it again (more than {len(tokens)} pages of {self._endpoint.noun}, "
                    f"{empty} empty ones at the end)",
                    path=request.path,
                )
            tokens.add(token)
            page = None


class _Reading:
    """One reading of all pages."""

    def __init__(self) -> None:
        self.keys: Counter[Hashable] = Counter()
        #: Whether all rows came on the last page.
        self.is_one_answer = True


def _is_complete(page: Page) -> bool:
    """Tell whether a page is all there is; one that announces more rows than it holds is not."""
    return page.next_token is None and (page.total is None or page.total <= len(page.rows))


def _parts(request: Request, outcome: Page | HotmartError) -> list[Request]:
    """Cut a window that is too wide, for Hotmart or for one page; nothing where it is not, or is the smallest."""
    window, count = request.window, 1
    if window is None or not window.can_split:
        return []
    if isinstance(outcome, HotmartError):
        if outcome.status == 502:
            _log.info("The window %s is too wide for Hotmart, splitting it", window)
            count = 2
    elif outcome.rows and not _is_complete(outcome):
        count = parts_for(outcome.total, len(outcome.rows))
    return [replace(request, window=part) for part in window.split(count)] if count > 1 else []


def _refuses_a_value(error: HotmartError) -> bool:
    """Tell whether Hotmart says that a value is invalid."""
    return error.status == 400 and error.error in ("invalid_parameter", "invalid_value_parameter")


def _chunks(file: IO[bytes]) -> Iterator[list[Raw]]:
    file.seek(0)
    while chunk := [Raw(line[:-1]) for line in islice(file, CHUNK_ROWS)]:
        yield chunk
