"""What the debug logs of urllib3 may show of requests to Hotmart: no query."""

from __future__ import annotations

import logging

from airflow_provider_hotmart.api.endpoints import ENDPOINTS


def hide_queries_from_debug_logs() -> None:
    """Make urllib3 log requests to Hotmart without their query. Doing it again changes nothing."""
    logging.getLogger("urllib3.connectionpool").addFilter(_query_filter)
    logging.getLogger("urllib3.util.retry").addFilter(_query_filter)


def hide_queries_of(path: str) -> None:
    """Hide the queries of all paths that begin like this one."""
    _query_filter.prefixes.add(_first_part(path))


class _QueryFilter(logging.Filter):
    """
    Cuts the query off the request lines that urllib3 logs at level DEBUG.

    A filter on a buyer's e-mail address is part of the query.
    """

    def __init__(self) -> None:
        super().__init__()
        #: First parts of paths that Hotmart is asked for.
        self.prefixes = {_first_part(endpoint.path) for endpoint in ENDPOINTS.values()}

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                arg.partition("?")[0] if isinstance(arg, str) and any(one in arg for one in self.prefixes) else arg
                for arg in record.args
            )
        return True


def _first_part(path: str) -> str:
    return "/" + path.split("/")[1]


_query_filter = _QueryFilter()
