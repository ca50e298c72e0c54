"""What may be written for a file, and what is refused because it would land where nobody looks for it."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from airflow_provider_hotmart.storage import RecordFile, StorageError
from airflow_provider_hotmart.storage.object_file import ObjectFile
from airflow_provider_hotmart.storage.paths import Location, checked_path


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is written to the working folder after all is seen."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ana")


REFUSED = {
    "s3:bucket/x.jsonl": "is no URL: write 's3://bucket/x.jsonl'",
    "s3:/bucket/x.jsonl": "is no URL: write 's3://bucket/x.jsonl'",
    "file:/dir/x.jsonl": "is no URL: write 'file:///dir/x.jsonl'",
    "file:dir/x.jsonl": "is no URL: write 'file:///dir/x.jsonl'",
    "file://dir/x.jsonl": "names no absolute path: write 'file:///dir/x.jsonl'",
    "file://~/x.jsonl": "names no absolute path",
    "s3:///x.jsonl": "names no bucket or container: write 's3://bucket/x.jsonl'",
    "s3://aws_default@/x.jsonl": "names no bucket or container",
    "S3://bucket/x.jsonl": "has no scheme that a URL can have: write 's3://bucket/x.jsonl'",
    "://bucket/x.jsonl": "has no scheme",
    "~/x.jsonl": "is not expanded: write '/home/ana/x.jsonl'",
    "~nobody_of_this_name/x.jsonl": "is not expanded",
    "$HOME/x.jsonl": "is not expanded: write '/home/ana/x.jsonl'",
    "${HOME}/x.jsonl": "is not expanded: write '/home/ana/x.jsonl'",
    "$FOLDER/x.jsonl": "is not expanded: write the path out",
    "C:\\x.jsonl": "is a path of Windows: write it as the worker sees it, '/mnt/c/x.jsonl' perhaps",
    "d:/data/x.jsonl": "'/mnt/d/data/x.jsonl' perhaps",
    "tmp/x.jsonl": "is relative to wherever the worker runs: write '/tmp/x.jsonl', or a URL",
    "./x.jsonl": "is relative",
    "x.jsonl": "is relative",
    "\\\\server\\x.jsonl": "is relative",
    "None": "is what a template gives when its value is missing: check the template",
    "nan": "is what a template gives when its value is missing: check the template",
    "/data/None.jsonl": "is what a template gives",
    "s3://bucket/None/x.jsonl": "is what a template gives",
    "s3://bucket/day=None/x.jsonl": "is what a template gives",
    " ": "is blank",
    "\t\n": "is blank",
    " /data/x.jsonl": "has blanks around it: write '/data/x.jsonl'",
    "/data/x.jsonl\n": "has blanks around it: write '/data/x.jsonl'",
}


@pytest.mark.parametrize(("path", "message"), REFUSED.items(), ids=[repr(path) for path in REFUSED])
def test_other_forms_are_refused_for_good_with_the_one_that_was_probably_meant(
    path: str, message: str, tmp_path: Path
) -> None:
    for argument, use in (("destination", RecordFile), ("ledger", lambda path: ObjectFile(path, argument="ledger"))):
        with pytest.raises(StorageError, match=re.escape(message)) as caught:
            use(path)
        assert caught.value.permanent
        assert str(caught.value).startswith(f"{argument} ")
        assert str(caught.value).endswith(f" [{path!r}]")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", [None, "", 5, b"/data/x.jsonl", ["/data/x.jsonl"], float("nan"), True])
def test_what_is_no_path_at_all_is_refused(path: Any) -> None:
    with pytest.raises(StorageError, match=r"destination is .*: name a file by its absolute path or its URL") as caught:
        RecordFile(path)
    assert caught.value.permanent


@pytest.mark.parametrize("path", [Path("x.jsonl"), PurePosixPath("tmp/x.jsonl")])
def test_a_relative_path_object_is_refused_too(path: PurePosixPath) -> None:
    with pytest.raises(StorageError, match="is relative"):
        RecordFile(path)


@pytest.mark.parametrize(
    "path",
    [
        "/data/x.jsonl",
        "/data/a b/x@y#z?.jsonl",
        "/data/$x/~/Nonesuch.jsonl",
        "/data/nan/Null.jsonl",
        "file:///data/x.jsonl",
        "local:///data/x.jsonl",
        "s3://bucket/x.jsonl",
        "s3://aws_default@bucket/x.jsonl",
        "abfs://container@account.dfs.core.windows.net/x.jsonl",
        "sftp://conn@/data/x.jsonl",
        "hdfs:///data/x.jsonl",
        Path("/data/x.jsonl"),
    ],
)
def test_absolute_paths_and_urls_are_taken(path: Any) -> None:
    assert checked_path(path, "destination") == str(path)


@pytest.mark.parametrize(
    ("path", "location"),
    {
        "/data/x.jsonl": Location("/data/x.jsonl"),
        "file:///data/a b%20c.jsonl": Location("/data/a b%20c.jsonl"),
        "local:///data/x.jsonl": Location("/data/x.jsonl"),
        "s3://bucket/a/x.jsonl": Location("s3://bucket/a/x.jsonl", "bucket", "a/x.jsonl"),
        "s3a://aws@bucket/a/x.jsonl": Location("s3://bucket/a/x.jsonl", "bucket", "a/x.jsonl", "aws"),
        "gcs://gcp@bucket/x.jsonl": Location("gs://bucket/x.jsonl", "bucket", "x.jsonl", "gcp"),
        "abfs://az@container/a@b.jsonl": Location("abfs://container/a@b.jsonl", "container", "a@b.jsonl", "az"),
    }.items(),
)
def test_a_location_is_what_other_tools_take(path: str, location: Location) -> None:
    assert Location.of(path) == location
    assert Location.of(path, "another").conn_id == (None if location.bucket is None else "another")
