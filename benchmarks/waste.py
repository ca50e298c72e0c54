"""How many calls a listing makes beyond those that its rows fill."""

from __future__ import annotations

from benchmarks.cost import list_all
from benchmarks.harness import PAGE, Check, Findings, Hotmart, Options, Table, say


def measure_waste(options: Options) -> Findings:
    """100,000 sales, spread evenly, and half of them on one day."""
    sales = options.sized(100_000, 5_000)
    table = Table(
        f"Calls: {sales:,} sales in a year, listed with parallel calls",
        f"Needed: pages of {PAGE} that the sales of each status fill. What is more are the last pages of the windows "
        "that are read in parallel, and the first page of each window that turns out to be too large for one.",
        ("", "statuses", "needed", "calls", "more"),
    )
    checks = []
    for spread, title, most in (("even", "spread evenly", 0.10), ("launch", "half of them on one day", 0.25)):
        for statuses in (["COMPLETE"], ["APPROVED", "COMPLETE"]):
            say(f"  {title}, {len(statuses)}")
            with Hotmart(options, sales=sales, spread=spread, statuses=statuses) as hotmart:
                job = {"subject": "ours", "statuses": statuses}
                run = list_all(options, hotmart, job, hotmart.ask("participants"))
            needed = sum(-(-sales // len(statuses) // PAGE) for _ in statuses)
            more = run.result["calls"] / needed - 1
            table.rows.append((title, len(statuses), needed, run.result["calls"], f"{more:.1%}"))
            what = f"calls beyond those needed, {title}, statuses: {len(statuses)}"
            checks.append(Check(what, f"below {most:.0%}", f"{more:.1%}", more < most))
    return Findings([table], checks)
