"""What a DAG author writes for a file: absolute paths and URLs; anything else would land where nobody looks for it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from airflow_provider_hotmart.storage.errors import EXTRAS, StorageError

#: Schemes of the local file system.
LOCAL = frozenset({"file", "local"})
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
#: A URL without its two slashes. One letter in front of the colon is a drive of Windows.
_ALMOST_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/?(?!/)(.*)")
_WINDOWS = re.compile(r"([A-Za-z]):[\\/](.*)")
_HOME = re.compile(r"\$(HOME\b|\{HOME\})")
#: ``None`` as a word: what a template gives whose value is missing.
_NONE = re.compile(r"(?<![A-Za-z0-9])None(?![A-Za-z0-9])")


#: Schemes that only Python's file systems know, and what everybody calls them.
_USUAL = {"s3a": "s3", "gcs": "gs"}


@dataclass(frozen=True)
class Location:
    """
    Where a file is, as other tools take it.

    :param uri: URL without an Airflow connection in it; of a local file its absolute path.
    :param bucket: or container; None: the file is local.
    :param key: of the object in it; None: the file is local.
    :param conn_id: Airflow connection of the store; None: the store's default.
    """

    uri: str
    bucket: str | None = None
    key: str | None = None
    conn_id: str | None = None

    @classmethod
    def of(cls, path: str, conn_id: str | None = None) -> Location:
        """
        Take a path apart.

        :param path: as :func:`checked_path` returns it.
        :param conn_id: Airflow connection of the store, where the path does not name it.
        """
        local = local_path(path)
        if local is not None:
            return cls(local)
        scheme, _, rest = path.partition("://")
        place, _, key = rest.partition("/")
        user, _, bucket = place.rpartition("@")
        return cls(f"{_USUAL.get(scheme, scheme)}://{bucket}/{key}", bucket, key, conn_id or user or None)


def checked_path(value: Any, argument: str) -> str:
    """
    Return the text of a path or URL.

    :param value: text, a path, or an ``ObjectStoragePath``.
    :param argument: the name of the argument that it was given for.
    :raises StorageError: when it is neither an absolute path nor a URL, naming what was probably meant.
    """
    text = str(value) if isinstance(value, (str, PurePath)) or hasattr(value, "protocol") else ""
    if not text:
        raise StorageError(f"{argument} is {value!r}: name a file by its absolute path or its URL")
    objection = _objection_to_rendering(text)
    if objection is None:
        scheme, is_url, rest = text.partition("://")
        objection = _objection_to_url(scheme, rest) if is_url else _objection_to_path(text)
    if objection is not None:
        raise StorageError(f"{argument} {objection} [{text!r}]")
    return text


def local_path(path: str) -> str | None:
    """
    Return the path of a file on the local file system.

    :param path: as :func:`checked_path` returns it.
    :return: None: it is elsewhere.
    """
    scheme, is_url, rest = path.partition("://")
    if not is_url:
        return path
    return rest if scheme in LOCAL else None


def _objection_to_rendering(text: str) -> str | None:
    if not text.strip():
        return "is blank: name a file by its absolute path or its URL, and check the template if there is one"
    if text == "nan" or _NONE.search(text):
        return "is what a template gives when its value is missing: check the template"
    if text != text.strip():
        return f"has blanks around it: write {text.strip()!r}"
    return None


def _objection_to_url(scheme: str, rest: str) -> str | None:
    if not _SCHEME.fullmatch(scheme):
        return f"has no scheme that a URL can have: write '{scheme.lower()}://{rest}'"
    if scheme in LOCAL and not rest.startswith("/"):
        return f"names no absolute path: write '{scheme}:///{rest}'"
    if scheme in EXTRAS and not rest.partition("/")[0].rpartition("@")[2]:
        return f"names no bucket or container: write '{scheme}://bucket/{rest.lstrip('/')}'"
    return None


def _objection_to_path(text: str) -> str | None:
    if match := _WINDOWS.fullmatch(text):
        drive, rest = match.groups()
        meant = f"/mnt/{drive.lower()}/" + rest.replace("\\", "/")
        return f"is a path of Windows: write it as the worker sees it, {meant!r} perhaps"
    if match := _ALMOST_URL.fullmatch(text):
        scheme, rest = match.groups()
        return f"is no URL: write '{scheme}://{'/' if scheme in LOCAL else ''}{rest}'"
    if text.startswith("~"):
        return f"is not expanded: write {str(Path(text).expanduser())!r}" if _expands(text) else "is not expanded"
    if match := _HOME.match(text):
        return f"is not expanded: write {str(Path.home()) + text[match.end() :]!r}"
    if text.startswith("$"):
        return "is not expanded: write the path out, or take it from a template such as '{{ var.value.folder }}'"
    if not os.path.isabs(text):  # noqa: PTH117 - the text matters
        return f"is relative to wherever the worker runs: write '/{text.removeprefix('./')}', or a URL"
    return None


def _expands(text: str) -> bool:
    return os.path.expanduser(text) != text  # noqa: PTH111 - pathlib raises where nobody has that name
