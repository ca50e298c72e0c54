r"""Loading a CSV file into PostgreSQL, beside psql's ``\copy`` of the same file into a table with the same key."""

from __future__ import annotations

import hashlib
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.harness import Check, Findings, Options, Table, installed, say

COLUMNS = {
    "transaction": "string",
    "role": "string",
    "user_key": "string",
    "transaction_status": "string",
    "product_id": "integer",
    "product_name": "string",
    **{f"user_{name}": "string" for name in ("ucode", "name", "trade_name", "email", "phone", "cellphone", "locale")},
    **{f"user_address_{name}": "string" for name in ("city", "state", "country", "zip_code", "address", "number")},
    "user_documents": "json",
    "other": "json",
}
KEY = ("transaction", "role", "user_key")
TITLE = "Loading: a CSV file of {records} participants into PostgreSQL"


def measure_loading(options: Options) -> Findings:
    """``append`` into a new table, and ``upsert`` into a new one and over the same rows again."""
    records = options.sized(1_000_000, 2_000)
    title = TITLE.format(records=f"{records:,}")
    if not installed("pytest", "psycopg2") or shutil.which("psql") is None:
        return Findings([Table(title, "Not measured: PostgreSQL or its driver is not installed.", ("",))])
    from tests.airflow.history import postgres, postgres_is_installed

    if not postgres_is_installed():
        return Findings([Table(title, "Not measured: PostgreSQL is not installed.", ("",))])
    manifest = write_file(options.folder / "participants.csv", records)
    with postgres() as url:
        dsn = url.replace("+psycopg2", "")
        sides: dict[str, Callable[[], float]] = {
            r"psql's \copy": lambda: copy(dsn, manifest),
            "append": lambda: load(dsn, manifest, "append", anew=True),
            "upsert, no table yet": lambda: load(dsn, manifest, "upsert", anew=True),
            "upsert, the same rows again": lambda: load(dsn, manifest, "upsert", anew=False),
        }
        found: dict[str, list[float]] = {name: [] for name in sides}
        for turn in range(options.runs):
            for name, side in sides.items():
                say(f"  {name}, run {turn + 1} of {options.runs}")
                found[name].append(side())
    seconds = {name: statistics.median(times) for name, times in found.items()}
    floor = seconds[r"psql's \copy"]
    table = Table(
        title,
        "Wall seconds, the server on the same machine, without fsync. psql copies into a table with the same primary "
        "key; the loader's table has four columns more.",
        ("", "seconds", r"beside \copy"),
        [(name, f"{one:.2f}", f"{one / floor:.2f}") for name, one in seconds.items()],
    )
    limits = {"append": 2, "upsert, no table yet": 4, "upsert, the same rows again": 4}
    checks = [
        Check(
            rf"{name}, beside \copy",
            f"within {most} times",
            f"{seconds[name] / floor:.2f}",
            seconds[name] <= most * floor,
        )
        for name, most in limits.items()
    ]
    return Findings([table], checks)


def write_file(path: Path, records: int) -> dict[str, Any]:
    """Write a CSV file of participants; return its manifest."""
    digest = hashlib.sha256()
    with path.open("wb") as file:

        def write(text: str) -> None:
            file.write(text.encode())
            digest.update(text.encode())

        write(",".join(COLUMNS) + "\n")
        for start in range(0, records, 10_000):
            write("".join(line(number) for number in range(start, min(start + 10_000, records))))
    return {
        "uri": str(path),
        "records": records,
        "sha256": digest.hexdigest(),
        "format": "csv",
        "compression": None,
        "columns": [{"name": name, "type": kind} for name, kind in COLUMNS.items()],
        "primary_key": list(KEY),
        "window": {"start": "2025-03-01T03:00:00Z", "end": "2025-03-02T03:00:00Z", "timezone": "UTC"},
        "listed_from": "2025-03-02T06:00:00Z",
        "listed_until": "2025-03-02T06:01:00Z",
    }


def line(number: int) -> str:
    """One made-up participant, in no order that an index would like."""
    mixed = number * 2_654_435_761 % 2**32
    ucode = f"{mixed:08x}-4a5b-4c6d-8e7f-{mixed:012x}"
    documents = f'"[{{""type"":""CPF"",""value"":""{mixed:011}""}}]"'
    return (
        f"HP{mixed:010}{number:07},BUYER,{ucode},APPROVED,{number % 50},Course {number % 50},{ucode},"
        f"Person Number {number},,person{number}@example.com,,+55 11 9{mixed % 10**8:08},PT_BR,"
        f'São Paulo,SP,BR,01310-100,"Avenida Paulista, {number % 3000}",{number % 3000},{documents},\n'
    )


def copy(dsn: str, manifest: dict[str, Any]) -> float:
    """Let psql copy the file."""
    from airflow_provider_hotmart.transfers.dialects.postgres import Postgres

    columns = ", ".join(f'"{name}" {Postgres.types[kind]}' for name, kind in COLUMNS.items())
    make = f"DROP TABLE IF EXISTS copied; CREATE TABLE copied ({columns}, PRIMARY KEY ({', '.join(KEY)}))"
    run(dsn, make)
    began = time.perf_counter()
    run(dsn, rf"\copy copied from '{manifest['uri']}' with (format csv, header)")
    return time.perf_counter() - began


def run(dsn: str, command: str) -> None:
    """Run one command of psql."""
    subprocess.run(["psql", "-q", "-X", "-v", "ON_ERROR_STOP=1", "-d", dsn, "-c", command], check=True, timeout=600)  # noqa: S607


def load(dsn: str, manifest: dict[str, Any], mode: str, *, anew: bool) -> float:
    """Let this package load the file."""
    import psycopg2

    from airflow_provider_hotmart.transfers.loading import TableLoad
    from airflow_provider_hotmart.transfers.manifest import parse_manifests

    if anew:
        with closing(psycopg2.connect(dsn)) as connection:
            connection.cursor().execute("DROP TABLE IF EXISTS loaded")
            connection.commit()
    began = time.perf_counter()
    manifests = parse_manifests(manifest)
    options: dict[str, Any] = {"schema": None, "create_table": True, "mode": mode, "source_conn_id": None}
    TableLoad(manifests, table="loaded", **options).run(psycopg2.connect(dsn))
    return time.perf_counter() - began
