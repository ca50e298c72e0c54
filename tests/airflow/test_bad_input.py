"""Bad input ends in one sentence that names the value, the rule and the remedy, before Hotmart is called."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_hotmart.emulator import Fault, HotmartEmulator
from airflow_provider_hotmart.operators.products import HotmartListProductsOperator
from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator
from tests.airflow.support import HAS_SUPERVISOR, ThrowawayAirflow, connected, connection, execute, small_hotmart
from tests.airflow.versions import LINE

pytestmark = pytest.mark.airflow

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)

#: Arguments of the participants' operator, and what the error says.
FILTERS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "unknown status": (
        {"transaction_status": "APROVED"},
        ("transaction_status 'APROVED' is unknown", "did you mean 'APPROVED'?", "WAITING_PAYMENT", "ALL"),
    ),
    "one unknown status of several": (
        {"transaction_status": ["COMPLETE", "REFUNDET"]},
        ("'REFUNDET' is unknown", "did you mean 'REFUNDED'?"),
    ),
    "no status": ({"transaction_status": []}, ("transaction_status is an empty list", "at least one value, or None")),
    "empty status": ({"transaction_status": ""}, ("transaction_status is empty", "give a value, or None")),
    "integer date": (
        {"sales_start_date": 1767225600},
        ("sales_start_date is the number 1767225600", "seconds or milliseconds", "'2026-01-31T00:00:00Z'"),
    ),
    "integer date in milliseconds": (
        {"sales_end_date": 1767225600000},
        ("sales_end_date is the number 1767225600000", "seconds or milliseconds"),
    ),
    "integer date as text": (
        {"sales_start_date": "1767225600"},
        ("sales_start_date is the number '1767225600'", "seconds or milliseconds"),
    ),
    "no date": ({"sales_start_date": "yesterday"}, ("sales_start_date is 'yesterday'", "expected ISO 8601")),
    "no such day": ({"sales_start_date": "2026-02-30"}, ("sales_start_date is '2026-02-30'", "expected ISO 8601")),
    "reversed window": (
        {"sales_start_date": "2026-02-01", "sales_end_date": "2026-01-01"},
        (
            "2026-02-01T00:00:00+00:00",
            "2026-01-01T00:00:00+00:00",
            "is after sales_end_date",
            "give an end after the start",
        ),
    ),
    "empty window": (
        {"sales_start_date": NOON, "sales_end_date": NOON},
        (
            "The window is empty: give an end after the start, such as macros.hotmart.yesterday(dag_run, 'UTC') and ",
            "since Airflow 3 a cron schedule's data interval has no length [each is 2026-01-31T12:00:00+00:00]",
        ),
    ),
    "product that is no number": ({"product_id": "Curso"}, ("product_id is 'Curso'", "whole number such as")),
    "unknown role of the account": (
        {"commission_as": "BUYER"},
        ("commission_as 'BUYER' is unknown", "PRODUCER, COPRODUCER, AFFILIATE"),
    ),
    "misspelt role": ({"roles": ["BUYR"]}, ("roles 'BUYR' is unknown", "did you mean 'BUYER'?")),
    "empty e-mail address": ({"buyer_email": " "}, ("buyer_email is empty", "or None to leave the filter out")),
    "unreadable list": (
        {"transaction": "[HP1, 'HP2']"},
        ("transaction is no readable list: write it like ['one', 'two'] [\"[HP1, 'HP2']\"]",),
    ),
    "unknown suffix": (
        {"destination": "file:///tmp/hotmart/sales.xlsx"},
        ("'file:///tmp/hotmart/sales.xlsx'", "end it in .jsonl, .jsonl.gz"),
    ),
    "no file name": (
        {"destination": "file:///tmp/hotmart/.jsonl"},
        ("'file:///tmp/hotmart/.jsonl'", "end it in .jsonl"),
    ),
    "empty destination": ({"destination": ""}, ("destination is ''", "name a file by its absolute path or its URL")),
    "unknown store": (
        {"destination": "nowhere://bucket/sales.jsonl"},
        ("destination cannot be used (", "Airflow has no provider for such URLs ['nowhere://bucket/sales.jsonl': "),
    ),
    "limit that is no number": (
        {"max_xcom_records": "many"},
        ("max_xcom_records is 'many'", "whole number of at least 0"),
    ),
    "negative limit": ({"max_xcom_records": -1}, ("max_xcom_records is -1", "whole number of at least 0")),
}


def failure(hotmart: HotmartEmulator, operator: Any, **changes: Any) -> str:
    """Execute an operator that has to fail for good; return what it says."""
    with connected(connection(hotmart, **changes)), pytest.raises(AirflowFailException) as caught:
        execute(operator)
    told = str(caught.value)
    assert "\n" not in told
    # One sentence: no full stop with another word after it.
    assert not re.search(r"\w\w\. \w", told), told
    assert len(told) < 700
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return told


@pytest.mark.parametrize(("arguments", "fragments"), FILTERS.values(), ids=FILTERS)
def test_a_bad_argument_is_told_before_the_first_call(
    hotmart: HotmartEmulator, arguments: dict[str, Any], fragments: tuple[str, ...]
) -> None:
    told = failure(hotmart, HotmartListSalesParticipantsOperator(task_id="bad", **arguments))
    assert [fragment for fragment in fragments if fragment not in told] == [], told
    assert hotmart.calls == []
    assert hotmart.token_calls == []


def test_an_empty_window_is_told_in_the_operators_own_words(hotmart: HotmartEmulator) -> None:
    dates = {"sales_start_date": NOON, "sales_end_date": NOON}
    told = failure(hotmart, HotmartListSalesParticipantsOperator(task_id="bad", **dates))
    assert re.findall(r"(?<!sales_)(?:start|end)_date", told) == []


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        ({"status": "ACTIV"}, ("status 'ACTIV' is unknown", "did you mean 'ACTIVE'?", "DRAFT")),
        ({"product_id": 1.5}, ("product_id is 1.5", "whole number such as")),
        ({"format": []}, ("format is an empty list", "or None")),
        ({"select": ""}, ("select is empty", "or None")),
    ],
)
def test_a_bad_argument_of_the_products_operator_is_told_before_the_first_call(
    hotmart: HotmartEmulator, arguments: dict[str, Any], fragments: tuple[str, ...]
) -> None:
    told = failure(hotmart, HotmartListProductsOperator(task_id="bad", **arguments))
    assert [fragment for fragment in fragments if fragment not in told] == [], told
    assert hotmart.calls == []
    assert hotmart.token_calls == []


#: Changes of the connection, and what the error says.
CONNECTIONS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "no client id": ({"login": ""}, ("connection 'hotmart_default'", "login is empty", "Client ID")),
    "no client secret": ({"password": None}, ("password is empty", "Client Secret")),
    "http to elsewhere": (
        {"host": "http://developers.hotmart.com"},
        ("host is http://developers.hotmart.com", "send the credential in clear", "use https://", "loopback"),
    ),
    "http to elsewhere for the token": (
        {"token_url": "http://10.0.0.1/token"},
        ("token_url is http://10.0.0.1,", "use https://", "loopback"),
    ),
    "Basic of another credential": (
        {"basic_token": "Basic " + base64.b64encode(b"another:one").decode()},
        ("basic_token belongs to another credential", "leave basic_token empty"),
    ),
    "Basic that is none": ({"basic_token": "Basic abc"}, ("basic_token is not the base64", "leave the field empty")),
    "unknown environment": ({"environment": "prod"}, ("environment is 'prod'", "production, sandbox")),
    "host that is none": ({"host": "https://"}, ("host is no address", "https://developers.hotmart.com")),
    "misspelt extra": ({"enviroment": "sandbox"}, ("the unknown key 'enviroment'", "did you mean 'environment'?")),
    "zone that there is not": ({"timezone": "Sao Paulo"}, ("timezone: 'Sao Paulo' is no time zone",)),
    "negative time-out": ({"timeout": -1}, ("timeout is '-1'", "a number above 0")),
    "broken number of retries": ({"max_retries": "few"}, ("max_retries is 'few'", "a whole number of at least 0")),
    "extra that is no JSON": ({"extra": "timeout=60"}, ("extra is no JSON object", 'write it like {"timeout": 60}')),
    "extra that is no object": ({"extra": "[1]"}, ("extra is no JSON object", 'write it like {"timeout": 60}')),
}


@pytest.mark.parametrize(("changes", "fragments"), CONNECTIONS.values(), ids=CONNECTIONS)
def test_a_bad_connection_is_told_before_the_first_call(
    hotmart: HotmartEmulator, changes: dict[str, Any], fragments: tuple[str, ...]
) -> None:
    if "extra" in changes and LINE < (3, 2):
        pytest.skip("Airflow before 3.2 does not take such a connection from the environment")
    told = failure(hotmart, HotmartListProductsOperator(task_id="bad"), **changes)
    # Its first words are all that a list of logs shows.
    assert fragments[0] in told[:80] or fragments[0].startswith("connection ")
    assert told.startswith("Check connection 'hotmart_default': ")
    assert told.endswith(" (HotmartConfigError)")
    assert [fragment for fragment in fragments if fragment not in told] == [], told
    assert hotmart.client_secret not in told
    assert hotmart.calls == []
    assert hotmart.token_calls == []


@pytest.mark.parametrize("blocked", ["sales.jsonl", "folder/sales.jsonl"])
def test_an_unwritable_destination_is_told_before_the_first_call(
    hotmart: HotmartEmulator, tmp_path: Path, blocked: str
) -> None:
    # Not by permissions, which do not bind root: a folder is where the file belongs, or a file where the folder does.
    if "/" in blocked:
        (tmp_path / "folder").write_text("a file")
    else:
        (tmp_path / "sales.jsonl").mkdir()
    url = (tmp_path / blocked).as_uri()
    told = failure(hotmart, HotmartListSalesParticipantsOperator(task_id="bad", destination=url))
    assert re.match(r"destination cannot be used \(\w+\): check the path and its permissions, and dest", told)
    assert f" [{url!r}: " in told
    assert hotmart.calls == []
    assert hotmart.token_calls == []


@pytest.mark.parametrize(("limit", "fails"), [(5, True), (6, False), ("6", False), (0, True)])
def test_more_records_than_fit_into_xcom_are_an_error_that_says_where_to_put_them(
    hotmart: HotmartEmulator, limit: Any, fails: bool
) -> None:
    operator = HotmartListProductsOperator(task_id="many", max_xcom_records=limit)
    if fails:
        told = failure(hotmart, operator)
        assert f"more than max_xcom_records={limit} records: set destination" in told
        assert "narrow the filters" in told
    else:
        with connected(connection(hotmart)):
            assert len(execute(operator)) == len(hotmart.products) == 6


def test_a_listing_that_is_too_long_for_xcom_stops_early() -> None:
    with small_hotmart(sales=4000) as hotmart:
        failure(hotmart, HotmartListSalesParticipantsOperator(task_id="many", transaction_status="ALL"))
        stopped = len(hotmart.calls)
        with connected(connection(hotmart)):
            execute(
                HotmartListSalesParticipantsOperator(task_id="all", transaction_status="ALL", max_xcom_records=100_000)
            )
        assert stopped < (len(hotmart.calls) - stopped) / 2


DAG = """
from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG
from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator

again = {{"retries": 2, "retry_delay": timedelta(0)}}
with DAG("hopeless", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), default_args=again):
    for name, arguments in {tasks!r}.items():
        HotmartListSalesParticipantsOperator(task_id=name, **arguments)
"""


def test_a_task_is_retried_only_where_that_may_help(airflow: ThrowawayAirflow, tmp_path: Path) -> None:
    (tmp_path / "a_file").write_text("")
    hopeless = {
        "status": {"transaction_status": "APROVED"},
        "window": {"sales_start_date": "2026-01-02", "sales_end_date": "2026-01-01"},
        "suffix": {"destination": "/tmp/sales.xlsx"},
        "unwritable": {"destination": f"{tmp_path}/a_file/sales.jsonl"},
        "too_many": {"max_xcom_records": 1},
        "wrong_secret": {"hotmart_conn_id": "wrong_secret"},
        "no_permission": {"hotmart_conn_id": "no_permission"},
        "no_login": {"hotmart_conn_id": "no_login"},
        "no_connection": {"hotmart_conn_id": "not_there"},
        "refused": {"hotmart_conn_id": "refused"},
    }
    passing = {"server_error": {"hotmart_conn_id": "server_error"}, "saved": {"hotmart_conn_id": "saved"}}
    with (
        small_hotmart() as fine,
        small_hotmart() as no_permission,
        small_hotmart() as refused,
        small_hotmart() as failing,
        small_hotmart() as saved,
    ):
        no_permission.permission = False
        refused.faults.add(Fault.status(400), times=None)
        failing.faults.add(Fault.status(500), times=None)
        saved.faults.add(Fault.status(503), times=2)
        connections = {
            "hotmart_default": connection(fine),
            "wrong_secret": connection(fine, password="wrong"),
            "no_permission": connection(no_permission),
            "no_login": connection(fine, login=""),
            "refused": connection(refused),
            "server_error": connection(failing),
            # One call at a time, so that each try meets one of the failures.
            "saved": connection(saved, max_parallel_calls=1),
        }
        run = airflow.run(DAG.format(tasks=hopeless | passing), "hopeless", connections=connections)
        assert {name: run.task(name).state for name in hopeless} == dict.fromkeys(hopeless, "failed")
        assert {name: run.task(name).tries for name in hopeless} == dict.fromkeys(hopeless, 1)
        assert len(no_permission.calls) == 1
        assert len(refused.calls) == 1
        assert (run.task("server_error").state, run.task("server_error").tries) == ("failed", 3)
        assert (run.task("saved").state, run.task("saved").tries) == ("success", 3)
        assert run.task("saved").xcom


NO_VALUE = """
from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, task
from airflow_provider_hotmart.operators.products import HotmartListProductsOperator
from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator as Participants
from airflow_provider_hotmart.sensors.sales import HotmartNewSalesParticipantsSensor
from airflow_provider_hotmart.transfers.file_to_sql import HotmartFileToSqlOperator

GONE = "{{ params.gone }}"


@task
def nothing():
    return None


@task
def nothings():
    return [None]


@task
def nowhere():
    return [{"destination": None}]


def tasks():
    for name in ("transaction", "roles", "buyer_email", "buyer_name", "sales_source", "affiliate_name", "destination"):
        Participants(task_id=name, **{name: GONE})
        Participants.partial(task_id=f"mapped_{name}").expand(**{name: [GONE]})
    for name in ("transaction_status", "product_id", "commission_as", "select", "max_xcom_records", "hotmart_conn_id"):
        Participants(task_id=name, **{name: GONE})
    for name in ("timezone", "sales_start_date", "sales_end_date", "personal_data"):
        Participants(task_id=name, **{"sales_start_date": "2026-01-01", "sales_end_date": "2026-01-02", name: GONE})
    Participants(task_id="of_another_task", destination=nothing())
    over = nothings()
    Participants.partial(task_id="expanded_destination").expand(destination=over)
    Participants.partial(task_id="expanded_filter", destination=None).expand(product_id=over)
    Participants.partial(task_id="expanded_kwargs").expand_kwargs(nowhere())
    HotmartNewSalesParticipantsSensor.partial(task_id="expanded_sensor", timeout=1).expand(roles=over)
    HotmartListProductsOperator(task_id="format", format=GONE)
    for name in ("roles", "destination", "ledger", "since"):
        HotmartNewSalesParticipantsSensor(task_id=f"sensor_{name}", timeout=1, poke_interval=0.1, **{name: GONE})
    HotmartFileToSqlOperator(task_id="load", manifest=GONE, conn_id="warehouse", table="people")


options = {"schedule": None, "start_date": datetime(2026, 1, 1, tzinfo=UTC), "params": {"gone": None}}
with DAG("as_text", **options):
    tasks()
with DAG("native", render_template_as_native_obj=True, **options):
    tasks()
"""


@pytest.mark.parametrize("dag", ["as_text", "native"])
def test_what_renders_to_nothing_selects_nothing_and_is_told(
    airflow: ThrowawayAirflow, hotmart: HotmartEmulator, dag: str
) -> None:
    run = airflow.run(NO_VALUE, dag, connections={"hotmart_default": connection(hotmart)})
    assert run.report["import_errors"] == []
    states = run.states()
    assert {states.pop(name) for name in ("nothing", "nothings", "nowhere")} == {"success"}
    assert {name: state for name, state in states.items() if state != "failed"} == {}
    assert len(states) == 35
    assert hotmart.calls == []
    assert "@" not in run.database("xcom")
    if dag == "native":
        told = set(re.findall(r"(\w+) is written in the DAG and renders to None: correct its template", run.logs))
        assert told >= {"transaction", "roles", "buyer_email", "destination", "ledger", "sales_start_date", "manifest"}


def test_a_missing_connection_is_named_with_how_to_add_it() -> None:
    operator = HotmartListProductsOperator(task_id="bad", hotmart_conn_id="not_there")
    with pytest.raises(AirflowFailException) as caught:
        execute(operator)
    assert str(caught.value).startswith("There is no connection 'not_there': add it under Admin > Connections with the")
    assert "`airflow connections add not_there --conn-type hotmart --conn-login CLIENT_ID" in str(caught.value)


@pytest.mark.skipif(not HAS_SUPERVISOR, reason="logs have one line for each event since Airflow 3")
def test_the_log_of_a_failed_task_tells_once_what_to_do(airflow: ThrowawayAirflow, hotmart: HotmartEmulator) -> None:
    dag = DAG.format(tasks={"wrong_secret": {}, "passing": {"hotmart_conn_id": "down", "retries": 0}})
    connections = {
        "hotmart_default": connection(hotmart, password="wrong"),
        "down": connection(hotmart, host="http://127.0.0.1:9", token_url=hotmart.token_url),
    }
    run = airflow.run(dag, "hopeless", connections=connections, supervised=True)
    assert run.states() == {"wrong_secret": "failed", "passing": "failed"}
    for task, told in {
        "wrong_secret": "Hotmart does not accept the Client ID and Client Secret: copy both again",
        "passing": "Connection to 127.0.0.1:9 refused: check the network and try again",
    }.items():
        [log] = [path for path in run.task_logs if path.parent.name == task]
        lines = [line for line in log.read_text(encoding="utf-8").splitlines() if told in line]
        assert len(lines) == 1
        [shown] = [one["exc_value"] for one in json.loads(lines[0])["error_detail"]]
        assert shown.startswith(told)


def test_a_task_that_succeeds_tells_the_window_that_it_listed(airflow: ThrowawayAirflow, tmp_path: Path) -> None:
    given = {"sales_start_date": "2026-01-01", "sales_end_date": "2026-01-02", "timezone": "America/Sao_Paulo"}
    tasks = {"given": given, "file": {**given, "destination": f"{tmp_path}/sales.jsonl"}, "left_out": {}}
    with small_hotmart() as hotmart:
        run = airflow.run(DAG.format(tasks=tasks), "hopeless", connections={"hotmart_default": connection(hotmart)})
    assert set(run.states().values()) == {"success"}
    window = "[2026-01-01T03:00:00+00:00, 2026-01-02T03:00:00+00:00)"
    assert f"Listed 0 records of {window} with " in run.logs
    assert f"Wrote 0 records of {window} (" in run.logs
    [(start, end)] = set(re.findall(r"Listed [1-9]\d* records of \[(.+?), (.+?)\) with ", run.logs))
    assert datetime.fromisoformat(end) - datetime.fromisoformat(start) == timedelta(days=30)
