"""
Measures webhooks in a whole Airflow, on PostgreSQL where that is installed: ``python -m benchmarks.webhooks``.

An emulator pushes sales at a steady rate, some of them twice, with wrong tokens and broken bodies among them, while the
API server is killed and started again. Now and then it pauses: what Airflow's own pages take with and without the load
is so measured side by side, whatever else the machine does. Not part of ``python -m benchmarks``: each line of Airflow
needs an environment of its own. ``make bench-webhooks`` has them all measured, into ``benchmarks/webhooks.md``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

import requests

from airflow_provider_hotmart.emulator import HotmartEmulator
from airflow_provider_hotmart.emulator.service.webhooks import HOTTOK, Habits
from benchmarks.harness import ROOT, Table, code
from tests.airflow.components import Components
from tests.airflow.support import connection

URI = "hotmart://webhooks/hotmart_default"
PASSWORD = "a password for benchmarks"  # noqa: S105 - of an Airflow that lives for minutes
#: Seconds between two polls of the watcher that webhooks are compared with.
POLL_INTERVAL = 60
#: Seconds of pushing, and of pausing.
PHASE = 20
NAMES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}
#: Pages of Airflow's own that somebody looks at meanwhile.
PAGES = ("/api/v2/dags", "/api/v2/assets", "/ui/dags")
DAGS = f"""
    from datetime import UTC, datetime
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG, Asset, AssetWatcher
    from airflow_provider_hotmart.triggers.event import HotmartSalesParticipantsEventTrigger

    polled = Asset(name="polled", uri="hotmart://polled/", watchers=[AssetWatcher(
        name="polled", trigger=HotmartSalesParticipantsEventTrigger(poll_interval={POLL_INTERVAL}),
    )])
    for name, asset in (("on_webhooks", Asset("{URI}/PURCHASE_APPROVED")), ("on_polls", polled)):
        with DAG(name, start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=[asset]):
            EmptyOperator(task_id="nothing")
"""


@dataclass(frozen=True)
class Result:
    """
    What came of a run; times in seconds.

    :param sales: that were pushed.
    :param deliveries: of them and of what is not genuine, without retries.
    :param kills: of the API server.
    :param lost: sales without an event.
    :param twice: sales with more than one.
    :param answered: median from a delivery to its answer, at its first attempt.
    :param run_median: from the first attempt of a delivery to the start of the run that has its event.
    :param run_p99: likewise.
    :param outage_p99: of those too that met a killed server.
    :param unstarted: sales whose event no run has.
    :param polled_median: from the sale to the event that the watcher adds.
    :param polled_p99: likewise.
    :param page_idle: median of Airflow's own pages without the load.
    :param page_loaded: with it.
    :param page_first: without it, before anything was pushed.
    :param page_last: without it, when all was pushed and the tables have grown.
    """

    airflow: str
    database: str
    sales: int
    deliveries: int
    rate: float
    kills: int
    lost: int
    twice: int
    answered: float
    run_median: float
    run_p99: float
    outage_p99: float
    unstarted: int
    polled_median: float
    polled_p99: float
    page_idle: float
    page_loaded: float
    page_first: float
    page_last: float

    @property
    def is_complete(self) -> bool:
        """Whether each sale is an event once, and in a run: before 3.2 the scheduler may leave some to the next run."""
        forgets = tuple(map(int, self.airflow.split(".")[:2])) < (3, 2)
        return not (self.lost or self.twice or (self.unstarted and not forgets))


def measure(home: Path, sales: int, rate: float, kills: int) -> Result:
    """
    Push sales to an Airflow.

    :param home: a folder for all that it writes.
    :param sales: how many.
    :param rate: in a second.
    :param kills: how often the API server is killed meanwhile.
    """
    (home / "passwords").write_text(json.dumps({"admin": PASSWORD}), encoding="utf-8")
    habits = Habits(duplicates=0.1, wrong_tokens=0.05, broken=0.05, retry_after=2.0, attempts=12)
    with (
        HotmartEmulator(sales=0, rate_limit=None, webhook_url="http://127.0.0.1:1/", webhook_habits=habits) as hotmart,
        Components(
            home,
            {"dags_of_benchmark.py": DAGS},
            {"hotmart_default": connection(hotmart, hottok=HOTTOK)},
            AIRFLOW__HOTMART__WEBHOOK_CONNECTIONS="hotmart_default",
            AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS="admin:admin",
            AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE=str(home / "passwords"),
        ) as airflow,
    ):
        webhooks = hotmart.webhooks
        assert webhooks is not None
        webhooks.url = f"{airflow.url}/hotmart/webhooks/hotmart_default"
        airflow.wait_for(lambda: len(airflow.rows("SELECT dag_id FROM dag")) == 2)
        kills_at = {sales * (number + 1) // (kills + 1) for number in range(kills)}
        sold: dict[str, float] = {}
        #: When sales were pushed, and when not, in epoch seconds.
        pushes: list[tuple[float, float]] = []
        pauses: list[tuple[float, float]] = []
        with Reader(airflow.url) as reader:
            while True:
                began = time.time()
                time.sleep(PHASE)
                pauses.append((began, time.time()))
                if len(sold) == sales:
                    break
                began, first = time.time(), len(sold)
                for number in range(first, min(sales, first + round(rate * PHASE))):
                    time.sleep(max(0.0, began + (number - first) / rate - time.time()))
                    sold[hotmart.add_sale().transaction] = time.time()
                    if number + 1 in kills_at:
                        airflow.kill("api-server")
                        airflow.start("api-server")
                pushes.append((began, time.time()))
                webhooks.wait(600)
        idle = [reader.took(*pause) for pause in pauses]
        loaded = [seconds for push in pushes for seconds in reader.took(*push)]
        return evaluate(airflow, hotmart, sold, idle, loaded, rate, kills)


class Reader:
    """
    Looks at Airflow's own pages, a few times a second, in a process of its own. Use it in a ``with`` statement.

    :param url: of the API server.
    """

    def __init__(self, url: str) -> None:
        credential = {"username": "admin", "password": PASSWORD}
        token = requests.post(f"{url}/auth/token", json=credential, timeout=30).json()["access_token"]
        context = multiprocessing.get_context("spawn")
        self._told, told = context.Pipe()
        self._process = context.Process(target=look, args=(url, token, told), daemon=True)
        self._looks: list[tuple[float, float]] = []

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._told.send("stop")
        self._looks = self._told.recv()
        self._process.join()

    def took(self, since: float, until: float) -> list[float]:
        """What pages took that were asked for between two moments, in seconds."""
        return [seconds for moment, seconds in self._looks if since <= moment < until]


def look(url: str, token: str, told: Connection) -> None:
    """
    Look at pages until told to stop.

    :param told: is sent when each was looked at, and the seconds that it took.
    """
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"
    looks = []
    for page in itertools.cycle(PAGES):
        if told.poll(0.2):
            break
        began = time.time()
        # There is no page while the API server is down.
        with suppress(requests.RequestException):
            session.get(url + page, timeout=30).raise_for_status()
            looks.append((began, time.time() - began))
    told.send(looks)


def evaluate(
    airflow: Components,
    hotmart: HotmartEmulator,
    sold: dict[str, float],
    idle: Sequence[Sequence[float]],
    loaded: Sequence[float],
    rate: float,
    kills: int,
) -> Result:
    """Compare what was pushed with what Airflow has."""
    assert hotmart.webhooks is not None
    sent = hotmart.webhooks.deliveries
    told = Counter(extra["transaction"] for extra, _ in events(airflow, URI))
    first: dict[str, Any] = {}
    for one in sent:
        if one.is_genuine:
            first.setdefault(one.body["id"], one)
    airflow.wait_for(lambda: not airflow.rows("SELECT * FROM asset_dag_run_queue"))
    airflow.wait_for(lambda: not airflow.rows("SELECT * FROM dag_run WHERE start_date IS NULL"))
    runs = started(airflow, f"{URI}/PURCHASE_APPROVED")
    waits = {key: runs[key] - one.sent_at for key, one in first.items() if key in runs}
    undisturbed = [wait for key, wait in waits.items() if first[key].statuses == [200]]
    polled = airflow.wait_for(lambda: found if len(found := polls(airflow)) >= len(sold) else None)
    polled_waits = [polled[code] - moment for code, moment in sold.items()]
    return Result(
        airflow=version("apache-airflow"),
        database=airflow.database,
        sales=len(sold),
        deliveries=len(sent),
        rate=rate,
        kills=kills,
        lost=len(sold.keys() - told.keys()),
        twice=sum(number > 1 for number in told.values()),
        answered=statistics.median(one.answered_at - one.sent_at for one in first.values() if one.statuses == [200]),
        run_median=statistics.median(undisturbed),
        run_p99=percentile(undisturbed),
        outage_p99=percentile(list(waits.values())),
        unstarted=len(sold.keys() - {first[key].body["data"]["purchase"]["transaction"] for key in waits}),
        polled_median=statistics.median(polled_waits),
        polled_p99=percentile(polled_waits),
        page_idle=statistics.median(itertools.chain.from_iterable(idle)),
        page_loaded=statistics.median(loaded),
        page_first=statistics.median(idle[0]),
        page_last=statistics.median(idle[-1]),
    )


def events(airflow: Components, uri: str) -> list[tuple[dict[str, Any], int]]:
    """Extra and id of an asset's events."""
    rows = airflow.rows(
        # The URI is one of those above.
        "SELECT asset_event.extra, asset_event.id FROM asset_event JOIN asset ON asset.id = asset_event.asset_id "  # noqa: S608
        f"WHERE asset.uri = '{uri}'"
    )
    return [(json.loads(extra) if isinstance(extra, str) else extra, number) for extra, number in rows]


def run_starts(airflow: Components) -> dict[int, float]:
    """When the run of each event started, in epoch seconds, by the event's id."""
    rows = airflow.rows(
        "SELECT dagrun_asset_event.event_id, dag_run.start_date FROM dagrun_asset_event "
        "JOIN dag_run ON dag_run.id = dagrun_asset_event.dag_run_id WHERE dag_run.start_date IS NOT NULL"
    )
    return {number: moment_of(moment) for number, moment in rows}


def started(airflow: Components, uri: str) -> dict[str, float]:
    """When the run of each delivery started, by the delivery's id."""
    starts = run_starts(airflow)
    return {extra["id"]: starts[number] for extra, number in events(airflow, uri) if number in starts}


def polls(airflow: Components) -> dict[str, float]:
    """
    When the watcher's event of each sale was stored.

    Not when its run started: Airflow lets an event that comes while its DAG is queued wait for the next one.
    """
    rows = airflow.rows(
        "SELECT asset_event.extra, asset_event.timestamp FROM asset_event "
        "JOIN asset ON asset.id = asset_event.asset_id WHERE asset.uri = 'hotmart://polled/'"
    )
    return {
        sale["transaction"]: moment_of(moment)
        for extra, moment in rows
        for sale in extra.get("payload", extra)["transactions"]
    }


def moment_of(value: Any) -> float:
    """A moment of the database in epoch seconds; SQLite has text, in UTC."""
    return value.timestamp() if isinstance(value, datetime) else datetime.fromisoformat(f"{value}+00:00").timestamp()


def percentile(values: Sequence[float]) -> float:
    """The 99th."""
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))]


def report(results: Sequence[Result]) -> str:
    """
    Write a table with a column for each Airflow.

    :param results: of each, as many sales at the same rate.
    """
    first = results[0]
    watcher = f"from the sale to the event of a watcher that polls every {POLL_INTERVAL} s"
    rows = {
        "from the delivery to the run's start: median": [f"{one.run_median:.2f} s" for one in results],
        "… 99th percentile": [f"{one.run_p99:.2f} s" for one in results],
        "… of what met a killed server, too": [f"{one.outage_p99:.1f} s" for one in results],
        f"{watcher}: median": [f"{one.polled_median:.1f} s" for one in results],
        "…: 99th percentile": [f"{one.polled_p99:.1f} s" for one in results],
        "from the delivery to its answer: median": [f"{one.answered * 1000:.0f} ms" for one in results],
        "sales lost": [one.lost for one in results],
        "sales told twice": [one.twice for one in results],
        "sales in no run": [one.unstarted for one in results],
        "a page of Airflow's own, in the pauses: median": [f"{one.page_idle * 1000:.0f} ms" for one in results],
        "… during the pushes": [f"{one.page_loaded / one.page_idle:.2f} times that" for one in results],
        "… in the last pause beside the first": [f"{one.page_last / one.page_first:.2f} times" for one in results],
    }
    if not first.kills:
        del rows["… of what met a killed server, too"]
    killed = f", the API server killed {first.kills} times" if first.kills else ""
    return Table(
        f"{first.sales:,} sales at {first.rate:g} a second{killed}",
        f"An emulator pushes them to a whole Airflow on {NAMES[first.database]}, {PHASE} seconds of pushing and "
        f"{PHASE} of pause in turn; each tenth comes twice, with wrong tokens and broken bodies among them "
        f"({first.deliveries:,} deliveries). A watcher polls the same sales every {POLL_INTERVAL} seconds. Measured on "
        f"{datetime.now(UTC):%Y-%m-%d} with {os.cpu_count()} cores, {code()}.",
        ("", *(f"Airflow {one.airflow}" for one in results)),
        [(name, *cells) for name, cells in rows.items()],
    ).markdown()


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.webhooks", description=__doc__)
    parser.add_argument("--sales", type=int, default=10_000, help="(default: %(default)s)")
    parser.add_argument("--rate", type=float, default=50.0, help="sales a second (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=2, help="of the API server (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print figures, no table")
    parser.add_argument(
        "--python", action="append", help="of an environment with another Airflow; repeatable (default: this one)"
    )
    options = parser.parse_args()
    results = []
    for python in options.python or ():
        arguments = ["--json", *(f"--{name}={getattr(options, name)}" for name in ("sales", "rate", "kills"))]
        command = [python, "-m", "benchmarks.webhooks", *arguments]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
        results.append(Result(**json.loads(done.stdout)))
    if not results:
        with tempfile.TemporaryDirectory() as folder:
            results.append(measure(Path(folder), options.sales, options.rate, options.kills))
    print(json.dumps(asdict(results[0])) if options.json else report(results))
    return 0 if all(one.is_complete for one in results) else 1


if __name__ == "__main__":
    sys.exit(main())
