"""What has been reported before: digests of participants, and the places where they are kept."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import time
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from airflow.providers.common.compat.sdk import ObjectStoragePath

#: Written into each ledger file; a file that says more than this was written by a newer version.
VERSION = 1
FORMAT = "airflow-provider-hotmart ledger"
#: Entries are kept for so much longer than the look-back, for clocks that differ.
MARGIN = timedelta(days=1)
#: A lock older than this was left behind by a process that died, in seconds.
STALE_LOCK = 300.0
#: So many runs remember in their XComs when the watch began: clearing one of them forgets nothing.
COPIES = 3
DAY = 86400


class LedgerError(Exception):
    """
    The ledger cannot be used.

    :param message: one sentence that says what to do.
    :param permanent: whether trying again is of no use.
    """

    def __init__(self, message: str, *, permanent: bool = True) -> None:
        super().__init__(message)
        self.permanent = permanent


@dataclass
class Memory:
    """
    What a ledger holds for one watch.

    :param known: digests of the participants that were reported, by others than the one that asks.
    :param since: when the watch began, in seconds since the epoch; None: it has not begun.
    """

    known: set[int] = field(default_factory=set)
    since: int | None = None


class Ledger(Protocol):
    """A memory of what was reported."""

    def load(self, now: float) -> Memory:
        """
        Read what was reported.

        :param now: seconds since the epoch.
        :raises LedgerError: when it cannot be read.
        """

    def record(self, digests: Iterable[int], now: float, since: int | None) -> None:
        """
        Add what has been reported now.

        :param digests: of the participants.
        :param now: seconds since the epoch.
        :param since: when the watch began, to be remembered; None: nothing to remember.
        :raises LedgerError: when it cannot be written.
        """


@dataclass(frozen=True)
class Owner:
    """
    Who keeps a ledger.

    :param scope: identifies what is watched; ledgers may be shared by watches of different scopes.
    :param run: identifies the task run that reports, whose own entries are not known to it; None: a watcher, which
        knows what it reported.
    :param lookback: how long entries matter.
    """

    scope: bytes
    run: str | None
    lookback: timedelta

    def until(self, now: float) -> int:
        """When an entry made now may be dropped, in seconds since the epoch."""
        return int(now + (self.lookback + MARGIN).total_seconds())

    @property
    def scope_name(self) -> str:
        """The scope as text."""
        return self.scope.hex()

    @property
    def run_name(self) -> str:
        """The run as text of fixed length; empty for a watcher."""
        return "" if self.run is None else hashlib.blake2b(self.run.encode(), digest_size=8).hexdigest()

    def wrote(self, entry: dict[str, Any]) -> bool:
        """Whether this very run made an entry of a ledger file."""
        return entry["scope"] == self.scope_name and self.is_run(entry["run"])

    def is_run(self, name: Any) -> bool:
        """Whether this is the name of this very run."""
        return self.run is not None and name == self.run_name


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


class NoLedger:
    """No memory: everything in the window is new."""

    def load(self, now: float) -> Memory:
        """Remember nothing."""
        return Memory()

    def record(self, digests: Iterable[int], now: float, since: int | None) -> None:
        """Forget at once."""


class XComLedger:
    """
    Keeps what each run of a task reported in that run's own XCom.

    A run knows what all earlier runs of the task reported, and not what it reported itself. So when it is cleared or
    retried, it reports the same again, and no other run does; Airflow deletes its XComs then, but Airflow 3.0 not
    those of mapped tasks, so each says whose it is. It holds what one run reported and is named after the day, so
    that a run reads only the days of its look-back. All runs of an earlier date count, in no order: those without a
    logical date sort differently in different databases.

    :param owner: who keeps it.
    :param ti: the task instance.
    """

    prefix = "hotmart_reported"

    def __init__(self, owner: Owner, ti: Any) -> None:
        self._owner = owner
        self._ti = ti
        self._copies = 0

    def load(self, now: float) -> Memory:
        """Read the XComs of earlier runs."""
        memory = Memory()
        days = (self._owner.lookback + MARGIN).days + 1
        for age in range(days + 1):
            for entry in self._pull(self._key(now - age * DAY)):
                if isinstance(entry, dict) and entry.get("until", 0) > now and not self._owner.is_run(entry.get("run")):
                    memory.known.update(unpack(entry["ids"]))
        begun = [since for since in self._pull(self._since_key) if isinstance(since, int)]
        memory.since = min(begun, default=None)
        self._copies = len(begun)
        return memory

    def record(self, digests: Iterable[int], now: float, since: int | None) -> None:
        """Push what this run reported, as an XCom."""
        if since is not None and self._copies < COPIES:
            self._ti.xcom_push(key=self._since_key, value=since)
        entry = {"run": self._owner.run_name, "until": self._owner.until(now), "ids": pack(digests)}
        if entry["ids"]:
            self._ti.xcom_push(key=self._key(now), value=entry)

    @property
    def _since_key(self) -> str:
        return f"hotmart_since_{self._owner.scope_name}"

    def _key(self, moment: float) -> str:
        return f"{self.prefix}_{datetime.fromtimestamp(moment, UTC):%Y%m%d}"

    def _pull(self, key: str) -> list[Any]:
        """
        Every value of a key that this and earlier runs have pushed, of all mapped instances.

        All of them come for a list of tasks without ``map_indexes``. With it, Airflow 3 gives the latest alone.
        """
        ti = self._ti
        values = ti.xcom_pull(task_ids=[ti.task_id], key=key, include_prior_dates=True)
        # A lazy sequence in Airflow 2; in Airflow 3 a list, which holds None for a task without any.
        return [value for value in values or () if value is not None]


class FileLedger:
    """
    Keeps everything in one file on object storage, which tasks and watchers may share.

    The file is replaced as a whole. While one is at it, a lock beside the file keeps others out, on stores that can
    create a file only if there is none; when the file has changed since it was read, the second writer fails instead
    of overwriting what the first recorded.

    :param owner: who keeps it.
    :param path: URL or path of the file, or an ``ObjectStoragePath``.
    :param conn_id: Airflow connection of the store.
    """

    def __init__(self, owner: Owner, path: Any, conn_id: str | None = None) -> None:
        self._owner = owner
        self._name = str(path)
        try:
            target = ObjectStoragePath(path, conn_id=conn_id) if conn_id else ObjectStoragePath(path)
            self._fs = target.fs
            self._path = str(target.path)
            self._local = str(target.protocol or "file") in ("file", "local")
        except Exception as problem:
            raise self._unusable(problem) from problem
        self._loaded: bytes | None = None

    def load(self, now: float) -> Memory:
        """Read the file; that there is none yet is fine."""
        self._loaded = self._read()
        return self._memory(self._entries(self._loaded), now)

    def record(self, digests: Iterable[int], now: float, since: int | None) -> None:
        """Add an entry and replace the file, unless somebody else changed it."""
        with self._locked():
            current = self._read()
            if current != self._loaded:
                raise LedgerError(
                    f"ledger {self._name!r} was changed by another run meanwhile: run this again",
                    permanent=False,
                )
            content = self._entries(current)
            owner = self._owner
            entries = [one for one in content["entries"] if one["until"] > now and not owner.wrote(one)]
            ids = pack(digests)
            if ids:
                entries.append(
                    {"scope": owner.scope_name, "run": owner.run_name, "until": owner.until(now), "ids": ids}
                )
            begun = dict(content["since"])
            if since is not None:
                begun.setdefault(owner.scope_name, since)
            written = json.dumps(
                {"format": FORMAT, "version": VERSION, "since": begun, "entries": entries}, separators=(",", ":")
            ).encode()
            self._write(written)
            self._loaded = written

    def _memory(self, content: dict[str, Any], now: float) -> Memory:
        memory = Memory(since=content["since"].get(self._owner.scope_name))
        for entry in content["entries"]:
            ours = entry["scope"] == self._owner.scope_name
            if ours and entry["until"] > now and not self._owner.wrote(entry):
                memory.known.update(unpack(entry["ids"]))
        return memory

    def _read(self) -> bytes | None:
        try:
            raw: bytes = self._fs.cat_file(self._path)
        except FileNotFoundError:
            return None
        except Exception as problem:
            raise self._unusable(problem) from problem
        return raw

    def _entries(self, raw: bytes | None) -> dict[str, Any]:
        """Read and check the content of the file."""
        if raw is None:
            return {"since": {}, "entries": []}
        try:
            content = json.loads(raw)
        except ValueError:
            content = None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise LedgerError(
                f"ledger {self._name!r} is another kind of file, and is left alone: name a path that is free"
            )
        if content.get("version", 0) > VERSION:
            raise LedgerError(
                f"ledger {self._name!r} was written by a newer version of airflow-provider-hotmart "
                f"(format {content['version']}, this one knows {VERSION}): upgrade the package here too"
            )
        try:
            for entry in content["entries"]:
                unpack(entry["ids"])
                if not isinstance(entry["until"], int):
                    raise TypeError
                entry["run"], entry["scope"]
            content["since"].get("")
        except (AttributeError, KeyError, TypeError, ValueError):
            raise LedgerError(
                f"ledger {self._name!r} is damaged: restore it, or delete it to start anew "
                "(everything in the look-back is then reported again)"
            ) from None
        return content

    def _write(self, content: bytes) -> None:
        try:
            if self._local:
                aside = f"{self._path}.{os.urandom(4).hex()}.part"
                self._fs.pipe_file(aside, content)
                os.replace(aside, self._path)  # noqa: PTH105 - the paths are the file system's, as text
            else:
                self._fs.pipe_file(self._path, content)
        except Exception as problem:
            raise self._unusable(problem) from problem

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other writers out, on stores that can."""
        lock = f"{self._path}.lock"
        token = f"{time.time():.3f} {os.urandom(8).hex()}".encode()
        try:
            if self._local:
                self._fs.makedirs(os.path.dirname(self._path), exist_ok=True)  # noqa: PTH120 - as above
            self._take(lock, token)
        except LedgerError:
            raise
        except Exception as problem:
            raise self._unusable(problem) from problem
        try:
            yield
        finally:
            # What is recorded is recorded, and a lock that stays grows stale.
            with suppress(Exception):
                if self._fs.cat_file(lock) == token:
                    self._fs.rm_file(lock)

    def _take(self, lock: str, token: bytes) -> None:
        for _ in range(2):
            try:
                if self._local:
                    # fsspec's own way of creating looks first and writes then, and two may do so at once.
                    with open(lock, "xb") as file:  # noqa: PTH123 - as above
                        file.write(token)
                else:
                    self._fs.pipe_file(lock, token, mode="create")
            except FileExistsError:
                age = self._age(lock)
                if age is not None and age <= STALE_LOCK:
                    break
                # One that was released meanwhile is not removed: by now it may be the next writer's.
                if age is not None:
                    with suppress(FileNotFoundError):
                        self._fs.rm_file(lock)
            except TypeError:  # a store that does not know of modes cannot lock
                return
            else:
                return
        raise LedgerError(
            f"ledger {self._name!r} is being written by another run: run this again "
            f"(a lock left by a process that died is ignored after {STALE_LOCK:.0f} s)",
            permanent=False,
        )

    def _age(self, lock: str) -> float | None:
        """How old a lock is, in seconds; 0 when that cannot be read; None when there is none."""
        try:
            return time.time() - float(self._fs.cat_file(lock).split()[0])
        except FileNotFoundError:
            return None
        except (ValueError, IndexError):
            return 0.0

    def _unusable(self, problem: BaseException) -> LedgerError:
        told = " ".join(str(problem).split())[:300]
        lasting = isinstance(problem, (ImportError, ValueError, PermissionError, NotADirectoryError, IsADirectoryError))
        return LedgerError(
            f"ledger {self._name!r} cannot be used ({type(problem).__name__}: {told}): "
            "check its path, its permissions and ledger_conn_id",
            permanent=lasting,
        )
