"""A mapped task in a real Airflow: no instance replaces what another of the same run wrote."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hotmart.emulator import HotmartEmulator
from airflow_provider_hotmart.storage import RecordFile, StorageError
from airflow_provider_hotmart.storage.claims import claim_destination
from tests.airflow.support import HAS_SUPERVISOR, ThrowawayAirflow, connection, migrated_home

if HAS_SUPERVISOR:
    from tests.airflow.history import history

DAGS = """
from datetime import UTC, datetime
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_hotmart.operators.products import HotmartListProductsOperator

FOLDER, PRODUCTS = {folder!r}, {products!r}
options = {{"start_date": datetime(2026, 1, 1, tzinfo=UTC), "schedule": None, "catchup": False}}

def mapped(dag_id, *destinations):
    with DAG(dag_id, **options):
        HotmartListProductsOperator.partial(task_id="products", retries=0).expand_kwargs(
            [dict(product_id=one, destination=path) for one, path in zip(PRODUCTS, destinations)]
        )

mapped("same", *[FOLDER + "/same.jsonl"] * 3)
mapped("other_names", FOLDER + "/named.jsonl", "file://" + FOLDER + "/named.jsonl", FOLDER + "/link.jsonl")
mapped("apart", *[FOLDER + f"/{{number}}.jsonl" for number in range(3)])
with DAG("alone", **options):
    HotmartListProductsOperator(task_id="products", destination=FOLDER + "/same.jsonl")
"""


def dags(hotmart: HotmartEmulator, folder: Path) -> str:
    (folder / "link.jsonl").symlink_to("named.jsonl")
    return DAGS.format(folder=str(folder), products=[product["id"] for product in hotmart.products[:3]])


def product_of(path: Path) -> Any:
    [line] = path.read_bytes().splitlines()
    return json.loads(line)["id"]


@pytest.mark.airflow
def test_a_run_that_would_replace_what_another_instance_wrote_fails_and_says_so(
    airflow: ThrowawayAirflow, hotmart: HotmartEmulator, tmp_path: Path
) -> None:
    products = [product["id"] for product in hotmart.products]
    run = airflow.run(
        dags(hotmart, tmp_path),
        "same",
        "other_names",
        "apart",
        "alone",
        connections={"hotmart_default": connection(hotmart)},
    )
    assert run.report["import_errors"] == []
    # Which of them comes first is up to Airflow.
    for dag in ("same", "other_names"):
        assert sorted(run.task("products", index, dag).state for index in range(3)) == ["failed", "failed", "success"]
    [winner] = [index for index in range(3) if run.task("products", index, "other_names").state == "success"]
    assert product_of(tmp_path / "named.jsonl") == products[winner]
    assert {run.task("products", index, "apart").state for index in range(3)} == {"success"}
    assert [product_of(tmp_path / f"{index}.jsonl") for index in range(3)] == products[:3]
    # Another task may replace what this one wrote.
    assert len((tmp_path / "same.jsonl").read_bytes().splitlines()) == len(products)
    assert f"destination is also written by map index {winner}: give each its own" in run.logs
    assert len(hotmart.calls) == 6, "it was found out after a call"


@pytest.mark.airflow
@pytest.mark.skipif(not HAS_SUPERVISOR, reason="histories are played through the supervisor, which Airflow 3 brought")
def test_an_instance_that_is_cleared_may_replace_what_it_wrote_itself(
    airflow: ThrowawayAirflow, hotmart: HotmartEmulator, tmp_path: Path
) -> None:
    variables = {"AIRFLOW_CONN_HOTMART_DEFAULT": json.dumps(connection(hotmart))}
    home = migrated_home(airflow.shared, tmp_path / "home")
    with history(home, dags(hotmart, tmp_path), **variables) as runs:
        states = runs.run("same", "one").states
        assert sorted(states.values()) == ["failed", "failed", "success"]
        winner, loser, _ = sorted(range(3), key=lambda index: states[f"products[{index}]"], reverse=True)
        assert runs.clear("same", "one", "products", winner).states == states
        assert runs.clear("same", "one", "products", loser).states == states
        # Another run may replace what this one wrote.
        states = runs.run("same", "two").states
        assert sorted(states.values()) == ["failed", "failed", "success"]


class Instance:
    """
    Stands for an instance of a mapped task.

    :param xcoms: of all instances, by map index.
    :param after_pull: called after the first pull.
    """

    task_id = "products"

    def __init__(self, xcoms: dict[int, Any], map_index: int, after_pull: Any = None) -> None:
        self.xcoms = xcoms
        self.map_index = map_index
        self.after_pull = after_pull

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[self.map_index] = value

    def xcom_pull(self, task_ids: list[str], key: str) -> list[Any]:
        found = list(self.xcoms.values())
        if self.after_pull is not None:
            after_pull, self.after_pull = self.after_pull, None
            after_pull()
        return found


def test_of_two_instances_at_the_same_moment_one_at_least_finds_out(tmp_path: Path) -> None:
    xcoms: dict[int, Any] = {}
    # Each has looked before the other has said what it writes.
    looked = threading.Barrier(2)
    written: list[int] = []

    def write(number: int) -> None:
        file = RecordFile(tmp_path / "sales.jsonl")
        with suppress(StorageError):
            claim_destination(Instance(xcoms, number, looked.wait), file)
            written.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(written) <= 1
    assert looked.n_waiting == 0


def test_an_instance_that_gives_way_is_in_nobodys_way(tmp_path: Path) -> None:
    xcoms: dict[int, Any] = {}
    shared, own = RecordFile(tmp_path / "shared.jsonl"), RecordFile(tmp_path / "own.jsonl")
    claim_destination(Instance(xcoms, 0), shared)
    with pytest.raises(StorageError, match="is also written by map index 0") as caught:
        claim_destination(Instance(xcoms, 1), shared)
    assert caught.value.permanent
    claim_destination(Instance(xcoms, 1), own)
    claim_destination(Instance(xcoms, 0), shared)
    claim_destination(Instance({}, -1), shared)
    claim_destination(None, shared)
