"""What a watcher of assets remembers, and where."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

from airflow_provider_hotmart.storage import StorageError
from airflow_provider_hotmart.watching.ledgers import FileLedger, Memory, Owner, pack, unpack

log = logging.getLogger(__name__)
#: Written into the state of an asset; a state that says more than this was written by a newer version.
VERSION = 1
#: Digests in one value of an asset's state: Airflow warns of values above 64 kB.
LARGEST_PART = 4000


class WatcherMemory(Protocol):
    """A memory that is used from an event loop."""

    async def load(self, now: float) -> Memory:
        """
        Read what was reported.

        :param now: seconds since the epoch.
        """

    async def record(self, digests: Iterable[int], now: float, since: int | None) -> None:
        """
        Add what was reported.

        :param digests: of the participants.
        :param now: seconds since the epoch.
        :param since: when the watch began, to be remembered; None: nothing to remember.
        """


class ProcessMemory:
    """Remembers until the process ends."""

    def __init__(self) -> None:
        self._memory = Memory()
        log.warning(
            "This watcher remembers what it reported only as long as the triggerer runs, and reports everything in "
            "the look-back again after a restart: give it a ledger, or run Airflow 3.3 or later"
        )

    async def load(self, now: float) -> Memory:
        """Hand out what is remembered."""
        return Memory(set(self._memory.known), self._memory.since)

    async def record(self, digests: Iterable[int], now: float, since: int | None) -> None:
        """Remember."""
        self._memory.known.update(digests)
        if since is not None:
            self._memory.since = since


class FileMemory:
    """
    Remembers in a ledger file.

    :param ledger: makes the ledger; called in a thread, because it may look up a connection.
    :param run: does something in a thread.
    """

    def __init__(
        self, ledger: Callable[[], FileLedger], run: Callable[[Callable[[], Memory | None]], Awaitable[Memory | None]]
    ) -> None:
        self._ledger = ledger
        self._run = run

    async def load(self, now: float) -> Memory:
        """Read the file."""
        return await self._run(lambda: self._ledger().load(now)) or Memory()

    async def record(self, digests: Iterable[int], now: float, since: int | None) -> None:
        """Add to the file, as it is at this moment."""
        reported = list(digests)

        def add() -> None:
            ledger = self._ledger()
            ledger.load(now)
            ledger.record(reported, now, since)

        await self._run(add)


class AssetMemory:
    """
    Remembers in the state of the watched asset (Airflow 3.3 and later).

    The state holds an index, and the digests in parts of bounded size.

    :param store: the accessors of the asset's state, as Airflow gives them to the trigger.
    :param owner: who remembers.
    """

    def __init__(self, store: Any, owner: Owner) -> None:
        # Assets with equal watchers share one trigger, and get its events together: each has the same state.
        self._assets = [*store._by_name.values(), *store._by_uri.values()]  # noqa: SLF001 - no public way to all
        self._owner = owner
        self._key = f"hotmart_{owner.scope_name}"
        self._index: dict[str, Any] = {"version": VERSION, "since": None, "parts": []}
        self._last: list[int] = []

    async def load(self, now: float) -> Memory:
        """Read the state of the assets."""
        memory = Memory()
        for asset in self._assets:
            index = await asset.aget(self._key)
            if not index:
                continue
            if not isinstance(index, dict) or index["version"] > VERSION:
                raise StorageError(
                    f"the state {self._key!r} of the watched asset was written by a newer version of "
                    "airflow-provider-hotmart: upgrade the package in the triggerer too"
                )
            self._index = index
            for number, until in index["parts"]:
                ids = unpack(await asset.aget(self._part(number)) or "")
                if until > now:
                    memory.known.update(ids)
                self._last = list(ids)
            memory.since = index["since"]
        return memory

    async def record(self, digests: Iterable[int], now: float, since: int | None) -> None:
        """Add to the state of the assets: first the parts, then the index that names them."""
        parts = list(self._index["parts"])
        reported = list(digests)
        written: dict[int, list[int]] = {}
        until = self._owner.until(now)
        while reported:
            if not parts or len(self._last) >= LARGEST_PART:
                parts.append([parts[-1][0] + 1 if parts else 1, until])
                self._last = []
            room = LARGEST_PART - len(self._last)
            self._last = self._last + reported[:room]
            reported = reported[room:]
            # A part is dropped as a whole, so it is kept as long as its youngest entry.
            parts[-1] = [parts[-1][0], until]
            written[parts[-1][0]] = self._last
        gone = [number for number, last in parts if last <= now]
        self._index = {
            "version": VERSION,
            "since": since if self._index["since"] is None else self._index["since"],
            "parts": [part for part in parts if part[0] not in gone],
        }
        for asset in self._assets:
            for number, ids in written.items():
                await asset.aset(self._part(number), pack(ids))
            await asset.aset(self._key, self._index)
            for number in gone:
                await asset.adelete(self._part(number))

    def _part(self, number: int) -> str:
        return f"{self._key}_{number}"
