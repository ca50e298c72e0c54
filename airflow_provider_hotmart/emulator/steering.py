"""Steers an emulator that runs in another process: ``python -m airflow_provider_hotmart.emulator sale --help``."""

from __future__ import annotations

import argparse
import http.client
import json
import sys
from typing import Any
from urllib.parse import urlencode, urlsplit

from airflow_provider_hotmart.api.enums import SaleStatus
from airflow_provider_hotmart.emulator.account.webhook_rows import ALL_EVENTS
from airflow_provider_hotmart.emulator.service.control import HEADER, PATH

DEFAULT_URL = "http://127.0.0.1:8085"
_TIMEOUT = 30
#: Names of fields that differ from those of the options.
_FIELDS = {"product": "product_id"}


def add_commands(parser: argparse.ArgumentParser) -> None:
    """
    Add the commands for an emulator that runs.

    :param parser: of the command line
    """
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands for an emulator that runs already"
    )
    names = [status.value for status in SaleStatus]
    sale = commands.add_parser("sale", help="let somebody buy", description="Add a sale, and print its code.")
    sale.add_argument("--status", choices=names, default="APPROVED", metavar="STATUS", help="(default: %(default)s)")
    sale.add_argument("--product", type=int, metavar="ID", help="of the product (default: the first one)")
    sale.add_argument("--buyer-email", metavar="EMAIL", help="of the buyer (default: a new one)")
    move = commands.add_parser("move", help="give a sale another status", description="Give a sale another status.")
    move.add_argument("transaction", metavar="TRANSACTION", help="code of the sale")
    move.add_argument("status", choices=names, metavar="STATUS", help="one of %(choices)s")
    webhook = commands.add_parser("webhook", help="send a webhook", description="Send a webhook, and print its id.")
    webhook.add_argument("event", choices=(*ALL_EVENTS, "TEST"), metavar="EVENT", help="one of %(choices)s")
    webhook.add_argument("--transaction", help="code of the sale that it is about (default: the first one)")
    for command in (sale, move, webhook):
        command.add_argument("--url", default=DEFAULT_URL, help="of the emulator (default: %(default)s)")


def steer(options: argparse.Namespace) -> int:
    """
    Carry out a command, and tell the exit code.

    :param options: of the command line
    """
    given = {
        "sale": ("status", "product", "buyer_email"),
        "move": ("status", "transaction"),
        "webhook": ("event", "transaction"),
    }[options.command]
    values = {name: getattr(options, name) for name in given}
    fields = {_FIELDS.get(name, name): str(value) for name, value in values.items() if value is not None}
    try:
        status, answer = _call(options.url, options.command, fields)
    except (OSError, ValueError, http.client.HTTPException) as problem:
        print(f"No emulator answers at {options.url}: {problem}", file=sys.stderr)
        return 1
    if status != 200:
        print(answer.get("error", f"HTTP status {status}"), file=sys.stderr)
        return 1
    print(answer["id" if options.command == "webhook" else "transaction"])
    return 0


def _call(url: str, command: str, fields: dict[str, str]) -> tuple[int, dict[str, Any]]:
    target = urlsplit(url)
    if target.scheme != "http" or not target.hostname:
        raise ValueError("its URL begins with http://")
    connection = http.client.HTTPConnection(target.hostname, target.port or 80, timeout=_TIMEOUT)
    headers = {HEADER: "1", "Content-Type": "application/x-www-form-urlencoded"}
    try:
        connection.request("POST", PATH + command, urlencode(fields), headers)
        answer = connection.getresponse()
        body = json.loads(answer.read())
    finally:
        connection.close()
    if not isinstance(body, dict):
        raise ValueError("it is something else that answers")
    return answer.status, body
