"""
Runs and clears DAG runs one by one, in a process of its own; `History` in `history.py` talks to it.

Reads one JSON object per line from its standard input, and answers each with a line that starts with ``ANSWER``.
Tasks talk to the real API server, in this process; what they defer to runs here too.
"""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance, clear_task_instances
from airflow.models.trigger import Trigger
from airflow.models.xcom import XComModel
from airflow.sdk.api.datamodels._generated import TaskInstance as TaskOfRunner
from airflow.sdk.execution_time.supervisor import run_task_in_process
from airflow.triggers.base import TriggerEvent
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import select

from tests.airflow.versions import (
    import_string,
    mend_runs_in_process,
    run_trigger_in_process,
    stored_bag,
    stored_dag,
)


class Limited:
    """A trigger that runs until its task's timeout."""

    def __init__(self, trigger: Any, until: datetime) -> None:
        self._trigger = trigger
        self._until = until

    async def run(self) -> AsyncIterator[TriggerEvent]:
        events = self._trigger.run()
        with suppress(TimeoutError):
            yield await asyncio.wait_for(anext(events), (self._until - datetime.now(UTC)).total_seconds())


class Runner:
    def __init__(self, folder: str) -> None:
        with create_session() as session:
            DagBundlesManager().sync_bundles_to_db(session=session)
        self.bag = stored_bag(Path(folder), "dags-folder")
        assert not self.bag.import_errors, self.bag.import_errors

    def run(self, dag_id: str, run_id: str, type: str, logical_date: str | None, event: Any = None) -> dict[str, Any]:
        """Make a DAG run and run its tasks."""
        date = None if logical_date is None else datetime.fromisoformat(logical_date)
        now = datetime.now(UTC)
        with create_session() as session:
            stored_dag(dag_id, session).create_dagrun(
                run_id=run_id,
                logical_date=date,
                data_interval=None if date is None else (date, date),
                run_after=date or now,
                run_type=DagRunType(type),
                triggered_by=DagRunTriggeredByType.TEST,
                state=DagRunState.RUNNING,
                start_date=now,
                session=session,
            )
        return self._finish(dag_id, run_id, event)

    def clear(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """Clear one task of a DAG run, as a user does, and let it run again."""
        with create_session() as session:
            found = TaskInstance.get_task_instance(dag_id, run_id, task_id, map_index, session=session)
            clear_task_instances([found], session)
            run = session.scalar(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
            run.state, run.start_date = DagRunState.RUNNING, datetime.now(UTC)
        return self._finish(dag_id, run_id)

    def _finish(self, dag_id: str, run_id: str, event: Any = None) -> dict[str, Any]:
        triggers: list[Any] = []
        for _ in range(50):
            with create_session() as session:
                run = session.scalar(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
                run.dag = stored_dag(dag_id, session)
                ready, _ = run.update_state(session=session)
                for ti in ready:
                    ti.try_number += 1
                ids = [ti.id for ti in ready]
            with create_session() as session:
                ids += session.scalars(
                    select(TaskInstance.id).where(
                        TaskInstance.dag_id == dag_id,
                        TaskInstance.run_id == run_id,
                        TaskInstance.state.in_([TaskInstanceState.SCHEDULED, TaskInstanceState.UP_FOR_RESCHEDULE]),
                    )
                )
            if not ids:
                break
            for one in dict.fromkeys(ids):
                triggers += self._execute(one, event)
        return self._outcome(dag_id, run_id) | {"triggers": triggers}

    def _execute(self, ti_id: Any, event: Any) -> list[Any]:
        """Run a task until it is through; give the arguments of the triggers that it deferred to."""
        triggers = []
        while True:
            with create_session() as session:
                ti = session.get(TaskInstance, ti_id)
                ti.state = TaskInstanceState.QUEUED
                fields = {
                    "id": UUID(str(ti.id)),
                    "task_id": ti.task_id,
                    "dag_id": ti.dag_id,
                    "run_id": ti.run_id,
                    "try_number": ti.try_number,
                    "map_index": ti.map_index,
                    "dag_version_id": ti.dag_version_id and UUID(str(ti.dag_version_id)),
                }
                # Airflow 3.0 does not tell its tasks of the version.
                given = TaskOfRunner(**{name: fields[name] for name in fields if name in TaskOfRunner.model_fields})
                task = self.bag.dags[ti.dag_id].get_task(ti.task_id)
            result = run_task_in_process(ti=given, task=task)
            with create_session() as session:
                ti = session.get(TaskInstance, ti_id)
                if ti.state != TaskInstanceState.DEFERRED:
                    ti.state = result.ti.state
                    return triggers
                trigger = session.get(Trigger, ti.trigger_id)
                triggers.append({"stored": trigger.encrypted_kwargs, **trigger.kwargs})
                made = import_string(trigger.classpath)(**trigger.kwargs)
                number, until = trigger.id, ti.trigger_timeout
            fired = run_trigger_in_process(Limited(made, until), given)
            if fired is None:
                SchedulerJobRunner(Job()).check_trigger_timeouts()
            else:
                Trigger.submit_event(number, TriggerEvent(event["payload"]) if event else fired)

    def _outcome(self, dag_id: str, run_id: str) -> dict[str, Any]:
        with create_session() as session:
            tis, rows = (
                session.scalars(select(kind).where(kind.dag_id == dag_id, kind.run_id == run_id))
                for kind in (TaskInstance, XComModel)
            )
            states = {self._name(ti): ti.state for ti in tis}
            xcoms: dict[str, dict[str, Any]] = {}
            for row in rows:
                xcoms.setdefault(self._name(row), {})[row.key] = XComModel.deserialize_value(row)
        return {"states": states, "xcoms": xcoms}

    @staticmethod
    def _name(one: Any) -> str:
        return one.task_id if one.map_index < 0 else f"{one.task_id}[{one.map_index}]"


def main() -> None:
    mend_runs_in_process()
    runner = None
    for line in sys.stdin:
        job = json.loads(line)
        try:
            if runner is None:
                runner = Runner(job["folder"])
                answer: Any = "ready"
            else:
                answer = getattr(runner, job.pop("do"))(**job)
        except Exception:  # noqa: BLE001 - told to the test
            answer = {"failed": traceback.format_exc()}
        sys.stdout.write("ANSWER " + json.dumps(answer, default=str) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
