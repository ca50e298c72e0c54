"""How many calls a listing makes beside the pages that its rows fill: the price of windows that are one answer."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable

from airflow_provider_hotmart.api import windows
from benchmarks.cost import list_all
from benchmarks.harness import PAGE, Check, Findings, Hotmart, Options, Table, say

#: Spread of the account's sales over the year: what it is called, and how many calls beside full pages are wanted.
SPREADS = {
    "even": ("even", 1.25),
    "daily": ("day and night, weekends", 2.1),
    "noisy": ("… and days vary by a random 30 %", 2.1),
    "growing": ("growing threefold", 2.1),
    "spike": ("a launch: a third of the year in three days", 2.1),
}
LATENCY = 0.7
DAY_SALES = 1_000


def measure_waste(options: Options) -> Findings:
    """Accounts of 100,000 and 400,000 sales a year, however uneven."""
    sizes = (2_000, 4_000) if options.quick else (100_000, 400_000)
    table = Table(
        "Calls: a year of sales, beside the pages that they fill",
        f"A page holds {PAGE} sales. A window that does not fit on one page is asked for in vain, and cut; windows "
        "that do are rarely full. That is the price of an answer that cannot shift while it is read. The planner has "
        f"{_lines_of(windows.parts_for, windows.Window.split)} lines: `parts_for` and `Window.split` in "
        "`api/windows.py`.",
        ("", *(f"{size:,} sales: {what}" for size in sizes for what in ("full pages", "calls", "ratio"))),
    )
    checks = []
    for spread, (title, wanted) in SPREADS.items():
        cells: list[object] = []
        for sales in sizes:
            say(f"  {title}, {sales:,}")
            with Hotmart(options, sales=sales, spread=spread, statuses=["COMPLETE"]) as hotmart:
                run = list_all(options, hotmart, {"subject": "ours"}, hotmart.ask("participants"))
            pages = math.ceil(sales / PAGE)
            ratio = run.result["calls"] / pages
            cells += [pages, run.result["calls"], f"{ratio:.2f}"]
            what = f"calls beside full pages, {sales:,} sales, {title}"
            checks.append(Check(what, f"at most {wanted}", f"{ratio:.2f}", ratio <= wanted))
        table.rows.append((title, *cells))
    return Findings([table], checks)


def measure_day(options: Options) -> Findings:
    """One day of 1,000 sales in every status, 700 ms a page: as quick as a sale's life allows."""
    from airflow_provider_hotmart.api.enums import SaleStatus
    from airflow_provider_hotmart.api.lifecycle import ranks

    sales = options.sized(DAY_SALES, 100)
    latency = LATENCY if not options.quick else 0.05
    statuses = [str(status) for status in SaleStatus if status is not SaleStatus.DISPUTE]
    with Hotmart(options, sales=sales, days=1, statuses=statuses, latency=latency) as hotmart:
        began = time.monotonic()
        run = list_all(options, hotmart, {"subject": "ours", "statuses": "ALL"}, hotmart.ask("participants"))
        say(f"  a day, {time.monotonic() - began:.1f} s with the start of the process")
    wanted = (len(ranks()) + 1) * latency + 1
    table = Table(
        f"A day: {sales:,} sales in every status, {latency * 1000:.0f} ms a page",
        "Statuses between which no sale can move are asked for side by side; ranks of them follow one another.",
        ("statuses", "ranks", "calls", "wall s"),
        [(len(statuses), len(ranks()), run.result["calls"], f"{run.wall:.2f}")],
    )
    calls, most = run.result["calls"], len(SaleStatus)  # one status has two names, and both are asked for
    return Findings(
        [table],
        [
            Check("seconds for a day in every status", f"within {wanted:.1f}", f"{run.wall:.1f}", run.wall <= wanted),
            Check("calls for a day in every status", f"one a status: {most}", str(calls), calls <= most),
        ],
    )


def _lines_of(*functions: Callable[..., object]) -> int:
    """How many lines of code functions have, without blanks, comments and docstrings."""
    count = 0
    for function in functions:
        source = inspect.getsource(function)
        documented = function.__doc__ or ""
        lines = source.replace(f'"""{documented}"""', "").splitlines()
        count += sum(1 for line in lines if line.strip() and not line.strip().startswith("#"))
    return count
