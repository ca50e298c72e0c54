"""What ends a task before its work is done: Airflow stops it, or it fails for good."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException


class StoppableTask:
    """An operator or sensor whose work ends when Airflow kills the task."""

    _killed = False
    _working: tuple[Any, ...] = ()

    def on_kill(self) -> None:
        """End the work: nothing is published after this. Airflow may call it in a signal handler."""
        self._killed = True
        for one in self._working:
            one.stop()

    def _stop_when_killed(self, *work: Any) -> None:
        """Name what is stopped when the task is killed, also where it was killed already. None is left out."""
        self._working = tuple(one for one in work if one is not None)
        if self._killed:
            self.on_kill()

    def _check_running(self) -> None:
        from airflow_provider_hotmart.api.errors import HotmartStoppedError

        if self._killed:
            raise HotmartStoppedError("The task was stopped")


@contextmanager
def fail_without_retry() -> Iterator[None]:
    """
    Fail the task without retries on an error of this package that repeating the task cannot heal.

    :raises AirflowFailException: in place of an error that says that it is permanent. The text begins with cause and
        remedy, because a list of logs shows no more than its first words; the name of the error ends it.
    """
    try:
        yield
    except Exception as error:
        if not getattr(error, "permanent", False):
            raise
        # The text says all there is to say: a log that shows what it came from shows it twice.
        raise AirflowFailException(f"{error} ({type(error).__name__})") from None


def given(task: Any) -> list[str]:
    """
    Tell which templated arguments are written in the DAG.

    :param task: an operator or sensor that has just been made.
    """
    return [name for name in task.template_fields if getattr(task, name) is not None]


def check_rendered(task: Any, given: Iterable[str]) -> None:
    """
    Refuse what is written in the DAG and renders to None: it must not select everything.

    The same goes for what a mapped task is expanded over.

    :param task: an operator or sensor.
    :param given: the arguments that are written in the DAG.
    :raises AirflowFailException: naming the argument.
    """
    for name in (*given, *_expanded_over(task)):
        if getattr(task, name) is None:
            raise AirflowFailException(
                f"{name} is written in the DAG and renders to None: correct its template, or what it is expanded over"
            )


def _expanded_over(task: Any) -> list[str]:
    """Tell which templated arguments a mapped task got from ``expand`` or ``expand_kwargs``."""
    if not getattr(task, "_BaseOperator__from_mapped", False):
        return []
    partial = task.dag.get_task(task.task_id).partial_kwargs
    arguments = task._BaseOperator__init_kwargs  # noqa: SLF001 - nothing public tells
    return [name for name in task.template_fields if name in arguments and name not in partial]
