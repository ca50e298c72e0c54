"""
Run an example DAG in a throw-away Airflow against a local Hotmart, and show what it made.

No account is needed, nothing is written outside the checkout's directory ``.demo``, and everything that is
started here is ended here. Run it with ``make demo``.
"""

from __future__ import annotations

import datetime
import gzip
import json
import os
import queue
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / ".demo"
LOG = DEMO / "demo.log"
DAG_ID = "hotmart_daily_to_object_storage"
CONNECTION_ID = "hotmart_default"
EMULATOR_START = 20.0  # seconds
STEP = 110.0  # seconds, for one Airflow command
ROWS_SHOWN = 3
ROW_WIDTH = 400
LOG_LINES_SHOWN = 40

running: list[subprocess.Popen[str]] = []


class DemoError(Exception):
    """A step of the demo did not do what it is there for."""


def main() -> int:
    """Play the demo; return the exit status."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    started = time.monotonic()
    shutil.rmtree(DEMO, ignore_errors=True)
    (DEMO / "airflow").mkdir(parents=True)
    say(f"Airflow's own output goes to {show(LOG)}")
    try:
        play()
    except DemoError as error:
        print(f"\nThe demo failed: {error}\nThe end of {show(LOG)}:\n", file=sys.stderr)
        print(*tail(LOG, LOG_LINES_SHOWN), sep="\n", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
    finally:
        end_all()
    say(f"Done in {time.monotonic() - started:.0f} seconds. Everything it made is in {show(DEMO)}/.")
    return 0


def play() -> None:
    """Go through the demo's steps."""
    say("Starting a local Hotmart with made-up sales ...")
    connection = start_emulator()
    say(f"  it listens at {connection['host']}")

    say("Making an Airflow of its own, on SQLite ...")
    airflow("db", "migrate")
    say(f"Adding the connection {CONNECTION_ID} ...")
    airflow("connections", "add", CONNECTION_ID, "--conn-json", json.dumps(connection))

    day = datetime.datetime.now(tz=datetime.UTC).date() - datetime.timedelta(days=1)
    say(f"Running the DAG {DAG_ID} for {day} ...")
    airflow("dags", "test", DAG_ID, day.isoformat())

    manifests = list(read_manifests())
    if not manifests:
        raise DemoError("the DAG ran, but none of its tasks reported a file")
    for task, manifest in manifests:
        show_result(task, manifest)


def start_emulator() -> dict[str, Any]:
    """Start the emulator on a free port; return the Airflow connection that it prints."""
    command = [sys.executable, "-u", "-m", "airflow_provider_hotmart.emulator", "--port", "0", "--sales", "5000"]
    process = start(command, stdout=subprocess.PIPE)
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=forward, args=(process.stdout, lines), daemon=True).start()
    prefix = f"AIRFLOW_CONN_{CONNECTION_ID.upper()}="
    until = time.monotonic() + EMULATOR_START
    while (left := until - time.monotonic()) > 0:
        try:
            line = lines.get(timeout=left)
        except queue.Empty:
            break
        if line is None:
            raise DemoError("the local Hotmart ended before it was ready")
        _, found, value = line.partition(prefix)
        if found:
            return read_connection(value)
    raise DemoError(f"the local Hotmart did not say within {EMULATOR_START:.0f} seconds where it listens")


def read_connection(value: str) -> dict[str, Any]:
    """Read the JSON that follows ``AIRFLOW_CONN_...=``, which may be quoted for a shell."""
    try:
        return json.loads(value.strip().strip("'"))
    except ValueError as error:
        raise DemoError(f"the local Hotmart printed a connection that is not JSON: {value.strip()}") from error


def forward(source: Iterable[str], lines: queue.SimpleQueue[str | None]) -> None:
    """Copy a process's lines to the log and to a queue, until the process ends."""
    with LOG.open("a", encoding="utf-8") as log:
        for line in source:
            log.write(line)
            log.flush()
            lines.put(line)
    lines.put(None)


def airflow(*arguments: str) -> None:
    """Run one Airflow command, with its output in the log."""
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"\n$ airflow {' '.join(arguments[:3])} ...\n")
        log.flush()
        process = start([sys.executable, "-m", "airflow", *arguments], stdout=log)
        try:
            status = process.wait(timeout=STEP)
        except subprocess.TimeoutExpired:
            raise DemoError(f"`airflow {arguments[0]} {arguments[1]}` took more than {STEP:.0f} seconds") from None
    end(process)
    if status != 0:
        raise DemoError(f"`airflow {arguments[0]} {arguments[1]}` ended with status {status}")


def start(command: list[str], stdout: Any) -> subprocess.Popen[str]:
    """Start a process in a session of its own, so that it ends together with all that it starts."""
    with LOG.open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=log,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
    running.append(process)
    return process


def environment() -> dict[str, str]:
    """Return the variables that make Airflow a quick and quiet one of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "_AIRFLOW_"))}
    return kept | {
        "AIRFLOW_HOME": str(DEMO / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags_examples"),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{DEMO / 'airflow' / 'airflow.db'}",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        # Where the example DAG writes, unless it is told otherwise.
        "AIRFLOW_VAR_HOTMART_DESTINATION": (DEMO / "files").as_uri(),
        "HOTMART_DESTINATION": (DEMO / "files").as_uri(),
        "NO_PROXY": "127.0.0.1,localhost",
        "PYTHONUNBUFFERED": "1",
    }


def read_manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each task of the run and the manifest that it left in XCom."""
    database = sqlite3.connect(f"{(DEMO / 'airflow' / 'airflow.db').as_uri()}?mode=ro", uri=True)
    try:
        rows = database.execute(
            "SELECT task_id, value FROM xcom WHERE dag_id = ? AND key = 'return_value' ORDER BY task_id, map_index",
            (DAG_ID,),
        ).fetchall()
    finally:
        database.close()
    for task, value in rows:
        found = json.loads(value)
        if isinstance(found, str):  # some versions of Airflow encode twice
            try:
                found = json.loads(found)
            except ValueError:
                continue
        if isinstance(found, dict) and {"path", "records"} <= found.keys():
            yield task, found


def show_result(task: str, manifest: dict[str, Any]) -> None:
    """Print what a task left in XCom, and the first rows of the file it wrote."""
    print(f"\nTask {task} left this manifest in XCom:")
    for name, value in manifest.items():
        print(f"  {name:<20} {value}")
    path = Path(manifest["path"].removeprefix("file://"))
    if not path.is_file():
        raise DemoError(f"{manifest['path']} is not there")
    print(f"The first rows of {show(path)}:")
    for row in first_rows(path, ROWS_SHOWN):
        print(f"  {row if len(row) <= ROW_WIDTH else row[:ROW_WIDTH] + ' ...'}")


def first_rows(path: Path, count: int) -> Iterator[str]:
    """Yield the first lines of a file, which may be compressed."""
    opener: Any = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for _, line in zip(range(count), lines, strict=False):
            yield line.rstrip("\n")


def end_all() -> None:
    """End every process that was started, last one first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an impatient second Ctrl-C must not leave them behind
    while running:
        end(running[-1])


def end(process: subprocess.Popen[str]) -> None:
    """End a process and everything that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            continue
    process.wait()
    running.remove(process)


def interrupt(number: int, frame: object) -> NoReturn:
    """Treat being ended from outside like Ctrl-C."""
    raise KeyboardInterrupt


def tail(path: Path, count: int) -> list[str]:
    """Return the last lines of a file."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    # While a task waits for its retry, Airflow says so every second.
    return [line for line in lines if "No tasks to run" not in line][-count:]


def show(path: Path) -> str:
    """Return a path as someone in the checkout would type it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def say(text: str) -> None:
    """Print a line of progress at once."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
