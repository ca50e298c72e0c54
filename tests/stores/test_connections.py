"""Whose credential is used for a store, and what is said when it does not fit: before Hotmart is asked anything."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, ObjectStoragePath

from airflow_provider_hotmart.emulator import Clock, HotmartEmulator
from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator
from airflow_provider_hotmart.storage import RecordFile, StorageError
from airflow_provider_hotmart.storage.errors import EXTRAS
from tests.airflow.support import ROOT, connected, connection, execute, identities, small_hotmart
from tests.stores.support import BUCKET, Store

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
WINDOW = {"sales_start_date": NOW - timedelta(days=30), "sales_end_date": NOW}
#: Megabytes that the memory test writes, and by which the process may grow meanwhile.
WRITTEN, GROWTH = 240, 100


@pytest.fixture
def hotmart() -> Iterator[HotmartEmulator]:
    with small_hotmart(clock=Clock(frozen=NOW)) as emulator, connected(connection(emulator)):
        yield emulator


def with_userinfo(store: Store, key: str, bucket: str = BUCKET) -> str:
    """The URL that names its connection itself."""
    scheme, _, rest = store.url(key, bucket).partition("://")
    return f"{scheme}://{store.conn_id}@{rest}"


def run(destination: str, conn_id: str | None) -> Any:
    """Execute the operator."""
    operator = HotmartListSalesParticipantsOperator(
        task_id="participants",
        transaction_status="ALL",
        destination=destination,
        destination_conn_id=conn_id,
        **WINDOW,
    )
    return execute(operator)


def test_the_operator_writes_with_the_connection_it_is_told(store: Store, key: str, hotmart: HotmartEmulator) -> None:
    manifest = run(store.url(key), store.conn_id)
    [stored] = store.content().values()
    bucket, _, name = store.url(key).partition("://")[2].partition("/")
    where = (
        (store.url(key).removeprefix("file://"), None, None)
        if store.conn_id is None
        else (store.url(key), bucket, name)
    )
    assert (manifest["uri"], manifest["bucket"], manifest["key"], manifest["conn_id"]) == (*where, store.conn_id)
    assert manifest["bytes"] == len(stored)
    assert manifest["sha256"] == hashlib.sha256(stored).hexdigest()
    found = identities([json.loads(line) for line in stored.splitlines()])
    assert len(found) == manifest["records"] == len(set(found))
    assert set(found) == hotmart.truth(None, WINDOW["sales_start_date"], NOW) != set()


def test_the_operator_writes_with_the_connection_in_the_url(remote: Store, key: str, hotmart: HotmartEmulator) -> None:
    manifest = run(with_userinfo(remote, key), None)
    assert list(remote.content()) == [key]
    assert (manifest["uri"], manifest["conn_id"]) == (remote.url(key), remote.conn_id)
    back = ObjectStoragePath(manifest["uri"], conn_id=manifest["conn_id"]).read_bytes()
    assert hashlib.sha256(back).hexdigest() == manifest["sha256"]


def test_a_wrong_credential_is_found_out_before_hotmart_is_asked(
    remote: Store, key: str, hotmart: HotmartEmulator
) -> None:
    for conn_id in ("wrong", "unknown"):
        with pytest.raises(AirflowFailException, match=r"cannot be used .*destination_conn_id") as caught:
            run(remote.url(key), conn_id)
        assert repr(remote.url(key)) in str(caught.value)
        assert "not-the-secret" not in str(caught.value)
    assert (list(hotmart.calls), list(hotmart.token_calls)) == ([], [])
    assert remote.content() == {}


def test_a_bucket_that_is_not_there_is_found_out_before_hotmart_is_asked(
    remote: Store, key: str, hotmart: HotmartEmulator
) -> None:
    with pytest.raises(AirflowFailException, match="there is no bucket or container 'nowhere'"):
        run(remote.url(key, "nowhere"), remote.conn_id)
    assert (list(hotmart.calls), list(hotmart.token_calls)) == ([], [])


def test_a_connection_that_is_not_defined_is_not_replaced_by_whatever_else_is_found(
    remote: Store, key: str, hotmart: HotmartEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What Amazon's provider would go on with: a credential of the machine.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-machine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-machine")
    scheme = remote.url("").partition(":")[0]
    for destination, conn_id in ((remote.url(key), "nobody"), (f"{scheme}://nobody@{BUCKET}/{key}", None)):
        with pytest.raises(AirflowFailException, match=r"define the connection.*nobody"):
            run(destination, conn_id)
    assert list(hotmart.calls) == []


def test_a_credential_that_may_only_write_writes(remote: Store, key: str, hotmart: HotmartEmulator) -> None:
    assert remote.gate is not None
    remote.gate.refused = lambda method, path: method in ("GET", "HEAD")
    run(remote.url(key), remote.conn_id)
    assert list(remote.content()) == [key]


def test_the_destination_costs_at_most_two_calls_before_the_listing(remote: Store, key: str) -> None:
    assert remote.gate is not None
    RecordFile(remote.url(key), remote.conn_id)
    assert len(remote.gate.calls) <= 2, remote.gate.calls
    remote.put(key, b"{}\n" * 1_000_000)
    remote.gate.reset()
    RecordFile(remote.url(key), remote.conn_id)
    assert len(remote.gate.calls) == 1, "it is there"


def test_memory_does_not_grow_with_the_file(remote: Store, key: str) -> None:
    code = f"""
import os, resource
from airflow_provider_hotmart.storage import RecordFile
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
with RecordFile({remote.url("small.jsonl")!r}, {remote.conn_id!r}).writing() as writer:
    writer.write(b"x" * 2**20, 1)
before, line = peak(), os.urandom(2**20)
with RecordFile({remote.url(key)!r}, {remote.conn_id!r}).writing() as writer:
    for _ in range({WRITTEN}):
        writer.write(line, 1)
print("grown by", peak() - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.rpartition("grown by ")[2]) < GROWTH, done.stdout
    assert remote.unfinished() == []


#: The module in each extra's provider that knows the store.
PROVIDERS = {
    "azure": "airflow.providers.microsoft.azure",
    "gcs": "airflow.providers.google",
    "s3": "airflow.providers.amazon",
}


def is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.parametrize("scheme", sorted(scheme for scheme in EXTRAS if not is_installed(PROVIDERS[EXTRAS[scheme]])))
def test_a_store_whose_provider_is_missing_says_which_extra_brings_it(scheme: str) -> None:
    with pytest.raises(StorageError, match=rf"pip install 'airflow-provider-hotmart\[{EXTRAS[scheme]}\]'") as caught:
        RecordFile(f"{scheme}://bucket/sales.jsonl")
    assert caught.value.permanent
