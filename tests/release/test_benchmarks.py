"""The benchmarks run and say what they should. What they measure in so small a run is not looked at."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: The quick ones, and what their tables begin with.
PARTS = {
    "cost": "Processor and memory: 1,000 sales",
    "waste": "Calls: a year of sales",
    "parsing": "DAG files",
    "formats": "Formats: ",
    "ledger": "Ledger: a file of 2,000 participants",
    "polling": "Polling",
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(version("apache-airflow").startswith("2."), reason="the benchmarks are for Airflow 3"),
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the benchmarks read Linux's accounts"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a quick run writes."""
    output = tmp_path_factory.mktemp("benchmarks") / "results.md"
    chosen = [word for part in PARTS for word in ("--only", part)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", *chosen, "--output", str(output)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    written = output.read_text(encoding="utf-8")
    assert done.stdout == written + "\n"
    return written


def table_of(page: str, part: str) -> list[list[str]]:
    """A table of a page: rows of cells, the headings first."""
    (text,) = (text for text in page.split("\n## ") if text.startswith(PARTS[part]))
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows if set(row[0]) - set("-:")]


def test_the_page_says_when_and_with_what(page: str) -> None:
    assert page.startswith("# Benchmark results\n\nA quick run")
    assert re.search(r"^- date: \d{4}-\d\d-\d\d", page, re.MULTILINE)
    assert re.search(r"^- code: (git tree [0-9a-f]{12} of airflow_provider_hotmart|not in a git)", page, re.MULTILINE)
    assert f"airflow-provider-hotmart {version('airflow-provider-hotmart')}" in page
    assert f"Python {sys.version.split()[0]}" in page


@pytest.mark.parametrize("part", PARTS)
def test_each_table_is_full(page: str, part: str) -> None:
    headings, *rows = table_of(page, part)
    assert rows
    assert all(len(row) == len(headings) for row in rows)
    # Who is not installed has a dash.
    assert all(re.search(r"\d|^-$", cell) for row in rows for cell in row[2:])


def test_everybody_who_is_installed_takes_part(page: str) -> None:
    # One who wrote too few lines, or too many, would have ended the run.
    _, *rows = table_of(page, "cost")
    assert [row[0] for row in rows][:3] == [
        "bare requests loop (the floor)",
        "this provider",
        "this provider's hook, dictionaries to json",
    ]
