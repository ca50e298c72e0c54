"""The operators of all endpoints: files, manifests, and what they do not tell."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hotmart.api.endpoint import Endpoint
from airflow_provider_hotmart.api.endpoints import ENDPOINTS
from airflow_provider_hotmart.emulator import HotmartEmulator
from airflow_provider_hotmart.hooks.hotmart import HotmartHook
from airflow_provider_hotmart.operators import club, events, products, sales, subscriptions
from airflow_provider_hotmart.operators.base import HotmartListOperator
from tests.integration.support import account, lines_of

MODULES = (club, events, products, sales, subscriptions)
OPERATORS = {
    one.endpoint.name: one
    for module in MODULES
    for one in vars(module).values()
    if isinstance(one, type) and issubclass(one, HotmartListOperator) and one is not HotmartListOperator
}
every_operator = pytest.mark.parametrize("name", OPERATORS)


@pytest.fixture(scope="module")
def hotmart() -> Iterator[HotmartEmulator]:
    with account(300, days=25) as emulator:
        yield emulator


@pytest.fixture
def connected(hotmart: HotmartEmulator, monkeypatch: pytest.MonkeyPatch) -> HotmartEmulator:
    """The same, as the connection ``hotmart_default``."""
    connection = {
        "conn_type": "hotmart",
        "host": hotmart.url,
        "login": hotmart.client_id,
        "password": hotmart.client_secret,
        "extra": {"token_url": hotmart.token_url},
    }
    monkeypatch.setenv(f"AIRFLOW_CONN_{HotmartHook.default_conn_name.upper()}", json.dumps(connection))
    return hotmart


def asked(endpoint: Endpoint, hotmart: HotmartEmulator) -> dict[str, Any]:
    """What finds something in the emulator's days, which are not those of this machine's clock."""
    found: dict[str, Any] = {}
    pairs = [endpoint.dates] if endpoint.dates else [(one.start, one.end) for one in endpoint.ranges[:1]]
    for (start, _), (end, _) in pairs:
        found |= {start: "2026-02-01", end: "2026-04-01"}
    if "subdomain" in endpoint.arguments:
        sold = Counter(sale.product_id for sale in hotmart.sales)
        found["subdomain"] = max(hotmart.club_subdomains, key=lambda name: sold[hotmart.club_subdomains[name]])
    return found


def _at(record: Any, path: str) -> Any:
    for name in path.split("."):
        record = record.get(name) if isinstance(record, dict) else None
    return record


@every_operator
def test_an_operator_writes_what_the_hook_yields(connected: HotmartEmulator, name: str, tmp_path: Path) -> None:
    endpoint = ENDPOINTS[name]
    filters = asked(endpoint, connected)
    task = OPERATORS[name](task_id="list", destination=f"{tmp_path}/a.jsonl", **filters)
    manifest = task.execute({})
    records = [json.loads(line) for line in lines_of(tmp_path / "a.jsonl")]
    assert records == list(getattr(HotmartHook(), f"iter_{name}")(**filters))
    assert manifest["records"] == len(records) > 0
    assert (manifest["uri"], manifest["bucket"], manifest["key"]) == (f"{tmp_path}/a.jsonl", None, None)
    ours = [one.name for one in endpoint.filters if one.words is not None and one.several and one.sent_as]
    dates = [name for pair in endpoint.ranges for name in (pair.start[0], pair.end[0])][:2]
    assert {*ours, *dates} - {endpoint.status} == set(manifest["filters"])
    assert (manifest["window"] is None) == (not endpoint.dates and not endpoint.ranges)
    keys = Counter(tuple(str(_at(record, path)) for path in manifest["primary_key"]) for record in records)
    # People without a ucode are told apart by their place only, which this form has no word for.
    assert [key for key, count in keys.items() if count > 1 and "None" not in key] == []
    assert manifest["calls"] > 0


@every_operator
def test_a_personal_filter_shows_nowhere(
    connected: HotmartEmulator, name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = ENDPOINTS[name]
    caplog.set_level(logging.DEBUG)
    for one in (one for one in endpoint.filters if one.personal):
        secret = "Zoraide.Inconfundivel@example.com"
        task = OPERATORS[name](
            task_id="list", destination=f"{tmp_path}/a.jsonl", **{**asked(endpoint, connected), one.name: secret}
        )
        told = json.dumps(task.execute({}))
        assert any(secret in values for call in connected.calls[-20:] for values in call.params.values()), one.name
        assert "oraide" not in told + caplog.text, one.name
        wrong = OPERATORS[name](task_id="list", **{**asked(endpoint, connected), one.name: [secret, secret]})
        with pytest.raises(Exception) as caught:  # noqa: PT011 - its text is what counts
            wrong.execute({})
        assert "oraide" not in str(caught.value) + caplog.text, one.name
