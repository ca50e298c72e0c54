"""Records → rows of columns with types, as the table names them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Raw

from airflow_provider_hotmart.api.endpoint import Column
from airflow_provider_hotmart.api.errors import HotmartColumnError
from airflow_provider_hotmart.api.participants import mappings
from airflow_provider_hotmart.api.rows import Record, at
from airflow_provider_hotmart.api.values import CONVERTERS, PRECISION, SCALE, MisfitError, to_json, to_text

#: The column of what the table does not know, as JSON.
OTHER = "other"
#: The column that tells people of a sale apart: their ``ucode``, or ``#n``, their place among those of their role.
USER_KEY = "user_key"
#: Type of a flat column by that of the table.
TYPES = {
    "text": "string",
    "integer": "integer",
    "decimal": "decimal",
    "ratio": "decimal",
    "boolean": "boolean",
    "moment": "timestamp",
    "json": "json",
}
#: The values of one record, in the order of the columns; moments are milliseconds since the epoch.
Row = list[Any]


@dataclass(frozen=True)
class FlatColumn:
    """
    One column.

    :param name: in snake_case.
    :param type: one of the values of ``TYPES``.
    """

    name: str
    type: str


@dataclass(frozen=True)
class _Leaf:
    """
    Where a value goes.

    :param place: of its column.
    :param convert: makes the value of what Hotmart sent.
    :param is_text: whether an empty text is a value; else it stands for none.
    :param is_exact: whether ``convert`` may not change it.
    :param is_needed: whether a row without it is of no use.
    :param first: keys of the first object of a list, and the places of their columns.
    """

    place: int
    convert: Callable[[Any], Any]
    is_text: bool
    is_exact: bool = True
    is_needed: bool = False
    first: tuple[tuple[str, int], ...] = ()


class Flattener:
    """
    Makes rows of records. Nothing is lost: what has no column, or does not fit into it, stands in the last one.

    :param columns: of a record.
    :param key: dot paths that together tell one record from another.
    """

    def __init__(self, columns: Sequence[Column], key: Sequence[str]) -> None:
        self._tree: dict[str, Any] = {}
        self._key = key
        self.columns: list[FlatColumn] = []
        for column in columns:
            self._add(column)
        has_people = any(path.endswith("user.ucode") for path in key)
        self._user_key = self._place(USER_KEY, "string") if has_people else None
        self._other = self._place(OTHER, "json")

    @property
    def primary_key(self) -> list[str]:
        """Names of the columns that together tell one row from another."""
        return [USER_KEY if path.endswith("user.ucode") else flat_name(path) for path in self._key]

    def rows(self, records: Iterable[Mapping[str, Any]], places: Iterable[int | None]) -> list[Row]:
        """
        Make the rows of some records.

        :param records: decoded, numbers that are not whole as ``Decimal``.
        :param places: of :func:`places_of`.
        :raises HotmartColumnError: for an amount of money that its column cannot hold, naming the row.
        """
        return [self._row(record, place) for record, place in zip(records, places, strict=True)]

    def _row(self, record: Mapping[str, Any], place: int | None) -> Row:
        row: Row = [None] * len(self.columns)
        try:
            other = self._fill(self._tree, record, row, "")
        except MisfitError as misfit:
            what, value = misfit.args
            name = ", ".join(f"{path} {at(record, path)!r}" for path in self._key if not path.endswith("ucode"))
            raise HotmartColumnError(
                f"{what}: write JSON Lines in Hotmart's own shape, which take it as it is "
                f"[{_shown(value)}, row of {name}]"
            ) from None
        if other:
            row[self._other] = to_json(other)
        if self._user_key is not None:
            row[self._user_key] = at(record, "user.ucode") or (None if place is None else f"#{place}")
        return row

    def _fill(self, node: Mapping[str, Any], value: Mapping[str, Any], row: Row, path: str) -> dict[str, Any] | None:
        """Put the values of an object where they belong, and return what has no place."""
        other: dict[str, Any] | None = None
        for name, part in value.items():
            target = node.get(name)
            if part is None and target is not None:
                continue
            rest = part
            if type(target) is _Leaf:
                if self._put(target, part, row, f"{path}{name}"):
                    continue
            elif target is not None and type(part) is dict:
                rest = self._fill(target, part, row, f"{path}{name}.")
                if rest is None:
                    continue
            if other is None:
                other = {}
            other[name] = rest
        return other

    def _put(self, leaf: _Leaf, value: Any, row: Row, path: str) -> bool:
        """Put a value into its column, and tell whether all of it is there."""
        if value == "" and not leaf.is_text:
            return True
        try:
            row[leaf.place] = converted = leaf.convert(value)
        except MisfitError:
            if leaf.is_needed:
                kind = self.columns[leaf.place].type
                kind = f"{kind}({PRECISION},{SCALE})" if kind == "decimal" else kind
                raise MisfitError(f"{path} does not fit into {kind}", value) from None
            return False
        if leaf.first and type(value) is list and value and type(value[0]) is dict:
            for key, place in leaf.first:
                first = value[0].get(key)
                row[place] = None if first is None else to_text(first)
        return leaf.is_exact or bool(converted == value)

    def _add(self, column: Column) -> None:
        *parents, name = column.path.split(".")
        node = self._tree
        for parent in parents:
            node = node.setdefault(parent, {})
        place = self._place(flat_name(column.path), TYPES[column.type])
        singular = flat_name(column.path).removesuffix("s")
        node[name] = _Leaf(
            place,
            CONVERTERS[column.type],
            column.type in ("text", "json"),
            is_exact=column.type != "ratio",
            is_needed=column.type == "decimal" or column.path in self._key,
            first=tuple((key, self._place(f"{singular}_{key}", "string")) for key in column.first),
        )

    def _place(self, name: str, type: str) -> int:
        self.columns.append(FlatColumn(name, type))
        return len(self.columns) - 1


def flat_name(path: str) -> str:
    """Name the column of a dot path."""
    return path.replace(".", "_")


def places_of(records: Sequence[Record]) -> Iterator[int | None]:
    """
    Tell of each person in a sale which one of their role it is, from 1 on.

    :param records: of one answer.
    :return: None where that is not to be seen.
    """
    sale: Any = None
    met: Counter[Any] = Counter()
    for record in mappings(records):
        role = record.get("role", record.get("source")) if isinstance(record, dict) else None
        if not isinstance(record, dict) or role is None or "transaction" not in record:
            yield None
            continue
        if record["transaction"] is not sale:
            # The records of one row share its transaction; the same row once more has nobody else in it.
            sale = record["transaction"]
            met.clear()
        word = bytes(role) if isinstance(role, Raw) else role
        met[word] += 1
        yield met[word]


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
