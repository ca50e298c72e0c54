"""How much of Hotmart's call limit is used: by one listing, and by several processes with one credential."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from benchmarks.cost import FLOOR, OURS, sides
from benchmarks.harness import (
    MINUTE,
    PAGE,
    Check,
    Findings,
    Hotmart,
    Options,
    Run,
    Table,
    lines_in,
    measure,
    say,
    wait_for_minute,
    written_to,
)

LIMIT = 500
LATENCY = 0.7


@dataclass(frozen=True)
class Account:
    """
    The account that is listed.

    :param sales: how many it has.
    :param serial_pages: after so many pages, those that ask page after page are stopped.
    :param latency: seconds that each page takes.
    """

    sales: int
    serial_pages: int
    latency: float

    @classmethod
    def of(cls, options: Options) -> Account:
        """As large as is wanted."""
        return cls(5_000, 2, 0.05) if options.quick else cls(400_000, 80, LATENCY)

    def hotmart(self, options: Options, window: str) -> Hotmart:
        """Start the emulator; ``window`` says how it counts calls: by the minute of the clock, or the last 60 s."""
        quirks = {"rate_window": window}
        return Hotmart(options, sales=self.sales, rate_limit=LIMIT, latency=self.latency, quirks=quirks)


@dataclass(frozen=True)
class Use:
    """
    What became of the limit.

    :param runs: of the processes.
    :param calls: that were answered with a page.
    :param refused: that were answered 429.
    :param seconds: from the first call to the last.
    :param emulator: CPU seconds of the emulator, in parts of the wall time.
    """

    runs: list[Run]
    calls: int
    refused: int
    seconds: float
    emulator: float

    @property
    def wall(self) -> float:
        """Seconds until the last process was done."""
        return max(run.wall for run in self.runs)

    @property
    def share(self) -> float:
        """Which part of the allowed calls was used while there was work."""
        return (self.calls - 1) / (LIMIT / MINUTE * self.seconds)

    @property
    def pages_a_minute(self) -> float:
        """Pages that came in a minute, from the start to the complete file."""
        return self.calls / self.wall * MINUTE


def use(options: Options, hotmart: Hotmart, *jobs: dict[str, Any]) -> Use:
    """
    List with one process or several at once, from the beginning of a minute on.

    :param hotmart: where from.
    :param jobs: one for each process.
    """
    # What an earlier run used must not count any more, whichever way the emulator counts.
    times = hotmart.stats()["times"]
    if times and not options.quick:
        time.sleep(max(0.0, times[-1] + MINUTE - time.time()))
    hotmart.forget()
    cpu = hotmart.stats()["cpu"]
    with ExitStack() as stack:
        paths = [stack.enter_context(written_to(options)) for _ in jobs]
        told = [{**hotmart.facts, **job, "path": path} for job, path in zip(jobs, paths, strict=True)]
        runs = measure(options, *told, begin=lambda: None if options.quick else wait_for_minute())
        for run, path in zip(runs, paths, strict=True):
            run.result["lines"] = lines_in(path)
    stats = hotmart.stats()
    wall = max(run.wall for run in runs)
    times = stats["times"]
    refused = stats["status"].get("429", 0)
    return Use(runs, len(times), refused, times[-1] - times[0], (stats["cpu"] - cpu) / wall)


def measure_limit(options: Options) -> Findings:
    """400,000 sales, 700 ms a page, 500 calls a minute: ours, and those that ask page after page."""
    account = Account.of(options)
    found: dict[str, Use] = {}
    with account.hotmart(options, "fixed") as hotmart:
        expected = hotmart.ask("participants")
        for name, job in sides().items():
            if job["subject"] == "ours":
                if "without" not in job:
                    say(f"  {name}, all of it")
                    found[name] = use(options, hotmart, job)
                continue
            say(f"  {name}, {account.serial_pages} pages")
            found[name] = use(options, hotmart, {**job, "pages": account.serial_pages})
    sliding = f"{OURS}, limit counted over the last 60 s"
    say(f"  {sliding}")
    with account.hotmart(options, "sliding") as hotmart:
        found[sliding] = use(options, hotmart, {"subject": "ours"})
    complete = [found[name].runs[0].result["lines"] == expected for name in (OURS, sliding)]
    table = Table(
        f"At the limit: {account.sales:,} sales, {account.latency * 1000:.0f} ms a page, {LIMIT} calls a minute",
        f"Those that ask page after page are stopped after {account.serial_pages} pages; this provider lists all of "
        f"them ({-(-account.sales // PAGE)} full pages). Each run begins with a minute of the clock. "
        "Used: calls between the first and the last, beside those that are allowed in that time.",
        ("", "wall s", "calls", "429s", "calls / minute", "used", "CPU s", "emulator: share of a core"),
        [_row(name, one) for name, one in found.items()],
    )
    mine = found[OURS]
    checks = [
        Check("everything was listed", "yes", "yes" if all(complete) else "no", all(complete)),
        *(
            Check(f"{what}, {name}", wanted, measured, holds)
            for name, one in ((OURS, mine), (sliding, found[sliding]))
            for what, wanted, measured, holds in (
                ("allowed calls used", "at least 95 %", f"{one.share:.1%}", one.share >= 0.95),
                ("calls refused with 429", "0", str(one.refused), one.refused == 0),
            )
        ),
    ]
    for name, one in found.items():
        if name not in (OURS, sliding, FLOOR) or name == FLOOR:
            times = mine.pages_a_minute / one.pages_a_minute
            checks.append(Check(f"pages a minute beside {name}", "at least 5 times", f"{times:.1f} times", times >= 5))
    return Findings([table], checks)


def measure_processes(options: Options) -> Findings:
    """The same account, split over two and four processes that share one credential."""
    account = Account.of(options)
    found: dict[int, Use] = {}
    with account.hotmart(options, "fixed") as hotmart:
        expected = hotmart.ask("participants")
        for count in (2, 4):
            say(f"  {count} processes")
            found[count] = use(options, hotmart, *_split(hotmart, count))
    table = Table(
        f"Several processes, one credential: {account.sales:,} sales split by date, {LIMIT} calls a minute together",
        "The processes know of each other only what the limit's headers tell.",
        ("", "wall s", "calls", "429s", "calls / minute", "used", "CPU s", "emulator: share of a core"),
        [_row(f"{count} processes", one) for count, one in found.items()],
    )
    checks = []
    for count, one in found.items():
        lines = sum(run.result["lines"] for run in one.runs)
        minutes = max(one.wall / MINUTE, 1.0)
        each = one.refused / count / minutes
        checks += [
            Check(f"everything was listed by {count} processes", "yes", f"{lines / expected:.1%}", lines == expected),
            Check(f"allowed calls used by {count} processes", "at least 90 %", f"{one.share:.1%}", one.share >= 0.9),
            Check(f"429s per process and minute, {count} processes", "at most 1", f"{each:.2f}", each <= 1),
        ]
    return Findings([table], checks)


def _split(hotmart: Hotmart, count: int) -> list[dict[str, Any]]:
    start, end = hotmart.facts["start"], hotmart.facts["end"]
    edges = [start + round((end - start) * part / count) for part in range(count + 1)]
    return [{"subject": "ours", "start": edges[part], "end": edges[part + 1]} for part in range(count)]


def _row(name: str, one: Use) -> tuple[str, ...]:
    return (
        name,
        f"{one.wall:.1f}",
        f"{one.calls:,}",
        str(one.refused),
        f"{one.pages_a_minute:.0f}",
        f"{one.share:.1%}",
        f"{sum(run.cpu for run in one.runs):.1f}",
        f"{one.emulator:.0%}",
    )
