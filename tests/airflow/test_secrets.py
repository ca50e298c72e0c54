"""Whatever goes wrong, no secret shows anywhere, and nobody's personal data show in a log."""

from __future__ import annotations

import base64
import json
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus, unquote

import pytest

from airflow_provider_hotmart.api.errors import HotmartError
from airflow_provider_hotmart.emulator import Call, Fault, HotmartEmulator
from airflow_provider_hotmart.emulator.service.answers import Answer
from airflow_provider_hotmart.hooks.hotmart import HotmartHook
from tests.airflow.support import HAS_SUPERVISOR, AirflowRun, ThrowawayAirflow, connected, connection, small_hotmart
from tests.airflow.versions import LINE

pytestmark = pytest.mark.airflow

# What URL encoding and base64 both change.
CLIENT_ID = "b3c0ffee-cafe/+=&"
CLIENT_SECRET = "Geheim+/=&%2F?und:noch~was"
WRONG_SECRET = "Falsch+/=&%2F?und:noch~was"

#: Puts an emulator into trouble.
Trouble = Callable[[HotmartEmulator], None]


def always(fault: Fault, path: str | None = None) -> Trouble:
    return lambda hotmart: hotmart.faults.add(fault, times=None, path=path)


def without_permission(hotmart: HotmartEmulator) -> None:
    hotmart.permission = False


def echoing(hotmart: HotmartEmulator) -> None:
    """Answer 400 with all that the request held, in every encoding."""
    heard: list[Call] = []
    hotmart.on_call = heard.append

    def edit(answer: Answer, _: Any) -> Answer:
        token = heard[-1].headers["Authorization"].removeprefix("Bearer ")
        asked = [value for values in heard[-1].params.values() for value in values]
        told = [form for secret in (token, CLIENT_SECRET, *asked) for form in forms(secret)]
        answer.status, answer.body = 400, json.dumps({"error": told[0], "message": " ".join(told)}).encode()
        return answer

    hotmart.faults.add(Fault("echo", edit), times=None)


@dataclass(frozen=True)
class Case:
    """One kind of failure, and the error that it has to end in."""

    error: str
    trouble: Trouble = lambda hotmart: None
    connection: dict[str, Any] = field(default_factory=dict)


CASES = {
    "wrong_secret": Case("HotmartAuthError", connection={"password": WRONG_SECRET}),
    "wrong_basic": Case("HotmartConfigError", connection={"basic_token": "Basic !" + CLIENT_SECRET}),
    "no_permission": Case("HotmartPermissionError", without_permission),
    "expired": Case("HotmartAuthError", always(Fault.expired_token())),
    "bad_request": Case("HotmartInvalidRequestError", always(Fault.status(400))),
    "echo": Case("HotmartInvalidRequestError", echoing),
    "not_found": Case("HotmartNotFoundError", always(Fault.status(404))),
    "rate_limit": Case("HotmartRateLimitError", always(Fault.status(429))),
    "server_error": Case("HotmartServerError", always(Fault.status(500)), {"max_retries": 1}),
    "html": Case("HotmartNotJsonError", always(Fault.html())),
    "no_list": Case("HotmartResponseError", always(Fault.garbled_items())),
    "not_json": Case("HotmartNotJsonError", always(Fault.truncated_json())),
    "redirect": Case("HotmartNotJsonError", always(Fault.redirect())),
    "reset": Case("HotmartTransportError", always(Fault.reset())),
    "stall": Case("HotmartTransportError", always(Fault.stall(5)), {"timeout": 1}),
    "cut_short": Case("HotmartTransportError", always(Fault.cut_short())),
    "cut_chunks": Case("HotmartTransportError", always(Fault.cut_short(chunked=True))),
    "token_html": Case("HotmartNotJsonError", always(Fault.html(), "/security/")),
    "token_reset": Case("HotmartTransportError", always(Fault.reset(), "/security/")),
    "token_stall": Case("HotmartTransportError", always(Fault.stall(5), "/security/"), {"timeout": 1}),
    "token_redirect": Case("HotmartNotJsonError", always(Fault.redirect(), "/security/")),
    # Nothing listens at the proxy, which the test names in the environment.
    "proxy": Case("HotmartTransportError", connection={"host": "https://hotmart.example"}),
    "unknown_host": Case("HotmartUnknownHostError", connection={"host": "https://hotmart.invalid"}),
    "tls": Case("HotmartTransportError", connection={"host": "https://127.0.0.1:{port}"}),
    "no_network": Case("HotmartTransportError", connection={"host": "http://127.0.0.1:9"}),
}
#: A process for each task takes its time: these try what differs there, namely all ways to call Hotmart.
IN_PROCESSES = ["wrong_secret", "echo", "server_error", "reset", "stall", "redirect", "proxy", "tls"]
PROXIES = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1,.invalid"}


@dataclass
class Troubled:
    """Emulators, each with a trouble of its own, and the connections to them."""

    hotmarts: dict[str, HotmartEmulator]
    connections: dict[str, dict[str, Any]]

    @property
    def buyer(self) -> dict[str, Any]:
        """The buyer that is searched for: somebody with an e-mail address and a telephone. The same in all of them."""
        for sale in self.hotmarts["fine"].sales:
            user = sale.participants[1]["user"]
            if user.get("email") and user.get("phone") and user.get("documents"):
                return user
        raise LookupError

    @property
    def secrets(self) -> set[str]:
        """Whatever must not show, in all its forms."""
        plain = {CLIENT_SECRET, WRONG_SECRET}
        for secret in (CLIENT_SECRET, WRONG_SECRET):
            plain.add(base64.b64encode(f"{CLIENT_ID}:{secret}".encode()).decode())
        for hotmart in self.hotmarts.values():
            plain.update(call.headers["Authorization"].partition(" ")[2] for call in hotmart.calls)
        return {form for secret in plain for form in forms(secret)}

    @property
    def personal_data(self) -> set[str]:
        """E-mail addresses, telephones and documents of everybody."""
        found: set[str] = set()
        for sale in self.hotmarts["fine"].sales:
            for one in sale.participants:
                user = one["user"]
                found.update(user.get(name) or "" for name in ("email", "phone", "cellphone"))
                found.update(document["value"] for document in user.get("documents") or [])
        return {form for value in found if value for form in (value, quote(value, safe=""))}


def forms(secret: str) -> set[str]:
    """A text plain, URL-encoded, URL-decoded, and in base64."""
    raw = secret.encode()
    encoded = {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()}
    quoted = {quote(secret, safe=""), quote_plus(secret), unquote(secret), json.dumps(secret)[1:-1]}
    return {secret, *quoted, *encoded, *(one.rstrip("=") for one in encoded)}


@contextmanager
def in_trouble() -> Iterator[Troubled]:
    with ExitStack() as stack:
        hotmarts, connections = {}, {}
        for name, case in {"fine": Case(""), **CASES}.items():
            hotmart = small_hotmart(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, sales=30)
            hotmarts[name] = stack.enter_context(hotmart)
            case.trouble(hotmart)
            changes = dict(case.connection)
            if "host" in changes:
                port = hotmart.url.rpartition(":")[2]
                changes |= {"host": changes["host"].format(port=port), "token_url": hotmart.token_url}
            connections[name] = connection(hotmart, **changes)
        yield Troubled(hotmarts, connections)


DAG = """
from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG
from airflow_provider_hotmart.operators.products import HotmartListProductsOperator
from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator

with DAG("troubles", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), default_args={{"retries": 0}}):
    for name in {names}:
        HotmartListSalesParticipantsOperator(
            task_id=name,
            hotmart_conn_id=name,
            transaction_status="ALL",
            buyer_email={email!r},
            buyer_name={name!r},
            destination={folder!r} + "/" + name + ".jsonl",
        )
    HotmartListProductsOperator(task_id="products", hotmart_conn_id="fine")
    HotmartListSalesParticipantsOperator(task_id="people", hotmart_conn_id="fine", transaction_status="ALL")
"""


def run_in_trouble(
    airflow: ThrowawayAirflow, troubled: Troubled, names: list[str], folder: Any, **how: Any
) -> AirflowRun:
    buyer = troubled.buyer
    dag = DAG.format(names=["fine", *names], email=buyer["email"], name=buyer["name"], folder=folder.as_uri())
    changes = {
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
        "AIRFLOW__LOGGING__FAB_LOGGING_LEVEL": "DEBUG",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        **PROXIES,
    }
    return airflow.run(dag, "troubles", connections=troubled.connections, **how, **changes)


def check_that_it_happened(run: AirflowRun, troubled: Troubled, names: list[str], supervised: bool) -> None:
    states = run.states()
    assert {name for name, state in states.items() if state == "success"} == {"fine", "products", "people"}
    assert {name for name, state in states.items() if state == "failed"} == set(names)
    assert run.task("fine").xcom["records"] >= 2
    assert len(run.task("people").xcom) > 50
    for error in {CASES[name].error for name in names}:
        assert error in run.logs
    # Debug logs are on: urllib3 tells of its requests (not in workers of Airflow 3.0). Their query does not show.
    assert "GET /payments/api/v1/sales/users HTTP" in run.logs or (supervised and LINE == (3, 0))
    assert "page_token=" not in run.logs
    assert all(call.headers["Authorization"] for call in troubled.hotmarts["fine"].calls)


def without_supervisor(logs: str) -> str:
    """Logs without what Airflow repeats, at DEBUG, of the messages that its supervisor gets from every task."""
    repeated = ("SetRenderedFields(", "SetXCom(", "MaskSecret(")
    # As lines of Airflow 3.0 look, there are both what a task sent and what its supervisor got.
    repeating = ("loc=supervisor.py", '"event":"Sending request"', '"event":"Received message from task runner"')
    kept = [
        line for line in logs.splitlines() if not (any(map(line.count, repeating)) and any(map(line.count, repeated)))
    ]
    return "\n".join(kept)


@pytest.mark.slow
@pytest.mark.parametrize("unmasked", [False, True], ids=["as_a_worker_does", "without_masking"])
def test_no_secret_shows_anywhere_and_no_personal_data_in_logs(
    airflow: ThrowawayAirflow, tmp_path: Any, unmasked: bool
) -> None:
    supervised = HAS_SUPERVISOR and not unmasked
    names = IN_PROCESSES if supervised else list(CASES)
    with in_trouble() as troubled:
        run = run_in_trouble(airflow, troubled, names, tmp_path, supervised=supervised, unmasked=unmasked)
        check_that_it_happened(run, troubled, names, supervised)
        assert not supervised or len(run.task_logs) == len(names) + 3

        logs = without_supervisor(run.logs)
        places = {"logs": logs, "database": run.database(), "file": (tmp_path / "fine.jsonl").read_text()}
        shown = {(place, form) for place, text in places.items() for form in troubled.secrets if form in text}
        assert shown == set()
        urls = [f"{call.path}?{call.params}" for hotmart in troubled.hotmarts.values() for call in hotmart.calls]
        urls += [f"{call.path}?{call.params}" for one in troubled.hotmarts.values() for call in one.token_calls]
        assert [url for url in urls if any(form in url for form in troubled.secrets)] == []

        logs += run.database("log")
        assert sorted(value for value in troubled.personal_data if value in logs) == []


@pytest.mark.parametrize("name", CASES)
def test_no_error_holds_a_secret_or_a_query(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in PROXIES.items():
        monkeypatch.setenv(variable, value)
    with in_trouble() as troubled, connected(troubled.connections[name]):
        email = troubled.buyer["email"]
        with pytest.raises(HotmartError) as caught:
            list(HotmartHook().iter_sales_participants(buyer_email=email, transaction_status="ALL"))
        assert type(caught.value).__name__ == CASES[name].error
        secrets = {*troubled.secrets, email, quote(email)}
    told = "".join(traceback.format_exception(caught.value))
    for one in chain(caught.value):
        told += repr(one) + str(vars(one)) + str(one.args)
    assert [secret for secret in secrets if secret in told] == []


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and those it came from."""
    seen: set[int] = set()
    todo = [error]
    while todo:
        one = todo.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            todo += [one.__cause__, one.__context__]


@pytest.mark.skipif(not HAS_SUPERVISOR, reason="Airflow 2 masks in the processes of its executors only")
def test_secrets_are_masked_should_user_code_print_them(airflow: ThrowawayAirflow) -> None:
    dag = """
    from datetime import UTC, datetime
    from airflow.providers.common.compat.sdk import DAG, task
    from airflow_provider_hotmart.hooks.hotmart import HotmartHook

    with DAG("talkative", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        @task
        def talk():
            client = HotmartHook().get_conn()
            client.get("/products/api/v1/products")
            import logging
            log = logging.getLogger("airflow.task")
            log.info("secret <%s>", client.config.client_secret)
            log.info("basic <%s>", client.config.basic)
            log.info("key <%s>", client.config.pseudonym_key)
            log.info("hottok <%s>", client.config.hottok)
            log.info("token <%s>", client.session().log_in())
        talk()
    """
    with small_hotmart(client_id=CLIENT_ID, client_secret=CLIENT_SECRET) as hotmart:
        own = {"pseudonym_key": "key of the pseudonyms", "hottok": "hottok of the webhooks"}
        connections = {"hotmart_default": connection(hotmart, **own)}
        run = airflow.run(dag, "talkative", connections=connections, supervised=True)
    assert run.states() == {"talk": "success"}
    for name in ("secret", "basic", "key", "hottok", "token"):
        assert f"{name} <***>" in run.logs
