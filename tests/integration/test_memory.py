"""A million participants need no more memory than ten thousand, and a sale with everything no more than without."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hotmart.api.joining import PARTS
from airflow_provider_hotmart.emulator.emulator import CLIENT_ID, CLIENT_SECRET
from tests.integration.support import NO_LIMIT, WIDTHS

SALES = 430_000
NOW = "2026-03-15T12:00:00+00:00"
#: How much larger, in MB, the process may become.
MOST_GROWTH = 60
#: How much larger it may become for sales with everything than for their participants alone.
MOST_FOR_EVERYTHING = 12

#: Lists into a file in a process of its own; tells how many records there were and how large it became, in MB.
LISTING = """
import json, re, sys
from pathlib import Path
from airflow_provider_hotmart.api.client import HotmartClient
from airflow_provider_hotmart.api.config import HotmartConfig
from airflow_provider_hotmart.api.endpoints.sales import SALES, SALES_PARTICIPANTS
from airflow_provider_hotmart.api.filters import build_query
from airflow_provider_hotmart.api.joining import SalesListing
from airflow_provider_hotmart.api.listing import Listing
from airflow_provider_hotmart.api.json_text import json_lines
from airflow_provider_hotmart.storage import RecordFile

url, path, login, password = sys.argv[1:5]
filters, extra, include = map(json.loads, sys.argv[5:])
client = HotmartClient(HotmartConfig.from_fields(login=login, password=password, host=url, extra=extra))
query = build_query(SALES if include else SALES_PARTICIPANTS, now=client.clock.time(), **filters)
listing = SalesListing(client, query, include) if include else Listing(client, query)
with RecordFile(path).writing() as writer:
    for batch in listing:
        writer.write(json_lines(batch), len(batch))
status = Path("/proc/self/status").read_text()
print(json.dumps({
    "records": writer.result.records,
    "calls": listing.calls,
    "megabytes": int(re.search(r"VmHWM:\\\\s+([0-9]+) kB", status)[1]) / 1024,
}))
"""


@contextmanager
def emulator(*options: str) -> Iterator[str]:
    """The address of an emulator that runs in a process of its own."""
    command = [sys.executable, "-m", "airflow_provider_hotmart.emulator", "--port", "0", "--now", NOW, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def listed(
    url: str, path: Path, *, width: int | None = None, include: tuple[str, ...] = (), **filters: Any
) -> dict[str, Any]:
    """
    What a process that lists into a file says of itself.

    :param width: of its calls; None: the usual one.
    :param include: parts of sales; empty: their participants are listed.
    """
    extra = {} if width is None else {"max_parallel_calls": width}
    arguments = [url, str(path), CLIENT_ID, CLIENT_SECRET, *map(json.dumps, (filters, extra, include))]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LISTING.replace("\\\\", "\\"), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("quirk", ["order=date"])
def test_a_million_participants_take_no_more_memory_than_ten_thousand(tmp_path: Path, quirk: str) -> None:
    with emulator("--sales", str(SALES), "--days", "365", "--rate-limit", str(NO_LIMIT), "--quirk", quirk) as url:
        everything = {"transaction_status": "ALL", "sales_end_date": NOW}
        few = listed(url, tmp_path / "few.jsonl.gz", sales_start_date="2026-03-11T00:00:00+00:00", **everything)
        many = listed(url, tmp_path / "many.jsonl.gz", sales_start_date="2025-03-15T12:00:00+00:00", **everything)
    assert 8_000 < few["records"] < 15_000
    assert many["records"] > 960_000
    assert many["megabytes"] - few["megabytes"] < MOST_GROWTH


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_sales_with_everything_are_the_same_bytes_and_take_no_more_memory_than_participants(tmp_path: Path) -> None:
    year = {"transaction_status": "ALL", "sales_start_date": "2025-03-15T12:00:00+00:00", "sales_end_date": NOW}
    digests, above = set(), {}
    # Time stands still, so that no sale moves on while it is listed.
    with emulator("--sales", "100000", "--days", "365", "--rate-limit", str(NO_LIMIT), "--speed", "0") as url:
        for width in WIDTHS:
            path = tmp_path / "everything.jsonl"
            everything = listed(url, path, width=width, include=tuple(PARTS), **year)
            assert everything["records"] == 100_000
            with path.open("rb") as file:
                digests.add(hashlib.file_digest(file, "sha256").hexdigest())
            people = listed(url, tmp_path / "people.jsonl", width=width, **year)
            above[width] = everything["megabytes"] - people["megabytes"]
    assert len(digests) == 1
    assert max(above.values()) < MOST_FOR_EVERYTHING, above
