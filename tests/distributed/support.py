"""
A distributed Airflow on this machine: PostgreSQL, Redis, Airflow's own processes and two Celery workers.

Everything listens on loopback at ports that were free, keeps its files in one temporary folder, and is configured by
environment variables alone. Each program runs in a session of its own; a session is ended as a whole, with the
processes that its tasks have started.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg2
import requests

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
WORKERS = ("worker-one", "worker-two")
SERVERS = ("postgresql", "redis")
#: Tasks that a worker runs at once.
CONCURRENCY = 2
#: Seconds until a program that was started answers.
LONGEST_START = 90.0
#: Seconds that a program has to end by itself.
LONGEST_END = 5.0
#: Every process of a cluster carries the folder's path in this variable, so that none of them is overlooked.
MARK = "HOTMART_TEST_CLUSTER"
INSTALL = "sudo scripts/install-test-servers.sh (Debian's packages postgresql and redis-server)"


class MissingServerError(Exception):
    """A program that these tests need is not installed."""


@dataclass(frozen=True)
class TaskRun:
    """One try of one task, as Airflow's database has it."""

    map_index: int
    state: str | None
    number: int
    worker: str
    start: datetime | None
    end: datetime | None


@dataclass
class Cluster:
    """
    The processes, and what they write down.

    :param folder: of all files.
    :param environment: of all processes.
    :param database: how to connect to PostgreSQL.
    :param api: URL of Airflow's API server.
    """

    folder: Path
    environment: dict[str, str]
    database: str
    api: str
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def logs(self) -> Path:
        """Where each program's output goes."""
        return self.folder / "output"

    def start(self, name: str, *command: str | Path, **options: Any) -> subprocess.Popen[bytes]:
        """Start a program in a session of its own."""
        self.logs.mkdir(exist_ok=True)
        with (self.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [str(part) for part in command],
                env={**self.environment, "WORKER_NAME": name},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **options,
            )
        self.processes[name] = process
        return process

    def start_worker(self, name: str) -> None:
        """Start a Celery worker."""
        concurrency = ["--concurrency", str(CONCURRENCY), "--skip-serve-logs", "--without-mingle", "--without-gossip"]
        self.start(name, BIN / "airflow", "celery", "worker", "--celery-hostname", name, *concurrency)

    def kill(self, name: str) -> None:
        """End a program and all that it started, as a power cut would."""
        process = self.processes.pop(name)
        # Tasks are groups of their own, in the session of their worker.
        for _ in range(3):
            for pid in in_session(process.pid):
                send(pid, signal.SIGKILL)
        process.wait(10)

    def stop(self) -> None:
        """End everything, Airflow before its servers: politely, then not."""
        servers = [name for name in self.processes if name in SERVERS]
        for names in ([name for name in self.processes if name not in SERVERS], servers):
            for name in names:
                # PostgreSQL takes this for "fast shutdown".
                send(self.processes[name].pid, signal.SIGINT if name == "postgresql" else signal.SIGTERM)
            until = time.monotonic() + LONGEST_END
            while any(self.processes[name].poll() is None for name in names) and time.monotonic() < until:
                time.sleep(0.1)
            for name in names:
                self.kill(name)
        for pid in self.remaining():
            send(pid, signal.SIGKILL)

    def remaining(self) -> list[int]:
        """Processes of this cluster that are still there."""
        mark = f"{MARK}={self.folder}".encode()
        return [pid for pid in pids() if pid != os.getpid() and mark in environ(pid).split(b"\0")]

    def airflow(self, *arguments: str) -> str:
        """Run one Airflow command."""
        done = subprocess.run(
            [BIN / "airflow", *arguments],
            env={**self.environment, "WORKER_NAME": "command"},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=LONGEST_START,
            check=False,
        )
        assert done.returncode == 0, f"airflow {' '.join(arguments)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask Airflow's database."""
        with closing(psycopg2.connect(self.database)) as connection, connection.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall()

    def trigger(self, dag_id: str, run_id: str, **conf: Any) -> None:
        """Start a DAG run, by Airflow's API."""
        with requests.Session() as session:
            session.trust_env = False
            token = session.get(f"{self.api}/auth/token", timeout=30).json()["access_token"]
            answer = session.post(
                f"{self.api}/api/v2/dags/{dag_id}/dagRuns",
                json={"dag_run_id": run_id, "logical_date": None, "conf": conf},
                headers={"Authorization": f"Bearer {token}"},
                timeout=30,
            )
        assert answer.ok, answer.text

    def state(self, run_id: str) -> str:
        """State of a DAG run."""
        [(state,)] = self.query("SELECT state FROM dag_run WHERE run_id = %s", run_id)
        return str(state)

    def tasks(self, run_id: str, task_id: str) -> list[TaskRun]:
        """What one task of a DAG run was mapped to: the last tries."""
        return self._tries("task_instance", run_id, task_id)

    def lost_tries(self, run_id: str, task_id: str) -> list[TaskRun]:
        """The tries before the last ones."""
        return self._tries("task_instance_history", run_id, task_id)

    def _tries(self, table: str, run_id: str, task_id: str) -> list[TaskRun]:
        columns = "map_index, state, try_number, hostname, start_date, end_date"
        rows = self.query(
            f"SELECT {columns} FROM {table} WHERE run_id = %s AND task_id = %s ORDER BY map_index, try_number",
            run_id,
            task_id,
        )
        return [TaskRun(*row) for row in rows]

    def finish(self, run_id: str, seconds: float) -> None:
        """Wait until a DAG run is over."""
        wait_for(lambda: self.state(run_id) in ("success", "failed"), seconds, f"{run_id} did not end", self)

    def report(self) -> str:
        """What there is to know when something went wrong."""
        tries = "SELECT task_id, map_index, state, try_number, hostname FROM task_instance"
        lines = [str(row) for row in self.query(tries)]
        for path in sorted(self.logs.iterdir()):
            tail = path.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
            lines += [f"--- {path.name}", *tail]
        return "\n".join(lines)


def wait_for(condition: Callable[[], Any], seconds: float, problem: str, cluster: Cluster | None = None) -> Any:
    """Wait until something holds; return what the condition gave."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > until:
            raise AssertionError(f"{problem} within {seconds:.0f} s\n{cluster.report() if cluster else ''}")
        time.sleep(0.25)
    return found


def pids() -> list[int]:
    """All processes of this machine."""
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def in_session(session: int) -> list[int]:
    """The processes of a session."""
    found = []
    for pid in pids():
        try:
            if os.getsid(pid) == session:
                found.append(pid)
        except ProcessLookupError:
            continue
    return found


def environ(pid: int) -> bytes:
    """A process's environment, as it was when it started; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to one process, if it is still there."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens at."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def answers(port: int) -> bool:
    """Whether somebody listens at a port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def program(name: str, *places: str) -> Path:
    """
    Find a server's program.

    :raises MissingServerError: saying how to install it.
    """
    found = shutil.which(name)
    if found is None:
        candidates = [path for place in places for path in sorted(Path("/").glob(f"{place}/{name}"), reverse=True)]
        if not candidates:
            raise MissingServerError(f"{name} is not installed: {INSTALL}")
        return candidates[0]
    return Path(found)


def start_postgresql(cluster: Cluster, port: int) -> None:
    """Start a PostgreSQL of the test's own; it refuses to run as root."""
    places = "usr/lib/postgresql/*/bin"
    data = cluster.folder / "postgresql"
    data.mkdir(mode=0o700)
    account: dict[str, Any] = {}
    if os.geteuid() == 0:
        entry = pwd.getpwnam("postgres")
        account = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        os.chown(data, entry.pw_uid, entry.pw_gid)
    subprocess.run(
        [program("initdb", places), "-D", data, "-U", "airflow", "--auth=trust", "--no-sync", "-E", "UTF8"],
        cwd="/",
        env={**cluster.environment, "LC_ALL": "C.UTF-8"},
        stdout=subprocess.DEVNULL,
        check=True,
        **account,
    )
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "fsync": "off",
        "max_connections": "300",
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    cluster.start("postgresql", program("postgres", places), "-D", data, "-p", str(port), *options, **account)
    wait_for(lambda: accepts(cluster.database), 30, "PostgreSQL did not start")


def accepts(database: str) -> bool:
    """Whether PostgreSQL takes connections."""
    try:
        psycopg2.connect(database).close()
    except psycopg2.OperationalError:
        return False
    return True


def start_redis(cluster: Cluster, port: int) -> None:
    """Start a Redis of the test's own."""
    options = {"--port": port, "--bind": "127.0.0.1", "--save": "", "--appendonly": "no", "--dir": cluster.folder}
    cluster.start("redis", program("redis-server"), *[str(part) for pair in options.items() for part in pair])
    wait_for(lambda: answers(port), 30, "Redis did not start")


def settings(folder: Path, database: int, broker: int, api: int, dags: Path) -> dict[str, str]:
    """All of Airflow's configuration."""
    sql = f"postgresql+psycopg2://airflow@127.0.0.1:{database}/postgres"
    secret = "only-for-this-test-" * 4
    options = {
        "CORE__EXECUTOR": "CeleryExecutor",
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DAGS_FOLDER": str(dags),
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{api}/execution/",
        "CORE__HOSTNAME_CALLABLE": "worker_name.worker_name",
        "CORE__PARALLELISM": "8",
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "API__HOST": "127.0.0.1",
        "API__PORT": str(api),
        "API__SECRET_KEY": secret,
        "API_AUTH__JWT_SECRET": secret,
        "DATABASE__SQL_ALCHEMY_CONN": sql,
        "CELERY__BROKER_URL": f"redis://127.0.0.1:{broker}/0",
        "CELERY__RESULT_BACKEND": f"db+{sql}",
        # A message that a worker took along into its death is handed out again after this time.
        "CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "60",
        # A task that has not been heard of for so long is lost, and tried again.
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "12",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
        "SCHEDULER__TASK_QUEUED_TIMEOUT": "20",
        "SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
        "DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    return {f"AIRFLOW__{name}": value for name, value in options.items()}


@contextmanager
def cluster(folder: Path, dag: Path, **variables: str) -> Iterator[Cluster]:
    """
    Run a distributed Airflow.

    :param folder: an empty one, reachable for every user.
    :param dag: the one DAG file.
    :param variables: more environment variables, such as connections.
    """
    dags = folder / "dags"
    dags.mkdir()
    shutil.copy(dag, dags)
    database, broker, api = free_ports(3)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW_", "_AIRFLOW_", "PG")) and not name.lower().endswith("_proxy")
    }
    environment = {
        **kept,
        **settings(folder, database, broker, api, dags),
        "AIRFLOW_HOME": str(folder),
        "PATH": f"{BIN}{os.pathsep}{kept.get('PATH', '')}",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)]),
        # Celery refuses to work as root otherwise.
        "C_FORCE_ROOT": "true",
        MARK: str(folder),
        **variables,
    }
    url = f"postgresql://airflow@127.0.0.1:{database}/postgres"
    running = Cluster(folder, environment, url, f"http://127.0.0.1:{api}")
    try:
        start_postgresql(running, database)
        start_redis(running, broker)
        running.airflow("db", "migrate")
        running.start("api-server", BIN / "airflow", "api-server", "--workers", "1")
        for name in WORKERS:
            running.start_worker(name)
        running.start("scheduler", BIN / "airflow", "scheduler", "--skip-serve-logs")
        running.start("dag-processor", BIN / "airflow", "dag-processor")
        wait_for(lambda: answers(api), LONGEST_START, "the API server did not start", running)
        found = "SELECT 1 FROM serialized_dag"
        wait_for(lambda: running.query(found), LONGEST_START, "the DAG was not found", running)
        for name in WORKERS:
            log = running.logs / f"{name}.log"
            wait_for(lambda log=log: b" ready" in log.read_bytes(), LONGEST_START, f"{name} is not ready", running)
        yield running
    finally:
        running.stop()
        left: Mapping[int, bytes] = {pid: environ(pid) for pid in running.remaining()}
        assert not left, f"these processes outlived the test: {sorted(left)}"
