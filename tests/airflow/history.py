"""DAG runs one after the other in a real Airflow, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.airflow.support import LONGEST, environment
from tests.support import free_port

RUNNER = Path(__file__).with_name("history_runner.py")


@dataclass(frozen=True)
class Outcome:
    """What a DAG run came to."""

    states: dict[str, str]
    #: XComs by task and key.
    xcoms: dict[str, dict[str, Any]]
    #: Arguments of the triggers that its tasks deferred to, and how the database holds them.
    triggers: list[dict[str, Any]]

    def transactions(self, task: str = "new_people") -> list[str] | None:
        """Whose sales were reported; None: the task did not get that far."""
        value = self.xcoms.get(task, {}).get("return_value")
        return None if value is None else sorted(value["transactions"])


class History:
    """
    The runs of DAGs.

    :param process: does what it is told, line by line.
    :param log: where its output goes.
    """

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self.log = log

    def run(
        self, dag_id: str, run_id: str, type: str = "manual", logical_date: str | None = None, event: Any = None
    ) -> Outcome:
        """
        Make a DAG run and wait for its end.

        :param type: scheduled, manual or asset_triggered.
        :param logical_date: None: a run without.
        :param event: an object with the ``payload`` to hand to a task that defers, in place of its trigger's.
        """
        job = {"do": "run", "dag_id": dag_id, "run_id": run_id, "type": type, "logical_date": logical_date}
        return Outcome(**self.tell({**job, "event": event}))

    def clear(self, dag_id: str, run_id: str, task_id: str = "new_people", map_index: int = -1) -> Outcome:
        """Clear a task of a run and wait until it has run again."""
        job = {"do": "clear", "dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index}
        return Outcome(**self.tell(job))

    def tell(self, job: Mapping[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            with self.log.open("a", encoding="utf-8") as log:
                log.write(line)
            if line.startswith("ANSWER "):
                answer = json.loads(line.removeprefix("ANSWER "))
                assert "failed" not in answer, answer["failed"]
                return answer
        raise AssertionError(self.logs()[-5000:])

    def logs(self) -> str:
        """All that was logged."""
        return self.log.read_text(encoding="utf-8") + self.log.with_suffix(".err").read_text(encoding="utf-8")


@contextmanager
def history(home: Path, dags: str, **changes: str) -> Iterator[History]:
    """
    Start a process that runs DAGs.

    :param home: an Airflow home with a database.
    :param dags: what is in the DAG file.
    :param changes: variables of the process.
    """
    folder = home / "dags"
    folder.mkdir()
    (folder / "dags_under_test.py").write_text(textwrap.dedent(dags), encoding="utf-8")
    log = home / "history.log"
    log.touch()
    with log.with_suffix(".err").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, str(RUNNER)],
            env=environment(home, AIRFLOW__CORE__DAGS_FOLDER=str(folder), **changes),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            told = History(process, log)
            told.tell({"folder": str(folder)})
            yield told
        finally:
            process.kill()
            process.communicate()


def _postgres_tool(name: str) -> str | None:
    """Where a tool of PostgreSQL is; Debian keeps them apart by version."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


def postgres_is_installed() -> bool:
    """Whether :func:`postgres` can start one."""
    return _postgres_tool("initdb") is not None


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL of the test's own, on a free port of this machine; gives SQLAlchemy's URL of its database."""
    initdb, pg_ctl = _postgres_tool("initdb"), _postgres_tool("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("PostgreSQL is not installed: sudo scripts/install-test-servers.sh postgresql")
    # It refuses to run as root.
    user: dict[str, Any] = {}
    folder = Path(tempfile.mkdtemp(prefix="hotmart-postgres-"))
    if os.geteuid() == 0:
        entry = pwd.getpwnam("postgres")
        user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        shutil.chown(folder, entry.pw_uid, entry.pw_gid)

    def run(*command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, cwd=folder, check=False, **user)
        assert done.returncode == 0, done.stdout + done.stderr

    port = free_port()
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    data = str(folder / "data")
    try:
        run(initdb, "-D", data, "-A", "trust", "-U", "airflow", "-E", "UTF8", "--no-sync")
        run(pg_ctl, "-D", data, "-w", "-t", str(LONGEST), "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql+psycopg2://airflow@127.0.0.1:{port}/postgres"
        finally:
            run(pg_ctl, "-D", data, "-w", "-t", str(LONGEST), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def migrate(home: Path, url: str) -> None:
    """Make Airflow's tables."""
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env=environment(home, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=url),
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
