"""Whatever goes wrong on the way, a file is complete or it is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hotmart.api.errors import (
    HotmartAuthError,
    HotmartError,
    HotmartInvalidRequestError,
    HotmartNotFoundError,
    HotmartPermissionError,
    HotmartRateLimitError,
    HotmartResponseError,
    HotmartServerError,
    HotmartTransportError,
)
from airflow_provider_hotmart.emulator import Fault, HotmartEmulator
from tests.integration.support import (
    NOW,
    SALES,
    WIDTHS,
    YEAR,
    account,
    assert_exact,
    assert_fails,
    client_of,
    lines_of,
    products,
    write,
)

Kind = type[HotmartError]
Get = Callable[[str], "Listed"]


@dataclass(frozen=True)
class Trouble:
    """
    A fault and what comes of it.

    :param once: the error when it happens once; None: it heals
    :param always: the error when it stays; None: it is nothing to a listing, or not a fault if it stays
    """

    fault: Fault
    once: Kind | None
    always: Kind | None


TROUBLES = {
    "500": Trouble(Fault.status(500), None, HotmartServerError),
    "500 html": Trouble(Fault.status(500, "html"), None, HotmartServerError),
    "502": Trouble(Fault.status(502), None, HotmartServerError),
    "503 empty": Trouble(Fault.status(503, "empty"), None, HotmartServerError),
    "504": Trouble(Fault.status(504), None, HotmartServerError),
    "520": Trouble(Fault.status(520, "html"), None, HotmartServerError),
    "429": Trouble(Fault.status(429), None, HotmartRateLimitError),
    "400": Trouble(Fault.status(400), HotmartInvalidRequestError, HotmartInvalidRequestError),
    "401 empty": Trouble(Fault.status(401, "empty"), None, HotmartAuthError),
    "403": Trouble(Fault.status(403), HotmartPermissionError, HotmartPermissionError),
    # A firewall's page says nothing about the credential.
    "403 html": Trouble(Fault.status(403, "html"), None, HotmartResponseError),
    "202 html": Trouble(Fault.status(202, "html"), None, HotmartResponseError),
    "204": Trouble(Fault.status(204, "empty"), HotmartResponseError, HotmartResponseError),
    "404": Trouble(Fault.status(404), HotmartNotFoundError, HotmartNotFoundError),
    "expired token": Trouble(Fault.expired_token(), None, HotmartAuthError),
    "invalid token": Trouble(Fault.invalid_token(), None, HotmartAuthError),
    "html": Trouble(Fault.html(), None, HotmartResponseError),
    "no bytes": Trouble(Fault.empty(), None, HotmartResponseError),
    "redirect": Trouble(Fault.redirect(), None, HotmartResponseError),
    "half a JSON text": Trouble(Fault.truncated_json(), None, HotmartResponseError),
    "a list": Trouble(Fault.not_object(), None, HotmartResponseError),
    "a text": Trouble(Fault.not_object('"maintenance"'), None, HotmartResponseError),
    "null": Trouble(Fault.not_object("null"), None, HotmartResponseError),
    "cut short": Trouble(Fault.cut_short(), None, HotmartTransportError),
    "cut short in chunks": Trouble(Fault.cut_short(chunked=True), None, HotmartTransportError),
    "reset": Trouble(Fault.reset(), None, HotmartTransportError),
    "empty page": Trouble(Fault.empty_page(), None, HotmartResponseError),
    "garbled items": Trouble(Fault.garbled_items(), HotmartResponseError, HotmartResponseError),
    "too high a total": Trouble(Fault.wrong_total(7), None, HotmartResponseError),
    # What counts is that no next page is named.
    "too low a total": Trouble(Fault.wrong_total(-7), None, None),
}


#: What pages that are offsets can meet besides.
PAGED_TROUBLES = {
    **TROUBLES,
    "rows appear": Trouble(Fault.shift(3), None, None),
    "rows vanish": Trouble(Fault.shift(-3), None, None),
}


@pytest.fixture(scope="module")
def single() -> Iterator[HotmartEmulator]:
    """400 sales of one status: one answer."""
    with account(400, statuses=["COMPLETE"]) as hotmart:
        yield hotmart


@pytest.fixture(scope="module")
def windows() -> Iterator[HotmartEmulator]:
    """6,400 sales of one status: windows, read at the same time."""
    with account(6_400, statuses=["COMPLETE"]) as hotmart:
        yield hotmart


@pytest.fixture(scope="module")
def paged() -> Iterator[HotmartEmulator]:
    """1,203 sales of one second: three pages, read until two readings agree."""
    with account(0) as hotmart:
        for _ in range(1_203):
            hotmart.add_sale(status="COMPLETE", ordered_at=NOW - timedelta(days=3))
        yield hotmart


FILTERS: dict[str, Any] = {"transaction_status": "COMPLETE", **YEAR}


@dataclass(frozen=True)
class Listed:
    """
    What is to be listed.

    :param hotmart: an emulator without faults.
    :param lines: of a file that was listed without faults and found to be exact, sorted.
    :param queries: of the calls that this took, in order of the windows.
    """

    hotmart: HotmartEmulator
    lines: list[bytes]
    queries: list[dict[str, str]]

    def from_call(self, where: str) -> dict[str, Any]:
        """The arguments of ``faults.add`` for the first, a middle or the last call of this listing."""
        place = {"first": 0, "middle": len(self.queries) // 2, "last": len(self.queries) - 1}[where]
        return {"path": SALES, "from_query": self.queries[place]}

    def assert_whole(self, path: Path) -> None:
        assert sorted(lines_of(path)) == self.lines


@pytest.fixture(scope="module")
def known() -> dict[str, tuple[list[bytes], list[dict[str, str]]]]:
    return {}


@pytest.fixture
def running(
    request: pytest.FixtureRequest,
    known: dict[str, tuple[list[bytes], list[dict[str, str]]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Get]:
    """Gives what is to be listed, by its size."""
    used = []

    def get(size: str) -> Listed:
        hotmart: HotmartEmulator = request.getfixturevalue(size)
        hotmart.faults.clear()
        used.append(hotmart)
        if size not in known:
            path = tmp_path_factory.mktemp("true") / "all.jsonl"
            hotmart.calls.clear()
            with client_of(hotmart, width=1) as client:
                write(client, path, **FILTERS)
            assert_exact(path, hotmart.truth(None, *YEAR.values()))
            queries = [{name: values[0] for name, values in call.params.items()} for call in hotmart.calls]
            known[size] = sorted(lines_of(path)), queries
        hotmart.calls.clear()
        return Listed(hotmart, *known[size])

    yield get
    for hotmart in used:
        hotmart.faults.clear()


PLACES = ("first", "middle", "last")
#: One answer and pages are read in one thread, however many are allowed; windows in several.
everywhere_in_each = pytest.mark.parametrize(
    ("size", "width", "where"),
    [
        ("single", 1, "first"),
        *(("paged", 1, where) for where in PLACES),
        *(("windows", width, where) for width in WIDTHS for where in PLACES),
    ],
)


@pytest.mark.parametrize("name", TROUBLES)
@everywhere_in_each
def test_a_fault_that_happens_once_heals_or_fails_with_its_own_error(
    running: Get, tmp_path: Path, size: str, width: int, where: str, name: str
) -> None:
    listed, trouble = running(size), TROUBLES[name]
    hotmart = listed.hotmart
    hotmart.faults.add(trouble.fault, **listed.from_call(where))
    (tmp_path / "new").mkdir()
    with client_of(hotmart, width) as client:
        if trouble.once is None:
            write(client, tmp_path / "all.jsonl", **FILTERS)
            listed.assert_whole(tmp_path / "all.jsonl")
        else:
            assert_fails(client, tmp_path / "new", trouble.once, **FILTERS)
    assert not hotmart.faults.pending, "the fault was not met"


@pytest.mark.parametrize("name", [name for name, trouble in TROUBLES.items() if trouble.always])
@everywhere_in_each
def test_a_fault_that_stays_fails_with_its_own_error_and_touches_no_file(
    running: Get, tmp_path: Path, size: str, width: int, where: str, name: str
) -> None:
    listed, error = running(size), TROUBLES[name].always
    hotmart = listed.hotmart
    assert error is not None
    hotmart.faults.add(TROUBLES[name].fault, times=None, **listed.from_call(where))
    old = tmp_path / "all.jsonl"
    old.write_text("yesterday's")
    with client_of(hotmart, width, max_retries=2) as client, pytest.raises(error):
        write(client, old, **FILTERS)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("all.jsonl", "yesterday's")]


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("times", [1, None])
@everywhere_in_each
def test_a_token_that_leads_back_never_makes_a_shorter_file_nor_an_endless_listing(
    running: Get, tmp_path: Path, size: str, width: int, where: str, times: int | None, first: bool
) -> None:
    listed = running(size)
    hotmart = listed.hotmart
    hotmart.faults.add(Fault.repeated_token(first=first), times=times, **listed.from_call(where))
    with client_of(hotmart, width) as client:
        try:
            write(client, tmp_path / "all.jsonl", **FILTERS)
        except HotmartResponseError:
            assert list(tmp_path.iterdir()) == []
        else:
            listed.assert_whole(tmp_path / "all.jsonl")


@pytest.mark.parametrize("page", [2, 3])
@pytest.mark.parametrize("total", [True, False])
def test_an_empty_object_in_place_of_a_further_page_is_not_the_end(
    running: Get, tmp_path: Path, page: int, total: bool
) -> None:
    listed = running("paged")
    hotmart = listed.hotmart
    hotmart.quirks.total_results = total
    try:
        hotmart.faults.add(Fault.not_object("{}"), path=SALES, page=page)
        with client_of(hotmart) as client:
            write(client, tmp_path / "all.jsonl", **FILTERS)
    finally:
        hotmart.quirks.total_results = True
    listed.assert_whole(tmp_path / "all.jsonl")


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize(("size", "width"), [("paged", 1), ("windows", 3)])
def test_an_answer_that_is_too_slow_is_asked_for_again(
    running: Get, tmp_path: Path, size: str, width: int, where: str
) -> None:
    listed = running(size)
    hotmart = listed.hotmart
    hotmart.faults.add(Fault.stall(60), **listed.from_call(where))
    # Long enough for all other answers on a busy machine, as they are asked for once.
    with client_of(hotmart, width, timeout=3) as client:
        write(client, tmp_path / "all.jsonl", **FILTERS)
    listed.assert_whole(tmp_path / "all.jsonl")
    assert len(hotmart.calls) == len(listed.queries) + 1


def test_a_service_that_stays_silent_fails_with_a_transport_error(running: Get, tmp_path: Path) -> None:
    hotmart = running("single").hotmart
    hotmart.faults.add(Fault.stall(1.0), times=None)
    with client_of(hotmart, timeout=0.2, max_retries=1) as client:
        error = assert_fails(client, tmp_path, HotmartTransportError, **FILTERS)
    assert "timed out" in str(error)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_service_that_goes_away_in_the_middle_fails_with_a_transport_error(tmp_path: Path, width: int) -> None:
    with account(6_400, statuses=["COMPLETE"]) as hotmart, client_of(hotmart, width) as client:
        # On the way into the fifth answer, which nobody gets then, however many others are under way.
        number = count(1)
        hotmart.on_call = lambda _: hotmart.stop() if next(number) >= 5 else None
        assert_fails(client, tmp_path, HotmartTransportError, **FILTERS)


@pytest.mark.parametrize("gap", [0, 1])
def test_every_fault_in_turn_heals_within_one_listing(running: Get, tmp_path: Path, gap: int) -> None:
    listed = running("windows")
    hotmart = listed.hotmart
    healing = [one.fault for one in TROUBLES.values() if one.once is None]
    for number, fault in enumerate(healing):
        hotmart.faults.add(fault, path=SALES, after=number * gap)
    with client_of(hotmart, width=3, max_retries=len(healing)) as client:
        write(client, tmp_path / "all.jsonl", **FILTERS)
    assert not hotmart.faults.pending
    listed.assert_whole(tmp_path / "all.jsonl")


class TestProducts:
    @pytest.fixture(scope="class")
    @staticmethod
    def shop() -> Iterator[HotmartEmulator]:
        """1,203 products: three pages."""
        with account(0, products=1_203) as hotmart:
            yield hotmart

    @pytest.mark.parametrize("name", [name for name in PAGED_TROUBLES if "total" not in name])
    @pytest.mark.parametrize("page", [1, 2, 3])
    def test_a_fault_that_happens_once_heals_or_fails_with_its_own_error(
        self, shop: HotmartEmulator, page: int, name: str
    ) -> None:
        trouble = PAGED_TROUBLES[name]
        # Products are not dated, so there is nothing narrower to ask for.
        shop.faults.clear()
        shop.faults.add(trouble.fault, page=page)
        with client_of(shop) as client:
            if trouble.once is None:
                assert sorted(one["id"] for one in products(client)) == [one["id"] for one in shop.products]
            else:
                with pytest.raises(trouble.once):
                    list(products(client))
        assert not shop.faults.pending

    @pytest.mark.parametrize("page", [2, 3])
    def test_an_empty_object_in_place_of_a_further_page_is_not_the_end(self, shop: HotmartEmulator, page: int) -> None:
        shop.faults.clear()
        shop.faults.add(Fault.not_object("{}"), page=page)
        with client_of(shop) as client:
            assert sorted(one["id"] for one in products(client)) == [one["id"] for one in shop.products]
