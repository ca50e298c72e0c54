"""The emulator pushes what becomes of sales, with Hotmart's habits, good and bad."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_hotmart.emulator import Clock, HotmartEmulator
from airflow_provider_hotmart.emulator.__main__ import connection, main, parser
from airflow_provider_hotmart.emulator.account.webhook_rows import ALL_EVENTS, EVENTS
from airflow_provider_hotmart.emulator.service.webhooks import HOTTOK, Habits
from tests.unit.emulator.support import emulator


class Ear:
    """
    A receiver that remembers what comes.

    :param statuses: of its answers, in turn; then 200
    """

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.heard: list[tuple[str, bytes, float]] = []

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, body, _ in self.heard]

    @contextmanager
    def listening(self) -> Iterator[str]:
        ear = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                ear.heard.append((self.headers["X-HOTMART-HOTTOK"], body, time.monotonic()))
                self.send_response(ear.statuses.pop(0) if ear.statuses else 200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}/hook"
            server.shutdown()


@contextmanager
def pushing(ear: Ear, sales: int = 0, habits: Habits | None = None, **arguments: Any) -> Iterator[HotmartEmulator]:
    with (
        ear.listening() as url,
        emulator(sales=sales, webhook_url=url, webhook_habits=habits, **arguments) as hotmart,
    ):
        yield hotmart


def test_each_step_in_the_life_of_a_sale_is_pushed_once() -> None:
    ear = Ear()
    with pushing(ear, sales=60, clock=Clock()) as hotmart:
        began = hotmart.clock.now()
        hotmart.clock.advance(timedelta(days=40))
        hotmart.webhooks.wait()
        expected = Counter(
            (sale.transaction, EVENTS[status])
            for sale in hotmart.sales
            for at, status in sale.life
            if status in EVENTS and began < at <= hotmart.clock.now()
        )
    assert {token for token, _, _ in ear.heard} == {HOTTOK}
    assert len(expected) > 10
    assert Counter((one["data"]["purchase"]["transaction"], one["event"]) for one in ear.bodies) == expected
    assert len({one["id"] for one in ear.bodies}) == len(ear.bodies)


def test_a_sale_that_somebody_makes_or_moves_is_pushed() -> None:
    ear = Ear()
    with pushing(ear) as hotmart:
        sale = hotmart.add_sale()
        hotmart.webhooks.wait()
        hotmart.move(sale.transaction, "REFUNDED")
        hotmart.webhooks.wait()
    assert [one["event"] for one in ear.bodies] == ["PURCHASE_APPROVED", "PURCHASE_REFUNDED"]


def test_the_button_of_the_panel_sends_a_product_without_a_number_and_the_token_in_the_body() -> None:
    ear = Ear()
    with pushing(ear) as hotmart:
        hotmart.webhooks.test(hotmart.add_sale())
        hotmart.webhooks.wait()
    sent = {one["data"]["product"]["id"] == 0: one.get("hottok") for one in ear.bodies}
    assert sent == {False: None, True: HOTTOK}


def test_a_body_names_the_affiliates_or_has_one_entry_with_nothing_in_it() -> None:
    ear = Ear()
    with pushing(ear) as hotmart:
        for affiliate in (True, False):
            hotmart.add_sale(affiliate=affiliate)
        hotmart.webhooks.wait()
    told = [one["data"]["affiliates"] for one in ear.bodies]
    assert [{"affiliate_code": "", "name": ""}] in told
    assert any(one["affiliate_code"] and one["name"] for affiliates in told for one in affiliates)


def test_deliveries_come_twice_late_for_each_role_and_beside_what_is_not_genuine() -> None:
    ear = Ear()
    habits = Habits(duplicates=0.5, roles=1.0, late=0.5, late_by=0.3, wrong_tokens=0.5, broken=0.5)
    with pushing(ear, habits=habits) as hotmart:
        for _ in range(20):
            hotmart.add_sale(affiliate=True)
        hotmart.webhooks.wait()
        sent = hotmart.webhooks.deliveries
    genuine = [one for one in sent if one.is_genuine]
    ids = Counter(one.body["id"] for one in genuine)
    assert set(ids.values()) == {1, 2}
    assert len(ids) == 40  # a copy for the producer, and one for the affiliate
    assert {token for token, _, _ in ear.heard} == {HOTTOK, "wrong"}
    assert len(ear.heard) == len(sent) > len(genuine)
    in_order = [json.loads(body)["id"] for token, body, _ in ear.heard if token == HOTTOK and body.endswith(b"}}")]
    assert in_order != sorted(in_order, key=list(ids).index)


def test_a_failing_delivery_is_tried_again_with_growing_pauses() -> None:
    ear = Ear(500, 503)
    with pushing(ear, habits=Habits(retry_after=0.2)) as hotmart:
        hotmart.add_sale()
        hotmart.webhooks.wait()
        [delivery] = hotmart.webhooks.deliveries
    assert delivery.statuses == [500, 503, 200]
    first, second, third = (moment for _, _, moment in ear.heard)
    assert second - first >= 0.2
    assert third - second >= 0.4


def test_what_keeps_failing_is_switched_off_until_somebody_switches_it_on() -> None:
    ear = Ear(*[404] * 6)
    with pushing(ear, habits=Habits(attempts=2, retry_after=0.01, switch_off_after=3)) as hotmart:
        for _ in range(3):
            hotmart.add_sale()
            hotmart.webhooks.wait()
        assert not hotmart.webhooks.is_active
        lost = hotmart.add_sale()
        hotmart.webhooks.wait()
        hotmart.webhooks.activate()
        hotmart.webhooks.resend(hotmart.webhooks.deliveries[0])
        hotmart.webhooks.wait()
    assert len(ear.heard) == 7
    assert lost.transaction not in {one["data"]["purchase"]["transaction"] for one in ear.bodies}


def test_nobody_at_the_address_is_a_failure_like_any_other() -> None:
    with emulator(sales=0, webhook_url="http://127.0.0.1:1/", webhook_habits=Habits(attempts=1)) as hotmart:
        hotmart.add_sale()
        hotmart.webhooks.wait()
        assert hotmart.webhooks.deliveries[0].statuses == [-1]


def test_webhooks_are_sent_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    ear = Ear()
    with pushing(ear, sales=5) as hotmart:
        transaction = hotmart.sales[-1].transaction
        for event in (*ALL_EVENTS, "TEST"):
            assert main(["webhook", event, "--transaction", transaction, "--url", hotmart.url]) == 0
        assert main(["webhook", "TEST", "--transaction", "HP0", "--url", hotmart.url]) == 1
        hotmart.webhooks.wait()
        printed = capsys.readouterr().out.split()
        assert json.loads(connection(hotmart))["extra"]["hottok"] == HOTTOK
    assert sorted(one["id"] for one in ear.bodies) == sorted(printed)
    assert Counter(one["event"] for one in ear.bodies) == Counter([*ALL_EVENTS, "PURCHASE_APPROVED"])
    assert [one["data"]["product"]["id"] for one in ear.bodies if one["data"].get("product")].count(0) == 1


def test_an_emulator_that_pushes_nowhere_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with emulator(sales=1) as hotmart:
        assert main(["webhook", "TEST", "--url", hotmart.url]) == 1
    assert "--webhook-url" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["nothing=1", "late=often", "attempts=-1", "attempts=1.5", "late"])
def test_a_habit_that_does_not_exist_is_refused(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["--webhook", wrong])
    assert wrong.partition("=")[0] in capsys.readouterr().err
