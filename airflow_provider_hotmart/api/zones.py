"""Time zones by name. Standard library only: Airflow loads this while it parses DAG files."""

from __future__ import annotations

import difflib
from zoneinfo import ZoneInfo, available_timezones


def zone_of(name: str) -> ZoneInfo:
    """
    Find a time zone.

    :param name: IANA name, such as ``America/Sao_Paulo``.
    :raises ValueError: for a name that no zone has, telling the closest one.
    """
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # which of them depends on how wrong the name is
        pass
    known = {zone.lower(): zone for zone in available_timezones()}
    close = difflib.get_close_matches(str(name).strip().replace(" ", "_").lower(), known, n=1)
    hint = f" (did you mean {known[close[0]]!r}?)" if close else ""
    raise ValueError(f"{name!r} is no time zone by its IANA name, such as 'America/Sao_Paulo'{hint}")
