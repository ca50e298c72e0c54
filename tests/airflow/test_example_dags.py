"""The example DAGs do what they say, run as a user would run them, against a local Hotmart."""

from __future__ import annotations

import gzip
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_hotmart.emulator import Clock
from tests.airflow.support import (
    HAS_SUPERVISOR,
    ROOT,
    AirflowRun,
    ThrowawayAirflow,
    connection,
    identities,
    small_hotmart,
)

pytestmark = pytest.mark.airflow

EXAMPLES = sorted((ROOT / "dags_examples").glob("*.py"))
SAO_PAULO = ZoneInfo("America/Sao_Paulo")


def read(path: Path) -> list[dict[str, Any]]:
    lines = gzip.decompress(path.read_bytes()).decode("utf-8").split("\n")
    assert lines.pop() == ""
    return [json.loads(line) for line in lines]


def check_parsed(run: AirflowRun, dag_id: str) -> None:
    assert run.report == {"dags": [dag_id], "import_errors": [], "warnings": []}
    assert set(run.states().values()) == {"success"}, run.states()


def test_every_example_has_a_test() -> None:
    text = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("airflow", "databases")
        for path in (ROOT / "tests" / folder).glob("test_*.py")
    )
    assert [path.stem for path in EXAMPLES if f'"{path.stem}"' not in text] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_says_what_it_is_and_is_named_like_its_file(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert f'dag_id="{path.stem}"' in text
    assert "doc_md=__doc__" in text
    assert "description=" in text
    if "\nfrom airflow.sdk import" in text:
        assert "Airflow 3 only" in text
    else:
        # Whoever copies it learns why it imports from where Airflow's own documentation does not.
        assert "on every Airflow. Where yours is 3 and stays so" in text


def test_every_example_is_parsed_without_a_warning(airflow: ThrowawayAirflow) -> None:
    # Assets get events from watchers and webhooks since Airflow 3.
    newer = () if HAS_SUPERVISOR else ("hotmart_on_new_sales", "hotmart_on_approval")
    examples = [path for path in EXAMPLES if path.stem not in newer]
    names = [path.stem for path in examples]
    assert airflow.run(examples).report == {"dags": names, "import_errors": [], "warnings": []}


def test_a_deprecation_in_a_dag_file_would_be_noticed(airflow: ThrowawayAirflow) -> None:
    run = airflow.run("""
    import warnings

    from airflow.exceptions import AirflowProviderDeprecationWarning

    # Airflow parses what has the word dag in it.
    warnings.warn("out of date", AirflowProviderDeprecationWarning, stacklevel=1)
    """)
    [warning] = run.report["warnings"]
    assert "AirflowProviderDeprecationWarning: out of date" in warning


# The examples that look at the clock look at this machine's.
NOW = datetime.now(UTC).replace(microsecond=0)


def wait_for_the_day() -> datetime:
    """When today began in São Paulo, where it goes on for as long as a test takes."""
    now = datetime.now(SAO_PAULO)
    left = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), SAO_PAULO) - now
    if left < timedelta(minutes=2):
        time.sleep(left.total_seconds() + 1)
    return datetime.now(SAO_PAULO).replace(hour=0, minute=0, second=0, microsecond=0)


def test_the_daily_example_writes_yesterday(airflow: ThrowawayAirflow, tmp_path: Path) -> None:
    example = "hotmart_daily_to_object_storage"
    # 06:00 in São Paulo, when it is scheduled; a moment that is still the day before in São Paulo; and, on
    # Airflow 3, a run without logical date, and so without data interval.
    scheduled = datetime.combine(NOW.date() - timedelta(days=3), datetime.min.time(), UTC) + timedelta(hours=9)
    late = scheduled.replace(hour=1) - timedelta(days=2)
    runs = [{"dag_id": example, "logical_date": moment.isoformat()} for moment in (scheduled, late)]
    today = wait_for_the_day()
    if HAS_SUPERVISOR:
        runs.append({"dag_id": example, "logical_date": None})

    with small_hotmart(sales=400, clock=Clock(frozen=NOW)) as hotmart:
        run = airflow.run(
            ROOT / "dags_examples" / f"{example}.py",
            *runs,
            connections={"hotmart_default": connection(hotmart)},
            AIRFLOW_VAR_HOTMART_DESTINATION=tmp_path.as_uri(),
        )
        check_parsed(run, example)

        days = [scheduled.astimezone(SAO_PAULO).date() - timedelta(days=1)]
        # Airflow 2 ends the data interval of a run by hand at the last scheduled moment before it.
        late_end = late if HAS_SUPERVISOR else scheduled - timedelta(days=3)
        days.append(late_end.astimezone(SAO_PAULO).date() - timedelta(days=1))
        if HAS_SUPERVISOR:
            days.append(today.date() - timedelta(days=1))
        listed_on = [day + timedelta(days=1) for day in days]
        for folder, named in (("participants", days), ("products", listed_on)):
            names = sorted(path.name for path in (tmp_path / folder).iterdir())
            assert names == sorted(f"{day}.jsonl.gz" for day in named)
        for day in days:
            midnight = datetime(day.year, day.month, day.day, tzinfo=SAO_PAULO)
            found = identities(read(tmp_path / "participants" / f"{day}.jsonl.gz"))
            assert len(found) == len(set(found))
            assert set(found) == hotmart.truth(None, midnight, midnight + timedelta(days=1)) != set()
        for day in listed_on:
            assert read(tmp_path / "products" / f"{day}.jsonl.gz") == hotmart.products


def test_the_refunds_example_counts_by_product(airflow: ThrowawayAirflow) -> None:
    example = "hotmart_refunds_to_xcom"
    statuses = ["REFUNDED", "PARTIALLY_REFUNDED", "CHARGEBACK"]
    now = datetime.now(UTC).replace(microsecond=0)
    with small_hotmart(sales=300, days=60, clock=Clock(frozen=now), statuses=["COMPLETE", *statuses]) as hotmart:
        run = airflow.run(
            ROOT / "dags_examples" / f"{example}.py",
            {"dag_id": example, "conf": {"days": 40}},
            connections={"hotmart_default": connection(hotmart)},
        )
        check_parsed(run, example)
        buyers = run.task("buyers").xcom
        # The window ends with the run, and no sale is younger than the emulator's clock.
        start = now - timedelta(days=40)
        expected = {one for one in hotmart.truth(statuses, start) if one[1] == "BUYER"}
        edge = {one[0] for one in hotmart.truth(statuses, start, start + timedelta(minutes=5))}
        found = {one["transaction"] for one in buyers}
        assert found | edge == {one[0] for one in expected} | edge
        assert len(found) > 100
        # No personal data: only what was selected, and the status.
        assert {tuple(sorted(one)) for one in buyers} == {("product", "role", "transaction", "transaction_status")}
        assert {tuple(one["product"]) for one in buyers} == {("name",)}
        counted = run.task("count_by_product").xcom
        assert sum(sum(products.values()) for products in counted.values()) == len(buyers)
        assert set(counted) == set(statuses)
        assert "REFUNDED: " in run.logs


def test_the_backfill_example_goes_month_by_month_until_today(airflow: ThrowawayAirflow, tmp_path: Path) -> None:
    example = "hotmart_backfill"
    today = wait_for_the_day()
    months = [today.replace(day=1)]
    while len(months) < 14:
        months.insert(0, (months[0] - timedelta(days=1)).replace(day=1))
    a_year_ago = months[1]
    with small_hotmart(sales=700, days=500, clock=Clock(frozen=NOW)) as hotmart:
        run = airflow.run(
            ROOT / "dags_examples" / f"{example}.py",
            example,
            connections={"hotmart_default": connection(hotmart)},
            AIRFLOW_VAR_HOTMART_DESTINATION=tmp_path.as_uri(),
        )
        check_parsed(run, example)
        ends = [*months[2:], today] if today.day > 1 else months[2:]
        starts = months[1 : len(ends) + 1]
        folder = tmp_path / "backfill"
        assert sorted(path.name for path in folder.iterdir()) == [f"{start:%Y-%m}.jsonl.gz" for start in starts]
        by_month = [identities(read(folder / f"{start:%Y-%m}.jsonl.gz")) for start in starts]
        for start, end, found in zip(starts, ends, by_month, strict=True):
            assert len(found) == len(set(found))
            assert set(found) == hotmart.truth(None, start, end)
        found = [one for listed in by_month for one in listed]
        assert len(found) == len(set(found)) > 1000
        assert set(found) == hotmart.truth(None, a_year_ago, today)
        manifests = [task.xcom for task in run.mapped("participants")]
        assert sum(manifest["records"] for manifest in manifests) == len(found)

        some = airflow.run(
            ROOT / "dags_examples" / f"{example}.py",
            {"dag_id": example, "conf": {"first_month": f"{months[0]:%Y-%m}", "months": 1}},
            {"dag_id": example, "conf": {"first_month": f"{today + timedelta(days=40):%Y-%m}"}},
            connections={"hotmart_default": connection(hotmart)},
            AIRFLOW_VAR_HOTMART_DESTINATION=(tmp_path / "some").as_uri(),
        )
    assert [path.name for path in (tmp_path / "some" / "backfill").iterdir()] == [f"{months[0]:%Y-%m}.jsonl.gz"]
    assert "has no day before" in some.logs


def written(folder: Path, name: str) -> list[dict[str, Any]]:
    """The records of the one file in a folder."""
    [path] = (folder / name).iterdir()
    return read(path)


def as_texts(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def test_the_example_of_sales_with_everything_joins_yesterday(airflow: ThrowawayAirflow, tmp_path: Path) -> None:
    example = "hotmart_sales_with_everything"
    scheduled = datetime.combine(NOW.date() - timedelta(days=3), datetime.min.time(), UTC) + timedelta(hours=9)
    with small_hotmart(sales=400, clock=Clock(frozen=NOW)) as hotmart:
        run = airflow.run(
            ROOT / "dags_examples" / f"{example}.py",
            {"dag_id": example, "logical_date": scheduled.isoformat()},
            connections={"hotmart_default": connection(hotmart)},
            AIRFLOW_VAR_HOTMART_DESTINATION=tmp_path.as_uri(),
        )
        check_parsed(run, example)
        day = scheduled.astimezone(SAO_PAULO).date() - timedelta(days=1)
        midnight = datetime(day.year, day.month, day.day, tzinfo=SAO_PAULO)
        window = {"start_date": midnight, "end_date": midnight + timedelta(days=1)}
        truth = hotmart.truth_rows("sales/history", **window)
        rows = written(tmp_path, "sales")
        parts = ("participants", "commissions", "price_details")
        plain = [{key: value for key, value in row.items() if key not in parts} for row in rows]
        assert as_texts(plain) == as_texts(truth) != []
        shares = {row["transaction"]: row for row in hotmart.truth_rows("sales/commissions", **window)}
        for row in rows:
            assert all(row[part] for part in parts)
            assert row["commissions"]["commissions"] == shares[row["purchase"]["transaction"]]["commissions"]
        assert run.task("sales").xcom["missing"] == dict.fromkeys(parts, 0)


def test_the_example_of_subscriptions_has_all_of_them_and_the_last_charges(
    airflow: ThrowawayAirflow, tmp_path: Path
) -> None:
    example = "hotmart_subscriptions"
    # On the schedule: there Airflow 2 and 3 agree on the data interval of a run by hand.
    scheduled = datetime.combine(NOW.date(), datetime.min.time(), UTC) - timedelta(hours=15)
    with small_hotmart(sales=400, clock=Clock(frozen=NOW)) as hotmart:
        run = airflow.run(
            ROOT / "dags_examples" / f"{example}.py",
            {"dag_id": example, "logical_date": scheduled.isoformat()},
            connections={"hotmart_default": connection(hotmart)},
            AIRFLOW_VAR_HOTMART_DESTINATION=tmp_path.as_uri(),
        )
        check_parsed(run, example)
        assert as_texts(written(tmp_path, "subscriptions")) == as_texts(hotmart.truth_rows("subscriptions")) != []
        end = scheduled.astimezone(SAO_PAULO).replace(hour=0, minute=0, second=0)
        charges = {"transaction_date": end - timedelta(days=3), "end_transaction_date": end}
        truth = hotmart.truth_rows("subscriptions/transactions", **charges)
        assert as_texts(written(tmp_path, "subscription_transactions")) == as_texts(truth) != []


def test_the_example_of_the_catalogue_has_all_products_and_what_belongs_to_them(
    airflow: ThrowawayAirflow, tmp_path: Path
) -> None:
    example = "hotmart_catalogue"
    with small_hotmart(sales=10, clock=Clock(frozen=NOW)) as hotmart:
        run = airflow.run(
            ROOT / "dags_examples" / f"{example}.py",
            example,
            connections={"hotmart_default": connection(hotmart)},
            AIRFLOW_VAR_HOTMART_DESTINATION=tmp_path.as_uri(),
        )
        check_parsed(run, example)
        assert written(tmp_path, "products") == hotmart.products
        for name, key, path in (
            ("offers", "ucode", "products/:ucode/offers"),
            ("plans", "ucode", "products/:ucode/plans"),
            ("coupons", "id", "coupon/product/:product_id"),
        ):
            column = f"product_{key}"
            truth = [
                {column: product[key], **row}
                for product in hotmart.products
                for row in hotmart.truth_rows(path, **{"ucode" if key == "ucode" else column: product[key]})
            ]
            assert as_texts(written(tmp_path, name)) == as_texts(truth) != []


def test_the_example_of_club_progress_lists_areas_users_and_lessons(airflow: ThrowawayAirflow, tmp_path: Path) -> None:
    example = "hotmart_club_progress"
    with small_hotmart(sales=60, clock=Clock(frozen=NOW)) as hotmart:
        names = list(hotmart.club_subdomains)[:2]
        run = airflow.run(
            ROOT / "dags_examples" / f"{example}.py",
            example,
            connections={"hotmart_default": connection(hotmart)},
            AIRFLOW_VAR_HOTMART_DESTINATION=tmp_path.as_uri(),
            AIRFLOW_VAR_HOTMART_SUBDOMAINS=",".join(names),
        )
        check_parsed(run, example)
        users = [
            {"subdomain": name, **row} for name in names for row in hotmart.truth_rows("club/users", subdomain=name)
        ]
        assert as_texts(written(tmp_path, "club_users")) == as_texts(users) != []
        lessons = [
            {"subdomain": user["subdomain"], "user_id": user["user_id"], **row}
            for user in users
            for row in hotmart.truth_rows(
                "club/users/:user_id/lessons", subdomain=user["subdomain"], user_id=user["user_id"]
            )
        ]
        assert as_texts(written(tmp_path, "club_lessons")) == as_texts(lessons) != []
        modules = {row["module_id"] for row in written(tmp_path, "club_modules")}
        assert {row["module_id"] for row in written(tmp_path, "club_pages")} == modules


def test_the_example_of_the_last_days_replaces_what_has_changed(airflow: ThrowawayAirflow, tmp_path: Path) -> None:
    example = "hotmart_last_days_anew"
    # On the schedule: there Airflow 2 and 3 agree on the data interval of a run by hand.
    scheduled = datetime.combine(NOW.date(), datetime.min.time(), UTC) - timedelta(hours=16)
    job = {"dag_id": example, "logical_date": scheduled.isoformat(), "conf": {"days": 3}}
    last = scheduled.astimezone(SAO_PAULO).date()
    days = [last - timedelta(days=back) for back in (1, 2, 3)]
    with small_hotmart(sales=400, clock=Clock(frozen=NOW)) as hotmart:
        for round_ in range(2):
            run = airflow.run(
                ROOT / "dags_examples" / f"{example}.py",
                job,
                connections={"hotmart_default": connection(hotmart)},
                AIRFLOW_VAR_HOTMART_DESTINATION=tmp_path.as_uri(),
            )
            check_parsed(run, example)
            folder = tmp_path / "sales_by_day"
            assert sorted(path.name for path in folder.iterdir()) == sorted(f"{day}.jsonl.gz" for day in days)
            for day in days:
                midnight = datetime(day.year, day.month, day.day, tzinfo=SAO_PAULO)
                window = {"start_date": midnight, "end_date": midnight + timedelta(days=1)}
                rows = read(folder / f"{day}.jsonl.gz")
                assert as_texts(rows) == as_texts(hotmart.truth_rows("sales/history", **window)) != []
            if round_ == 0:
                hotmart.move(rows[0]["purchase"]["transaction"], "REFUNDED")
