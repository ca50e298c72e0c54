"""What the emulator remembers of the calls that it got."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import overload

REMEMBERED = 100_000


class Headers(dict[str, str]):
    """Headers as they were sent; looked up in any spelling of their names."""

    def __init__(self) -> None:
        super().__init__()
        self._names: dict[str, str] = {}

    def __setitem__(self, name: str, value: str) -> None:
        super().__setitem__(self._names.setdefault(name.lower(), name), value)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(self._names.get(name.lower(), name))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._names

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]  # a header is text
        """
        Give the value of a header.

        :param name: in any spelling
        :param default: when it was not sent
        """
        if name in self:
            return self[name]
        return default


@dataclass
class Call:
    """
    One call and how it was answered.

    :param at: epoch seconds by the emulator's clock
    :param method: GET, POST…
    :param path: without the query
    :param params: the query; each key with all its values
    :param headers: as sent
    :param form: fields of a form body
    :param status: HTTP status answered; 0: none (yet, or the connection was broken off)
    :param page: number of the page asked for, from 1
    :param items: number of items answered
    :param fault: name of the fault that was played
    """

    at: float
    method: str
    path: str
    params: dict[str, list[str]]
    headers: Headers
    form: dict[str, list[str]] = field(default_factory=dict)
    status: int = 0
    page: int = 1
    items: int = 0
    fault: str | None = None


class CallLog(Sequence[Call]):
    """The last 100,000 calls, oldest first. Reads like a list; safe to read while calls come in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: deque[Call] = deque(maxlen=REMEMBERED)

    def append(self, call: Call) -> None:
        """
        Remember a call.

        :param call: the newest one
        """
        with self._lock:
            self._calls.append(call)

    def clear(self) -> None:
        """Forget all calls."""
        with self._lock:
            self._calls.clear()

    def _snapshot(self) -> list[Call]:
        with self._lock:
            return list(self._calls)

    @overload
    def __getitem__(self, at: int) -> Call: ...
    @overload
    def __getitem__(self, at: slice) -> list[Call]: ...
    def __getitem__(self, at: int | slice) -> Call | list[Call]:
        return self._snapshot()[at]

    def __iter__(self) -> Iterator[Call]:
        return iter(self._snapshot())

    def __len__(self) -> int:
        return len(self._calls)

    def __eq__(self, other: object) -> bool:
        return list(other) == self._snapshot() if isinstance(other, (list, tuple, CallLog)) else NotImplemented

    def __repr__(self) -> str:
        return f"CallLog({self._snapshot()!r})"
