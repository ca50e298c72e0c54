"""What Airflow mounts into its API server. Every process of Airflow imports it, so it imports next to nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

#: Where Airflow mounts it.
URL_PREFIX = "/hotmart"
_BODY = b'{"error": "nothing is received here"}'


class MountedReceiver:
    """
    Stand for the receiver of webhooks, which is made at the first call: and only where webhooks are asked for.

    An API server that is not configured to receive any answers 404, whatever is sent.
    """

    def __init__(self) -> None:
        self._receiver: Callable[..., Awaitable[None]] | None = None

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """Answer one call."""
        if self._receiver is None:
            from airflow.providers.common.compat.sdk import conf

            if scope["type"] == "http" and not conf.get("hotmart", "webhook_connections", fallback="").strip():
                headers = [(b"content-type", b"application/json"), (b"content-length", str(len(_BODY)).encode())]
                await send({"type": "http.response.start", "status": 404, "headers": headers})
                await send({"type": "http.response.body", "body": _BODY})
                return
            from airflow_provider_hotmart.webhooks.assembly import receiver_in_airflow

            self._receiver = receiver_in_airflow()
        await self._receiver(scope, receive, send)
