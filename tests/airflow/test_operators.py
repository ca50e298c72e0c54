"""The operators: their templates, their results in XCom and on object storage, and their lineage."""

from __future__ import annotations

import gzip
import hashlib
import inspect
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator, ObjectStoragePath

from airflow_provider_hotmart.emulator import Clock, Fault, HotmartEmulator, Quirks
from airflow_provider_hotmart.operators.products import HotmartListProductsOperator
from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator
from tests.airflow.support import (
    NO_LIMIT,
    PRODUCTS,
    SALES,
    ThrowawayAirflow,
    connected,
    connection,
    execute,
    identities,
    small_hotmart,
)

pytestmark = pytest.mark.airflow

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
FILE = (
    "uri",
    "bucket",
    "key",
    "conn_id",
    "records",
    "bytes",
    "sha256",
    "format",
    "compression",
    "columns",
    "primary_key",
)
ASKED = ("window", "statuses", "filters", "listed_from", "listed_until", "calls")
MANIFEST = [*FILE, *ASKED]
OPERATORS = [HotmartListProductsOperator, HotmartListSalesParticipantsOperator]
WINDOW = {"sales_start_date": "2026-03-01", "sales_end_date": "2026-03-15"}
START, END = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 15, tzinfo=UTC)


@pytest.fixture
def hotmart() -> Any:
    # The keys of an object come in one order, so that the same records are the same bytes.
    clock = Clock(frozen=NOW)
    with small_hotmart(clock=clock, quirks=Quirks(shuffle_keys=False)) as emulator, connected(connection(emulator)):
        yield emulator


def participants(**arguments: Any) -> Any:
    return execute(HotmartListSalesParticipantsOperator(task_id="participants", **{**WINDOW, **arguments}))


def products(**arguments: Any) -> Any:
    return execute(HotmartListProductsOperator(task_id="products", **arguments))


def read(path: Path) -> list[dict[str, Any]]:
    raw = path.read_bytes()
    text = gzip.decompress(raw) if path.name.endswith(".gz") else raw
    # Not splitlines(), which knows more kinds of line breaks than JSON Lines does, and people's names hold them.
    lines = text.decode("utf-8").split("\n")
    assert lines.pop() == ""
    return [json.loads(line) for line in lines]


# Results.


def test_without_a_destination_the_result_is_the_records(hotmart: HotmartEmulator) -> None:
    found = participants(transaction_status="ALL")
    assert all(list(one) == ["transaction", "transaction_status", "product", "role", "user"] for one in found)
    assert len(identities(found)) == len(set(identities(found)))
    assert set(identities(found)) == hotmart.truth(None, START, END)
    assert {one["id"] for one in products()} == {one["id"] for one in hotmart.products}


def test_without_a_status_the_result_is_what_hotmart_counts_as_sold(hotmart: HotmartEmulator) -> None:
    found = identities(participants())
    assert set(found) == hotmart.truth(["APPROVED", "COMPLETE"], START, END) != set()
    assert [call.params["transaction_status"] for call in hotmart.calls] == [["APPROVED"], ["COMPLETE"]]


@pytest.mark.parametrize("name", ["sales.jsonl", "sales.jsonl.gz", "sales.ndjson", "sales.ndjson.gz"])
def test_with_a_destination_the_result_is_the_manifest_of_the_file(
    hotmart: HotmartEmulator, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "new folder" / name
    destination = f"file://{file}"
    before = datetime.now(UTC).replace(microsecond=0)
    manifest = participants(
        destination=destination,
        transaction_status=["COMPLETE", "APPROVED", "COMPLETE"],
        sales_start_date="2026-02-28T21:00",
        sales_end_date="2026-03-14T21:00",
        timezone="America/Sao_Paulo",
    )
    assert list(manifest) == MANIFEST
    raw = file.read_bytes()
    assert manifest == {
        "uri": str(file),
        "bucket": None,
        "key": None,
        "conn_id": None,
        "records": len(read(file)),
        "bytes": len(raw),
        "sha256": hashlib.sha256(raw).hexdigest(),
        "format": "jsonl",
        "compression": "gzip" if name.endswith(".gz") else None,
        "columns": None,
        "primary_key": ["transaction", "product.id", "role", "user.ucode"],
        "window": {
            "start": "2026-03-01T00:00:00+00:00",
            "end": "2026-03-15T00:00:00+00:00",
            "timezone": "America/Sao_Paulo",
        },
        "statuses": ["APPROVED", "COMPLETE"],
        "filters": {},
        "listed_from": manifest["listed_from"],
        "listed_until": manifest["listed_until"],
        "calls": len(hotmart.calls),
    }
    listed = [datetime.fromisoformat(manifest[name]) for name in ("listed_from", "listed_until")]
    assert before <= listed[0] < listed[1] <= datetime.now(UTC) + timedelta(seconds=1)
    assert json.loads(json.dumps(manifest)) == manifest
    assert set(identities(read(file))) == hotmart.truth(["APPROVED", "COMPLETE"], START, END) != set()
    assert [path.name for path in file.parent.iterdir()] == [name]
    assert name.endswith(".gz") == (raw[:2] == b"\x1f\x8b")


def test_the_file_of_products_has_a_manifest_too(hotmart: HotmartEmulator, tmp_path: Path) -> None:
    file = tmp_path / "products.jsonl"
    manifest = products(destination=str(file), status="active", format=["EBOOK", "ONLINE_COURSE", "BUNDLE"])
    assert list(manifest) == MANIFEST
    assert (manifest["window"], manifest["statuses"], manifest["calls"]) == (None, None, 3)
    assert manifest["filters"] == {"status": ["ACTIVE"], "format": ["EBOOK", "ONLINE_COURSE", "BUNDLE"]}
    assert sorted(call.params["format"] for call in hotmart.calls) == [["BUNDLE"], ["EBOOK"], ["ONLINE_COURSE"]]
    everything = products(destination=str(file))
    assert everything["filters"] == {"status": None, "format": None}
    assert read(file) == hotmart.products


def test_a_manifest_of_named_transactions_has_no_dates(hotmart: HotmartEmulator, tmp_path: Path) -> None:
    sale = hotmart.sales[0].transaction
    dates = dict.fromkeys(WINDOW)
    manifest = participants(transaction=sale, destination=str(tmp_path / "one.jsonl"), **dates)
    assert (manifest["window"], manifest["statuses"]) == (None, None)
    assert {(role, ucode) for _, role, ucode, _ in hotmart.truth(transaction=sale)} == {
        (role, ucode) for _, role, ucode, _ in identities(read(tmp_path / "one.jsonl"))
    }


def test_running_again_replaces_the_file_with_the_same_bytes(hotmart: HotmartEmulator, tmp_path: Path) -> None:
    file = tmp_path / "sales.jsonl.gz"
    first = participants(destination=file.as_uri(), transaction_status="ALL")
    before, inode = file.read_bytes(), file.stat().st_ino
    again = participants(destination=file.as_uri(), transaction_status="ALL")
    # Windows are asked for ahead, some of which turn out too full, or not to be needed.
    passing = {name: first[name] for name in ("listed_from", "listed_until", "calls")}
    assert {**again, **passing} == first
    assert file.read_bytes() == before
    assert before[4:8] == bytes(4), "gzip's time of writing would change from run to run"
    assert file.stat().st_ino != inode
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("fault", [Fault.status(500), Fault.html(), Fault.cut_short(), Fault.status(403)])
def test_a_failed_run_leaves_the_file_of_the_run_before(hotmart: HotmartEmulator, tmp_path: Path, fault: Fault) -> None:
    file = tmp_path / "sales.jsonl"
    file.write_text("from the run before")
    hotmart.faults.add(fault, times=None, after=3)
    with pytest.raises(Exception):  # noqa: B017, PT011 - of which kind is told elsewhere
        participants(destination=file.as_uri(), transaction_status="ALL")
    assert len(hotmart.calls) > 3
    assert file.read_text() == "from the run before"
    assert list(tmp_path.iterdir()) == [file]


def test_an_empty_result_is_an_empty_file(hotmart: HotmartEmulator, tmp_path: Path) -> None:
    file = tmp_path / "none.jsonl"
    manifest = participants(destination=str(file), sales_start_date="2001-01-01", sales_end_date="2001-01-02")
    assert (manifest["records"], manifest["bytes"]) == (0, 0)
    assert manifest["sha256"] == hashlib.sha256(b"").hexdigest()
    assert file.read_bytes() == b""


@pytest.mark.parametrize("form", [str, Path.as_uri])
def test_a_destination_may_be_an_object_storage_path(hotmart: HotmartEmulator, tmp_path: Path, form: Any) -> None:
    destination = ObjectStoragePath(form(tmp_path)) / "sales.jsonl"
    manifest = participants(destination=destination)
    assert manifest["uri"] == str(tmp_path / "sales.jsonl")
    assert manifest["records"] == len(read(tmp_path / "sales.jsonl")) > 0


def test_dates_may_be_of_any_kind(hotmart: HotmartEmulator) -> None:
    import pendulum

    expected = identities(participants())
    for start, end in [
        (START, END),
        (START.date(), END.date()),
        (START.replace(tzinfo=None), "2026-03-15T00:00:00Z"),
        (pendulum.datetime(2026, 3, 1), pendulum.datetime(2026, 3, 14, 21, tz="America/Sao_Paulo")),
        ("2026-02-28T21:00:00-03:00", "20260315"),
    ]:
        assert identities(participants(sales_start_date=start, sales_end_date=end)) == expected


# Dates that Airflow has of its own.


def test_the_dates_of_the_dag_never_become_filters(hotmart: HotmartEmulator) -> None:
    dates = {"start_date": datetime(2020, 1, 1, tzinfo=UTC), "end_date": datetime(2020, 2, 1, tzinfo=UTC)}
    with DAG("dated", schedule=None, default_args=dates, **dates):
        by_dag = HotmartListSalesParticipantsOperator(task_id="by_dag")
        by_hand = HotmartListSalesParticipantsOperator(task_id="by_hand", **WINDOW)
    assert (by_dag.sales_start_date, by_dag.sales_end_date) == (None, None)
    assert (by_hand.sales_start_date, by_hand.sales_end_date) == ("2026-03-01", "2026-03-15")
    assert by_dag.start_date == by_hand.start_date == dates["start_date"]
    execute(by_hand)
    sent = [int(call.params["start_date"][0]) for call in hotmart.calls]
    assert set(sent) == {int(START.timestamp() * 1000) - 1}


# Lineage.


def test_lineage_knows_where_the_records_came_from_and_went(
    hotmart: HotmartEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.providers.common.compat import sdk
    from airflow.providers.common.compat.lineage import hook as lineage

    collector = sdk.HookLineageCollector()
    # Airflow has one of its own as soon as some plugin reads lineage.
    monkeypatch.setattr(sdk, "get_hook_lineage_collector", lambda: collector, raising=False)

    participants(destination=(tmp_path / "sales.jsonl").as_uri())
    products(destination=str(tmp_path / "products.jsonl"))
    products()
    # What is collected is of the type that this version of Airflow calls it.
    collected = lineage.get_hook_lineage_collector().collected_assets
    host = hotmart.url.partition("://")[2]
    assert {one.asset.uri for one in collected.inputs} == {f"hotmart://{host}{SALES}", f"hotmart://{host}{PRODUCTS}"}
    assert {one.asset.uri for one in collected.outputs} == {
        f"file://{tmp_path}/{n}.jsonl" for n in ("sales", "products")
    }


# Templates.


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_argument_is_templated(operator: type[BaseOperator]) -> None:
    arguments = set()
    for base in (operator, operator.__base__):
        arguments |= set(inspect.signature(inspect.unwrap(base.__init__)).parameters)
    arguments -= {"self", "kwargs", "filters"}  # the last is how the operators hand theirs to their base
    assert arguments == set(operator.template_fields)
    assert len(operator.template_fields) == len(set(operator.template_fields))


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_template_field_renders(operator: type[BaseOperator]) -> None:
    given = {name: "{{ value }}-" + name for name in operator.template_fields}
    task = operator(task_id="rendered", **given)
    # Nothing is checked, nor looked up, before the task runs.
    assert {name: getattr(task, name) for name in given} == given
    task.render_template_fields({"value": "seen"})
    assert {name: getattr(task, name) for name in given} == {name: f"seen-{name}" for name in given}


@pytest.mark.parametrize("operator", OPERATORS)
def test_lists_render_and_a_destination_that_is_a_path_does(operator: type[BaseOperator]) -> None:
    task = operator(
        task_id="rendered", select=["{{ value }}", "b"], destination=ObjectStoragePath("/x/{{ value }}.jsonl")
    )
    task.render_template_fields({"value": "seen"})
    assert task.select == ["seen", "b"]
    assert str(task.destination).removeprefix("file://") == "/x/seen.jsonl"
    assert isinstance(task.destination, ObjectStoragePath)


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operator_keeps_its_arguments_as_they_were_given(operator: type[BaseOperator]) -> None:
    for name in operator.template_fields:
        for value in (["a", "b"], ("a",), 7, None):
            assert getattr(operator(task_id="kept", **{name: value}), name) == value


@pytest.mark.parametrize(
    "several",
    [
        ["APPROVED", "REFUNDED"],
        ("REFUNDED", "APPROVED"),
        {"APPROVED", "REFUNDED"},
        "APPROVED,REFUNDED",
        "['APPROVED', 'REFUNDED']",
        '["REFUNDED", "APPROVED"]',
        "('APPROVED', 'REFUNDED')",
        " approved , refunded ",
    ],
)
def test_several_values_may_come_as_a_list_or_as_text(hotmart: HotmartEmulator, several: Any) -> None:
    participants(transaction_status=several)
    assert [call.params["transaction_status"] for call in hotmart.calls] == [["APPROVED"], ["REFUNDED"]]


DAG_FILE = """
from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, task
from airflow_provider_hotmart.operators.products import HotmartListProductsOperator
from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator

START = datetime(2020, 1, 1, tzinfo=UTC)
FOLDER = {folder!r}
WINDOW = {{"sales_start_date": "2026-03-01", "sales_end_date": "2026-03-15"}}
DATES = {{"start_date": START, "end_date": datetime(2100, 1, 1, tzinfo=UTC)}}


@task
def pick():
    return ["APPROVED", "REFUNDED"]


@task
def ids():
    return [{first}, {second}]


@task
def windows():
    return [
        {{
            "sales_start_date": f"2026-03-{{day:02}}",
            "sales_end_date": f"2026-03-{{day + 7:02}}",
            "destination": f"{{FOLDER}}/mapped-{{day}}.jsonl",
        }}
        for day in (1, 8)
    ]


def tasks():
    picked, products = pick(), ids()
    HotmartListSalesParticipantsOperator(
        task_id="jinja",
        transaction_status="{{{{ params.statuses }}}}",
        sales_start_date="{{{{ params.start }}}}",
        sales_end_date="{{{{ macros.datetime(2026, 3, 15) }}}}",
        product_id="{{{{ params.product }}}}",
        roles=["{{{{ params.role }}}}"],
        max_xcom_records="{{{{ params.most }}}}",
        hotmart_conn_id="{{{{ params.connection }}}}",
    )
    HotmartListSalesParticipantsOperator(task_id="xcom_arg", transaction_status=picked, **WINDOW)
    HotmartListSalesParticipantsOperator(
        task_id="pulled", transaction_status="{{{{ ti.xcom_pull(task_ids='pick') }}}}", **WINDOW
    ).set_upstream(picked)
    HotmartListSalesParticipantsOperator.partial(task_id="expanded", transaction_status="ALL", **WINDOW).expand(
        product_id=products
    )
    HotmartListSalesParticipantsOperator.partial(task_id="expanded_kwargs", transaction_status="ALL").expand_kwargs(
        windows()
    )
    HotmartListSalesParticipantsOperator.partial(task_id="undated", destination=FOLDER + "/undated.jsonl").expand(
        transaction_status=["APPROVED"]
    )
    HotmartListProductsOperator.partial(task_id="expanded_products").expand(
        status=["ACTIVE", ["DRAFT", "PAUSED"], "NOPE"]
    )
    HotmartListProductsOperator(
        task_id="to_path", destination=ObjectStoragePath("file://" + FOLDER) / "{{{{ dag.dag_id }}}}.jsonl"
    )


params = {{
    "statuses": ["APPROVED", "REFUNDED"],
    "start": "2026-03-01",
    "product": {first},
    "role": "BUYER",
    "most": 500,
    "connection": "hotmart_default",
}}
options = {{"schedule": None, "params": params, "default_args": DATES, **DATES}}
with DAG("as_text", **options):
    tasks()
with DAG("native", render_template_as_native_obj=True, **options):
    tasks()
"""


def test_templates_and_mapping_work_in_real_runs(airflow: ThrowawayAirflow, tmp_path: Path) -> None:
    with HotmartEmulator(products=6, sales=120, days=20, rate_limit=NO_LIMIT, clock=Clock(frozen=NOW)) as hotmart:
        first, second = (one["id"] for one in hotmart.products[:2])
        file = DAG_FILE.format(folder=str(tmp_path), first=first, second=second)
        run = airflow.run(file, "as_text", "native", connections={"hotmart_default": connection(hotmart)})
        assert run.report["import_errors"] == []

        for dag in ("as_text", "native"):

            def of(task: str, index: int = -1, dag: str = dag) -> Any:
                return run.task(task, index, dag)

            two = hotmart.truth(["APPROVED", "REFUNDED"], START, END)
            assert len(two) > 20
            assert set(identities(of("xcom_arg").xcom)) == two
            assert set(identities(of("pulled").xcom)) == two
            buyers = hotmart.truth(["APPROVED", "REFUNDED"], START, END, product_id=first)
            assert set(identities(of("jinja").xcom)) == {one for one in buyers if one[1] == "BUYER"} != set()

            for index, product in enumerate((first, second)):
                found = set(identities(of("expanded", index).xcom))
                assert found == hotmart.truth(None, START, END, product_id=product) != set()

            for index, day in enumerate((1, 8)):
                manifest = of("expanded_kwargs", index).xcom
                assert set(manifest) == set(MANIFEST)
                # The window is the mapped one, and not that of the DAG.
                assert manifest["window"]["start"] == f"2026-03-{day:02}T00:00:00+00:00"
                assert manifest["window"]["end"] == f"2026-03-{day + 7:02}T00:00:00+00:00"
                truth = hotmart.truth(None, START.replace(day=day), START.replace(day=day + 7))
                assert set(identities(read(tmp_path / f"mapped-{day}.jsonl"))) == truth != set()

            # The last 30 days, and not the dates of the DAG, which Airflow hands to mapped tasks as arguments.
            undated = of("undated", 0).xcom["window"]
            days = datetime.fromisoformat(undated["end"]) - datetime.fromisoformat(undated["start"])
            assert days == timedelta(days=30)
            assert datetime.fromisoformat(undated["end"]) <= datetime.now(UTC) + timedelta(seconds=1)

            active, two_more, wrong = (of("expanded_products", index) for index in range(3))
            assert {one["status"] for one in active.xcom} == {"ACTIVE"}
            assert {one["status"] for one in two_more.xcom} <= {"DRAFT", "PAUSED"}
            assert (wrong.state, wrong.tries, wrong.xcom) == ("failed", 1, None)

            manifest = of("to_path").xcom
            assert set(manifest) == set(MANIFEST)
            assert manifest["uri"] == f"{tmp_path}/{dag}.jsonl"
            assert len(read(tmp_path / f"{dag}.jsonl")) == 6

        assert "status 'NOPE' is unknown" in run.logs
        rendered = run.task("jinja", dag_id="as_text").rendered
        assert rendered["transaction_status"] == "['APPROVED', 'REFUNDED']"
        assert rendered["sales_start_date"] == "2026-03-01"
        assert rendered["max_xcom_records"] == "500"
        assert run.task("jinja", dag_id="native").rendered["transaction_status"] == ["APPROVED", "REFUNDED"]
