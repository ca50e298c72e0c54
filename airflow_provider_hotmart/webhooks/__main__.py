"""Runs the receiver on its own, in front of an Airflow that is not public: ``--help`` tells how."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from airflow_provider_hotmart.webhooks.assembly import assemble, connections, find_hottok
from airflow_provider_hotmart.webhooks.rest import AirflowApiError, RestAssetEvents, password_login

_EPILOG = """\
The variables of the environment that it reads:
  AIRFLOW__HOTMART__WEBHOOK_CONNECTIONS  connections that webhooks are received for, comma-separated
  AIRFLOW_CONN_HOTMART_DEFAULT           a connection, as JSON: {"conn_type": "hotmart", "extra": {"hottok": "…"}}
  AIRFLOW_USERNAME, AIRFLOW_PASSWORD     a user of Airflow who may read assets and create their events
  AIRFLOW__HOTMART__WEBHOOK_ARCHIVE      and the other options of [hotmart]
"""


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    made = argparse.ArgumentParser(
        prog="python -m airflow_provider_hotmart.webhooks",
        description="Receive Hotmart's webhooks, and add them to the assets of an Airflow that is elsewhere.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--airflow-url", required=True, metavar="URL", help="base URL of Airflow's API server")
    made.add_argument(
        "--token-file",
        metavar="PATH",
        help="file with a token for Airflow's API, read anew when it is refused (default: log in as AIRFLOW_USERNAME)",
    )
    made.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    made.add_argument("--port", type=int, default=8086, help="0: a free one (default: %(default)s)")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Receive until interrupted.

    :param arguments: None: those of the command line.
    """
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", force=True)
    try:
        import uvicorn
    except ImportError:
        return _fail("uvicorn is missing, which Airflow 3 brings: pip install uvicorn")
    names = connections()
    if not names:
        return _fail("No connection is named: set AIRFLOW__HOTMART__WEBHOOK_CONNECTIONS")
    for name in names:
        if find_hottok(name) is None:
            return _fail(f"The connection {name} has no hottok: set AIRFLOW_CONN_{name.upper()}")
    new_token = _token_source(options)
    if new_token is None:
        return _fail("There is no way into Airflow: set AIRFLOW_USERNAME and AIRFLOW_PASSWORD, or --token-file")
    events = RestAssetEvents(options.airflow_url, new_token)
    try:
        for name in names:
            events.check(name)
    except (AirflowApiError, OSError) as problem:
        return _fail(str(problem))
    # Whoever calls is in the log of the proxy in front.
    uvicorn.run(assemble(events.store), host=options.host, port=options.port, lifespan="off", access_log=False)
    return 0


def _token_source(options: argparse.Namespace) -> Callable[[], str] | None:
    if options.token_file:
        return lambda: Path(options.token_file).read_text(encoding="utf-8").strip()
    user, password = os.environ.get("AIRFLOW_USERNAME"), os.environ.get("AIRFLOW_PASSWORD")
    return password_login(options.airflow_url, user, password) if user and password else None


def _fail(message: str) -> int:
    sys.stderr.write(message + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
