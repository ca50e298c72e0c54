"""What a triggerer pays for a thousand deferred sensors, and for a thousand watchers that look at the same."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_hotmart.api.client import HotmartClient
from airflow_provider_hotmart.api.config import HotmartConfig
from airflow_provider_hotmart.api.windows import Window
from airflow_provider_hotmart.watching.watch import Watch, digest_of_all, plain
from benchmarks.harness import Check, Findings, Hotmart, Options, Process, Table, say

SENSORS_TRIGGER = "sensor.HotmartNewSalesParticipantsTrigger"
WATCHERS_TRIGGER = "event.HotmartSalesParticipantsEventTrigger"
DAYS = 7


@dataclass(frozen=True)
class Crowd:
    """
    Triggers that ran.

    :param result: what their process says.
    :param stats: what the emulator says.
    :param memory: what all of them took, in MB.
    :param cpu: CPU seconds.
    """

    result: dict[str, Any]
    stats: dict[str, Any]
    memory: float
    cpu: float


def measure_triggers(options: Options) -> Findings:
    """A thousand deferred sensors, each of another product; a thousand equal watchers; one of a large account."""
    count = options.sized(1000, 20)
    sensors, checks = _sensors(options, count)
    watchers, more = _watchers(options, count)
    return Findings([sensors, watchers], checks + more)


def _sensors(options: Options, count: int) -> tuple[Table, list[Check]]:
    interval = options.sized(60, 2)
    latency = 0.3 if not options.quick else 0.01
    with Hotmart(options, sales=20 * count, products=count, days=DAYS) as hotmart:
        arguments = _unchanged(hotmart, interval)
        hotmart.ask(f"latency {latency}")
        say(f"  {count} deferred sensors, {3.5 * interval:.0f} s")
        crowd = _run(options, hotmart, SENSORS_TRIGGER, arguments, 3.5 * interval)
    gap = _longest_gap(crowd, count, 3.5 * interval) / interval
    each = crowd.memory / count * 1000
    result = crowd.result
    table = Table(
        f"Triggerer: {count:,} deferred sensors in one process, interval {interval} s, {latency * 1000:.0f} ms a call",
        "Airflow's own `TriggerRunner` runs the triggers, each of another product; only its supervisor is played. "
        "Lateness of the event loop is looked at every 10 ms, stalls included, from the moment that the runner is "
        "told of all triggers at once. Memory: the process's peak, less what it had before the first trigger.",
        (
            "loop late: median ms",
            "99th percentile ms",
            "most ms",
            "longest wait for a poll",
            "memory kB each",
            "CPU s",
            "calls",
        ),
        [
            (
                f"{result['p50'] * 1000:.1f}",
                f"{result['p99'] * 1000:.1f}",
                f"{result['max'] * 1000:.0f}",
                f"{gap:.2f} intervals",
                f"{each:.0f}",
                f"{crowd.cpu:.1f}",
                f"{len(crowd.stats['times']):,}",
            )
        ],
    )
    checks = [
        Check("event loop's lateness, 99th percentile", "under 100 ms", table.rows[0][1] + " ms", result["p99"] < 0.1),
        Check(f"each of {count:,} sensors polled", "within 2 intervals", table.rows[0][3], gap <= 2),
        Check("memory per trigger", "under 200 kB", f"{each:.0f} kB", each < 200),
        Check("triggers that fired or failed for nothing", "0", *_idle(result, count)),
    ]
    return table, checks


def _watchers(options: Options, count: int) -> tuple[Table, list[Check]]:
    interval = options.sized(20, 1)
    table = Table(
        f"Triggerer: equal watchers in one process, interval {interval} s",
        "Each watcher reports the same sales, once, all of them at the same moment, and remembers them in a ledger "
        "file of its own; they share one poll. And one watcher of a large account.",
        ("watchers", "sales", "calls", "events", "loop late: 99th percentile ms", "memory MB", "CPU s"),
    )
    crowds: list[Crowd] = []
    sizes = [(1, options.sized(2_000, 50)), (count, options.sized(2_000, 50)), (1, options.sized(40_000, 500))]
    for number, sales in sizes:
        say(f"  {number} watchers of {sales:,} sales, {3.5 * interval:.0f} s")
        kwargs = {"lookback": DAYS * 86400, "poll_interval": interval}
        folder = Path(options.folder) / f"{number}-{sales}"
        arguments = [{**kwargs, "ledger": str(folder / str(place))} for place in range(number)]
        with Hotmart(options, sales=sales, days=DAYS - 1) as hotmart:
            crowd = _run(options, hotmart, WATCHERS_TRIGGER, arguments, 3.5 * interval)
        crowds.append(crowd)
        calls = len(crowd.stats["times"])
        table.rows.append(
            (
                f"{number:,}",
                f"{sales:,}",
                f"{calls:,}",
                f"{crowd.result['events']:,}",
                f"{crowd.result['p99'] * 1000:.1f}",
                f"{crowd.memory:.0f}",
                f"{crowd.cpu:.1f}",
            )
        )
    one, many, large = crowds
    calls_of_one, calls_of_many = len(one.stats["times"]), len(many.stats["times"])
    late = max(many.result["p99"], large.result["p99"])
    checks = [
        Check(
            f"calls of {count:,} equal watchers",
            "those of one",
            f"{calls_of_many}, of one {calls_of_one}",
            calls_of_many <= calls_of_one,
        ),
        Check(
            "watchers that reported the sales",
            f"{count:,}",
            f"{many.result['events'] / max(one.result['events'], 1):g}",
            many.result["events"] == count * one.result["events"],
        ),
        Check(
            "event loop's lateness with watchers, 99th percentile", "under 100 ms", f"{late * 1000:.1f} ms", late < 0.1
        ),
    ]
    return table, checks


def _run(options: Options, hotmart: Hotmart, trigger: str, arguments: list[dict[str, Any]], seconds: float) -> Crowd:
    path = Path(options.folder) / "triggers.json"
    path.write_text(json.dumps(arguments))
    job = {"subject": "triggerer", "trigger": trigger, "triggers": str(path), "seconds": seconds, **hotmart.facts}
    hotmart.forget()
    with Process("benchmarks.subjects", job, options) as process:
        process.hear()
        cpu, memory = process.cpu, process.memory("VmRSS")
        result = process.ask("go")
        return Crowd(result, hotmart.stats(), process.memory() - memory, process.cpu - cpu)


def _unchanged(hotmart: Hotmart, interval: float) -> list[dict[str, Any]]:
    """Arguments of triggers, one for each product, that have seen all there is to see."""
    facts = hotmart.facts
    config = HotmartConfig(
        facts["client_id"], facts["client_secret"], base_url=facts["url"], token_url=facts["token_url"]
    )
    window = Window(facts["start"], facts["end"])
    by_product: dict[int, list[dict[str, Any]]] = defaultdict(list)
    watch = Watch("hotmart_default")
    for one in watch.participants(watch.listing(HotmartClient(config), window)):
        by_product[plain(one.record, "product")["id"]].append(one.record)
    arguments = []
    for product in facts["products"]:
        filters = {"product_id": product}
        watch = Watch("hotmart_default", filters)
        seen = digest_of_all({one.digest for one in watch.identify(by_product[product])})
        arguments.append({"seen": seen, "since": window.start, "poll_interval": interval, **filters})
    return arguments


def _longest_gap(crowd: Crowd, count: int, seconds: float) -> float:
    """Longest time that any trigger waited for its next poll, in seconds."""
    polls: dict[str, list[float]] = defaultdict(list)
    began = crowd.result["began"]
    for moment, product in zip(crowd.stats["times"], crowd.stats["products"], strict=True):
        polls[product].append(moment)
    gaps = [seconds] if len(polls) < count else []
    for moments in polls.values():
        # One look sends several calls, a moment apart.
        times = [began, *moments]
        gaps.append(max(later - earlier for earlier, later in itertools.pairwise(times)))
    return max(gaps)


def _idle(result: dict[str, Any], count: int) -> tuple[str, bool]:
    """How many triggers did not do nothing."""
    ended = result["events"] + result["failures"] + count - result["running"]
    return str(ended), ended == 0
