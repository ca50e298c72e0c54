"""
Measures this package beside the alternatives: ``python -m benchmarks``, or ``make bench`` with all of them installed.

Prints tables, and writes them to ``benchmarks/results.md``.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.cost import measure_cost
from benchmarks.formats import measure_formats
from benchmarks.growth import measure_growth
from benchmarks.harness import Check, Findings, Options, Table, code, say
from benchmarks.limit import measure_limit, measure_processes
from benchmarks.loading import measure_loading
from benchmarks.parsing import measure_parsing
from benchmarks.sales import measure_everything, measure_sales
from benchmarks.triggers import measure_triggers
from benchmarks.waste import measure_day, measure_waste
from benchmarks.watching import measure_ledger, measure_polling

RESULTS = Path(__file__).with_name("results.md")
MEASUREMENTS: dict[str, Callable[[Options], Findings]] = {
    "limit": measure_limit,
    "processes": measure_processes,
    "cost": measure_cost,
    "waste": measure_waste,
    "day": measure_day,
    "sales": measure_sales,
    "everything": measure_everything,
    "growth": measure_growth,
    "formats": measure_formats,
    "parsing": measure_parsing,
    "loading": measure_loading,
    "ledger": measure_ledger,
    "polling": measure_polling,
    "triggers": measure_triggers,
}
PACKAGES = (
    "airflow-provider-hotmart",
    "apache-airflow",
    "apache-airflow-providers-http",
    "apache-airflow-providers-airbyte",
    "hotmart-python",
    "tap-hotmart",
    "msgspec",
    "pandas",
    "pyarrow",
    "requests",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Measure, print, write.

    :param arguments: None: those of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, single runs: the figures say nothing")
    parser.add_argument("--only", choices=MEASUREMENTS, action="append", help="leave out all others; repeatable")
    parser.add_argument("--output", type=Path, help=f"default: {RESULTS}, and no file with --quick or --only")
    options = parser.parse_args(arguments)
    if options.output is None and not options.quick and not options.only:
        options.output = RESULTS
    folder = Path(tempfile.mkdtemp(prefix="hotmart-benchmark-"))
    began, measured = time.monotonic(), code()
    try:
        findings = [run(name, Options(options.quick, folder)) for name in options.only or MEASUREMENTS]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if code() != measured:
        parser.error("the code has changed while it was measured: the figures are of no single version of it")
    page = report(findings, time.monotonic() - began, options.only or list(MEASUREMENTS), quick=options.quick)
    print(page)
    if options.output is not None:
        options.output.write_text(page, encoding="utf-8")
    return 0


def run(name: str, options: Options) -> Findings:
    """Do one measurement; show at once what it gave, since the whole takes long."""
    say(name)
    findings = MEASUREMENTS[name](options)
    for table in findings.tables:
        say(f"\n{table.markdown()}")
    return findings


def report(findings: Sequence[Findings], seconds: float, measured: Sequence[str], *, quick: bool) -> str:
    """Write the page of results."""
    parts = ["# Benchmark results\n"]
    if quick:
        parts.append("A quick run, with sizes too small to say anything.\n")
    else:
        parts.append("Written by `python -m benchmarks`, all of it in one run; an emulator stands in for Hotmart.\n")
    told = [*facts(seconds), f"measured: {', '.join(measured)}; of {', '.join(MEASUREMENTS)}"]
    parts.append("\n".join(f"- {fact}" for fact in told) + "\n")
    checks = [check for one in findings for check in one.checks]
    if checks:
        parts.append(summary(checks).markdown())
    parts += [table.markdown() for one in findings for table in one.tables]
    return "\n".join(parts)


def summary(checks: Sequence[Check]) -> Table:
    """Put what this package wants to reach beside what was measured."""
    rows = [(one.what, one.wanted, one.measured, "yes" if one.holds else "**no**") for one in checks]
    return Table("What is wanted, and what it is", "From the tables below.", ("", "wanted", "measured", "holds"), rows)


def facts(seconds: float) -> list[str]:
    """When, where and with what."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"{package} not installed")
    return [
        f"date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, in {seconds / 60:.0f} minutes",
        f"code: {code()}",
        f"machine: {os.cpu_count()} cores ({_processor()}), {memory:.0f} GiB, {platform.system()}",
        f"Python {platform.python_version()}",
        ", ".join(versions),
    ]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    sys.exit(main())
