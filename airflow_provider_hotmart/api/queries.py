"""What is asked for: the filters of a listing, read from what a DAG author writes and checked. Pure."""

from __future__ import annotations

import ast
import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeVar

from airflow_provider_hotmart.api.enums import (
    ParticipantRole,
    ProductStatus,
    SaleStatus,
)
from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError
from airflow_provider_hotmart.api.windows import Window, moment, window_between

#: ``transaction_status="ALL"``.
ALL = "ALL"
#: What Hotmart lists when no status is named; asked for explicitly.
DEFAULT_STATUSES = (SaleStatus.APPROVED, SaleStatus.COMPLETE)
#: Window where no dates are given.
DEFAULT_WINDOW = timedelta(days=30)
#: Hotmart opened in 2011: a sale asked for by its code may be as old as that.
FIRST_SALE = moment("2011-01-01", "start_date")
#: A sale asked for by its code may lie ahead of this machine's clock.
AHEAD = 86400

_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(frozen=True)
class ProductsQuery:
    """
    Filters of a listing of products.

    :param product_ids: IDs; none: all products.
    :param statuses: none: any status.
    :param formats: none: any format.
    :param select: dot paths of the fields to fetch; none: all.
    """

    product_ids: tuple[int, ...] = ()
    statuses: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    select: tuple[str, ...] = ()

    @classmethod
    def build(
        cls, *, product_id: Any = None, status: Any = None, format: Any = None, select: Any = None
    ) -> ProductsQuery:
        """
        Read the filters as a DAG author gives them; see :meth:`.HotmartHook.iter_products`.

        :raises HotmartInvalidRequestError: naming the value, the rule and the remedy.
        """
        return cls(
            product_ids=_ids(product_id, "product_id"),
            statuses=_words(status, ProductStatus, "status"),
            formats=tuple(text.upper() for text in _texts(format, "format")),
            select=_select(select),
        )


@dataclass(frozen=True)
class ParticipantsQuery:
    """
    Filters of a listing of sales participants.

    :param window: when the sales were made.
    :param dated: whether the window was asked for; False: sales are named by their code, whatever their date.
    :param window_given: whether both dates were given.
    :param statuses: in the order of a sale's life; empty: whatever status the named transactions have.
    :param transactions: transaction codes; empty: all sales.
    :param product_ids: product IDs; empty: all products.
    :param params: the other filters, as Hotmart's query parameters.
    :param roles: roles to keep; empty: all.
    :param select: dot paths of the fields to fetch; empty: all.
    """

    window: Window
    dated: bool = True
    window_given: bool = True
    statuses: tuple[str, ...] = ()
    transactions: tuple[str, ...] = ()
    product_ids: tuple[int, ...] = ()
    params: tuple[tuple[str, str], ...] = ()
    roles: frozenset[str] = frozenset()
    select: tuple[str, ...] = ()

    @classmethod
    def build(
        cls,
        *,
        now: float,
        transaction: Any = None,
        transaction_status: Any = None,
        start_date: Any = None,
        end_date: Any = None,
        product_id: Any = None,
        buyer_email: Any = None,
        buyer_name: Any = None,
        sales_source: Any = None,
        affiliate_name: Any = None,
        commission_as: Any = None,
        roles: Any = None,
        select: Any = None,
    ) -> ParticipantsQuery:
        """
        Read the filters as a DAG author gives them; see :meth:`.HotmartHook.iter_sales_participants`.

        :param now: seconds since the epoch.
        :raises HotmartInvalidRequestError: naming the value, the rule and the remedy.
        """
        transactions = _texts(transaction, "transaction")
        statuses = sale_statuses(transaction_status)
        if not statuses and not transactions:
            statuses = DEFAULT_STATUSES
        dated = not transactions or start_date is not None or end_date is not None
        if not dated:
            window, defaulted = Window(FIRST_SALE, int(now) + AHEAD), False
        else:
            window, defaulted = window_between(start_date, end_date, now=now, default=DEFAULT_WINDOW)
        single = {
            "buyer_email": _text(buyer_email, "buyer_email"),
            "buyer_name": _text(buyer_name, "buyer_name"),
            "sales_source": _text(sales_source, "sales_source"),
            "affiliate_name": _text(affiliate_name, "affiliate_name"),
            "commission_as": _commission_as(commission_as),
        }
        return cls(
            window=window,
            dated=dated,
            window_given=not defaulted,
            statuses=statuses,
            transactions=transactions,
            product_ids=_ids(product_id, "product_id"),
            params=tuple((name, value) for name, value in single.items() if value is not None),
            roles=frozenset(_open_words(roles, ParticipantRole, "roles")),
            select=_select(select),
        )


def sale_statuses(value: Any) -> tuple[SaleStatus, ...]:
    """
    Read ``transaction_status``.

    :param value: one status or several, ``"ALL"``, or None.
    :return: in the order of a sale's life, each once; empty for None.
    :raises HotmartInvalidRequestError: for an unknown status, naming the closest and the valid ones.
    """
    texts = [text.upper() for text in _texts(value, "transaction_status")]
    named = [text for text in texts if text != ALL]
    chosen = _known(named, SaleStatus, "transaction_status", also=(ALL,))
    return tuple(status for status in SaleStatus if status in chosen or ALL in texts)


def _several(value: Any, name: str) -> list[Any]:
    """
    Read an argument that takes one value or several, each of them once.

    Templates render to text, so text may hold a list too: ``"['APPROVED', 'COMPLETE']"``.
    """
    if value is None:
        return []
    if isinstance(value, str):
        value = _listed(value.strip(), name)
    values = list(value) if isinstance(value, Iterable) and not isinstance(value, (str, bytes, dict)) else [value]
    if not values or any(one is None or str(one).strip() == "" for one in values):
        raise HotmartInvalidRequestError(
            f"{name} is {'an empty list' if not values else 'empty'}, which would select everything: "
            "give at least one value, or None to leave the filter out"
        )
    if any(isinstance(one, (list, tuple, set, dict)) for one in values):
        raise HotmartInvalidRequestError(f"{name} is {value!r}, expected one value, or a flat list of several")
    return list(dict.fromkeys(values))


def _listed(text: str, name: str) -> Any:
    if not (text.startswith(("[", "(")) and text.endswith(("]", ")"))):
        return text
    for read in (json.loads, ast.literal_eval):
        try:
            return list(read(text))
        except (ValueError, SyntaxError, TypeError):
            continue
    raise HotmartInvalidRequestError(f"{name} is {text!r}, which looks like a list and is not readable as one")


def _texts(value: Any, name: str) -> tuple[str, ...]:
    values = _several(value, name)
    for one in values:
        if not isinstance(one, str):
            raise HotmartInvalidRequestError(f"{name} is {one!r}, expected text")
    parts = [part.strip() for one in values for part in str(one).split(",")]
    if not all(parts):
        raise HotmartInvalidRequestError(f"{name} has an empty value between its commas: {value!r}")
    return tuple(dict.fromkeys(parts))


def _text(value: Any, name: str) -> str | None:
    """Read an argument that takes one text. The value is personal data, so errors do not show it."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise HotmartInvalidRequestError(f"{name} is a {type(value).__name__}, expected one text")
    if not value.strip():
        raise HotmartInvalidRequestError(
            f"{name} is empty, which would select everything: give a value, or None to leave the filter out"
        )
    return value


def _ids(value: Any, name: str) -> tuple[int, ...]:
    values = _several(value, name)
    if any(isinstance(one, str) and "," in one for one in values):
        values = list(_texts(value, name))
    ids = []
    for one in values:
        text = str(one).strip()
        if isinstance(one, (bool, float)) or not (text.isascii() and text.isdigit()):
            raise HotmartInvalidRequestError(f"{name} is {one!r}, expected a whole number such as 4060000")
        ids.append(int(text))
    return tuple(dict.fromkeys(ids))


def _words(value: Any, words: type[_Word], name: str) -> tuple[_Word, ...]:
    return _known([text.upper() for text in _texts(value, name)], words, name)


def _known(texts: Sequence[str], words: type[_Word], name: str, also: tuple[str, ...] = ()) -> tuple[_Word, ...]:
    valid = [str(word) for word in words]
    for text in texts:
        if text not in valid:
            raise HotmartInvalidRequestError(
                f"{name} {text!r} is unknown{_suggestion(text, [*valid, *also])}; "
                f"expected one of {', '.join([*valid, *also])}"
            )
    return tuple(words(text) for text in dict.fromkeys(texts))


def _open_words(value: Any, words: type[StrEnum], name: str) -> tuple[str, ...]:
    """Read words of a list that Hotmart may extend: new ones pass, near misses of known ones do not."""
    texts = tuple(text.upper() for text in _texts(value, name))
    valid = [str(word) for word in words]
    for text in texts:
        suggestion = "" if text in valid else _suggestion(text, valid)
        if suggestion:
            raise HotmartInvalidRequestError(f"{name} {text!r} is unknown{suggestion}; known are {', '.join(valid)}")
    return texts


def _suggestion(text: str, valid: Sequence[str]) -> str:
    close = difflib.get_close_matches(text, valid, n=1, cutoff=0.75)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _commission_as(value: Any) -> str | None:
    roles = (ParticipantRole.PRODUCER, ParticipantRole.COPRODUCER, ParticipantRole.AFFILIATE)
    text = _text(value, "commission_as")
    if text is None or text.strip().upper() in roles:
        return None if text is None else text.strip().upper()
    raise HotmartInvalidRequestError(
        f"commission_as {text!r} is unknown; expected one of {', '.join(roles)} "
        "(the role of the account that asks, not of the people listed)"
    )


def _select(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.strip()
    return _texts(value, "select")
