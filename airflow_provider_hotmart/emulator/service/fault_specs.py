"""Faults as words on a command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_hotmart.emulator.service.faults import ROW_EDITS, Fault


@dataclass(frozen=True)
class FaultSpec:
    """
    A fault and when it is played.

    :param fault: what goes wrong
    :param when: keyword arguments of ``Faults.add``
    """

    fault: Fault
    when: dict[str, Any]


def _status(code: str, body: str = "json") -> Fault:
    return Fault.status(int(code), body)


def _cut_short(how: str = "") -> Fault:
    if how not in ("", "chunked"):
        raise ValueError(f'cut_short takes "chunked" or nothing, not {how!r}')
    return Fault.cut_short(chunked=how == "chunked")


def _repeated_token(which: str = "") -> Fault:
    if which not in ("", "first"):
        raise ValueError(f'repeated_token takes "first" or nothing, not {which!r}')
    return Fault.repeated_token(first=which == "first")


def _row(kind: str, at: str = "0") -> Fault:
    if kind not in ROW_EDITS:
        raise ValueError(f"there is no row {kind!r}")
    return Fault.row(ROW_EDITS[kind], int(at))


def _body(text: str, status: str = "200") -> Fault:
    return Fault.body(text.encode(), int(status))


#: Name: how it is made from its arguments, how it is written, what it does.
_FAULTS: dict[str, tuple[Callable[..., Fault], str, str]] = {
    "status": (_status, "status:CODE[:json|html|empty]", "another status"),
    "html": (Fault.html, "html", "a firewall's page with status 200"),
    "empty": (Fault.empty, "empty", "status 200 without a body"),
    "redirect": (Fault.redirect, "redirect", "a redirect to a documentation page"),
    "cut_short": (_cut_short, "cut_short[:chunked]", "the connection ends before the answer does"),
    "truncated_json": (Fault.truncated_json, "truncated_json", "the JSON text ends in the middle"),
    "not_object": (Fault.not_object, "not_object", "a JSON list in place of an object"),
    "reset": (Fault.reset, "reset", "the connection is torn down"),
    "stall": (lambda seconds: Fault.stall(float(seconds)), "stall:SECONDS", "silence, then the answer"),
    "expired_token": (Fault.expired_token, "expired_token", "the token expires"),
    "invalid_token": (Fault.invalid_token, "invalid_token", "the token is called invalid"),
    "repeated_token": (_repeated_token, "repeated_token[:first]", "the next page is the same, or the first"),
    "empty_page": (Fault.empty_page, "empty_page", "a page without items before the true one"),
    "shift": (
        lambda rows: Fault.shift(int(rows)),
        "shift:ROWS",
        "rows appear (or, negative, vanish) in front",
    ),
    "wrong_total": (
        lambda delta: Fault.wrong_total(int(delta)),
        "wrong_total:DELTA",
        "a wrong number of rows",
    ),
    "garbled_items": (Fault.garbled_items, "garbled_items", "the items are no list"),
    "row": (_row, f"row:{'|'.join(ROW_EDITS)}", "a wrong row on the page"),
    "huge_total": (Fault.huge_total, "huge_total", "a hundred thousand million rows"),
    "endless": (Fault.endless, "endless", "the last page comes again under another token"),
    "body": (_body, "body:TEXT[:STATUS]", "any text"),
    "gzip_bomb": (Fault.gzip_bomb, "gzip_bomb", "600 kB that unpack to more than 600 MB"),
    "club_error": (Fault.club_error, "club_error", "a 404 in the form of the members' area"),
}


def parse_fault(text: str) -> FaultSpec:
    """
    Read a fault; ``ValueError`` if it is none.

    :param text: NAME[:ARGUMENT…][@key=value,…], for instance status:503@page=2,times=3
    """
    what, _, when = text.partition("@")
    name, *arguments = what.split(":")
    if name not in _FAULTS:
        raise ValueError(f"no such fault: {name}; there are {', '.join(_FAULTS)}")
    make, form, _ = _FAULTS[name]
    try:
        fault = make(*arguments)
    except (TypeError, ValueError) as problem:
        raise ValueError(f"{what} is not {form}: {problem}") from problem
    return FaultSpec(fault, dict(_condition(part) for part in when.split(",") if part))


def _condition(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    if name == "path" and value:
        return name, value
    if name == "last_page" and value in ("", "true"):
        return name, True
    if name == "times" and value == "always":
        return name, None
    if name in ("times", "page", "after") and value.isdecimal():
        return name, int(value)
    raise ValueError(f"not a condition of a fault: {text}")


def fault_help() -> str:
    """Explain all faults, as a part of ``--help``."""
    lines = ["faults, written NAME[:ARGUMENT][@CONDITION,...], for instance status:503@page=2,times=3:"]
    lines.extend(f"  {form:30} {meaning}" for _, form, meaning in _FAULTS.values())
    lines.append("conditions: times=N|always (default 1), path=PART, page=N, after=N (let N calls through), last_page")
    lines.append("            without a path, all calls but those for a token")
    return "\n".join(lines)
