"""Runs the emulator in a terminal, or steers one: ``python -m airflow_provider_hotmart.emulator --help``."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

from airflow_provider_hotmart.emulator.account.spread import SPREADS
from airflow_provider_hotmart.emulator.clock import Clock
from airflow_provider_hotmart.emulator.emulator import CLIENT_ID, CLIENT_SECRET, HotmartEmulator
from airflow_provider_hotmart.emulator.quirks import COUNTS, MEANINGS, Quirks
from airflow_provider_hotmart.emulator.service.fault_specs import FaultSpec, fault_help, parse_fault
from airflow_provider_hotmart.emulator.service.webhooks import HOTTOK, Habits, parse_habit
from airflow_provider_hotmart.emulator.service.webhooks import MEANINGS as MEANINGS_OF_HABITS
from airflow_provider_hotmart.emulator.steering import add_commands, steer


def parse_quirk(text: str) -> tuple[str, object]:
    """
    Read a quirk from the command line.

    :param text: name=value; for too_wide the value is a number of days, for page sizes one of items
    """
    name, _, value = text.partition("=")
    if name == "too_wide":
        try:
            return name, timedelta(days=float(value))
        except ValueError as problem:
            raise argparse.ArgumentTypeError(f"too_wide takes a number of days, not {value!r}") from problem
    if name in COUNTS:
        if not value.isdecimal() or int(value) < 1:
            raise argparse.ArgumentTypeError(f"{name} takes a whole number from 1, not {value!r}")
        return name, int(value)
    choices = Quirks.choices()
    if name not in choices:
        raise argparse.ArgumentTypeError(f"no such quirk: {name}; there are {', '.join(MEANINGS)}")
    for choice in choices[name]:
        if str(choice).lower() == value.lower():
            return name, choice
    raise argparse.ArgumentTypeError(f"{name} is one of {', '.join(_shown(name))}, not {value!r}")


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    made = argparse.ArgumentParser(
        prog="python -m airflow_provider_hotmart.emulator",
        description="A local Hotmart, with people who do not exist.",
        epilog=f"{_quirk_help()}\n\n{fault_help()}\n\n{_habit_help()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("--port", type=int, default=8085, help="0: a free one (default: %(default)s)")
    add("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 for containers (default: %(default)s)")
    add("--products", type=int, default=20, metavar="N", help="number of products (default: %(default)s)")
    add("--sales", type=int, default=1000, metavar="N", help="number of sales (default: %(default)s)")
    add("--days", type=float, default=90, help="how far back the sales go (default: %(default)s)")
    add(
        "--seed",
        type=int,
        default=1,
        metavar="N",
        help="the same seed, the same account (default: %(default)s)",
    )
    add(
        "--sales-per-hour",
        type=_rate,
        default=0.0,
        metavar="N",
        help="sales that are made while it runs, in an hour of its clock (default: none)",
    )
    add("--spread", choices=SPREADS, default="even", help="how the sales lie in time (default: %(default)s)")
    add(
        "--rate-limit",
        type=int,
        default=500,
        metavar="N",
        help="calls a minute; 0: no limit (default: %(default)s)",
    )
    add(
        "--latency-ms",
        type=float,
        default=0.0,
        metavar="MS",
        help="wait before each answer (default: %(default)s)",
    )
    add("--client-id", default=CLIENT_ID, metavar="ID", help="of the credential (default: %(default)s)")
    add(
        "--client-secret",
        default=CLIENT_SECRET,
        metavar="SECRET",
        help="of the credential (default: %(default)s)",
    )
    add(
        "--now",
        type=_moment,
        metavar="DATE",
        help="date on the clock at the start, ISO 8601 (default: today's)",
    )
    add("--speed", type=float, default=1.0, metavar="N", help="how fast the clock runs (default: %(default)s)")
    add(
        "--quirk",
        type=parse_quirk,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="see below; repeatable",
    )
    add("--fault", type=_fault, action="append", default=[], metavar="SPEC", help="see below; repeatable")
    add("--webhook-url", metavar="URL", help="post what becomes of sales to this address (default: nowhere)")
    add("--hottok", default=HOTTOK, metavar="TOKEN", help="token of the webhooks (default: %(default)s)")
    add("--webhook", type=_habit, action="append", default=[], metavar="NAME=VALUE", help="see below; repeatable")
    add_commands(made)
    return made


def connection(hotmart: HotmartEmulator) -> str:
    """
    Give the Airflow connection to an emulator, in the form of an environment variable's value.

    :param hotmart: a running one
    """
    return json.dumps(
        {
            "conn_type": "hotmart",
            "host": hotmart.url,
            "login": hotmart.client_id,
            "password": hotmart.client_secret,
            "extra": {
                "token_url": hotmart.token_url,
                **({"hottok": hotmart.webhooks.hottok} if hotmart.webhooks is not None else {}),
            },
        }
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run until interrupted.

    :param arguments: None: those of the command line
    """
    options = parser().parse_args(arguments)
    if options.command is not None:
        return steer(options)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    hotmart = _emulator(options)
    try:
        hotmart.start()
    except OSError as problem:
        print(f"Port {options.port} of {options.host} cannot be opened: {problem}", file=sys.stderr)
        return 1
    with hotmart:
        print(f"Hotmart emulator: {hotmart.url}")
        print(f"Client ID:        {hotmart.client_id}")
        print(f"Client Secret:    {hotmart.client_secret}")
        print("Airflow connection:")
        print(f"export AIRFLOW_CONN_HOTMART_DEFAULT={shlex.quote(connection(hotmart))}", flush=True)
        stopped.wait()
    return 0


def _emulator(options: argparse.Namespace) -> HotmartEmulator:
    clock = Clock(speed=options.speed)
    if options.now is not None:
        clock.set(options.now)
    hotmart = HotmartEmulator(
        options.products,
        options.sales,
        options.days,
        options.seed,
        port=options.port,
        host=options.host,
        rate_limit=options.rate_limit or None,
        latency=options.latency_ms / 1000,
        clock=clock,
        client_id=options.client_id,
        client_secret=options.client_secret,
        quirks=Quirks(**dict(options.quirk)),
        spread=options.spread,
        sales_per_hour=options.sales_per_hour,
        webhook_url=options.webhook_url,
        hottok=options.hottok,
        webhook_habits=Habits(**dict(options.webhook)),
    )
    for spec in options.fault:
        hotmart.faults.add(spec.fault, **spec.when)
    return hotmart


def _quirk_help() -> str:
    lines = ["quirks, the first value being the default:"]
    for name, meaning in MEANINGS.items():
        values = "DAYS" if name == "too_wide" else "N" if name in COUNTS else " | ".join(_shown(name))
        lines.append(f"  {name}={values}\n      {meaning}")
    return "\n".join(lines)


def _habit_help() -> str:
    lines = ["webhooks, how they are sent:"]
    lines += [f"  {name}={getattr(Habits, name)}\n      {meaning}" for name, meaning in MEANINGS_OF_HABITS.items()]
    return "\n".join(lines)


def _habit(text: str) -> tuple[str, float | int]:
    try:
        return parse_habit(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem


def _shown(name: str) -> list[str]:
    return [str(choice).lower() for choice in Quirks.choices()[name]]


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(f"not a date in ISO 8601: {text!r}") from problem


def _rate(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise argparse.ArgumentTypeError(f"not a number of sales: {text!r}")
    return found


def _fault(text: str) -> FaultSpec:
    try:
        return parse_fault(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem


if __name__ == "__main__":
    sys.exit(main())
