"""What is new: who is who, where to look, and what a watch refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_hotmart.api.enums import SaleStatus
from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError
from airflow_provider_hotmart.watch import Watch, as_scalar, digest_of_all, identity

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC).timestamp()
DAY = 86400
SCOPE = Watch("hotmart_default").scope


def participant(**changes: Any) -> dict[str, Any]:
    return {
        "transaction": "HP1",
        "transaction_status": "APPROVED",
        "product": {"id": 1, "name": "A"},
        "role": "BUYER",
        "user": {"ucode": "u-1", "name": "Maria", "email": "maria@example.com"},
        **changes,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"transaction_status": "COMPLETE"},
        {"product": {"id": 2, "name": "B"}},
        {"user": {"ucode": "u-1", "name": "Maria da Silva"}},
        {"user": {"email": "maria@example.com", "name": "Maria", "ucode": "u-1"}},
    ],
    ids=["status", "product", "name", "order of keys"],
)
def test_a_participant_stays_the_same_whatever_else_changes(changes: dict[str, Any]) -> None:
    assert identity(participant(**changes), SCOPE) == identity(participant(), SCOPE)


@pytest.mark.parametrize(
    "changes",
    [{"transaction": "HP2"}, {"role": "PRODUCER"}, {"user": {"ucode": "u-2"}}, {"user": {}}, {"user": None}],
    ids=["transaction", "role", "person", "nothing known", "no user"],
)
def test_another_transaction_role_or_person_is_another_participant(changes: dict[str, Any]) -> None:
    assert identity(participant(**changes), SCOPE) != identity(participant(), SCOPE)


@pytest.mark.parametrize("ucode", [{}, {"ucode": None}, {"ucode": ""}], ids=["absent", "null", "empty"])
def test_without_a_ucode_all_that_is_known_of_the_person_counts(ucode: dict[str, Any]) -> None:
    known = {**ucode, "name": "Maria", "email": "maria@example.com"}
    shuffled = dict(reversed(known.items()))
    assert identity(participant(user=known), SCOPE) == identity(participant(user=shuffled), SCOPE)
    other = {**known, "email": "other@example.com"}
    assert identity(participant(user=other), SCOPE) != identity(participant(user=known), SCOPE)


def test_what_is_known_of_one_person_cannot_pass_for_the_ucode_of_another() -> None:
    assert identity(participant(user={"ucode": '{"name": "M"}'}), SCOPE) != identity(
        participant(user={"name": "M"}), SCOPE
    )


def test_a_digest_has_eight_bytes() -> None:
    digests = [identity(participant(transaction=f"HP{number}"), SCOPE) for number in range(1000)]
    assert len(set(digests)) == 1000
    assert max(digests) < 2**64
    assert max(digests) > 2**60


@pytest.mark.parametrize(
    "other",
    [
        Watch("other"),
        Watch("hotmart_default", {"transaction_status": "REFUNDED"}),
        Watch("hotmart_default", {"product_id": 1}),
        Watch("hotmart_default", {"roles": "BUYER"}),
        Watch("hotmart_default", {"buyer_email": "maria@example.com"}),
    ],
    ids=["connection", "status", "product", "roles", "buyer"],
)
def test_watches_of_other_things_share_no_digests(other: Watch) -> None:
    assert identity(participant(), other.scope) != identity(participant(), SCOPE)


@pytest.mark.parametrize(
    "same",
    [
        Watch("hotmart_default", {"transaction_status": ["COMPLETE", "approved"]}),
        Watch("hotmart_default", {"transaction_status": "APPROVED,COMPLETE", "roles": None}),
        Watch("hotmart_default", {"select": "transaction"}),
        Watch("hotmart_default", since="now", lookback=timedelta(days=30)),
    ],
    ids=["as a list", "as text", "select", "dates"],
)
def test_the_same_watch_written_otherwise_has_the_same_digests(same: Watch) -> None:
    assert same.scope == SCOPE


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
    ("value", "scalar"),
    [
        (None, None),
        (5, 5),
        ("A", "A"),
        (SaleStatus.APPROVED, "APPROVED"),
        ([SaleStatus.APPROVED, "COMPLETE"], "APPROVED,COMPLETE"),
        ((1, 2), "1,2"),
    ],
)
def test_a_filter_becomes_a_plain_scalar(value: Any, scalar: Any) -> None:
    assert as_scalar(value) == scalar
    assert type(as_scalar(value)) is type(scalar)


def test_only_what_is_selected_is_kept_of_a_record() -> None:
    watch = Watch("c", {"select": ["transaction", "users.user.email"]})
    assert watch.selected(participant()) == {
        "transaction": "HP1",
        "transaction_status": "APPROVED",
        "user": {"email": "maria@example.com"},
    }
    assert Watch("c").selected(participant()) == participant()


def test_a_watch_that_has_not_begun_looks_ahead_of_now() -> None:
    window = Watch("c", since="2099-01-01").window(now=1_800_000_000, since=4_070_908_800)
    assert window.start == 4_070_908_800
    assert window.end > window.start


def test_an_unreadable_select_is_refused_before_anything_is_looked_at() -> None:
    with pytest.raises(HotmartInvalidRequestError, match="select"):
        Watch("c", {"select": ","})
