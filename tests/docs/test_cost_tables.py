"""The costs that the documentation tells are those that a listing has."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from airflow_provider_hotmart.api.client import HotmartClient
from airflow_provider_hotmart.api.config import HotmartConfig
from airflow_provider_hotmart.api.queries import ParticipantsQuery, ProductsQuery
from airflow_provider_hotmart.emulator import HotmartEmulator
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
#: Sales of one status in a window, and the calls that listing them takes.
ROWS = [
    (int(sales.replace(",", "")), int(calls))
    for sales, calls in re.findall(r"^\| (?:up to )?([\d,]+) \| (\d+) \|$", PAGE, re.MULTILINE)
]


@contextmanager
def account(**arguments: Any) -> Iterator[HotmartClient]:
    with HotmartEmulator(rate_limit=10_000_000, **arguments) as hotmart:
        fields = {"login": hotmart.client_id, "password": hotmart.client_secret, "host": hotmart.url}
        yield HotmartClient(HotmartConfig.from_fields(**fields))


def calls_for(client: HotmartClient, **filters: Any) -> int:
    listing = client.list_sales_participants(ParticipantsQuery.build(now=time.time(), **filters), len)
    for _ in listing:
        pass
    return listing.calls


def test_the_table_is_read() -> None:
    assert len(ROWS) == 6


@pytest.mark.slow
@pytest.mark.parametrize(("sales", "told"), ROWS)
def test_sales_of_one_status_cost_what_the_table_tells(sales: int, told: int) -> None:
    with account(sales=sales, days=29, statuses=["APPROVED"]) as client:
        calls = calls_for(client, transaction_status="APPROVED")
    # Where a window is cut, rows fall on the parts by chance.
    assert calls == pytest.approx(told, rel=0.03)


def test_a_day_of_all_statuses_costs_one_call_for_each() -> None:
    with account(sales=300, days=1) as client:
        assert calls_for(client, transaction_status="ALL") == 18
    assert "| a day, all statuses, up to 500 sales in each | 18 |" in PAGE


@pytest.mark.parametrize(("products", "calls"), [(500, 1), (2000, 8)])
def test_products_cost_what_the_table_tells(products: int, calls: int) -> None:
    with account(products=products, sales=1) as client:
        listing = client.list_products(ProductsQuery.build(), len)
        assert sum(batch.count for batch in listing) == products
    assert listing.calls == calls
    assert re.search(rf"^\| all products, (?:up to )?{products:,}[ (].*\| {calls} \|$", PAGE, re.MULTILINE)
