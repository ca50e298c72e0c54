"""What Hotmart pushes is read in all its spellings, and nobody's data comes through."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from airflow_provider_hotmart.api.enums import SaleStatus
from airflow_provider_hotmart.emulator import HotmartEmulator
from airflow_provider_hotmart.emulator.account.webhook_rows import ALL_EVENTS, trial, webhook
from airflow_provider_hotmart.webhooks.delivery import Delivery, UnreadableError, keys

AT = 1767225609.123
ENVELOPE: dict[str, Any] = {
    "id": "00000000-0000-4000-8000-0000000000aa",
    "creation_date": 1767225609123,
    "event": "PURCHASE_APPROVED",
    "version": "2.0.0",
    "data": {
        "product": {"id": 4060001},
        "buyer": {"name": "Maria Exemplo", "email": "buyer@example.com"},
        "purchase": {"transaction": "HP2890000001", "status": "APPROVED", "recurrence_number": 2},
    },
}


def read(**changes: Any) -> Delivery:
    return Delivery.read(json.dumps(ENVELOPE | changes).encode())


def purchase(**changes: Any) -> dict[str, Any]:
    return {"data": {"product": {"id": 4060001}, "purchase": ENVELOPE["data"]["purchase"] | changes}}


def test_an_approved_purchase_is_told_in_the_words_of_the_rest_of_the_api() -> None:
    assert read().extra == {
        "id": "00000000-0000-4000-8000-0000000000aa",
        "event": "PURCHASE_APPROVED",
        "transaction": "HP2890000001",
        "product_id": 4060001,
        "status": "APPROVED",
        "occurred_at": "2026-01-01T00:00:09.123+00:00",
        "recurrence_number": 2,
    }


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("COMPLETED", "COMPLETE"),
        ("CANCELED", "CANCELLED"),
        ("DISPUTE", "PROTESTED"),
        ("DELAYED", "OVERDUE"),
        ("BILLET_PRINTED", "WAITING_PAYMENT"),
        ("REFUNDED", "REFUNDED"),
        ("SOMETHING_NEW", "SOMETHING_NEW"),
    ],
)
def test_words_of_webhooks_become_those_of_the_api(word: str, status: str) -> None:
    assert read(**purchase(status=word)).status == status


def test_a_boleto_and_a_pix_are_told_apart_and_both_are_known_under_either_word() -> None:
    boleto = read(event="PURCHASE_BILLET_PRINTED", **purchase(status="BILLET_PRINTED", payment={"type": "BILLET"}))
    pix = read(event="PURCHASE_BILLET_PRINTED", **purchase(status="BILLET_PRINTED", payment={"type": "PIX"}))
    assert (boleto.status, pix.status) == ("PRINTED_BILLET", "WAITING_PAYMENT")
    assert sorted(boleto.states) == sorted(pix.states)
    assert {status for _, status in pix.states} == {"PRINTED_BILLET", "WAITING_PAYMENT"}


def test_every_event_of_the_emulator_is_read_and_nothing_personal_comes_through() -> None:
    with HotmartEmulator(products=6, sales=60, days=20) as hotmart:
        for sale in hotmart.sales:
            people = [value for person in sale.participants for value in person["user"].values() if value]
            words = {value for value in people if isinstance(value, str) and len(value) > 5}
            for event in ALL_EVENTS:
                body = webhook(event, sale, AT)
                delivery = Delivery.read(json.dumps(body).encode())
                assert (delivery.id, delivery.event) == (body["id"], event)
                assert delivery.product_id in (sale.product_id, None)
                assert delivery.occurred_at == "2026-01-01T00:00:09.123+00:00"
                if "purchase" in body["data"]:
                    assert delivery.transaction == sale.transaction
                    assert delivery.status in set(SaleStatus)
                assert not any(word in json.dumps(delivery.extra, ensure_ascii=False) for word in words)


def test_the_date_of_a_first_access_has_another_name() -> None:
    with HotmartEmulator(products=6, sales=1, days=20) as hotmart:
        body = webhook("CLUB_FIRST_ACCESS", hotmart.sales[0], AT)
    assert "creation_date" not in body
    assert Delivery.read(json.dumps(body).encode()).occurred_at is not None


def test_a_second_delivery_is_known_by_its_id_or_by_what_became_of_the_sale() -> None:
    first = set(keys(read().extra))
    assert first & set(keys(read(event="PURCHASE_COMPLETE", **purchase(status="COMPLETED")).extra))  # the same id
    other_id = {"id": "00000000-0000-4000-8000-0000000000bb"}
    assert first & set(keys(read(**other_id).extra))
    for change in (
        purchase(recurrence_number=3),
        purchase(transaction="HP2890000002"),
        {"event": "PURCHASE_REFUNDED", **purchase(status="REFUNDED")},
    ):
        assert not first & set(keys(read(**other_id, **change).extra))


def test_each_press_of_the_panels_button_is_news() -> None:
    with HotmartEmulator(products=6, sales=1, days=20) as hotmart:
        one, two = (Delivery.read(json.dumps(trial(hotmart.sales[0], AT, n, "token")).encode()) for n in (1, 2))
    assert one.is_test
    assert one.transaction == two.transaction
    assert not set(keys(one.extra)) & set(keys(two.extra))
    assert one.states == []


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "Maria Exemplo <buyer@example.com>", "event": "buyer@example.com", "creation_date": "Maria"},
        {"id": None, "event": None, "creation_date": 1e300},
        {"id": ["Maria"], "event": {"Maria": 1}, "creation_date": True},
        {"data": {"product": {"id": "Maria"}, "purchase": {"transaction": "Maria Exemplo", "status": "Maria"}}},
        {"data": {"product": ["Maria"], "purchase": "Maria"}},
        {"data": "Maria"},
        {"data": {"product": {"id": 10**30}, "purchase": {"recurrence_number": 1.5, "status": None}}},
    ],
)
def test_what_stands_in_the_place_of_a_name_does_not_come_through(changes: dict[str, Any]) -> None:
    delivery = read(**changes)
    assert not re.search("maria|@", json.dumps(delivery.extra), re.IGNORECASE)
    assert delivery.id
    assert re.fullmatch(r"\w+", delivery.event)


def test_a_name_with_half_of_a_surrogate_pair_is_no_reason_to_refuse() -> None:
    body = json.dumps(ENVELOPE).replace("Maria", "Maria\\ud83d").encode()
    assert Delivery.read(body).transaction == "HP2890000001"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b"hottok=secret&event=PURCHASE_APPROVED",
        json.dumps(ENVELOPE | {"version": "1.0.0"}).encode(),
        json.dumps({"event": "PURCHASE_APPROVED"}).encode(),
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_webhook_of_version_2_is_refused_without_a_word_of_it(body: bytes) -> None:
    with pytest.raises(UnreadableError) as refusal:
        Delivery.read(body)
    assert "secret" not in str(refusal.value)
