"""The receiver outside of Airflow adds each delivery once, whatever Airflow's API does in between."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from airflow_provider_hotmart.webhooks.delivery import Delivery
from airflow_provider_hotmart.webhooks.rest import PAGE_SIZE, AirflowApiError, RestAssetEvents, password_login
from airflow_provider_hotmart.webhooks.seen import asset_uri

CONNECTION = "hotmart_default"


class Airflow:
    """As much of Airflow's API as the receiver calls, over a socket."""

    def __init__(self) -> None:
        self.assets = {1: asset_uri(CONNECTION), 2: asset_uri(CONNECTION, "PURCHASE_APPROVED")}
        self.events: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.token = "first"
        #: Status to answer with instead, by method and how many such calls are answered before.
        self.faults: dict[tuple[str, int], int] = {}
        airflow = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.do("GET")

            def do_POST(self) -> None:
                self.do("POST")

            def do(self, method: str) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
                status, content = airflow.answer(method, self.path, self.headers.get("Authorization"), body)
                sent = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

            def log_message(self, *_: Any) -> None:
                """Stay quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, method: str, target: str, authorization: str | None, body: Any) -> tuple[int, Any]:
        path, params = urlsplit(target).path, dict(parse_qsl(urlsplit(target).query))
        if path == "/auth/token":
            return (201, {"access_token": self.token}) if body["password"] == "right" else (401, {})
        self.calls.append(f"{method} {path}")
        if authorization != f"Bearer {self.token}":
            return 401, {}
        for fault, after in list(self.faults):
            if fault == method and not after:
                return self.faults.pop((fault, after)), {}
            if fault == method:
                self.faults[fault, after - 1] = self.faults.pop((fault, after))
        if path == "/api/v2/assets":
            found = [{"id": key, "uri": uri} for key, uri in self.assets.items() if params["uri_pattern"] in uri]
            return 200, {"assets": found}
        if method == "POST":
            if body["asset_id"] not in self.assets:
                return 404, {}
            self.add(body["asset_id"], body["extra"])
            return 200, self.events[-1]
        events = [event for event in reversed(self.events) if event["asset_id"] == int(params["asset_id"])]
        offset = int(params["offset"])
        return 200, {"asset_events": events[offset : offset + int(params["limit"])]}

    def add(self, asset_id: int, extra: Any) -> None:
        event = {"id": len(self.events) + 1, "asset_id": asset_id, "timestamp": datetime.now(UTC).isoformat()}
        self.events.append({**event, "extra": extra})

    def ids(self, asset_id: int) -> list[str]:
        """Of the deliveries that are events of an asset."""
        return [event["extra"]["id"] for event in self.events if event["asset_id"] == asset_id]


@pytest.fixture
def airflow() -> Iterator[Airflow]:
    made = Airflow()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def receiver(airflow: Airflow, password: str = "right") -> RestAssetEvents:
    return RestAssetEvents(airflow.url, password_login(airflow.url, "receiver", password))


def delivery(number: int, event: str = "PURCHASE_APPROVED") -> Delivery:
    return Delivery(f"{number:036}", event, transaction=f"HP{number:010}", status="APPROVED")


def test_a_delivery_becomes_an_event_of_both_assets_once(airflow: Airflow) -> None:
    events = receiver(airflow)
    assert [events.store(CONNECTION, delivery(number)) for number in (1, 2, 1)] == [True, True, False]
    assert airflow.ids(1) == airflow.ids(2) == [delivery(1).id, delivery(2).id]
    assert events.store(CONNECTION, delivery(3, "PURCHASE_DELAYED"))
    assert (len(airflow.ids(1)), len(airflow.ids(2))) == (3, 2)


def test_what_airflow_has_already_is_known_however_many_pages_it_takes(airflow: Airflow) -> None:
    for number in range(2 * PAGE_SIZE + 1):
        airflow.add(1, delivery(number).extra)
    events = receiver(airflow)
    assert [events.store(CONNECTION, delivery(number)) for number in (0, PAGE_SIZE, 2 * PAGE_SIZE)] == [False] * 3
    assert airflow.calls.count("GET /api/v2/assets/events") == 3


@pytest.mark.parametrize("posts", [0, 1])
def test_what_fails_halfway_is_made_once_when_it_comes_again(airflow: Airflow, posts: int) -> None:
    for number in range(2 * PAGE_SIZE + 1):
        airflow.add(1, delivery(number).extra)
    events = receiver(airflow)
    assert events.store(CONNECTION, delivery(1_000))
    airflow.faults["POST", posts] = 500
    with pytest.raises(AirflowApiError, match="answered 500: look into the log"):
        events.store(CONNECTION, delivery(1_001))
    airflow.calls.clear()
    assert events.store(CONNECTION, delivery(1_001))
    assert airflow.ids(1)[-2:] == airflow.ids(2) == [delivery(1_000).id, delivery(1_001).id]
    # Only what is new is read again.
    assert airflow.calls.count("GET /api/v2/assets/events") == 1


def test_a_token_that_is_no_longer_good_is_replaced(airflow: Airflow) -> None:
    events = receiver(airflow)
    events.check(CONNECTION)
    airflow.token = "second"
    assert events.store(CONNECTION, delivery(1))
    assert airflow.ids(1) == [delivery(1).id]


def test_an_asset_that_was_made_anew_is_found(airflow: Airflow) -> None:
    events = receiver(airflow)
    assert events.store(CONNECTION, delivery(1))
    airflow.assets = {number + 10: uri for number, uri in airflow.assets.items()}
    with pytest.raises(AirflowApiError, match="404: the asset is gone"):
        events.store(CONNECTION, delivery(2))
    assert events.store(CONNECTION, delivery(2))
    assert airflow.ids(11) == [delivery(2).id]


def test_what_the_one_who_runs_it_has_to_do_is_said(airflow: Airflow) -> None:
    with pytest.raises(AirflowApiError, match="check the user and password"):
        receiver(airflow, password="wrong").check(CONNECTION)
    with pytest.raises(AirflowApiError, match="Airflow has no asset hotmart://webhooks/other: name it in a DAG"):
        receiver(airflow).check("other")
    airflow.faults["GET", 0] = 403
    with pytest.raises(AirflowApiError, match="let the user read and create assets"):
        receiver(airflow).check(CONNECTION)
    url = airflow.url
    airflow.server.server_close()
    with pytest.raises(AirflowApiError, match="check --airflow-url"):
        RestAssetEvents(url, lambda: "token").check(CONNECTION)
