"""The garbage collector, kept from searching what cannot be garbage."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_pauses = 0
_was_enabled = False


@contextmanager
def collection_paused() -> Iterator[None]:
    """
    Keep Python's cyclic garbage collector from running for a moment: while one page is decoded and encoded.

    A page is tens of thousands of objects in no cycle, all of them freed when it is done. Making them has the
    collector walk through everything that the process ever imported, every few pages: more than half of the
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
