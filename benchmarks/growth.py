"""How the cost of a listing grows with the account: it should not."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from benchmarks.cost import list_all
from benchmarks.harness import Check, Findings, Hotmart, Options, Run, Table, alternately, median


def measure_growth(options: Options) -> Findings:
    """Ten thousand sales, a hundred thousand, a million: time per participant, and peak memory."""
    sizes = (500, 1_000, 2_000) if options.quick else (10_000, 100_000, 1_000_000)
    with ExitStack() as stack:
        accounts = {sales: stack.enter_context(Hotmart(options, sales=sales)) for sales in sizes}
        people = {sales: hotmart.ask("participants") for sales, hotmart in accounts.items()}
        runs = alternately(
            options,
            {
                f"{sales:,}": partial(list_all, options, hotmart, {"subject": "ours"}, people[sales])
                for sales, hotmart in accounts.items()
            },
        )
    found = {sales: runs[f"{sales:,}"] for sales in sizes}

    def each(sales: int, seconds: float) -> float:
        return seconds / people[sales] * 1e6

    def cpu_of(run: Run) -> float:
        return run.cpu

    cpu = {sales: each(sales, median(found[sales], cpu_of)) for sales in sizes}
    wall = {sales: each(sales, median(found[sales], lambda run: run.wall)) for sales in sizes}
    peak = {sales: median(found[sales], lambda run: run.peak_memory) for sales in sizes}
    table = Table(
        "Growth: the same listing of larger accounts, no latency",
        "Per participant, in microseconds. The emulator keeps the texts of all sales, so that at every size it is "
        "as quick as at any other.",
        ("sales", "participants", "CPU µs", "wall µs", "peak MB", "calls", "emulator: CPU s"),
        [
            (
                f"{sales:,}",
                f"{people[sales]:,}",
                f"{cpu[sales]:.2f}",
                f"{wall[sales]:.2f}",
                f"{peak[sales]:.0f}",
                f"{median(found[sales], lambda run: run.result['calls']):.0f}",
                f"{median(found[sales], lambda run: run.result['emulator_cpu']):.2f}",
            )
            for sales in sizes
        ],
    )
    first, last = sizes[0], sizes[-1]
    between = f"at {last:,} sales beside {first:,}"
    checks = [
        _check(f"CPU time per participant {between}", cpu[last] / cpu[first], 1.1),
        _check(f"wall time per participant {between}", wall[last] / wall[first], 1.1),
        _check(f"peak memory {between}", peak[last] / peak[first], 1.2),
    ]
    return Findings([table], checks)


def _check(what: str, ratio: float, most: float) -> Check:
    return Check(what, f"at most {most} times", f"{ratio:.2f} times", ratio <= most)
