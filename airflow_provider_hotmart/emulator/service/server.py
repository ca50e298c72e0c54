"""Speaks HTTP. Its own few lines, because it must also be able to speak it badly."""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import parse_qs, urlsplit

from airflow_provider_hotmart.emulator.service.answers import Answer
from airflow_provider_hotmart.emulator.service.calls import Call, Headers
from airflow_provider_hotmart.emulator.service.faults import Delivery

_BACKLOG = 1024
_LONGEST_LINE = 65_536
_LONGEST_BODY = 1_048_576
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_CUT_AT_LEAST = 16
_BODILESS = (204, 304)
# Free ports that this process has had, and how often another one is tried for: a client would try the token of the
# account that it met there first on the second one.
_ports_taken: set[int] = set()
_PORT_TRIES = 100


@dataclass
class Reply:
    """
    How a call is to be answered.

    :param answer: what is sent
    :param delivery: how; None: as a whole
    :param silence: real seconds before
    :param gzip: compressed if the client accepts it
    :param after: called when all is sent
    """

    answer: Answer
    delivery: Delivery | None = None
    silence: float = 0.0
    gzip: bool = False
    after: Callable[[Call], None] | None = None


class BadRequestError(Exception):
    """What came in is not HTTP."""


class Server:
    """
    One thread for each connection; connections stay open between calls.

    :param reply: answers a call
    :param port: 0: a free one
    :param host: address to listen on
    """

    def __init__(self, reply: Callable[[Call], Reply], port: int = 0, host: str = "127.0.0.1") -> None:
        self._reply = reply
        self.host = host
        self._port = port
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._cpu_seconds = 0.0

    @property
    def port(self) -> int:
        """The port, once the server was started."""
        if not self._port:
            raise RuntimeError("the emulator has no address before it is started")
        return self._port

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds spent on answers so far."""
        with self._lock:
            return self._cpu_seconds

    def start(self) -> None:
        """Open the port."""
        if self._listener is not None:
            return
        listener = self._listen()
        for _ in range(_PORT_TRIES):
            if self._port or listener.getsockname()[1] not in _ports_taken:
                break
            with listener:
                listener = self._listen()
        self._port = listener.getsockname()[1]
        _ports_taken.add(self._port)
        self._listener = listener
        self._acceptor = threading.Thread(target=self._accept, args=(listener,), name="hotmart-emulator", daemon=True)
        self._acceptor.start()

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self.host, self._port))
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
        return listener

    def stop(self) -> None:
        """Close the port and every connection, whatever they wait for."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for connections
        listener.close()
        if self._acceptor is not None:
            self._acceptor.join()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections.add(connection)
            threading.Thread(
                target=self._serve, args=(connection,), name="hotmart-emulator-connection", daemon=True
            ).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Only the connection may keep the socket open, or a reset would wait for the file.
        stream = connection.makefile("rb")
        try:
            with contextlib.suppress(OSError, BadRequestError):
                while self._listener is not None and self._answer_one(connection, stream):
                    pass
        finally:
            with contextlib.suppress(OSError):
                stream.close()
            connection.close()
            with self._lock:
                self._connections.discard(connection)

    def _answer_one(self, connection: socket.socket, stream: BinaryIO) -> bool:
        """Answer one call; tell whether another may follow."""
        line = stream.readline(_LONGEST_LINE + 1)
        if not line:
            return False
        began = time.thread_time()
        try:
            call, version = read_call(line, stream)
        except BadRequestError:
            connection.sendall(head(Answer(400), 0, close=True))
            return False
        reply = self._reply(call)
        if reply.silence > 0 and not _still_there(connection, reply.silence):
            return False
        close = version == "HTTP/1.0" or (call.headers.get("Connection") or "").lower() == "close"
        keep = deliver(connection, call, reply, close=close)
        with self._lock:
            self._cpu_seconds += time.thread_time() - began
        if reply.after is not None:
            reply.after(call)
        return keep and not close


def read_call(line: bytes, stream: BinaryIO) -> tuple[Call, str]:
    """
    Read one call and its HTTP version.

    :param line: the request line, already read
    :param stream: the rest
    """
    words = line.decode("latin-1").rstrip("\r\n").split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or len(line) > _LONGEST_LINE:
        raise BadRequestError
    headers = Headers()
    while (text := stream.readline(_LONGEST_LINE + 1)) not in (b"\r\n", b"\n"):
        name, colon, value = text.decode("latin-1").partition(":")
        if not colon or len(text) > _LONGEST_LINE:
            raise BadRequestError
        headers[name.strip()] = value.strip()
    target = urlsplit(words[1])
    call = Call(0.0, words[0], target.path, parse_qs(target.query, keep_blank_values=True), headers)
    length = headers.get("Content-Length") or "0"
    if not length.isdecimal() or int(length) > _LONGEST_BODY or "Transfer-Encoding" in headers:
        raise BadRequestError
    body = stream.read(int(length))
    if (headers.get("Content-Type") or "").startswith("application/x-www-form-urlencoded"):
        call.form = parse_qs(body.decode("latin-1"), keep_blank_values=True)
    return call, words[2]


def deliver(connection: socket.socket, call: Call, reply: Reply, *, close: bool) -> bool:
    """
    Send an answer, or what is to arrive of it; tell whether the connection is still good.

    :param connection: to the client
    :param call: what it asked
    :param reply: what it gets
    :param close: whether the connection ends with this answer
    """
    answer, body = reply.answer, reply.answer.body
    if reply.delivery is Delivery.RESET:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        return False
    packed = "Content-Encoding" in answer.headers
    if reply.gzip and not packed and "gzip" in (call.headers.get("Accept-Encoding") or ""):
        packer = zlib.compressobj(1, wbits=31)
        body = packer.compress(body) + packer.flush()
        answer.headers["Content-Encoding"] = "gzip"
    if reply.delivery is Delivery.CUT:
        announced = max(len(body), _CUT_AT_LEAST)
        connection.sendall(head(answer, announced, close=close) + body[: announced // 2])
        return False
    if reply.delivery is Delivery.CUT_CHUNKED:
        part = body[: len(body) // 2 or 1]
        chunk = f"{len(part):x}\r\n".encode() + part + b"\r\n" if part else b""
        connection.sendall(head(answer, None, close=close) + chunk)
        return False
    if call.method == "HEAD" or answer.status in _BODILESS:
        body = b""
    connection.sendall(head(answer, len(body), close=close) + body)
    return True


def head(answer: Answer, length: int | None, *, close: bool) -> bytes:
    """
    Everything of an answer before its body.

    :param answer: whose
    :param length: bytes of the body; None: it comes in chunks
    :param close: whether the connection ends with it
    """
    lines = [f"HTTP/1.1 {answer.status} {http.client.responses.get(answer.status, 'Unknown')}"]
    lines.append(f"Content-Type: {answer.content_type}")
    if answer.status not in _BODILESS:
        lines.append("Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}")
    lines.extend(f"{name}: {value}" for name, value in answer.headers.items())
    if close:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _still_there(connection: socket.socket, seconds: float) -> bool:
    """Wait, but no longer than the client or the emulator does; tell whether there is somebody to answer."""
    connection.settimeout(seconds)
    try:
        # Nothing is due from the client now: what wakes this up is the end of the connection.
        return bool(connection.recv(1, socket.MSG_PEEK))
    except TimeoutError:
        return True
    finally:
        connection.settimeout(None)
