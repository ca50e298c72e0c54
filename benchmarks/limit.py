"""How much of Hotmart's call limit is used: by one listing, and by several processes with one credential."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from benchmarks.cost import OURS, OURS_HOOK, sides
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

    @property
    def pages(self) -> int:
        """Pages that its sales fill."""
        return -(-self.sales // PAGE)

    def hotmart(self, options: Options, window: str = "fixed", **arguments: Any) -> Hotmart:
        """Start the emulator; ``window`` says how it counts calls: by the minute of the clock, or the last 60 s."""
        quirks = {"rate_window": window}
        facts = {"sales": self.sales, "rate_limit": LIMIT, "latency": self.latency, "quirks": quirks, **arguments}
        return Hotmart(options, **facts)


@dataclass(frozen=True)
class Use:
    """
    What became of the limit.

    :param runs: of the processes.
    :param calls: that were answered with a page.
    :param pages: that the listed sales fill.
    :param refused: that were answered 429.
    :param most_refused: the most of these that one process got in one minute.
    :param seconds: from the first call to the last.
    :param emulator: CPU seconds of the emulator, in parts of the wall time.
    """

    runs: Sequence[Run]
    calls: int
    pages: int
    refused: int
    most_refused: int
    seconds: float
    emulator: float

    @property
    def wall(self) -> float:
        """Seconds until the last process was done."""
        return max(run.wall for run in self.runs)

    @property
    def cpu(self) -> float:
        """CPU seconds of all processes."""
        return sum(run.cpu for run in self.runs)

    @property
    def share(self) -> float:
        """Which part of the allowed calls was used while there was work."""
        return (self.calls - 1) / (LIMIT / MINUTE * self.seconds)

    @property
    def pages_a_minute(self) -> float:
        """Full pages of sales that came in a minute, from the start to the complete file."""
        return self.pages / self.wall * MINUTE

    @property
    def lines(self) -> int:
        """Lines in all files."""
        return sum(run.result["lines"] for run in self.runs)


@dataclass(frozen=True)
class Group:
    """
    Processes that share a credential, and so its limit.

    :param hotmart: where they list from.
    :param pages: that the sales which they list fill.
    :param jobs: one for each process.
    """

    hotmart: Hotmart
    pages: int
    jobs: Sequence[dict[str, Any]]


def use(options: Options, *groups: Group, begin: Callable[[], None]) -> list[Use]:
    """
    Run groups of processes, all at once: each has an emulator and a limit of its own, and mostly waits.

    :param begin: called when all are ready, before the first is told to begin.
    """
    before = []
    for group in groups:
        group.hotmart.forget()
        before.append(group.hotmart.stats()["cpu"])
    with ExitStack() as stack:
        jobs = [
            {**group.hotmart.facts, **job, "path": stack.enter_context(written_to(options))}
            for group in groups
            for job in group.jobs
        ]
        runs = measure(options, *jobs, begin=begin)
        for run, job in zip(runs, jobs, strict=True):
            run.result["lines"] = lines_in(job["path"])
    found, rest = [], iter(runs)
    for group, cpu in zip(groups, before, strict=True):
        mine = [next(rest) for _ in group.jobs]
        stats = group.hotmart.stats()
        times = stats["times"]
        wall = max(run.wall for run in mine)
        refused = stats["status"].get("429", 0)
        seconds, share = times[-1] - times[0], (stats["cpu"] - cpu) / wall
        found.append(Use(mine, len(times), group.pages, refused, stats["most_refused"], seconds, share))
    return found


def measure_limit(options: Options) -> Findings:
    """400,000 sales, 700 ms a page, 500 calls a minute: ours, also of 100,000, and those that ask page after page."""
    account = Account.of(options)
    # What decodes the JSON makes no difference where everybody waits.
    peers = {name: job for name, job in sides().items() if name not in (OURS, OURS_HOOK)}
    sliding = f"{OURS}, limit counted over the last 60 s"
    quarter = f"{OURS}, {account.sales // 4:,} sales in two statuses"
    wanted = {OURS: 0.95, sliding: 0.95, quarter: 0.9}
    found: dict[str, list[Use]] = {name: [] for name in (*wanted, *peers)}
    ours = {"subject": "ours"}
    statuses = ["APPROVED", "COMPLETE"]
    with (
        account.hotmart(options) as hotmart,
        account.hotmart(options, "sliding") as other,
        account.hotmart(options, sales=account.sales // 4, statuses=statuses) as third,
    ):
        hotmarts = (hotmart, other, third)
        expected = [one.ask("participants") for one in hotmarts]
        free = 0.0
        for turn in range(options.runs):
            say(f"  {OURS}, all of it, run {turn + 1} of {options.runs}")
            groups = [Group(one, account.pages, [ours]) for one in (hotmart, other)]
            groups.append(Group(third, account.pages // 4, [{**ours, "statuses": statuses}]))
            all_of_ours = use(options, *groups, begin=_next_minute(options, free))
            # Then these calls count no more, whichever way they are counted.
            free = time.monotonic() + MINUTE
            for name, one in zip(wanted, all_of_ours, strict=True):
                found[name].append(one)
            say(f"  those that ask page after page, {account.serial_pages} pages, run {turn + 1} of {options.runs}")
            jobs = [{**job, "pages": account.serial_pages} for job in peers.values()]
            (all_of_them,) = use(options, Group(hotmart, account.serial_pages, jobs), begin=lambda: None)
            for name, run in zip(peers, all_of_them.runs, strict=True):
                pages = run.result["pages"]
                one = all_of_them
                found[name].append(Use([run], pages, pages, one.refused, one.most_refused, run.wall, one.emulator))
    complete = all(one.lines == lines for name, lines in zip(wanted, expected, strict=True) for one in found[name])
    table = Table(
        f"At the limit: {account.sales:,} sales, {account.latency * 1000:.0f} ms a page, {LIMIT} calls a minute",
        f"Medians of {options.runs} runs; the sum of the 429s. This provider lists all of the sales, {account.pages} "
        "full pages, from the beginning of a minute of the clock on, from three emulators at once: one for each way of "
        f"counting, and one with {account.sales // 4:,} sales, half of them APPROVED and half COMPLETE. Those "
        f"that ask page after page are stopped after {account.serial_pages} pages; they run at the same time, "
        "all of them together far below the limit. Used: calls between the first and the last, beside those that "
        "are allowed in that time; a little more than all where the last minute is not over.",
        COLUMNS,
        [_row(name, uses) for name, uses in found.items()],
    )
    checks = [Check("everything was listed", "yes", "yes" if complete else "no", complete)]
    for name, least in wanted.items():
        used = _median(found[name], lambda one: one.share)
        refused = sum(one.refused for one in found[name])
        checks.append(
            Check(f"allowed calls used, {name}", f"at least {least * 100:.0f} %", f"{used:.1%}", used >= least)
        )
        checks.append(Check(f"calls refused with 429, {name}", "0", str(refused), refused == 0))
    mine = _median(found[OURS], lambda one: one.pages_a_minute)
    for name in peers:
        times = mine / _median(found[name], lambda one: one.pages_a_minute)
        checks.append(Check(f"pages a minute beside {name}", "at least 5 times", f"{times:.1f} times", times >= 5))
    return Findings([table], checks)


def measure_processes(options: Options) -> Findings:
    """The same account, split over two and four processes that share one credential."""
    account = Account.of(options)
    counts = (2, 4)
    found: dict[int, list[Use]] = {count: [] for count in counts}
    with ExitStack() as stack:
        hotmarts = [stack.enter_context(account.hotmart(options, "fixed")) for _ in counts]
        expected = hotmarts[0].ask("participants")
        for turn in range(options.runs):
            say(f"  {' and '.join(map(str, counts))} processes, run {turn + 1} of {options.runs}")
            groups = [
                Group(hotmart, account.pages, _split(hotmart, count))
                for hotmart, count in zip(hotmarts, counts, strict=True)
            ]
            for count, one in zip(counts, use(options, *groups, begin=_next_minute(options)), strict=True):
                found[count].append(one)
    table = Table(
        f"Several processes, one credential: {account.sales:,} sales split by date, {LIMIT} calls a minute together",
        f"Medians of {options.runs} runs; the sum of the 429s. The processes know of each other only what the limit's "
        "headers tell. Two and four of them run at once, each group with an emulator and a credential of its own.",
        COLUMNS,
        [_row(f"{count} processes", uses) for count, uses in found.items()],
    )
    checks = []
    for count, uses in found.items():
        complete = all(one.lines == expected for one in uses)
        used = _median(uses, lambda one: one.share)
        each = max(one.most_refused for one in uses)
        checks += [
            Check(f"everything was listed by {count} processes", "yes", "yes" if complete else "no", complete),
            Check(f"allowed calls used by {count} processes", "at least 90 %", f"{used:.1%}", used >= 0.9),
            Check(f"most 429s of a process in a minute, {count} processes", "at most 1", str(each), each <= 1),
        ]
    return Findings([table], checks)


COLUMNS = ("", "wall s", "calls", "429s", "pages / minute", "used", "CPU s", "emulator: share of a core")


def _split(hotmart: Hotmart, count: int) -> list[dict[str, Any]]:
    start, end = hotmart.facts["start"], hotmart.facts["end"]
    edges = [start + round((end - start) * part / count) for part in range(count + 1)]
    return [{"subject": "ours", "start": edges[part], "end": edges[part + 1]} for part in range(count)]


def _next_minute(options: Options, free: float = 0.0) -> Callable[[], None]:
    """
    Wait for the beginning of a minute.

    :param free: by the monotonic clock: not before.
    """

    def wait() -> None:
        if not options.quick:
            time.sleep(max(0.0, free - time.monotonic()))
            wait_for_minute()

    return wait


def _median(uses: Sequence[Use], of: Callable[[Use], float]) -> float:
    return statistics.median(of(one) for one in uses)


def _row(name: str, uses: Sequence[Use]) -> tuple[str, ...]:
    return (
        name,
        f"{_median(uses, lambda one: one.wall):.1f}",
        f"{_median(uses, lambda one: one.calls):,.0f}",
        str(sum(one.refused for one in uses)),
        f"{_median(uses, lambda one: one.pages_a_minute):.0f}",
        f"{_median(uses, lambda one: one.share):.1%}",
        f"{_median(uses, lambda one: one.cpu):.1f}",
        f"{_median(uses, lambda one: one.emulator):.0%}",
    )
