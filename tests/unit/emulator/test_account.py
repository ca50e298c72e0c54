"""The made-up account."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_hotmart.emulator import Clock, Sale
from tests.unit.emulator.support import NOW, STATES, emulator


def test_the_same_seed_makes_the_same_account() -> None:
    one, same, other = emulator(), emulator(), emulator(seed=2)
    assert [sale.participants for sale in one.sales] == [sale.participants for sale in same.sales]
    assert [sale.life for sale in one.sales] == [sale.life for sale in same.sales]
    assert one.products == same.products
    assert one.truth() != other.truth()


def test_the_numbers_asked_for_are_made_within_the_days_asked_for() -> None:
    hotmart = emulator(products=7, sales=321, days=30)
    assert (len(hotmart.products), len(hotmart.sales)) == (7, 321)
    dates = [sale.ordered_at for sale in hotmart.sales]
    assert min(dates) >= NOW.timestamp() - 30 * 86400
    assert max(dates) < NOW.timestamp()
    assert all(isinstance(date, int) for date in dates)


@pytest.mark.parametrize("seed", range(1, 6))
def test_every_state_is_there_at_the_start(seed: int) -> None:
    hotmart = emulator(seed=seed)
    found = Counter(sale.status_at(NOW.timestamp()) for sale in hotmart.sales)
    assert set(found) == set(STATES)


def test_fixed_statuses_are_dealt_out_in_turn_and_stay() -> None:
    clock = Clock(frozen=NOW)
    hotmart = emulator(sales=9, statuses=["APPROVED", "REFUNDED", "STARTED"], clock=clock)
    for _ in range(2):
        now = clock.now()
        assert Counter(sale.status_at(now) for sale in hotmart.sales) == {"APPROVED": 3, "REFUNDED": 3, "STARTED": 3}
        clock.advance(timedelta(days=365))


def test_transaction_codes_are_unique_and_look_like_hotmarts() -> None:
    codes = [sale.transaction for sale in emulator(sales=20_000).sales]
    assert len(set(codes)) == len(codes)
    assert {len(code) for code in codes if re.fullmatch(r"HP(\d{10}|\d{14})", code)} == {12, 16}
    assert all(re.fullmatch(r"HP(\d{10}|\d{14})", code) for code in codes)


def test_the_people_are_varied_and_obviously_made_up() -> None:
    people = [one for sale in emulator().sales for one in sale.participants]
    roles = Counter(one["role"] for one in people)
    assert roles["BUYER"] == roles["PRODUCER"] == 1000
    assert 60 < roles["AFFILIATE"] < 200
    assert 80 < roles["COPRODUCER"] < 220
    buyers = [one["user"] for one in people if one["role"] == "BUYER"]
    emails = {user["email"] for user in buyers if user.get("email")}
    assert all(re.fullmatch(r"[a-z0-9.]+@example\.(com|org|net)", email) for email in emails)
    assert any(user["name"] != user["name"].strip() for user in buyers)
    assert any("🎸" in user["name"] for user in buyers)
    assert any(not user.get("ucode") for user in buyers)
    assert any(not user.get("email") for user in buyers)
    assert any("phone" not in user for user in buyers)
    assert any(user.get("phone") == "" for user in buyers)
    assert any(user.get("phone", "") is None for user in buyers)


def test_no_tax_number_is_valid() -> None:
    people = [one["user"] for sale in emulator().sales for one in sale.participants if one["role"] != "PRODUCER"]
    for number in (user["documents"][0]["value"] for user in people):
        digits = [int(digit) for digit in number]
        check = sum(digit * weight for digit, weight in zip(digits, range(10, 1, -1), strict=False)) * 10 % 11 % 10
        assert len(digits) == 11
        assert digits[9] != check


def test_buyers_come_back_with_the_same_ucode_and_email() -> None:
    buyers = [sale.participants[1]["user"] for sale in emulator().sales]
    seen: dict[str, set[str]] = {}
    for user in buyers:
        if user.get("ucode"):
            seen.setdefault(user["ucode"], set()).add(user.get("email") or "")
    assert 200 < len(buyers) - len(seen) < 300
    assert all(len(emails) == 1 for emails in seen.values())


def test_two_coproducers_of_a_sale_are_two_people() -> None:
    sales = [[one for one in sale.participants if one["role"] == "COPRODUCER"] for sale in emulator().sales]
    pairs = [people for people in sales if len(people) == 2]
    assert pairs
    assert all(one["user"]["ucode"] != other["user"]["ucode"] for one, other in pairs)


def test_a_clock_runs_or_stands_and_can_be_turned() -> None:
    frozen, running = Clock(frozen=NOW), Clock()
    assert frozen.now() == frozen.now() == NOW.timestamp()
    frozen.advance(timedelta(hours=1))
    assert frozen.now() == NOW.timestamp() + 3600
    frozen.set(datetime(2026, 1, 1))  # noqa: DTZ001
    assert frozen.now() == datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert abs(running.now() - datetime.now(UTC).timestamp()) < 60
    running.set(NOW)
    assert 0 <= running.now() - NOW.timestamp() < 60


def test_a_clock_may_run_faster_and_is_set_to_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    real = NOW.timestamp()
    monkeypatch.setattr("airflow_provider_hotmart.emulator.clock.time.time", lambda: real)
    clock = Clock(speed=60)
    real += 2
    assert clock.now() == NOW.timestamp() + 120
    clock.set(NOW)
    assert clock.now() == NOW.timestamp()
    real += 1
    assert clock.now() == NOW.timestamp() + 60


def test_a_sale_knows_its_life() -> None:
    sale: Sale = emulator(sales=0).add_sale(ordered_at=100, approved_at=200)
    assert sale.life == [(100, "WAITING_PAYMENT"), (200, "APPROVED")]
    assert [sale.status_at(at) for at in (99, 100, 199, 200)] == [
        None, "WAITING_PAYMENT", "WAITING_PAYMENT", "APPROVED",
    ]  # fmt: skip
