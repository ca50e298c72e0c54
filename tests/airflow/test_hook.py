"""The hook: from a connection to Hotmart, the test of a connection, and the connection form."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hotmart.emulator import Fault, HotmartEmulator, Quirks
from airflow_provider_hotmart.get_provider_info import get_provider_info
from airflow_provider_hotmart.hooks.hotmart import HotmartHook
from tests.airflow.support import (
    HAS_SUPERVISOR,
    SALES,
    connected,
    connection,
    identities,
    python,
    small_hotmart,
)
from tests.airflow.versions import LINE
from tests.support import refusing_port

pytestmark = pytest.mark.airflow

FORM = get_provider_info()["connection-types"][0]


@pytest.fixture
def hotmart() -> Iterator[HotmartEmulator]:
    # A credential that no other test has: the process keeps each credential's token.
    with small_hotmart(client_id="hook", client_secret="of/the+hook") as emulator:
        yield emulator


def as_the_ui_tests(fields: dict[str, Any]) -> tuple[bool, str]:
    """Test a connection as Airflow's user interface does: under a passing name, in the environment, as a URI."""
    from airflow.models.connection import Connection

    tested = Connection(conn_id="passing_name", **{**fields, "extra": json.dumps(fields["extra"])})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_PASSING_NAME", tested.get_uri())
        return tested.test_connection()


def test_a_connection_that_works_is_told_so(hotmart: HotmartEmulator) -> None:
    works, told = as_the_ui_tests(connection(hotmart))
    assert works
    assert told == f"Hotmart accepts the credential, and one product could be read from {hotmart.url}"
    assert len(hotmart.token_calls) == 1
    [call] = hotmart.calls
    assert call.params["max_results"] == ["1"]


def test_an_account_without_products_is_told_as_what_it_is() -> None:
    with small_hotmart(products=0, sales=0) as hotmart:
        works, told = as_the_ui_tests(connection(hotmart))
    assert works
    assert told == f"Hotmart accepts the credential. Its account at {hotmart.url} has no products"


def test_a_connection_is_tested_with_a_new_token_each_time(hotmart: HotmartEmulator) -> None:
    assert as_the_ui_tests(connection(hotmart))[0]
    assert as_the_ui_tests(connection(hotmart))[0]
    assert len(hotmart.token_calls) == 2
    assert not as_the_ui_tests(connection(hotmart, password="changed since"))[0]


@pytest.mark.parametrize("wrong_credential", ["invalid_client", "unauthorized"])
def test_a_wrong_credential_is_told(hotmart: HotmartEmulator, wrong_credential: Any) -> None:
    hotmart.quirks.wrong_credential = wrong_credential
    works, told = as_the_ui_tests(connection(hotmart, password="wrong"))
    assert not works
    assert told.startswith("Wrong credential. Hotmart does not accept the Client ID and Client Secret: copy both again")
    assert "HTTP 401" in told
    assert hotmart.calls == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_missing_permission_is_told(hotmart: HotmartEmulator, status: Any) -> None:
    hotmart.quirks = Quirks(no_permission_status=status)
    hotmart.permission = False
    works, told = as_the_ui_tests(connection(hotmart))
    assert not works
    assert told.startswith("No permission. The credential has no right to this: create it as the owner")
    assert "You don't have permission" in told
    assert len(hotmart.token_calls) == 1


def test_a_network_that_does_not_work_is_told(hotmart: HotmartEmulator) -> None:
    with refusing_port() as port:
        nowhere = f"http://127.0.0.1:{port}"
        for changes in ({"host": nowhere, "token_url": hotmart.token_url}, {"host": nowhere}):
            works, told = as_the_ui_tests(connection(hotmart, **changes))
            assert not works
            assert told.startswith("No network. Connection to 127.0.0.1")


def test_a_host_without_an_address_is_told(hotmart: HotmartEmulator) -> None:
    changes = {"host": "https://sandbox.hotmart.invalid", "token_url": hotmart.token_url}
    works, told = as_the_ui_tests(connection(hotmart, **changes))
    assert not works
    assert told.startswith(
        "Unknown host. The name sandbox.hotmart.invalid is not known to the network: check host and environment"
    )
    assert "sandbox" in told
    assert len(hotmart.token_calls) == 1


@pytest.mark.parametrize("fault", [Fault.html(), Fault.empty(), Fault.not_object(), Fault.truncated_json()])
@pytest.mark.parametrize("path", ["/security/", "/products/"])
def test_an_answer_that_is_not_json_is_told(hotmart: HotmartEmulator, fault: Fault, path: str) -> None:
    hotmart.faults.add(fault, path=path, times=None)
    works, told = as_the_ui_tests(connection(hotmart))
    assert not works
    assert told.startswith("Not JSON. ")


def test_a_connection_that_is_filled_in_wrongly_is_told(hotmart: HotmartEmulator) -> None:
    works, told = as_the_ui_tests(connection(hotmart, environment="prod"))
    assert not works
    assert "environment is 'prod', expected one of production, sandbox, emulator" in told
    assert hotmart.token_calls == []


@pytest.mark.parametrize("code", [404, 429, 500])
def test_any_other_failure_is_told_and_not_raised(hotmart: HotmartEmulator, code: int) -> None:
    hotmart.faults.add(Fault.status(code), times=None)
    works, told = as_the_ui_tests(connection(hotmart))
    assert not works
    assert f"HTTP {code}" in told


def test_the_connection_is_looked_up_once_per_hook_and_not_before_it_is_needed(hotmart: HotmartEmulator) -> None:
    hook = HotmartHook()
    with connected(connection(hotmart)):
        client = hook.get_conn()
    assert hook.get_conn() is client
    assert len(list(hook.iter_products())) == 6


def test_the_hook_lists_what_there_is(hotmart: HotmartEmulator) -> None:
    with connected(connection(hotmart), "another"):
        hook = HotmartHook("another")
        assert {one["id"] for one in hook.iter_products()} == {one["id"] for one in hotmart.products}
        found = identities(hook.iter_sales_participants(transaction_status="ALL", roles="BUYER"))
    assert len(found) == len(set(found)) == len(hotmart.sales)
    assert set(found) == {one for one in hotmart.truth() if one[1] == "BUYER"}
    assert {call.path for call in hotmart.calls} == {SALES, "/products/api/v1/products"}


@pytest.mark.parametrize("basic", ["{}", "Basic {}", " Basic {}\n", "basic{}"])
def test_the_basic_value_alone_is_a_credential_however_it_was_pasted(hotmart: HotmartEmulator, basic: str) -> None:
    pasted = basic.format(hotmart.basic_token.removeprefix("Basic "))
    assert as_the_ui_tests(connection(hotmart, login=None, password=None, basic_token=pasted))[0]


# The connection form.

needs_form_libraries = pytest.mark.skipif(
    LINE == (3, 0) and find_spec("flask_appbuilder") is None,
    reason="Airflow 3.0 shows no provider's fields unless the FAB provider is installed",
)
LABELS = {name: field["label"] for name, field in FORM["conn-fields"].items()}


@contextmanager
def importable(modules: dict[str, Any]) -> Iterator[None]:
    import sys

    with pytest.MonkeyPatch.context() as patch:
        for name, module in modules.items():
            patch.setitem(sys.modules, name, module)
        yield


class _Field:
    """Stands in for a field of wtforms, which Airflow 3 does not bring."""

    def __init__(self, label: str, **options: Any) -> None:
        self.label = label
        self.options = options


def form_libraries() -> dict[str, Any]:
    from types import SimpleNamespace

    fields = {name: type(name, (_Field,), {}) for name in ("IntegerField", "PasswordField", "StringField")}
    validators = SimpleNamespace(Optional=lambda: "optional", any_of=lambda values: values)
    widgets = SimpleNamespace(BS3PasswordFieldWidget=object, BS3TextFieldWidget=object)
    return {
        "wtforms": SimpleNamespace(**fields, validators=validators),
        "wtforms.validators": validators,
        "flask_babel": SimpleNamespace(lazy_gettext=str),
        "flask_appbuilder": SimpleNamespace(fieldwidgets=widgets),
        "flask_appbuilder.fieldwidgets": widgets,
    }


def test_the_hooks_methods_describe_the_same_form_as_the_metadata() -> None:
    with importable(form_libraries()):
        widgets = HotmartHook.get_connection_form_widgets()
    assert {name: widget.label for name, widget in widgets.items()} == LABELS
    for name, field in FORM["conn-fields"].items():
        schema, options = field["schema"], widgets[name].options
        default = schema.get("default")
        kinds = {"IntegerField"} if "integer" in schema["type"] else {"StringField", "PasswordField"}
        assert type(widgets[name]).__name__ in kinds
        assert (type(widgets[name]).__name__ == "PasswordField") == (schema.get("format") == "password")
        assert options["description"] == field["description"]
        assert str(options["default"]) == str(default)
        assert options["validators"] == ["optional", *([schema["enum"]] if "enum" in schema else [])]

    behaviour = HotmartHook.get_ui_field_behaviour()
    assert behaviour["hidden_fields"] == FORM["ui-field-behaviour"]["hidden-fields"] == ["schema"]
    assert behaviour["relabeling"] == FORM["ui-field-behaviour"]["relabeling"]
    assert behaviour["placeholders"] == FORM["ui-field-behaviour"]["placeholders"]


@needs_form_libraries
@pytest.mark.skipif(LINE > (3, 0), reason="Airflow does without these libraries since 3.1")
def test_the_form_can_be_made_with_the_real_libraries() -> None:
    from wtforms import Form

    made = type("Made", (Form,), HotmartHook.get_connection_form_widgets())()
    assert {name: str(field.label.text) for name, field in made._fields.items()} == LABELS
    assert made.environment.data is None or made.environment.default == "production"
    assert made.validate()


def test_the_form_keeps_the_extra_field_and_relabels_the_credential() -> None:
    behaviour = HotmartHook.get_ui_field_behaviour()
    assert "extra" not in behaviour["hidden_fields"]
    assert behaviour["relabeling"] == {"login": "Client ID", "password": "Client Secret", "host": "Base URL"}


@needs_form_libraries
@pytest.mark.skipif(not HAS_SUPERVISOR, reason="Airflow 2 makes the form in its web server")
def test_the_user_interface_shows_the_form(hotmart: HotmartEmulator, tmp_path: Path) -> None:
    code = """
    import json, logging
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    [meta] = [one for one in HookMetaService.hook_meta_data() if one.connection_type == "hotmart"]
    print(json.dumps(meta.model_dump(mode="json")))
    """
    done = python(tmp_path, code)
    meta = json.loads(done.stdout.splitlines()[-1])
    assert meta["hook_name"] == "Hotmart"
    assert {name: one["schema"]["title"] for name, one in meta["extra_fields"].items()} == LABELS
    for name, field in FORM["conn-fields"].items():
        shown = meta["extra_fields"][name]
        default, kind = field["schema"].get("default"), field["schema"]["type"]
        if LINE < (3, 2) and "number" in kind:
            # The form has whole numbers and texts only.
            default, kind = str(default), ["string", "null"]
        assert shown["value"] == default
        assert shown["description"] == field["description"]
        assert shown["schema"]["type"] == kind
        assert shown["schema"].get("format") == field["schema"].get("format")
        assert shown["schema"].get("enum") == field["schema"].get("enum")
    standard = meta["standard_fields"]
    assert standard["login"]["title"] == "Client ID"
    assert standard["password"]["title"] == "Client Secret"
    assert standard["host"]["title"] == "Base URL"
    assert not standard["port"]["hidden"]
    assert standard["url_schema"]["hidden"]
    assert "hotmart" not in done.stderr.lower()
    # What the form proposes can be stored as it is.
    proposed = {name: one["value"] for name, one in meta["extra_fields"].items()}
    assert as_the_ui_tests({**connection(hotmart), "extra": proposed})[0]


def test_importing_the_hook_needs_no_form_library(tmp_path: Path) -> None:
    code = """
    import sys
    for name in ("wtforms", "flask_appbuilder", "flask_babel"):
        sys.modules[name] = None  # as if it were not installed
    from airflow_provider_hotmart.hooks.hotmart import HotmartHook
    assert HotmartHook.conn_type == "hotmart"
    HotmartHook("x")
    """
    python(tmp_path, code, "-W", "error:::airflow_provider_hotmart")


def test_a_connection_made_from_the_form_with_empty_fields_is_usable(hotmart: HotmartEmulator) -> None:
    # The form stores what is not filled in as an empty text or as null.
    empty = {name: "" if index % 2 else None for index, name in enumerate(FORM["conn-fields"])}
    fields = {**connection(hotmart), "extra": empty, "schema": "", "port": None}
    assert as_the_ui_tests(fields)[0]
    assert "AIRFLOW_CONN_PASSING_NAME" not in os.environ
