"""What a listing operator says about the file that it wrote, as far as a database has to know."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from airflow_provider_hotmart.api import flat
from airflow_provider_hotmart.api.flat import FlatColumn
from airflow_provider_hotmart.storage import formats

#: Formats of flat files.
FORMATS = frozenset(name for name, _ in formats.FORMATS.values())
#: Types of columns.
TYPES = frozenset(flat.TYPES.values())
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class LoadError(Exception):
    """
    A file cannot be loaded into a table.

    :param message: one sentence that says what to do. It holds no value of any row.
    :param permanent: whether trying again is of no use.
    """

    def __init__(self, message: str, *, permanent: bool = True) -> None:
        super().__init__(message)
        self.permanent = permanent


@dataclass(frozen=True)
class Window:
    """What was listed: from ``start`` to before ``end``."""

    start: Moment
    end: Moment


@dataclass(frozen=True, kw_only=True)
class FileManifest:
    """
    A flat file and what it holds.

    :param uri: URL or absolute path.
    :param conn_id: Airflow connection of the store that it was written with.
    :param records: rows in it, the heading of a CSV file not counted.
    :param sha256: of the file as stored, in hex.
    :param format: one of ``FORMATS``.
    :param compression: ``gzip``; None: none.
    :param columns: in their order.
    :param primary_key: names of the columns that tell rows apart; empty: nothing does.
    :param window: that was listed; None: no window was asked for.
    :param listed_from: when the listing began; rows are of this moment or later.
    :param listed_until: when the listing ended; rows are of this moment or earlier.
    """

    uri: str
    conn_id: str | None = None
    records: int
    sha256: str
    format: str
    compression: Literal["gzip"] | None = None
    columns: tuple[FlatColumn, ...]
    primary_key: tuple[str, ...] = ()
    window: Window | None = None
    listed_from: Moment
    listed_until: Moment

    @property
    def added(self) -> tuple[datetime | None, ...]:
        """What each row carries beside the file's own columns: in which window it was listed, and when."""
        window = (self.window.start, self.window.end) if self.window else (None, None)
        return (*window, self.listed_from, self.listed_until)


def parse_manifests(value: Any) -> list[FileManifest]:
    """
    Read what was given as manifest.

    :param value: a manifest as a listing operator returns it, several of them, or the text of either, which is what
        a template renders to.
    :raises LoadError: when it is none.
    """
    if isinstance(value, str):
        value = _parse_text(value)
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, Iterable):
        raise LoadError(
            f"manifest is of type {type(value).__name__}: give it the output of a listing task that has a destination"
        )
    manifests = [_parse(one) for one in value]
    if not manifests:
        raise LoadError("manifest is an empty list: no file was listed, so there is nothing to load")
    first = manifests[0]
    for other in manifests[1:]:
        if (other.columns, other.primary_key) != (first.columns, first.primary_key):
            raise LoadError(
                f"the files have different columns: load them in tasks of their own [{first.uri!r}, {other.uri!r}]"
            )
    return manifests


def _parse_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return ast.literal_eval(text)  # What Jinja makes of a dictionary.
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise LoadError(
            "manifest is a text that is no JSON: give it the output of a listing task that has a destination"
        ) from None


def _parse(value: Any) -> FileManifest:
    if not isinstance(value, Mapping) or "uri" not in value:
        raise LoadError("manifest is not that of a file: set destination on the listing task, and give its output")
    uri = str(value["uri"])
    if not value.get("columns"):
        raise LoadError(f"the records are nested as Hotmart sends them: list them with flat=True [{uri!r}]")
    try:
        manifest = msgspec.convert(value, FileManifest, strict=False)
    except msgspec.ValidationError as problem:
        raise LoadError(
            f"manifest is not what a listing task returns: give its output as it is [{uri!r}: {problem}]"
        ) from None
    _check(manifest)
    return manifest


def _check(manifest: FileManifest) -> None:
    unknown = [manifest.format] if manifest.format not in FORMATS else []
    unknown += [column.type for column in manifest.columns if column.type not in TYPES]
    names = [column.name for column in manifest.columns]
    unknown += [name for name in manifest.primary_key if name not in names]
    if unknown or len(set(names)) < len(names):
        raise LoadError(
            "manifest says what this version does not know: give the output of a listing task as it is "
            f"[{manifest.uri!r}: {', '.join(unknown) or names}]"
        )
