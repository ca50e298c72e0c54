"""An Airflow with its web interface, a browser, and a local Hotmart: all real, all started and ended here."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_provider_hotmart.emulator import HotmartEmulator

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
#: Without these, Chromium looks for Google's hosts at every start.
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_TIMEOUT = 240.0
WRONG_SECRET = """
from datetime import UTC, datetime

from airflow.sdk import DAG

from airflow_provider_hotmart.operators.products import HotmartListProductsOperator

with DAG("wrong_secret", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), default_args={"retries": 3}):
    HotmartListProductsOperator(task_id="products", hotmart_conn_id="hotmart_wrong")
"""


@dataclass(frozen=True)
class Site:
    """
    A running Airflow.

    :param url: of its web interface.
    :param password: of the user ``admin``.
    :param files: where the example DAGs write.
    """

    url: str
    password: str
    files: Path


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture(scope="session")
def hotmart() -> Iterator[HotmartEmulator]:
    with HotmartEmulator(sales=3000, days=60, rate_limit=1_000_000) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def site(hotmart: HotmartEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("airflow")
    password = secrets.token_urlsafe(8)
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps({"admin": password}))
    port = free_port()
    # A short name, because the documentation shows it.
    files = Path(tempfile.mkdtemp(prefix="hotmart-"))
    site = Site(f"http://127.0.0.1:{port}", password, files)
    dags = home / "dags"
    shutil.copytree(ROOT / "dags_examples", dags, ignore=shutil.ignore_patterns("__pycache__"))
    watching = dags / "hotmart_on_new_sales.py"
    # Nobody is to wait for five minutes: when the watcher first polls, no test has made the connection yet.
    faster = watching.read_text(encoding="utf-8").replace("poll_interval=300", "poll_interval=5")
    watching.write_text(faster, encoding="utf-8")
    (dags / "wrong_secret.py").write_text(WRONG_SECRET, encoding="utf-8")
    log = home / "standalone.log"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{site.url}/execution/",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__CORE__SENSITIVE_VAR_CONN_NAMES": "pseudonym_key,hottok",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW_VAR_HOTMART_DESTINATION": site.files.as_uri(),
    }
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow", "standalone"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until_up(site, process, log)
        yield site
    finally:
        # It ignores SIGINT, and its components outlive it: the whole session has to go.
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                continue
            except ProcessLookupError:
                break
        shutil.rmtree(files, ignore_errors=True)


def wait_until_up(site: Site, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_TIMEOUT
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{site.url}/api/v2/monitor/health", timeout=5) as answer:
                health = json.load(answer)
            if all(health[part]["status"] == "healthy" for part in ("scheduler", "dag_processor")):
                return
        except (OSError, urllib.error.URLError, KeyError):
            pass
        time.sleep(0.5)
    pytest.fail(f"Airflow did not come up:\n{log.read_text()[-3000:]}")
