"""The recipes of the documentation tile time: over days of 23 and of 25 hours, however their runs came about."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_hotmart.emulator import Clock, HotmartEmulator
from tests.airflow.support import (
    HAS_SUPERVISOR,
    ROOT,
    AirflowRun,
    ThrowawayAirflow,
    connection,
    identities,
    small_hotmart,
)
from tests.docs.pages import blocks_of, name_of, pages

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

#: São Paulo, of which the pages tell, has had no daylight saving time since 2019.
BERLIN = ZoneInfo("Europe/Berlin")
#: Around a day of 23 hours (March 29) and one of 25 (October 25).
DAYS = [date(2026, 3, 28) + timedelta(days=n) for n in range(3)] + [
    date(2026, 10, 24) + timedelta(days=n) for n in range(3)
]
HOURS = {date(2026, 3, 29): 23, date(2026, 10, 25): 25}
NOW = datetime(2026, 11, 2, tzinfo=UTC)
PAGES = [
    "README.md",
    "docs/formats.md",
    "docs/index.md",
    "docs/operators.md",
    "docs/sales.md",
    "docs/windows-and-statuses.md",
]
DAG = """
from datetime import datetime
from zoneinfo import ZoneInfo

from airflow.providers.common.compat.sdk import DAG

BEGIN = datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Berlin"))

with DAG("recipe", schedule={schedule}, start_date=BEGIN, catchup=False):
{blocks}
"""


@pytest.fixture(scope="module")
def hotmart() -> Iterator[HotmartEmulator]:
    with small_hotmart(sales=20_000, days=300, clock=Clock(frozen=NOW)) as emulator:
        yield emulator


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), BERLIN)


def recipe(page: str, folder: Path, schedule: str = '"0 6 * * *"') -> str:
    """The blocks of a page that ask for the day of a run, as one DAG in Berlin."""
    code = "\n".join(block.text for block in blocks_of(ROOT / page) if "macros.hotmart" in block.text)
    assert "America/Sao_Paulo" in code
    code = code.replace("America/Sao_Paulo", "Europe/Berlin")
    code = code.replace("s3://aws_default@my-bucket", folder.as_uri())
    indented = "".join(f"    {line}" if line.strip() else line for line in code.splitlines(keepends=True))
    return DAG.format(schedule=schedule, blocks=indented)


def manifests(run: AirflowRun, task: str) -> list[dict[str, Any]]:
    """What each run of a task wrote, by the window."""
    return all_manifests(run)[task]


def all_manifests(run: AirflowRun) -> dict[str, list[dict[str, Any]]]:
    """What each run of each task wrote, by the task and the window."""
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for task, value in run._rows("SELECT task_id, value FROM xcom WHERE key = 'return_value'"):
        manifest = json.loads(value)
        manifest = json.loads(manifest) if isinstance(manifest, str) else manifest
        # Products have none.
        if isinstance(manifest, dict) and manifest.get("window") is not None:
            found[task].append(manifest)
    return {task: sorted(those, key=lambda one: one["window"]["start"]) for task, those in found.items()}


def check_windows(found: list[dict[str, Any]], days: list[date]) -> None:
    """See that each day has one window, which is that day there, and one file, which has its name."""
    windows = [
        (datetime.fromisoformat(one["window"]["start"]), datetime.fromisoformat(one["window"]["end"])) for one in found
    ]
    assert windows == [(midnight(day), midnight(day + timedelta(days=1))) for day in days]
    assert [(end - start) / timedelta(hours=1) for start, end in windows] == [HOURS.get(day, 24) for day in days]
    assert [Path(one["uri"]).name.partition(".")[0] for one in found] == [f"{day}" for day in days]


def check_files(folder: Path, days: list[date], hotmart: HotmartEmulator) -> None:
    """See that each day has a file, in which everybody of that day is, once, and nobody else."""
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{day}.jsonl.gz" for day in days)
    for day in days:
        lines = gzip.decompress((folder / f"{day}.jsonl.gz").read_bytes()).splitlines()
        people = identities(map(json.loads, lines))
        assert len(people) == len(set(people))
        assert set(people) == hotmart.truth(None, midnight(day), midnight(day + timedelta(days=1)))
    for day in HOURS:  # there would be somebody in an hour too many or too few
        hours = [midnight(day).astimezone(UTC) + timedelta(hours=count) for count in (23, 24, 25)]
        assert hotmart.truth(None, hours[0], hours[1])
        assert hotmart.truth(None, hours[1], hours[2])


def test_every_page_with_a_recipe_is_tested() -> None:
    recipes = [name_of(page) for page in pages() if any("sales_end_date=TODAY" in one.text for one in blocks_of(page))]
    assert recipes == PAGES


@pytest.mark.parametrize("page", PAGES)
def test_a_recipe_on_a_schedule_tiles(
    page: str, airflow: ThrowawayAirflow, hotmart: HotmartEmulator, tmp_path: Path
) -> None:
    mornings = [datetime.combine(day + timedelta(days=1), time(6), BERLIN) for day in DAYS]
    runs = [{"dag_id": "recipe", "logical_date": morning.isoformat()} for morning in mornings]
    run = airflow.run(recipe(page, tmp_path), *runs, connections={"hotmart_default": connection(hotmart)})
    assert run.report == {"dags": ["recipe"], "import_errors": [], "warnings": []}
    assert set(run.states().values()) == {"success"}
    found = all_manifests(run)
    # Several runs list the same day.
    again = {one["uri"]: one for one in found.pop("last_week_anew", ())}
    assert found
    for one in found.values():
        check_windows(one, DAYS)
    if found.keys() & {"participants", "yesterday"}:
        check_files(tmp_path / "hotmart" / "participants", DAYS, hotmart)
    if again:
        weeks = sorted({day - timedelta(days=back) for day in DAYS for back in range(7)})
        check_windows(sorted(again.values(), key=lambda one: one["window"]["start"]), weeks)
        check_files(tmp_path / "hotmart" / "days", weeks, hotmart)


@pytest.mark.parametrize("at", [time(0, 30), time(23, 59)], ids=["just_after_midnight", "just_before_midnight"])
def test_a_recipe_that_is_started_by_hand_lists_the_day_before(
    at: time, airflow: ThrowawayAirflow, hotmart: HotmartEmulator, tmp_path: Path
) -> None:
    moments = [datetime.combine(day + timedelta(days=1), at, BERLIN) for day in DAYS]
    runs = [{"dag_id": "recipe", "logical_date": moment.isoformat()} for moment in moments]
    run = airflow.run(recipe(PAGES[0], tmp_path, "None"), *runs, connections={"hotmart_default": connection(hotmart)})
    assert set(run.states().values()) == {"success"}
    check_windows(manifests(run, "participants"), DAYS)
    check_files(tmp_path / "hotmart" / "participants", DAYS, hotmart)


@pytest.mark.skipif(not HAS_SUPERVISOR, reason="every run has a logical date on Airflow 2")
@pytest.mark.parametrize("schedule", ["None", '"0 6 * * *"'])
def test_a_recipe_without_a_logical_date_lists_the_day_before_its_run(
    schedule: str, airflow: ThrowawayAirflow, hotmart: HotmartEmulator, tmp_path: Path
) -> None:
    moments = [datetime.combine(day + timedelta(days=1), time(0, 30), BERLIN) for day in DAYS]
    runs = [{"dag_id": "recipe", "logical_date": None, "run_after": moment.isoformat()} for moment in moments]
    run = airflow.run(recipe(PAGES[0], tmp_path, schedule), *runs, connections={"hotmart_default": connection(hotmart)})
    assert set(run.states().values()) == {"success"}
    # Each run of `DAG.test()` without a logical date clears the ones before it, and their manifests.
    check_windows(manifests(run, "participants"), DAYS[-1:])
    check_files(tmp_path / "hotmart" / "participants", DAYS, hotmart)


@pytest.mark.parametrize("example", ["hotmart_sales_with_everything", "hotmart_last_days_anew"])
def test_an_example_tiles(example: str, airflow: ThrowawayAirflow, hotmart: HotmartEmulator, tmp_path: Path) -> None:
    code = (ROOT / "dags_examples" / f"{example}.py").read_text(encoding="utf-8")
    mornings = [datetime.combine(day + timedelta(days=1), time(6), BERLIN) for day in DAYS]
    several = example == "hotmart_last_days_anew"
    run = airflow.run(
        code.replace("America/Sao_Paulo", "Europe/Berlin"),
        *[
            {"dag_id": example, "logical_date": morning.isoformat(), "conf": {"days": 3} if several else {}}
            # Each of its runs lists three days.
            for morning in (mornings[2::3] if several else mornings)
        ],
        connections={"hotmart_default": connection(hotmart)},
        AIRFLOW_VAR_HOTMART_DESTINATION=tmp_path.as_uri(),
    )
    assert set(run.states().values()) == {"success"}
    check_windows(manifests(run, "sales"), DAYS)


def test_the_daily_example_tiles_and_the_backfill_goes_on_to_where_it_begins(
    airflow: ThrowawayAirflow, hotmart: HotmartEmulator, tmp_path: Path
) -> None:
    daily, backfill = "hotmart_daily_to_object_storage", "hotmart_backfill"
    code = "\n".join(
        (ROOT / "dags_examples" / f"{name}.py")
        .read_text(encoding="utf-8")
        .replace("from __future__", "# from __future__")
        for name in (daily, backfill)
    )
    mornings = [datetime.combine(day + timedelta(days=1), time(6), BERLIN) for day in DAYS]
    runs = [{"dag_id": daily, "logical_date": morning.isoformat()} for morning in mornings]
    began = mornings[-3].isoformat()
    run = airflow.run(
        code.replace("America/Sao_Paulo", "Europe/Berlin"),
        *runs,
        {"dag_id": backfill, "logical_date": began, "conf": {"first_month": "2026-02"}},
        connections={"hotmart_default": connection(hotmart)},
        AIRFLOW_VAR_HOTMART_DESTINATION=tmp_path.as_uri(),
    )
    assert set(run.states().values()) == {"success"}
    found = manifests(run, "participants")
    months = [one for one in found if "/backfill/" in one["uri"]]
    check_windows([one for one in found if one not in months], DAYS)
    check_files(tmp_path / "participants", DAYS, hotmart)
    starts = [midnight(date(2026, month, 1)) for month in range(2, 11)]
    # The daily run of the same morning lists the day before, and the next ones go on from there.
    ends = [*starts[1:], midnight(DAYS[3] + timedelta(days=1))]
    told = [
        (datetime.fromisoformat(one["window"]["start"]), datetime.fromisoformat(one["window"]["end"])) for one in months
    ]
    assert told == list(zip(starts, ends, strict=True))
