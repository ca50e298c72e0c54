"""
Runs DAGs for real, in a process of its own; `support.py` starts it.

Reads a JSON object from its standard input: ``file`` (or a folder), ``runs`` (a list of ``dag_id`` and, if need be,
``logical_date``, ``run_after``, ``conf``), ``supervised`` and ``unmasked``. Writes what the file gave when it was
parsed to the file ``report``. What became of the tasks is in Airflow's database.
"""

from __future__ import annotations

import inspect
import json
import sys
import warnings
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.airflow import versions


def main() -> None:
    job = json.loads(sys.stdin.read())
    versions.mend_runs_in_process()
    if job["unmasked"]:
        let_secrets_show()
    bag = load(job["file"])
    report = {
        "dags": sorted(bag.dags),
        "import_errors": [str(error) for error in bag.import_errors.values()],
        "warnings": [str(one) for found in bag.captured_warnings.values() for one in found],
    }
    Path(job["report"]).write_text(json.dumps(report), encoding="utf-8")
    if job["supervised"]:
        run_tasks_like_a_worker(job["file"])
    versions.know_assets(bag)
    for run in job["runs"]:
        test(bag.dags[run["dag_id"]], run)


def load(file: str) -> Any:
    """
    Parse a DAG file, and keep its and this package's warnings.

    Airflow keeps what Python shows, and by itself Python shows no ``DeprecationWarning`` of theirs. Airflow names the
    module of a DAG file ``unusual_prefix_…``.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("always", "", DeprecationWarning, "unusual_prefix_|airflow_provider_hotmart")
        return versions.DagBag(dag_folder=file)


def test(dag: Any, run: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"run_conf": run.get("conf")}
    if "logical_date" in run:
        date = run["logical_date"]
        name = "logical_date" if "logical_date" in inspect.signature(dag.test).parameters else "execution_date"
        arguments[name] = None if date is None else datetime.fromisoformat(date)
    if "run_after" in run:
        arguments["run_after"] = datetime.fromisoformat(run["run_after"])
    dag.test(**arguments)


def let_secrets_show() -> None:
    """Switch Airflow's own masking off, to see what would show without it."""
    names = ("airflow.sdk._shared.secrets_masker", "airflow._shared.secrets_masker", "airflow.utils.log.secrets_masker")
    for name in names:
        try:
            module = __import__(name, fromlist=["SecretsMasker"])
        except ImportError:
            continue
        module.SecretsMasker.add_mask = lambda self, secret, name=None: None


def run_tasks_like_a_worker(file: str) -> None:
    """Run each task in a supervised process of its own with a log file, as Airflow 3's executors do."""
    from airflow.configuration import conf
    from airflow.executors.workloads import BundleInfo
    from airflow.models.taskinstance import TaskInstance
    from airflow.sdk.execution_time import supervisor
    from airflow.utils.session import create_session

    logs = Path(conf.get("logging", "base_log_folder"))

    def run(ti: Any, task: Any) -> Any:
        log = f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}-{ti.try_number}.log"
        (logs / log).parent.mkdir(parents=True, exist_ok=True)
        versions.supervise_task(
            ti=ti,
            bundle_info=BundleInfo(name="dags-folder"),
            dag_rel_path=Path(file).name,
            token="",
            client=supervisor.InProcessTestSupervisor._api_client(task.dag),
            log_path=log,
            subprocess_logs_to_stdout=True,
        )
        with create_session() as session:
            found = TaskInstance.get_task_instance(ti.dag_id, ti.run_id, ti.task_id, ti.map_index, session=session)
            state = found.state
        return SimpleNamespace(ti=SimpleNamespace(state=state, task=task), msg=None)

    supervisor.run_task_in_process = run


if __name__ == "__main__":
    main()
