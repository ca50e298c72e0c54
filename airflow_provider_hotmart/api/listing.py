"""Listings: from filters to a stream of records that is complete, or fails."""

from __future__ import annotations

import logging
import marshal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Hashable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow_provider_hotmart.api.decoding import collection_paused
from airflow_provider_hotmart.api.endpoints import PRODUCTS, SALES_PARTICIPANTS, keep
from airflow_provider_hotmart.api.enums import SaleStatus
from airflow_provider_hotmart.api.errors import (
    HotmartError,
    HotmartInvalidRequestError,
    HotmartResponseError,
)
from airflow_provider_hotmart.api.pages import PageCursor
from airflow_provider_hotmart.api.parallel import Ordered, Run, StoppedError
from airflow_provider_hotmart.api.queries import ParticipantsQuery, ProductsQuery
from airflow_provider_hotmart.api.windows import Window, parts_for

if TYPE_CHECKING:
    from airflow_provider_hotmart.api.client import HotmartClient

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
Record = dict[str, Any]
#: Makes of a page's records what the caller wants to have of them.
Encode = Callable[[list[Record]], _T]

#: Seconds between two lines of progress.
PROGRESS_INTERVAL = 10.0
#: How often a listing that cannot be made smaller is read anew when its rows moved meanwhile.
MOST_REREADINGS = 5
#: An old and a new name of one state; the service may know only one of them.
ALIASES = (SaleStatus.PROTESTED, SaleStatus.DISPUTE)
_KNOWN_OF_SALE = frozenset({"transaction", "product", "users"})
_KNOWN_OF_PARTICIPANT = frozenset({"role", "user"})


@dataclass(frozen=True)
class Batch(Generic[_T]):
    """
    What one page gave.

    :param count: records in it.
    :param data: what ``encode`` made of them.
    """

    count: int
    data: _T


class Listing(ABC, Generic[_T]):
    """
    One listing of one endpoint. Iterate it once; iterating sends the calls.

    :param client: sends the calls.
    :param encode: what to make of each page's records.
    """

    noun = "records"

    def __init__(self, client: HotmartClient, encode: Encode[_T]) -> None:
        self._client = client
        self._encode = encode
        self._lock = threading.Lock()
        self._stopped = False
        self._select_matched = False
        self._any_rows = False
        self._next_line = client.clock.monotonic() + PROGRESS_INTERVAL
        #: Calls sent so far, repeated ones included.
        self.calls = 0
        #: Records handed on so far.
        self.records = 0
        #: Rows (products, sales) read so far, and how many Hotmart announced; None where it does not say.
        self.rows = 0
        self.total: int | None = None

    def __iter__(self) -> Iterator[Batch[_T]]:
        if self._stopped:
            raise RuntimeError("a listing is iterated once: prepare another")
        # Here, in the caller's thread, so that the token can be made known to what masks logs.
        self._client.log_in()
        try:
            for batch in self._batches():
                self.records += batch.count
                self._progress()
                if batch.count:
                    yield batch
            self._check_select()
        finally:
            self._stopped = True

    def count_call(self) -> None:
        """Count one call that is being sent."""
        with self._lock:
            self.calls += 1

    def check_running(self) -> None:
        """
        Keep a call from being sent for a listing that nobody reads any longer.

        :raises StoppedError: when the listing has ended.
        """
        if self._stopped:
            raise StoppedError

    @abstractmethod
    def _batches(self) -> Iterator[Batch[_T]]:
        """Send the calls, and give what each page holds."""

    @abstractmethod
    def _select(self) -> tuple[str, ...]:
        """Give the paths that were asked for; none: all."""

    def _progress(self) -> None:
        """Log how far the listing is, every few seconds."""
        now = self._client.clock.monotonic()
        if now < self._next_line:
            return
        self._next_line = now + PROGRESS_INTERVAL
        of = f" of {self.total}" if self.total is not None else ""
        _log.info(
            "Listed %d%s %s so far (%d records), %d calls sent, %d calls left in this minute",
            self.rows,
            of,
            self.noun,
            self.records,
            self.calls,
            self._client.budget.left,
        )

    def _check_select(self) -> None:
        if self._select() and self._any_rows and not self._select_matched:
            self._refuse_select()

    def _refuse_select(self) -> None:
        raise HotmartInvalidRequestError(
            f"select {','.join(self._select())!r} matches nothing in any row: "
            "give dot paths relative to a row, such as 'transaction,users.role,users.user.email'"
        )

    def _check_bare_answer(self, path: str, params: dict[str, str]) -> None:
        """
        Find out what an empty object means that came with ``select``: no rows, or paths that match nothing.

        Asked again without ``select``, the answer tells.
        """
        plain = {name: value for name, value in params.items() if name not in ("select", "page_token")}
        rows = self._client.fetch(
            path, {**plain, "max_results": "1"}, lambda body: PageCursor().read(body), listing=self
        )
        if rows:
            self._refuse_select()


class ProductsListing(Listing[_T]):
    """
    A listing of products. Products carry no date, so it is read page after page.

    :param client: sends the calls.
    :param query: the filters.
    :param encode: what to make of each page's records.
    """

    noun = "products"

    def __init__(self, client: HotmartClient, query: ProductsQuery, encode: Encode[_T]) -> None:
        super().__init__(client, encode)
        self._query = query

    def _select(self) -> tuple[str, ...]:
        return self._query.select

    def _batches(self) -> Iterator[Batch[_T]]:
        query = self._query
        seen: set[Hashable] = set()
        for product in query.product_ids or (None,):
            for status in query.statuses or (None,):
                for form in query.formats or (None,):
                    params = {"id": product, "status": status, "format": form}
                    given = {name: str(value) for name, value in params.items() if value is not None}
                    yield from self._settled(given, seen)

    def _settled(self, params: dict[str, str], seen: set[Hashable]) -> Iterator[Batch[_T]]:
        """
        Read one combination of filters until nothing moves.

        One page is one answer. Several are offsets into a list that may shift between them, and nothing tells how
        many rows there are: they count when two readings in a row find the same rows, none of them twice.
        """
        before: set[Hashable] | None = None
        for _ in range(MOST_REREADINGS):
            own, settled = yield from self._pages(params, seen)
            if settled or (own is not None and own == before):
                return
            before = own
            _log.info("Reading the products again, to see whether they moved while they were read")
        raise HotmartResponseError(
            f"Products moved during each of {MOST_REREADINGS} readings, so some may be missing: run it again",
            path=PRODUCTS.path,
        )

    def _pages(
        self, params: dict[str, str], seen: set[Hashable]
    ) -> Generator[Batch[_T], None, tuple[set[Hashable] | None, bool]]:
        """Read one combination of filters once; return its rows (None: one came twice), and if it was one answer."""
        cursor = PageCursor()
        own: set[Hashable] = set()
        clean = True
        query = {**params, "max_results": str(PRODUCTS.page_size)}
        if self._query.select:
            query["select"] = PRODUCTS.select(self._query.select)
        while not cursor.done:
            rows: list[Record] = []

            def read(body: dict[str, Any], rows: list[Record] = rows) -> bool:
                rows += cursor.read(body)
                return not body

            if cursor.token:
                query["page_token"] = cursor.token
            bare = self._client.fetch(PRODUCTS.path, query, read, listing=self)
            if bare and self._query.select and cursor.pages == 1:
                self._check_bare_answer(PRODUCTS.path, query)
            keys = [PRODUCTS.key(row) for row in rows]
            fresh = [row for key, row in dict(zip(keys, rows, strict=True)).items() if key not in seen]
            clean = clean and len(own.union(keys)) == len(own) + len(keys)
            own.update(keys)
            seen.update(keys)
            self.rows += len(fresh)
            self._any_rows = self._any_rows or bool(fresh)
            yield Batch(len(fresh), self._encode(self._records(fresh)))
        return (own if clean else None), clean and cursor.pages == 1

    def _records(self, rows: list[Record]) -> list[Record]:
        select = self._query.select
        if not select:
            return rows
        kept = [keep(row, select) for row in rows]
        self._select_matched = self._select_matched or any(kept)
        return kept


class ParticipantsListing(Listing[_T]):
    """
    A listing of sales participants: status after status, the windows within a status in parallel.

    :param client: sends the calls.
    :param query: the filters.
    :param encode: what to make of each page's records.
    """

    noun = "sales"

    def __init__(self, client: HotmartClient, query: ParticipantsQuery, encode: Encode[_T]) -> None:
        super().__init__(client, encode)
        self._query = query
        self._bare_checked = False

    def _select(self) -> tuple[str, ...]:
        return self._query.select

    def _batches(self) -> Iterator[Batch[_T]]:
        if not self._query.window_given:
            _log.info("No complete window of dates given: listing sales of %s", self._query.window)
        statuses = self._query.statuses
        aliases = [status for status in statuses if status in ALIASES]
        for status in statuses or (None,):
            if status not in ALIASES:
                yield from self._status(status)
            elif status == aliases[0]:
                yield from self._aliased(aliases)

    def _aliased(self, asked: list[str]) -> Iterator[Batch[_T]]:
        """
        List a state that has two names, of which the service may refuse either with 400.

        Whatever is found under the one name is not repeated under the other.
        """
        found: set[Hashable] = set()
        refusal: HotmartInvalidRequestError | None = None
        known = False
        for name in [*asked, *(one for one in ALIASES if one not in asked)]:
            if name not in asked and known:
                break
            before = self.rows
            try:
                yield from self._status(name, found)
                known = True
            except HotmartInvalidRequestError as error:
                if self.rows != before or error.status != 400:
                    raise
                refusal = refusal or error
        if not known and refusal is not None:
            raise refusal

    def _status(self, status: str | None, found: set[Hashable] | None = None) -> Iterator[Batch[_T]]:
        """
        List one status.

        :param status: None: whatever status the named transactions have.
        :param found: sales that are not to be repeated; those that are found are added.
        """
        query = self._query
        runs: list[_SalesRun[_T]] = []
        for transaction in query.transactions or (None,):
            for product in query.product_ids or (None,):
                given = {"transaction": transaction, "transaction_status": status, "product_id": product}
                params = {name: str(value) for name, value in given.items() if value is not None}
                params.update(query.params)
                runs.append(_SalesRun(query.window, params, params.get("transaction_status"), found))
        self.total = None
        self.rows = 0 if found is None else self.rows
        yield from Ordered(runs, self._read, self._client.config.max_parallel_calls)

    def _read(self, run: _SalesRun[_T]) -> list[_SalesRun[_T]] | None:
        """
        Read the sales of one window, page after page.

        :return: None when they were all read; else the smaller windows to read in place of this one.
        """
        cursor = PageCursor()
        own: set[Hashable] = set()
        handed = own if run.handed is None else run.handed
        while not cursor.done:
            run.wait_for_room()
            params = self._params(run, cursor)
            narrowable = run.window.can_split
            try:
                batch = self._client.fetch(
                    SALES_PARTICIPANTS.path,
                    params,
                    lambda body: self._page(run, cursor, own, handed, body),
                    listing=self,
                    narrowable=narrowable,
                )
            except HotmartError as error:
                if error.status == 502 and narrowable:
                    _log.info("The window %s is too wide for Hotmart, splitting it", run.window)
                    # A set that is still empty is not worth sharing: the parts would remember each other's sales.
                    return run.split(2, handed if own else run.handed)
                raise
            if isinstance(batch, int):
                return run.split(batch, run.handed)
            run.hand_on(batch)
            if batch is None and self._query.select and cursor.pages == 1:
                self._check_bare(params)
        return self._settle(run, cursor, own, handed)

    def _params(self, run: _SalesRun[_T], cursor: PageCursor) -> dict[str, str]:
        params = {
            **run.params,
            **run.window.params(),
            "max_results": str(SALES_PARTICIPANTS.page_size),
        }
        if self._query.select:
            params["select"] = SALES_PARTICIPANTS.select(self._query.select)
        if cursor.token:
            params["page_token"] = cursor.token
        return params

    def _page(
        self,
        run: _SalesRun[_T],
        cursor: PageCursor,
        own: set[Hashable],
        handed: set[Hashable],
        body: dict[str, Any],
    ) -> Batch[_T] | int | None:
        """
        Take in one page.

        :return: what to hand on; or the number of windows to cut this one into, before anything of it was
            handed on; or None for an empty object.
        """
        sales = cursor.read(body)
        if cursor.pages == 1:
            self._announce(run, cursor, bool(sales))
            if cursor.total is not None and not cursor.done and sales and run.window.can_split:
                parts = parts_for(cursor.total, len(sales))
                if parts > 1:
                    return parts
        fresh = []
        for sale in sales:
            key = SALES_PARTICIPANTS.key(sale)
            if key not in own:
                # With nothing handed on before, both sets are one.
                known = handed is not own and key in handed
                own.add(key)
                handed.add(key)
                if not known:
                    fresh.append(sale)
            else:
                run.moved = True
        if cursor.pages > 1 and cursor.done and not sales and cursor.total is None:
            # A further page was promised, and no total says that all rows have come.
            run.moved = True
        with self._lock:
            self.rows += len(fresh)
            self._any_rows = self._any_rows or bool(fresh)
        records = self._records(fresh, run.status)
        return Batch(len(records), self._encode(records)) if body else None

    def _announce(self, run: _SalesRun[_T], cursor: PageCursor, some: bool) -> None:
        """Add up what Hotmart says of how much there is, for the lines of progress."""
        if run.first and (cursor.total is not None or cursor.done or not some):
            with self._lock:
                self.total = (self.total or 0) + (cursor.total or 0)

    def _records(self, sales: list[Record], status: str | None) -> list[Record]:
        query = self._query
        roles = query.roles
        records: list[Record] = []
        for sale in sales:
            participants = _participants(sale)
            if query.select:
                self._add_selected(records, sale, participants, status)
                continue
            more = {} if sale.keys() <= _KNOWN_OF_SALE else _others(sale, _KNOWN_OF_SALE)
            transaction, product = sale["transaction"], sale.get("product")
            for one in participants:
                role = one.get("role")
                if roles and role not in roles:
                    continue
                record = {
                    "transaction": transaction,
                    "transaction_status": status,
                    "product": product,
                    "role": role,
                    "user": one.get("user"),
                }
                if more:
                    record.update(more)
                if not one.keys() <= _KNOWN_OF_PARTICIPANT:
                    record.update(_others(one, _KNOWN_OF_PARTICIPANT))
                records.append(record)
        return records

    def _add_selected(
        self, records: list[Record], sale: Record, participants: list[Record], status: str | None
    ) -> None:
        """Add the participants of a sale with nothing but what was selected, and the status."""
        kept = keep(sale, self._query.select)
        people = kept.pop("users", None) or [{}] * len(participants)
        self._select_matched = self._select_matched or bool(kept) or any(people)
        for one, person in zip(participants, people, strict=True):
            if not self._query.roles or one.get("role") in self._query.roles:
                records.append({**kept, "transaction_status": status, **person})

    def _check_bare(self, params: dict[str, str]) -> None:
        with self._lock:
            checked, self._bare_checked = self._bare_checked, True
        if not checked:
            self._check_bare_answer(SALES_PARTICIPANTS.path, params)

    def _settle(
        self, run: _SalesRun[_T], cursor: PageCursor, own: set[Hashable], handed: set[Hashable]
    ) -> list[_SalesRun[_T]] | None:
        """
        Decide whether what was read of a window is all of it.

        Pages are offsets into a list that moves while it is read: when the announced total moved, or is not
        the number of different rows that came, or a row came twice, then another may have been skipped.
        """
        announced = cursor.totals
        if not run.moved and (not announced or announced == {len(own)}):
            return None
        if cursor.pages > 1 and run.window.can_split:
            _log.info("Sales moved while the window %s was read, reading it anew in halves", run.window)
            return run.split(2, handed)
        if run.readings < MOST_REREADINGS:
            return run.again(handed)
        told = " and ".join(str(total) for total in sorted(announced)) or "no number of"
        raise HotmartResponseError(
            f"Hotmart announces {told} sales for the window {run.window} and sends {len(own)}, "
            f"in each of {MOST_REREADINGS} readings: run it again, with a narrower window if it stays",
            path=SALES_PARTICIPANTS.path,
        )


def _participants(sale: Record) -> list[Record]:
    """The participants of a sale; none where it has none."""
    participants = sale.get("users") or []
    well = isinstance(participants, list)
    for one in participants if well else ():
        well = well and isinstance(one, dict)
    if not well:
        raise HotmartResponseError("users of a sale is not a list of objects", path=SALES_PARTICIPANTS.path)
    return participants


def _others(row: Record, known: frozenset[str]) -> Record:
    """The fields of a row that are not known, by name."""
    return {name: row[name] for name in sorted(row.keys() - known)}


class _SalesRun(Run[Batch[_T]]):
    """
    One window to read.

    :param window: when the sales were made.
    :param params: the filters, as Hotmart's query parameters.
    :param status: the status that is asked for.
    :param handed: identities of the sales that are not to be handed on again; None: none.
    """

    def __init__(
        self,
        window: Window,
        params: dict[str, str],
        status: str | None,
        handed: set[Hashable] | None = None,
        readings: int = 1,
        first: bool = True,
    ) -> None:
        super().__init__()
        self.window = window
        self.params = params
        self.status = status
        self.handed = handed
        self.readings = readings
        self.first = first
        #: Whether anything on its pages says that rows moved while they were read.
        self.moved = False

    def split(self, parts: int, handed: set[Hashable] | None) -> list[_SalesRun[_T]]:
        """Cut into smaller windows that do not hand on again what this one did."""
        windows = self.window.split(parts)
        return [_SalesRun(window, self.params, self.status, handed, first=False) for window in windows]

    def again(self, handed: set[Hashable]) -> list[_SalesRun[_T]]:
        """Read the same window once more."""
        return [_SalesRun(self.window, self.params, self.status, handed, self.readings + 1, first=False)]


def as_records(kind: Any, client: HotmartClient, query: Any) -> Iterator[Record]:
    """
    List one record at a time. Pages that wait for their turn are held in marshalled form, a fifth of the size.

    :param kind: class of the listing.
    """
    listing: Listing[bytes] = kind(client, query, marshal.dumps)
    for batch in listing:
        with collection_paused():
            records = marshal.loads(batch.data)  # noqa: S302 - written by this very process a moment ago
        yield from records
