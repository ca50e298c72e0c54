"""One row per endpoint: where it is, how large its pages are, what makes a row the same row."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from airflow_provider_hotmart.api.errors import HotmartResponseError


@dataclass(frozen=True)
class Endpoint:
    """
    A listing of Hotmart's.

    :param path: below the base URL.
    :param page_size: rows asked for per page; Hotmart clamps larger values silently.
    :param identity: dot paths, relative to a row, whose values together tell one row from another; the first
        one must be there.
    :param needed: further dot paths that this package reads; with a ``select`` they are asked for as well.
    """

    path: str
    page_size: int
    identity: tuple[str, ...]
    needed: tuple[str, ...] = ()

    def key(self, row: dict[str, Any]) -> Hashable:
        """
        Identity of a row.

        :raises HotmartResponseError: when the row lacks it.
        """
        first = row.get(self.identity[0])
        if not isinstance(first, (str, int)) or first == "":
            raise HotmartResponseError(f"a row of {self.path} has no {self.identity[0]}")
        if not self._further:
            return first
        return (first, *[_at(row, names) for names in self._further])

    @cached_property
    def _further(self) -> list[list[str]]:
        """The names on the way to each value of the identity after the first."""
        return [path.split(".") for path in self.identity[1:]]

    def select(self, asked: tuple[str, ...]) -> str:
        """The ``select`` to send: what was asked for, and what tells rows apart."""
        missing = [path for path in (*self.identity, *self.needed) if not _covered(path, asked)]
        return ",".join((*asked, *missing))


def _at(row: Any, names: list[str]) -> Any:
    for name in names:
        row = row.get(name) if isinstance(row, dict) else None
    return None if isinstance(row, (dict, list)) else row


def _covered(path: str, asked: tuple[str, ...]) -> bool:
    """Whether a path, or something that it lies in, is asked for."""
    return any(path == one or path.startswith(f"{one}.") for one in asked)


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


#: Source: https://developers.hotmart.com/docs/en/v1/product/product-list/.
PRODUCTS = Endpoint("/products/api/v1/products", 500, ("id",))
#: Source: https://developers.hotmart.com/docs/en/v1/sales/sales-users/.
SALES_PARTICIPANTS = Endpoint("/payments/api/v1/sales/users", 500, ("transaction", "product.id"), ("users.role",))
