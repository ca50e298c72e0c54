"""The pages that explain statuses explain all of them, and put them in their order."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest

from airflow_provider_hotmart.api.enums import SaleStatus
from airflow_provider_hotmart.api.lifecycle import MOVES
from tests.docs.pages import ROOT, blocks_of


@pytest.mark.parametrize("page", ["windows-and-statuses.md", "pt/inicio-rapido.md"])
def test_a_table_of_statuses_has_each_of_them_once(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    [table] = re.findall(r"^\| Status \| \w+ \|\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    named = [name for row in table.splitlines() for name in re.findall(r"[A-Z_]{5,}", row.split("|")[1])]
    assert sorted(named) == sorted(SaleStatus)


def test_the_query_for_a_sale_under_two_statuses_keeps_the_later_one() -> None:
    [query] = [
        block.text for block in blocks_of(ROOT / "docs" / "loading.md", skipped=True) if "ROW_NUMBER()" in block.text
    ]
    moves = [(before, after) for before, targets in MOVES.items() for after in targets]
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute('CREATE TABLE participants ("transaction", product_id, role, user_key, transaction_status)')
        for number, statuses in enumerate(moves):
            for status in (*statuses, *reversed(statuses)):
                database.execute("INSERT INTO participants VALUES (?, 1, 'BUYER', 'u', ?)", (number, status.value))
        found = database.execute(re.sub(r"\btransaction\b", '"transaction"', query)).fetchall()
    assert sorted((number, status) for number, _, _, _, status, _ in found) == [
        (number, after.value) for number, (_, after) in enumerate(moves)
    ]
