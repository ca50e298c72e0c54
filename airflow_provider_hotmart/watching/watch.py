"""What is watched, and who is in it: the one decision that the sensor, its trigger and the watcher of assets share."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple

from msgspec import Raw

from airflow_provider_hotmart.api.client import HotmartClient
from airflow_provider_hotmart.api.dates import parse_datetime
from airflow_provider_hotmart.api.endpoints.sales import SALES_PARTICIPANTS
from airflow_provider_hotmart.api.enums import SaleStatus
from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError
from airflow_provider_hotmart.api.filter_values import ALL, parse_filter
from airflow_provider_hotmart.api.filters import Query, build_query
from airflow_provider_hotmart.api.flat import places_of
from airflow_provider_hotmart.api.json_text import decode, json_lines
from airflow_provider_hotmart.api.listing import Listing
from airflow_provider_hotmart.api.participants import mappings
from airflow_provider_hotmart.api.rows import Record, RecordReader
from airflow_provider_hotmart.api.windows import Window

_log = logging.getLogger(__name__)
#: ``since="now"``: from the moment on at which the watch begins.
NOW = "now"
MAX_LOOKBACK = timedelta(days=366)
DEFAULT_LOOKBACK = timedelta(days=7)
#: Statuses that are one state of a sale to whoever watches: paid, and disputed.
SAME_STATE: Mapping[str, str] = {SaleStatus.COMPLETE: SaleStatus.APPROVED, SaleStatus.DISPUTE: SaleStatus.PROTESTED}
#: The part of the call limit that one watch may take before it is warned of.
MAX_SHARE = 0.2
_warned: set[tuple[bytes, float]] = set()


class Participant(NamedTuple):
    """
    One person in one sale, seen in one look.

    :param digest: eight bytes that identify the person in this sale, and its state, within the watch.
    :param transaction: code of the sale.
    :param status: of the sale; None: it was asked for by its code.
    :param role: of the person.
    :param record: as a listing gives it.
    :param place: which one of their role in the sale they are.
    """

    digest: int
    transaction: str
    status: str | None
    role: str
    record: dict[str, Any]
    place: int | None


@dataclass(frozen=True)
class Watch:
    """
    What is watched: filters, and how far back to look each time.

    :param hotmart_conn_id: the connection.
    :param filters: the filters of a listing by name, without dates.
    :param since: earliest moment, as ``sales_start_date`` of a listing, or ``"now"``; None: the look-back alone counts.
    :param lookback: how far each look goes back from now.
    :param report_status_changes: whether somebody is new again in another state of the sale.
    :raises HotmartInvalidRequestError: when an argument is wrong, naming value, rule and remedy.
    """

    hotmart_conn_id: str
    filters: Mapping[str, Any] = field(default_factory=dict)
    since: Any = None
    lookback: Any = DEFAULT_LOOKBACK
    report_status_changes: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.lookback, timedelta) or not timedelta(0) < self.lookback <= MAX_LOOKBACK:
            raise HotmartInvalidRequestError(
                f"lookback is {self.lookback!r}, expected a timedelta above zero and of at most "
                f"{MAX_LOOKBACK.days} days"
            )
        if self.since is not None and self.since != NOW:
            parse_datetime(self.since, "since")
        self._query()

    @property
    def scope(self) -> bytes:
        """
        Identifies what is watched, however it was written.

        It goes into every digest, so that watches never take each other's entries: whom one watch reported as APPROVED
        is still new to another that watches REFUNDED.
        """
        query = self._query()
        facts = [
            self.hotmart_conn_id,
            sorted(query.all_statuses),
            sorted((key, sorted(values)) for key, values in query.fan_out.items()),
            # Whichever way an e-mail address is written, it is the same.
            sorted((key, value.lower() if "@" in value else value) for key, value in query.params.items()),
            sorted((key, sorted(values)) for key, values in query.kept.items()),
            self.report_status_changes,
        ]
        return hashlib.blake2b(json.dumps(facts).encode(), digest_size=8).digest()

    @property
    def statuses(self) -> list[str] | None:
        """The statuses watched, in the order of a sale's life; None: any, of the sales that are named."""
        return list(self._query().all_statuses) or None

    def begin(self, remembered: int | None, started: float, timezone: str = "UTC") -> int | None:
        """
        Tell when the watch begins.

        :param remembered: what the ledger says of it, in seconds since the epoch.
        :param started: the moment that ``"now"`` means where nothing is remembered, in seconds since the epoch.
        :param timezone: of a date that names none.
        :return: seconds since the epoch; None: no earliest moment.
        """
        if self.since != NOW:
            return None if self.since is None else parse_datetime(self.since, "since", timezone)
        return math.floor(started) if remembered is None else remembered

    def window(self, now: float, since: int | None) -> Window:
        """
        Tell where to look now: from ``max(since, now - lookback)`` to now.

        :param now: seconds since the epoch.
        :param since: when the watch begins; None: no earliest moment.
        """
        last = math.ceil(now) + 1
        first = math.floor(now - self.lookback.total_seconds())
        start = max(first, since or 0)
        # Where the watch has not begun yet, a window ahead of now, in which there is nobody.
        return Window(start, max(last, start + 1))

    def listing(self, client: HotmartClient, window: Window) -> Listing:
        """
        Prepare a look.

        :param client: sends the calls.
        :param window: where to look.
        """
        return Listing(client, self._query(window))

    def participants(self, listing: Listing) -> Iterator[Participant]:
        """
        Look: yield everybody in each of their states once, however many watched statuses show them.

        :param listing: of :meth:`listing`.
        """
        seen: set[int] = set()
        for answer in map(mappings, listing):
            for one in self.identify(answer):
                if one.digest not in seen:
                    seen.add(one.digest)
                    yield one

    def identify(self, records: Sequence[dict[str, Any]]) -> Iterator[Participant]:
        """
        Identify participants: transaction, role, person and, unless that is not wanted, the state of the sale.

        A person is known by ``user.ucode``. Without one, all that is known of the user counts, and of several in one
        sale of whom the same is known, which of them it is.

        :param records: of one answer.
        """
        scope = self.scope
        row: Any = None
        alike: Counter[Any] = Counter()
        for record, place in zip(records, places_of(records), strict=True):
            if record["transaction"] is not row:
                # The records of one row share its transaction; the same row once more has nobody else in it.
                row = record["transaction"]
                alike.clear()
            transaction, role, user, status = (
                plain(record, name) for name in ("transaction", "role", "user", "transaction_status")
            )
            ucode = user.get("ucode") if isinstance(user, dict) else None
            known, number = None, 0
            if not ucode:
                # Keys come in any order, so they are put in one.
                known = json.dumps(user, sort_keys=True)
                alike[role, known] += 1
                number = alike[role, known]
            state = SAME_STATE.get(status, status) if self.report_status_changes else None
            facts = json_lines([{"sale": transaction, "role": role, "person": [ucode, known, number], "state": state}])
            digest = int.from_bytes(hashlib.blake2b(facts, key=scope, digest_size=8).digest(), "big")
            yield Participant(digest, transaction, status, role, record, place)

    def is_announced(self, transaction: str, status: str | None, announced: Collection[int]) -> bool:
        """
        Tell whether webhooks told of a sale.

        :param transaction: code of the sale.
        :param status: that it has been met in.
        :param announced: digests of :func:`announcement`.
        """
        if not announced:
            return False
        # Whoever wants each person once is told enough by any of the states that are watched.
        states: Sequence[str | None] = [status] if self.report_status_changes else self.statuses or [status]
        return any(one and announcement(self.hotmart_conn_id, transaction, one) in announced for one in states)

    def selection(self, select: Any) -> Selection:
        """
        Prepare to reduce records; looking needs more than what is selected, to tell people apart.

        :param select: dot paths; None: all.
        """
        return Selection(self._query(select=select))

    def _query(self, window: Window = Window(0, 1), select: Any = None) -> Query:  # noqa: B008 - it never changes
        start, end = window.isoformat()
        dates = {"sales_start_date": start, "sales_end_date": end}
        return build_query(SALES_PARTICIPANTS, now=window.end, select=select, **dates, **self.filters)


class Selection:
    """
    Reduces records to what was selected.

    :param query: with the paths.
    """

    def __init__(self, query: Query) -> None:
        self.query = query
        self._reader = RecordReader(query)

    def of(self, record: dict[str, Any]) -> Record:
        """Reduce a record."""
        if not self.query.select:
            return record
        sale = {name: value for name, value in record.items() if name in ("transaction", "product")}
        sale["users"] = [{name: value for name, value in record.items() if name in ("role", "user")}]
        [selected] = self._reader.read([Raw(json_lines([sale]))], plain(record, "transaction_status"))
        return selected

    def check(self) -> None:
        """
        Refuse what turned out to select nothing at all.

        :raises HotmartInvalidRequestError: for a path that no record has and nobody documented.
        """
        self._reader.check(rows_met=True)


def plain(record: Mapping[str, Any], name: str) -> Any:
    """Decode one value of a record."""
    value = record.get(name)
    return decode(value) if isinstance(value, Raw) else value


def canonical(name: str, value: Any) -> str | None:
    """
    Write a filter as text that does not depend on the order of values, their case, or how often one is given.

    :param name: of the filter.
    :param value: as a DAG author gives it. What is wrong with it is told by whoever asks Hotmart.
    """
    if value is None:
        return None
    with suppress(HotmartInvalidRequestError):
        return ",".join(sorted(parse_filter(SALES_PARTICIPANTS.filter(name), value, extra=(ALL,))))
    return str(value) if isinstance(value, (str, int)) else ",".join(sorted(map(str, value)))


def announcement_scope(hotmart_conn_id: str) -> bytes:
    """
    Identify what webhooks of a connection have told of, beside the watches of a ledger.

    :param hotmart_conn_id: the connection.
    """
    return hashlib.blake2b(json.dumps(["webhooks", hotmart_conn_id]).encode(), digest_size=8).digest()


def announcement(hotmart_conn_id: str, transaction: str, status: str) -> int:
    """
    Identify a state of a sale, whoever takes part in it: webhooks name nobody as a listing does.

    :param hotmart_conn_id: the connection.
    :param transaction: code of the sale.
    :param status: of the sale; those that are one state to a watch are one here.
    """
    facts = json.dumps([transaction, SAME_STATE.get(status, status)]).encode()
    scope = announcement_scope(hotmart_conn_id)
    return int.from_bytes(hashlib.blake2b(facts, key=scope, digest_size=8).digest(), "big")


def digest_of_all(digests: Collection[int]) -> str:
    """Make one digest for a whole set of participants."""
    return f"{len(digests)}-{sum(digests) % 2**64:x}"


def warn_of_cost(watch: Watch, calls: int, interval: float, limit: int) -> None:
    """
    Warn, once in this process, of a watch that leaves too few calls to others.

    :param calls: that one look took.
    :param interval: seconds between two looks.
    :param limit: calls that Hotmart allows in a minute.
    """
    least = calls * 60 / (MAX_SHARE * limit)
    if interval >= least or (watch.scope, interval) in _warned:
        return
    _warned.add((watch.scope, interval))
    _log.warning(
        "A look took %d calls; every %g s, that is more than a fifth of the %d that Hotmart allows in a minute: an "
        "interval of %d s would fit, or a shorter look-back",
        calls,
        interval,
        limit,
        math.ceil(least),
    )
