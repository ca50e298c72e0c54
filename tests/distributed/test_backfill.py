"""
The mapped back-fill on two Celery workers, one of which is killed in the middle.

One DAG run is told of by all tests here, because an Airflow with its servers takes a minute to start. The account
is wide: Hotmart refuses windows of more than ten days, so that a month takes some 130 calls, and the
months together more than one credential may make in two minutes.
"""

from __future__ import annotations

import gzip
import json
import logging
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_hotmart.api.enums import SaleStatus
from airflow_provider_hotmart.emulator import Call, HotmartEmulator, Quirks
from airflow_provider_hotmart.emulator.__main__ import connection
from tests.distributed.support import CONCURRENCY, ROOT, WORKERS, Cluster, TaskRun, cluster, wait_for

pytestmark = pytest.mark.timeout(600)
log = logging.getLogger(__name__)

EXAMPLE = ROOT / "dags_examples" / "hotmart_backfill.py"
RUN = "the-year"
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
TASK = "participants"
MONTHS = 9
#: Hotmart's limit, for one credential.
CALLS_A_MINUTE = 500
#: Calls in the busiest minute that put the limit to the test.
ENOUGH_CALLS = 350
#: Months that are done when one worker dies.
DONE_BEFORE = 3
#: Seconds that the DAG run may take; the example waits two minutes before it tries again.
LONGEST_RUN = 400.0

Identity = tuple[str, str, str | None, str]


@dataclass
class Story:
    """What there is to tell of the run."""

    state: str = ""
    months: list[TaskRun] = field(default_factory=list)
    lost: list[TaskRun] = field(default_factory=list)
    #: Running on the worker at the moment it was killed.
    struck: list[TaskRun] = field(default_factory=list)
    killed_at: float = 0.0
    calls: list[Call] = field(default_factory=list)
    files: dict[str, list[Identity]] = field(default_factory=dict)
    truth: dict[str, set[Identity]] = field(default_factory=dict)
    report: str = ""


def month(number: int) -> datetime:
    """The first moment of a month of the back-fill; the year ends before this month."""
    today = datetime.now(SAO_PAULO)
    count = today.year * 12 + today.month - 1 - MONTHS + number
    return datetime(count // 12, count % 12 + 1, 1, tzinfo=SAO_PAULO)


def read(path: Path) -> list[Identity]:
    """Who is in a file."""
    records = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    return [
        (one["transaction"], one["role"], one["user"].get("ucode") or None, one["transaction_status"])
        for one in records
    ]


def strike(airflow: Cluster, hotmart: HotmartEmulator, story: Story) -> None:
    """Kill one worker, once both have done some months and it is in the middle of others."""

    def busy() -> list[TaskRun]:
        tasks = airflow.tasks(RUN, TASK)
        done = [one for one in tasks if one.state == "success"]
        running = [one for one in tasks if one.state == "running" and one.start is not None]
        if len(done) < DONE_BEFORE or {one.worker for one in done} != set(WORKERS):
            return []
        # They have begun to list, and will not be done at once.
        moment = datetime.now(UTC) - timedelta(seconds=3)
        victims = [one for one in running if one.worker == WORKERS[1] and one.start < moment]
        return victims if len(hotmart.calls) > CALLS_A_MINUTE // 5 else []

    story.struck = wait_for(busy, LONGEST_RUN, "no worker was in the middle of a month", airflow)
    airflow.kill(WORKERS[1])
    story.killed_at = time.time()


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    story = Story()
    # Not pytest's own folder: PostgreSQL, which does not run as root, has to reach it.
    folder = Path(tempfile.mkdtemp(prefix="hotmart-distributed-"))
    folder.chmod(0o755)
    account = HotmartEmulator(
        sales=12_000,
        days=400,
        rate_limit=CALLS_A_MINUTE,
        # Sales that do not change meanwhile, so that what is true is true for the whole run.
        statuses=list(SaleStatus),
        quirks=Quirks(too_wide=timedelta(days=10)),
    )
    try:
        with (
            account as hotmart,
            cluster(
                folder,
                EXAMPLE,
                AIRFLOW_CONN_HOTMART_DEFAULT=connection(hotmart),
                AIRFLOW_VAR_HOTMART_DESTINATION=(folder / "files").as_uri(),
            ) as airflow,
        ):
            airflow.trigger(EXAMPLE.stem, RUN, first_month=f"{month(0):%Y-%m}", months=MONTHS)
            strike(airflow, hotmart, story)
            airflow.finish(RUN, LONGEST_RUN)
            story.state, story.report = airflow.state(RUN), airflow.report()
            story.months, story.lost = airflow.tasks(RUN, TASK), airflow.lost_tries(RUN, TASK)
            story.calls = list(hotmart.calls)
            story.files = {path.name: read(path) for path in (folder / "files" / "backfill").glob("[!.]*")}
            story.truth = {
                f"{month(number):%Y-%m}.jsonl.gz": hotmart.truth(None, month(number), month(number + 1))
                for number in range(MONTHS)
            }
        yield story
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_the_run_succeeds_although_a_worker_was_killed_in_the_middle_of_a_month(story: Story) -> None:
    assert story.state == "success", story.report
    assert [one.state for one in story.months] == ["success"] * MONTHS
    assert story.struck, "the worker was killed while it had nothing to do"


def test_both_workers_did_months_at_the_same_time(story: Story) -> None:
    tries = [*story.months, *story.lost]
    assert {one.worker for one in tries} == set(WORKERS)
    before = [one for one in story.months if one.end and one.end.timestamp() < story.killed_at]
    assert {one.worker for one in before} == set(WORKERS), "one of them had finished nothing when the other died"
    moments = sorted(one.start for one in tries if one.start)
    most = max(sum(1 for one in tries if one.start and one.start <= at and (one.end or at) >= at) for at in moments)
    assert CONCURRENCY < most <= CONCURRENCY * len(WORKERS), f"{most} months at once"


def test_what_the_dead_worker_had_under_way_is_done_again_by_the_other_one(story: Story) -> None:
    struck = {one.map_index for one in story.struck}
    again = {one.map_index for one in story.months if one.number > 1}
    assert struck <= again, f"{struck} were under way, {again} were tried again"
    assert {one.worker for one in story.months if one.map_index in struck} == {WORKERS[0]}
    assert {one.worker for one in story.lost} == {WORKERS[1]}, "a month failed on the worker that lived"


def test_the_union_of_the_files_is_exactly_what_is_true(story: Story) -> None:
    assert set(story.files) == set(story.truth)
    for name, people in story.files.items():
        assert len(set(people)) == len(people), f"somebody is in {name} twice"
        lost, invented = story.truth[name] - set(people), set(people) - story.truth[name]
        assert (len(lost), len(invented)) == (0, 0), name
    union = [one for people in story.files.values() for one in people]
    assert len(union) == sum(len(one) for one in story.truth.values()) > 10_000


def test_all_processes_together_keep_to_the_one_limit_of_their_credential(story: Story) -> None:
    minutes: dict[int, Counter[int]] = {}
    for call in story.calls:
        minutes.setdefault(int(call.at // 60), Counter())[call.status] += 1
    log.info("calls by minute and status: %s", [dict(one) for one in minutes.values()])
    # Whatever their answer: calls that are too wide count as well.
    busiest = max(sum(statuses.values()) - statuses[429] for statuses in minutes.values())
    assert busiest >= ENOUGH_CALLS, f"{busiest} calls in the busiest minute never come near the limit"
    for statuses in minutes.values():
        # A process that has just started knows nothing of the others: each may be told once, and then keeps to it.
        assert statuses[429] <= CONCURRENCY * len(WORKERS), minutes
