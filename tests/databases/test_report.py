"""The example of a report: what its tables say is what the account's sales and subscriptions add up to."""

from __future__ import annotations

import os
import runpy
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_hotmart.emulator import Clock, HotmartEmulator
from tests.airflow.support import ROOT, ThrowawayAirflow, connection, small_hotmart
from tests.databases.picture import subscribers_picture
from tests.databases.servers import Database

EXAMPLE = "hotmart_report"
FILE = ROOT / "dags_examples" / f"{EXAMPLE}.py"
PICTURE = ROOT / "docs" / "images" / "report.svg"
#: The folder to draw the picture into anew; without one, only whether it shows the figures is looked at.
PICTURES = os.environ.get("PICTURES")
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
#: 06:00 in São Paulo, when the example is scheduled.
FIRST_RUN = datetime(2026, 2, 4, 9, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SECOND = timedelta(seconds=1)
PAID = ("APPROVED", "COMPLETE", "PROTESTED", "PARTIALLY_REFUNDED", "REFUNDED", "CHARGEBACK")
Table = dict[tuple[Any, ...], tuple[Any, ...]]


@pytest.fixture
def hotmart() -> Iterator[HotmartEmulator]:
    """An account of more than a year, with all that is easily counted wrong."""
    with small_hotmart(sales=2500, days=420, products=5, clock=Clock(frozen=FIRST_RUN)) as emulator:
        # The first moments of a month and week, of an ISO year, and of a year, where UTC has another day.
        for day in ("2025-09-01", "2025-12-29", "2026-01-01"):
            midnight = datetime.fromisoformat(f"{day}T03:00:00+00:00")
            for moment in (midnight - HOUR, midnight - SECOND, midnight):
                emulator.add_sale(ordered_at=moment, approved_at=moment, coproducers=1, affiliate=True)
                emulator.add_sale(life=[(moment, "APPROVED"), (moment + DAY, "REFUNDED")])
            for ordered, paid in ((-4 * HOUR, -SECOND), (-SECOND, 0 * HOUR), (0 * HOUR, HOUR), (-DAY, 5 * DAY)):
                emulator.add_sale(life=[(midnight + ordered, "PRINTED_BILLET"), (midnight + paid, "APPROVED")])
        subscribe(emulator)
        yield emulator


def subscribe(hotmart: HotmartEmulator) -> None:
    """People who subscribe again: before, exactly when, and after their first subscription ends."""
    product = next(one["id"] for one in hotmart.products if one["is_subscription"])
    began = datetime(2025, 9, 10, 12, tzinfo=UTC)
    # The end of a month in São Paulo, when UTC has the next month.
    ended = datetime(2025, 11, 1, 2, 59, 59, tzinfo=UTC)
    # The second one of the second person is over before the third begins, and the first still runs.
    others = ([began], [began + DAY, began + 20 * DAY], [ended], [ended + SECOND], [ended + 40 * DAY])
    for beginnings in others:
        first = hotmart.add_sale(product_id=product, life=[(began, "APPROVED"), (ended, "REFUNDED")])
        for again in beginnings:
            life = [(again, "APPROVED"), (again + 10 * DAY, "REFUNDED")]
            hotmart.add_sale(product_id=product, buyer=first.buyer, life=life)
    # Two people of whom Hotmart tells no code.
    for buyer in (first.buyer, hotmart.sales[0].buyer):
        hotmart.add_sale(product_id=product, buyer={**buyer, "ucode": ""}, life=[(began, "APPROVED")])


def day_of(seconds: float) -> datetime:
    """The midnight in São Paulo that a moment's day begins with."""
    return datetime.fromtimestamp(seconds, SAO_PAULO).replace(hour=0, minute=0, second=0)


def listed(hotmart: HotmartEmulator) -> Iterator[tuple[Any, Any]]:
    """The sales that a listing until today has, each with its status."""
    now = hotmart.clock.now()
    for sale in hotmart.sales:
        if sale.ordered_at < day_of(now).timestamp():
            yield sale, sale.status_at(now)


def revenue(hotmart: HotmartEmulator) -> Table:
    """What the producer earns: count and hundredths by day, product and currency."""
    found: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for sale, status in listed(hotmart):
        if status in ("APPROVED", "COMPLETE"):
            [share] = [share for share, _ in sale.shares(sale.money) if share.role == "PRODUCER"]
            key = (day_of(sale.approved_at).date(), sale.product_id, sale.product["name"], share.currency)
            found[key].append(share.value)
    return {key: (len(values), money(values)) for key, values in found.items()}


def refunds(hotmart: HotmartEmulator) -> Table:
    """What was paid, and became of it, by week and the buyer's currency."""
    found: dict[tuple[Any, ...], list[tuple[Any, bool, int]]] = defaultdict(list)
    for sale, status in listed(hotmart):
        if status in PAID:
            paid, ordered = day_of(sale.approved_at), day_of(sale.ordered_at)
            is_late = sale.money.payment_type == "BILLET" and paid != ordered
            year, week, _ = paid.isocalendar()
            found[f"{year}-W{week:02}", sale.money.currency].append((status, is_late, sale.money.total))
    table: Table = {}
    for key, sales in found.items():
        by_status = {name: [price for status, _, price in sales if status == name] for name in PAID}
        late = [price for _, is_late, price in sales if is_late]
        table[key] = (
            *(len(sales), money([price for _, _, price in sales])),
            *(len(by_status["REFUNDED"]), money(by_status["REFUNDED"])),
            *(len(by_status["CHARGEBACK"]), money(by_status["CHARGEBACK"])),
            len(by_status["PARTIALLY_REFUNDED"]),
            *(len(late), money(late)),
        )
    return table


def subscribers(hotmart: HotmartEmulator) -> Table:
    """New, returning and lost subscribers by month and product, by putting each person's spans on a line."""
    now = hotmart.clock.now()
    spans: dict[tuple[int, str, str], list[tuple[float, float]]] = defaultdict(list)
    for subscription in {sale.subscription for sale in hotmart.sales if sale.subscription is not None}:
        state = subscription.state_at(now)
        if state is not None and state.status not in ("STARTED", "INACTIVE"):
            person = state.sales[-1].buyer.get("ucode") or subscription.code
            key = (subscription.product["id"], subscription.product["name"], person)
            spans[key].append((state.accession_at, state.ended_at or float("inf")))
    counts: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
    for (product, name, _), line in spans.items():
        joined: list[list[float]] = []
        for began, ended in sorted(line):
            if joined and began <= joined[-1][1]:
                joined[-1][1] = max(joined[-1][1], ended)
            else:
                joined.append([began, ended])
        for place, (began, ended) in enumerate(joined):
            counts[f"{day_of(began):%Y-%m}", product, name][min(place, 1)] += 1
            if ended < float("inf"):
                counts[f"{day_of(ended):%Y-%m}", product, name][2] += 1
    return {key: tuple(count) for key, count in counts.items()}


def money(hundredths: list[int]) -> Decimal:
    return Decimal(sum(hundredths)) / 100


def answers(database: Database) -> list[Table]:
    """What the tables of the report hold."""
    found: list[Table] = []
    for table, keys in (("report_revenue", 4), ("report_refunds", 2), ("report_subscribers", 3)):
        rows = database.rows(f"SELECT * FROM {table}")
        found.append({row[:keys]: row[keys:] for row in rows})
        assert len(found[-1]) == len(rows)
    return found


@pytest.mark.airflow
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_figures_of_the_report_are_those_of_the_account(
    airflow: ThrowawayAirflow, hotmart: HotmartEmulator, postgresql: Database, tmp_path: Path
) -> None:
    def run(moment: datetime, days: int) -> list[Table]:
        done = airflow.run(
            FILE,
            {"dag_id": EXAMPLE, "logical_date": moment.isoformat(), "conf": {"days": days}},
            connections={"hotmart_default": connection(hotmart), "warehouse": postgresql.connection},
            AIRFLOW_VAR_HOTMART_DESTINATION=tmp_path.as_uri(),
        )
        assert done.report == {"dags": [EXAMPLE], "import_errors": [], "warnings": []}
        assert set(done.states().values()) == {"success"}, done.logs[-5000:]
        return answers(postgresql)

    first = run(FIRST_RUN, 450)
    assert first == [revenue(hotmart), refunds(hotmart), subscribers(hotmart)]
    # Whatever could be counted wrong is there.
    assert {currency for *_, currency in first[0]} == {"BRL", "USD"}
    assert {currency for _, currency in first[1]} == {"BRL", "USD", "EUR", "MXN", "CLP"}
    assert all(sum(figures) for figures in zip(*first[1].values(), strict=True))
    assert all(sum(figures) >= 3 for figures in zip(*first[2].values(), strict=True))

    # The picture in the documentation is of twelve whole months.
    picture = subscribers_picture(
        postgresql.rows(
            "SELECT month, SUM(new_subscribers)::int, SUM(returning_subscribers)::int, SUM(lost_subscribers)::int "
            "FROM report_subscribers "
            "WHERE month BETWEEN '2025-02' AND '2026-01' GROUP BY month ORDER BY month"
        )
    )
    if PICTURES:
        (Path(PICTURES) / PICTURE.name).write_text(picture, encoding="utf-8")
    assert PICTURE.read_text(encoding="utf-8") == picture, "PICTURES=docs/images make test-databases draws it anew"

    # Once more, and over fewer days: what is there already is not counted again, and what is older stays.
    assert run(FIRST_RUN, 120) == first

    # What has happened since: money that came and went, under the currency key that Hotmart documents.
    hotmart.clock.advance(30 * DAY)
    hotmart.quirks.commission_currency_key = "currency_value"
    later = run(FIRST_RUN + 30 * DAY, 480)
    assert later == [revenue(hotmart), refunds(hotmart), subscribers(hotmart)]
    assert all(table != before for table, before in zip(later, first, strict=True))

    # Nobody's name is there, and a sale without a commission is seen.
    tables = ("hotmart_sales", "hotmart_commissions", "hotmart_subscriptions")
    stored = str([postgresql.rows(f"SELECT * FROM {table}") for table in tables])
    assert "@" not in stored
    assert "ACME" not in stored
    [sale, *_] = [sale for sale, status in listed(hotmart) if status == "COMPLETE"]
    postgresql.run(f"DELETE FROM hotmart_commissions WHERE transaction = '{sale.transaction}'")
    rows = postgresql.rows(runpy.run_path(str(FILE))["REVENUE"])
    lacking = (day_of(sale.approved_at).date(), sale.product_id, sale.product["name"], None, 1, None)
    assert [row for row in rows if row[3] is None] == [lacking]
