"""Sales, beside the packages that people use for them: what each finds of all there are, and what that costs."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.harness import (
    MINUTE,
    Check,
    Findings,
    Hotmart,
    Options,
    Run,
    Table,
    alternately,
    installed,
    measure,
    median,
    wait_for_minute,
    written_to,
)

OURS = 'this provider, `transaction_status="ALL"`'
DEFAULT = "this provider, APPROVED and COMPLETE"
PYTHON_SDK = "hotmart-python"
TAP = "tap-hotmart"
LIMIT = 500


def sides() -> dict[str, dict[str, Any]]:
    """Who takes part, of those that are installed: the job of each."""
    found: dict[str, dict[str, Any]] = {
        OURS: {"subject": "ours_sales", "statuses": "ALL"},
        DEFAULT: {"subject": "ours_sales", "statuses": None},
    }
    if installed("hotmart"):
        found[PYTHON_SDK] = {"subject": "hotmart_python_sales"}
    if installed("tap_hotmart"):
        found[TAP] = {"subject": "tap_hotmart"}
    return found


def list_sales(options: Options, hotmart: Hotmart, job: dict[str, Any]) -> Run:
    """
    List sales into a file, and count them in it.

    :param hotmart: where from.
    :param job: by whom.
    """
    hotmart.forget()
    with written_to(options) as path:
        (run,) = measure(options, {**hotmart.facts, **job, "path": path})
        found = Counter(transactions_in(Path(path)))
    run.result["rows"], run.result["sales"] = found.total(), len(found)
    stats = hotmart.stats()
    run.result["calls"] = sum(stats["status"].values())
    return run


def transactions_in(path: Path) -> list[str]:
    """Read the code of each row: of plain JSON Lines, or of the records among a tap's messages."""
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [row.get("record", row)["purchase"]["transaction"] for row in rows if row.get("type", "RECORD") == "RECORD"]


def measure_sales(options: Options) -> Findings:
    """20,000 sales in all statuses: rows, calls and CPU; and how many are lost where rows change their order."""
    sales = options.sized(20_000, 600)
    tables, checks = [], []
    for order, what in (("date", "in the order of their dates"), ("shuffled", "in another order at every call")):
        with Hotmart(options, sales=sales, statuses=None, quirks={"order": order}) as hotmart:
            runs = alternately(
                options, {name: partial(list_sales, options, hotmart, job) for name, job in sides().items()}
            )
        tables.append(
            Table(
                f"Sales: {sales:,} of a year, in all statuses, {what}, no latency",
                "The history of sales into a file, asked as the documentation of each shows. Of all: different sales "
                "in the file, beside those that the account has. Rows and twice are of the last run. Hotmart "
                "lists APPROVED and COMPLETE where no status is asked for, and pages follow each other by place, so "
                "what changes its place between two pages is lost or comes twice. tap-hotmart asks for pages of 50.",
                ("", "rows", "of all", "twice", "calls", "CPU s", "sales / CPU s", "peak MB"),
                [
                    (
                        name,
                        f"{found[-1].result['rows']:,}",
                        f"{found[-1].result['sales'] / sales:.1%}",
                        f"{found[-1].result['rows'] - found[-1].result['sales']:,}",
                        f"{median(found, lambda run: run.result['calls']):,.0f}",
                        f"{median(found, lambda run: run.cpu):.2f}",
                        f"{median(found, lambda run: run.result['sales'] / run.cpu):,.0f}",
                        f"{median(found, lambda run: run.peak_memory):.0f}",
                    )
                    for name, found in runs.items()
                ],
            )
        )
        exact = all(run.result["rows"] == run.result["sales"] == sales for run in runs[OURS])
        checks.append(Check(f"every sale once, rows {what}", "yes", "yes" if exact else "no", exact))
    return Findings(tables, checks)


def measure_everything(options: Options) -> Findings:
    """100,000 sales with everything, 700 ms a page, 500 calls a minute: how much of the limit is used."""
    sales = options.sized(100_000, 1_000)
    job = {"subject": "ours_sales", "statuses": "APPROVED", "include": ["participants", "commissions", "price_details"]}
    settings = {"sales": sales, "statuses": ["APPROVED"], "rate_limit": LIMIT, "latency": options.sized(700, 50) / 1000}
    with Hotmart(options, **settings) as hotmart, written_to(options) as path:
        begin = (lambda: None) if options.quick else wait_for_minute
        (run,) = measure(options, {**hotmart.facts, **job, "path": path}, begin=begin)
        stats = hotmart.stats()
        found = Counter(transactions_in(Path(path)))
    times = stats["times"]
    used = (len(times) - 1) / (LIMIT / MINUTE * (times[-1] - times[0]))
    refused = stats["status"].get("429", 0)
    table = Table(
        f"Sales with everything: {sales:,} sales with participants, commissions and price details, {LIMIT} calls a "
        "minute, 700 ms a page",
        "One run from the beginning of a minute of the clock on. Used: calls between the first and the last, beside "
        "those that are allowed in that time; a little more than all where the last minute is not over.",
        ("", "rows", "calls", "429s", "wall s", "used", "CPU s", "peak MB"),
        [
            (
                "this provider",
                f"{found.total():,}",
                f"{len(times):,}",
                f"{refused}",
                f"{run.wall:.1f}",
                f"{used:.1%}",
                f"{run.cpu:.1f}",
                f"{run.peak_memory:.0f}",
            )
        ],
    )
    exact = found.total() == len(found) == sales
    return Findings(
        [table],
        [
            Check("every sale once, with everything", "yes", "yes" if exact else "no", exact),
            Check("allowed calls used, sales with everything", "at least 90 %", f"{used:.1%}", used >= 0.9),
        ],
    )
