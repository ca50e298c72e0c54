"""What a watcher of assets remembers, and where."""

from __future__ import annotations

import functools
import logging
from array import array
from collections.abc import Awaitable, Callable, Collection, Iterable
from functools import partial
from typing import Any

from airflow_provider_hotmart.storage import StorageError
from airflow_provider_hotmart.watching.entries import Owner, Run, pack, unpack
from airflow_provider_hotmart.watching.ledgers import FileLedger
from airflow_provider_hotmart.watching.outcomes import outcomes

_log = logging.getLogger(__name__)
#: Written into the state of an asset; a state that says more than this was written by a newer version.
VERSION = 1
#: Digests in one value of an asset's state: Airflow warns of values above 64 kB.
MAX_PART_SIZE = 4000
InThread = Callable[[Callable[[], Any]], Awaitable[Any]]


class ProcessMemory:
    """
    Remembers until the process ends.

    :param owner: who remembers.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        #: Digests, and when they may be forgotten, in seconds since the epoch.
        self._entries: list[tuple[int, array[int]]] = []
        #: What webhooks told of is known from a shared file alone.
        self.announced: set[int] = set()
        #: When the watch began, in seconds since the epoch; None: it has not begun.
        self.since: int | None = None

    async def load(self, now: float) -> list[Iterable[int]]:
        """
        Tell what was reported.

        :param now: seconds since the epoch.
        :return: digests; what has left the look-back is dropped.
        """
        self._entries = [entry for entry in self._entries if entry[0] > now]
        return [ids for _, ids in self._entries]

    async def record(self, digests: array[int], now: float, since: int | None = None) -> None:
        """
        Add what was reported.

        :param digests: of the participants.
        :param now: seconds since the epoch.
        :param since: when the watch began, to be remembered; None: nothing to remember.
        """
        if digests:
            self._entries.append((self._owner.until(now), digests))
        self.since = since if self.since is None else self.since


class FileMemory:
    """
    Remembers in a ledger file, which others may write as well.

    :param owner: who remembers.
    :param path: URL or absolute path of the file.
    :param conn_id: Airflow connection of the store.
    :param run: does something in a thread, where connections may be looked up and files be read.
    """

    def __init__(self, owner: Owner, path: str, conn_id: str | None, run: InThread) -> None:
        self._ledger = partial(FileLedger, owner, path, conn_id)
        self._run = run
        self.since: int | None = None
        #: States of sales that webhooks told of.
        self.announced: set[int] = set()

    async def load(self, now: float) -> list[Iterable[int]]:
        """Read the file."""
        memory = await self._run(lambda: self._ledger().load(now, _outcomes))
        self.since, self.announced = memory.since, memory.announced
        return [memory.known]

    async def record(self, digests: array[int], now: float, since: int | None = None) -> None:
        """Add to the file, as it is at this moment."""

        def add() -> None:
            ledger = self._ledger()
            ledger.load(now, _outcomes)
            ledger.record(digests, now, since)

        await self._run(add)


class AssetMemory(ProcessMemory):
    """
    Remembers in the state of the watched asset (Airflow 3.3 and later), which nobody else writes.

    The state holds an index, and the digests in parts of bounded size. It is read once.

    :param owner: who remembers.
    :param store: the accessors of the asset's state, as Airflow gives them to the trigger.
    """

    def __init__(self, owner: Owner, store: Any) -> None:
        super().__init__(owner)
        # Assets with equal watchers share one trigger, and get its events together: each has the same state.
        self._assets = [*store._by_name.values(), *store._by_uri.values()]  # noqa: SLF001 - no public way to all
        self._key = f"hotmart_{owner.scope_name}"
        #: Number of each part.
        self._numbers: list[int] = []
        self._is_loaded = False

    async def load(self, now: float) -> list[Iterable[int]]:
        """Read the state of the assets, and drop what has left the look-back."""
        for asset in () if self._is_loaded else self._assets:
            index = await asset.aget(self._key)
            if not index:
                continue
            if not isinstance(index, dict) or index["version"] > VERSION:
                raise StorageError(
                    "the asset's state is of a newer version: upgrade airflow-provider-hotmart in the triggerer too "
                    f"[{self._key!r}]"
                )
            self._numbers = [number for number, _ in index["parts"]]
            self._entries = [
                (until, unpack(await asset.aget(self._part(number)) or "")) for number, until in index["parts"]
            ]
            self.since = index["since"]
        self._is_loaded = True
        return [ids for until, ids in self._entries if until > now]

    async def record(self, digests: array[int], now: float, since: int | None = None) -> None:
        """Add to the state of the assets: first the parts, then the index that names them."""
        parts = dict(zip(self._numbers, self._entries, strict=True))
        until = self._owner.until(now)
        written: dict[int, array[int]] = {}
        while digests:
            last = max(parts, default=0)
            if not parts or len(parts[last][1]) >= MAX_PART_SIZE:
                last += 1
            held = parts.get(last, (0, array("Q")))[1]
            room = MAX_PART_SIZE - len(held)
            written[last] = held + digests[:room]
            # A part is dropped as a whole, so it is kept as long as its youngest entry.
            parts[last] = (until, written[last])
            digests = digests[room:]
        gone = [number for number, (last_moment, _) in parts.items() if last_moment <= now]
        kept = {number: entry for number, entry in parts.items() if number not in gone}
        begun = since if self.since is None else self.since
        index = {"version": VERSION, "since": begun, "parts": [[number, kept[number][0]] for number in kept]}
        for asset in self._assets:
            for number, ids in written.items():
                await asset.aset(self._part(number), pack(ids))
            await asset.aset(self._key, index)
            for number in gone:
                await asset.adelete(self._part(number))
        self._numbers, self._entries, self.since = list(kept), list(kept.values()), begun

    def _part(self, number: int) -> str:
        return f"{self._key}_{number}"


WatcherMemory = ProcessMemory | FileMemory


def memory_of(owner: Owner, store: Any, path: str | None, conn_id: str | None, run: InThread) -> WatcherMemory:
    """
    Choose where to remember: in a ledger file; without one, in the state of the asset, where Airflow keeps one.

    :param owner: who remembers.
    :param store: of :class:`AssetMemory`; None: before Airflow 3.3.
    :param path: of :class:`FileMemory`, as ``conn_id`` and ``run``; None: no file.
    """
    if path is not None:
        return FileMemory(owner, path, conn_id, run)
    if store is not None:
        return AssetMemory(owner, store)
    warn_of_forgetting()
    return ProcessMemory(owner)


def _outcomes(runs: Collection[Run]) -> dict[Run, bool]:
    """Ask Airflow what became of the runs of sensors that share a ledger."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    return outcomes(RuntimeTaskInstance, runs)


@functools.cache
def warn_of_forgetting() -> None:
    """Say, once in this process, that it is all the memory that some watchers have."""
    _log.warning(
        "A watcher without a ledger remembers what it reported only as long as the triggerer runs, and reports "
        "everything in the look-back again after a restart: give it a ledger, or run Airflow 3.3 or later"
    )
