"""What Airflow mounts into its API server. Every process of Airflow imports it, so it imports next to nothing."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

#: Where Airflow mounts it.
URL_PREFIX = "/hotmart"
_log = logging.getLogger(__name__)


class MountedReceiver:
    """
    Stand for the receiver of webhooks, which is made at the first call: and only where webhooks are asked for.

    An API server that is not configured to receive any answers 404, whatever is sent; one whose configuration is wrong
    answers 503, so that Hotmart sends it again.
    """

    def __init__(self) -> None:
        self._receiver: Callable[..., Awaitable[None]] | None = None
        self._problem = ""

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """Answer one call."""
        if self._receiver is None:
            from airflow.providers.common.compat.sdk import conf

            if not conf.get("hotmart", "webhook_connections", fallback="").strip():
                await _refuse(scope, send, 404, b'{"error": "nothing is received here"}')
                return
            from airflow_provider_hotmart.webhooks.assembly import receiver_in_airflow

            try:
                self._receiver = receiver_in_airflow()
            except Exception as problem:  # noqa: BLE001 - whatever it is, the log says it, once
                if str(problem) != self._problem:
                    _log.error("No webhook is received: correct [hotmart] of the configuration: %s", problem)
                    self._problem = str(problem)
                await _refuse(scope, send, 503, b'{"error": "the receiver is not configured as it should be"}')
                return
        await self._receiver(scope, receive, send)


async def _refuse(scope: Mapping[str, Any], send: Any, status: int, body: bytes) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
        return
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
