"""What each format of a file costs, how it grows with the account, and what a loop with pandas takes for the same."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.harness import (
    Check,
    Findings,
    Hotmart,
    Options,
    ProcessError,
    Run,
    Table,
    alternately,
    installed,
    measure,
    median,
)

FORMATS = (".jsonl", ".csv", ".parquet")
PANDAS = "pandas loop"


def measure_formats(options: Options) -> Findings:
    """Ten thousand participants and a million, into each format: time per participant, and peak memory."""
    few, many = (200, 1_000) if options.quick else (4_425, 442_500)
    with Hotmart(options, sales=few) as small, Hotmart(options, sales=many) as large:
        people = {small: small.ask("participants"), large: large.ask("participants")}

        def turn(hotmart: Hotmart, suffix: str, subject: str) -> partial[Run]:
            return partial(_list_all, options, hotmart, suffix, subject, people[hotmart])

        ours = {(suffix, hotmart): turn(hotmart, suffix, "ours") for suffix in FORMATS for hotmart in people}
        theirs = {
            (suffix, PANDAS): turn(small, suffix, "pandas_loop")
            for suffix in FORMATS
            if suffix != ".jsonl" and installed("pandas", "pyarrow")
        }
        names = {str(key): key for key in (*ours, *theirs)}
        runs = alternately(options, {str(key): side for key, side in {**ours, **theirs}.items()})
    found: dict[Any, list[Run]] = {names[name]: one for name, one in runs.items()}

    def cpu(key: Any) -> float:
        return median(found[key], lambda run: run.cpu) / people.get(key[1], people[small]) * 1e6

    def peak(key: Any) -> float:
        return median(found[key], lambda run: run.peak_memory)

    rows, checks = [], []
    for suffix in FORMATS:
        few_key, many_key = (suffix, small), (suffix, large)
        pandas = (suffix, PANDAS)
        rows.append(
            (
                suffix,
                f"{cpu(few_key):.1f}",
                f"{cpu(many_key):.1f}",
                f"{cpu(pandas):.1f}" if pandas in found else "-",
                f"{peak(few_key):.0f}",
                f"{peak(many_key):.0f}",
                f"{peak(pandas):.0f}" if pandas in found else "-",
            )
        )
        growth = peak(many_key) / peak(few_key)
        what = f"peak memory into {suffix}, {people[large]:,} participants beside {people[small]:,}"
        checks.append(Check(what, "at most 1.3 times", f"{growth:.2f} times", growth <= 1.3))
        if pandas in found:
            ratio = cpu(few_key) / cpu(pandas)
            checks.append(Check(f"CPU into {suffix} beside a {PANDAS}", "not more", f"{ratio:.2f} times", ratio <= 1))
    table = Table(
        f"Formats: {people[small]:,} and {people[large]:,} participants into a file, no latency",
        "CPU per participant in microseconds, from the moment that imports are done to the complete file. The loop "
        f"with pandas lists {people[small]:,} page by page, normalises all of them at once, and writes them.",
        ("", "CPU µs, few", "CPU µs, many", "CPU µs, pandas", "peak MB, few", "peak MB, many", "peak MB, pandas"),
        rows,
    )
    return Findings([table], checks)


def _list_all(options: Options, hotmart: Hotmart, suffix: str, subject: str, expected: int) -> Run:
    """List everything into a file of a format."""
    hotmart.forget()
    path = Path(options.folder) / f"formats{suffix}"
    (run,) = measure(options, {**hotmart.facts, "subject": subject, "path": str(path)})
    path.unlink()
    if run.result["records"] != expected:
        raise ProcessError(f"{subject} wrote {run.result['records']} records, not {expected}")
    return run
