"""What is asked for, as requests: one for each status, value and piece of a window that needs calls of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from airflow_provider_hotmart.api.endpoint import Endpoint
from airflow_provider_hotmart.api.errors import unexpected_form
from airflow_provider_hotmart.api.filters import Query
from airflow_provider_hotmart.api.rows import select_for
from airflow_provider_hotmart.api.windows import Window


@dataclass(frozen=True)
class Request:
    """
    One part of a listing.

    :param path: below the base URL, placeholders filled in.
    :param params: Hotmart's parameters, without those of window and page.
    :param window: of dates; None: without.
    :param status: the status that is asked for; None: any.
    :param may_be_refused: whether a 400 that says that a value is invalid is an answer like others.
    :param may_be_missing: whether a 404 is.
    :param stamp: what records say of what was asked for.
    :param endpoint: whose path it is; None: that of the listing.
    """

    path: str
    params: Mapping[str, str]
    window: Window | None = None
    status: str | None = None
    may_be_refused: bool = False
    may_be_missing: bool = False
    stamp: Mapping[str, Any] = field(default_factory=dict)
    endpoint: Endpoint | None = None


def requests_of(query: Query, target: Mapping[str, str], status: str | None, select: tuple[str, ...]) -> list[Request]:
    """
    Make the requests for one status and one combination of values.

    :param target: parameters and placeholders with their values.
    :param status: None: any.
    :param select: the paths to ask Hotmart for.
    """
    endpoint = query.endpoint
    windows: list[Window] | list[None] = [None] if query.window is None else query.window.pieces()
    params = {**query.params, **target}
    if status is not None and endpoint.status is not None:
        params[endpoint.filter(endpoint.status).sent_as] = status
    if query.select and endpoint.takes_select:
        params["select"] = select_for(endpoint, select, _needed(query))
    stamps = [one for one in endpoint.stamps if one.sent_as in target]
    stamp = {one.name: int(target[one.sent_as]) if one.kind == "id" else target[one.sent_as] for one in stamps}
    in_path = {one.sent_as: quote(params.pop(one.sent_as), safe="") for one in stamps if one.in_path}
    may_be_refused = endpoint.none_is_refused or any(pair.is_end_unsure for pair, _ in query.ranges)
    request = Request(
        (query.path or endpoint.path).format(**in_path),
        params,
        status=status,
        may_be_refused=may_be_refused or status in endpoint.refusable,
        may_be_missing=query.found is not None,
        stamp=stamp,
    )
    return [replace(request, window=window) for window in windows]


def _needed(query: Query) -> list[str]:
    """Give the paths that are looked at here, whether they were selected or not."""
    if query.endpoint.records_in is None:
        return [*query.kept, *query.between]
    prefix = f"{query.endpoint.records_in}."
    in_list = next(column.path for column in query.endpoint.columns if column.path.startswith(prefix))
    return [prefix + key for key in query.kept] or [in_list]


def values_found(query: Query, records: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """
    Find values of a filter that nobody gave in the records of another endpoint.

    :raises HotmartResponseError: when a record lacks the value.
    """
    one = query.found
    if one is None or one.found_by is None:
        return
    for record in records:
        column = one.found_by.column
        value = record.get(column)
        if value in (None, ""):
            raise unexpected_form(f"a row has no {column}", one.found_by.endpoint.path)
        if not one.found_by.only or record.get(one.found_by.only):
            yield {one.sent_as: str(value), **{name: str(record[name]) for name in one.found_by.along}}
