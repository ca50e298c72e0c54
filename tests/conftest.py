"""What every test relies on: an Airflow home of its own, no proxy, deprecations as errors, how examples are drawn."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

# Before anything imports Airflow, which reads these once. Each process of the test run has a home of its own.
AIRFLOW_HOME = tempfile.mkdtemp(prefix="airflow-provider-hotmart-")
atexit.register(shutil.rmtree, AIRFLOW_HOME, ignore_errors=True)
os.environ["AIRFLOW_HOME"] = AIRFLOW_HOME
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
# Airflow 2 warns at its first import unless this is set; later versions do not know it.
os.environ["AIRFLOW__METRICS__TIMER_UNIT_CONSISTENCY"] = "True"

with suppress(ImportError):  # some environments have none, and no test that needs it
    from hypothesis import HealthCheck, settings

    # Properties are tried on the same examples in every run, however slow the machine; with
    # --hypothesis-profile=many on more, and on others in every run.
    slow = [HealthCheck.too_slow]
    settings.register_profile("usual", derandomize=True, deadline=None, database=None, suppress_health_check=slow)
    settings.register_profile("many", max_examples=200, deadline=None, print_blob=True, suppress_health_check=slow)
    settings.load_profile("usual")


@pytest.fixture(autouse=True)
def no_proxy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Call what listens on this machine directly; only what `tests/release` installs may come through a proxy."""
    if Path(__file__).with_name("release") not in request.path.parents:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.delenv(name, raising=False)


def pytest_configure(config: pytest.Config) -> None:
    """Turn Airflow's own deprecation warnings into errors, wherever they are raised."""
    import airflow.exceptions

    for name in ("RemovedInAirflow3Warning", "RemovedInAirflow4Warning", "AirflowProviderDeprecationWarning"):
        if hasattr(airflow.exceptions, name):
            config.addinivalue_line("filterwarnings", f"error::airflow.exceptions.{name}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In several processes, begin with the files that take long: none of them is to be waited for at the end."""
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow") is not None}
        items.sort(key=lambda item: item.path not in slow)
