"""Every block of code in the README and the documentation does what it says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_provider_hotmart.emulator import HotmartEmulator
from airflow_provider_hotmart.emulator.__main__ import parser
from airflow_provider_hotmart.emulator.account.webhook_rows import webhook
from tests.airflow.support import HAS_SUPERVISOR, ThrowawayAirflow, connection, environment
from tests.docs.commands import Terminal, check_compose, commands_in
from tests.docs.pages import DIRECTIVES, ROOT, Block, blocks_of, name_of, pages
from tests.docs.shapes import check_connection, kind_of, same_shape

PAGES = {name_of(page): blocks_of(page) for page in pages()}
#: A task that belongs to no DAG of the page's own.
LOOSE_TASK = re.compile(r"^(?:\w+ = )?Hotmart\w+(?:Operator|Sensor)[.(]", re.MULTILINE)
OWN_DAG = re.compile(r"^with DAG\(\s*\"(\w+)\"", re.MULTILINE)
#: The DAG that the tasks of a page without a DAG belong to.
PAGE_DAG = "docs_page"


def having(language: str) -> list[str]:
    return [page for page, blocks in PAGES.items() if any(block.language == language for block in blocks)]


def without_airflow_3(block: Block) -> bool:
    """``airflow.sdk`` exists since Airflow 3."""
    return "from airflow.sdk import" in block.text and not HAS_SUPERVISOR


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> ThrowawayAirflow:
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base
    return ThrowawayAirflow(Path(shared) / "migrated-airflow", tmp_path_factory.mktemp("docs"))


@pytest.fixture(scope="module")
def hotmart() -> Iterator[HotmartEmulator]:
    with HotmartEmulator(sales=400, days=40, rate_limit=10_000_000) as emulator:
        yield emulator


def replaced(text: str, folder: Path) -> str:
    """A page's code with the places that it names put below a folder of the test's own."""
    bucket = (folder / "bucket").as_uri()
    for named, own in {
        "s3://aws_default@my-bucket": bucket,
        "s3://aws_default@meu-bucket": bucket,
        "s3://my-bucket": bucket,
        "/tmp/hotmart": str(folder / "hotmart"),
        "/tmp/airflow-of-the-tests": str(folder / "airflow-home"),
    }.items():
        text = text.replace(named, own)
    return text


def as_file(blocks: list[Block], *, in_dag: bool) -> str:
    """One Python file of a page's blocks, each in the lines where the page has it, inside of a DAG."""
    lines: list[str] = []
    for block in blocks:
        lines += [""] * (block.line - 1 - len(lines))
        lines += block.text.splitlines()
    if in_dag:
        # The first line of a page is its title.
        lines[0] = (
            "import datetime as _d; from airflow.providers.common.compat.sdk import DAG as _DAG; "
            f"_page = _DAG({PAGE_DAG!r}, schedule=None, start_date=_d.datetime(2026, 1, 1, tzinfo=_d.UTC)); "
            "_page.__enter__()"
        )
        lines.append("_page.__exit__(None, None, None)")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_of_a_kind_that_is_executed(page: str) -> None:
    known = ("console", "json", "python", "yaml", *DIRECTIVES)
    assert [f"{block}: {block.language!r}" for block in PAGES[page] if block.language not in known] == []


YAML = [block for blocks in PAGES.values() for block in blocks if block.language == "yaml"]


@pytest.mark.parametrize("block", YAML, ids=str)
def test_a_compose_file_starts_an_emulator_that_its_airflow_reaches(block: Block) -> None:
    check_compose(block.text)


def test_whole_dags_on_the_pages_are_examples_that_run() -> None:
    included = [block.argument for blocks in PAGES.values() for block in blocks if block.language == "{literalinclude}"]
    assert sorted(included) == [f"../dags_examples/{path.name}" for path in sorted((ROOT / "dags_examples").glob("*"))
                                if path.suffix == ".py"]  # fmt: skip


@pytest.mark.airflow
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", sorted({*having("python"), *having("console")}))
def test_code_runs_in_the_order_of_the_page(
    page: str, airflow: ThrowawayAirflow, hotmart: HotmartEmulator, tmp_path: Path
) -> None:
    account = json.dumps(connection(hotmart))
    dags = tmp_path / "dags"
    dags.mkdir()
    variables = {
        "AIRFLOW_CONN_HOTMART_DEFAULT": account,
        "AIRFLOW_CONN_HOTMART_SECOND_ACCOUNT": account,
        "HOTMART_CLIENT_ID": hotmart.client_id,
        "HOTMART_CLIENT_SECRET": hotmart.client_secret,
    }
    for example in (ROOT / "dags_examples").glob("*.py"):
        if f'"{example.stem}"' in "".join(block.text for block in PAGES[page]):
            shutil.copy(example, dags)
    folders = {"AIRFLOW__CORE__DAGS_FOLDER": str(dags), "PWD": str(tmp_path)}
    terminal = Terminal(environment(airflow.home(), **folders, **variables), tmp_path)
    so_far: list[Block] = []
    for block in PAGES[page]:
        block = Block(block.page, block.line, block.language, replaced(block.text, tmp_path))
        if block.language == "python" and not without_airflow_3(block):
            so_far.append(block)
        elif block.language == "console":
            (dags / "page.py").write_text(as_file(so_far, in_dag=False), encoding="utf-8")
            for command in commands_in(block):
                terminal.type(command)
    code = "".join(block.text for block in so_far)
    if re.search(r"^def test_", code, re.MULTILINE):
        run_as_tests(as_file(so_far, in_dag=False), tmp_path, terminal.environment)
    elif so_far:
        own = [dag for dag in OWN_DAG.findall(code) if dag not in terminal.ran]
        run_as_dag(code, as_file(so_far, in_dag=True), own, airflow, variables)


def run_as_dag(code: str, file: str, own: list[str], airflow: ThrowawayAirflow, variables: Mapping[str, str]) -> None:
    loose = [PAGE_DAG] if LOOSE_TASK.search(code) else []
    now = datetime.now(UTC).isoformat()
    runs = [{"dag_id": dag, "logical_date": now} for dag in (*loose, *own)]
    run = airflow.run(file, *runs, **variables)
    assert run.report["import_errors"] == []
    assert run.report["warnings"] == []
    assert bool(run.states()) == bool(runs)
    failed = {task: state for task, state in run.states().items() if state != "success"}
    assert not failed, f"{failed}\n{run.output[-8000:]}"


def run_as_tests(file: str, folder: Path, variables: Mapping[str, str]) -> None:
    (folder / "test_page.py").write_text(file, encoding="utf-8")
    without = {name: value for name, value in variables.items() if not name.startswith("AIRFLOW_CONN_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir=.", "test_page.py"],
        env=without,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert re.search(r"\d+ passed", done.stdout)
    assert not re.search(r"skipped|failed|xfail", done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def real(airflow: ThrowawayAirflow, hotmart: HotmartEmulator, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One of everything that the pages show, as it really comes."""
    from airflow_provider_hotmart.api.client import HotmartClient
    from airflow_provider_hotmart.api.config import HotmartConfig
    from airflow_provider_hotmart.api.endpoint import Endpoint
    from airflow_provider_hotmart.api.endpoints.products import PRODUCTS
    from airflow_provider_hotmart.api.endpoints.sales import SALES, SALES_PARTICIPANTS
    from airflow_provider_hotmart.api.filters import build_query
    from airflow_provider_hotmart.api.joining import PARTS, SalesListing
    from airflow_provider_hotmart.api.listing import Listing
    from airflow_provider_hotmart.watching.snapshot import Snapshot
    from airflow_provider_hotmart.watching.watch import Watch
    from airflow_provider_hotmart.webhooks.delivery import Delivery

    folder = tmp_path_factory.mktemp("real").as_uri()
    dag = f"""
        from datetime import UTC, datetime
        from airflow.providers.common.compat.sdk import DAG
        from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator
        from airflow_provider_hotmart.sensors.sales import HotmartNewSalesParticipantsSensor

        with DAG("real", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
            HotmartListSalesParticipantsOperator(task_id="manifest", destination="{folder}/a.jsonl")
            HotmartNewSalesParticipantsSensor(task_id="found", destination="{folder}/b.jsonl")
    """
    run = airflow.run(dag, "real", connections={"hotmart_default": connection(hotmart)})
    config = HotmartConfig.from_fields(login=hotmart.client_id, password=hotmart.client_secret, host=hotmart.url)
    client = HotmartClient(config)
    record: dict[str, Any] = {}

    def listed(endpoint: Endpoint, **filters: Any) -> Iterator[dict[str, Any]]:
        return Listing(client, build_query(endpoint, now=client.clock.time(), **filters)).objects()

    for one in listed(SALES_PARTICIPANTS, transaction_status="ALL"):
        # Some field is missing of everybody; together they have them all.
        address = {**record.get("user", {}).get("address", {}), **(one["user"].get("address") or {})}
        record = {**one, "user": {**record.get("user", {}), **one["user"], "address": address}}
    sales = SalesListing(client, build_query(SALES, now=client.clock.time()), tuple(PARTS)).objects()
    plain = {"base", "total", "vat", "real_conversion_rate"}
    watch = Watch("hotmart_default")
    window = watch.window(client.clock.time(), None)
    snapshot = Snapshot.take(watch, window, watch.listing(client, window))
    return {
        "record": record,
        "product": next(listed(PRODUCTS)),
        "parts": next({part: one[part] for part in PARTS} for one in sales if one["price_details"].keys() == plain),
        "manifest": run.task("manifest").xcom,
        "found with a file": run.task("found").xcom,
        "event": snapshot.news([]).events[0],
        "webhook": Delivery.read(json.dumps(webhook("PURCHASE_APPROVED", hotmart.sales[0], 0.0)).encode()).extra,
    }


#: The rules of stores are put to the test in tests/stores.
JSON = [
    block
    for blocks in PAGES.values()
    for block in blocks
    if block.language == "json" and not {"Rules", "rules"} & set(json.loads(block.text))
]


@pytest.mark.airflow
@pytest.mark.slow
@pytest.mark.parametrize("block", JSON, ids=str)
def test_json_looks_like_the_real_thing(block: Block, real: Mapping[str, Any]) -> None:
    shown = json.loads(block.text)
    kind = kind_of(shown)
    if kind == "connection":
        check_connection(block.text)
    else:
        same_shape(shown, real[kind])


@pytest.mark.parametrize(
    "block", [block for blocks in PAGES.values() for block in blocks if block.language == "yaml"], ids=str
)
def test_a_compose_file_connects_airflow_with_the_emulator_in_it(block: Block) -> None:
    services = yaml.safe_load(block.text)["services"]
    command = services.pop("hotmart")["command"]
    options = parser().parse_args(command.partition(".emulator ")[2].rstrip('"').split())
    assert services.keys() == {
        f"airflow-{name}" for name in ("apiserver", "dag-processor", "scheduler", "triggerer", "worker")
    }
    for service in services.values():
        account = service["environment"]["AIRFLOW_CONN_HOTMART_DEFAULT"]
        check_connection(account)
        fields = json.loads(account)
        usual = parser().parse_args([])
        assert (fields["login"], fields["password"]) == (usual.client_id, usual.client_secret)
        assert fields["host"] == f"http://hotmart:{options.port}"
        assert options.host == "0.0.0.0"
