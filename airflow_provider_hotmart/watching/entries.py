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


def ask(outcomes: Outcomes | None, entries: Iterable[Entry]) -> Mapping[Run, bool]:
    """Ask what became of the runs of entries, in one go, where that is not known yet."""
    runs = {one.run for one in entries if one.run is not None and not one.settled}
    return outcomes(runs) if outcomes and runs else {}


def are_settled(entries: Iterable[Entry], outcomes: Mapping[Run, bool]) -> bool:
    """Tell whether the runs of all entries have ended."""
    return all(one.run is None or one.settled or one.run in outcomes for one in entries)


def digests_of(entries: Iterable[Entry], outcomes: Mapping[Run, bool]) -> set[int]:
    """Collect what was reported, and seen by somebody downstream."""
    known: set[int] = set()
    for one in entries:
        if one.run is None or outcomes.get(one.run) is not False:
            known.update(one.digests)
    return known


def pack(digests: Iterable[int]) -> str:
    """Write digests as text, about eleven characters each."""
    return base64.b64encode(array("Q", digests).tobytes()).decode()


def unpack(text: str) -> array[int]:
    """
    Read digests.

    :raises ValueError: when the text is no list of digests.
    """
    return array("Q", base64.b64decode(text, validate=True))


def merged(entries: list[Entry], new: Entry) -> list[Entry]:
    """
    Add an entry.

    Watchers and the receiver of webhooks have no runs of which some may turn out to have failed: what each adds within
    a day is one entry, which is kept as long as its youngest part.
    """
    for place, old in enumerate(entries):
        if old.run is None and new.run is None and old.scope == new.scope and old.until // DAY == new.until // DAY:
            ids = array("Q", dict.fromkeys([*old.digests, *new.digests])).tobytes()
            both = Entry(old.scope, None, max(old.until, new.until), ids)
            return [*entries[:place], both, *entries[place + 1 :]]
    return [*entries, new]
