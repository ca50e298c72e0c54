"""What becomes of records on their way out: people's data under control, and columns where they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from airflow_provider_hotmart.api.endpoint import Column, Endpoint
from airflow_provider_hotmart.api.filters import Query
from airflow_provider_hotmart.api.flat import FlatColumn, Flattener, Row, places_of
from airflow_provider_hotmart.api.json_text import json_lines
from airflow_provider_hotmart.api.personal import People
from airflow_provider_hotmart.api.rows import Record, objects


class Shape:
    """
    The shape of the records of one listing.

    :param query: that they were listed by.
    :param parts: what is joined with each of them, by the name that it has there.
    :param hides: whether people's data is hidden.
    :param key: makes pseudonyms of it; None: it is dropped.
    :param ucode_key: makes pseudonyms of Hotmart's codes of people; None: they are kept.
    :param is_flat: whether records are written as rows of columns.
    """

    def __init__(
        self,
        query: Query,
        parts: Mapping[str, Endpoint] | None = None,
        *,
        hides: bool = False,
        key: str | None = None,
        ucode_key: str | None = None,
        is_flat: bool = False,
    ) -> None:
        endpoint, parts = query.endpoint, parts or {}
        # In the order in which a record has them.
        own = sorted([*_asked(endpoint), *_columns(endpoint)], key=lambda column: column.path != "transaction")
        self._people: People | None = None
        if hides:
            nested = [
                replace(column, path=f"{name}.{column.path}") for name, part in parts.items() for column in part.columns
            ]
            self._people = People([*own, *nested], key, ucode_key)
        selected = {path.removeprefix(f"{endpoint.records_in}.") for path in query.select}
        selected |= {one.name for one in endpoint.stamps} if selected else set()
        has_key = not selected or all(_is_in(path, selected) for path in endpoint.record_key)
        self._key = endpoint.record_key if has_key else []
        self._flattener: Flattener | None = None
        if is_flat:
            columns = [*own, *(Column(name, "json") for name in parts)]
            self._flattener = Flattener(columns, endpoint.record_key)

    @property
    def columns(self) -> list[FlatColumn] | None:
        """The columns of a row; None: records keep Hotmart's own shape."""
        return None if self._flattener is None else self._flattener.columns

    @property
    def primary_key(self) -> list[str]:
        """Columns, or dot paths, that tell one record from another; empty where ``select`` left some of them out."""
        return self._flattener.primary_key if self._flattener is not None and self._key else list(self._key)

    def write(self, records: Sequence[Record], places: Iterable[int | None] | None = None) -> bytes | list[Row]:
        """
        Make of records what a file takes: rows, or JSON Lines.

        :param records: of one answer.
        :param places: of these records, where they are not all of an answer; see :func:`~.flat.places_of`.
        """
        if self._flattener is None and self._people is None:
            return json_lines(records)
        exact = self._hidden(objects(records, Decimal))
        if self._flattener is None:
            return b"".join(json_lines([record]) for record in exact)
        # Before they are decoded: that takes away what shows which of them are of one sale.
        where = list(places_of(records) if places is None else places)
        return self._flattener.rows(exact, where)

    def objects(self, records: Sequence[Record]) -> list[dict[str, Any]]:
        """Decode records."""
        return [*self._hidden(objects(records))]

    def _hidden(self, records: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        return records if self._people is None else map(self._people.hide, records)


def _asked(endpoint: Endpoint) -> list[Column]:
    """Give the columns of what records say because it was asked for."""
    status = [] if endpoint.status_key is None else [Column(endpoint.status_key)]
    return [*(Column(one.name, "integer" if one.kind == "id" else "text") for one in endpoint.stamps), *status]


def _columns(endpoint: Endpoint) -> list[Column]:
    """Give the columns of a record."""
    prefix = f"{endpoint.records_in}."
    stamped = {one.path for one in _asked(endpoint)}
    columns = [replace(one, path=one.path.removeprefix(prefix)) for one in endpoint.columns]
    return [one for one in columns if one.path not in stamped]


def _is_in(path: str, selected: Iterable[str]) -> bool:
    return any(path == one or path.startswith(f"{one}.") for one in selected)
