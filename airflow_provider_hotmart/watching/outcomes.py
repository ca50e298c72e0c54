"""What became of the runs that recorded something in a ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from airflow_provider_hotmart.watching.entries import Run

#: States of a task that has ended and whose result nobody downstream has seen.
_UNSEEN = {"failed", "removed", "skipped", "upstream_failed"}
#: So many runs are asked for in one call: their ids are part of its URL.
MAX_RUNS = 100


def outcomes(ti: Any, runs: Collection[Run]) -> dict[Run, bool]:
    """
    Ask Airflow what became of runs.

    :param ti: the task instance that asks.
    :param runs: of any tasks.
    :return: whether each succeeded, which a run that Airflow no longer knows is taken to have done; those that have
        not ended are left out.
    """
    tasks: defaultdict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in runs:
        tasks[run.dag_id, run.task_id].append(run)
    # In Airflow 2, tasks ask the database.
    states_of = getattr(ti, "get_task_states", _states_in_database)
    found: dict[Run, bool] = {}
    for (dag_id, task_id), of_task in tasks.items():
        for start in range(0, len(of_task), MAX_RUNS):
            batch = of_task[start : start + MAX_RUNS]
            run_ids = sorted({run.run_id for run in batch})
            states = states_of(dag_id=dag_id, task_ids=[task_id], run_ids=run_ids)
            for run in batch:
                name = task_id if run.map_index < 0 else f"{task_id}_{run.map_index}"
                state = states.get(run.run_id, {}).get(name, "success")
                if state == "success" or state in _UNSEEN:
                    found[run] = state == "success"
    return found


def _states_in_database(dag_id: str, task_ids: list[str], run_ids: list[str]) -> dict[str, dict[str, str | None]]:
    """Answer as ``get_task_states`` of Airflow 3 does."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    found: defaultdict[str, dict[str, str | None]] = defaultdict(dict)
    with create_session() as session:
        columns = (TaskInstance.run_id, TaskInstance.task_id, TaskInstance.map_index, TaskInstance.state)
        rows = session.query(*columns).filter(
            TaskInstance.dag_id == dag_id, TaskInstance.task_id.in_(task_ids), TaskInstance.run_id.in_(run_ids)
        )
        for run_id, task_id, map_index, state in rows:
            found[run_id][task_id if map_index < 0 else f"{task_id}_{map_index}"] = state
    return found
