"""THE table: one row per endpoint. What operators, the hook, listings, logs and documentation need to know of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from airflow_provider_hotmart.api.enums import CommissionRole, ParticipantRole, ProductFormat, ProductStatus, SaleStatus


@dataclass(frozen=True)
class Filter:
    """
    One filter of an endpoint.

    :param name: of the argument.
    :param kind: ``text``, ``id`` (a whole number) or ``word`` (one of ``words``).
    :param words: the values that are known.
    :param is_open: whether Hotmart may take more than those.
    :param several: whether several values may be given; each is asked for in calls of its own.
    :param personal: whether its value is about a person.
    :param parameter: what Hotmart calls it, where that is something else; ``""``: Hotmart does not take it, and it is
        applied to what comes.
    :param selects: for such a one, the key of a record that it looks at.
    """

    name: str
    kind: str = "text"
    words: type[StrEnum] | None = None
    is_open: bool = False
    several: bool = False
    personal: bool = False
    parameter: str | None = None
    selects: str = ""

    @property
    def sent_as(self) -> str:
        """Name of Hotmart's query parameter."""
        return self.name if self.parameter is None else self.parameter


@dataclass(frozen=True)
class Column:
    """
    One value of a row.

    :param path: dot path relative to a row; a list is passed through.
    :param type: ``text``, ``integer``, ``decimal``, ``boolean``, ``moment`` (epoch milliseconds) or ``json``.
    :param personal: whether it is about a person.
    :param optional: whether a row may lack it.
    """

    path: str
    type: str = "text"
    personal: bool = False
    optional: bool = False


@dataclass(frozen=True)
class Endpoint:
    """
    A listing of Hotmart's.

    :param name: of the hook's method after ``iter_``.
    :param path: below the base URL, with placeholders in braces.
    :param noun: what its rows are called in logs.
    :param identity: dot paths, relative to a row, whose values together tell one row from another.
    :param columns: of a row.
    :param filters: that it takes, without dates.
    :param dates: names of the arguments for the first moment and the first that no longer counts, each with
        Hotmart's name of the parameter.
    :param status: the filter whose values are asked for in the order of a sale's life.
    :param status_key: under which a record says the status that was asked for.
    :param records_in: the list in a row whose elements become records of their own.
    :param rows_key: where the rows are in an answer; ``"[]"``: the answer is an array; None: it is the one row.
    :param page_size: rows asked for per page; Hotmart clamps larger values silently.
    """

    name: str
    path: str
    noun: str
    identity: tuple[str, ...]
    columns: tuple[Column, ...]
    filters: tuple[Filter, ...] = ()
    dates: tuple[tuple[str, str], tuple[str, str]] | None = None
    status: str | None = None
    status_key: str | None = None
    records_in: str | None = None
    rows_key: str | None = "items"
    page_size: int = 500

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of all that can be asked: filters, dates, ``select``."""
        dates = [name for name, _ in self.dates or ()]
        return (*(one.name for one in self.filters), *dates, "select")

    def filter(self, name: str) -> Filter:
        """Find a filter by its name."""
        return next(one for one in self.filters if one.name == name)

    def knows(self, path: str) -> bool:
        """Tell whether a dot path is a documented one, or leads to one, or into one that may hold anything."""
        return any(
            path == column.path
            or column.path.startswith(f"{path}.")
            or (column.type == "json" and path.startswith(f"{column.path}."))
            for column in self.columns
        )


def columns(text: str, **flags: bool) -> Iterator[Column]:
    """
    Read columns written one after the other, ``path:type``; the type of plain text is left out.

    :param flags: of all of them.
    """
    for word in text.split():
        path, _, kind = word.partition(":")
        yield Column(path, kind or "text", **flags)


def _prefixed(prefix: str, made: Iterable[Column]) -> Iterator[Column]:
    for column in made:
        yield Column(f"{prefix}{column.path}", column.type, column.personal, column.optional)


_ADDRESS = "city zip_code address complement neighborhood number"
_USER = (
    *columns("ucode locale", optional=True),
    *columns("name trade_name cellphone phone email documents:json", personal=True, optional=True),
    *columns("address.country address.state", optional=True),
    *_prefixed("address.", columns(_ADDRESS, personal=True, optional=True)),
)
_SALES_DATES = (("sales_start_date", "start_date"), ("sales_end_date", "end_date"))
_TRANSACTION = Filter("transaction", several=True)
_TRANSACTION_STATUS = Filter("transaction_status", "word", SaleStatus, several=True)
_PRODUCT_ID = Filter("product_id", "id", several=True)
_COMMISSION_AS = Filter("commission_as", "word", CommissionRole)

PRODUCTS = Endpoint(
    # Source: https://developers.hotmart.com/docs/en/v1/product/product-list/.
    name="products",
    path="/products/api/v1/products",
    noun="products",
    identity=("id",),
    columns=tuple(
        columns("id:integer name ucode status created_at:moment format is_subscription:boolean warranty_period:integer")
    ),
    filters=(
        Filter("product_id", "id", several=True, parameter="id"),
        Filter("status", "word", ProductStatus, several=True),
        Filter("format", "word", ProductFormat, is_open=True, several=True),
    ),
)

SALES_PARTICIPANTS = Endpoint(
    # Source: https://developers.hotmart.com/docs/en/v1/sales/sales-users/.
    name="sales_participants",
    path="/payments/api/v1/sales/users",
    noun="sales",
    identity=("transaction", "product.id"),
    columns=(*columns("transaction product.id:integer product.name users.role"), *_prefixed("users.user.", _USER)),
    filters=(
        _TRANSACTION,
        _TRANSACTION_STATUS,
        _PRODUCT_ID,
        Filter("buyer_email", personal=True),
        Filter("buyer_name", personal=True),
        Filter("sales_source"),
        Filter("affiliate_name", personal=True),
        _COMMISSION_AS,
        Filter("roles", "word", ParticipantRole, is_open=True, several=True, parameter="", selects="role"),
    ),
    dates=_SALES_DATES,
    status="transaction_status",
    status_key="transaction_status",
    records_in="users",
)

#: Every endpoint by its name.
ENDPOINTS = {endpoint.name: endpoint for endpoint in (PRODUCTS, SALES_PARTICIPANTS)}
