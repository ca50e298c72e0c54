"""The ASGI application that Hotmart posts its webhooks to. Knows nothing of Airflow."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from airflow_provider_hotmart.webhooks.delivery import Delivery, UnreadableError

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
#: Stores a delivery of a connection, and says whether it was a new one.
Accept = Callable[[str, Delivery, bytes], bool]

HEADER = b"x-hotmart-hottok"
MAX_BODY_SIZE = 1_000_000
#: Seconds that a body may take to arrive.
BODY_TIMEOUT = 30.0
#: Seconds for which a token is not looked up again, …
TOKEN_LIFETIME = 30.0
#: … and where it could not be looked up: strangers must not cause a look-up each.
FAILURE_LIFETIME = 5.0
#: Wrong tokens of one connection in one minute that are answered 401, and logged one by one.
MAX_WRONG_TOKENS = 20
MINUTE = 60.0
#: Seconds after which to try again, where the delivery could not be stored.
RETRY_AFTER = 60
#: Deliveries that are stored at the same time, and those that may wait for it.
MAX_THREADS = 4
MAX_PENDING = 100
_PATH = re.compile(r"(?:/hotmart)?/webhooks/([^/]+)/?")


class Refusal(Exception):  # noqa: N818 - an answer, not an error
    """
    A delivery is not accepted.

    :param status: of the answer.
    :param reason: one sentence, without anything of what was sent.
    :param retry_after: seconds; None: nothing is said of it.
    """

    def __init__(self, status: int, reason: str, retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after = retry_after


class GoneError(Exception):
    """The sender has hung up."""


@dataclass
class Guard:
    """
    The token of one connection, and how many wrong ones came in this minute.

    :param token: None: there is none.
    :param is_known: whether the last look-up told.
    :param valid_until: when the token is looked up again, on the monotonic clock.
    :param minute: when the minute began.
    :param wrong: how many.
    """

    token: str | None = None
    is_known: bool = False
    valid_until: float = 0.0
    minute: float = 0.0
    wrong: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Receiver:
    """
    Accept webhooks at ``/hotmart/webhooks/{connection id}``.

    :param connections: ids of the connections that are received for; any other is answered 404.
    :param find_token: looks up the ``hottok`` of a connection; called in a thread.
    :param accept: stores a delivery; called in a thread. Whatever it raises is answered 503.
    """

    def __init__(self, connections: Collection[str], find_token: Callable[[str], str | None], accept: Accept) -> None:
        self._guards = {conn_id: Guard() for conn_id in connections}
        self._find_token = find_token
        self._accept = accept
        self._threads = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="hotmart-webhook")
        self._pending = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        if scope["type"] != "http":
            await refuse_websocket(scope, send)
            return
        try:
            is_new = await self._take(scope, receive)
        except GoneError:
            return
        except Refusal as refusal:
            await answer(send, refusal.status, {"error": str(refusal)}, refusal.retry_after)
            return
        await answer(send, 200, {"status": "stored" if is_new else "duplicate"})

    async def _take(self, scope: Scope, receive: Receive) -> bool:
        match = _PATH.fullmatch(path_of(scope))
        conn_id = match[1] if match else ""
        guard = self._guards.get(conn_id)
        if guard is None:
            raise Refusal(404, "nothing is received here")
        if scope["method"] != "POST":
            raise Refusal(405, "only POST is answered here")
        if self._pending >= MAX_PENDING:
            raise Refusal(503, "too many deliveries at once", RETRY_AFTER)
        self._pending += 1
        try:
            await self._check_token(conn_id, guard, scope)
            body = await read_body(scope, receive)
            return await self._store(conn_id, guard, body)
        finally:
            self._pending -= 1

    async def _check_token(self, conn_id: str, guard: Guard, scope: Scope) -> None:
        """Refuse whoever does not know the token. Nothing of the body has been read by then."""
        async with guard.lock:
            if time.monotonic() >= guard.valid_until:
                try:
                    guard.token = await self._in_thread(self._find_token, conn_id)
                    guard.is_known = True
                except Exception as error:  # noqa: BLE001 - whatever it is, Hotmart sends it again
                    _log.error("Webhook of %s refused: its token cannot be looked up: %s", conn_id, told(error))
                    guard.is_known = False
                guard.valid_until = time.monotonic() + (TOKEN_LIFETIME if guard.is_known else FAILURE_LIFETIME)
            if not guard.is_known:
                raise Refusal(503, "the delivery cannot be checked now", RETRY_AFTER)
        sent = next((value for name, value in scope["headers"] if name.lower() == HEADER), b"")
        # Compared even where there is none, and in constant time.
        is_right = hmac.compare_digest(sent, (guard.token or "").encode())
        # Not before it was compared: whoever tries tokens must not keep Hotmart out.
        if guard.token and is_right:
            return
        now = time.monotonic()
        if now - guard.minute >= MINUTE:
            guard.minute, guard.wrong = now, 0
        guard.wrong += 1
        if guard.wrong > MAX_WRONG_TOKENS:
            raise Refusal(429, "too many wrong tokens", int(guard.minute + MINUTE - now) + 1)
        if guard.token is None:
            _log.error("Webhook of %s refused: the connection has no hottok. Fill it in, or events are lost", conn_id)
        else:
            _log.warning("Webhook of %s refused: its X-HOTMART-HOTTOK is not that of the connection", conn_id)
        if guard.wrong == MAX_WRONG_TOKENS:
            _log.warning("Webhooks of %s with a wrong token are answered 429 for the rest of this minute", conn_id)
        raise Refusal(401, "the header X-HOTMART-HOTTOK is not what is expected")

    async def _store(self, conn_id: str, guard: Guard, body: bytes) -> bool:
        try:
            delivery = Delivery.read(body)
        except UnreadableError as problem:
            _log.warning("Webhook of %s refused: %s", conn_id, problem)
            raise Refusal(400, str(problem)) from None
        if guard.token:
            # Payloads of the panel's test carry the token in the body as well.
            body = body.replace(guard.token.encode(), b"***")
        try:
            is_new = await self._in_thread(self._accept, conn_id, delivery, body)
        except Exception as error:  # noqa: BLE001 - as above
            _log.error("Webhook %s of %s is not stored, and asked for again: %s", delivery.id, conn_id, told(error))
            raise Refusal(503, "the delivery cannot be stored now", RETRY_AFTER) from None
        how = "stored" if is_new else "known already"
        _log.info("Webhook %s of %s: %s, %s", delivery.id, conn_id, delivery.event, how)
        return is_new

    async def _in_thread(self, work: Callable[..., _T], *args: Any) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)


def path_of(scope: Scope) -> str:
    """Give the path below what the application is mounted at, whichever of the two ways the server tells it in."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path.removeprefix(root) if path.startswith(f"{root}/") else path


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """
    Read a body of bounded size in bounded time.

    :raises Refusal: when it is too large, or too slow.
    :raises GoneError: when it ends too early.
    """
    length = next((value for name, value in scope["headers"] if name.lower() == b"content-length"), b"")
    if length.isdigit() and int(length) > MAX_BODY_SIZE:
        raise Refusal(413, f"the body is larger than {MAX_BODY_SIZE} bytes")
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise GoneError
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > MAX_BODY_SIZE:
                    raise Refusal(413, f"the body is larger than {MAX_BODY_SIZE} bytes")
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        raise Refusal(408, f"the body took longer than {BODY_TIMEOUT:.0f} seconds") from None


async def answer(send: Send, status: int, content: dict[str, Any], retry_after: int | None = None) -> None:
    """
    Send a JSON answer.

    :param send: of ASGI.
    :param retry_after: seconds; None: no such header.
    """
    body = json.dumps(content).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if retry_after is not None:
        headers.append((b"retry-after", str(retry_after).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def refuse_websocket(scope: Scope, send: Send) -> None:
    """Refuse what is no call over HTTP."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})


def told(error: BaseException) -> str:
    """Give the kind of an error and its first line, which is as much of it as a log may show."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:300]}"
