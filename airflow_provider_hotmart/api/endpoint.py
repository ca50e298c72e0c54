"""What is to be known of an endpoint: its filters, dates, columns, and how its rows come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any


@dataclass(frozen=True)
class Filter:
    """
    One filter of an endpoint.

    :param name: of the argument.
    :param kind: ``text``, ``name`` (text that may hold commas), ``id`` (a whole number), ``uuid``, ``boolean``,
        ``moment`` (the first that counts) or ``word`` (one of ``words``).
    :param words: the values that are known.
    :param is_open: whether Hotmart may take more than those.
    :param several: whether several values may be given; each is asked for in calls of its own.
    :param personal: whether its value is about a person.
    :param parameter: what Hotmart calls it, where that is something else; ``""``: Hotmart does not take it, and it is
        applied to what comes.
    :param selects: the key of a record, or the dot path in a row, that it looks at. Where Hotmart takes the filter
        too, several values are asked for at once and picked from what comes: a row may move from one to another.
    :param in_path: whether it fills the placeholder of its name in the endpoint's path.
    :param stamped: whether records say what was asked for, under its name; whatever is in the path is.
    :param required: whether a value must be given.
    :param defaults: what is asked for where no value is given.
    :param found_by: where values are found if none is given.
    :param path: of the endpoint, where this filter is given.
    :param any_date: whether it names rows whatever their date.
    """

    name: str
    kind: str = "text"
    words: type[StrEnum] | None = None
    is_open: bool = False
    several: bool = False
    personal: bool = False
    parameter: str | None = None
    selects: str = ""
    in_path: bool = False
    stamped: bool = False
    required: bool = False
    defaults: tuple[str, ...] = ()
    found_by: Found | None = None
    path: str = ""
    any_date: bool = False

    @property
    def sent_as(self) -> str:
        """Name of Hotmart's query parameter, or of the placeholder."""
        return self.name if self.parameter is None else self.parameter


@dataclass(frozen=True)
class Found:
    """
    Where the values of a filter are found when none is given: in the rows of another endpoint.

    :param endpoint: the other one.
    :param column: dot path of the value in its rows.
    :param where: filters that it is asked with.
    :param along: filters that both have: they are asked of the other one, whose records say which value they are for.
    :param only: a column that must be true for a row to count.
    """

    endpoint: Endpoint
    column: str
    where: tuple[tuple[str, Any], ...] = ()
    along: tuple[str, ...] = ()
    only: str = ""


@dataclass(frozen=True)
class DateRange:
    """
    A pair of dates that Hotmart filters by, without being known to work as a window that can be cut into smaller ones.

    :param start: name of the argument for the first moment, and Hotmart's name of the parameter.
    :param end: the same for the first moment that no longer counts; ``""``: Hotmart has none.
    :param is_end_unsure: whether Hotmart's end may mean something else; it is sent where the start alone is refused.
    :param column: of a row, to which both ends are applied here as well; empty: Hotmart is trusted.
    :param ahead: whether it looks forward, from now on, where only one end is given.
    """

    start: tuple[str, str]
    end: tuple[str, str]
    is_end_unsure: bool = False
    column: str = ""
    ahead: bool = False


#: Personal values that a pseudonym can stand for, by the last name of their path, and what they are compared as.
_PSEUDONYMS = {
    "email": "email",
    "phone": "phone",
    "cellphone": "phone",
    "document": "document",
    "documents": "document",
    "ticket_qr_code": "code",
}
#: Objects that are people.
_PEOPLE = frozenset({"user", "buyer", "producer", "subscriber", "participant"})


@dataclass(frozen=True)
class Column:
    """
    One value of a row.

    :param path: dot path relative to a row; a list is passed through.
    :param type: ``text``, ``integer``, ``decimal`` (an amount of money), ``ratio`` (any other number), ``boolean``,
        ``moment`` (epoch milliseconds) or ``json``.
    :param personal: whether it is about a person.
    :param optional: whether a row may lack it.
    :param first: of a list of objects, the values of the first one that are columns of their own.
    :param names: of ``json``, all names that objects in it have, at whatever depth.
    """

    path: str
    type: str = "text"
    personal: bool = False
    optional: bool = False
    first: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def pseudonym(self) -> str:
        """What its value is compared as where it is replaced by a pseudonym; empty: it is not replaced, but dropped."""
        return _PSEUDONYMS.get(self.path.rpartition(".")[2], "") if self.personal else ""

    @property
    def is_person(self) -> bool:
        """Whether it is the code that Hotmart gave a person."""
        parent, _, name = self.path.rpartition(".")
        return name == "ucode" and parent.rpartition(".")[2] in _PEOPLE


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
        Hotmart's name of the parameter: a window that can be cut.
    :param ranges: pairs of dates that cannot; the first one counts where none is given.
    :param status: the filter whose values are asked for in the order of a row's life.
    :param ranks: those values in that order; all of a rank are asked for side by side.
    :param default_statuses: asked for where none is given; empty: Hotmart's choice.
    :param refusable: statuses that Hotmart may refuse to know.
    :param status_key: under which a record says the status that was asked for.
    :param records_in: the list in a row whose elements become records of their own.
    :param list_identity: dot paths, relative to such an element, that tell it from others of its row.
    :param sums: dot paths of numbers that are added up where one row comes in several parts.
    :param rows_key: where the rows are in an answer; ``"[]"``: the answer is an array; None: it is the one row.
    :param page_size: rows asked for per page; Hotmart clamps larger values silently. None: it takes neither a size nor
        ``select``, which is applied to what comes.
    :param none_is_refused: whether a 400 that says that a value is invalid means that there are no rows.
    """

    name: str
    path: str
    noun: str
    identity: tuple[str, ...]
    columns: tuple[Column, ...]
    filters: tuple[Filter, ...] = ()
    dates: tuple[tuple[str, str], tuple[str, str]] | None = None
    ranges: tuple[DateRange, ...] = ()
    status: str | None = None
    ranks: tuple[tuple[str, ...], ...] = ()
    default_statuses: tuple[str, ...] = ()
    refusable: tuple[str, ...] = ()
    status_key: str | None = None
    records_in: str | None = None
    list_identity: tuple[str, ...] = ()
    sums: tuple[str, ...] = ()
    rows_key: str | None = "items"
    page_size: int | None = 500
    none_is_refused: bool = False

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of all that can be asked: filters, dates, ``select``."""
        dates = [name for name, _ in self.dates or ()]
        ranges = [name for one in self.ranges for name, _ in (one.start, one.end)]
        return (*(one.name for one in self.filters), *dates, *ranges, "select")

    @property
    def takes_select(self) -> bool:
        """Whether Hotmart takes ``select``."""
        return self.page_size is not None

    @property
    def stamps(self) -> tuple[Filter, ...]:
        """The filters whose values records say."""
        return tuple(one for one in self.filters if one.in_path or one.stamped)

    @property
    def record_key(self) -> list[str]:
        """
        Dot paths in a record whose values together tell one record from another.

        People without a ``ucode`` in one sale are not told apart by it.
        """
        inside = [] if self.records_in is None else [f"{self.records_in}.{one}" for one in self.list_identity]
        paths = [*(one.name for one in self.stamps if one.in_path or one.required), *self.identity, *inside]
        return [path.removeprefix(f"{self.records_in}.") for path in dict.fromkeys(paths)]

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


def columns(text: str, **flags: bool) -> tuple[Column, ...]:
    """
    Read columns written one after the other, ``path:type``; the type of plain text is left out.

    The names in a column of JSON stand in brackets after its type, with commas between them. A mark ``!`` at the end
    says that it is personal, ``?`` that a row may lack it.

    :param flags: of all of them.
    """
    read = []
    for word in text.split():
        path, _, kind = word.rstrip("!?").partition(":")
        kind, _, names = kind.rstrip(")").partition("(")
        personal = flags.get("personal", "!" in word)
        inside = tuple(names.split(",")) if names else ()
        read.append(Column(path, kind or "text", personal, flags.get("optional", "?" in word), names=inside))
    return tuple(read)


def prefixed(prefix: str, made: Iterable[Column]) -> tuple[Column, ...]:
    """Put columns into an object of that name."""
    return tuple(replace(column, path=f"{prefix}{column.path}") for column in made)
