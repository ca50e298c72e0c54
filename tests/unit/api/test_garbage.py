"""The garbage collector's pauses."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

from airflow_provider_hotmart.api.garbage import collection_paused


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
