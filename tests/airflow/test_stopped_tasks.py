"""In a real Airflow: tasks that are marked failed by its API, and whose process is killed, at any moment."""

from __future__ import annotations

import gzip
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hotmart.emulator import HotmartEmulator
from tests.airflow.support import HAS_SUPERVISOR, connection, small_hotmart
from tests.airflow.versions import LINE

if HAS_SUPERVISOR:
    from tests.airflow.components import Components

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not HAS_SUPERVISOR, reason="its components and its API are those of Airflow 3"),
]

#: How often the process of each kind of task is killed, each time a little later.
KILLS = 20
#: Seconds within which a task ends: Airflow 3.3 kills it soon if it goes on although it was told to stop, before 3.3 a
#: task hears of it with its next heartbeat. Most of them are for a busy machine.
GRACE = 60
OLD = gzip.compress(b'{"old":true}\n')
#: Each task tells its process; those of a slow disk write on until they are told to stop.
DAGS = """
    import os
    import time
    from datetime import UTC, datetime
    from pathlib import Path

    from airflow.sdk import DAG
    from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator
    from airflow_provider_hotmart.sensors.sales import HotmartNewSalesParticipantsSensor

    FOLDER = Path("{folder}")

    def begin(context):
        name = context["dag"].dag_id
        (FOLDER / f"{{name}}.pid").write_text(str(os.getpid()))
        if name.startswith("slow_disk"):
            sync, on_kill, told = os.fsync, context["task"].on_kill, []

            def slowly(file):
                (FOLDER / f"{{name}}.syncing").touch()
                for _ in range(3000):
                    if not told:
                        time.sleep(0.1)
                sync(file)

            def tell():
                on_kill()
                told.append(True)

            os.fsync, context["task"].on_kill = slowly, tell

    def dag(name):
        (FOLDER / name).mkdir(exist_ok=True)
        return DAG(name, start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=None, max_active_runs=1)

    for kind in ("stalled", "slow_disk", "killed"):
        common = {{"task_id": "task", "transaction_status": "ALL", "pre_execute": begin}}
        if kind == "stalled":
            common["hotmart_conn_id"] = "slow"
        with dag(f"{{kind}}_operator"):
            HotmartListSalesParticipantsOperator(
                sales_start_date="{start}",
                sales_end_date="{end}",
                destination=str(FOLDER / f"{{kind}}_operator" / "file.jsonl.gz"),
                **common,
            )
        with dag(f"{{kind}}_sensor"):
            HotmartNewSalesParticipantsSensor(
                since="{start}",
                destination=str(FOLDER / f"{{kind}}_sensor" / "file.jsonl.gz"),
                ledger=str(FOLDER / f"{{kind}}_sensor" / "ledger.json"),
                timeout=60,
                **common,
            )
"""


@pytest.fixture(scope="module")
def hotmart() -> Iterator[HotmartEmulator]:
    with small_hotmart(sales=2000, days=6) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def slow() -> Iterator[HotmartEmulator]:
    """A Hotmart whose listing takes longer than anybody waits here."""
    with small_hotmart(sales=2000, days=6) as emulator:
        emulator.latency = 3.0
        yield emulator


@pytest.fixture(scope="module")
def airflow3(
    hotmart: HotmartEmulator, slow: HotmartEmulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Components]:
    home = tmp_path_factory.mktemp("components")
    folder = home / "results"
    folder.mkdir()
    now = datetime.now(UTC)
    dags = DAGS.format(folder=folder, start=(now - timedelta(days=7)).isoformat(), end=now.isoformat())
    connections = {
        "hotmart_default": connection(hotmart),
        "slow": connection(slow, timeout=60, max_parallel_calls=1),
    }
    with Components(home, {"dags_under_test.py": dags}, connections) as components:
        yield components


def results(airflow3: Components, dag_id: str) -> Path:
    """The folder of a DAG's files."""
    return airflow3.home / "results" / dag_id


def read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]


def start(airflow3: Components, dag_id: str, number: int = 0) -> str:
    """Start a run, and wait until its task's own process is at work."""
    pid = airflow3.home / "results" / f"{dag_id}.pid"
    pid.unlink(missing_ok=True)
    moment = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=number)
    run = f"run-{number}"
    airflow3.call("POST", f"dags/{dag_id}/dagRuns", {"dag_run_id": run, "logical_date": moment.isoformat()})
    airflow3.wait_for(lambda: pid.exists() and pid.read_text())
    return run


def state(airflow3: Components, dag_id: str, run: str) -> str | None:
    found = airflow3.rows(f"SELECT state FROM task_instance WHERE dag_id = '{dag_id}' AND run_id = '{run}'")
    return found[0][0] if found else None


def has_ended(process: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


@pytest.mark.parametrize("kind", ["operator", "sensor"])
@pytest.mark.parametrize("moment", ["stalled", "slow_disk"])
def test_a_task_that_is_marked_failed_publishes_and_records_nothing(
    airflow3: Components, slow: HotmartEmulator, kind: str, moment: str
) -> None:
    dag_id = f"{moment}_{kind}"
    folder = results(airflow3, dag_id)
    airflow3.wait_for(lambda: airflow3.rows(f"SELECT 1 FROM dag WHERE dag_id = '{dag_id}'"))
    file = folder / "file.jsonl.gz"
    file.write_bytes(OLD)
    calls = len(slow.calls)
    run = start(airflow3, dag_id)
    process = int((folder.parent / f"{dag_id}.pid").read_text())
    if moment == "stalled":
        airflow3.wait_for(lambda: len(slow.calls) > calls)
    else:
        airflow3.wait_for((folder.parent / f"{dag_id}.syncing").exists)
    airflow3.call("PATCH", f"dags/{dag_id}/dagRuns/{run}/taskInstances/task", {"new_state": "failed"})
    marked = time.monotonic()
    airflow3.wait_for(lambda: has_ended(process))
    assert time.monotonic() - marked < GRACE
    called = len(slow.calls)
    assert state(airflow3, dag_id, run) == "failed"
    if LINE >= (3, 3):
        assert file.read_bytes() == OLD
        # What is written has no name before it is published; a lock is given back, or runs out.
        assert {path.name for path in folder.iterdir()} <= {"file.jsonl.gz", "ledger.json.lock"}
        assert airflow3.rows(f"SELECT key FROM xcom WHERE dag_id = '{dag_id}' AND key = 'return_value'") == []
    time.sleep(1)  # longer than the task would need for its next call
    assert len(slow.calls) == called


def kill_again_and_again(
    airflow3: Components, everybody: set[tuple[str, str]], first: threading.Barrier, dag_id: str
) -> int:
    """
    Kill the process of one run after the other, each a little later, and let a last one be.

    :param first: passed once the first run of each DAG has ended.
    :return: how many were killed before they were done.
    """
    airflow3.wait_for(lambda: airflow3.rows(f"SELECT 1 FROM dag WHERE dag_id = '{dag_id}'"))
    folder = results(airflow3, dag_id)
    file = folder / "file.jsonl.gz"
    file.write_bytes(OLD)
    killed = 0
    for number in range(KILLS + 1):
        run = start(airflow3, dag_id, number)
        if number < KILLS:
            time.sleep(0.03 * number)
            with suppress(ProcessLookupError):
                os.kill(int((folder.parent / f"{dag_id}.pid").read_text()), signal.SIGKILL)
        airflow3.wait_for(lambda run=run: state(airflow3, dag_id, run) in ("failed", "success"))
        if number == 0:
            first.wait(300)
        people = {(one["transaction"], one["role"]) for one in read(file)} if file.read_bytes() != OLD else set()
        assert people in (set(), everybody), "old or new, and whole"
        if state(airflow3, dag_id, run) == "failed":
            killed += 1
        elif dag_id == "killed_sensor":
            break  # It has reported everybody: whom the runs before it had recorded, too.
    assert people == everybody
    assert {path.name for path in folder.iterdir()} <= {"file.jsonl.gz", "ledger.json"}, "no stray file"
    return killed


def test_wherever_the_process_is_killed_files_are_whole_and_everybody_is_reported(
    airflow3: Components, hotmart: HotmartEmulator
) -> None:
    # The first runs last longer than it can take to kill them.
    hotmart.latency = 3.0

    def go_on() -> None:
        hotmart.latency = 0.05

    first = threading.Barrier(2, go_on)
    everybody = {(sale.transaction, one["role"]) for sale in hotmart.sales for one in sale.participants}
    dags = ("killed_operator", "killed_sensor")
    with ThreadPoolExecutor(len(dags)) as threads:
        assert all(threads.map(partial(kill_again_and_again, airflow3, everybody, first), dags))
