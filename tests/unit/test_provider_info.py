"""The provider's metadata: what Airflow reads before it reads anything else."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.resources
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import airflow_provider_hotmart
from airflow_provider_hotmart.api.config import ENVIRONMENTS, EXTRA_KEYS
from airflow_provider_hotmart.get_provider_info import get_provider_info


@pytest.fixture
def connection_type() -> dict[str, Any]:
    [connection_type] = get_provider_info()["connection-types"]
    return connection_type


def airflow_schema(file_name: str) -> dict[str, Any]:
    path = importlib.resources.files("airflow") / file_name
    if not path.is_file():
        pytest.skip(f"the installed Airflow has no {file_name}")
    return json.loads(path.read_text(encoding="utf-8"))


def modules_after(statement: str) -> set[str]:
    """Return the modules that a new interpreter has loaded after one statement."""
    code = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_it_is_valid_against_airflows_schema_of_provider_info() -> None:
    jsonschema.validate(get_provider_info(), airflow_schema("provider_info.schema.json"))


def test_the_connection_type_is_valid_against_airflows_schema_of_connection_types() -> None:
    schema = airflow_schema("provider.yaml.schema.json")["properties"]["connection-types"]
    if "conn-fields" not in schema["items"]["properties"]:
        pytest.skip("the installed Airflow does not know conn-fields yet: they came with 3.2")
    jsonschema.validate(get_provider_info()["connection-types"], schema)


def test_every_call_returns_a_dict_of_its_own() -> None:
    get_provider_info()["connection-types"][0]["conn-fields"].clear()
    assert get_provider_info()["connection-types"][0]["conn-fields"]


def test_it_is_plain_data() -> None:
    assert json.loads(json.dumps(get_provider_info())) == get_provider_info()


def test_its_module_imports_nothing() -> None:
    source = importlib.resources.files(airflow_provider_hotmart) / "get_provider_info.py"
    tree = ast.parse(source.read_text(encoding="utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


@pytest.mark.parametrize("module", ["airflow_provider_hotmart", "airflow_provider_hotmart.get_provider_info"])
def test_importing_it_does_not_import_airflow(module: str) -> None:
    modules = modules_after(f"import {module}")
    assert module in modules
    assert not {name for name in modules if name.partition(".")[0] in {"airflow", "pendulum", "requests"}}


def test_its_entry_point_leads_to_it() -> None:
    entry_points = importlib.metadata.entry_points(group="apache_airflow_provider")
    ours = {entry_point for entry_point in entry_points if entry_point.dist.name == "airflow-provider-hotmart"}
    assert [entry_point.load() for entry_point in ours] == [get_provider_info]


def test_its_package_name_is_the_distribution_that_is_installed() -> None:
    # Airflow refuses a provider whose two names differ.
    name = get_provider_info()["package-name"]
    assert importlib.metadata.version(name) == airflow_provider_hotmart.__version__


def test_every_module_it_names_exists() -> None:
    info = get_provider_info()
    parts = [part for kind in ("operators", "hooks", "sensors", "triggers") for part in info.get(kind, ())]
    modules = [module for part in parts for module in part["python-modules"]]
    for module in [*modules, *(part["python-module"] for part in info["transfers"])]:
        assert importlib.util.find_spec(module), module


def test_extra_stays_visible_and_secrets_are_password_fields(connection_type: dict[str, Any]) -> None:
    assert connection_type["ui-field-behaviour"]["hidden-fields"] == ["schema"]
    secret = {
        name for name, field in connection_type["conn-fields"].items() if field["schema"].get("format") == "password"
    }
    assert secret == {"basic_token", "pseudonym_key", "hottok"}


def test_the_form_has_all_that_a_connection_may_hold_and_nothing_else(connection_type: dict[str, Any]) -> None:
    assert tuple(connection_type["conn-fields"]) == EXTRA_KEYS
    assert connection_type["conn-fields"]["environment"]["schema"]["enum"] == list(ENVIRONMENTS)


def test_every_field_of_the_form_may_stay_empty_and_says_what_it_is_for(
    connection_type: dict[str, Any],
) -> None:
    for name, field in connection_type["conn-fields"].items():
        assert "null" in field["schema"]["type"], name
        assert field["label"], name
        assert field["description"].endswith("."), name


def test_every_default_is_a_valid_value_of_its_field(connection_type: dict[str, Any]) -> None:
    for field in connection_type["conn-fields"].values():
        if "default" in field["schema"]:
            jsonschema.validate(field["schema"]["default"], field["schema"])


def test_placeholders_and_labels_belong_to_fields_that_exist(connection_type: dict[str, Any]) -> None:
    fields = {"login", "password", "host", "port", "extra", *connection_type["conn-fields"]}
    behaviour = connection_type["ui-field-behaviour"]
    assert set(behaviour["placeholders"]) <= fields
    assert set(behaviour["relabeling"]) <= fields


def test_each_option_that_is_read_is_declared_with_its_default_and_the_others_do_not_exist() -> None:
    options = get_provider_info()["config"]["hotmart"]["options"]
    read: dict[str, str] = {}
    for name in ("assembly", "mount"):
        module = Path(airflow_provider_hotmart.__file__).parent / "webhooks" / f"{name}.py"
        found = re.findall(
            r'conf\.get(?:int)?\([^,]+, "(\w+)", fallback="?(\d*)"?\)', module.read_text(encoding="utf-8")
        )
        read |= dict(found)
    assert {name: option["default"] for name, option in options.items()} == read
    assert all(option["description"] and option["example"] for option in options.values())
