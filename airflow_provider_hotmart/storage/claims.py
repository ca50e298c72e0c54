"""Which file a task writes, and which instance of a mapped task does."""

from __future__ import annotations

from typing import Any

from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError
from airflow_provider_hotmart.api.filter_values import parse_boolean
from airflow_provider_hotmart.storage.errors import StorageError
from airflow_provider_hotmart.storage.record_file import RecordFile

#: Key of the XCom in which each instance of a mapped task says what it writes.
CLAIM = "hotmart_destination"


def open_destination(task: Any) -> RecordFile | None:
    """
    Prepare the file that a task writes.

    :param task: an operator or sensor with ``destination``, ``destination_conn_id``, ``flat``, ``escape_formulas``.
    :return: the file; None: the task writes none.
    :raises HotmartInvalidRequestError: when it writes none, and something is said about it.
    :raises StorageError: when the destination cannot be one.
    """
    flags = {name: parse_boolean(getattr(task, name), name) for name in ("flat", "escape_formulas")}
    if task.destination is not None:
        return RecordFile(task.destination, task.destination_conn_id, **flags)
    for name, is_set in flags.items():
        if is_set:
            raise HotmartInvalidRequestError(f"{name} is about a file: set destination as well, or leave it out")
    return None


def claim_destination(ti: Any, file: RecordFile) -> None:
    """
    Make sure that no other instance of a mapped task writes the same file in the same run.

    Each says what it writes before it looks at what the others say, so that of two at the same moment one at least
    finds out. To be called before the first call to Hotmart, and again before the file is published.

    :param ti: the task instance; None: outside Airflow.
    :param file: the destination.
    :raises StorageError: when another instance writes it.
    """
    if getattr(ti, "map_index", -1) < 0:
        return
    claim = {"map_index": ti.map_index, "file": file.identity}
    if (other := _other_instance(ti, claim)) is None:
        ti.xcom_push(key=CLAIM, value=claim)
        other = _other_instance(ti, claim)
        if other is not None:
            ti.xcom_push(key=CLAIM, value={**claim, "file": None})
    if other is not None:
        raise StorageError(
            f"destination is also written by map index {other}: give each its own, with the mapped "
            f"value in its name [{file.path!r}]"
        )


def _other_instance(ti: Any, claim: dict[str, Any]) -> int | None:
    """Find another instance that has said that it writes the file; None: there is none."""
    # All instances' come for a list of tasks without ``map_indexes``.
    for other in ti.xcom_pull(task_ids=[ti.task_id], key=CLAIM) or ():
        if other is not None and other["file"] == claim["file"] and other["map_index"] != claim["map_index"]:
            return int(other["map_index"])
    return None
