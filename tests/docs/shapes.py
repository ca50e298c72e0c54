"""What records, manifests and connections look like, for the examples of them on the pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_hotmart.api.config import HotmartConfig
from airflow_provider_hotmart.get_provider_info import get_provider_info

#: Fields of a connection as JSON, which are Airflow's.
CONNECTION = {"conn_type", "login", "password", "host", "port", "schema", "extra"}


def check_connection(text: str) -> None:
    """See that a connection as JSON is usable."""
    fields = json.loads(text)
    assert set(fields) <= CONNECTION
    assert fields["conn_type"] == "hotmart"
    extra = fields.get("extra") or {}
    assert set(extra) <= set(get_provider_info()["connection-types"][0]["conn-fields"])
    HotmartConfig.from_fields(login=fields["login"], password=fields["password"], host=fields.get("host"), extra=extra)


def kind_of(shown: Mapping[str, Any]) -> str:
    """Tell what an example is an example of."""
    for key, kind in (
        ("conn_type", "connection"),
        ("price_details", "parts"),
        ("role", "record"),
        ("is_subscription", "product"),
        ("since", "found with a file" if "sha256" in shown else "event"),
        ("calls", "manifest"),
    ):
        if key in shown:
            return kind
    raise AssertionError(f"nobody has said what {shown} is an example of")


def same_shape(shown: Any, real: Any, where: str = "") -> None:
    """
    See that an example has the keys and the types of the real thing.

    Of a person an example may leave out fields, as Hotmart does too.
    """
    if real is None or shown is None:
        return
    if not (_is_number(shown) and _is_number(real)):
        assert type(shown) is type(real), f"{where} is {shown!r}, really {real!r}"
    if isinstance(shown, dict):
        if where.rpartition(".")[2] in ("user", "address"):
            assert set(shown) <= set(real), f"{where} has {set(shown) - set(real)}, which is never there"
        else:
            assert set(shown) == set(real), f"{where} differs in {set(shown) ^ set(real)}"
        for key in shown:
            same_shape(shown[key], real[key], f"{where}.{key}")
    if isinstance(shown, list) and real:
        for one in shown:
            same_shape(one, real[0], where)


def _is_number(value: Any) -> bool:
    """Money is a whole number or not, whichever it happens to be."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
