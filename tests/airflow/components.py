"""A whole Airflow: API server, scheduler, DAG processor and triggerer, each a process that a test can kill."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self, TypeVar

import psutil
import requests
import sqlalchemy

from tests.airflow.history import postgres, postgres_is_installed
from tests.airflow.support import environment, python
from tests.support import free_port

_T = TypeVar("_T")
#: Seconds to wait for what takes one or two on an idle machine.
PATIENCE = 120
PROCESSES = ("api-server", "scheduler", "dag-processor", "triggerer")

#: The connection of the store below.
SHELF = "shelf"
#: Stands for S3: a store of files whose place an Airflow connection tells, looked up just as Amazon's provider does.
STORE = """
from airflow.providers.common.compat.sdk import BaseHook
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

schemes = ["s3"]


class Shelf(DirFileSystem):
    async_impl = False  # As its files are: what is sent to a real S3 goes by the calls of s3fs.


def get_fs(conn_id, storage_options=None):
    return Shelf(BaseHook.get_connection(conn_id).host, LocalFileSystem(auto_mkdir=True))


def get_provider_info():
    return {
        "package-name": "airflow-provider-shelf",
        "name": "Shelf",
        "description": "Keeps files on a shelf",
        "filesystems": ["shelf.store"],
    }
"""


def install_store(folder: Path) -> None:
    """Put a provider with that store into a folder of Python packages."""
    info, package = folder / "airflow_provider_shelf-1.0.dist-info", folder / "shelf"
    info.mkdir(parents=True)
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "store.py").write_text(STORE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: airflow-provider-shelf\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[apache_airflow_provider]\nprovider_info=shelf.store:get_provider_info\n")


class Components:
    """
    The processes, on PostgreSQL where that is installed, else on SQLite. Use it in a ``with`` statement.

    :param home: a folder for all they write.
    :param dags: content by name of the DAG file.
    :param connections: fields by connection id, kept in the database; one named ``shelf`` brings its store along.
    :param changes: variables of the environment of all of them.
    """

    def __init__(
        self, home: Path, dags: Mapping[str, str], connections: Mapping[str, Mapping[str, Any]], **changes: str
    ) -> None:
        self._changes = changes
        self.home = home
        self._dags = dags
        self._connections = connections
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        with self._closing:
            url = f"sqlite:///{self.home / 'airflow.db'}"
            if postgres_is_installed() and find_spec("psycopg2") is not None:
                url = self._closing.enter_context(postgres())
            self._engine = sqlalchemy.create_engine(url)
            self._closing.callback(self._engine.dispose)
            self._closing.callback(self._end_all)
            self._prepare(url)
            for name in PROCESSES:
                self.start(name)
                if name == "api-server":
                    self.wait_for(self.is_listening)
            self._closing = self._closing.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def _prepare(self, url: str) -> None:
        folder = self.home / "dags"
        folder.mkdir(parents=True)
        for name, content in self._dags.items():
            (folder / name).write_text(textwrap.dedent(content), encoding="utf-8")
        packages = self.home / "packages"
        if SHELF in self._connections:
            install_store(packages)
        self._port = port = free_port()
        self._variables = {
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__SECRET_KEY": "known to every component",
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": "known to every component, and as long as it has to be: 64 bytes or more",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__FERNET_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "1",
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "5",
            # On a busy machine the first answer takes its time.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
            "AIRFLOW_VAR_HOTMART_DESTINATION": (self.home / "files").as_uri(),
            "PYTHONUNBUFFERED": "1",
            **self._changes,
        }
        self._variables["PYTHONPATH"] = os.pathsep.join([environment(self.home)["PYTHONPATH"], str(packages)])
        rows = [{"conn_id": name, **fields} for name, fields in self._connections.items()]
        code = f"""
            import json
            from airflow.models.connection import Connection
            from airflow.utils.db import initdb
            from airflow.utils.session import create_session

            initdb()
            with create_session() as session:
                for fields in json.loads({json.dumps(json.dumps(rows))}):
                    extra = json.dumps(fields.pop("extra", {{}}))
                    session.add(Connection(**fields, extra=extra))
        """
        python(self.home, code, **self._variables)

    @property
    def url(self) -> str:
        """Base URL of the API server."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def database(self) -> str:
        """``postgresql`` or ``sqlite``."""
        return self._engine.dialect.name

    def is_listening(self) -> bool:
        """Whether the API server answers."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=1):
            return True
        return False

    def start(self, name: str) -> None:
        """Start a component, which must not be running."""
        command = [sys.executable, "-m", "airflow", name]
        if name in ("scheduler", "triggerer"):
            command.append("--skip-serve-logs")
        with self.log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                command,
                env=environment(self.home, **self._variables),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def pid(self, name: str) -> int:
        """The process of a component."""
        return self._running[name].pid

    def terminate(self, name: str) -> None:
        """Tell a component to end, and wait for it and all that it started."""
        process = self._running.pop(name)
        everything = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        process.terminate()
        try:
            process.wait(PATIENCE)
            assert psutil.wait_procs(everything, PATIENCE)[1] == []
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def kill(self, name: str) -> None:
        """Kill a component and all that it started."""
        process = self._running.pop(name)
        with suppress(psutil.NoSuchProcess):
            started = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            for one in started:
                with suppress(psutil.NoSuchProcess):
                    one.kill()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _end_all(self) -> None:
        for name in reversed(list(self._running)):
            self.kill(name)

    def log(self, name: str) -> Path:
        """Where a component's output goes."""
        return self.home / f"{name}.log"

    def rows(self, query: str) -> list[Any]:
        """What the database answers."""
        with self._engine.connect() as connection:
            return list(connection.execute(sqlalchemy.text(query)))

    def tables(self) -> list[str]:
        """Names of all tables of the database."""
        return sqlalchemy.inspect(self._engine).get_table_names()

    def wait_for(self, what: Callable[[], _T]) -> _T:
        """Ask until the answer is a true one."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if answer := what():
                return answer
            for name, process in self._running.items():
                assert process.poll() is None, self.log(name).read_text(encoding="utf-8", errors="replace")[-3000:]
            time.sleep(0.2)
        ends = {name: self.log(name).read_text(encoding="utf-8", errors="replace")[-1500:] for name in self._running}
        raise AssertionError("it did not come to pass\n" + "\n".join(f"== {name}\n{end}" for name, end in ends.items()))

    def call(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
        """Call the public API as an administrator; what is asked for has to be done."""
        url = f"http://127.0.0.1:{self._port}"
        token = requests.get(f"{url}/auth/token", timeout=PATIENCE).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        response = requests.request(method, f"{url}/api/v2/{path}", json=content, headers=headers, timeout=PATIENCE)
        assert response.ok, response.text
        return response.json()

    def state(self, dag_id: str) -> str | None:
        """State of the only task of a DAG's only run."""
        found = self.rows(f"SELECT state FROM task_instance WHERE dag_id = '{dag_id}'")
        return found[0][0] if found else None
