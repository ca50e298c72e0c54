"""Every endpoint has its fields on one page."""

from __future__ import annotations

import re

from airflow_provider_hotmart.api.endpoints import ENDPOINTS
from tests.docs.pages import pages


def test_the_fields_of_every_endpoint_are_on_a_page() -> None:
    texts = [page.read_text(encoding="utf-8") for page in pages()]
    named = [name for text in texts for name in re.findall(r"^```\{fields\} (\w+)\n```$", text, re.MULTILINE)]
    assert sorted(named) == sorted(ENDPOINTS)
