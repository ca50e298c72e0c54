"""Everybody whom one poll saw, and who of them is new to a watcher."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_hotmart.api.listing import Listing
from airflow_provider_hotmart.api.windows import Window
from airflow_provider_hotmart.watching.watch import Watch, digest_of_all, plain

#: Sales in one event.
MAX_EVENT_SALES = 500


@dataclass(frozen=True)
class Snapshot:
    """
    Everybody in the window at one moment.

    :param window: where the poll looked.
    :param people: (transaction, product ID, status) and role of each, by digest.
    :param watch: what was looked at.
    """

    watch: Watch
    window: Window
    people: dict[int, tuple[tuple[str, Any, str | None], str]]
    #: What was told of it, by digest of those who were new: to equal watchers mostly the same.
    _told: dict[str, News] = field(default_factory=dict)

    @classmethod
    def take(cls, watch: Watch, window: Window, listing: Listing) -> Snapshot:
        """
        Look once.

        :param watch: what to look at.
        :param window: where.
        :param listing: of that.
        """
        people = {}
        for one in watch.participants(listing):
            product = plain(one.record, "product")
            product_id = product.get("id") if isinstance(product, dict) else None
            people[one.digest] = ((one.transaction, product_id, one.status), str(one.role))
        return cls(watch, window, people)

    def news(self, known: Iterable[Iterable[int]], announced: Collection[int] = ()) -> News:
        """
        Tell who is new.

        :param known: digests of those who are not.
        :param announced: digests of states of sales that webhooks told of.
        """
        unknown = self.people.keys() - set().union(*known)
        if announced:
            sales = {self.people[digest][0] for digest in unknown}
            told = {sale for sale in sales if self.watch.is_announced(sale[0], sale[2], announced)}
            unknown = {digest for digest in unknown if self.people[digest][0] not in told}
        key = digest_of_all(unknown)
        if key not in self._told:
            self._told[key] = self._tell(unknown)
        return self._told[key]

    def _tell(self, new: set[int]) -> News:
        # In the order in which they were met.
        fresh = [digest for digest in self.people if digest in new] if new else []
        sales: dict[tuple[str, Any, str | None], list[str]] = {}
        for digest in fresh:
            sale, role = self.people[digest]
            sales.setdefault(sale, []).append(role)
        told = list(sales.items())
        start, end = self.window.isoformat()
        events = [
            {
                "new": sum(len(roles) for _, roles in batch),
                "transactions": [
                    {"transaction": code, "product_id": product_id, "roles": roles, "transaction_status": status}
                    for (code, product_id, status), roles in batch
                ],
                "since": start,
                "until": end,
            }
            for batch in (told[first : first + MAX_EVENT_SALES] for first in range(0, len(told), MAX_EVENT_SALES))
        ]
        return News(events, array("Q", fresh))


@dataclass(frozen=True)
class News:
    """
    Who is new.

    :param events: payloads, at most 500 sales in each, and nobody's data.
    :param digests: of all of them.
    """

    events: list[dict[str, Any]]
    digests: array[int]
