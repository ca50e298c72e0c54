"""
Values ↔ the text of JSON.

Half of a surrogate pair, as in somebody's name that was cut short, is something that JSON can say, and neither UTF-8
nor msgspec: the standard library reads it, and it is written as the escape that it came as.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Raw

_decode = msgspec.json.Decoder().decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_lines = {
    float: msgspec.json.Decoder().decode_lines,
    Decimal: msgspec.json.Decoder(float_hook=Decimal).decode_lines,
}
_encoder = msgspec.json.Encoder(decimal_format="number")


def decode(text: bytes | Raw) -> Any:
    """Read a value."""
    try:
        return _decode(text)
    except msgspec.DecodeError:
        return json.loads(bytes(text))


def decode_fields(text: bytes | Raw) -> dict[str, Any]:
    """Read an object, but not the values in it."""
    try:
        return _decode_fields(text)
    except msgspec.DecodeError:
        return dict(decode(text))


def decode_lines(lines: bytes, number: type[float | Decimal] = float) -> list[Any]:
    """
    Read values, one per line.

    :param number: what numbers that are not whole become.
    """
    try:
        return _decode_lines[number](lines)
    except msgspec.DecodeError:
        return [json.loads(line, parse_float=number) for line in lines.splitlines()]


def encode(value: Any) -> bytes:
    """Write a value, with numbers as they are; what is raw passes through byte for byte."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        if isinstance(value, dict):
            return b"{" + b",".join(encode(name) + b":" + encode(one) for name, one in value.items()) + b"}"
        return b"[" + b",".join(map(encode, value)) + b"]" if isinstance(value, list) else json.dumps(value).encode()


def json_lines(values: Sequence[Any]) -> bytes:
    """Write values as JSON Lines: UTF-8, one per line."""
    try:
        return _encoder.encode_lines(values)
    except UnicodeEncodeError:
        return b"".join(encode(value) + b"\n" for value in values)


def encode_whole(value: Any) -> bytes:
    """Write a value as JSON that every reader takes: most of them, databases too, refuse half of a surrogate pair."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return _encoder.encode(_whole(value))


def _whole(value: Any) -> Any:
    """Write half of a surrogate pair as the text of its escape, as other formats have it."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_whole(name): _whole(one) for name, one in value.items()}
    return [*map(_whole, value)] if isinstance(value, list) else value
