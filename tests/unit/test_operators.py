"""Every endpoint of the table has an operator and a method of the hook, and these know no more and no less."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_hotmart import operators
from airflow_provider_hotmart.api import endpoints as table
from airflow_provider_hotmart.api.endpoint import Endpoint
from airflow_provider_hotmart.api.endpoints import ENDPOINTS
from airflow_provider_hotmart.hooks import hotmart as hooks
from airflow_provider_hotmart.hooks.hotmart import HotmartHook
from airflow_provider_hotmart.operators.base import HotmartListOperator
from airflow_provider_hotmart.operators.sales import HotmartListSalesOperator

#: Lines of code of one endpoint: its row, its operator and its method, without docstrings and comments.
MAX_LINES = 80

MODULES = [
    importlib.import_module(f"{operators.__name__}.{module.name}")
    for module in pkgutil.iter_modules(operators.__path__)
]
OPERATORS = [
    one
    for module in MODULES
    for one in vars(module).values()
    if inspect.isclass(one) and one.__module__ == module.__name__ and one is not HotmartListOperator
]
every_operator = pytest.mark.parametrize("operator", OPERATORS, ids=lambda one: one.__name__)
every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=ENDPOINTS)


def operator_of(endpoint: Endpoint) -> type[HotmartListOperator]:
    [operator] = [one for one in OPERATORS if one.endpoint is endpoint]
    return operator


def test_every_endpoint_has_one_operator() -> None:
    assert sorted(one.endpoint.name for one in OPERATORS) == sorted(ENDPOINTS)


@every_operator
def test_every_argument_of_the_endpoint_is_a_template_field_and_a_keyword(operator: type[HotmartListOperator]) -> None:
    arguments = operator.endpoint.arguments
    own = operator.template_fields[: -len(HotmartListOperator.template_fields)]
    assert own[: len(arguments)] == arguments
    assert (*own, *HotmartListOperator.template_fields) == operator.template_fields
    keywords = inspect.signature(operator.__init__).parameters
    assert [name for name, one in keywords.items() if one.kind is one.KEYWORD_ONLY and one.default is None] == [
        name for name in keywords if name in own
    ]
    assert set(own) <= set(keywords)


def test_a_subclass_keeps_the_template_fields_of_its_operator_and_may_name_its_own() -> None:
    class Mine(HotmartListSalesOperator):
        endpoint = HotmartListSalesOperator.endpoint

    class Own(HotmartListOperator):
        endpoint = HotmartListSalesOperator.endpoint
        template_fields = ("select",)

    assert Mine.template_fields == HotmartListSalesOperator.template_fields
    assert Own.template_fields == ("select",)


@every_operator
def test_every_argument_is_documented_as_templated(operator: type[HotmartListOperator]) -> None:
    text = " ".join((operator.__doc__ or "").split())
    own = operator.template_fields[: -len(HotmartListOperator.template_fields)]
    for name in own:
        after = text.partition(f":param {name}: ")[2].partition(":param ")[0]
        assert "(templated)" in after, name
    assert text.count(":param ") == len(own) + 1
    assert "Source: https://developers.hotmart.com/docs/" in text


@every_operator
def test_an_operator_whose_records_are_personal_says_so(operator: type[HotmartListOperator]) -> None:
    personal = any(column.personal for column in operator.endpoint.columns)
    assert ("personal data" in (operator.__doc__ or "")) is personal


@every_endpoint
def test_no_argument_is_something_else_of_every_task(endpoint: Endpoint) -> None:
    of_tasks = {*dir(BaseOperator), *inspect.signature(BaseOperator.__init__).parameters}
    assert of_tasks.isdisjoint(endpoint.arguments)


@every_operator
def test_what_is_given_is_kept_until_the_task_runs(operator: type[HotmartListOperator]) -> None:
    given = {name: f"{{{{ var.value.{name} }}}}" for name in operator.endpoint.arguments}
    task = operator(task_id="list", **given)
    assert {name: getattr(task, name) for name in given} == given


@every_endpoint
def test_the_hook_takes_what_the_endpoint_takes_and_nothing_else(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = '{"conn_type": "hotmart", "login": "id", "password": "secret"}'
    monkeypatch.setenv("AIRFLOW_CONN_HOTMART_DEFAULT", connection)
    method = getattr(HotmartHook(), f"iter_{endpoint.name}")
    required = {one.name: "area" for one in endpoint.filters if one.required}
    if endpoint.name == "club_pages":
        required = {"subdomain": "area"}
    method(**{**dict.fromkeys(endpoint.arguments), **required})
    with pytest.raises(TypeError, match="colour"):
        method(colour="red", **required)


def test_the_hook_has_no_other_methods_that_list() -> None:
    assert {name for name in vars(HotmartHook) if name.startswith("iter_")} == {f"iter_{name}" for name in ENDPOINTS}


@every_endpoint
def test_an_endpoint_takes_few_lines(endpoint: Endpoint) -> None:
    lines = lines_of(endpoint)
    assert all(lines.values()), lines
    assert sum(lines.values()) <= MAX_LINES, lines


def lines_of(endpoint: Endpoint) -> dict[str, int]:
    """Lines of code that an endpoint takes in each part."""
    operator = operator_of(endpoint)
    area = getattr(table, operator.__module__.rpartition(".")[2])
    name = next(name for name, one in vars(area).items() if one is endpoint)
    return {
        "row": code_lines(
            Path(inspect.getfile(area)),
            lambda node: isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name,
        ),
        "operator": code_lines(
            Path(inspect.getfile(operator)),
            lambda node: isinstance(node, ast.ClassDef) and node.name == operator.__name__,
        ),
        "hook": code_lines(
            Path(hooks.__file__),
            lambda node: isinstance(node, ast.FunctionDef) and node.name == f"iter_{endpoint.name}",
        ),
    }


def code_lines(path: Path, wanted: Callable[[ast.AST], bool] = lambda node: isinstance(node, ast.Module)) -> int:
    """Count the lines of one definition, or of a whole file, that are neither blank, nor comment, nor docstring."""
    text = path.read_text(encoding="utf-8")
    source = text.splitlines()
    [node] = [node for node in ast.walk(ast.parse(text)) if wanted(node)]
    lines = set(range(getattr(node, "lineno", 1), getattr(node, "end_lineno", len(source)) + 1))
    for part in ast.walk(node):
        if isinstance(part, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(part) is not None:
            lines -= set(range(part.body[0].lineno, (part.body[0].end_lineno or 0) + 1))
    return sum(bool(source[line - 1].strip()) and not source[line - 1].strip().startswith("#") for line in lines)
