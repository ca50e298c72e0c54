"""What the measurements share: processes watched from outside, an emulator of their own, medians, tables."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
#: So many calls a minute that nobody ever waits for one.
NO_LIMIT = 10_000_000
PAGE = 500
MINUTE = 60.0
MEGABYTE = 1e6


@dataclass(frozen=True)
class Options:
    """
    How much to measure.

    :param quick: small sizes and single runs, to see that everything works; the figures say nothing.
    :param folder: for everything that the measured processes write.
    """

    quick: bool
    folder: Path

    @property
    def runs(self) -> int:
        """Runs of which a median is taken."""
        return 1 if self.quick else 3

    def sized(self, full: int, quick: int) -> int:
        """Choose a size."""
        return quick if self.quick else full


@dataclass
class Table:
    """
    One table of the results.

    :param title: what was measured.
    :param text: how, in a few sentences.
    :param columns: headings.
    :param rows: cells, as many as there are headings.
    """

    title: str
    text: str
    columns: Sequence[str]
    rows: list[Sequence[Any]] = field(default_factory=list)

    def markdown(self) -> str:
        """Write the table as Markdown that also reads well in a terminal."""
        cells = [[str(one) for one in row] for row in (self.columns, *self.rows)]
        widths = [max(len(row[place]) for row in cells) for place in range(len(self.columns))]

        def line(row: Sequence[str]) -> str:
            first, *rest = (
                one.ljust(width) if place == 0 else one.rjust(width)
                for place, (one, width) in enumerate(zip(row, widths, strict=True))
            )
            return "| " + " | ".join([first, *rest]) + " |"

        dashes = "|" + "|".join(
            "-" * (width + 2) if place == 0 else "-" * (width + 1) + ":" for place, width in enumerate(widths)
        )
        lines = [f"## {self.title}", "", self.text, "", line(cells[0]), dashes + "|", *map(line, cells[1:])]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Check:
    """
    A figure that this package wants to reach.

    :param what: the figure.
    :param wanted: what it should be.
    :param measured: what it is.
    :param holds: whether that is good enough.
    """

    what: str
    wanted: str
    measured: str
    holds: bool


@dataclass
class Findings:
    """What a measurement gives."""

    tables: list[Table] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)


@dataclass(frozen=True)
class Run:
    """
    One run of a measured process. "Start" is everything before it was told to begin: Python, and its imports.

    :param result: what the process says of it.
    :param wall: seconds.
    :param cpu: CPU seconds of all its threads, without the start.
    :param start_cpu: CPU seconds of the start.
    :param start_memory: most memory that was resident during the start, in MB.
    :param peak_memory: most memory that was resident ever, in MB.
    """

    result: dict[str, Any]
    wall: float
    cpu: float
    start_cpu: float
    start_memory: float
    peak_memory: float


class ProcessError(Exception):
    """A process did not do what it was started for."""


class Process:
    """
    A process of this benchmark: it says one line of JSON when it is ready, and one for each line that it is sent.

    :param module: run as ``python -m``.
    :param job: what it is to do; passed on as JSON.
    :param options: where it may write.
    """

    def __init__(self, module: str, job: dict[str, Any], options: Options) -> None:
        name = f"{module.rpartition('.')[2]}-{job.get('subject', '')}"
        handle, log = tempfile.mkstemp(prefix=f"{name}-", suffix=".log", dir=options.folder)
        self._log = Path(log)
        with os.fdopen(handle, "wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, json.dumps(job)],
                cwd=ROOT,
                env=environment(options.folder),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._process.kill()
        self._process.communicate()

    def tell(self, line: str) -> None:
        """Send a line."""
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def hear(self) -> Any:
        """Wait for a line, and read it."""
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            end = self._log.read_text(errors="replace")[-3000:]
            raise ProcessError(f"{' '.join(self._process.args[1:])} ended before it was done:\n{end}")
        return json.loads(line)

    def ask(self, line: str) -> Any:
        """Send a line and wait for the answer."""
        self.tell(line)
        return self.hear()

    @property
    def cpu(self) -> float:
        """CPU seconds of all its threads, user and system, by the kernel's account."""
        # The clock of another process, as clock_getcpuclockid(3) would give it.
        return time.clock_gettime(~self._process.pid << 3 | 2)

    def memory(self, name: str = "VmHWM") -> float:
        """Resident memory in MB: the most that there ever was, or ``VmRSS``, what there is now."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024 / MEGABYTE
        raise ProcessError(f"the kernel does not say {name}")


class Hotmart(Process):
    """
    An emulator in a process of its own.

    :param options: where it may write.
    :param arguments: those of ``HotmartEmulator``.
    """

    def __init__(self, options: Options, **arguments: Any) -> None:
        settings = {"sales": 1000, "days": 365, "statuses": ["COMPLETE"], "rate_limit": NO_LIMIT, **arguments}
        super().__init__("benchmarks.emulator_process", settings, options)

    def __enter__(self) -> Self:
        #: Where it is, as whom to call it, and which dates hold all of its sales.
        self.facts: dict[str, Any] = self.hear()
        return self

    def stats(self) -> dict[str, Any]:
        """What it was asked since it was last told to forget, and what that cost it."""
        return self.ask("stats")

    def forget(self) -> None:
        """Forget all calls."""
        self.ask("forget")


def environment(folder: Path) -> dict[str, str]:
    """Variables of a measured process: an Airflow of its own, no proxy, and compiled files kept as they usually are."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW_", "_AIRFLOW_", "PYTHON")) and not name.lower().endswith("_proxy")
    }
    return {
        **kept,
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder / 'airflow' / 'airflow.db'}",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "PYTHONPATH": str(ROOT),
    }


def measure(options: Options, *jobs: dict[str, Any], begin: Callable[[], None] = lambda: None) -> list[Run]:
    """
    Run processes, all of them at once, and watch them from outside.

    :param options: where they may write.
    :param jobs: one for each process; ``subject`` names what it does.
    :param begin: called when all are ready, before the first is told to begin.
    """
    with ExitStack() as stack:
        processes = [stack.enter_context(Process("benchmarks.subjects", job, options)) for job in jobs]
        for process in processes:
            process.hear()
        starts = [(process.cpu, process.memory()) for process in processes]
        begin()
        began = time.perf_counter()
        for process in processes:
            process.tell("go")

        def finish(process: Process, start: tuple[float, float]) -> Run:
            result = process.hear()
            wall = time.perf_counter() - began
            return Run(result, wall, process.cpu - start[0], *start, process.memory())

        # A thread for each, so that none is looked at later than it is done.
        with ThreadPoolExecutor(len(processes)) as threads:
            return list(threads.map(finish, processes, starts))


def alternately(options: Options, sides: dict[str, Callable[[], Run]], times: int = 1) -> dict[str, list[Run]]:
    """
    Run all sides in turn, several times over, so that what disturbs the machine disturbs all of them alike.

    A first round warms up and does not count: Python compiles what it imports, the emulator makes its texts.

    :param options: how often.
    :param sides: what to run, by name.
    :param times: as often, where single runs differ much.
    """
    runs: dict[str, list[Run]] = {name: [] for name in sides}
    warming_up, count = (0, 1) if options.quick else (1, options.runs * times)
    for turn, (name, side) in itertools.product(range(1 - warming_up, count + 1), sides.items()):
        say(f"  {name}, {f'run {turn} of {count}' if turn else 'warming up'}")
        found = side()
        if turn:
            runs[name].append(found)
    return runs


def median(runs: Iterable[Run], of: Callable[[Run], float]) -> float:
    """The median of one figure over several runs."""
    return statistics.median(of(run) for run in runs)


def installed(*modules: str) -> bool:
    """Whether modules can be imported here."""
    try:
        return all(importlib.util.find_spec(module) is not None for module in modules)
    except ModuleNotFoundError:
        return False


@contextmanager
def written_to(options: Options) -> Iterator[str]:
    """A path to write a file to, which is removed afterwards."""
    path = Path(tempfile.mkdtemp(dir=options.folder)) / "participants.jsonl"
    try:
        yield str(path)
    finally:
        path.unlink(missing_ok=True)
        path.parent.rmdir()


def lines_in(path: str) -> int:
    """How many lines a file has."""
    with Path(path).open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def wait_for_minute() -> None:
    """Wait until a minute of the clock has just begun: that is when Hotmart's fixed window of calls begins."""
    time.sleep(MINUTE - time.time() % MINUTE + 0.05)


def say(text: str) -> None:
    """Tell how far the benchmark is."""
    print(text, file=sys.stderr, flush=True)


def code() -> str:
    """Tell which code is measured: the tree that ``git rev-parse HEAD:airflow_provider_hotmart`` names."""
    try:
        tree = _git("rev-parse", "--short=12", "HEAD:airflow_provider_hotmart").strip()
        changes = _git("status", "--porcelain", "--", "airflow_provider_hotmart", "benchmarks", ":!benchmarks/*.md")
    except (OSError, subprocess.CalledProcessError):
        return "not in a git repository"
    return f"git tree {tree} of airflow_provider_hotmart{', with uncommitted changes' if changes else ''}"


def _git(*arguments: str) -> str:
    command = ("git", "-C", str(ROOT), *arguments)
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
