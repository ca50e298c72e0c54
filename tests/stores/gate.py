"""A gate in front of a store: it passes calls on, writes them down, and refuses those that a test does not want."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: Belong to one connection, not to what it carries.
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "expect"}

#: Method and path with query.
Refused = Callable[[str, str], bool]


@dataclass
class Gate:
    """
    An HTTP proxy at a port of its own.

    :param upstream: port of the store.
    :param one_at_a_time: for a store that is played by a program which, unlike the store itself, lets two
        calls of "create this if it is not there" both succeed when they come at the same moment.
    """

    upstream: int
    one_at_a_time: bool = False
    #: Which calls are answered 403, without reaching the store.
    refused: Refused = field(default=lambda method, path: False)
    #: Called before a call is passed on.
    passing: Callable[[str, str], None] = field(default=lambda method, path: None)
    #: Method and path of every call since the test began.
    calls: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0
    turn: threading.Lock = field(default_factory=threading.Lock)

    def reset(self) -> None:
        """Let everything pass again."""
        self.refused = lambda method, path: False
        self.passing = lambda method, path: None
        self.calls.clear()

    @contextmanager
    def open(self) -> Iterator[Gate]:
        """Serve until the block ends."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        server.daemon_threads = True
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        return type("Handler", (_Handler,), {"gate": self})


#: The same words suit S3 and Azure.
REFUSAL = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>The gate is closed.</Message></Error>'


class _Handler(BaseHTTPRequestHandler):
    gate: Gate
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        body = self._body()
        self.gate.calls.append((self.command, self.path))
        if self.gate.refused(self.command, self.path):
            self._answer(403, [("Content-Type", "application/xml")], REFUSAL)
            return
        self.gate.passing(self.command, self.path)
        with self.gate.turn if self.gate.one_at_a_time else nullcontext():
            status, headers, content = self._forward(body)
        self._answer(status, headers, content)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - http.server finds them by these names

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        store = http.client.HTTPConnection("127.0.0.1", self.gate.upstream, timeout=60)
        try:
            store.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in HOP_BY_HOP:
                    store.putheader(name, value)
            if body or self.command in ("PUT", "POST"):
                store.putheader("Content-Length", str(len(body)))
            store.endheaders(body)
            answer = store.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            store.close()

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        length = str(len(body))
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() == "content-length" and self.command == "HEAD":
                length = value
            elif name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            # A client that was interrupted.
            self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:
        return
