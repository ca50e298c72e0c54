"""Sales and products as JSON texts."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_hotmart.emulator.account.rows import participants
from airflow_provider_hotmart.emulator.account.sale import Sale

#: Sales whose text is kept; at about 1.3 kB each.
KEPT = 50_000

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|\{\}|\[\]|[{}\[\],:]', re.DOTALL)

encode_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def encode(value: object) -> bytes:
    """
    Make a JSON text as the service writes it: compact, in UTF-8.

    :param value: anything that JSON can hold
    """
    return encode_text(value).encode()


def laid_out(text: bytes, layout: str) -> bytes:
    """
    A compact JSON text with white space in it; numbers and strings stay as they are written.

    :param text: need not be complete
    :param layout: "compact", "spaced" or "indented"
    """
    if layout == "compact":
        return text
    if layout == "spaced":
        return _TOKEN.sub(lambda found: found[0] + b" " if found[0] in (b",", b":") else found[0], text)
    depth = 0

    def put(found: re.Match[bytes]) -> bytes:
        nonlocal depth
        token = found[0]
        if token == b":":
            return b": "
        if token == b",":
            return b",\n" + b"  " * depth
        if token in (b"{", b"["):
            depth += 1
            return token + b"\n" + b"  " * depth
        if token in (b"}", b"]"):
            depth -= 1
            return b"\n" + b"  " * depth + token
        return token

    return _TOKEN.sub(put, text)


def shuffled(value: Any, rng: random.Random) -> Any:
    """
    Give the same value with the keys of all its objects in another order.

    :param value: a JSON value
    :param rng: decides the order
    """
    if isinstance(value, Mapping):
        keys = list(value)
        rng.shuffle(keys)
        return {key: shuffled(value[key], rng) for key in keys}
    if isinstance(value, list):
        return [shuffled(part, rng) for part in value]
    return value


def picked(value: Any, paths: Sequence[Sequence[str]]) -> Any:
    """
    Give the parts of an item that ``select`` names; None when there are none.

    :param value: an item or a part of one
    :param paths: each the keys from the outside in
    """
    if isinstance(value, list):
        parts = [part for part in (picked(each, paths) for each in value) if part is not None]
        return parts or None
    if not isinstance(value, Mapping):
        return None
    found: dict[str, Any] = {}
    for key, inner in value.items():
        inside = [path[1:] for path in paths if path[0] == key]
        if any(not path for path in inside):
            found[key] = inner
        elif inside:
            part = picked(inner, inside)
            if part is not None:
                found[key] = part
    return found or None


class SaleTexts:
    """Texts of whole sales. Those made first are kept: one listing is often asked for again and again."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, str], bytes] = {}

    def of(self, sales: Iterable[Sale], missing: str) -> list[bytes]:
        """
        Give the text of each sale.

        :param sales: in the order of the page
        :param missing: how a value that is not there looks
        """
        texts: list[bytes] = []
        for sale in sales:
            text = self._kept.get((sale.index, missing))
            if text is None:
                text = encode(participants(sale))
                if len(self._kept) < KEPT:
                    self._kept[sale.index, missing] = text
            texts.append(text)
        return texts
