"""The costs that the documentation tells are those that a listing has."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_hotmart.api.client import HotmartClient
from airflow_provider_hotmart.api.config import HotmartConfig
from airflow_provider_hotmart.api.endpoints.products import PRODUCTS
from airflow_provider_hotmart.api.endpoints.sales import SALES_PARTICIPANTS
from airflow_provider_hotmart.api.filters import build_query
from airflow_provider_hotmart.api.listing import Listing
from airflow_provider_hotmart.emulator import HotmartEmulator
from airflow_provider_hotmart.watching.watch import Watch
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
#: Sales of one status in a window, and the calls that listing them takes.
ROWS = [
    (int(sales.replace(",", "")), int(calls))
    for sales, calls in re.findall(r"^\| (?:up to )?([\d,]+) \| (\d+) \|$", PAGE, re.MULTILINE)
]


#: What watching costs: statuses, sales in each, minutes between two looks, calls an hour.
LOOKS = [
    tuple(int(number.replace(",", "")) for number in row)
    for row in re.findall(
        r"^\| (?:ALL \()?(\d+)(?:\)| statuses) \| (?:up to )?([\d,]+) \| (\d+) minutes \| (\d+) \|$",
        (ROOT / "docs" / "sensors.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
]


@contextmanager
def account(**arguments: Any) -> Iterator[HotmartClient]:
    with HotmartEmulator(rate_limit=10_000_000, **arguments) as hotmart:
        fields = {"login": hotmart.client_id, "password": hotmart.client_secret, "host": hotmart.url}
        yield HotmartClient(HotmartConfig.from_fields(**fields))


def calls_for(client: HotmartClient, **filters: Any) -> int:
    listing = Listing(client, build_query(SALES_PARTICIPANTS, now=time.time(), **filters))
    for _ in listing:
        pass
    return listing.calls


def test_the_tables_are_read() -> None:
    assert (len(ROWS), len(LOOKS)) == (6, 4)


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
        listing = Listing(client, build_query(PRODUCTS, now=time.time()))
        assert sum(map(len, listing)) == products
    assert listing.calls == calls
    assert re.search(rf"^\| all products, (?:up to )?{products:,}[ (].*\| {calls} \|$", PAGE, re.MULTILINE)


def test_sales_asked_for_by_their_codes_cost_a_call_each() -> None:
    with account(sales=100) as client:
        records = Listing(client, build_query(SALES_PARTICIPANTS, now=time.time())).objects()
        codes = sorted({one["transaction"] for one in records})[:20]
        assert calls_for(client, transaction=codes) == 20
    assert "| 20 sales by their codes | 20 |" in PAGE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "days", "tasks"), [("a year in 12 monthly tasks", 30, 12), ("the same in 365", 1, 365)]
)
def test_a_year_costs_what_the_table_tells(task: str, days: int, tasks: int) -> None:
    told = re.search(rf"^\| {task}\b.*\| some ([\d,]+)", PAGE, re.MULTILINE)
    assert told
    now = datetime.now(UTC)
    with account(sales=100_000, days=365) as client:
        # A few of the tasks stand for all: the account's sales are even over the year.
        ends = [now - timedelta(days=365 * part / 4) for part in range(4)]
        costs = [
            calls_for(client, transaction_status="ALL", sales_start_date=end - timedelta(days=days), sales_end_date=end)
            for end in ends
        ]
    assert sum(costs) / len(costs) * tasks == pytest.approx(int(told[1].replace(",", "")), rel=0.05)


@pytest.mark.parametrize(("statuses", "sales", "minutes", "told"), LOOKS)
def test_watching_costs_what_the_table_tells(statuses: int, sales: int, minutes: int, told: int) -> None:
    with account(sales=sales, days=6, statuses=["APPROVED"]) as client:
        watch = Watch("hotmart_default", {"transaction_status": "APPROVED"}, None, timedelta(days=7))
        window = watch.window(time.time(), None)
        assert sum(1 for _ in watch.participants(watch.listing(client, window))) >= sales
        start, end = window.isoformat()
        calls = calls_for(client, transaction_status="APPROVED", sales_start_date=start, sales_end_date=end)
    assert statuses * calls * 60 / minutes == told
