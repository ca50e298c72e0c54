"""The pages that explain statuses explain all of them."""

from __future__ import annotations

import re

import pytest

from airflow_provider_hotmart.api.enums import SaleStatus
from tests.docs.pages import ROOT


@pytest.mark.parametrize("page", ["windows-and-statuses.md", "pt/inicio-rapido.md"])
def test_a_table_of_statuses_has_each_of_them_once(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    [table] = re.findall(r"^\| Status \| \w+ \|\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    named = [name for row in table.splitlines() for name in re.findall(r"[A-Z_]{5,}", row.split("|")[1])]
    assert sorted(named) == sorted(SaleStatus)
