"""Triggers in Airflow's own ``TriggerRunner``; only its supervisor, which would read a database, is played here."""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from collections.abc import Callable
from typing import Any

from airflow.executors.workloads import RunTrigger, TaskInstanceDTO
from airflow.jobs.triggerer_job_runner import TriggerRunner, messages
from airflow.models.trigger import Trigger

import airflow_provider_hotmart.triggers.event
import airflow_provider_hotmart.triggers.sensor  # noqa: F401 - as in a triggerer that has been running for a while

PACKAGE = "airflow_provider_hotmart.triggers"
#: Seconds between two looks at how late the event loop is.
PROBE = 0.01


def prepare(job: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """
    Make the triggers as Airflow stores them.

    :param job: ``trigger``, module and name of the class; ``triggers``, the path of a file with the arguments of each;
        ``seconds``, how long they run.
    """
    os.environ["AIRFLOW_CONN_HOTMART_DEFAULT"] = json.dumps(
        {
            "conn_type": "hotmart",
            "host": job["url"],
            "login": job["client_id"],
            "password": job["client_secret"],
            "extra": {"token_url": job["token_url"]},
        }
    )
    with open(job["triggers"], encoding="utf-8") as file:  # noqa: PTH123
        arguments = json.load(file)
    sensor = job["trigger"].startswith("sensor.")
    workloads = [
        RunTrigger(
            id=number,
            classpath=f"{PACKAGE}.{job['trigger']}",
            encrypted_kwargs=Trigger.encrypt_kwargs(kwargs),
            ti=task_instance(number) if sensor else None,
        )
        for number, kwargs in enumerate(arguments, 1)
    ]
    runner = Runner(workloads)

    def work() -> dict[str, Any]:
        asyncio.run(run_for(runner, job["seconds"]))
        late = sorted(runner.late)
        return {
            "began": runner.began,
            "p50": late[len(late) // 2],
            "p99": late[len(late) * 99 // 100],
            "max": late[-1],
            "events": runner.fired,
            "failures": runner.failed,
            "running": runner.still_running,
        }

    return work


def task_instance(number: int) -> TaskInstanceDTO:
    """Make a deferred task."""
    return TaskInstanceDTO(
        id=uuid.UUID(int=number),
        dag_version_id=uuid.UUID(int=1),
        task_id="wait_for_sales",
        dag_id=f"dag_{number}",
        run_id="scheduled__2026-01-01T00:00:00+00:00",
        try_number=1,
        pool_slots=1,
        priority_weight=1,
    )


async def run_for(runner: Runner, seconds: float) -> None:
    """Run triggers for a while, and look how late the event loop is."""
    probe = asyncio.create_task(watch_loop(runner.late))
    running = asyncio.create_task(runner.arun())
    await asyncio.sleep(seconds)
    runner.still_running = len(runner.triggers)
    probe.cancel()
    runner.stop = True
    await running
    for details in runner.triggers.values():
        details["task"].cancel()
    await asyncio.gather(*(details["task"] for details in runner.triggers.values()), return_exceptions=True)


async def watch_loop(late: list[float]) -> None:
    """Note how late the loop is, at every hundredth of a second: also at those that a stall swallows."""
    due = time.perf_counter() + PROBE
    while True:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        now = time.perf_counter()
        while due <= now:
            late.append(now - due)
            due += PROBE


class Runner(TriggerRunner):
    """
    Airflow's runner of triggers, with nobody at the other end.

    :param workloads: the triggers that it is told of as soon as it asks.
    """

    def __init__(self, workloads: list[RunTrigger]) -> None:
        super().__init__()
        self._workloads = workloads
        self.late: list[float] = []
        self.began = 0.0
        self.fired = 0
        self.failed = 0
        self.still_running = 0

    async def init_comms(self) -> None:
        """Pretend to be connected."""
        from airflow.sdk.execution_time import task_runner

        self.began = time.time()
        self.comms_decoder = Supervisor()
        task_runner.SUPERVISOR_COMMS = self.comms_decoder

    async def sync_state_to_supervisor(self, finished_ids: list[int]) -> None:
        """Count what the triggers say, and hand out those that are to run."""
        told: messages.TriggerStateChanges = self.process_trigger_events(finished_ids)
        self.fired += len(told.events or ())
        self.failed += len(told.failures or ())
        self.to_create.extend(self._workloads)
        self._workloads = []


class Supervisor:
    """Takes what triggers tell their supervisor (secrets to mask), and answers nothing."""

    def __init__(self) -> None:
        self._reader_task = asyncio.create_task(asyncio.Event().wait())

    def send(self, message: object) -> None:
        """Take a message."""

    async def asend(self, message: object) -> None:
        """Take a message."""
