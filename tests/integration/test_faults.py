"""Whatever goes wrong on the way, a file is complete or it is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
    "403 html": Trouble(Fault.status(403, "html"), HotmartPermissionError, HotmartPermissionError),
    "404": Trouble(Fault.status(404), HotmartNotFoundError, HotmartNotFoundError),
    "expired token": Trouble(Fault.expired_token(), None, HotmartAuthError),
    "invalid token": Trouble(Fault.invalid_token(), None, HotmartAuthError),
    "html": Trouble(Fault.html(), None, HotmartResponseError),
    "no bytes": Trouble(Fault.empty(), None, HotmartResponseError),
    "redirect": Trouble(Fault.redirect(), HotmartResponseError, HotmartResponseError),
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
    "too low a total": Trouble(Fault.wrong_total(-7), None, HotmartResponseError),
    "rows appear": Trouble(Fault.shift(3), None, HotmartResponseError),
    "rows appear unannounced": Trouble(Fault.shift(3, same_total=True), None, HotmartResponseError),
    # Rows that are gone in every answer are gone.
    "rows vanish": Trouble(Fault.shift(-3), None, None),
}


def position(name: str, calls: int) -> dict[str, Any]:
    """The arguments of ``faults.add`` for the first, a middle or the last call of a listing."""
    return {"path": SALES, "after": {"first": 0, "middle": calls // 2, "last": calls - 1}[name]}


@pytest.fixture(scope="module")
def serial() -> Iterator[HotmartEmulator]:
    """1,203 sales of one status: three pages, read one after the other."""
    with account(1_203, statuses=["COMPLETE"]) as hotmart:
        yield hotmart


@pytest.fixture(scope="module")
def parallel() -> Iterator[HotmartEmulator]:
    """6,400 sales of one status: windows, read at the same time, of several pages each."""
    with account(6_400, statuses=["COMPLETE"]) as hotmart:
        yield hotmart


FILTERS: dict[str, Any] = {"transaction_status": "COMPLETE", **YEAR}
#: Calls of these listings when all goes well.
CALLS = {"serial": 3, "parallel": 16}


@dataclass(frozen=True)
class Listed:
    """
    What is to be listed.

    :param hotmart: an emulator without faults.
    :param lines: of a file that was listed without faults and found to be exact, sorted.
    """

    hotmart: HotmartEmulator
    lines: list[bytes]

    def assert_whole(self, path: Path) -> None:
        assert sorted(lines_of(path)) == self.lines


@pytest.fixture(scope="module")
def known() -> dict[str, list[bytes]]:
    return {}


@pytest.fixture
def running(
    request: pytest.FixtureRequest, known: dict[str, list[bytes]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Get]:
    """Gives what is to be listed, by its size."""
    used = []

    def get(size: str) -> Listed:
        hotmart: HotmartEmulator = request.getfixturevalue(size)
        hotmart.faults.clear()
        used.append(hotmart)
        if size not in known:
            path = tmp_path_factory.mktemp("true") / "all.jsonl"
            with client_of(hotmart) as client:
                write(client, path, **FILTERS)
            assert_exact(path, hotmart.truth(None, *YEAR.values()))
            known[size] = sorted(lines_of(path))
        hotmart.calls.clear()
        return Listed(hotmart, known[size])

    yield get
    for hotmart in used:
        hotmart.faults.clear()


everywhere = pytest.mark.parametrize("where", ["first", "middle", "last"])
#: The short listing is read in one thread, however many are allowed; the long one in windows.
everywhere_in_each = pytest.mark.parametrize(
    ("size", "width", "where"),
    [
        *(("serial", 1, where) for where in ("first", "middle", "last")),
        *(("parallel", width, where) for width in WIDTHS for where in ("first", "middle", "last")),
    ],
)
both_sizes = pytest.mark.parametrize("size", ["serial", "parallel"])


@pytest.mark.parametrize("width", WIDTHS)
@both_sizes
def test_without_faults_the_listing_takes_the_calls_that_the_positions_assume(
    running: Get, tmp_path: Path, size: str, width: int
) -> None:
    listed = running(size)
    hotmart = listed.hotmart
    with client_of(hotmart, width) as client:
        listing = write(client, tmp_path / "all.jsonl", **FILTERS)
    listed.assert_whole(tmp_path / "all.jsonl")
    assert listing.calls == len(hotmart.calls) == CALLS[size]


@pytest.mark.parametrize("name", TROUBLES)
@everywhere_in_each
def test_a_fault_that_happens_once_heals_or_fails_with_its_own_error(
    running: Get, tmp_path: Path, size: str, width: int, where: str, name: str
) -> None:
    listed, trouble = running(size), TROUBLES[name]
    hotmart = listed.hotmart
    hotmart.faults.add(trouble.fault, **position(where, CALLS[size]))
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
    hotmart, error = running(size).hotmart, TROUBLES[name].always
    assert error is not None
    hotmart.faults.add(TROUBLES[name].fault, times=None, **position(where, CALLS[size]))
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
    hotmart.faults.add(Fault.repeated_token(first=first), times=times, **position(where, CALLS[size]))
    with client_of(hotmart, width) as client:
        try:
            write(client, tmp_path / "all.jsonl", **FILTERS)
        except HotmartResponseError:
            assert list(tmp_path.iterdir()) == []
        else:
            listed.assert_whole(tmp_path / "all.jsonl")


@pytest.mark.parametrize("where", ["middle", "last"])
@pytest.mark.parametrize("total", [True, False])
def test_an_empty_object_in_place_of_a_further_page_is_not_the_end(
    running: Get, tmp_path: Path, where: str, total: bool
) -> None:
    listed = running("serial")
    hotmart = listed.hotmart
    hotmart.quirks.total_results = total
    try:
        hotmart.faults.add(Fault.not_object("{}"), **position(where, CALLS["serial"]))
        with client_of(hotmart) as client:
            write(client, tmp_path / "all.jsonl", **FILTERS)
    finally:
        hotmart.quirks.total_results = True
    listed.assert_whole(tmp_path / "all.jsonl")


@everywhere
@pytest.mark.parametrize(("size", "width"), [("serial", 1), ("parallel", 3)])
def test_an_answer_that_is_too_slow_is_asked_for_again(
    running: Get, tmp_path: Path, size: str, width: int, where: str
) -> None:
    listed = running(size)
    hotmart = listed.hotmart
    hotmart.faults.add(Fault.stall(1.0), **position(where, CALLS[size]))
    with client_of(hotmart, width, timeout=0.5) as client:
        write(client, tmp_path / "all.jsonl", **FILTERS)
    listed.assert_whole(tmp_path / "all.jsonl")
    assert len(hotmart.calls) == CALLS[size] + 1


def test_a_service_that_stays_silent_fails_with_a_transport_error(running: Get, tmp_path: Path) -> None:
    listed = running("serial")
    hotmart = listed.hotmart
    hotmart.faults.add(Fault.stall(1.0), times=None, page=2)
    with client_of(hotmart, timeout=0.2, max_retries=1) as client:
        error = assert_fails(client, tmp_path, HotmartTransportError, **FILTERS)
    assert "did not answer in time" in str(error)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_service_that_goes_away_in_the_middle_fails_with_a_transport_error(tmp_path: Path, width: int) -> None:
    with account(6_400, statuses=["COMPLETE"]) as hotmart, client_of(hotmart, width) as client:
        hotmart.after_call = lambda call: hotmart.stop() if len(hotmart.calls) >= 5 else None
        assert_fails(client, tmp_path, HotmartTransportError, **FILTERS)


@pytest.mark.parametrize("gap", [0, 1])
def test_every_fault_in_turn_heals_within_one_listing(running: Get, tmp_path: Path, gap: int) -> None:
    listed = running("parallel")
    hotmart = listed.hotmart
    # A token that is refused twice in a row is refused for good.
    healing = [
        one.fault for name, one in TROUBLES.items() if one.once is None and "token" not in name and "401" not in name
    ]
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

    @pytest.mark.parametrize("name", [name for name in TROUBLES if "total" not in name])
    @pytest.mark.parametrize("page", [1, 2, 3])
    def test_a_fault_that_happens_once_heals_or_fails_with_its_own_error(
        self, shop: HotmartEmulator, page: int, name: str
    ) -> None:
        trouble = TROUBLES[name]
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
