"""A real Airflow finds the provider, its connection type and its hook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_hotmart
from tests.airflow.versions import LINE

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("airflow-home")


def run(home: Path, *command: str) -> str:
    """Run a command with an Airflow home of its own; return what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    environment |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")]),
        "COLUMNS": "500",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "hotmart" not in done.stderr.lower(), done.stderr
    return done.stdout


def airflow_json(home: Path, *arguments: str) -> Any:
    output = run(home, "airflow", *arguments, "--output", "json")
    # Airflow 2.11 may print a line of its own before the answer.
    return json.loads(output[min(at for at in map(output.find, "[{") if at >= 0) :])


def test_airflow_lists_the_provider(airflow_home: Path) -> None:
    providers = {row["package_name"]: row for row in airflow_json(airflow_home, "providers", "list")}
    assert providers["airflow-provider-hotmart"]["version"] == airflow_provider_hotmart.__version__


def test_airflow_describes_the_provider(airflow_home: Path) -> None:
    [row] = airflow_json(airflow_home, "providers", "get", "airflow-provider-hotmart")
    assert row["Provider"] == "airflow-provider-hotmart"
    assert row["Version"] == airflow_provider_hotmart.__version__


def test_airflow_finds_the_hook_of_the_connection_type(airflow_home: Path) -> None:
    hooks = {row["connection_type"]: row for row in airflow_json(airflow_home, "providers", "hooks")}
    assert hooks["hotmart"]["class"] == "airflow_provider_hotmart.hooks.hotmart.HotmartHook"
    assert hooks["hotmart"]["package_name"] == "airflow-provider-hotmart"
    assert hooks["hotmart"]["hook_name"] == "Hotmart"


@pytest.mark.skipif(
    LINE == (3, 0) and find_spec("flask_appbuilder") is None,
    reason="Airflow 3.0 shows no provider's fields unless the FAB provider is installed",
)
def test_airflow_builds_the_connection_form(airflow_home: Path) -> None:
    ask = (
        "from airflow.providers_manager import ProvidersManager; m = ProvidersManager();"
        "widgets, behaviours = m.connection_form_widgets, m.field_behaviours;"
    )
    if LINE == (3, 1):
        # The hook makes the form with libraries that only the API server has something in place of.
        ask = (
            "from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService;"
            "_, widgets, behaviours = HookMetaService._get_hooks_with_mocked_fab();"
        )
    code = ask + (
        "print(*(widgets[name].field_name for name in widgets if '__hotmart__' in name), sep=',');"
        "print(*behaviours['hotmart']['hidden_fields'], sep=',')"
    )
    *_, fields, hidden = run(airflow_home, sys.executable, "-c", code).splitlines()
    assert set(fields.split(",")) == {
        "environment",
        "timezone",
        "basic_token",
        "pseudonym_key",
        "hottok",
        "token_url",
        "timeout",
        "max_retries",
        "max_rate_limit_wait",
        "max_parallel_calls",
        "calls_per_minute",
    }
    assert hidden == "schema"
