"""What it means that Hotmart refused a request: it asks for what is too old, a date is missing, or nothing is there."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from airflow_provider_hotmart.api.errors import HotmartError, HotmartInvalidRequestError
from airflow_provider_hotmart.api.filters import CLOCK_DIFFERENCE, FIRST_SALE, Query
from airflow_provider_hotmart.api.json_text import decode_fields
from airflow_provider_hotmart.api.pagination import Answer, Pagination
from airflow_provider_hotmart.api.request import Request
from airflow_provider_hotmart.api.windows import Window, iso

_log = logging.getLogger(__name__)

#: How old a window's start may be, as far as it is known of sales/history.
MAX_AGE = timedelta(days=730)


def windows_of_all_time(now: float) -> list[Window]:
    """Cut all time into windows, the latest first; what may be refused for its age is kept out of the others."""
    today = int(now)
    oldest = today - int(MAX_AGE.total_seconds()) + CLOCK_DIFFERENCE
    windows = [*Window(FIRST_SALE, oldest).pieces(), *Window(oldest, today + CLOCK_DIFFERENCE).pieces()]
    return windows[::-1]


def is_too_old(window: Window, now: float, error: HotmartInvalidRequestError) -> bool:
    """Tell whether Hotmart may have refused a window for its age."""
    oldest = now - MAX_AGE.total_seconds()
    return error.status == 400 and error.error == "invalid_parameter" and window.start < oldest


def explain_age(query: Query, error: HotmartInvalidRequestError) -> None:
    """
    Say of a window that was refused how far back Hotmart lets us look.

    :raises HotmartInvalidRequestError: where that may be the reason.
    """
    window = query.window
    if window is None or not query.endpoint.dates or not is_too_old(window, query.now, error):
        return
    oldest = int(query.now - MAX_AGE.total_seconds())
    name = query.endpoint.dates[0][0]
    raise HotmartInvalidRequestError(
        f"Hotmart refuses {name}, probably for its age: give {iso(oldest)[:10]} ({MAX_AGE.days} days ago) or later "
        f"[{iso(window.start)}]",
        **error.details,
    ) from None


def read_refused(pagination: Pagination, query: Query, request: Request, error: HotmartError) -> Iterator[Answer]:
    """
    Find out what an error means that may be an answer: that there is nothing, or that a date is missing.

    :raises HotmartInvalidRequestError: when Hotmart takes one date neither alone nor with an end.
    """
    endpoint = query.endpoint
    open_ends = [(pair, span) for pair, span in query.ranges if pair.is_end_unsure]
    if not open_ends:
        # Its parent may have vanished since it was found, and some of what has no rows is refused.
        _log.log(
            logging.INFO if endpoint.none_is_refused and error.status == 400 else logging.WARNING,
            "Hotmart has no %s at %s (HTTP %s)",
            endpoint.noun,
            request.path,
            error.status,
        )
        return
    # It does not take one date alone. The other one may mean something else, which then shows.
    params = {**request.params, **{pair.end[1]: span.bounds()[1] for pair, span in open_ends}}
    ended = False
    for answer in pagination.answers([replace(request, params=params, may_be_refused=False)]):
        ended = ended or not all("end_accession_date" in decode_fields(row) for row in answer.rows)
        yield answer
    if not ended:
        raise HotmartInvalidRequestError(
            f"Hotmart refuses {open_ends[0][0].start[1]} alone: filter by other dates "
            "(it shows none that goes on with an end)",
            **error.details,
        )
