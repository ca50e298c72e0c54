"""JSON in and out: through msgspec where it is installed (Airflow brings it), else through the standard library."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

try:
    import msgspec
except ImportError:
    HAVE_MSGSPEC = False
else:
    HAVE_MSGSPEC = True

_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_ascii_encoder = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))


def _dumps_with_json(value: Any) -> bytes:
    """Encode with the standard library."""
    try:
        return _encoder.encode(value).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can say and UTF-8 cannot
        return _ascii_encoder.encode(value).encode()


def _lines_with_json(values: Sequence[Any]) -> bytes:
    """Encode line by line with the standard library."""
    found = bytearray()
    for value in values:
        found += _dumps_with_json(value)
        found += b"\n"
    return bytes(found)


def _loads_with_msgspec(raw: bytes) -> Any:
    """Decode with msgspec, and with the standard library what only that understands (huge numbers, lone surrogates)."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return json.loads(raw)


def _dumps_with_msgspec(value: Any) -> bytes:
    """Encode with msgspec, and with the standard library what only that can say."""
    try:
        return _msgspec_encode(value)
    except (UnicodeEncodeError, OverflowError):
        return _dumps_with_json(value)


def _lines_with_msgspec(values: Sequence[Any]) -> bytes:
    """Encode line by line with msgspec, and with the standard library what only that can say."""
    try:
        return _msgspec_lines(values)
    except (UnicodeEncodeError, OverflowError):
        return b"".join([_dumps_with_msgspec(value) + b"\n" for value in values])


#: ``loads(raw)``: decode UTF-8 JSON; raises ValueError when it is not.
loads: Callable[[bytes], Any]
#: ``dumps(value)``: compact UTF-8 JSON, the same bytes whichever library writes them, very large and very small
#: fractions excepted (``1e16`` and ``1e+16``), and what is no JSON: infinity and not-a-number.
dumps: Callable[[Any], bytes]
#: ``lines(values)``: what ``dumps`` gives for each value, a newline behind each.
lines: Callable[[Sequence[Any]], bytes]

if HAVE_MSGSPEC:
    _msgspec_encode, _msgspec_lines = msgspec.json.Encoder().encode, msgspec.json.Encoder().encode_lines
    loads, dumps, lines = _loads_with_msgspec, _dumps_with_msgspec, _lines_with_msgspec
else:
    loads, dumps, lines = json.loads, _dumps_with_json, _lines_with_json
