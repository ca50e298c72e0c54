"""
Which stores the tests run on.

Local files need nothing and are always there. ``make test-stores`` sets ``HOTMART_TEST_STORES`` to all of them, in an
environment that has their client libraries and servers.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.stores.support import Folder, Store, UnavailableError, as_variables, azure, s3

STORES = os.environ.get("HOTMART_TEST_STORES", "local").split(",")

NONE = pytest.param("none", marks=pytest.mark.skip(reason="about object stores: make test-stores"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kind" in metafunc.fixturenames:
        local = "remote" not in metafunc.fixturenames
        stores = [one for one in STORES if local or one != "local"]
        metafunc.parametrize("kind", stores or [NONE], scope="session")


@pytest.fixture(scope="session")
def running(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store whose server runs."""
    with ExitStack() as stack:
        for name in list(os.environ):
            if name.lower().endswith("_proxy"):
                stack.enter_context(pytest.MonkeyPatch.context()).delenv(name)
        try:
            if kind == "local":
                yield Folder(tmp_path_factory.mktemp("local"))
                return
            made = stack.enter_context(s3() if kind == "s3" else azure(tmp_path_factory.mktemp("azurite")))
        except UnavailableError as problem:
            pytest.skip(str(problem))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in as_variables(made.connections()).items():
            patch.setenv(name, value)
        yield made


@pytest.fixture
def store(running: Store) -> Store:
    """An empty store behind an open gate."""
    running.clear()
    if running.gate is not None:
        running.gate.reset()
    return running


@pytest.fixture
def remote(store: Store) -> Store:
    """A store that is not the local file system."""
    return store


@pytest.fixture
def key() -> str:
    """The name of an object that no other test uses."""
    return f"sales/{uuid.uuid4().hex}.jsonl"
