"""What Airflow mounts into its API server. Every process of Airflow imports it, so it imports next to nothing."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

#: Where Airflow mounts it.
URL_PREFIX = "/hotmart"
_log = logging.getLogger(__name__)
_Application: TypeAlias = Callable[[Mapping[str, Any], Any, Any], Awaitable[None]]


class MountedReceiver:
    """
    Stand for the receiver of webhooks, which is made at the first call: and only where webhooks are asked for.

    An API server that is not configured to receive any answers 404, whatever is sent; one whose configuration is wrong
    answers 503, so that Hotmart sends it again.
    """

    def __init__(self) -> None:
        self._receiver: _Application | None = None
        self._problem = ""

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """Answer one call."""
        await (self._receiver or self._make())(scope, receive, send)

    def _make(self) -> _Application:
        from airflow.providers.common.compat.sdk import conf

        if not conf.get("hotmart", "webhook_connections", fallback="").strip():
            return partial(_refuse, 404, "nothing is received here")
        try:
            from airflow_provider_hotmart.webhooks.assembly import assemble
            from airflow_provider_hotmart.webhooks.asset_events import AssetEvents

            self._receiver = assemble(AssetEvents().store)
        except Exception as problem:  # noqa: BLE001 - whatever it is, the log says it, once
            if str(problem) != self._problem:
                _log.error("No webhook is received: correct [hotmart] of the configuration: %s", problem)
                self._problem = str(problem)
            return partial(_refuse, 503, "the receiver is not configured as it should be")
        return self._receiver


async def _refuse(status: int, reason: str, scope: Mapping[str, Any], _: Any, send: Any) -> None:
    from airflow_provider_hotmart.webhooks.receiver import RETRY_AFTER, answer, refuse_websocket

    if scope["type"] == "http":
        await answer(send, status, {"error": reason}, RETRY_AFTER if status == 503 else None)
    else:
        await refuse_websocket(scope, send)
