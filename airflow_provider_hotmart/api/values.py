"""Values as Hotmart writes them → values of a type, exactly or not at all; and back to text."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any

from airflow_provider_hotmart.api.json_text import encode_whole
from airflow_provider_hotmart.api.rows import FIRST_MILLISECOND

#: Digits of a decimal, and how many of them are decimal places.
PRECISION, SCALE = 38, 10
_PLACES = Decimal(1).scaleb(-SCALE)
_EXACT = Context(prec=PRECISION, traps=[InvalidOperation, Inexact])
_ROUNDED = Context(prec=PRECISION, traps=[InvalidOperation])
_INT64 = 2**63
#: Milliseconds since the epoch of the years 1 and 10,000.
_FIRST_MOMENT, _LAST_MOMENT = -62_135_596_800_000, 253_402_300_800_000


class MisfitError(Exception):
    """A value that its column cannot hold."""


def iso_moment(milliseconds: int) -> str:
    """Write a moment as ISO 8601 in UTC."""
    seconds, rest = divmod(milliseconds, 1000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000)
    return moment.isoformat(timespec="milliseconds" if rest else "seconds")


def to_text(value: Any) -> str:
    """Write a value as text: text as it is, and all else as JSON."""
    return value if type(value) is str else to_json(value)


def to_json(value: Any) -> str:
    """Write a value as text of JSON, with numbers as they are."""
    return encode_whole(value).decode()


def _integer(value: Any) -> int:
    if type(value) is not int:
        try:
            number = int(value) if type(value) in (str, Decimal, float) else None
        except (ValueError, OverflowError):
            number = None
        if number is None or (type(value) is not str and number != value):
            raise MisfitError
        value = number
    if not -_INT64 <= value < _INT64:
        raise MisfitError
    return int(value)


def _number(value: Any) -> Decimal:
    if type(value) is bool or not isinstance(value, (int, float, str, Decimal)):
        raise MisfitError
    try:
        return value if type(value) is Decimal else Decimal(str(value))
    except InvalidOperation:
        raise MisfitError from None


def _decimal(value: Any) -> Decimal:
    number = _number(value)
    try:
        _EXACT.quantize(number, _PLACES)
    except (InvalidOperation, Inexact):
        raise MisfitError from None
    return number


def _ratio(value: Any) -> Decimal:
    """Round what may have more digits than a column: it is no money."""
    number = _number(value)
    try:
        rounded = _ROUNDED.quantize(number, _PLACES)
    except InvalidOperation:
        raise MisfitError from None
    return number if rounded == number else rounded


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise MisfitError
    return value


def _moment(value: Any) -> int:
    number = _integer(value)
    milliseconds = number if abs(number) >= FIRST_MILLISECOND else number * 1000
    if not _FIRST_MOMENT <= milliseconds < _LAST_MOMENT:
        raise MisfitError
    return milliseconds


#: What makes the value of a column of each type of the table.
CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "text": to_text,
    "integer": _integer,
    "decimal": _decimal,
    "ratio": _ratio,
    "boolean": _boolean,
    "moment": _moment,
    "json": to_json,
}
