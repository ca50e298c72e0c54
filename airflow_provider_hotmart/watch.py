"""What is new: the one decision that the sensor, its trigger and the watcher of assets share."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from airflow_provider_hotmart.api import codec
from airflow_provider_hotmart.api.client import HotmartClient
from airflow_provider_hotmart.api.endpoints import keep
from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError
from airflow_provider_hotmart.api.listing import ParticipantsListing, as_records
from airflow_provider_hotmart.api.queries import ParticipantsQuery
from airflow_provider_hotmart.api.windows import Window, iso, moment

_log = logging.getLogger(__name__)
#: ``since="now"``: from the moment on at which the watch begins.
NOW = "now"
LONGEST_LOOKBACK = timedelta(days=366)
DEFAULT_LOOKBACK = timedelta(days=7)


@dataclass(frozen=True)
class Participant:
    """
    One person in one sale, seen in one look.

    :param digest: eight bytes that identify transaction, role and person within the watch.
    :param record: as a listing gives it.
    """

    digest: int
    record: dict[str, Any]


@dataclass(frozen=True)
class Watch:
    """
    What is watched: filters, and how far back to look each time.

    :param hotmart_conn_id: the connection.
    :param filters: the filters of a listing by name, without dates.
    :param since: earliest moment, as ``start_date`` of a listing, or ``"now"``; None: the look-back alone counts.
    :param lookback: how far each look goes back from now.
    :raises HotmartInvalidRequestError: when an argument is wrong, naming value, rule and remedy.
    """

    hotmart_conn_id: str
    filters: Mapping[str, Any] = field(default_factory=dict)
    since: Any = None
    lookback: Any = DEFAULT_LOOKBACK

    def __post_init__(self) -> None:
        if not isinstance(self.lookback, timedelta) or not timedelta(0) < self.lookback <= LONGEST_LOOKBACK:
            raise HotmartInvalidRequestError(
                f"lookback is {self.lookback!r}, expected a timedelta above zero and of at most "
                f"{LONGEST_LOOKBACK.days} days"
            )
        if self.since is not None and self.since != NOW:
            moment(self.since, "since")
        self._query(Window(0, 1))
        ParticipantsQuery.build(now=1.0, select=self.filters.get("select"))

    @property
    def scope(self) -> bytes:
        """
        Identifies what is watched. It goes into every digest, so that watches never take each other's entries.

        A participant that one watch reported as APPROVED is still new to another that watches REFUNDED.
        """
        query = self._query(Window(0, 1))
        facts = [
            self.hotmart_conn_id,
            query.statuses,
            query.transactions,
            query.product_ids,
            query.params,
            sorted(query.roles),
        ]
        return hashlib.blake2b(json.dumps(facts).encode(), digest_size=8).digest()

    def begin(self, remembered: int | None, started: float) -> int | None:
        """
        When the watch begins.

        :param remembered: what the ledger says of it, in seconds since the epoch.
        :param started: the moment that ``"now"`` means where nothing is remembered, in seconds since the epoch.
        :return: seconds since the epoch; None: no earliest moment.
        """
        if self.since != NOW:
            return None if self.since is None else moment(self.since, "since")
        return math.floor(started) if remembered is None else remembered

    def window(self, now: float, since: int | None) -> Window:
        """
        Where to look now: from ``max(since, now - lookback)`` to now.

        :param now: seconds since the epoch.
        :param since: when the watch begins; None: no earliest moment.
        """
        last = math.ceil(now) + 1
        first = math.floor(now - self.lookback.total_seconds())
        start = max(first, since or 0)
        # Where the watch has not begun yet, a window ahead of now, in which there is nobody.
        return Window(start, max(last, start + 1))

    def statuses(self) -> list[str] | None:
        """The statuses watched, in the order of a sale's life."""
        return [str(status) for status in self._query(Window(0, 1)).statuses] or None

    def look(self, client: HotmartClient, window: Window) -> Iterator[Participant]:
        """
        Yield everybody in the window, each once, however many watched statuses show them.

        :param client: sends the calls.
        :param window: where to look.
        """
        scope = self.scope
        seen: set[int] = set()
        for record in as_records(ParticipantsListing, client, self._query(window)):
            digest = identity(record, scope)
            if digest not in seen:
                seen.add(digest)
                yield Participant(digest, record)

    def selected(self, record: dict[str, Any]) -> dict[str, Any]:
        """Reduce a record to what ``select`` names; looking needs more than that to tell people apart."""
        select = ParticipantsQuery.build(now=1.0, select=self.filters.get("select")).select
        if not select:
            return record
        sale = {
            "transaction": record["transaction"],
            "product": record["product"],
            "users": [{"role": record["role"], "user": record["user"]}],
        }
        kept = keep(sale, select)
        people = kept.pop("users", [{}])
        return {**kept, "transaction_status": record["transaction_status"], **people[0]}

    def _query(self, window: Window) -> ParticipantsQuery:
        filters = {name: value for name, value in self.filters.items() if name != "select"}
        start, end = iso(window.start), iso(window.end)
        return ParticipantsQuery.build(now=window.end, start_date=start, end_date=end, **filters)


def as_scalar(value: Any) -> Any:
    """Write a filter that may hold several values as one text, for a trigger's arguments."""
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, str):
        return str(value)  # a member of an enumeration becomes plain text
    return ",".join(str(one) for one in value)


def identity(record: dict[str, Any], scope: bytes) -> int:
    """
    Identify a participant: transaction, role and ``user.ucode``; without a ucode, everything known of the user.

    :param record: as a listing gives it.
    :param scope: of the watch.
    :return: eight bytes as a number.
    """
    user = record["user"]
    ucode = user.get("ucode") if isinstance(user, dict) else None
    # Keys come in any order, so they are put in one.
    person = ucode or json.dumps(user, sort_keys=True)
    digest = hashlib.blake2b(key=scope, digest_size=8)
    digest.update(codec.dumps([record["transaction"], record["role"], bool(ucode), person]))
    return int.from_bytes(digest.digest(), "big")


def digest_of_all(digests: set[int]) -> str:
    """One digest for a whole set of participants."""
    total = hashlib.blake2b(digest_size=16)
    for digest in sorted(digests):
        total.update(digest.to_bytes(8, "big"))
    return total.hexdigest()
