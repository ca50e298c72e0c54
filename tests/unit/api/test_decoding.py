"""The one thread that takes pages apart, and the garbage collector's pauses."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from airflow_provider_hotmart.api.decoding import collection_paused, in_decoder


@pytest.fixture(autouse=True)
def enabled() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


def test_nothing_is_collected_during_a_pause_and_everything_after_it() -> None:
    with collection_paused():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_failure_ends_the_pause() -> None:
    with pytest.raises(ZeroDivisionError), collection_paused():
        raise ZeroDivisionError
    assert gc.isenabled()


def test_whoever_has_switched_the_collector_off_finds_it_off() -> None:
    gc.disable()
    with collection_paused():
        pass
    assert not gc.isenabled()


def test_pauses_of_several_threads_overlap() -> None:
    begun, end = threading.Event(), threading.Event()

    def pause() -> None:
        with collection_paused():
            begun.set()
            end.wait(10)

    other = threading.Thread(target=pause)
    with collection_paused():
        other.start()
        assert begun.wait(10)
    assert not gc.isenabled(), "one pause has ended, the other has not"
    end.set()
    other.join(10)
    assert gc.isenabled()


def test_pages_are_taken_apart_in_one_thread_undisturbed() -> None:
    def look() -> tuple[int, bool]:
        return threading.get_ident(), gc.isenabled()

    seen = {in_decoder(look) for _ in range(5)}
    assert len(seen) == 1
    thread, enabled = seen.pop()
    assert thread != threading.get_ident()
    assert not enabled
    assert gc.isenabled()


def test_a_failure_reaches_whoever_waits_and_the_next_is_served() -> None:
    with pytest.raises(ZeroDivisionError):
        in_decoder(lambda: 1 / 0)
    assert in_decoder(int, "7") == 7


def test_a_forked_process_takes_pages_apart_too() -> None:
    in_decoder(int, "1")
    child = os.fork()
    if not child:  # pragma: no cover - another process
        signal.alarm(10)
        os._exit(in_decoder(int, "7"))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
