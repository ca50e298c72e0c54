"""One value of a filter, as a DAG author writes it or a template renders it → the texts to ask for. Pure."""

from __future__ import annotations

import ast
import difflib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from airflow_provider_hotmart.api.endpoint import Filter
from airflow_provider_hotmart.api.enums import PORTUGUESE
from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError

#: ``transaction_status="ALL"``.
ALL = "ALL"
_UUID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
#: What can stand in a path without leading elsewhere.
_PATH_PART = re.compile("[A-Za-z0-9_~-][A-Za-z0-9._~-]*")
#: Texts that a template gives which has no value, exactly as rendered: "Null" is a surname.
_NO_VALUE = frozenset({"None", "nan", "NaT", "<NA>"})


def parse_filter(one: Filter, value: Any, extra: tuple[str, ...] = ()) -> tuple[str, ...]:
    """
    Read the value of one filter as Hotmart takes it.

    :param extra: words that are known beside those of the table.
    :raises HotmartInvalidRequestError: naming value (never a personal one), rule and remedy.
    """
    if one.kind == "id":
        values = _ids(value, one.name)
    elif one.kind == "boolean":
        values = _booleans(value, one.name)
    elif one.several or one.kind == "word":
        values = parse_texts(value, one.name, split=not one.personal and one.kind != "name")
    else:
        values = (_text(value, one),)
    if one.kind == "uuid" or one.in_path:
        for text in values:
            _check_path_part(text, one)
    if one.words is not None:
        values = tuple(dict.fromkeys(_word(text, one, extra) for text in values))
    if not one.several and len(values) > 1:
        raise HotmartInvalidRequestError(f"{one.name} takes one value: leave out all but one of {len(values)}")
    return values


def parse_undeclared(path: str, params: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """
    Give path and query of an endpoint that nobody has declared, as they are sent.

    :param params: None leaves a parameter out, a list repeats it; booleans are written as in JSON.
    :raises HotmartInvalidRequestError: when a query is part of the path, which shows in logs and errors.
    """
    if set(path) & set("?#"):
        raise HotmartInvalidRequestError("The path holds a query: give it as params, which do not show in logs")
    return "/" + path.lstrip("/"), {name: _sent_as(value) for name, value in params.items() if value is not None}


def _sent_as(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_sent_as(one) for one in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def parse_texts(value: Any, name: str, *, split: bool = True) -> tuple[str, ...]:
    """
    Read an argument that takes one text or several, each of them once.

    :param value: text, also with commas or written as a list (templates render to text), or an iterable of texts.
    :param split: whether a comma separates values.
    """
    values = _several(value, name)
    for one in values:
        if not isinstance(one, str):
            raise HotmartInvalidRequestError(f"{name} is {one!r}, expected text")
    parts = [part.strip() for one in values for part in (one.split(",") if split else [one])]
    for part in parts:
        _check_value(part, name)
    return tuple(dict.fromkeys(parts))


def _several(value: Any, name: str) -> list[Any]:
    if isinstance(value, str):
        value = _listed(value.strip(), name)
    values = list(value) if isinstance(value, Iterable) and not isinstance(value, (str, bytes, dict)) else [value]
    if isinstance(value, (set, frozenset)):
        values.sort(key=str)
    if not values:
        raise HotmartInvalidRequestError(
            f"{name} is an empty list: give at least one value, or None to leave the filter out and select everything"
        )
    for one in values:
        if isinstance(one, (list, tuple, set, dict)):
            raise HotmartInvalidRequestError(f"{name} is {value!r}, expected one value, or a flat list of several")
        _check_value("" if one is None else str(one), name)
    return list(dict.fromkeys(values))


def _check_value(text: str, name: str) -> None:
    """Refuse what a template gives that has no value: it would select nothing, or everything."""
    if text in _NO_VALUE:
        raise HotmartInvalidRequestError(
            f"{name} is the text {text!r}: correct its template, which has no value, or pass None to leave it out"
        )
    if not text.strip():
        raise HotmartInvalidRequestError(
            f"{name} is empty: give a value, or None to leave the filter out and select everything"
        )


def _listed(text: str, name: str) -> Any:
    if not (text.startswith(("[", "(", "{")) and text.endswith(("]", ")", "}"))):
        return text
    for read in (json.loads, ast.literal_eval):
        try:
            return list(read(text))
        except (ValueError, SyntaxError, TypeError):
            continue
    raise HotmartInvalidRequestError(f"{name} is no readable list: write it like ['one', 'two'] [{text!r}]")


def _text(value: Any, one: Filter) -> str:
    """Read an argument that takes one text. A personal value does not show in errors."""
    if not isinstance(value, str):
        raise HotmartInvalidRequestError(f"{one.name} is a {type(value).__name__}, expected one text")
    _check_value(value, one.name)
    return value


def _ids(value: Any, name: str) -> tuple[str, ...]:
    values = _several(value, name)
    if any(isinstance(one, str) and "," in one for one in values):
        values = list(parse_texts(value, name))
    for one in values:
        text = str(one).strip()
        if isinstance(one, (bool, float)) or not (text.isascii() and text.isdigit()):
            raise HotmartInvalidRequestError(f"{name} is {one!r}, expected a whole number such as 4060000")
    return tuple(dict.fromkeys(str(int(str(one).strip())) for one in values))


def _booleans(value: Any, name: str) -> tuple[str, ...]:
    values = [str(one).strip().lower() for one in _several(value, name)]
    for one in values:
        if one not in ("true", "false"):
            raise HotmartInvalidRequestError(f"{name} is {one!r}, expected True or False")
    return tuple(dict.fromkeys(values))


def parse_boolean(value: Any, name: str) -> bool:
    """
    Read an argument that is true or false, or either as text.

    :raises HotmartInvalidRequestError: naming the value.
    """
    [text] = _booleans(value if isinstance(value, (bool, str)) else str(value), name)
    return text == "true"


def _check_path_part(text: str, one: Filter) -> None:
    """Refuse what Hotmart would answer in its own ways, and what would lead to another path."""
    if one.kind == "uuid" and not _UUID.fullmatch(text):
        what = "a numeric ID" if text.isdigit() else "no ucode"
        raise HotmartInvalidRequestError(
            f"{one.name} {text!r} is {what}: give the product's ucode, such as "
            "'0e1b9e0c-0000-4000-8000-000000000000'; HotmartListProductsOperator lists it"
        )
    if not _PATH_PART.fullmatch(text):
        raise HotmartInvalidRequestError(f"{one.name} {text!r} is no code of Hotmart's: give letters and digits")


def _word(text: str, one: Filter, extra: tuple[str, ...]) -> str:
    """Read one word of a list; of a list that Hotmart may extend, others pass, but near misses do not."""
    word = text.upper()
    valid = [*(str(known) for known in one.words or ()), *extra]
    if word in valid:
        return word
    hint = did_you_mean(word, valid)
    if one.is_open and not hint:
        return word
    raise HotmartInvalidRequestError(f"{one.name} {text!r} is unknown{hint}; expected one of {', '.join(valid)}")


def did_you_mean(word: str, valid: Collection[str]) -> str:
    """
    Ask for the word that was probably meant, in Portuguese too; empty where none is like it.

    :param word: in the case of the valid ones.
    """
    translated = PORTUGUESE.get(word.replace(" ", "_"))
    close = [translated] if translated in valid else difflib.get_close_matches(word, valid, n=1, cutoff=0.75)
    return f" (did you mean {close[0]!r}?)" if close else ""
