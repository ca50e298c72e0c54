"""The budget of calls, and the log of calls."""

from __future__ import annotations

import concurrent.futures

import requests

from airflow_provider_hotmart.emulator import HotmartEmulator, Quirks
from tests.unit.emulator.support import NOW, PRODUCTS, SALES, Client, emulator, everything

BUDGET = [
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "X-RateLimit-Limit-Minute",
    "X-RateLimit-Remaining-Minute",
]


def budget(answer: requests.Response) -> list[str | None]:
    return [answer.headers.get(name) for name in BUDGET]


def test_the_budget_of_calls_is_told_and_kept() -> None:
    with emulator(rate_limit=3) as hotmart:
        client = Client(hotmart)
        with client.http:
            answers = [client.get(), client.get(PRODUCTS), client.get(colour=1), client.get()]
            assert [answer.status_code for answer in answers] == [200, 200, 400, 429]
            assert budget(answers[0]) == ["3", "2", "40", "3", "2"]
            assert budget(answers[2]) == budget(answers[3]) == ["3", "0", "40", "3", "0"]
            assert answers[3].json()["error"] == "too_many_requests"
            assert "Retry-After" not in answers[3].headers
            hotmart.clock.advance(39)
            assert client.get().status_code == 429
            hotmart.clock.advance(1)
            assert client.get().status_code == 200


def test_a_sliding_budget_refills_call_by_call() -> None:
    with emulator(rate_limit=2, quirks=Quirks(rate_window="sliding")) as hotmart:
        client = Client(hotmart)
        with client.http:
            assert client.get().status_code == 200
            hotmart.clock.advance(50)
            assert client.get().status_code == 200
            refused = client.get()
            assert (refused.status_code, refused.headers["RateLimit-Reset"]) == (429, "10")
            hotmart.clock.advance(10)
            assert [client.get().status_code for _ in range(2)] == [200, 429]


def test_the_headers_of_the_budget_may_be_missing() -> None:
    with emulator(rate_limit=1, quirks=Quirks(rate_headers="none")) as hotmart:
        client = Client(hotmart)
        with client.http:
            answers = [client.get(), client.get()]
            assert [budget(answer) for answer in answers] == [[None] * 5] * 2
            assert "Retry-After" not in answers[1].headers
            hotmart.quirks.rate_headers = "retry_after"
            refused = client.get()
            assert (refused.status_code, refused.headers["Retry-After"]) == (429, "40")
            assert budget(refused) == [None] * 5


def test_calls_of_a_future_that_was_turned_back_do_not_count() -> None:
    with emulator(rate_limit=1, quirks=Quirks(rate_window="sliding")) as hotmart:
        client = Client(hotmart)
        with client.http:
            assert client.get().status_code == 200
            hotmart.clock.advance(-3600)
            assert client.get().status_code == 200


def test_a_token_costs_nothing_of_the_budget() -> None:
    with emulator(rate_limit=1) as hotmart:
        client = Client(hotmart)
        with client.http:
            client.log_in()
            assert client.get().status_code == 200


def test_calls_are_remembered(client: Client, hotmart: HotmartEmulator) -> None:
    client.get(transaction_status=["APPROVED", "COMPLETE"], max_results=3, headers={"X-Trace": "1"})
    client.get(colour=1)
    first, second = hotmart.calls
    assert (first.method, first.path, first.status, first.items, first.page) == ("GET", SALES, 200, 3, 1)
    assert first.params == {"transaction_status": ["APPROVED", "COMPLETE"], "max_results": ["3"]}
    assert first.headers["x-trace"] == "1"
    assert first.headers.get("Cookie") is None
    assert first.at == NOW.timestamp()
    assert first.fault is None
    assert second.status == 400
    assert [call.status for call in hotmart.calls[1:]] == [400]
    hotmart.calls.clear()
    assert hotmart.calls == []


def test_many_clients_are_answered_at_once(client: Client, hotmart: HotmartEmulator) -> None:
    expected = client.transactions(**everything())

    def listing(_: int) -> list[str]:
        with requests.Session() as http:
            mine = Client.__new__(Client)
            mine.hotmart, mine.http, mine.token, mine.params = hotmart, http, client.token, {}
            return mine.transactions(**everything(max_results=100))

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        assert all(found == expected for found in pool.map(listing, range(64)))


def test_the_work_on_answers_is_measured(client: Client, hotmart: HotmartEmulator) -> None:
    before = hotmart.server_seconds
    client.items(**everything())
    assert before < hotmart.server_seconds < before + 5
