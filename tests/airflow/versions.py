"""
What tests need of Airflow that its versions have in different places, or do in different ways.

Names are imported only when they are asked for: some of them import most of Airflow.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import inspect
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

#: Which line of Airflow is installed.
LINE = tuple(map(int, version("apache-airflow").split(".")[:2]))
#: Where a name is, in newer versions first.
PLACES = {
    "AirflowRescheduleException": (
        "airflow.sdk.exceptions:AirflowRescheduleException",
        "airflow.exceptions:AirflowRescheduleException",
    ),
    "BundleDagBag": ("airflow.dag_processing.dagbag:BundleDagBag", "airflow.models.dagbag:BundleDagBag"),
    "DagBag": ("airflow.dag_processing.dagbag:DagBag", "airflow.models.dagbag:DagBag"),
    "ExecutorSafeguard": (
        "airflow.sdk.bases.operator:ExecutorSafeguard",
        "airflow.models.baseoperator:ExecutorSafeguard",
    ),
    "attach": ("airflow.sdk.io:attach", "airflow.io.store:attach"),
    "import_string": ("airflow._shared.module_loading:import_string", "airflow.utils.module_loading:import_string"),
    "supervise_task": (
        "airflow.sdk.execution_time.supervisor:supervise_task",
        "airflow.sdk.execution_time.supervisor:supervise",
    ),
    "sync_bag_to_db": ("airflow.dag_processing.dagbag:sync_bag_to_db", "airflow.models.dagbag:sync_bag_to_db"),
}


def find(name: str) -> Any:
    """A name from wherever the installed Airflow has it; None: it has no such thing."""
    for place in PLACES[name]:
        module, _, there = place.partition(":")
        try:
            return getattr(importlib.import_module(module), there)
        except (ImportError, AttributeError):
            continue
    return None


def __getattr__(name: str) -> Any:
    if name in PLACES and (found := find(name)) is not None:
        return found
    raise AttributeError(f"the installed Airflow has no {name} in any place that {__name__} knows")


def mend_runs_in_process() -> None:
    """
    Let tasks that run in this process do so as they do in Airflow 3.3.

    Before, each gets an API server of its own, which takes a second or two to make. In Airflow 3.0 they also get
    dates as text, and their logs show all local variables; neither is so in a worker.
    """
    if not (3, 0) <= LINE < (3, 3):
        return
    from airflow.sdk.execution_time import supervisor

    supervisor.in_process_api_server = functools.cache(supervisor.in_process_api_server)
    if LINE > (3, 0):
        return
    import structlog
    from airflow.sdk.log import logging_processors

    send = supervisor.InProcessTestSupervisor.send_msg

    def send_as_json(self: Any, msg: Any, *args: Any, **kwargs: Any) -> None:
        read = msg if msg is None else type(msg).model_validate(msg.model_dump(by_alias=True, warnings=False))
        send(self, read, *args, **kwargs)

    supervisor.InProcessTestSupervisor.send_msg = send_as_json
    structlog.configure(
        processors=logging_processors(enable_pretty_log=False)[0],
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
    )


def know_assets(bag: Any) -> None:
    """
    Let tasks that run in this process have the assets of their DAGs as outlets.

    :param bag: as it was parsed. Airflow 3.0 refuses assets that no scheduler has seen.
    """
    if LINE != (3, 0):
        return
    from airflow.models.asset import AssetActive, AssetModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session

    with create_session() as session:
        session.merge(DagBundleModel(name="dags-folder"))
    bag.sync_to_db("dags-folder", None)
    with create_session() as session:
        for asset in session.query(AssetModel):
            session.merge(AssetActive.for_asset(asset))


def stored_bag(folder: Path, bundle: str) -> Any:
    """Parse the DAGs of a bundle on Airflow 3, and store them in the database."""
    bundle_bag = find("BundleDagBag")
    if bundle_bag is None:  # Airflow 3.0
        bag = find("DagBag")(dag_folder=folder, bundle_path=folder)
        bag.sync_to_db(bundle, None)
        return bag
    named = {"bundle_name": bundle} if "bundle_name" in inspect.signature(find("DagBag")).parameters else {}
    bag = bundle_bag(dag_folder=folder, bundle_path=folder, **named)
    find("sync_bag_to_db")(bag, bundle, None)
    return bag


def stored_dag(dag_id: str, session: Any) -> Any:
    """The newest version of a DAG as the database of Airflow 3 holds it."""
    from airflow.models import dagbag

    if hasattr(dagbag, "DBDagBag"):
        return dagbag.DBDagBag().get_latest_version_of_dag(dag_id, session=session)
    return dagbag.DagBag(read_dags_from_db=True, collect_dags=False).get_dag(dag_id, session=session)  # Airflow 3.0


def run_trigger_in_process(trigger: Any, ti: Any) -> Any:
    """Run a trigger in this process until its first event, as ``DAG.test()`` of Airflow 3 does."""
    from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor

    if hasattr(InProcessTestSupervisor, "run_trigger_in_process"):
        return InProcessTestSupervisor.run_trigger_in_process(trigger=trigger, ti=ti)

    async def first() -> Any:  # Airflow 3.0
        return await anext(trigger.run(), None)

    return asyncio.run(first())
