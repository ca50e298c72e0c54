"""The places where it is kept what has been reported before."""

from __future__ import annotations

import functools
import logging
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from airflow_provider_hotmart.storage.errors import StorageError
from airflow_provider_hotmart.storage.object_file import ObjectFile
from airflow_provider_hotmart.watching.entries import DAY, MARGIN, Entry, Outcomes, Owner, Run

_log = logging.getLogger(__name__)
#: Written into each ledger file; a file that says more than this was written by a newer version.
VERSION = 2
FORMAT = "airflow-provider-hotmart ledger"
#: So many runs remember in their XComs when the watch began: clearing one of them forgets nothing.
COPIES = 3
#: Runs of so many days push their XComs under one name. Each name costs a call to Airflow, and each day of it that the
#: look-back does not cover is read in vain.
XCOM_DAYS = 10
#: Look-backs that are longer are better off with a file.
MAX_XCOM_LOOKBACK = timedelta(days=31)
#: Adds what has been reported, as digests, and when the watch began, in seconds since the epoch (None: nothing to
#: remember). Raises StorageError when it cannot be written, or the task was stopped.
Recorder = Callable[[Iterable[int], int | None], None]


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
    def reserve(self, now: float) -> AbstractContextManager[Recorder]:
        """
        Keep others from writing until the end of the block, so that what is published in it can be recorded.

        :param now: seconds since the epoch.
        :return: what to record it with.
        :raises StorageError: when another run is writing, or has recorded something since :meth:`load`.
        """

    def record(self, digests: Iterable[int], now: float, since: int | None) -> None:
        """Add what has been reported now; see :data:`Recorder`."""
        with self.reserve(now) as record:
            record(digests, since)

    @abstractmethod
    def stop(self) -> None:
        """
        Record nothing any more.

        Takes no lock, so that it may be called from a signal handler.
        """


class NoLedger(Ledger):
    """No memory: everything in the window is new."""

    def load(self, now: float, outcomes: Outcomes | None = None) -> Memory:
        """Remember nothing."""
        return Memory()

    @contextmanager
    def reserve(self, now: float) -> Iterator[Recorder]:
        """Keep nobody from anything."""
        yield lambda digests, since: None

    def stop(self) -> None:
        """Do nothing: nothing is recorded anyway."""


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

    def __init__(self, owner: Owner, ti: Any) -> None:
        self._owner = owner
        self._ti = ti
        self._since_key = f"hotmart_since_{owner.scope_name}"
        self._copies = 0
        self._stopped = False
        if owner.lookback > MAX_XCOM_LOOKBACK:
            _warn_of_lookback(owner.lookback.days)

    def load(self, now: float, outcomes: Outcomes | None = None) -> Memory:
        """Read the XComs of earlier runs."""
        first = now - (self._owner.lookback + MARGIN).total_seconds()
        entries = [
            msgspec.convert(entry, Entry)
            for period in range(_period(first), _period(now) + 1)
            for entry in self._pull(self._key(period))
            if isinstance(entry, dict)
        ]
        begun = [since for since in self._pull(self._since_key) if isinstance(since, int)]
        self._copies = len(begun)
        others = self._owner.others(entries, now)
        found = _ask(outcomes, others)
        return Memory(_digests_of(others, found), min(begun, default=None), is_settled=_are_settled(others, found))

    @contextmanager
    def reserve(self, now: float) -> Iterator[Recorder]:
        """Keep nobody from anything: each run has XComs of its own."""

        def record(digests: Iterable[int], since: int | None) -> None:
            if since is not None and self._copies < COPIES:
                self._push(self._since_key, since)
            entry = self._owner.entry(digests, now)
            if entry.ids:
                self._push(self._key(_period(now)), msgspec.to_builtins(entry))

        yield record

    def stop(self) -> None:
        """Push nothing any more."""
        self._stopped = True

    def _key(self, period: int) -> str:
        return f"hotmart_reported_{datetime.fromtimestamp(period * XCOM_DAYS * DAY, UTC):%Y%m%d}"

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
        self._loaded = _digests_of(others, {})
        found = _ask(outcomes, others)
        self._settled = {run for run, has_succeeded in found.items() if has_succeeded}
        return Memory(
            _digests_of(others, found),
            content.since.get(self._owner.scope_name),
            self._owner.announced(content.entries, now),
            _are_settled(others, found),
        )

    @contextmanager
    def reserve(self, now: float) -> Iterator[Recorder]:
        """Keep other writers out, on stores that can."""
        with self._file.locked() as check_lock:
            content = self._read()
            others = self._owner.others(content.entries, now)
            if self._loaded is not None and not _digests_of(others, {}) <= self._loaded:
                raise StorageError(
                    f"ledger was changed by another run meanwhile: run this again [{self._file.path!r}]",
                    permanent=False,
                )

            def record(digests: Iterable[int], since: int | None) -> None:
                check_lock()
                self._write(content, digests, now, since)

            yield record

    def stop(self) -> None:
        """Write nothing any more."""
        self._file.stop()

    def _write(self, content: _Content, digests: Iterable[int], now: float, since: int | None) -> None:
        """Replace the file by one that holds what was reported now, and nothing that has left its look-back."""
        owner = self._owner
        entries = [one for one in content.entries if one.until > now and not owner.is_own(one)]
        if (entry := owner.entry(digests, now)).ids:
            entries = _merged(entries, entry)
        entries = [msgspec.structs.replace(one, settled=True) if one.run in self._settled else one for one in entries]
        begun = content.since if since is None else {owner.scope_name: since} | content.since
        self._file.replace(msgspec.json.encode(_Content(since=begun, entries=entries)))
        self._loaded = _digests_of(owner.others(entries, now), {})

    def _read(self) -> _Content:
        """Read and check the file."""
        raw = self._file.read()
        if raw is None:
            return _Content(since={}, entries=[])
        path = self._file.path
        try:
            kind = msgspec.json.decode(raw, type=_Kind)
        except ValueError:  # msgspec's too
            kind = _Kind()
        if kind.format != FORMAT:
            raise StorageError(
                f"ledger is another kind of file, and is left alone: name a path that is free [{path!r}]"
            )
        if kind.version > VERSION:
            raise StorageError(
                "ledger was written by a newer version: upgrade airflow-provider-hotmart here too "
                f"[{path!r}: format {kind.version}, this one knows {VERSION}]"
            )
        try:
            return msgspec.json.decode(raw, type=_Content)
        except ValueError:
            raise StorageError(
                "ledger is damaged: restore it, or delete it to start anew, which reports everything in the look-back "
                f"again [{path!r}]"
            ) from None


class _Kind(msgspec.Struct):
    """What any file says it is."""

    format: str = ""
    version: int = 0


class _Content(msgspec.Struct, kw_only=True):
    """
    What is in a ledger file.

    :param since: when each watch began, by scope, in seconds since the epoch.
    :param entries: what was reported.
    """

    format: str = FORMAT
    version: int = VERSION
    since: dict[str, int]
    entries: list[Entry]


def _ask(outcomes: Outcomes | None, entries: Iterable[Entry]) -> Mapping[Run, bool]:
    """Ask what became of the runs of entries, in one go, where that is not known yet."""
    runs = {one.run for one in entries if one.run is not None and not one.settled}
    return outcomes(runs) if outcomes and runs else {}


def _are_settled(entries: Iterable[Entry], outcomes: Mapping[Run, bool]) -> bool:
    """Tell whether the runs of all entries have ended."""
    return all(one.run is None or one.settled or one.run in outcomes for one in entries)


def _digests_of(entries: Iterable[Entry], outcomes: Mapping[Run, bool]) -> set[int]:
    """Collect what was reported, and seen by somebody downstream."""
    known: set[int] = set()
    for one in entries:
        if one.run is None or outcomes.get(one.run) is not False:
            known.update(one.digests)
    return known


def _merged(entries: list[Entry], new: Entry) -> list[Entry]:
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
