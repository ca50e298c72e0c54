"""A file that is ten times as large needs no more memory to be loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.databases.servers import Database
from tests.databases.support import Loader, row

ROOT = Path(__file__).resolve().parents[2]
#: Rows, each of about three kilobytes, of the two files.
FEW, MANY = 2_500, 25_000
#: How much larger, in MB, the process may become; a file that is kept in memory makes it grow by 70 and more.
MOST_GROWTH = 30

#: Loads with the operator in a process of its own; tells how many rows were written and how large it became, in MB.
LOADING = """
import json, re, sys
from pathlib import Path
from airflow_provider_hotmart.transfers.file_to_sql import HotmartFileToSqlOperator
from tests.airflow.support import execute

job = json.loads(sys.stdin.read())
loaded = execute(HotmartFileToSqlOperator(task_id="load", conn_id="warehouse", table="participants", **job))
status = Path("/proc/self/status").read_text()
print(json.dumps({
    "rows": loaded["rows"], "megabytes": int(re.search(r"VmHWM:\\\\s+([0-9]+) kB", status)[1]) / 1024
}))
"""


def loaded(database: Database, manifest: dict[str, Any], mode: str) -> dict[str, Any]:
    """What a process that loads a file says of itself."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOADING.replace("\\\\", "\\")],
        input=json.dumps({"manifest": manifest, "mode": mode}),
        env={**os.environ, "PYTHONPATH": str(ROOT), "AIRFLOW_CONN_WAREHOUSE": json.dumps(database.connection)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(
    ("suffix", "mode"), [(".csv.gz", "append"), (".jsonl", "upsert"), (".parquet", "replace_window")]
)
def test_ten_times_the_rows_take_no_more_memory(loader: Loader, database: Database, suffix: str, mode: str) -> None:
    if database.kind == "psycopg2":
        pytest.skip("which driver of PostgreSQL is used is the choice of Airflow's hook")
    found = []
    for records in (FEW, MANY):
        # What cannot be pressed or shared, so that a file's size is that of its rows.
        rows = [row(number, other=json.dumps({"seen": os.urandom(1_400).hex()})) for number in range(records)]
        manifest = loader.file(*rows, suffix=suffix)
        del rows
        database.run("DROP TABLE IF EXISTS participants")
        found.append(loaded(database, manifest, mode))
    few, many = found
    assert (few["rows"], many["rows"]) == (FEW, MANY)
    assert many["megabytes"] - few["megabytes"] < MOST_GROWTH
