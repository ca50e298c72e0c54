"""A query → a stream of records that is complete, or fails: fan-out over values, ranks of statuses, progress."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any, NoReturn
from urllib.parse import quote

from msgspec import Raw

from airflow_provider_hotmart.api.client import HotmartClient, Session
from airflow_provider_hotmart.api.endpoint import Endpoint
from airflow_provider_hotmart.api.endpoints import SALES
from airflow_provider_hotmart.api.errors import HotmartError, HotmartInvalidRequestError, HotmartResponseError
from airflow_provider_hotmart.api.filter_values import suggestion
from airflow_provider_hotmart.api.filters import CLOCK_DIFFERENCE, FIRST_SALE, Query
from airflow_provider_hotmart.api.lifecycle import ALIASES
from airflow_provider_hotmart.api.pagination import Answer, Pagination, Request
from airflow_provider_hotmart.api.rows import (
    Record,
    RecordReader,
    added_up,
    identity,
    objects,
    refuse_select,
    select_for,
)
from airflow_provider_hotmart.api.windows import Window, iso

_log = logging.getLogger(__name__)

#: Seconds between two lines of progress.
PROGRESS_INTERVAL = 10.0
#: How old a window's start may be, as far as it is known of sales/history.
MAX_AGE = timedelta(days=730)


class Listing:
    """
    One listing. Iterate it once: that sends the calls, and gives the records in batches.

    :param client: sends the calls.
    :param query: what is asked for.
    :param session: of another listing, which this one is a part of; None: its own.
    """

    def __init__(self, client: HotmartClient, query: Query, session: Session | None = None) -> None:
        self._client = client
        self._query = query
        self._session = client.session() if session is None else session
        self._is_part = session is not None
        self._reader = RecordReader(query)
        self._pagination = Pagination(self._session, query.endpoint, personal=query.is_personal)
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
    def query(self) -> Query:
        """What is asked for."""
        return self._query

    @property
    def calls(self) -> int:
        """Calls sent so far, repeated ones included."""
        return self._session.calls

    @property
    def described(self) -> str:
        """The window that is listed, as a part of a sentence; empty where there is none."""
        spans = [self._query.window, *(span for _, span in self._query.ranges)]
        window = next((span for span in spans if span is not None), None)
        return "" if window is None else f" of {window}"

    @property
    def parts(self) -> Mapping[str, Endpoint]:
        """What is joined with each record, by the name that it has there."""
        return {}

    @property
    def facts(self) -> dict[str, Any]:
        """What a manifest says of it beside what was asked for."""
        return {}

    def __iter__(self) -> Iterator[list[Record]]:
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
            self._check_unverified()
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
            batches.close()  # type: ignore[attr-defined]  # a generator

    def stop(self) -> None:
        """End it from another thread or a signal handler; whoever iterates it gets HotmartStoppedError."""
        self._session.stop()

    def _answers(self) -> Iterator[Answer]:
        query = self._query
        if not query.window_given:
            _log.info("No complete window of dates given: listing %s%s", query.endpoint.noun, self.described)
        answers = self._in_order()
        yield from self._added_up(answers) if query.endpoint.sums else answers

    def _in_order(self) -> Iterator[Answer]:
        query = self._query
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
        if self._query.endpoint.sums and set(ALIASES) <= set(rank):
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
                yield self._once(answer, found)
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

    def _through_history(self, refused: Request) -> Iterator[Answer]:
        """Read sales of a status that this endpoint refuses to know: the history of sales names them."""
        query = self._query
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

    def _without_repetition(self, answers: Iterator[Answer]) -> Iterator[Answer]:
        """Give a row once that comes for several values of a filter, because it moved from one to the other."""
        found: set[Hashable] = set()
        stamped = {one.sent_as for one in self._query.endpoint.stamps}
        several = any(len(values) > 1 for name, values in self._query.fan_out.items() if name not in stamped)
        for answer in answers:
            yield self._once(answer, found) if several else answer

    def _once(self, answer: Answer, found: set[Hashable]) -> Answer:
        stamp = tuple(answer.request.stamp.values())
        keys = [(stamp, identity(self._query.endpoint, row)) for row in answer.rows]
        # Two rows of one identity in one answer are two rows.
        fresh = [row for key, row in zip(keys, answer.rows, strict=True) if key not in found]
        found.update(keys)
        return replace(answer, rows=fresh)

    def _added_up(self, answers: Iterator[Answer]) -> Iterator[Answer]:
        """Make one row of the rows of one identity, which the parts of a listing have each."""
        rows: dict[Hashable, list[Raw]] = {}
        request: Request | None = None
        for answer in answers:
            request = answer.request
            for row in answer.rows:
                rows.setdefault(identity(self._query.endpoint, row), []).append(row)
        if request is not None:
            yield Answer(request, [added_up(self._query.endpoint, parts) for parts in rows.values()])

    def _read(self, statuses: list[str] | list[None]) -> Iterator[Answer]:
        """Read all that is asked for, of some statuses."""
        for targets in self._targets():
            yield from self._read_requests(
                [request for status in statuses for target in targets for request in self._requests(target, status)]
            )

    def _read_requests(self, requests: list[Request]) -> Iterator[Answer]:
        by_code = self._query.window is None and self._query.endpoint.dates is not None
        settled: set[int] = set()
        try:
            for answer in self._pagination.answers(requests):
                if answer.is_bare:
                    self._check_bare(answer.request)
                if answer.rows or answer.refusal is not None:
                    settled.add(id(answer.request))
                if answer.rows:
                    self._met.update(answer.request.params.items())
                if answer.refusal is None or answer.request.status in self._query.endpoint.refusable:
                    yield answer
                else:
                    yield from self._refused(answer.request, answer.refusal)
            if by_code:
                # Without dates Hotmart may look at the last 30 days alone.
                missed = [request for request in requests if id(request) not in settled]
                for request in missed:
                    yield from self._anywhere(request)
        except HotmartInvalidRequestError as error:
            self._explain_age(error)
            raise

    def _refused(self, request: Request, error: HotmartError) -> Iterator[Answer]:
        """Say what an error means that may be an answer."""
        endpoint = self._query.endpoint
        open_ends = [(pair, span) for pair, span in self._query.ranges if not pair.end[1]]
        if not open_ends:
            # Its parent may have vanished since it was found, and some of what has no rows is refused.
            _log.log(
                logging.INFO if endpoint.none_is_refused and error.status == 400 else logging.WARNING,
                "Hotmart has no %s at %s (HTTP %s)",
                endpoint.noun,
                request.path,
                error.status,
            )
            return
        # It does not take one date alone. The other one may mean something else, which then shows.
        params = {**request.params, **{f"end_{pair.start[1]}": span.bounds()[1] for pair, span in open_ends}}
        ended = False
        for answer in self._pagination.answers([replace(request, params=params, may_be_refused=False)]):
            ended = ended or not all(b'"end_accession_date"' in bytes(row) for row in answer.rows)
            yield answer
        if not ended:
            raise HotmartInvalidRequestError(
                f"Hotmart refuses {open_ends[0][0].start[1]} alone: filter by other dates "
                "(it shows none that goes on with an end)",
                status=error.status,
                error=error.error,
                description=error.description,
                path=error.path,
            )

    def _targets(self) -> Iterator[list[dict[str, str]]]:
        """
        Give what is to be asked for in calls of its own, some at a time: each combination of values of the filters.

        Values that nobody gave are found in the rows of another endpoint.
        """
        query = self._query
        values = [dict(zip(query.fan_out, chosen, strict=True)) for chosen in product(*query.fan_out.values())]
        if query.parent is None:
            yield values
        elif self._targets_found is not None:
            yield from self._targets_found
        else:
            found: list[list[dict[str, str]]] = []
            for batch in Listing(self._client, query.parent, self._session):
                targets = [{**value, **one} for one in self._found(objects(batch)) for value in values]
                if len(query.statuses) > 1:
                    found.append(targets)
                yield targets
            self._targets_found = found if len(query.statuses) > 1 else None

    def _found(self, records: list[dict[str, Any]]) -> Iterator[dict[str, str]]:
        """Find values of a filter in the records of another endpoint."""
        one = self._query.found
        if one is None or one.found_by is None:
            return
        for record in records:
            column = one.found_by.column
            value = record.get(column)
            if value in (None, ""):
                raise HotmartResponseError(
                    f"Hotmart's answer has another form than documented: report it (a row has no {column})",
                    path=one.found_by.endpoint.path,
                )
            if not one.found_by.only or record.get(one.found_by.only):
                yield {one.sent_as: str(value), **{name: str(record[name]) for name in one.found_by.along}}

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

    def _requests(self, target: Mapping[str, str], status: str | None) -> list[Request]:
        query, endpoint = self._query, self._query.endpoint
        windows: list[Window] | list[None] = [None] if query.window is None else query.window.pieces()
        params = {**query.params, **target}
        if status is not None and endpoint.status is not None:
            params[endpoint.filter(endpoint.status).sent_as] = status
        if query.select and endpoint.takes_select:
            params["select"] = select_for(endpoint, self._sent_select(), self._needed())
        stamps = [one for one in endpoint.stamps if one.sent_as in target]
        stamp = {one.name: int(target[one.sent_as]) if one.kind == "id" else target[one.sent_as] for one in stamps}
        in_path = {one.sent_as: quote(params.pop(one.sent_as), safe="") for one in stamps if one.in_path}
        may_be_refused = endpoint.none_is_refused or any(not pair.end[1] for pair, _ in query.ranges)
        request = Request(
            (query.path or endpoint.path).format(**in_path),
            params,
            status=status,
            may_be_refused=may_be_refused or status in endpoint.refusable,
            may_be_missing=query.found is not None,
            stamp=stamp,
        )
        return [replace(request, window=window) for window in windows]

    def _sent_select(self) -> tuple[str, ...]:
        """The paths to ask Hotmart for."""
        return self._query.select

    def _needed(self) -> list[str]:
        """The paths that are looked at here, whether they were selected or not."""
        query = self._query
        if query.endpoint.records_in is None:
            return [*query.kept, *query.between]
        prefix = f"{query.endpoint.records_in}."
        in_list = next(column.path for column in query.endpoint.columns if column.path.startswith(prefix))
        return [prefix + key for key in query.kept] or [in_list]

    def _check_bare(self, request: Request) -> None:
        """
        Find out what an empty object means that came with ``select``: no rows, or paths that match nothing.

        Asked again without ``select``, the answer tells.
        """
        if not self._query.select or not self._query.endpoint.takes_select or self._bare_checked:
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
                    f"{name} {value!r} finds nothing{hint}; expected one of {', '.join(known)}"
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
            f"Hotmart refuses {name}, probably for its age: give {iso(oldest)[:10]} ({MAX_AGE.days} days ago) or later "
            f"[{iso(window.start)}]",
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
