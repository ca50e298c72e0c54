"""Raw bodies are kept where they are asked for, and no longer."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fsspec
import pytest
import time_machine

from airflow_provider_hotmart.storage import StorageError
from airflow_provider_hotmart.webhooks.archive import Archive
from airflow_provider_hotmart.webhooks.delivery import Delivery
from tests.airflow.versions import attach


def delivery(days_ago: int, name: str = "00000000-0000-4000-8000-0000000000aa") -> Delivery:
    moment = datetime.now(UTC) - timedelta(days=days_ago)
    return Delivery(name, "PURCHASE_APPROVED", occurred_at=moment.isoformat(timespec="milliseconds"))


@pytest.fixture(autouse=True)
def one_day() -> Iterator[None]:
    """Let no test begin on one day and end on the next."""
    with time_machine.travel(datetime(2026, 3, 15, 12, tzinfo=UTC)):
        yield


@pytest.fixture(params=["file", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "file":
        return str(tmp_path / "archive")
    attach("memory", fs=fsspec.filesystem("memory"))
    return f"memory://{uuid.uuid4()}/archive"


def files(folder: str) -> dict[str, bytes]:
    """Content of all files, by their path below the folder."""
    kind, _, rest = folder.rpartition("://")
    fs = fsspec.filesystem(kind or "file")
    base = rest if kind == "" else "/" + rest
    return {path.removeprefix(base + "/"): fs.cat_file(path) for path in fs.find(base)}


def test_a_body_is_kept_by_connection_day_and_id_as_it_came(folder: str) -> None:
    archive, sent = Archive(folder + "/", 30, ["hotmart_default"]), delivery(0)
    for _ in range(2):
        archive.keep("hotmart_default", sent, b'{"name": "Maria"}')
    assert sent.occurred_at is not None
    assert files(folder) == {f"hotmart_default/{sent.occurred_at[:10]}/{sent.id}.json": b'{"name": "Maria"}'}


def test_days_that_are_too_old_are_removed_and_nothing_else(folder: str) -> None:
    archive = Archive(folder, 0, [])  # removes nothing by itself
    for days in (0, 29, 30, 31, 400):
        archive.keep("hotmart_default", delivery(days), b"{}")
    archive.keep("other", delivery(400), b"{}")
    archive.keep("hotmart_default", Delivery("0000-notes", "x", occurred_at="0000-notes"), b"{}")
    archive.days = 30
    archive.clean("hotmart_default")
    left = sorted(path.rpartition("/")[0] for path in files(folder))
    today = datetime.now(UTC).date()
    kept = [f"hotmart_default/{today - timedelta(days=days)}" for days in (30, 29, 0)]
    assert left == ["hotmart_default/0000-notes", *kept, f"other/{today - timedelta(days=400)}"]


def test_a_delivery_for_one_connection_has_the_old_days_of_all_removed(folder: str) -> None:
    Archive(folder, 0, []).keep("quiet", delivery(31), b"{}")
    Archive(folder, 30, ["never_used", "quiet", "busy"]).keep("busy", delivery(0), b"{}")
    for cleaning in [thread for thread in threading.enumerate() if thread.name == "hotmart-archive"]:
        cleaning.join()
    assert [path.partition("/")[0] for path in files(folder)] == ["busy"]


def test_what_claims_a_day_to_come_is_of_today_so_that_it_is_removed_in_time(folder: str) -> None:
    Archive(folder, 0, []).keep("hotmart_default", delivery(-400), b"{}")
    assert [path.split("/")[1] for path in files(folder)] == [datetime.now(UTC).date().isoformat()]


@pytest.mark.parametrize("wrong", ["relative/folder", "~/folder", "C:\\folder", "s3:/bucket"])
def test_a_folder_that_would_land_elsewhere_is_refused(wrong: str) -> None:
    with pytest.raises(StorageError, match="webhook_archive"):
        Archive(wrong, 30, [])
