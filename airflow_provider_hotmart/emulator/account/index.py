"""Finds sales by status and date without looking at all of them, while the clock moves."""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence

from airflow_provider_hotmart.api.enums import SaleStatus
from airflow_provider_hotmart.emulator.account.sale import Sale

# A key holds a date and a sale in one integer: half the memory of a pair, and it sorts by date.
_SHIFT = 32
_MASK = (1 << _SHIFT) - 1
# From so many changes on, sorting the lists anew is quicker than changing them one by one.
_MANY = 500


def sale_of(key: int) -> int:
    """
    Give the index of the sale that a key stands for.

    :param key: of the index
    """
    return key & _MASK


class StatusIndex:
    """
    Files every sale under its status, sorted by date. Has no lock of its own: the world has one.

    :param sales: all sales by their index; None where one was removed
    """

    def __init__(self, sales: Sequence[Sale | None]) -> None:
        self._sales = sales
        self._files: dict[SaleStatus, list[int]] = {status: [] for status in SaleStatus}
        self._due: list[int] = []
        self._date_filter = ""
        self._at = 0.0
        self.version = 0

    def advance(self, now: float, date_filter: str) -> None:
        """
        Let everything happen that was due.

        :param now: epoch seconds
        :param date_filter: "order" or "approval"
        """
        if now < self._at or date_filter != self._date_filter:
            self._at, self._date_filter = now, date_filter
            self._rebuild()
            return
        self._at = now
        due: set[int] = set()
        while self._due and self._due[0] >> _SHIFT <= now:
            due.add(heapq.heappop(self._due) & _MASK)
        if due:
            self.refresh(sorted(due))

    def refresh(self, indexes: Sequence[int]) -> None:
        """
        File sales anew that have changed, appeared or gone.

        :param indexes: of the sales
        """
        self.version += 1
        taken: dict[SaleStatus, list[int]] = {}
        added: dict[SaleStatus, list[int]] = {}
        for index in indexes:
            sale = self._sales[index]
            if sale is not None:
                if sale.filed_as is not None:
                    taken.setdefault(sale.filed_as, []).append(sale.filed_key)
                self._file(sale, added)
        for status in taken.keys() | added.keys():
            self._change(status, taken.get(status, []), added.get(status, []))

    def forget(self, sale: Sale) -> None:
        """
        Take a sale out.

        :param sale: the one that goes
        """
        self.version += 1
        if sale.filed_as is not None:
            self._change(sale.filed_as, [sale.filed_key], [])

    def span(self, status: SaleStatus, low: int | None, high: int | None) -> tuple[list[int], int, int]:
        """
        Give the file of a status, and the positions in it that a window begins and ends at.

        :param status: which file
        :param low: epoch seconds of the first date inside; None: no bound
        :param high: epoch seconds of the first date outside; None: no bound
        """
        keys = self._files[status]
        first = 0 if low is None else bisect_left(keys, low << _SHIFT)
        return keys, first, len(keys) if high is None else max(first, bisect_left(keys, high << _SHIFT))

    def _file(self, sale: Sale, added: dict[SaleStatus, list[int]]) -> None:
        sale.filed_as = sale.status_at(self._at)
        sale.filed_key = sale.date(self._date_filter, self._at) << _SHIFT | sale.index
        if sale.filed_as is not None:
            added.setdefault(sale.filed_as, []).append(sale.filed_key)
        change = sale.next_change(self._at)
        if change is not None:
            heapq.heappush(self._due, change << _SHIFT | sale.index)

    def _change(self, status: SaleStatus, taken: Sequence[int], added: Iterable[int]) -> None:
        keys = self._files[status]
        if len(taken) > _MANY:
            gone = set(taken)
            self._files[status] = keys = [key for key in keys if key not in gone]
        else:
            for key in taken:
                del keys[bisect_left(keys, key)]
        added = list(added)
        if len(added) > _MANY:
            keys.extend(added)
            keys.sort()
        else:
            for key in added:
                insort(keys, key)

    def _rebuild(self) -> None:
        """File everything anew: at first, after the clock was turned back, or for another kind of date."""
        self.version += 1
        self._due = []
        added: dict[SaleStatus, list[int]] = {}
        for sale in self._sales:
            if sale is not None:
                self._file(sale, added)
        self._files = {status: sorted(added.get(status, ())) for status in SaleStatus}
