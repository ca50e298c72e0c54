"""What the page on storage says of what stores keep, and of the rules that remove it."""

from __future__ import annotations

import json

import pytest

from tests.docs.pages import ROOT, blocks_of
from tests.stores.support import BUCKET, Store
from tests.stores.test_record_files import LARGE, MEGABYTE, write

RULES = [json.loads(block.text) for block in blocks_of(ROOT / "docs" / "storage.md") if block.language == "json"]


def test_s3_takes_the_rules_of_the_page(remote: Store) -> None:
    if remote.name != "s3":
        pytest.skip("only S3's rules are set with the store's own client")
    [rules] = [rules for rules in RULES if "Rules" in rules]
    client = remote._client  # type: ignore[attr-defined]
    client.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration=rules)
    [kept] = client.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert kept["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}


def test_what_azure_keeps_of_an_upload_is_gone_when_the_same_file_is_written_again(remote: Store, key: str) -> None:
    if remote.name != "azure":
        pytest.skip("the others take it back")
    remote.begin(key)  # type: ignore[attr-defined]
    assert remote.unfinished() == [key]
    # In one call, Azure drops the blocks as well; Azurite does not.
    write(remote, key, MEGABYTE, LARGE)
    assert remote.content() == {key: MEGABYTE * LARGE}
    assert remote.unfinished() == []
