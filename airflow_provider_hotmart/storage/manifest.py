"""What is told of a written file: to XCom, and to the events of assets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from airflow_provider_hotmart.api.filters import Query
from airflow_provider_hotmart.api.windows import iso
from airflow_provider_hotmart.storage.record_file import WrittenFile


def describe(
    written: WrittenFile, query: Query, primary_key: list[str], timezone: str, listed: tuple[float, float]
) -> dict[str, Any]:
    """
    Write the manifest of a file: where it is, what is in it, and what was asked for, which is nobody's personal data.

    :param written: the file.
    :param query: whose records are in it.
    :param primary_key: columns, or dot paths, that tell one record from another.
    :param timezone: name of the zone that its dates were meant in.
    :param listed: when Hotmart was asked first, and when the last answer was read, in seconds since the epoch.
    """
    endpoint = query.endpoint
    filters: dict[str, Any] = {}
    for pair, span in query.ranges:
        filters[pair.start[0]], filters[pair.end[0]] = span.isoformat()
    for one in endpoint.filters:
        if one.words is not None and one.several and one.sent_as and one.name != endpoint.status:
            filters[one.name] = list(query.values(one)) or None
    # Rows that several pairs of dates select are those of no one window.
    window = query.ranges[0][1] if len(query.ranges) == 1 else query.window
    start, end = (None, None) if window is None else window.isoformat()
    return {
        **asdict(written.location),
        "records": written.records,
        "bytes": written.bytes,
        "sha256": written.sha256,
        "format": written.format.name,
        "compression": written.format.compression,
        "columns": written.columns and [asdict(one) for one in written.columns],
        "primary_key": primary_key,
        "window": window and {"start": start, "end": end, "timezone": timezone},
        "statuses": list(query.all_statuses) or None,
        "filters": filters,
        "listed_from": iso(math.floor(listed[0])),
        "listed_until": iso(math.ceil(listed[1])),
    }


def publish(task: Any, context: Mapping[str, Any], manifest: Mapping[str, Any]) -> None:
    """
    Tell others of a written file.

    Each fact that has a value is an XCom of its own, so that ``task.output["uri"]`` works, and the event of each asset
    that the task has as an outlet carries all of them.

    :param task: that wrote it.
    :param context: of its run; empty: outside Airflow.
    """
    events = context.get("outlet_events")
    for outlet in task.outlets:
        # An alias has no event before somebody says which asset it stands for.
        if events is not None and hasattr(outlet, "uri"):
            events[outlet].extra.update(manifest)
    if task.do_xcom_push and (ti := context.get("ti")) is not None:
        for name, value in manifest.items():
            if value is not None:  # Airflow 3.0 takes no null
                ti.xcom_push(key=name, value=value)
