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

from airflow_provider_hotmart.api.client import HotmartClient
from airflow_provider_hotmart.api.dates import parse_datetime
from airflow_provider_hotmart.api.endpoints import SALES_PARTICIPANTS
from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError
from airflow_provider_hotmart.api.filters import Query, build_query, parse_texts
from airflow_provider_hotmart.api.listing import Listing
from airflow_provider_hotmart.api.rows import json_lines, keep
from airflow_provider_hotmart.api.windows import Window, iso

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
            parse_datetime(self.since, "since")
        self._query(Window(0, 1))
        self._select()

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
            sorted(query.fan_out.items()),
            sorted(query.params.items()),
            sorted((key, sorted(values)) for key, values in query.kept.items()),
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
            return None if self.since is None else parse_datetime(self.since, "since")
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
        return list(self._query(Window(0, 1)).all_statuses) or None

    def look(self, client: HotmartClient, window: Window) -> Iterator[Participant]:
        """
        Yield everybody in the window, each once, however many watched statuses show them.

        :param client: sends the calls.
        :param window: where to look.
        """
        scope = self.scope
        seen: set[int] = set()
        for record in Listing(client, self._query(window)).objects():
            digest = identity(record, scope)
            if digest not in seen:
                seen.add(digest)
                yield Participant(digest, record)

    def selected(self, record: dict[str, Any]) -> dict[str, Any]:
        """Reduce a record to what ``select`` names; looking needs more than that to tell people apart."""
        select = self._select()
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

    def _select(self) -> tuple[str, ...]:
        asked = self.filters.get("select")
        return () if asked is None else parse_texts(asked, "select")

    def _query(self, window: Window) -> Query:
        filters = {name: value for name, value in self.filters.items() if name != "select"}
        start, end = iso(window.start), iso(window.end)
        dates = {"sales_start_date": start, "sales_end_date": end}
        return build_query(SALES_PARTICIPANTS, now=window.end, **dates, **filters)


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
    facts = {"sale": record["transaction"], "role": record["role"], "has_ucode": bool(ucode), "person": person}
    digest.update(json_lines([facts]))
    return int.from_bytes(digest.digest(), "big")


def digest_of_all(digests: set[int]) -> str:
    """One digest for a whole set of participants."""
    total = hashlib.blake2b(digest_size=16)
    for digest in sorted(digests):
        total.update(digest.to_bytes(8, "big"))
    return total.hexdigest()
