"""The first 80 characters of an error, all that a list of logs shows of it, tell its cause and what to do."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import airflow_provider_hotmart

PACKAGE = Path(airflow_provider_hotmart.__file__).parent
SHOWN = 80
#: What an error is filled in with is rarely longer; paths are, so they stand at the end.
FILLED_IN = "x" * 16
#: Where the remedy begins. What a connection lacks is itself what is to be done.
REMEDY = re.compile(r"(: |; run|[,;] expected |, run it later |^Check connection )(?=\S)")
#: Nobody can do anything about these, or needs to.
NO_REMEDY = re.compile("was stopped|task was|^Nobody new|body is no JSON|does not understand$")


def texts() -> Iterator[tuple[str, str]]:
    """Every text that an error of this package is made with, and where."""
    for path in PACKAGE.rglob("*.py"):
        if "emulator" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = None
            if isinstance(node, ast.Call) and node.args and is_ours(ast.unparse(node.func)):
                text = filled_in(node.args[0])
                if text is not None and ast.unparse(node.func) == "self.error":
                    text = f"Check connection {FILLED_IN}: {text}"
            elif isinstance(node, ast.FunctionDef) and node.name.startswith("_objection"):
                for one in ast.walk(node):
                    if isinstance(one, ast.Return) and (objection := filled_in(one.value)) is not None:
                        yield f"{path.relative_to(PACKAGE)}:{one.lineno}", f"destination {objection}"
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "message":
                text = filled_in(node.value)
            if text is not None:
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", text


def is_ours(name: str) -> bool:
    """Whether a call makes an error that somebody reads."""
    return name == "self.error" or (
        name.endswith(("Error", "FailException")) and not hasattr(builtins, name) and name != "MisfitError"
    )


def filled_in(node: ast.expr | None) -> str | None:
    """A text with something in the place of what it is filled in with; None: it is made elsewhere."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = [str(one.value) if isinstance(one, ast.Constant) else filled_in_value(one) for one in node.values]
        constant = "".join(str(one.value) for one in node.values if isinstance(one, ast.Constant))
        return "".join(parts) if re.search("[a-z]{2}", constant) else None
    return None


def filled_in_value(node: ast.expr) -> str:
    """Stands for one value; a hint at what was meant is a remedy itself, and not always there."""
    return "" if isinstance(node, ast.FormattedValue) and ast.unparse(node.value) == "hint" else FILLED_IN


TEXTS = dict(texts())


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_an_error_begins_with_cause_and_remedy(text: str) -> None:
    if NO_REMEDY.search(text):
        return
    found = REMEDY.search(text)
    assert found is not None, "no remedy"
    assert found.end() <= SHOWN - len("run it again"), f"the remedy begins after {found.end()} characters"


def test_there_are_errors_to_look_at() -> None:
    assert len(TEXTS) > 90
