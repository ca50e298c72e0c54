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
for path in ("/hotmart/webhooks/hotmart_default", "/hotmart/x"):
    scope = {"type": "http", "method": "POST", "path": path, "root_path": "/hotmart", "headers": []}
    asyncio.run(mounted["app"](scope, receive, send))
print(json.dumps([[one["status"] for one in answers if "status" in one], sorted(sys.modules)]))
"""


def test_a_server_that_is_not_configured_answers_404_and_makes_no_receiver(tmp_path: Path) -> None:
    statuses, modules = json.loads(python(tmp_path, CALL).stdout.splitlines()[-1])
    assert statuses == [404, 404]
    assert [name for name in modules if name.startswith("airflow_provider_hotmart.webhooks")] == [
        "airflow_provider_hotmart.webhooks",
        "airflow_provider_hotmart.webhooks.mount",
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
    assert statuses == [401, 404]
    assert "airflow_provider_hotmart.webhooks.receiver" in modules
