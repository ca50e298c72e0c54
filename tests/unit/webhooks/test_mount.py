"""Where nobody asks for webhooks, there are none, and nothing is imported for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.airflow.support import HAS_SUPERVISOR, python

CALL = """
import asyncio, json, sys
from airflow_provider_hotmart.plugin import HotmartPlugin

answers = []

async def send(message):
    answers.append(message)

async def receive():
    return {"type": "http.request", "body": b"{}"}

[mounted] = HotmartPlugin.fastapi_apps
for kind, path in (("http", "/webhooks/hotmart_default"), ("http", "/x"), ("websocket", "/webhooks/hotmart_default")):
    scope = {"type": kind, "method": "POST", "path": "/hotmart" + path, "root_path": "/hotmart", "headers": []}
    asyncio.run(mounted["app"](scope, receive, send))
told = [one.get("status", one["type"]) for one in answers if one["type"] != "http.response.body"]
print(json.dumps([told, sorted(sys.modules)]))
"""


def test_a_server_that_is_not_configured_answers_404_and_makes_no_receiver(tmp_path: Path) -> None:
    statuses, modules = json.loads(python(tmp_path, CALL).stdout.splitlines()[-1])
    assert statuses == [404, 404, "websocket.close"]
    # What answers, and nothing that stores.
    assert [name for name in modules if name.startswith("airflow_provider_hotmart.webhooks.")] == [
        f"airflow_provider_hotmart.webhooks.{name}" for name in ("delivery", "mount", "receiver")
    ]


def test_the_plugin_imports_nothing_for_webhooks(tmp_path: Path) -> None:
    code = """
    import sys
    import airflow.providers.common.compat.sdk as sdk
    sdk.AirflowPlugin
    before = set(sys.modules)
    import airflow_provider_hotmart.plugin
    print(sorted({name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))
    """
    assert python(tmp_path, code).stdout.splitlines()[-1] == "['airflow_provider_hotmart']"


@pytest.mark.skipif(not HAS_SUPERVISOR, reason="only the API server of Airflow 3 mounts what a plugin brings")
def test_the_receiver_is_made_at_the_first_call_where_it_is_configured(tmp_path: Path) -> None:
    code = CALL.replace('"headers": []', '"headers": [(b"x-hotmart-hottok", b"wrong")]')
    changes = {
        "AIRFLOW__HOTMART__WEBHOOK_CONNECTIONS": "other, hotmart_default",
        "AIRFLOW_CONN_HOTMART_DEFAULT": '{"conn_type": "hotmart", "extra": {"extra__hotmart__hottok": " right "}}',
    }
    statuses, modules = json.loads(python(tmp_path, code, **changes).stdout.splitlines()[-1])
    assert statuses == [401, 404, "websocket.close"]
    assert "airflow_provider_hotmart.webhooks.receiver" in modules


@pytest.mark.skipif(not HAS_SUPERVISOR, reason="only the API server of Airflow 3 mounts what a plugin brings")
def test_where_the_configuration_is_wrong_hotmart_is_asked_to_come_again_and_the_log_says_why_once(
    tmp_path: Path,
) -> None:
    changes = {"AIRFLOW__HOTMART__WEBHOOK_CONNECTIONS": "a", "AIRFLOW__HOTMART__WEBHOOK_ARCHIVE": "relative/folder"}
    done = python(tmp_path, CALL, **changes)
    statuses, _ = json.loads(done.stdout.splitlines()[-1])
    assert statuses == [503, 503, "websocket.close"]
    said = [line for line in (done.stdout + done.stderr).splitlines() if "No webhook is received" in line]
    assert len(said) == 1
    assert "webhook_archive" in said[0]


@pytest.mark.skipif(not HAS_SUPERVISOR, reason="Airflow 2 has datasets, and no webhooks")
def test_a_dag_that_names_an_asset_of_webhooks_imports_nothing_of_the_receiver(tmp_path: Path) -> None:
    code = """
    import sys
    from airflow.sdk import DAG, Asset
    DAG("on_refund", schedule=Asset("hotmart://webhooks/hotmart_default/PURCHASE_REFUNDED"))
    print([name for name in sys.modules if name.startswith("airflow_provider_hotmart.")])
    """
    assert python(tmp_path, code).stdout.splitlines()[-1] == "['airflow_provider_hotmart.get_provider_info']"
