"""JSON in and out, the same with msgspec and with the standard library alone."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_hotmart.api import codec

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_what_is_written_is_read_back(value: Any) -> None:
    assert codec.loads(codec.dumps(value)) == value


@given(values)
def test_both_libraries_write_the_same_bytes(value: Any) -> None:
    assert codec._dumps_with_msgspec(value) == codec._dumps_with_json(value)


@given(st.lists(values, max_size=4))
def test_lines_are_the_values_one_by_one_whichever_library_writes_them(several: list[Any]) -> None:
    expected = b"".join(codec._dumps_with_json(value) + b"\n" for value in several)
    assert codec._lines_with_json(several) == expected
    assert codec._lines_with_msgspec(several) == expected


@given(values, st.booleans())
def test_both_libraries_read_the_same(value: Any, ascii_only: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    assert codec._loads_with_msgspec(raw) == json.loads(raw)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_fractions_survive(value: float) -> None:
    assert math.copysign(1, codec.loads(codec.dumps(value))) == math.copysign(1, value)
    assert codec.loads(codec.dumps(value)) == value


def test_text_is_written_as_utf_8_without_blanks() -> None:
    assert codec.dumps({"name": "João", "ids": [1, 2]}) == '{"name":"João","ids":[1,2]}'.encode()


def test_half_a_surrogate_pair_is_read_and_written() -> None:
    raw = b'{"name":"\\ud83d"}'
    assert codec.loads(raw) == {"name": "\ud83d"}
    assert codec.dumps(codec.loads(raw)) == raw


def test_numbers_of_any_size_are_read_and_written() -> None:
    raw = b"1" * 60
    assert codec.dumps(codec.loads(raw)) == raw


@pytest.mark.parametrize("raw", [b"", b"{", b"<html>", b'{"a":1}x', b"\xff\xfe\xfd", b'"\xe9"', b"{'a': 1}"])
def test_what_is_no_json_is_a_value_error(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        codec.loads(raw)


def test_without_msgspec_the_standard_library_serves() -> None:
    code = (
        "import sys; sys.modules['msgspec'] = None\n"
        "from airflow_provider_hotmart.api import codec\n"
        "assert not codec.HAVE_MSGSPEC\n"
        'print(codec.dumps(codec.loads(b\'{ "a" : [1, "\\\\ud83d"] }\')).decode())'
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == '{"a":[1,"\\ud83d"]}'
