"""Where pages are decoded: one at a time, in a thread of its own, undisturbed by the garbage collector."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

_T = TypeVar("_T")
_pauses = 0
_was_enabled = False
_decoder: ThreadPoolExecutor
_lock: threading.Lock


def _start() -> None:
    global _decoder, _lock, _pauses
    _decoder = ThreadPoolExecutor(1, thread_name_prefix="hotmart-decoding")
    _lock = threading.Lock()
    if _pauses and _was_enabled:
        gc.enable()
    _pauses = 0


_start()
# A forked process has none of the threads: neither the decoder's, nor any that holds the lock or a pause.
os.register_at_fork(after_in_child=_start)


def in_decoder(work: Callable[..., _T], *arguments: Any) -> _T:
    """
    Do what takes a page apart in the one thread for that, and wait for it.

    Decoding is bound to one processor whatever the number of threads, and the allocator keeps memory for each
    thread that ever held a page: several would be no faster and take several times as much.

    :param work: must not wait for another page.
    :param arguments: of it.
    """
    try:
        result = _decoder.submit(_undisturbed, work, arguments)
    except RuntimeError:  # the main thread has ended, and no other thread is given work any more
        return _undisturbed(work, arguments)
    return result.result()


def _undisturbed(work: Callable[..., _T], arguments: tuple[Any, ...]) -> _T:
    with collection_paused():
        return work(*arguments)


@contextmanager
def collection_paused() -> Iterator[None]:
    """
    Keep Python's cyclic garbage collector from running for a moment: while one page is taken apart.

    A page is tens of thousands of objects in no cycle, all of them freed when it is done. Making them has the
    collector walk through everything that the process ever imported, every few pages: about half of the
    processor time of a listing inside Airflow. Pauses of several threads may overlap.
    """
    global _pauses, _was_enabled
    with _lock:
        if not _pauses:
            _was_enabled = gc.isenabled()
            gc.disable()
        _pauses += 1
    try:
        yield
    finally:
        with _lock:
            _pauses -= 1
            if not _pauses and _was_enabled:
                gc.enable()
