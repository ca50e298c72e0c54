"""What has been reported before: digests of participants, and the places where they are kept."""

from __future__ import annotations

import base64
import binascii
import functools
import json
import logging
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from airflow_provider_hotmart.storage.errors import StorageError
from airflow_provider_hotmart.storage.object_file import ObjectFile

_log = logging.getLogger(__name__)
#: Written into each ledger file; a file that says more than this was written by a newer version.
VERSION = 2
FORMAT = "airflow-provider-hotmart ledger"
#: Entries are kept for so much longer than the look-back, for clocks that differ.
MARGIN = timedelta(days=1)
#: So many runs remember in their XComs when the watch began: clearing one of them forgets nothing.
COPIES = 3
#: Runs of so many days push their XComs under one name. Each name costs a call to Airflow, and each day of it that the
#: look-back does not cover is read in vain.
XCOM_DAYS = 10
DAY = 86400
#: Look-backs that are longer are better off with a file.
MAX_XCOM_LOOKBACK = timedelta(days=31)


@dataclass(frozen=True)
class Run:
    """
    One run of a task.

    :param map_index: -1: the task is not mapped.
    :param try_number: which of its tries; all of them are the same run.
    """

    dag_id: str
    task_id: str
    run_id: str
    map_index: int = -1
    try_number: int = field(default=1, compare=False)

    @classmethod
    def of(cls, ti: Any) -> Run:
        """
        Describe the run of a task instance.

        :param ti: from the context.
        """
        return cls(ti.dag_id, ti.task_id, ti.run_id, ti.map_index, ti.try_number)


#: Says whether some runs have succeeded, and leaves out those that have not ended.
Outcomes = Callable[[Collection[Run]], Mapping[Run, bool]]


@dataclass
class Memory:
    """
    What a ledger holds for one watch.

    :param known: digests of the participants that were reported, by others than the one that asks.
    :param since: when the watch began, in seconds since the epoch; None: it has not begun.
    :param announced: digests of states of sales that webhooks told of.
    :param is_settled: whether what became of every run that recorded something is known; else ``known`` may shrink.
    """

    known: set[int] = field(default_factory=set)
    since: int | None = None
    announced: set[int] = field(default_factory=set)
    is_settled: bool = True


class Reservation(Protocol):
    """The right to write into a ledger."""

    def record(self, digests: Iterable[int], since: int | None) -> None:
        """
        Add what has been reported.

        :param digests: of the participants.
        :param since: when the watch began, to be remembered, in seconds since the epoch; None: nothing to remember.
        :raises StorageError: when it cannot be written, or the task was stopped.
        """


class Ledger(ABC):
    """A memory of what was reported."""

    @abstractmethod
    def load(self, now: float, outcomes: Outcomes | None = None) -> Memory:
        """
        Read what was reported.

        :param now: seconds since the epoch.
        :param outcomes: says which runs ended without success. Nobody downstream has seen what they reported, so it
            counts as not reported. None: all have succeeded.
        :raises StorageError: when it cannot be read.
        """

    @abstractmethod
    def reserve(self, now: float) -> AbstractContextManager[Reservation]:
        """
        Keep others from writing until the end of the block, so that what is published in it can be recorded.

        :param now: seconds since the epoch.
        :raises StorageError: when another run is writing, or has recorded something since :meth:`load`.
        """

    def record(self, digests: Iterable[int], now: float, since: int | None) -> None:
        """Add what has been reported now; see :meth:`Reservation.record`."""
        with self.reserve(now) as reservation:
            reservation.record(digests, since)

    @abstractmethod
    def stop(self) -> None:
        """
        Record nothing any more.

        Takes no lock, so that it may be called from a signal handler.
        """


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
        """When an entry made now may be dropped, in seconds since the epoch."""
        return int(now + (self.lookback + MARGIN).total_seconds())

    @property
    def scope_name(self) -> str:
        """The scope as text."""
        return self.scope.hex()

    def entry(self, digests: Iterable[int], now: float) -> dict[str, Any]:
        """Describe what has been reported now."""
        run = None if self.run is None else asdict(self.run)
        return {"scope": self.scope_name, "run": run, "until": self.until(now), "ids": pack(digests)}

    def announced(self, entries: Iterable[Entry], now: float) -> set[int]:
        """Collect what webhooks told of."""
        scope = None if self.announcements is None else self.announcements.hex()
        return {digest for one in entries if one.scope == scope and one.until > now for digest in one.ids}

    def is_own(self, entry: Entry) -> bool:
        """Whether this very run made an entry."""
        return entry.scope == self.scope_name and entry.run is not None and entry.run == self.run

    def others(self, entries: Iterable[Entry], now: float) -> list[Entry]:
        """Choose what others reported of the same watch within the look-back."""
        return [one for one in entries if one.scope == self.scope_name and one.until > now and not self.is_own(one)]


@dataclass(frozen=True)
class Entry:
    """
    What one run or watcher reported at one moment.

    :param scope: of the watch.
    :param run: the run; None: a watcher.
    :param until: when it may be dropped, in seconds since the epoch.
    :param ids: digests of the participants.
    :param is_settled: whether the run is known to have succeeded.
    :param raw: the entry as it is written.
    """

    scope: str
    run: Run | None
    until: int
    ids: array[int]
    is_settled: bool
    raw: dict[str, Any]

    @classmethod
    def read(cls, entry: dict[str, Any]) -> Entry:
        """
        Read an entry as :meth:`Owner.entry` describes it.

        :raises KeyError, TypeError, ValueError: when it is something else.
        """
        if not isinstance(entry["until"], int):
            raise TypeError
        run = None if entry["run"] is None else Run(**entry["run"])
        is_settled = run is None or entry.get("settled") is True
        return cls(entry["scope"], run, entry["until"], unpack(entry["ids"]), is_settled, entry)


def ask(outcomes: Outcomes | None, entries: Iterable[Entry]) -> Mapping[Run, bool]:
    """Ask what became of the runs of entries, in one go, where that is not known yet."""
    runs = {one.run for one in entries if one.run is not None and not one.is_settled}
    return outcomes(runs) if outcomes and runs else {}


def are_settled(entries: Iterable[Entry], outcomes: Mapping[Run, bool]) -> bool:
    """Whether the runs of all entries have ended."""
    return all(one.is_settled or one.run in outcomes for one in entries)


def digests_of(entries: Iterable[Entry], outcomes: Mapping[Run, bool]) -> set[int]:
    """Collect what was reported, and seen by somebody downstream."""
    known: set[int] = set()
    for one in entries:
        if one.run is None or outcomes.get(one.run) is not False:
            known.update(one.ids)
    return known


def pack(digests: Iterable[int]) -> str:
    """Write digests as text, about eleven characters each."""
    return base64.b64encode(array("Q", digests).tobytes()).decode()


def unpack(text: str) -> array[int]:
    """
    Read digests.

    :raises ValueError: when the text is no list of digests.
    """
    digests = array("Q")
    try:
        digests.frombytes(base64.b64decode(text, validate=True))
    except binascii.Error as problem:
        raise ValueError(str(problem)) from None
    return digests


class NoLedger(Ledger):
    """No memory: everything in the window is new."""

    def load(self, now: float, outcomes: Outcomes | None = None) -> Memory:
        """Remember nothing."""
        return Memory()

    @contextmanager
    def reserve(self, now: float) -> Iterator[Reservation]:
        """Keep nobody from anything."""
        yield _Forgotten()

    def stop(self) -> None:
        """Do nothing: nothing is recorded anyway."""


class _Forgotten:
    def record(self, digests: Iterable[int], since: int | None) -> None:
        return


class XComLedger(Ledger):
    """
    Keeps what each run of a task reported in that run's own XCom.

    A run knows what all earlier runs of the task reported, and not what it reported itself. So when it is cleared or
    retried, it reports the same again, and no other run does; Airflow deletes its XComs then, but Airflow 3.0 not
    those of mapped tasks, so each says whose it is. It holds what one run reported and is named after the first of
    ten days, so that a run reads only those of its look-back. All runs of an earlier date count, in no order: those
    without a logical date sort differently in different databases.

    :param owner: who keeps it.
    :param ti: the task instance.
    """

    prefix = "hotmart_reported"

    def __init__(self, owner: Owner, ti: Any) -> None:
        self._owner = owner
        self._ti = ti
        self._copies = 0
        self._stopped = False
        if owner.lookback > MAX_XCOM_LOOKBACK:
            _warn_of_lookback(owner.lookback.days)

    def load(self, now: float, outcomes: Outcomes | None = None) -> Memory:
        """Read the XComs of earlier runs."""
        first = now - (self._owner.lookback + MARGIN).total_seconds()
        entries = [
            Entry.read(entry)
            for period in range(_period(first), _period(now) + 1)
            for entry in self._pull(self._key(period))
            if isinstance(entry, dict)
        ]
        begun = [since for since in self._pull(self._since_key) if isinstance(since, int)]
        self._copies = len(begun)
        others = self._owner.others(entries, now)
        found = ask(outcomes, others)
        return Memory(digests_of(others, found), min(begun, default=None), is_settled=are_settled(others, found))

    @contextmanager
    def reserve(self, now: float) -> Iterator[Reservation]:
        """Keep nobody from anything: each run has XComs of its own."""
        yield _XComReservation(self, now)

    def stop(self) -> None:
        """Push nothing any more."""
        self._stopped = True

    def push(self, digests: Iterable[int], now: float, since: int | None) -> None:
        """Push what this run reported, as an XCom."""
        if since is not None and self._copies < COPIES:
            self._push(self._since_key, since)
        entry = self._owner.entry(digests, now)
        if entry["ids"]:
            self._push(self._key(_period(now)), entry)

    @property
    def _since_key(self) -> str:
        return f"hotmart_since_{self._owner.scope_name}"

    def _key(self, period: int) -> str:
        return f"{self.prefix}_{datetime.fromtimestamp(period * XCOM_DAYS * DAY, UTC):%Y%m%d}"

    def _push(self, key: str, value: Any) -> None:
        if self._stopped:
            raise StorageError("Nothing is recorded in XCom: the task was stopped", permanent=False)
        self._ti.xcom_push(key=key, value=value)

    def _pull(self, key: str) -> list[Any]:
        """
        Every value of a key that this and earlier runs have pushed, of all mapped instances.

        All of them come for a list of tasks without ``map_indexes``. With it, Airflow 3 gives the latest alone.
        """
        ti = self._ti
        values = ti.xcom_pull(task_ids=[ti.task_id], key=key, include_prior_dates=True)
        # A lazy sequence in Airflow 2; in Airflow 3 a list, which holds None for a task without any.
        return [value for value in values or () if value is not None]


@dataclass(frozen=True)
class _XComReservation:
    ledger: XComLedger
    now: float

    def record(self, digests: Iterable[int], since: int | None) -> None:
        self.ledger.push(digests, self.now, since)


class FileLedger(Ledger):
    """
    Keeps everything in one file on any store, which tasks and watchers may share.

    The file is replaced as a whole, under a lock. What somebody else recorded of the same watch after it was read
    makes the second writer fail, who has reported it once more or is about to.

    :param owner: who keeps it.
    :param path: URL or absolute path of the file, or an ``ObjectStoragePath``.
    :param conn_id: Airflow connection of the store.
    :raises StorageError: when the path or the connection cannot be used.
    """

    def __init__(self, owner: Owner, path: Any, conn_id: str | None = None) -> None:
        self._owner = owner
        self._file = ObjectFile(path, conn_id, argument="ledger")
        #: Digests of the same watch, by whoever made them; None: not read yet.
        self._loaded: set[int] | None = None
        #: Runs that are known to have succeeded.
        self._settled: set[Run] = set()

    def load(self, now: float, outcomes: Outcomes | None = None) -> Memory:
        """Read the file; that there is none yet is fine."""
        content = self._read()
        others = self._owner.others(content.entries, now)
        self._loaded = digests_of(others, {})
        found = ask(outcomes, others)
        self._settled = {run for run, has_succeeded in found.items() if has_succeeded}
        return Memory(
            digests_of(others, found),
            content.since.get(self._owner.scope_name),
            self._owner.announced(content.entries, now),
            are_settled(others, found),
        )

    @contextmanager
    def reserve(self, now: float) -> Iterator[Reservation]:
        """Keep other writers out, on stores that can."""
        with self._file.locked() as check_lock:
            content = self._read()
            others = self._owner.others(content.entries, now)
            if self._loaded is not None and not digests_of(others, {}) <= self._loaded:
                raise StorageError(
                    f"ledger was changed by another run meanwhile: run this again [{self._file.path!r}]",
                    permanent=False,
                )
            yield _FileReservation(self, content, now, check_lock)

    def stop(self) -> None:
        """Write nothing any more."""
        self._file.stop()

    def write(self, content: _Content, digests: Iterable[int], now: float, since: int | None) -> None:
        """Replace the file by one that holds what was reported now, and nothing that has left its look-back."""
        owner = self._owner
        entries = [one for one in content.entries if one.until > now and not owner.is_own(one)]
        if (entry := owner.entry(digests, now))["ids"]:
            entries = _merged(entries, Entry.read(entry))
        begun = dict(content.since)
        if since is not None:
            begun.setdefault(owner.scope_name, since)
        raw = [one.raw | {"settled": True} if one.run in self._settled else one.raw for one in entries]
        written = {"format": FORMAT, "version": VERSION, "since": begun, "entries": raw}
        self._file.replace(json.dumps(written, separators=(",", ":")).encode())
        self._loaded = digests_of(owner.others(entries, now), {})

    def _read(self) -> _Content:
        """Read and check the file."""
        raw = self._file.read()
        if raw is None:
            return _Content([], {})
        path = self._file.path
        try:
            content = json.loads(raw)
        except ValueError:
            content = None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise StorageError(
                f"ledger is another kind of file, and is left alone: name a path that is free [{path!r}]"
            )
        if content.get("version", 0) > VERSION:
            raise StorageError(
                "ledger was written by a newer version: upgrade airflow-provider-hotmart here too "
                f"[{path!r}: format {content['version']}, this one knows {VERSION}]"
            )
        try:
            entries = [Entry.read(one) for one in content["entries"]]
            return _Content(entries, dict(content["since"]))
        except (KeyError, TypeError, ValueError):
            raise StorageError(
                "ledger is damaged: restore it, or delete it to start anew, which reports everything in the look-back "
                f"again [{path!r}]"
            ) from None


@dataclass(frozen=True)
class _Content:
    """
    What is in a ledger file.

    :param entries: what was reported.
    :param since: when each watch began, by scope, in seconds since the epoch.
    """

    entries: list[Entry]
    since: dict[str, int]


@dataclass(frozen=True)
class _FileReservation:
    ledger: FileLedger
    content: _Content
    now: float
    check_lock: Callable[[], None]

    def record(self, digests: Iterable[int], since: int | None) -> None:
        self.check_lock()
        self.ledger.write(self.content, digests, self.now, since)


def _merged(entries: list[Entry], new: Entry) -> list[Entry]:
    """
    Add an entry.

    Watchers and the receiver of webhooks have no runs of which some may turn out to have failed: what each adds within
    a day is one entry, which is kept as long as its youngest part.
    """
    for place, old in enumerate(entries):
        if old.run is None and new.run is None and old.scope == new.scope and old.until // DAY == new.until // DAY:
            ids = pack(dict.fromkeys([*old.ids, *new.ids]))
            raw = old.raw | {"until": max(old.until, new.until), "ids": ids}
            return [*entries[:place], Entry.read(raw), *entries[place + 1 :]]
    return [*entries, new]


def _period(moment: float) -> int:
    return int(moment // (XCOM_DAYS * DAY))


@functools.cache
def _warn_of_lookback(days: int) -> None:
    _log.warning(
        "A look-back of %d days reads the XComs of all runs of that time at each look: give the sensor a ledger file "
        "where it is longer than %d days",
        days,
        MAX_XCOM_LOOKBACK.days,
    )
