"""One call to Hotmart: token, call budget, repetitions, and an end, over real sockets."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_hotmart.api.client import HotmartClient, Session
from airflow_provider_hotmart.api.clock import SYSTEM_CLOCK
from airflow_provider_hotmart.api.config import HotmartConfig
from airflow_provider_hotmart.api.errors import (
    HotmartAuthError,
    HotmartConfigError,
    HotmartError,
    HotmartInvalidRequestError,
    HotmartNotFoundError,
    HotmartNotJsonError,
    HotmartPermissionError,
    HotmartRateLimitError,
    HotmartResponseError,
    HotmartServerError,
    HotmartStoppedError,
    HotmartTransportError,
)
from airflow_provider_hotmart.emulator import Fault, HotmartEmulator, Quirks
from airflow_provider_hotmart.emulator.service.answers import Answer
from airflow_provider_hotmart.emulator.service.calls import Call
from airflow_provider_hotmart.emulator.service.server import Reply
from tests.integration.support import PRODUCTS, SALES, account, client_of, config_for
from tests.support import FakeClock, fetching_threads, serving, until

TOKEN_PATH = "/security/oauth/token"
CLUB = "/club/api/v2/modules"


@pytest.fixture
def hotmart() -> Iterator[HotmartEmulator]:
    with account(20) as one:
        yield one


@pytest.fixture
def client(hotmart: HotmartEmulator) -> Iterator[HotmartClient]:
    with client_of(hotmart, time=FakeClock()) as one:  # type: ignore[arg-type]
        yield one


@contextmanager
def scripted(*answers: Answer, **config: Any) -> Iterator[tuple[HotmartClient, list[Call]]]:
    """
    A client of a server that hands out tokens, and gives these answers, the last for all calls that follow.

    :return: the client, and the calls so far, without those for tokens.
    """
    calls: list[Call] = []

    def reply(call: Call) -> Reply:
        if call.path == TOKEN_PATH:
            return Reply(Answer(200, b'{"access_token":"t0ken","expires_in":3600}'))
        calls.append(call)
        answer = answers[min(len(calls), len(answers)) - 1]
        return Reply(replace(answer, headers=dict(answer.headers)))

    with serving(reply) as url:
        made = HotmartConfig("client", "s3cret", base_url=url, token_url=url + TOKEN_PATH, **config)
        client = HotmartClient(made, clock=FakeClock())
        try:
            yield client, calls
        finally:
            client.close()


def products(client: HotmartClient) -> list[dict[str, Any]]:
    """One page of products."""
    found: list[dict[str, Any]] = client.get(PRODUCTS)["items"]
    return found


class TestGet:
    def test_a_path_that_nobody_has_declared_gets_token_and_query_and_gives_the_decoded_body(self) -> None:
        with scripted(Answer(200, '{"modules":[{"name":"João"}]}'.encode())) as (client, calls):
            params = {"subdomain": "acme & co", "is_extra": True, "page": 2, "nothing": None, "id": ["a", "b"]}
            body = client.get(CLUB, params)
        assert body == {"modules": [{"name": "João"}]}
        [call] = calls
        assert (call.method, call.path) == ("GET", CLUB)
        assert call.params == {"subdomain": ["acme & co"], "is_extra": ["true"], "page": ["2"], "id": ["a", "b"]}
        assert call.headers["Authorization"] == "Bearer t0ken"

    @pytest.mark.parametrize("path", ["user/api/v1/me", "//user/api/v1/me", "@elsewhere.example/me", ".example/me"])
    def test_no_path_leads_to_another_host(self, path: str) -> None:
        with scripted(Answer(200, b"{}")) as (client, calls):
            client.get(path)
        assert [call.path for call in calls] == ["/" + path.lstrip("/")]

    @pytest.mark.parametrize("mark", ["?", "#"])
    def test_a_query_in_the_path_would_show_in_errors_and_is_refused_unseen(self, mark: str) -> None:
        with scripted() as (client, calls), pytest.raises(HotmartInvalidRequestError, match="params") as caught:
            client.get(f"/user/api/v1/me{mark}email=maria@example.com")
        assert "maria" not in str(caught.value)
        assert not calls

    def test_a_body_may_be_an_array(self) -> None:
        with scripted(Answer(200, b"[1,2]")) as (client, _):
            assert client.get(CLUB) == [1, 2]

    def test_it_is_repeated_after_passing_failures(self) -> None:
        failures = [Answer(503), Answer(200, b"<html>"), Answer(200), Answer(200, b'{"cut":')]
        with scripted(*failures, Answer(200, b"{}")) as (client, calls):
            assert client.get(CLUB) == {}
        assert len(calls) == 5

    def test_repetitions_are_counted_together_whatever_failed(self) -> None:
        failures = [Answer(503), Answer(200, b'{"cut":'), Answer(503), Answer(200, b'{"cut":')]
        with scripted(*failures, max_retries=2) as (client, calls), pytest.raises(HotmartServerError):
            client.get(CLUB)
        assert len(calls) == 3

    def test_it_waits_its_turn_in_the_call_budget(self) -> None:
        with scripted(Answer(200, b"{}"), calls_per_minute=30) as (client, calls):
            for _ in range(3):
                client.get(CLUB)
            assert client.clock.monotonic() >= 4
        assert len(calls) == 3

    @pytest.mark.parametrize(
        ("answer", "kind", "told"),
        [
            (Answer(404, b'{"code":"0006","message":"Subdomain acme does not exist"}'), HotmartNotFoundError, "0006"),
            (Answer(422, b'{"error":"invalid"}'), HotmartInvalidRequestError, "HTTP 422"),
            (Answer(403), HotmartPermissionError, "no right"),
            (Answer(500, b'{"reason":"x"}'), HotmartServerError, "HTTP 500"),
        ],
    )
    def test_errors_are_typed(self, answer: Answer, kind: type[HotmartError], told: str) -> None:
        with scripted(answer) as (client, _), pytest.raises(kind, match=told) as caught:
            client.get(CLUB)
        assert caught.value.path == CLUB

    def test_an_unknown_path_of_the_emulator_is_not_found(self, client: HotmartClient) -> None:
        with pytest.raises(HotmartNotFoundError):
            client.get("/nothing/api/v1/here")

    @pytest.mark.parametrize("path", ["/payments/api/v1/sales/history", "/user/api/v1/me", "/me"])
    def test_the_query_does_not_show_in_errors_and_logs(self, path: str, caplog: pytest.LogCaptureFixture) -> None:
        echo = b'{"error":"invalid_parameter","error_description":"no such buyer: mar**@example.com"}'
        caplog.set_level("DEBUG")
        refused = pytest.raises(HotmartInvalidRequestError)
        with scripted(Answer(503), Answer(400, echo)) as (client, _), refused as caught:
            client.get(path, {"buyer_email": "maria@example.com"})
        told = str(caught.value) + caplog.text
        assert "invalid_parameter" in told
        assert "mar" not in told.replace("Hotmart", "").replace("hotmart", "")

    def test_without_a_query_hotmarts_description_is_shown(self) -> None:
        refused = pytest.raises(HotmartInvalidRequestError, match="No start")
        with scripted(Answer(400, b'{"error":"invalid_parameter","message":"No start"}')) as (client, _), refused:
            client.get(CLUB)

    def test_calls_follow_each_other_on_one_connection_and_go_on_after_a_close(self, client: HotmartClient) -> None:
        assert products(client) == products(client) != []
        client.close()
        assert products(client) != []


class TestToken:
    def test_each_token_is_made_known_before_it_is_first_used(self, hotmart: HotmartEmulator) -> None:
        known: list[tuple[str, int]] = []
        client = HotmartClient(
            config_for(hotmart), clock=FakeClock(), on_secret=lambda token: known.append((token, len(hotmart.calls)))
        )
        products(client)
        hotmart.expire_tokens()
        products(client)
        client.close()
        sent = [call.headers["Authorization"].partition(" ")[2] for call in hotmart.calls]
        for token in sent:
            assert (token, sent.index(token)) in [(one, calls) for one, calls in known if calls <= sent.index(token)]
        assert len(set(sent)) == 2

    def test_a_token_that_was_accepted_and_then_refused_is_replaced_at_once(
        self, hotmart: HotmartEmulator, client: HotmartClient
    ) -> None:
        products(client)
        hotmart.expire_tokens()
        before = client.clock.monotonic()
        assert products(client) == hotmart.products
        assert client.clock.monotonic() - before < 0.5
        assert [call.status for call in hotmart.calls] == [200, 401, 200]

    def test_new_tokens_that_are_refused_too_are_replaced_within_the_retries(self, hotmart: HotmartEmulator) -> None:
        with client_of(hotmart, max_retries=2) as client:
            hotmart.faults.add(Fault.invalid_token(), path=PRODUCTS, times=3)
            assert products(client) == hotmart.products
        assert len(hotmart.token_calls) == 4
        assert len({call.headers["Authorization"] for call in hotmart.calls}) == 4

    def test_tokens_that_are_refused_for_ever_are_an_authentication_error(self, hotmart: HotmartEmulator) -> None:
        with client_of(hotmart, max_retries=2) as client:
            hotmart.faults.add(Fault.invalid_token(), path=PRODUCTS, times=None)
            with pytest.raises(HotmartAuthError, match="nor new ones") as caught:
                products(client)
        assert caught.value.permanent
        assert len(hotmart.calls) == 4

    def test_two_tasks_of_one_credential_do_not_fail_each_other_where_only_the_newest_token_lives(
        self, hotmart: HotmartEmulator
    ) -> None:
        hotmart.quirks = Quirks(only_newest_token=True)
        # Clocks of their own keep them apart, as processes do.
        with client_of(hotmart) as one, client_of(hotmart) as other:
            for _ in range(4):
                assert products(one) == products(other) == hotmart.products
        assert [call.status for call in hotmart.calls].count(401) == 6

    def test_a_task_goes_on_that_loses_its_token_again_just_after_it_was_renewed(
        self, hotmart: HotmartEmulator
    ) -> None:
        hotmart.quirks = Quirks(only_newest_token=True)
        with client_of(hotmart) as one, client_of(hotmart) as other:
            products(one)
            stolen = 0

            def steal(call: Call) -> None:
                nonlocal stolen
                # The other one asks for a token each time that the first has got its own, three times over.
                if call.path == PRODUCTS and call.status == 401 and stolen < 3:
                    stolen += 1
                    thieves.append(pool.submit(log_in, other))

            thieves: list[Any] = []
            with ThreadPoolExecutor(1) as pool:
                log_in(other)
                hotmart.after_call = steal
                assert products(one) == hotmart.products
                for thief in thieves:
                    thief.result(20)

    def test_a_refusal_of_the_right_to_something_is_not_one_of_the_token(self, hotmart: HotmartEmulator) -> None:
        hotmart.quirks = Quirks(no_permission_status=401)
        hotmart.permission = False
        with client_of(hotmart) as client, pytest.raises(HotmartPermissionError):
            products(client)
        assert (len(hotmart.calls), len(hotmart.token_calls)) == (1, 1)

    @pytest.mark.parametrize("status", [400, 401, 403])
    def test_a_credential_that_is_refused_fails_at_once(self, hotmart: HotmartEmulator, status: int) -> None:
        hotmart.faults.add(Fault.status(status), path=TOKEN_PATH, times=None)
        with client_of(hotmart) as client, pytest.raises(HotmartAuthError, match="copy both again"):
            products(client)
        assert len(hotmart.token_calls) == 1

    @pytest.mark.parametrize(
        "body", [b'{"access_token":7}', b'{"access_token":"a b"}', b'{"access_token":"\xc3\xa9"}', b"{}"]
    )
    def test_a_token_that_fits_in_no_header_is_an_error_that_does_not_show_it(
        self, hotmart: HotmartEmulator, body: bytes
    ) -> None:
        hotmart.faults.add(Fault.body(body), path=TOKEN_PATH)
        with client_of(hotmart) as client, pytest.raises(HotmartResponseError, match="usable access_token"):
            products(client)

    def test_a_token_host_that_sends_no_object_is_asked_again(self, hotmart: HotmartEmulator) -> None:
        hotmart.faults.add(Fault.not_object(), path=TOKEN_PATH)
        with client_of(hotmart) as client:
            assert products(client) == hotmart.products

    @pytest.mark.parametrize(
        "lifetime",
        [b"", b',"expires_in":null', b',"expires_in":true', b',"expires_in":-1', b',"expires_in":' + b"9" * 400],
        ids=lambda lifetime: lifetime.decode()[:20],
    )
    def test_a_token_of_untold_life_is_used_for_a_while(self, hotmart: HotmartEmulator, lifetime: bytes) -> None:
        hotmart.faults.add(Fault.body(b'{"access_token":"x"' + lifetime + b"}"), path=TOKEN_PATH)
        with client_of(hotmart) as client:
            assert products(client) == hotmart.products
        assert [call.status for call in hotmart.calls] == [401, 200]


def log_in(client: HotmartClient) -> None:
    """Get a new token."""
    with client.session() as session:
        session.log_in(anew=True)


class TestAnswers:
    @pytest.mark.parametrize("status", [200, 202, 403, 405, 406, 429, 503])
    @pytest.mark.parametrize("path", [PRODUCTS, TOKEN_PATH])
    def test_a_firewalls_page_passes_whatever_its_status(
        self, hotmart: HotmartEmulator, client: HotmartClient, status: int, path: str
    ) -> None:
        hotmart.faults.add(Fault.status(status, "html"), path=path, times=2)
        assert products(client) == hotmart.products
        assert len(hotmart.calls) + len(hotmart.token_calls) == 4

    @pytest.mark.parametrize("path", [PRODUCTS, TOKEN_PATH])
    def test_a_firewalls_page_that_stays_does_not_tell_to_change_the_credential(
        self, hotmart: HotmartEmulator, client: HotmartClient, path: str
    ) -> None:
        hotmart.faults.add(Fault.status(403, "html"), path=path, times=None)
        with pytest.raises(HotmartNotJsonError, match="HTML page") as caught:
            products(client)
        assert not caught.value.permanent
        assert "redential" not in str(caught.value)

    @pytest.mark.parametrize("status", [201, 202, 204, 206])
    @pytest.mark.parametrize("body", ["json", "empty"])
    def test_a_success_that_is_not_documented_is_an_error(
        self, hotmart: HotmartEmulator, client: HotmartClient, status: int, body: str
    ) -> None:
        hotmart.faults.add(Fault.status(status, body), path=PRODUCTS)
        with pytest.raises(HotmartResponseError, match="does not document") as caught:
            products(client)
        assert caught.value.status == status

    def test_a_gzip_bomb_is_an_error(self, hotmart: HotmartEmulator, client: HotmartClient) -> None:
        hotmart.faults.add(Fault.gzip_bomb(), path=PRODUCTS)
        with pytest.raises(HotmartResponseError, match="longer than"):
            products(client)

    def test_the_call_limit_is_waited_for_and_the_others_wait_too(
        self, hotmart: HotmartEmulator, client: HotmartClient
    ) -> None:
        hotmart.faults.add(Fault.status(429, headers={"Retry-After": "50"}), path=PRODUCTS)
        assert products(client) == hotmart.products
        assert 50 <= client.clock.monotonic() <= 53

    def test_the_call_limit_is_not_waited_for_longer_than_allowed(self, hotmart: HotmartEmulator) -> None:
        hotmart.faults.add(Fault.status(429, headers={"Retry-After": "200"}), path=PRODUCTS)
        with client_of(hotmart) as client, pytest.raises(HotmartRateLimitError, match="raise max_rate_limit_wait"):
            products(client)

    def test_a_502_about_what_can_be_narrowed_is_not_repeated(
        self, hotmart: HotmartEmulator, client: HotmartClient
    ) -> None:
        with client.session() as session:
            for can_narrow, calls in ((True, 1), (False, 2)):
                hotmart.calls.clear()
                hotmart.faults.clear()
                hotmart.faults.add(Fault.status(502, "html"), path=PRODUCTS)
                call = session.call(PRODUCTS, {}, can_narrow=can_narrow)
                if can_narrow:
                    with pytest.raises(HotmartServerError):
                        session.get(call)
                else:
                    assert len(session.get(call).rows) == 20
                assert len(hotmart.calls) == calls

    @pytest.mark.parametrize("fault", [Fault.reset(), Fault.cut_short(), Fault.truncated_json()], ids=lambda f: f.name)
    def test_an_answer_that_is_cut_off_is_asked_for_again(
        self, hotmart: HotmartEmulator, client: HotmartClient, fault: Fault
    ) -> None:
        hotmart.faults.add(fault, path=PRODUCTS, times=2)
        assert products(client) == hotmart.products

    def test_every_call_is_counted_repeated_ones_included(
        self, hotmart: HotmartEmulator, client: HotmartClient
    ) -> None:
        hotmart.faults.add(Fault.status(503), path=PRODUCTS, times=2)
        with client.session() as session:
            session.get(session.call(PRODUCTS, {}))
            assert session.calls == len(hotmart.calls) == 3


class TestCheck:
    def test_it_gets_a_new_token_and_reads_one_product(self, hotmart: HotmartEmulator, client: HotmartClient) -> None:
        assert client.check()
        assert client.check()
        assert [call.params for call in hotmart.calls] == [{"max_results": ["1"]}] * 2
        assert len({call.headers["Authorization"] for call in hotmart.calls}) == 2

    def test_it_says_whether_there_is_a_product(self) -> None:
        with account(0, products=0) as empty, client_of(empty) as client:
            assert not client.check()

    def test_it_does_not_try_for_minutes(self, hotmart: HotmartEmulator, client: HotmartClient) -> None:
        hotmart.faults.add(Fault.status(503), path=PRODUCTS, times=None)
        with pytest.raises(HotmartServerError):
            client.check()
        assert len(hotmart.calls) == 2


class TestStop:
    """What ends a listing whose task was stopped: at once, with no thread left."""

    def test_threads_only_fetch_and_none_is_left_when_a_session_ends(
        self, hotmart: HotmartEmulator, client: HotmartClient
    ) -> None:
        before = threading.active_count()
        with client.session() as session:
            calls = [session.call(PRODUCTS, {}) for _ in range(9)]
            bodies = [(call, session.submit(call)) for call in calls]
            assert [len(session.read(call, body.result(20)).rows) for call, body in bodies] == [20] * 9
            assert fetching_threads()
        assert not fetching_threads()
        hotmart.stop()
        until(lambda: threading.active_count() <= before)

    @pytest.mark.parametrize("max_retries", [0, 5])
    def test_calls_under_way_are_broken_off(self, hotmart: HotmartEmulator, max_retries: int) -> None:
        hotmart.faults.add(Fault.stall(60), path=PRODUCTS, times=None)
        with client_of(hotmart, max_retries=max_retries) as client, client.session() as session:
            bodies = [session.submit(session.call(PRODUCTS, {})) for _ in range(20)]
            until(lambda: len(hotmart.calls) == session.width)
            began = time.monotonic()
            session.stop()
            for body in bodies[: session.width]:
                assert isinstance(body.exception(20), HotmartStoppedError)
        assert time.monotonic() - began < 15
        assert len(hotmart.calls) == session.width

    def test_closing_a_session_ends_what_is_under_way_too(
        self, hotmart: HotmartEmulator, client: HotmartClient
    ) -> None:
        hotmart.faults.add(Fault.stall(60), path=PRODUCTS, times=None)
        session = client.session()
        bodies = [session.submit(session.call(PRODUCTS, {})) for _ in range(20)]
        until(lambda: len(hotmart.calls) == session.width)
        began = time.monotonic()
        session.close()
        assert time.monotonic() - began < 15
        assert all(body.done() for body in bodies)
        assert not fetching_threads()

    @pytest.mark.parametrize("wait", ["budget", "failure", "limit", "token"])
    def test_waits_are_woken(self, hotmart: HotmartEmulator, wait: str) -> None:
        with client_of(hotmart, time=SYSTEM_CLOCK) as client, client.session() as session:  # type: ignore[arg-type]
            log_in(client)
            if wait == "budget":
                client.budget.block(60)
            elif wait == "failure":
                hotmart.faults.add(Fault.status(503), path=PRODUCTS, times=None)
            elif wait == "limit":
                hotmart.faults.add(Fault.status(429, headers={"Retry-After": "60"}), path=PRODUCTS, times=None)
            else:
                hotmart.expire_tokens()
                hotmart.faults.add(Fault.stall(60), path=TOKEN_PATH, times=None)
            bodies = [session.submit(session.call(PRODUCTS, {})) for _ in range(3)]
            time.sleep(0.3)
            began = time.monotonic()
            session.stop()
            assert all(isinstance(body.exception(20), HotmartStoppedError) for body in bodies)
            assert time.monotonic() - began < 15

    def test_nothing_is_sent_after_a_stop(self, hotmart: HotmartEmulator, client: HotmartClient) -> None:
        with client.session() as session:
            session.stop()
            for use in (session.fetch, session.get, lambda call: session.submit(call).result(20)):
                with pytest.raises(HotmartStoppedError):
                    use(session.call(PRODUCTS, {}))
        assert len(hotmart.calls) == 0

    def test_one_session_is_stopped_and_the_others_go_on(self, hotmart: HotmartEmulator, client: HotmartClient) -> None:
        with client.session() as one, client.session() as other:
            one.stop()
            assert len(other.get(other.call(PRODUCTS, {})).rows) == 20
        assert products(client) == hotmart.products

    def test_closing_twice_does_no_harm(self, client: HotmartClient) -> None:
        session = client.session()
        session.close()
        session.close()


class TestFailures:
    @pytest.mark.parametrize(
        ("base_url", "kind", "told"),
        [
            ("https://a..b", HotmartConfigError, "is no address"),
            ("https://hotmart.invalid", HotmartTransportError, "is not known to the network"),
            ("http://127.0.0.1:1", HotmartTransportError, "Connection to 127.0.0.1:1 refused"),
        ],
    )
    def test_a_host_that_is_not_there_is_a_typed_error_and_an_address_that_is_none_not_tried_again(
        self, hotmart: HotmartEmulator, base_url: str, kind: type[HotmartError], told: str
    ) -> None:
        with client_of(hotmart, base_url=base_url, max_retries=1) as client:
            before = client.budget.left
            with pytest.raises(kind, match=told):
                client.get(SALES)
            assert before - client.budget.left == (1 if kind is HotmartConfigError else 2)

    def test_a_token_host_that_is_not_there_is_one_too(self, hotmart: HotmartEmulator) -> None:
        refused = pytest.raises(HotmartTransportError, match=r"Connection to 127\.0\.0\.1:1 refused")
        with client_of(hotmart, token_url="http://127.0.0.1:1/token", max_retries=1) as client, refused as caught:
            client.get(SALES)
        assert caught.value.path == "/token"


def test_sessions_of_one_client_share_budget_and_token(hotmart: HotmartEmulator, client: HotmartClient) -> None:
    sessions: list[Session] = [client.session() for _ in range(3)]
    for session in sessions:
        session.get(session.call(PRODUCTS, {}))
        session.close()
    assert len(hotmart.token_calls) == 1
