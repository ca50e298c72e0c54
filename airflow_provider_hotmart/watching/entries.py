"""What one run or watcher reported, as ledgers of every kind keep it."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import msgspec

#: Entries are kept for so much longer than the look-back, for clocks that differ.
MARGIN = timedelta(days=1)
DAY = 86400
#: Bytes of one digest.
DIGEST_SIZE = 8


@dataclass(frozen=True)
class Run:
    """
    One run of a task, whichever of its tries.

    :param map_index: -1: the task is not mapped.
    """

    dag_id: str
    task_id: str
    run_id: str
    map_index: int = -1


#: Says whether some runs have succeeded, and leaves out those that have not ended.
Outcomes = Callable[[Collection[Run]], Mapping[Run, bool]]


@dataclass(frozen=True)
class Owner:
    """
    Who keeps a ledger.

    :param scope: identifies what is watched; ledgers may be shared by watches of different scopes.
    :param run: the run that reports, whose own entries are not known to it; None: a watcher, which knows what it
        reported.
    :param lookback: how long entries matter.
    :param announcements: scope of what webhooks of the same connection told of; None: of no interest.
    """

    scope: bytes
    run: Run | None
    lookback: timedelta
    announcements: bytes | None = None

    def until(self, now: float) -> int:
        """Tell when an entry made now may be dropped, in seconds since the epoch."""
        return int(now + (self.lookback + MARGIN).total_seconds())

    @property
    def scope_name(self) -> str:
        """The scope as text."""
        return self.scope.hex()

    def entry(self, digests: Iterable[int], now: float) -> Entry:
        """Describe what has been reported now."""
        return Entry(self.scope_name, self.run, self.until(now), array("Q", digests).tobytes())

    def announced(self, entries: Iterable[Entry], now: float) -> set[int]:
        """Collect what webhooks told of."""
        scope = None if self.announcements is None else self.announcements.hex()
        return {digest for one in entries if one.scope == scope and one.until > now for digest in one.digests}

    def is_own(self, entry: Entry) -> bool:
        """Tell whether this very run made an entry."""
        return entry.scope == self.scope_name and entry.run is not None and entry.run == self.run

    def others(self, entries: Iterable[Entry], now: float) -> list[Entry]:
        """Choose what others reported of the same watch within the look-back."""
        return [one for one in entries if one.scope == self.scope_name and one.until > now and not self.is_own(one)]


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    What one run or watcher reported at one moment.

    :param scope: of the watch.
    :param run: the run; None: a watcher.
    :param until: when it may be dropped, in seconds since the epoch.
    :param ids: digests of the participants, eight bytes each; in JSON, as Base64.
    :param settled: whether the run is known to have succeeded.
    """

    scope: str
    run: Run | None
    until: int
    ids: bytes
    settled: bool = False

    def __post_init__(self) -> None:
        if len(self.ids) % DIGEST_SIZE:
            raise ValueError(f"ids are cut short: {len(self.ids)} bytes")

    @property
    def digests(self) -> array[int]:
        """The participants."""
        return array("Q", self.ids)


def pack(digests: Iterable[int]) -> str:
    """Write digests as text, about eleven characters each."""
    return base64.b64encode(array("Q", digests).tobytes()).decode()


def unpack(text: str) -> array[int]:
    """
    Read digests.

    :raises ValueError: when the text is no list of digests.
    """
    return array("Q", base64.b64decode(text, validate=True))
