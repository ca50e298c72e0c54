"""A query → a stream of records that is complete, or fails: fan-out over values, ranks of statuses, progress."""

from __future__ import annotations

import logging
from collections.abc import Generator, Hashable, Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import Any, NoReturn

from airflow_provider_hotmart.api.client import HotmartClient, Session
from airflow_provider_hotmart.api.endpoint import Endpoint
from airflow_provider_hotmart.api.endpoints.sales import SALES
from airflow_provider_hotmart.api.errors import HotmartError, HotmartInvalidRequestError
from airflow_provider_hotmart.api.filters import Query, refuse_unmet
from airflow_provider_hotmart.api.lifecycle import ALIASES
from airflow_provider_hotmart.api.merging import added_up, once, without_repetition
from airflow_provider_hotmart.api.pagination import Answer, Pagination
from airflow_provider_hotmart.api.participants import row_type
from airflow_provider_hotmart.api.refused_requests import explain_age, is_too_old, read_refused, windows_of_all_time
from airflow_provider_hotmart.api.request import Request, requests_of, values_found
from airflow_provider_hotmart.api.rows import Record, RecordReader, objects, refuse_select

_log = logging.getLogger(__name__)

#: Seconds between two lines of progress.
PROGRESS_INTERVAL = 10.0


class Listing:
    """
    One listing. Iterate it once: that sends the calls, and gives the records in batches.

    :param client: sends the calls.
    :param query: what is asked for.
    :param session: of another listing, which this one is a part of; None: its own.
    """

    def __init__(self, client: HotmartClient, query: Query, session: Session | None = None) -> None:
        self._client = client
        #: What is asked for.
        self.query = query
        #: What is joined with each record, by the name that it has there.
        self.parts: Mapping[str, Endpoint] = {}
        #: What a manifest says of it beside what was asked for.
        self.facts: dict[str, Any] = {}
        self._session = client.session() if session is None else session
        self._is_part = session is not None
        self._reader = RecordReader(query)
        self._pagination = Pagination(
            self._session, query.endpoint, personal=query.is_personal, row_type=row_type(query)
        )
        self._next_line = client.clock.monotonic() + PROGRESS_INTERVAL
        self._bare_checked = False
        #: Values that were found in the rows of another endpoint; None: not read yet, or too many to keep.
        self._targets_found: list[list[dict[str, str]]] | None = None
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
        spans = [self.query.window, *(span for _, span in self.query.ranges)]
        window = next((span for span in spans if span is not None), None)
        return "" if window is None else f" of {window}"

    def __iter__(self) -> Generator[list[Record], None, None]:
        try:
            # Here, in the caller's thread, so that the token can be made known to what masks logs.
            self._session.log_in()
            for answer in self._answers():
                self.rows += len(answer.rows)
                records = self._reader.read(answer.rows, answer.request.status, answer.request.stamp)
                self.records += len(records)
                self._progress()
                if records:
                    yield records
            self._reader.check(self.rows > 0)
            refuse_unmet(self.query, self._met | self._reader.met)
        finally:
            if not self._is_part:
                self._session.close()

    def objects(self) -> Iterator[dict[str, Any]]:
        """List one decoded record at a time."""
        batches = iter(self)
        try:
            for batch in batches:
                yield from objects(batch)
        finally:
            batches.close()

    def stop(self) -> None:
        """End it from another thread or a signal handler; whoever iterates it gets HotmartStoppedError."""
        self._session.stop()

    def _answers(self) -> Iterator[Answer]:
        query = self.query
        if not query.window_given:
            _log.info("No complete window of dates given: listing %s%s", query.endpoint.noun, self.described)
        answers = self._in_order()
        yield from added_up(query.endpoint, answers) if query.endpoint.sums else answers

    def _in_order(self) -> Iterator[Answer]:
        query = self.query
        if query.endpoint.status is None:
            yield from without_repetition(query, self._read([None]))
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
        if self.query.endpoint.sums and set(ALIASES) <= set(rank):
            rank.remove(ALIASES[1])  # both names would count it twice
        names = {status for status in rank if status in ALIASES}
        found: set[Hashable] = set()
        refused: dict[str | None, HotmartError] = {}
        answered: set[str | None] = set()
        for answer in self._read(rank):
            status = answer.request.status
            if status not in ALIASES:
                yield from [answer] if answer.refusal is None else self._through_history(answer.request)
            elif answer.refusal is not None:
                refused.setdefault(status, answer.refusal)
            else:
                answered.add(status)
                yield once(self.query.endpoint, answer, found)
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
            explain_age(self.query, refusal)
        raise refusal

    def _through_history(self, refused: Request) -> Iterator[Answer]:
        """Read sales of a status that this endpoint refuses to know: the history of sales names them."""
        query = self.query
        if query.endpoint is SALES:
            raise HotmartInvalidRequestError(f"Hotmart does not know the status {refused.status}: leave it out")
        _log.info("Hotmart does not list %s of status %s here: asking for each", query.endpoint.noun, refused.status)
        asked = {key: value for key, value in refused.params.items() if key != query.endpoint.status}
        for batch in Listing(
            self._client,
            replace(
                query,
                endpoint=SALES,
                params={key: value for key, value in asked.items() if key != "select"},
                fan_out={},
                statuses=((str(refused.status),),),
                window=refused.window,
                select=("purchase.transaction",),
                unverified=(),
            ),
            self._session,
        ):
            codes = [row["purchase"]["transaction"] for row in objects(batch)]
            yield from self._read_requests(
                [replace(refused, params={**asked, "transaction": code}, may_be_refused=False) for code in codes]
            )

    def _read(self, statuses: list[str] | list[None]) -> Iterator[Answer]:
        """Read all that is asked for, of some statuses."""
        for targets in self._targets():
            yield from self._read_requests(
                [
                    request
                    for status in statuses
                    for target in targets
                    for request in requests_of(self.query, target, status, self._sent_select())
                ]
            )

    def _read_requests(self, requests: list[Request]) -> Iterator[Answer]:
        by_code = self.query.window is None and self.query.endpoint.dates is not None
        settled: set[int] = set()
        try:
            for answer in self._pagination.answers(requests):
                if answer.is_bare:
                    self._check_bare(answer.request)
                if answer.rows or answer.refusal is not None:
                    settled.add(id(answer.request))
                if answer.rows:
                    self._met.update(answer.request.params.items())
                if answer.refusal is None or answer.request.status in self.query.endpoint.refusable:
                    yield answer
                else:
                    yield from read_refused(self._pagination, self.query, answer.request, answer.refusal)
            if by_code:
                # Without dates Hotmart may look at the last 30 days alone.
                yield from self._anywhere([request for request in requests if id(request) not in settled])
        except HotmartInvalidRequestError as error:
            explain_age(self.query, error)
            raise

    def _targets(self) -> Iterator[list[dict[str, str]]]:
        """
        Give what is to be asked for in calls of its own, some at a time: each combination of values of the filters.

        Values that nobody gave are found in the rows of another endpoint.
        """
        query = self.query
        values = [dict(zip(query.fan_out, chosen, strict=True)) for chosen in product(*query.fan_out.values())]
        if query.parent is None:
            yield values
        elif self._targets_found is not None:
            yield from self._targets_found
        else:
            found: list[list[dict[str, str]]] = []
            for batch in Listing(self._client, query.parent, self._session):
                targets = [{**value, **one} for one in values_found(query, objects(batch)) for value in values]
                if len(query.statuses) > 1:
                    found.append(targets)
                yield targets
            self._targets_found = found if len(query.statuses) > 1 else None

    def _anywhere(self, requests: list[Request]) -> Iterator[Answer]:
        """Look for sales by their codes in windows of all time, the latest first, as far back as Hotmart lets us."""
        missed = {tuple(request.params.items()): replace(request, may_be_refused=False) for request in requests}
        for window in windows_of_all_time(self.query.now):
            if not missed:
                return
            try:
                for answer in self._pagination.answers([replace(one, window=window) for one in missed.values()]):
                    yield answer
                    if answer.rows:
                        missed.pop(tuple(answer.request.params.items()), None)
            except HotmartInvalidRequestError as error:
                if is_too_old(window, self.query.now, error):
                    return
                raise

    def _sent_select(self) -> tuple[str, ...]:
        """Give the paths to ask Hotmart for."""
        return self.query.select

    def _check_bare(self, request: Request) -> None:
        """
        Find out what an empty object means that came with ``select``: no rows, or paths that match nothing.

        Asked again without ``select``, the answer tells.
        """
        if not self.query.select or not self.query.endpoint.takes_select or self._bare_checked:
            return
        self._bare_checked = True
        plain = replace(request, params={key: value for key, value in request.params.items() if key != "select"})
        if any(answer.rows for answer in self._pagination.answers([plain])):
            refuse_select(self.query, self.query.select[0])

    def _progress(self) -> None:
        """Log how far the listing is, every few seconds."""
        now = self._client.clock.monotonic()
        if now >= self._next_line:
            self._next_line = now + PROGRESS_INTERVAL
            facts = (self.rows, self.query.endpoint.noun, self.records, self.calls, self._client.budget.left)
            _log.info("Listed %d %s so far (%d records), %d calls sent, %d calls left in this minute", *facts)
