"""From the rows of a page to records: participants of a sale, ``select``, identity."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Raw

from airflow_provider_hotmart.api.endpoint import Endpoint
from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError, unexpected_form
from airflow_provider_hotmart.api.filters import Query
from airflow_provider_hotmart.api.json_text import decode, decode_fields, decode_lines, encode, json_lines
from airflow_provider_hotmart.api.participants import Participant, Sale, participants

#: A row as Hotmart wrote it, or a participant or dictionary whose values are either such raw JSON or decoded.
Record = Raw | Participant | dict[str, Any]

#: Moments below are in seconds: Hotmart documents seconds and sends milliseconds.
FIRST_MILLISECOND = 100_000_000_000
#: Records that are decoded at a time.
CHUNK_RECORDS = 50

_decode_list = msgspec.json.Decoder(list[dict[str, Raw]] | None).decode


class RecordReader:
    """
    Makes records of rows, as a query asks for them.

    What Hotmart sent stays as it is, byte for byte, except where ``select`` or a filter of our own looks at it.

    :param query: whose rows they are.
    """

    def __init__(self, query: Query) -> None:
        self._query = query
        self._list = query.endpoint.records_in
        #: Paths of ``select`` that matched something.
        self.matched: set[str] = set()
        #: Values that were met of each key that is filtered here.
        self.met: set[tuple[str, str]] = set()

    def read(self, rows: Sequence[Any], status: str | None, stamp: Mapping[str, Any] | None = None) -> list[Record]:
        """
        Make the records of some rows.

        :param status: that was asked for; None: any.
        :param stamp: what else was asked for and records say.
        :raises HotmartResponseError: when a row has not the documented form.
        """
        stamp = stamp or {}
        query = self._query
        raw_status = Raw(b"null" if status is None else f'"{status}"'.encode())
        if rows and isinstance(rows[0], Sale):
            return [*participants(rows, raw_status)]
        if self._list is None and (query.kept or query.between):
            rows = [row for row in rows if self._is_kept(decode(row))]
        key = query.endpoint.status_key
        own_status = status if query.select else raw_status  # like the values beside it
        asked = {**({} if key is None else {key: own_status}), **stamp}
        if self._list is None and not query.select and not asked:
            return list(rows)
        return [record for row in rows for record in self._records(row, asked)]

    def check(self, rows_met: bool) -> None:
        """
        Refuse what turned out to select nothing at all.

        :param rows_met: whether there was any row.
        :raises HotmartInvalidRequestError: for a path of ``select`` that no row has and nobody documented.
        """
        if not rows_met:
            return
        for path in self._query.select:
            if path not in self.matched and not self._query.endpoint.knows(path):
                refuse_select(self._query, path)

    def _records(self, row: Raw, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
        """
        Make the records of a row, reduced to what was selected.

        :param asked: what they say because it was asked for.
        """
        select = self._query.select
        content = decode(row) if select else decode_fields(row)
        own = content
        if select:
            self.matched.update(path for path in select if path not in self.matched and _has(content, path.split(".")))
            own = keep(content, select)
        first = {"transaction": own.pop("transaction")} if "transaction" in own else {}
        own = {**first, **asked, **own}
        if self._list is None:
            return [own]
        elements = self._elements(content.get(self._list))
        selected = own.pop(self._list, None)
        parts = (selected or [{}] * len(elements)) if select else elements
        if self._query.kept or self._query.between:
            parts = [part for element, part in zip(elements, parts, strict=True) if self._is_kept(element)]
        return [{**own, **part} for part in parts]

    def _elements(self, found: Any) -> list[dict[str, Any]]:
        """Read the list in a row whose elements become records."""
        if isinstance(found, Raw):
            try:
                return _decode_list(found) or []
            except msgspec.DecodeError:
                found = decode(found)
        if found is None:
            return []
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise unexpected_form(f"{self._list} is no list of objects", self._query.endpoint.path)
        return found

    def _is_kept(self, content: dict[str, Any]) -> bool:
        """Tell whether a row, or an element of the list in one, fulfils the filters that are applied here."""
        for path, values in self._query.kept.items():
            text = at(content, path)
            if isinstance(text, str):
                self.met.add((path, text))
            if text not in values:
                return False
        for path, (start, end) in self._query.between.items():
            moment = at(content, path)
            if isinstance(moment, (int, float)):
                milliseconds = moment if moment >= FIRST_MILLISECOND else moment * 1000
                if milliseconds < start or (end is not None and milliseconds >= end):
                    return False
        return True


def refuse_select(query: Query, path: str) -> None:
    """
    Say that a path of ``select`` matches nothing.

    :raises HotmartInvalidRequestError: always.
    """
    near = [column.path for column in query.endpoint.columns if column.path.endswith(f".{path}")]
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise HotmartInvalidRequestError(
        f"select {path!r} matches nothing in any row{hint}: give dot paths relative to a row, such as "
        f"{','.join(column.path for column in query.endpoint.columns[:3])!r}"
    )


def select_for(endpoint: Endpoint, asked: tuple[str, ...], needed: Iterable[str] = ()) -> str:
    """
    Write the ``select`` to send: what was asked for, and what tells rows apart.

    :param needed: further paths that are looked at here.
    """
    paths = (*endpoint.identity, *needed)
    missing = [path for path in paths if not any(path == one or path.startswith(f"{one}.") for one in asked)]
    return ",".join(dict.fromkeys((*asked, *missing)))


def keep(value: Any, asked: tuple[str, ...]) -> Any:
    """
    Reduce a row to the paths that were asked for, as Hotmart's ``select`` does.

    A field of which nothing is left is left out; in a list an empty object stays, so that lists keep their length.

    :param value: a row, or a part of one.
    :param asked: dot paths relative to it.
    """
    if isinstance(value, list):
        return [keep(one, asked) for one in value]
    if not isinstance(value, dict):
        return {}
    whole = {path for path in asked if "." not in path}
    deeper: dict[str, list[str]] = {}
    for path in asked:
        name, dot, rest = path.partition(".")
        if dot and name not in whole:
            deeper.setdefault(name, []).append(rest)
    kept: dict[str, Any] = {}
    for name, part in value.items():
        if name in whole:
            kept[name] = part
        elif name in deeper:
            inside = keep(part, tuple(deeper[name]))
            if inside:
                kept[name] = inside
    return kept


def identity(endpoint: Endpoint, row: Any) -> tuple[Hashable, ...]:
    """
    Tell a row from others.

    :raises HotmartResponseError: when the row lacks the first value of its identity.
    """
    content = decode(encode(row) if isinstance(row, Sale) else row)
    values = tuple(at(content, path) for path in endpoint.identity)
    if values[0] in (None, ""):
        raise unexpected_form(f"a row has no {endpoint.identity[0]}", endpoint.path)
    return values


def objects(records: Sequence[Record], number: type[float | Decimal] = float) -> Iterator[dict[str, Any]]:
    """
    Decode records, some at a time: of thousands at once, garbage collection takes more time than decoding.

    :param number: what numbers that are not whole become.
    """
    for start in range(0, len(records), CHUNK_RECORDS):
        yield from decode_lines(json_lines(records[start : start + CHUNK_RECORDS]), number)


def joined(row: Raw, parts: Mapping[str, Any]) -> Raw:
    """
    Put more into a row, under names of its own; what is raw passes through byte for byte.

    :param parts: raw, or dictionaries of raw values, or None.
    """
    return Raw(encode({**decode_fields(row), **parts}))


def at(value: Any, path: str) -> Any:
    """Look up the scalar that a dot path leads to; None where there is none."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, Raw):
            value = decode(value)
    return None if isinstance(value, (dict, list)) else value


def _has(value: Any, names: Sequence[str]) -> bool:
    """Tell whether a path leads to anything."""
    if not names:
        return True
    if isinstance(value, list):
        return any(_has(one, names) for one in value)
    return isinstance(value, dict) and names[0] in value and _has(value[names[0]], names[1:])
