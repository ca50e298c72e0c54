"""What listing costs: processor and memory, beside the alternatives, where nothing has to be waited for."""

from __future__ import annotations

from functools import partial
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
    lines_in,
    measure,
    median,
    written_to,
)

FLOOR = "bare requests loop (the floor)"
OURS = "this provider"
OURS_HOOK = "this provider's hook, dictionaries to json"
PYTHON_SDK = "hotmart-python"
HTTP = "Airflow's HttpOperator"
SDK = "`import airflow.sdk` alone"


def sides() -> dict[str, dict[str, Any]]:
    """Who takes part, of those that are installed: the job of each."""
    found: dict[str, dict[str, Any]] = {
        FLOOR: {"subject": "floor"},
        OURS: {"subject": "ours"},
        OURS_HOOK: {"subject": "ours_hook"},
    }
    if installed("hotmart"):
        found[PYTHON_SDK] = {"subject": "hotmart_python"}
    if installed("airflow.providers.http"):
        found[HTTP] = {"subject": "http_operator"}
    return found


def list_all(options: Options, hotmart: Hotmart, job: dict[str, Any], expected: int | None = None) -> Run:
    """
    List everything into a file.

    :param hotmart: where from.
    :param job: by whom.
    :param expected: how many lines the file must have; None: whatever it has.
    """
    hotmart.forget()
    before = hotmart.stats()
    with written_to(options) as path:
        (run,) = measure(options, {**hotmart.facts, **job, "path": path})
        run.result["lines"] = lines_in(path)
    if expected is not None and run.result["lines"] != expected:
        raise ProcessError(f"{job} wrote {run.result['lines']} lines, not {expected}")
    after = hotmart.stats()
    run.result["calls"] = sum(after["status"].values())
    run.result["emulator_cpu"] = after["cpu"] - before["cpu"]
    return run


def measure_cost(options: Options) -> Findings:
    """50,000 sales, no latency: participants per CPU second, and peak memory."""
    sales = options.sized(50_000, 1_000)
    with Hotmart(options, sales=sales) as hotmart:
        expected = hotmart.ask("participants")
        turns = {name: partial(list_all, options, hotmart, job, expected) for name, job in sides().items()}
        runs = alternately(options, {**turns, SDK: lambda: measure(options, {"subject": "sdk"})[0]}, times=5)
    alone = median(runs.pop(SDK), lambda run: run.peak_memory)
    per_second = {name: expected / median(found, lambda run: run.cpu) for name, found in runs.items()}
    peak = {name: median(found, lambda run: run.peak_memory) for name, found in runs.items()}
    table = Table(
        f"Processor and memory: {sales:,} sales, {expected:,} participants into a file, no latency",
        "CPU seconds of the process, user and system, from the moment its imports are done to the complete file; "
        "what the imports cost stands beside it. Peak memory is that of the whole life of the process. "
        f"`import airflow.sdk` alone peaks at {alone:.0f} MB. The emulator runs in a process of its own, "
        "and its CPU seconds count for nobody. HttpOperator gets a `response_filter` that writes the lines. "
        "What Airflow looks up once about all installed providers, for HttpOperator's hook and for lineage, is counted "
        "with the imports.",
        ("", "participants / CPU s", "of the floor", "CPU s", "wall s", "peak MB", "imports: CPU s", "emulator: CPU s"),
        [
            (
                name,
                f"{per_second[name]:,.0f}",
                f"{per_second[name] / per_second[FLOOR]:.2f}",
                f"{median(found, lambda run: run.cpu):.2f}",
                f"{median(found, lambda run: run.wall):.2f}",
                f"{peak[name]:.0f}",
                f"{median(found, lambda run: run.start_cpu):.2f}",
                f"{median(found, lambda run: run.result['emulator_cpu']):.2f}",
            )
            for name, found in runs.items()
        ],
    )
    return Findings([table], _checks(per_second, peak[OURS] - alone))


def _checks(per_second: dict[str, float], above: float) -> list[Check]:
    found = []

    def compare(name: str, other: str, wanted: float) -> None:
        if other in per_second:
            ratio = per_second[name] / per_second[other]
            what = f"participants per CPU second, {name}, beside {other}"
            found.append(Check(what, f"at least {wanted}", f"{ratio:.2f}", ratio >= wanted))

    compare(OURS, FLOOR, 4.0)
    compare(OURS_HOOK, FLOOR, 1.0)
    found.append(
        Check("peak memory above that of `import airflow.sdk`", "at most 40 MB", f"{above:.1f} MB", above <= 40)
    )
    return found
