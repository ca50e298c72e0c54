"""People's data: kept, replaced by pseudonyms, or dropped."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from airflow_provider_hotmart.api.endpoint import Column
from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError
from airflow_provider_hotmart.api.filter_values import did_you_mean

#: Values of ``personal_data``.
KEEP, PSEUDONYMIZE, DROP = MODES = ("keep", "pseudonymize", "drop")


def parse_personal_data(value: Any, *, pseudonymize_ucode: bool) -> str:
    """
    Read what is to become of people's data.

    :param value: one of ``MODES``.
    :param pseudonymize_ucode: whether Hotmart's codes of people are replaced as well.
    :raises HotmartInvalidRequestError: naming the value and the valid ones.
    """
    text = str(value).strip().lower()
    if text not in MODES:
        hint = did_you_mean(text, MODES)
        raise HotmartInvalidRequestError(f"personal_data is {value!r}{hint}, expected one of {', '.join(MODES)}")
    if pseudonymize_ucode and text == KEEP:
        raise HotmartInvalidRequestError(
            "pseudonymize_ucode hides people whom personal_data='keep' shows: set that to 'pseudonymize' or 'drop'"
        )
    return text


def normalized(kind: str, value: Any) -> str:
    """
    Write a value in the one way that all ways of writing it have in common.

    :param kind: ``email`` (case and blanks do not count), ``phone`` (digits do), ``document`` (letters and digits do,
        case does not) or ``code`` (blanks do not count).
    :param value: text or number.
    """
    text = unicodedata.normalize("NFKC", str(value))
    if kind == "phone":
        return "".join(one for one in text if one.isdigit())
    if kind == "document":
        return "".join(one for one in text if one.isalnum()).upper()
    text = "".join(text.split())
    return text.casefold() if kind == "email" else text


def pseudonym(key: str, kind: str, value: Any) -> str:
    """
    Make the pseudonym of a value: HMAC-SHA-256 in hex, the same for all ways of writing the value.

    :param key: the secret.
    :param kind: as :func:`normalized` takes it.
    :param value: text or number.
    :return: empty where nothing is left of the value: nobody is nobody's pseudonym.
    """
    text = normalized(kind, value)
    return hmac.new(key.encode(), text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest() if text else ""


#: What becomes of one value: (value, the object that it is in) → new value; _GONE drops it.
_Action = Callable[[Any, Mapping[str, Any]], Any]
_GONE = object()


class People:
    """
    Takes people's data out of records. What the table does not know goes: nobody can tell whether it is about a person.

    :param columns: of a record; a path leads through lists as well.
    :param key: makes pseudonyms; None: what is personal is dropped.
    :param ucode_key: makes pseudonyms of Hotmart's codes of people; None: they are kept.
    """

    def __init__(self, columns: Iterable[Column], key: str | None, ucode_key: str | None = None) -> None:
        self._key = key
        self._ucode_key = ucode_key
        self._tree: dict[str, Any] = {}
        for column in columns:
            *parents, name = column.path.split(".")
            node = self._tree
            for parent in parents:
                node = node.setdefault(parent, {})
            node[name] = self._action(column, name)

    def hide(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return a record without what is personal, or with pseudonyms in its place."""
        hidden: dict[str, Any] = _hidden(self._tree, record)
        return hidden

    def _action(self, column: Column, name: str) -> _Action:
        if column.is_person and self._ucode_key is not None:
            return _replaced(self._ucode_key, "code", name)
        if not column.personal:
            return _kept_names(frozenset(column.names)) if column.type == "json" else _kept_value
        if self._key is None or not column.pseudonym:
            return _dropped
        if column.first:
            return _replaced_in_list(self._key, column.pseudonym)
        return _replaced(self._key, column.pseudonym, name)


def _hidden(node: Mapping[str, Any], value: Any) -> Any:
    if isinstance(value, list):
        found = [_hidden(node, one) for one in value]
        return [one for one in found if one is not _GONE]
    if not isinstance(value, Mapping):
        return None if value is None else _GONE
    hidden = {}
    for name, part in value.items():
        inside = node.get(name)
        if inside is None:
            continue
        left = _hidden(inside, part) if isinstance(inside, dict) else inside(part, value)
        if left is not _GONE:
            hidden[name] = left
    return hidden


def _kept_names(names: frozenset[str]) -> _Action:
    """Keep what has the documented names; nobody can tell what else Hotmart may put there."""

    def keep(value: Any, _: Any = None) -> Any:
        if isinstance(value, list):
            return [keep(one) for one in value]
        if isinstance(value, dict):
            return {name: keep(one) for name, one in value.items() if name in names}
        return value

    return keep


def _kept_value(value: Any, _: Mapping[str, Any]) -> Any:
    """Keep what has the documented form; anything may be in an object where a value was to be."""
    return _GONE if isinstance(value, (dict, list)) else value


def _dropped(_: Any, __: Mapping[str, Any]) -> Any:
    return _GONE


def _replaced(key: str, kind: str, name: str) -> _Action:
    def replace(value: Any, parent: Mapping[str, Any]) -> Any:
        if value is None or value == "":
            return value
        if isinstance(value, (dict, list)):
            return _GONE
        # Where Hotmart has the area code of a phone apart, the number alone is not what it is elsewhere.
        area = parent.get(f"{name}_ddd") if kind == "phone" else None
        return pseudonym(key, kind, value if area in (None, "") else f"{area}{value}")

    return replace


def _replaced_in_list(key: str, kind: str) -> _Action:
    """Replace the ``value`` of each object in a list; its ``type`` is a word of Hotmart's."""
    replace = _replaced(key, kind, "value")

    def replace_all(value: Any, _: Mapping[str, Any]) -> Any:
        return None if value is None else _hidden({"type": _kept_value, "value": replace}, value)

    return replace_all
