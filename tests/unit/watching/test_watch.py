"""What is new: who is who, where to look, and what a watch refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import Raw

from airflow_provider_hotmart.api.enums import SaleStatus
from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError
from airflow_provider_hotmart.watching.watch import Watch, canonical, digest_of_all, warn_of_cost

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC).timestamp()
DAY = 86400
WATCH = Watch("hotmart_default")


def participant(**changes: Any) -> dict[str, Any]:
    return {
        "transaction": "HP1",
        "transaction_status": "APPROVED",
        "product": {"id": 1, "name": "A"},
        "role": "BUYER",
        "user": {"ucode": "u-1", "name": "Maria", "email": "maria@example.com"},
        **changes,
    }


def digests(*records: dict[str, Any], watch: Watch = WATCH) -> list[int]:
    """Of the participants in one answer."""
    return [one.digest for one in watch.identify(records)]


def digest(watch: Watch = WATCH, **changes: Any) -> int:
    [found] = digests(participant(**changes), watch=watch)
    return found


@pytest.mark.parametrize(
    "changes",
    [
        {"transaction_status": "COMPLETE"},
        {"product": {"id": 2, "name": "B"}},
        {"user": {"ucode": "u-1", "name": "Maria da Silva"}},
        {"user": {"email": "maria@example.com", "name": "Maria", "ucode": "u-1"}},
    ],
    ids=["completed", "product", "name", "order of keys"],
)
def test_a_participant_stays_the_same_whatever_else_changes(changes: dict[str, Any]) -> None:
    assert digest(**changes) == digest()


@pytest.mark.parametrize(
    "changes",
    [
        {"transaction": "HP2"},
        {"role": "PRODUCER"},
        {"user": {"ucode": "u-2"}},
        {"user": {}},
        {"user": None},
        {"transaction_status": "REFUNDED"},
    ],
    ids=["transaction", "role", "person", "nothing known", "no user", "refunded"],
)
def test_another_transaction_role_person_or_state_is_new(changes: dict[str, Any]) -> None:
    assert digest(**changes) != digest()


def test_a_state_with_two_names_is_one() -> None:
    states = [digest(transaction_status=status) for status in SaleStatus]
    assert len(set(states)) == len(SaleStatus) - 2
    assert digest(transaction_status="APPROVED") == digest(transaction_status="COMPLETE")
    assert digest(transaction_status="PROTESTED") == digest(transaction_status="DISPUTE")


def test_where_status_changes_are_not_wanted_everybody_is_new_once() -> None:
    watch = Watch("hotmart_default", report_status_changes=False)
    assert len({digest(watch, transaction_status=status) for status in [None, *SaleStatus]}) == 1


@pytest.mark.parametrize("ucode", [{}, {"ucode": None}, {"ucode": ""}], ids=["absent", "null", "empty"])
def test_without_a_ucode_all_that_is_known_of_the_person_counts(ucode: dict[str, Any]) -> None:
    known = {**ucode, "name": "Maria", "email": "maria@example.com"}
    shuffled = dict(reversed(known.items()))
    assert digest(user=known) == digest(user=shuffled)
    assert digest(user={**known, "email": "other@example.com"}) != digest(user=known)


def test_two_in_one_sale_of_whom_the_same_is_known_are_two_in_whatever_order_they_come() -> None:
    nobody, somebody = participant(user={}), participant(user={"name": "Maria"})
    first = digests(nobody, somebody, nobody)
    assert len(set(first)) == 3
    assert set(digests(somebody, nobody, nobody)) == set(first)


def test_a_row_that_comes_twice_in_one_answer_has_nobody_else_in_it() -> None:
    once, again = ([participant(user={}, transaction=code)] * 2 for code in (Raw(b'"HP1"'), Raw(b'"HP1"')))
    assert digests(*once, *again) == digests(*once) * 2
    assert len(set(digests(*once))) == 2


def test_what_is_known_of_one_person_cannot_pass_for_the_ucode_of_another() -> None:
    assert digest(user={"ucode": '{"name": "M"}'}) != digest(user={"name": "M"})


def test_a_participant_is_the_same_raw_or_decoded() -> None:
    raw = {name: Raw(json.dumps(value).encode()) for name, value in participant().items()}
    assert digests(raw) == digests(participant())


def test_a_digest_has_eight_bytes() -> None:
    found = digests(*(participant(transaction=f"HP{number}") for number in range(1000)))
    assert len(set(found)) == 1000
    assert max(found) < 2**64
    assert max(found) > 2**60


@pytest.mark.parametrize(
    "other",
    [
        Watch("other"),
        Watch("hotmart_default", {"transaction_status": "REFUNDED"}),
        Watch("hotmart_default", {"product_id": 1}),
        Watch("hotmart_default", {"roles": "BUYER"}),
        Watch("hotmart_default", {"buyer_email": "maria@example.com"}),
        Watch("hotmart_default", report_status_changes=False),
    ],
    ids=["connection", "status", "product", "roles", "buyer", "status changes"],
)
def test_watches_of_other_things_share_no_digests(other: Watch) -> None:
    assert digest(other) != digest()


ALIKE: list[tuple[str, list[Any]]] = [
    ("transaction_status", [["COMPLETE", "approved"], "APPROVED,COMPLETE", {"APPROVED", "COMPLETE"}, None]),
    ("transaction_status", ["ALL", "all", [str(status) for status in reversed(SaleStatus)]]),
    ("transaction_status", ["REFUNDED", ["REFUNDED"], ["refunded", "REFUNDED"], SaleStatus.REFUNDED]),
    ("product_id", [[1, 2], [2, 1], ("2", "1"), "1,2", {1, 2}, [1, 2, 1]]),
    ("product_id", [5, "5", [5], ["5", 5]]),
    ("transaction", [["HP1", "HP2"], "HP2,HP1", ("HP2", "HP1", "HP2")]),
    ("roles", [["BUYER", "PRODUCER"], "producer,buyer", '["PRODUCER", "BUYER"]']),
    ("buyer_email", ["Maria@Example.com", "maria@example.com"]),
    ("commission_as", ["producer", "PRODUCER", ["PRODUCER"]]),
]


@pytest.mark.parametrize(("name", "ways"), ALIKE, ids=[f"{name} {ways[0]}" for name, ways in ALIKE])
def test_the_same_watch_written_otherwise_has_the_same_digests(name: str, ways: list[Any]) -> None:
    assert len({Watch("hotmart_default", {name: way}).scope for way in ways}) == 1


def test_the_ledger_of_a_sensor_and_the_trigger_of_a_watcher_are_those_of_the_same_watch() -> None:
    for name, ways in ALIKE:
        if name != "buyer_email":  # asked for as it is written
            assert len({canonical(name, way) for way in ways if way is not None and len(str(way)) < 100}) == 1, name


def test_how_far_a_watch_goes_back_does_not_change_who_is_who() -> None:
    assert Watch("hotmart_default", since="now", lookback=timedelta(days=30)).scope == WATCH.scope


SERIALIZE = """
from airflow_provider_hotmart.watching.watch import Watch, canonical, digest_of_all, warn_of_cost
statuses = {"REFUNDED", "APPROVED", "CHARGEBACK", "DISPUTE"}
codes = frozenset({"HP1", "HP2", "HP3", "HP4"})
print(canonical("transaction_status", statuses), canonical("transaction", codes), canonical("roles", {"X Y", "NOBODY"}))
print(Watch("c", {"transaction_status": statuses, "transaction": codes}).scope.hex())
"""


def test_a_set_as_a_filter_is_the_same_from_process_to_process() -> None:
    told = {
        subprocess.run(
            [sys.executable, "-c", SERIALIZE],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=200,
        ).stdout
        for seed in ("0", "1", "2", "3")
    }
    assert len(told) == 1


def test_a_look_goes_back_by_the_lookback_and_ends_now() -> None:
    window = Watch("c", lookback=timedelta(days=7)).window(NOW + 0.4, None)
    assert window.start == NOW - 7 * DAY
    assert NOW + 0.4 < window.end <= NOW + 3


def test_a_look_goes_back_no_farther_than_the_beginning() -> None:
    watch = Watch("c", since="2026-03-10T00:00:00Z", lookback=timedelta(days=7))
    since = watch.begin(None, NOW)
    assert watch.window(NOW, since).start == datetime(2026, 3, 10, tzinfo=UTC).timestamp()
    assert watch.window(NOW + 30 * DAY, since).start == NOW + 23 * DAY


def test_a_beginning_in_the_future_finds_nothing_yet() -> None:
    watch = Watch("c", since="2027-01-01")
    window = watch.window(NOW, watch.begin(None, NOW))
    assert window.seconds == 1


def test_now_means_the_first_start_that_is_remembered() -> None:
    watch = Watch("c", since="now")
    assert watch.begin(None, NOW + 0.9) == NOW
    assert watch.begin(int(NOW - DAY), NOW) == NOW - DAY


def test_without_since_nothing_that_is_remembered_counts() -> None:
    assert Watch("c").begin(int(NOW), NOW) is None


@pytest.mark.parametrize(
    "lookback",
    [timedelta(0), timedelta(days=-1), timedelta(days=367), timedelta.max, 7, "7 days", None],
    ids=str,
)
def test_a_lookback_that_is_none_is_refused(lookback: Any) -> None:
    with pytest.raises(HotmartInvalidRequestError, match="expected a timedelta above zero and of at most 366 days"):
        Watch("c", lookback=lookback)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"filters": {"transaction_status": "APROVED"}}, "did you mean 'APPROVED'"),
        ({"filters": {"roles": "BUYERS"}}, "did you mean 'BUYER'"),
        ({"filters": {"product_id": "x"}}, "product_id is 'x'"),
        ({"since": 1_700_000_000}, "since is the number"),
        ({"since": "yesterday"}, "since is 'yesterday'"),
    ],
)
def test_a_wrong_argument_is_refused_when_the_watch_is_made(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(HotmartInvalidRequestError, match=told):
        Watch("c", **arguments)


def test_the_digest_of_a_set_depends_on_who_is_in_it_alone() -> None:
    assert digest_of_all({3, 1, 2}) == digest_of_all({2, 3, 1})
    assert len({digest_of_all(one) for one in (set(), {1}, {2}, {1, 2}, {0x0100})}) == 5


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("roles", None, None),
        ("product_id", 5, "5"),
        ("transaction_status", SaleStatus.APPROVED, "APPROVED"),
        ("transaction_status", [SaleStatus.COMPLETE, "approved"], "APPROVED,COMPLETE"),
        ("product_id", (2, 1), "1,2"),
        ("buyer_name", "Maria, a primeira", "Maria, a primeira"),
        ("transaction_status", ["WRONG", "APROVED"], "APROVED,WRONG"),
        ("product_id", "x", "x"),
    ],
)
def test_a_filter_becomes_plain_text_even_if_it_is_wrong(name: str, value: Any, text: Any) -> None:
    assert canonical(name, value) == text
    assert type(canonical(name, value)) is type(text)


def test_only_what_is_selected_is_kept_of_a_record() -> None:
    assert WATCH.selection(["transaction", "users.user.email"]).of(participant()) == {
        "transaction": "HP1",
        "transaction_status": "APPROVED",
        "user": {"email": "maria@example.com"},
    }
    assert WATCH.selection(None).of(participant()) == participant()


def test_what_is_selected_and_nowhere_is_refused_unless_it_is_documented() -> None:
    selection = WATCH.selection(["user.email", "transaction", "users.user.address"])
    selection.of(participant())
    with pytest.raises(HotmartInvalidRequestError, match=r"did you mean 'users.user.email'"):
        selection.check()
    selection = WATCH.selection(["transaction", "users.user.address"])
    selection.of(participant())
    selection.check()


def test_a_watch_that_has_not_begun_looks_ahead_of_now() -> None:
    window = Watch("c", since="2099-01-01").window(now=1_800_000_000, since=4_070_908_800)
    assert window.start == 4_070_908_800
    assert window.end > window.start


def test_an_unreadable_select_is_refused_before_anything_is_looked_at() -> None:
    with pytest.raises(HotmartInvalidRequestError, match="select"):
        WATCH.selection([","])


@pytest.mark.parametrize(
    ("calls", "interval", "limit", "fits"),
    [(49, 5, 500, 30), (8, 5, 500, None), (9, 5, 500, 6), (200, 300, 500, None), (2, 60, 5, 120)],
)
def test_a_watch_that_takes_more_than_a_fifth_of_the_limit_is_warned_of_once(
    caplog: pytest.LogCaptureFixture, calls: int, interval: float, limit: int, fits: int | None
) -> None:
    watch = Watch(f"warned-{calls}-{limit}")
    for _ in range(2):
        warn_of_cost(watch, calls, interval, limit)
    found = [message for message in caplog.messages if "would fit" in message]
    assert len(found) == (fits is not None)
    assert fits is None or f"an interval of {fits} s would fit" in found[0]
    warn_of_cost(watch, calls, fits or interval, limit)
    assert len([message for message in caplog.messages if "would fit" in message]) == len(found)
