"""A query → a stream of records that is complete, or fails: fan-out over values, ranks of statuses, progress."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any, NoReturn

from airflow_provider_hotmart.api.client import HotmartClient
from airflow_provider_hotmart.api.errors import HotmartError, HotmartInvalidRequestError
from airflow_provider_hotmart.api.filters import Query, suggestion
from airflow_provider_hotmart.api.lifecycle import ALIASES
from airflow_provider_hotmart.api.pagination import Answer, Pagination, Request
from airflow_provider_hotmart.api.rows import (
    Record,
    RecordReader,
    identity,
    objects,
    refuse_select,
    select_for,
)
from airflow_provider_hotmart.api.windows import Window, iso

_log = logging.getLogger(__name__)

#: Seconds between two lines of progress.
PROGRESS_INTERVAL = 10.0
#: Hotmart opened in 2011: a sale asked for by its code may be as old as that.
FIRST_SALE = 1_293_840_000
#: A sale asked for by its code may lie ahead of this machine's clock, in seconds.
CLOCK_DIFFERENCE = 86400
#: How old a window's start may be, as far as it is known of sales/history.
MAX_AGE = timedelta(days=730)


class Listing:
    """
    One listing. Iterate it once: that sends the calls, and gives the records in batches.

    :param client: sends the calls.
    :param query: what is asked for.
    """

    def __init__(self, client: HotmartClient, query: Query) -> None:
        self._client = client
        self._query = query
        self._session = client.session()
        self._reader = RecordReader(query)
        self._pagination = Pagination(self._session, query.endpoint, personal=query.is_personal)
        self._next_line = client.clock.monotonic() + PROGRESS_INTERVAL
        self._bare_checked = False
        #: Parameters and their values that some row came for.
        self._met: set[tuple[str, str]] = set()
        #: Rows (products, sales) and records handed on so far.
        self.rows = 0
        self.records = 0

    @property
    def calls(self) -> int:
        """Calls sent so far, repeated ones included."""
        return self._session.calls

    @property
    def described(self) -> str:
        """The window that is listed, as a part of a sentence; empty where there is none."""
        return "" if self._query.window is None else f" of {self._query.window}"

    def __iter__(self) -> Iterator[list[Record]]:
        with self._session:
            # Here, in the caller's thread, so that the token can be made known to what masks logs.
            self._session.log_in()
            for answer in self._answers():
                self.rows += len(answer.rows)
                if answer.rows:
                    self._met.update(answer.request.params.items())
                records = self._reader.read(answer.rows, answer.request.status)
                self.records += len(records)
                self._progress()
                if records:
                    yield records
            self._reader.check(self.rows > 0)
            self._check_unverified()

    def objects(self) -> Iterator[dict[str, Any]]:
        """List one decoded record at a time."""
        batches = iter(self)
        try:
            for batch in batches:
                yield from objects(batch)
        finally:
            batches.close()  # type: ignore[attr-defined]  # a generator

    def stop(self) -> None:
        """End it from another thread or a signal handler; whoever iterates it gets HotmartStoppedError."""
        self._session.stop()

    def _answers(self) -> Iterator[Answer]:
        query = self._query
        if not query.window_given:
            _log.info("No complete window of dates given: listing %s of %s", query.endpoint.noun, query.window)
        if query.endpoint.status is None:
            yield from self._without_repetition(self._read([None]))
        elif not query.statuses:
            yield from self._read([None])
        for rank in query.statuses:
            yield from self._rank(list(rank))

    def _rank(self, rank: list[str]) -> Iterator[Answer]:
        """
        Read statuses side by side.

        One state has two names, of which the service may refuse either. Whatever is found under the one name is not
        repeated under the other.
        """
        names = {status for status in rank if status in ALIASES}
        found: set[Hashable] = set()
        refused: dict[str | None, HotmartError] = {}
        answered: set[str | None] = set()
        for answer in self._read(rank):
            status = answer.request.status
            if answer.refusal is not None:
                refused.setdefault(status, answer.refusal)
                continue
            answered.add(status)
            yield self._once(answer, found) if status in ALIASES else answer
        for status in refused.keys() & answered:
            self._raise(refused[status])  # of a part of the window only, so it is not the name that was refused
        if not names or names & answered:
            return
        refusal = next(iter(refused.values()))
        others = [str(status) for status in ALIASES if status not in names]
        if not others:
            self._raise(refusal)
        for answer in self._read(others):
            if answer.refusal is not None:
                self._raise(refusal)
            yield answer

    def _raise(self, refusal: HotmartError) -> NoReturn:
        if isinstance(refusal, HotmartInvalidRequestError):
            self._explain_age(refusal)
        raise refusal

    def _without_repetition(self, answers: Iterator[Answer]) -> Iterator[Answer]:
        """Give a row once that comes for several values of a filter, because it moved from one to the other."""
        found: set[Hashable] = set()
        several = any(len(values) > 1 for values in self._query.fan_out.values())
        for answer in answers:
            yield self._once(answer, found) if several else answer

    def _once(self, answer: Answer, found: set[Hashable]) -> Answer:
        keys = [identity(self._query.endpoint, row) for row in answer.rows]
        # Two rows of one identity in one answer are two rows.
        fresh = [row for key, row in zip(keys, answer.rows, strict=True) if key not in found]
        found.update(keys)
        return replace(answer, rows=fresh)

    def _read(self, statuses: list[str] | list[None]) -> Iterator[Answer]:
        """Read all that is asked for, of some statuses."""
        requests = [request for status in statuses for request in self._requests(status)]
        by_code = self._query.window is None and self._query.endpoint.dates is not None
        settled: set[int] = set()
        try:
            for answer in self._pagination.answers(requests):
                if answer.is_bare:
                    self._check_bare(answer.request)
                if answer.rows or answer.refusal is not None:
                    settled.add(id(answer.request))
                yield answer
            if by_code:
                # Without dates Hotmart may look at the last 30 days alone.
                missed = [request for request in requests if id(request) not in settled]
                for request in missed:
                    yield from self._anywhere(request)
        except HotmartInvalidRequestError as error:
            self._explain_age(error)
            raise

    def _anywhere(self, request: Request) -> Iterator[Answer]:
        """Look for a sale by its code in windows of all time, the latest first, as far back as Hotmart lets us."""
        now = int(self._query.now)
        # What may be refused for its age is kept out of the windows that are not.
        oldest = now - int(MAX_AGE.total_seconds()) + CLOCK_DIFFERENCE
        windows = [*Window(FIRST_SALE, oldest).pieces(), *Window(oldest, now + CLOCK_DIFFERENCE).pieces()]
        for window in reversed(windows):
            try:
                rows = False
                for answer in self._pagination.answers([replace(request, window=window, may_be_refused=False)]):
                    rows = rows or bool(answer.rows)
                    yield answer
            except HotmartInvalidRequestError as error:
                if self._is_old(window, error):
                    return
                raise
            if rows:
                return

    def _requests(self, status: str | None) -> list[Request]:
        query = self._query
        windows: list[Window] | list[None] = [None] if query.window is None else query.window.pieces()
        params = dict(query.params)
        if status is not None and query.endpoint.status is not None:
            params[query.endpoint.filter(query.endpoint.status).sent_as] = status
        if query.select:
            needed = [f"{query.endpoint.records_in}.{key}" for key in query.kept]
            if query.endpoint.records_in and not needed:
                needed = [f"{query.endpoint.records_in}.role"]
            params["select"] = select_for(query.endpoint, query.select, needed)
        return [
            Request(
                query.endpoint.path,
                {**params, **dict(zip(query.fan_out, values, strict=True))},
                window,
                status,
                may_be_refused=status in ALIASES,
            )
            for values in product(*query.fan_out.values())
            for window in windows
        ]

    def _check_bare(self, request: Request) -> None:
        """
        Find out what an empty object means that came with ``select``: no rows, or paths that match nothing.

        Asked again without ``select``, the answer tells.
        """
        if not self._query.select or self._bare_checked:
            return
        self._bare_checked = True
        plain = replace(request, params={key: value for key, value in request.params.items() if key != "select"})
        if any(answer.rows for answer in self._pagination.answers([plain])):
            refuse_select(self._query, self._query.select[0])

    def _check_unverified(self) -> None:
        """Refuse a word that neither this package knows nor Hotmart has anything for."""
        met = self._met | self._reader.met
        for key, value, name in self._query.unverified:
            if (key, value) not in met:
                known = [str(word) for word in self._query.endpoint.filter(name).words or ()]
                meant = suggestion(value, known)
                hint = f" (did you mean {meant!r}?)" if meant else ""
                raise HotmartInvalidRequestError(
                    f"{name} {value!r} is not known here and nothing was found for it{hint}: "
                    f"known are {', '.join(known)}"
                )

    def _is_old(self, window: Window, error: HotmartInvalidRequestError) -> bool:
        """Whether Hotmart may have refused a window for its age."""
        oldest = self._query.now - MAX_AGE.total_seconds()
        return error.status == 400 and error.error == "invalid_parameter" and window.start < oldest

    def _explain_age(self, error: HotmartInvalidRequestError) -> None:
        """
        Say of a window that was refused how far back Hotmart lets us look.

        :raises HotmartInvalidRequestError: where that may be the reason.
        """
        window = self._query.window
        if window is None or not self._query.endpoint.dates or not self._is_old(window, error):
            return
        oldest = int(self._query.now - MAX_AGE.total_seconds())
        name = self._query.endpoint.dates[0][0]
        raise HotmartInvalidRequestError(
            f"Hotmart refuses {name} {iso(window.start)}, probably for its age: the oldest that can work is "
            f"{iso(oldest)[:10]} ({MAX_AGE.days} days ago)",
            status=error.status,
            error=error.error,
            description=error.description,
            path=error.path,
        ) from None

    def _progress(self) -> None:
        """Log how far the listing is, every few seconds."""
        now = self._client.clock.monotonic()
        if now >= self._next_line:
            self._next_line = now + PROGRESS_INTERVAL
            facts = (self.rows, self._query.endpoint.noun, self.records, self.calls, self._client.budget.left)
            _log.info("Listed %d %s so far (%d records), %d calls sent, %d calls left in this minute", *facts)
