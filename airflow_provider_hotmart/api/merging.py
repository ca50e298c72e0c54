"""One row of what comes in several answers: the same one twice, or parts that are added up."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from msgspec import Raw

from airflow_provider_hotmart.api.endpoint import Endpoint
from airflow_provider_hotmart.api.filters import Query
from airflow_provider_hotmart.api.json_text import decode, encode
from airflow_provider_hotmart.api.pagination import Answer
from airflow_provider_hotmart.api.request import Request
from airflow_provider_hotmart.api.rows import at, identity


def without_repetition(query: Query, answers: Iterator[Answer]) -> Iterator[Answer]:
    """Give a row once that comes for several values of a filter, because it moved from one to the other."""
    found: set[Hashable] = set()
    stamped = {one.sent_as for one in query.endpoint.stamps}
    several = any(len(values) > 1 for name, values in query.fan_out.items() if name not in stamped)
    for answer in answers:
        yield once(query.endpoint, answer, found) if several else answer


def once(endpoint: Endpoint, answer: Answer, found: set[Hashable]) -> Answer:
    """
    Leave out of an answer what was found before.

    :param found: what tells the rows of earlier answers from others; those of this one are added.
    """
    stamp = tuple(answer.request.stamp.values())
    keys = [(stamp, identity(endpoint, row)) for row in answer.rows]
    # Two rows of one identity in one answer are two rows.
    fresh = [row for key, row in zip(keys, answer.rows, strict=True) if key not in found]
    found.update(keys)
    return replace(answer, rows=fresh)


def added_up(endpoint: Endpoint, answers: Iterable[Answer]) -> Iterator[Answer]:
    """Make one row of the rows of one identity, which the parts of a listing have each."""
    rows: dict[Hashable, list[Any]] = {}
    request: Request | None = None
    for answer in answers:
        request = answer.request
        for row in answer.rows:
            rows.setdefault(identity(endpoint, row), []).append(row)
    if request is not None:
        yield Answer(request, [_sum(endpoint, parts) for parts in rows.values()])


def _sum(endpoint: Endpoint, rows: Sequence[Raw]) -> Raw:
    """Make one row of the parts of it: its numbers are added up, without the errors of binary fractions."""
    if len(rows) == 1:
        return rows[0]
    total = decode(rows[0])
    for path in endpoint.sums:
        *parents, name = path.split(".")
        values = [at(decode(row), path) for row in rows]
        target = total
        for parent in parents:
            target = target.get(parent) if isinstance(target, dict) else None
        numbers = [value for value in values if isinstance(value, (int, float))]
        if isinstance(target, dict) and numbers:
            summed = sum((Decimal(str(number)) for number in numbers), Decimal())
            target[name] = int(summed) if all(isinstance(number, int) for number in numbers) else float(summed)
    return Raw(encode(total))
