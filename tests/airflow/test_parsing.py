"""DAG files with the operators parse quickly, and without looking anything up."""

from __future__ import annotations

import compileall
import json
import shutil
from pathlib import Path

import pytest

import airflow_provider_hotmart
from tests.airflow.support import HAS_SUPERVISOR, ThrowawayAirflow, environment, python

pytestmark = pytest.mark.airflow

#: Milliseconds of processor time that all operators may add to Airflow's own import; Airflow 2 takes its time to make
#: a class of operators.
MOST_ADDED = 20 if HAS_SUPERVISOR else 60
#: How often that may be measured at most: what else the machine does makes it more at times, and never less.
MOST_RUNS = 20
MODULES = ("club", "events", "products", "sales", "subscriptions")

BACKEND = '''
import os
from airflow.secrets import BaseSecretsBackend


class RecordingBackend(BaseSecretsBackend):
    """Knows no secret, and writes down what it is asked for."""

    def _record(self, kind, name):
        with open(os.environ["LOOKED_UP"], "a") as file:
            file.write(f"{kind} {name}\\n")

    def get_connection(self, conn_id, *args, **kwargs):
        self._record("connection", conn_id)

    def get_variable(self, key, *args, **kwargs):
        self._record("variable", key)

    def get_config(self, key):
        return None
'''

DAG_FILE = """
from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, task
from airflow_provider_hotmart.hooks.hotmart import HotmartHook
from airflow_provider_hotmart.operators.products import HotmartListProductsOperator
from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator

with DAG("everything", schedule="@daily", start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False):
    hook = HotmartHook("not_defined")
    for number, operator in enumerate((HotmartListProductsOperator, HotmartListSalesParticipantsOperator)):
        operator(task_id=f"plain_{number}", hotmart_conn_id="not_defined")
        operator(
            task_id=f"stored_{number}",
            destination="s3://not_defined_either@bucket/{{ ds }}.jsonl",
            destination_conn_id="not_defined_either",
        )
        operator(task_id=f"at_a_path_{number}", destination=ObjectStoragePath("file:///x/y.jsonl", conn_id="nor_this"))
        operator(task_id=f"variable_{number}", destination="{{ var.value.not_defined }}/a.jsonl")
        # Nothing is checked either.
        operator(task_id=f"wrong_{number}", product_id="no number", destination="x.csv", max_xcom_records="?")
        operator.partial(task_id=f"mapped_{number}").expand(product_id=[1, 2])
        operator.partial(task_id=f"mapped_kwargs_{number}").expand_kwargs([{"product_id": 1}, {"select": "id"}])
    HotmartListSalesParticipantsOperator(task_id="wrong_dates", sales_start_date=5, sales_end_date=4)
    HotmartListSalesParticipantsOperator(task_id="wrong_status", transaction_status="APROVED")
"""


def test_parsing_looks_nothing_up_and_warns_of_nothing(airflow: ThrowawayAirflow, tmp_path: Path) -> None:
    (tmp_path / "recording_backend.py").write_text(BACKEND)
    recorded = tmp_path / "looked-up.txt"
    changes = {
        "AIRFLOW__SECRETS__BACKEND": "recording_backend.RecordingBackend",
        "LOOKED_UP": str(recorded),
        "PYTHONPATH": f"{environment(tmp_path)['PYTHONPATH']}:{tmp_path}",
    }
    run = airflow.run(DAG_FILE, **changes)
    assert run.report == {"dags": ["everything"], "import_errors": [], "warnings": []}
    assert not recorded.exists()

    # The backend is in use: what does need the connection asks it.
    code = """
    from airflow_provider_hotmart.hooks.hotmart import HotmartHook
    try:
        HotmartHook("not_defined").get_conn()
    except Exception as error:
        print(type(error).__name__)
    """
    assert "HotmartConfigError" in python(run.home, code, **changes).stdout
    assert "connection not_defined" in recorded.read_text().splitlines()


IMPORT = """
import sys, time
{airflow}
before = set(sys.modules)
began = time.process_time()
{operators}
took = time.process_time() - began
added = sorted(set(sys.modules) - before)
import json
print(json.dumps([took * 1000, added]))
"""
# Airflow 3's package loads its parts when they are first used; whoever writes a DAG uses these.
AIRFLOW = "from airflow.sdk import DAG, BaseOperator" if HAS_SUPERVISOR else "import airflow.models.baseoperator"


def test_importing_the_operators_takes_little_time_and_no_http_library(tmp_path: Path) -> None:
    # Compiled, as an installed package is, also where this checkout is not.
    name = airflow_provider_hotmart.__name__
    installed = Path(airflow_provider_hotmart.__file__).parent
    shutil.copytree(installed, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    assert compileall.compile_dir(tmp_path / name, quiet=1)
    operators = "\n".join(f"import {name}.operators.{module}" for module in MODULES)
    code = IMPORT.format(airflow=AIRFLOW, operators=operators)
    took: list[float] = []
    while len(took) < MOST_RUNS and not (took and min(took) < MOST_ADDED):
        done = python(tmp_path, code, "-P", PYTHONPATH=str(tmp_path))
        milliseconds, added = json.loads(done.stdout.splitlines()[-1])
        took.append(milliseconds)
    assert min(took) < MOST_ADDED, took
    own = {
        "airflow_provider_hotmart",
        "airflow_provider_hotmart.api",
        "airflow_provider_hotmart.api.endpoint",
        "airflow_provider_hotmart.api.endpoints",
        "airflow_provider_hotmart.api.enums",
        "airflow_provider_hotmart.api.lifecycle",
        "airflow_provider_hotmart.failing",
        "airflow_provider_hotmart.operators",
        "airflow_provider_hotmart.operators.base",
        *(f"airflow_provider_hotmart.{of}.{name}" for of in ("operators", "api.endpoints") for name in MODULES),
    }
    assert {name for name in added if name.startswith("airflow_provider_hotmart")} <= own
    heavy = ("requests", "urllib3", "pendulum", "fsspec", "upath", "wtforms", "flask")
    assert [name for name in added if name.partition(".")[0] in heavy] == []


def test_importing_the_package_and_its_metadata_imports_nothing(tmp_path: Path) -> None:
    code = """
    import sys
    before = set(sys.modules)
    import airflow_provider_hotmart
    from airflow_provider_hotmart.get_provider_info import get_provider_info
    get_provider_info()
    print(sorted(set(sys.modules) - before))
    """
    printed = python(tmp_path, code).stdout.splitlines()[-1]
    allowed = {"airflow_provider_hotmart", "airflow_provider_hotmart.get_provider_info", "__future__"}
    assert set(json.loads(printed.replace("'", '"'))) <= allowed
