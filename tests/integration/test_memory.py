"""A million participants need no more memory than ten thousand."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hotmart.emulator.emulator import CLIENT_ID, CLIENT_SECRET
from tests.integration.support import NO_LIMIT

SALES = 430_000
NOW = "2026-03-15T12:00:00+00:00"
#: How much larger, in MB, the process may become.
MOST_GROWTH = 60

#: Lists into a file in a process of its own; tells how many records there were and how large it became, in MB.
LISTING = """
import json, re, sys
from pathlib import Path
from airflow_provider_hotmart.api.client import HotmartClient
from airflow_provider_hotmart.api.config import HotmartConfig
from airflow_provider_hotmart.api.endpoints import SALES_PARTICIPANTS
from airflow_provider_hotmart.api.filters import build_query
from airflow_provider_hotmart.api.listing import Listing
from airflow_provider_hotmart.api.rows import json_lines
from airflow_provider_hotmart.storage import RecordFile

url, path, filters = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
config = HotmartConfig.from_fields(login=sys.argv[4], password=sys.argv[5], host=url)
client = HotmartClient(config)
listing = Listing(client, build_query(SALES_PARTICIPANTS, now=client.clock.time(), **filters))
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


def listed(url: str, path: Path, **filters: Any) -> dict[str, Any]:
    """What a process that lists into a file says of itself."""
    arguments = [url, str(path), json.dumps(filters), CLIENT_ID, CLIENT_SECRET]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LISTING.replace("\\\\", "\\"), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.mark.slow
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
