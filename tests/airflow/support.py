"""What the tests with a real Airflow share: a throw-away Airflow, DAG runs in it, and what they left."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hotmart.emulator import HotmartEmulator
from tests.airflow.versions import LINE

RUNNER = Path(__file__).with_name("dag_runner.py")
ROOT = RUNNER.parents[2]
#: So many calls a minute that no test ever waits for one.
NO_LIMIT = 10_000_000
SALES = "/payments/api/v1/sales/users"
PRODUCTS = "/products/api/v1/products"
#: Whether tasks run in a process of their own with another one that watches over it, as they do since Airflow 3.
HAS_SUPERVISOR = LINE >= (3, 0)
#: Variables that keep Airflow from warning of what it does by itself.
QUIET = {} if HAS_SUPERVISOR else {"AIRFLOW__METRICS__TIMER_UNIT_CONSISTENCY": "True"}
#: Seconds that one process with Airflow in it may take.
LONGEST = 200


def small_hotmart(**arguments: Any) -> HotmartEmulator:
    """An account with a few products and sales, not started yet."""
    return HotmartEmulator(**{"products": 6, "sales": 60, "days": 20, "rate_limit": NO_LIMIT, **arguments})


def connection(hotmart: HotmartEmulator, **changes: Any) -> dict[str, Any]:
    """
    The fields of a connection to an emulator.

    :param changes: other values of its fields; those that are not fields go into ``extra``.
    """
    fields: dict[str, Any] = {
        "conn_type": "hotmart",
        "login": hotmart.client_id,
        "password": hotmart.client_secret,
        "host": hotmart.url,
        "extra": {"timeout": 10, "max_retries": 0, "max_rate_limit_wait": 0},
    }
    for name, value in changes.items():
        if name in ("login", "password", "host", "port", "schema", "extra"):
            fields[name] = value
        else:
            fields["extra"][name] = value
    return fields


@contextmanager
def connected(fields: Mapping[str, Any], conn_id: str = "hotmart_default") -> Iterator[None]:
    """Give this process an Airflow connection."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))
        yield


def environment(home: Path, **changes: str) -> dict[str, str]:
    """Variables of a process whose Airflow lives in ``home``, without a proxy."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW_", "_AIRFLOW_")) and not name.lower().endswith("_proxy")
    }
    return {
        **kept,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")]),
        "PYTHONPATH": str(ROOT),
        **QUIET,
        **changes,
    }


def python(home: Path, code: str, *options: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own."""
    done = subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(code)],
        env=environment(home, **changes),
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def migrated_home(shared: Path, own: Path) -> Path:
    """
    Make an Airflow home with a database.

    :param shared: a folder that all processes of the test run share; the first one makes the database there.
    :param own: the new home.
    """
    shared.mkdir(parents=True, exist_ok=True)
    template = shared / "airflow.db"
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            making = shared / "making"
            making.mkdir()
            command = [sys.executable, "-m", "airflow", "db", "migrate"]
            done = subprocess.run(
                command, env=environment(making), capture_output=True, text=True, timeout=LONGEST, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
            (making / "airflow.db").rename(template)
    own.mkdir(parents=True, exist_ok=True)
    shutil.copy(template, own / "airflow.db")
    return own


@dataclass(frozen=True)
class TaskRun:
    """What became of one task."""

    state: str
    tries: int
    #: Its XCom ``return_value``; None: there is none.
    xcom: Any
    #: Its template fields, as the user interface shows them.
    rendered: dict[str, Any]


@dataclass
class AirflowRun:
    """What DAG runs left behind."""

    home: Path
    output: str
    report: dict[str, Any] = field(default_factory=dict)

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.home / "airflow.db")) as database:
            return database.execute(query).fetchall()

    @cached_property
    def _tasks(self) -> dict[tuple[str, str, int], TaskRun]:
        xcoms = {
            (dag, task, index): _read(value)
            for dag, task, index, value in self._rows(
                "SELECT dag_id, task_id, map_index, value FROM xcom WHERE key = 'return_value'"
            )
        }
        rendered = {
            (dag, task, index): _read(value)
            for dag, task, index, value in self._rows(
                "SELECT dag_id, task_id, map_index, rendered_fields FROM rendered_task_instance_fields"
            )
        }
        query = "SELECT dag_id, task_id, map_index, state, try_number FROM task_instance"
        return {
            (dag, task, index): TaskRun(
                state, tries, xcoms.get((dag, task, index)), rendered.get((dag, task, index), {})
            )
            for dag, task, index, state, tries in self._rows(query)
        }

    def task(self, task_id: str, map_index: int = -1, dag_id: str | None = None) -> TaskRun:
        """The one task of this name."""
        [found] = [
            run
            for (dag, task, index), run in self._tasks.items()
            if (task, index) == (task_id, map_index) and dag_id in (None, dag)
        ]
        return found

    def mapped(self, task_id: str) -> list[TaskRun]:
        """The tasks that a mapped one became, in their order."""
        found = sorted((index, run) for (_, task, index), run in self._tasks.items() if task == task_id and index >= 0)
        return [run for _, run in found]

    def states(self) -> dict[str, str]:
        """State by task."""
        return {task if index < 0 else f"{task}[{index}]": run.state for (_, task, index), run in self._tasks.items()}

    @property
    def logs(self) -> str:
        """All that was logged: the output, and the log files."""
        files = [path for path in sorted((self.home / "logs").rglob("*")) if path.is_file()]
        return "\n".join([self.output, *(path.read_text(encoding="utf-8", errors="replace") for path in files)])

    @property
    def task_logs(self) -> list[Path]:
        """Log files of single tasks."""
        return [path for path in (self.home / "logs").rglob("*.log") if path.parent.parent.parent.parent.name == "logs"]

    def database(self, table: str | None = None) -> str:
        """The rows of Airflow's database as text, XComs and rendered templates included."""
        with closing(sqlite3.connect(self.home / "airflow.db")) as database:
            names = [table] if table else [name for (name,) in self._rows("SELECT name FROM sqlite_master")]
            tables = {name for (name,) in self._rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
            lines: list[str] = []
            for name in names:
                if name in tables:
                    lines += [_text(value) for row in database.execute(f'SELECT * FROM "{name}"') for value in row]
        return "\n".join(lines)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _read(value: Any) -> Any:
    """A JSON value as the versions of Airflow store it: text, bytes, or text in text."""
    for _ in range(2):
        if isinstance(value, (str, bytes)):
            try:
                value = json.loads(value)
            except ValueError:
                break
    return value


@dataclass
class ThrowawayAirflow:
    """
    Makes Airflow homes and runs DAGs in them.

    :param shared: a folder that all processes of the test run share.
    :param folder: where the homes go.
    """

    shared: Path
    folder: Path
    _homes: int = 0

    def home(self) -> Path:
        """A new home with an empty database."""
        self._homes += 1
        return migrated_home(self.shared, self.folder / f"home-{self._homes}")

    def run(
        self,
        dag: str | Path | Sequence[Path],
        *runs: str | Mapping[str, Any],
        connections: Mapping[str, Mapping[str, Any]] | None = None,
        supervised: bool = False,
        unmasked: bool = False,
        **changes: str,
    ) -> AirflowRun:
        """
        Run DAGs with their tasks for real.

        :param dag: the DAG file, several of them, or what is in one.
        :param runs: DAG ids, or ``dag_id`` with ``logical_date``, ``run_after`` (since Airflow 3) and ``conf``.
        :param connections: fields by connection id.
        :param supervised: each task in a process of its own with a log file, as executors of Airflow 3 do.
        :param unmasked: without Airflow's masking of secrets.
        :param changes: variables of the process.
        """
        home = self.home()
        dags = home / "dags"
        dags.mkdir()
        if isinstance(dag, str):
            file = dags / "dag_under_test.py"
            file.write_text(textwrap.dedent(dag), encoding="utf-8")
        elif isinstance(dag, Path):
            file = Path(shutil.copy(dag, dags))
        else:
            file = dags
            for one in dag:
                shutil.copy(one, dags)
        job = {
            "file": str(file),
            "report": str(home / "report.json"),
            "runs": [{"dag_id": run} if isinstance(run, str) else dict(run) for run in runs],
            "supervised": supervised,
            "unmasked": unmasked,
        }
        variables = {f"AIRFLOW_CONN_{name.upper()}": json.dumps(fields) for name, fields in (connections or {}).items()}
        done = subprocess.run(
            [sys.executable, str(RUNNER)],
            env=environment(home, AIRFLOW__CORE__DAGS_FOLDER=str(dags), **variables, **changes),
            input=json.dumps(job),
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
        report = json.loads((home / "report.json").read_text())
        return AirflowRun(home, done.stdout + done.stderr, report)


def identities(records: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, str | None, str]]:
    """Who is in records, as the emulator's ``truth()`` tells it."""
    return [
        (one["transaction"], one["role"], one["user"].get("ucode") or None, one["transaction_status"])
        for one in records
    ]


def execute(operator: Any) -> Any:
    """
    Execute an operator by itself, in this process.

    Airflow wraps ``execute`` to warn of that; what it wraps is called here.
    """
    return type(operator).execute.__wrapped__(operator, {})
