"""Hotmart's own words."""

from __future__ import annotations

import pytest

from airflow_provider_hotmart.api import enums
from airflow_provider_hotmart.api.enums import PORTUGUESE


@pytest.mark.parametrize("word", PORTUGUESE)
def test_a_portuguese_word_stands_for_one_of_hotmarts_that_is_not_called_so_itself(word: str) -> None:
    kinds = [kind for kind in vars(enums).values() if isinstance(kind, type) and kind.__module__ == enums.__name__]
    meant = [kind for kind in kinds if PORTUGUESE[word] in {str(one) for one in kind}]  # type: ignore[attr-defined]
    assert meant
    assert not any(word in {str(one) for one in kind} for kind in meant)  # type: ignore[attr-defined]
    assert word == word.upper().replace(" ", "_")
