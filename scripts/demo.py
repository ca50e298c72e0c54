"""
Run two example DAGs in a throw-away Airflow against a local Hotmart, and show what they made.

No account is needed, nothing is written outside the checkout's directory ``.demo``, and everything that is
started here is ended here. Run it with ``make demo``.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from airflow_provider_hotmart.emulator import HotmartEmulator

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / ".demo"
LOG = DEMO / "demo.log"
DAILY = "hotmart_daily_to_object_storage"
NEW_BUYERS = "hotmart_new_buyers"
#: Of the examples.
ZONE = ZoneInfo("America/Sao_Paulo")
REFUNDS = 3
STEP = 110.0  # seconds, for one Airflow command
WIDTH = 110
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
    try:
        with HotmartEmulator(sales=5000) as hotmart:
            play(hotmart)
    except DemoError as error:
        print(f"\nThe demo failed: {error}\nThe end of {show(LOG)}:\n", file=sys.stderr)
        print(*tail(LOG, LOG_LINES_SHOWN), sep="\n", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
    finally:
        end_all()
    say(f"\nDone in {time.monotonic() - started:.0f} seconds. Everything it made is in {show(DEMO)}/.")
    say(
        "\nNext, keep a Hotmart of your own running, and go on at step 2 of docs/quick-start.md:\n\n"
        "  .venv/bin/python -m airflow_provider_hotmart.emulator --port 8085 --sales 1000"
    )
    return 0


def play(hotmart: HotmartEmulator) -> None:
    """Go through the demo's steps."""
    say(f"A local Hotmart with 5,000 made-up sales listens at {hotmart.url}")
    say(f"Making an Airflow of its own; what it says goes to {show(LOG)} ...")
    airflow(hotmart, "db", "migrate")
    list_yesterday(hotmart)
    wait_for_somebody_new(hotmart)


def list_yesterday(hotmart: HotmartEmulator) -> None:
    """Run the daily example, and count what it wrote."""
    today = datetime.now(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    yesterday = (today - timedelta(hours=12)).replace(hour=0)
    say(f"\n1. YESTERDAY'S SALES. {REFUNDS} of its buyers ask for their money back, before the DAG lists the day:")
    approved = sorted({one[0] for one in hotmart.truth("APPROVED", yesterday, today)})
    for transaction in approved[:REFUNDS]:
        hotmart.move(transaction, "REFUNDED")
    dags_test(hotmart, DAILY, today + timedelta(hours=6))

    participants = result_of(DAILY, "participants")
    products = result_of(DAILY, "products")
    path = Path(participants["uri"])
    if path.name != f"{yesterday.date()}.jsonl.gz":
        raise DemoError(f"the DAG listed another day than {yesterday.date()}: it wrote {show(path)}")
    records = list(read(path))
    say(f"   {products['records']} products are in {show(Path(products['uri']))}")
    say(f"   {participants['records']} people in sales of {yesterday.date()} are in {show(path)}. One of its lines:")
    buyer = next(one for one in records if one["role"] == "BUYER")
    for line in textwrap.wrap(json.dumps(buyer, ensure_ascii=False), WIDTH):
        say(f"     {line}")
    counted = Counter(status for _, status in {(one["transaction"], one["transaction_status"]) for one in records})
    say("   Their sales by status:")
    for status, sales in counted.most_common():
        hint = "  <- only listed because the DAG asks for every status" if status == "REFUNDED" else ""
        say(f"     {sales:>4}  {status}{hint}")
    if counted["REFUNDED"] < REFUNDS:
        raise DemoError(f"only {counted['REFUNDED']} of {REFUNDS} refunds were listed")


def wait_for_somebody_new(hotmart: HotmartEmulator) -> None:
    """Let the sensor's example remember who there is, let somebody buy, and see that it finds exactly that."""
    say("\n2. NEW BUYERS. The sensor has never looked, so everybody of the last seven days is new to it:")
    now = datetime.now(UTC).replace(microsecond=0)
    dags_test(hotmart, NEW_BUYERS, now - timedelta(hours=1))
    say(f"   new: {result_of(NEW_BUYERS, 'new_buyers')['new']}")
    sale = hotmart.add_sale()
    say(f"   Now somebody buys (transaction {sale.transaction}), and it looks again:")
    dags_test(hotmart, NEW_BUYERS, now)
    found = result_of(NEW_BUYERS, "new_buyers")
    say(f"   new: {found['new']}, {', '.join(found['transactions'])}, in {show(Path(found['uri']))}")
    if found["transactions"] != [sale.transaction]:
        raise DemoError(f"the sensor did not find exactly the sale {sale.transaction}")


def dags_test(hotmart: HotmartEmulator, dag_id: str, moment: datetime) -> None:
    """Run a DAG for a moment, as somebody would type it."""
    say(f"   $ airflow dags test {dag_id} {moment.isoformat()}")
    airflow(hotmart, "dags", "test", dag_id, moment.isoformat())


def airflow(hotmart: HotmartEmulator, *arguments: str) -> None:
    """Run one Airflow command, with its output in the log."""
    name = f"`airflow {' '.join(arguments[:2])}`"
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"\n$ airflow {' '.join(arguments)}\n")
        log.flush()
        # In a session of its own, so that it ends together with all that it starts.
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow", *arguments],
            cwd=ROOT,
            env=environment(hotmart),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        running.append(process)
        try:
            status = process.wait(timeout=STEP)
        except subprocess.TimeoutExpired:
            raise DemoError(f"{name} took more than {STEP:.0f} seconds") from None
    end(process)
    if status != 0:
        raise DemoError(f"{name} ended with status {status}")


def environment(hotmart: HotmartEmulator) -> dict[str, str]:
    """Return the variables of a quick and quiet Airflow of its own, connected to the local Hotmart."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "_AIRFLOW_"))}
    connection = {"conn_type": "hotmart", "host": hotmart.url, "login": hotmart.client_id}
    return kept | {
        "AIRFLOW_HOME": str(DEMO / "airflow"),
        "AIRFLOW_CONN_HOTMART_DEFAULT": json.dumps({**connection, "password": hotmart.client_secret}),
        # Where the example DAGs write.
        "AIRFLOW_VAR_HOTMART_DESTINATION": (DEMO / "files").as_uri(),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags_examples"),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{DEMO / 'airflow' / 'airflow.db'}",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "NO_PROXY": "127.0.0.1,localhost",
        "PYTHONUNBUFFERED": "1",
    }


def result_of(dag_id: str, task_id: str) -> dict[str, Any]:
    """Return what a task's last run left in XCom."""
    database = sqlite3.connect(f"{(DEMO / 'airflow' / 'airflow.db').as_uri()}?mode=ro", uri=True)
    try:
        row = database.execute(
            "SELECT value FROM xcom WHERE dag_id = ? AND task_id = ? AND key = 'return_value' "
            "ORDER BY dag_run_id DESC LIMIT 1",
            (dag_id, task_id),
        ).fetchone()
    finally:
        database.close()
    if row is None:
        raise DemoError(f"{dag_id} ran, but its task {task_id} has no result")
    found = json.loads(row[0])
    # Some versions of Airflow encode twice.
    result: dict[str, Any] = json.loads(found) if isinstance(found, str) else found
    return result


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a compressed file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


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
