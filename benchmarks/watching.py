"""What watching costs: the ledger, and the calls of one look."""

from __future__ import annotations

from benchmarks.harness import MEGABYTE, Check, Findings, Hotmart, Options, Run, Table, measure, median, say, written_to

LOOKBACK_DAYS = 7


def measure_ledger(options: Options) -> Findings:
    """A ledger of 200,000 participants: loaded, subtracted from what is there now, saved."""
    entries, looks = options.sized(200_000, 2_000), 50
    runs = []
    for turn in range(options.runs):
        say(f"  ledger, run {turn + 1} of {options.runs}")
        with written_to(options) as path:
            job = {"subject": "ledger", "entries": entries, "looks": looks, "path": path}
            runs += measure(options, job)
    size = median(runs, lambda run: run.result["bytes"]) / MEGABYTE

    def seconds(name: str) -> float:
        return median(runs, lambda run: run.result[name])

    total = seconds("load") + seconds("subtract") + seconds("save")
    table = Table(
        f"Ledger: a file of {entries:,} participants, reported by {looks} runs",
        "Load it, subtract it from what is in the window now (as many, and the new ones), save it with the new ones.",
        ("new", "load s", "subtract s", "save s", "together s", "file MB", "memory MB"),
        [
            (
                f"{median(runs, lambda run: run.result['new']):,.0f}",
                f"{seconds('load'):.3f}",
                f"{seconds('subtract'):.3f}",
                f"{seconds('save'):.3f}",
                f"{total:.3f}",
                f"{size:.2f}",
                f"{median(runs, lambda run: run.peak_memory - run.start_memory):.0f}",
            )
        ],
    )
    checks = [
        Check("ledger: load, subtract, save", "under 2 s", f"{total:.2f} s", total < 2),
        Check("ledger: size of the file", "under 5 MB", f"{size:.2f} MB", size < 5),
    ]
    return Findings([table], checks)


def measure_polling(options: Options) -> Findings:
    """Calls and CPU time of one look, by the sales in the look-back and the statuses watched."""
    table = Table(
        f"Polling: one look of a sensor or watcher, look-back of {LOOKBACK_DAYS} days",
        "Sales of the look-back in all statuses; those found are in the statuses that are watched.",
        ("sales", "watched", "participants found", "calls", "CPU ms"),
    )
    watched = {"APPROVED, COMPLETE (the default)": None, "REFUNDED": "REFUNDED", "ALL": "ALL"}
    for sales in (100, 1_000) if options.quick else (100, 1_000, 10_000, 100_000):
        say(f"  polling, {sales:,} sales")
        with Hotmart(options, sales=sales, days=LOOKBACK_DAYS, statuses=None) as hotmart:
            for name, statuses in watched.items():
                hotmart.forget()
                job = {"subject": "poll", "statuses": statuses, "lookback_days": LOOKBACK_DAYS}
                (run,) = measure(options, {**hotmart.facts, **job})
                table.rows.append((f"{sales:,}", name, *_found(run, hotmart)))
    return Findings([table])


def _found(run: Run, hotmart: Hotmart) -> tuple[str, str, str]:
    calls = sum(hotmart.stats()["status"].values())
    return f"{run.result['participants']:,}", str(calls), f"{run.cpu * 1000:.0f}"
