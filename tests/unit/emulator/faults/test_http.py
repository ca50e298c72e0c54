"""HTTP, spoken by the emulator."""

from __future__ import annotations

import os
import socket
import time

import pytest
import requests

from airflow_provider_hotmart.emulator import HotmartEmulator
from airflow_provider_hotmart.emulator.service.answers import Answer
from airflow_provider_hotmart.emulator.service.server import Reply, Server
from tests.unit.emulator.support import SALES, Client


def test_a_connection_serves_many_calls(client: Client, hotmart: HotmartEmulator) -> None:
    port = int(hotmart.url.rpartition(":")[2])
    call = f"GET {SALES} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        for _ in range(3):
            raw.sendall(call)
            assert raw.recv(65_536).startswith(b"HTTP/1.1 401 Unauthorized\r\n")
        raw.sendall(call.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        answer = b""
        while part := raw.recv(65_536):
            answer += part
    assert b"Connection: close" in answer


@pytest.mark.parametrize("text", [b"hello\r\n\r\n", b"GET / HTTP/1.1\r\nnonsense\r\n\r\n"])
def test_what_is_no_http_is_answered_400(hotmart: HotmartEmulator, text: bytes) -> None:
    port = int(hotmart.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        raw.sendall(text)
        assert raw.recv(65_536).startswith(b"HTTP/1.1 400 ")


def test_an_emulator_can_go_down_and_come_back(client: Client, hotmart: HotmartEmulator) -> None:
    url = hotmart.url
    hotmart.stop()
    with pytest.raises(requests.exceptions.ConnectionError):
        client.get()
    hotmart.start()
    assert hotmart.url == url
    assert client.get().status_code == 200


def test_an_emulator_has_no_address_before_its_start() -> None:
    with pytest.raises(RuntimeError, match="before it is started"):
        HotmartEmulator(sales=0).url  # noqa: B018


def test_latency_comes_before_each_answer(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.latency = 0.1
    began = time.monotonic()
    client.get()
    assert time.monotonic() - began >= 0.1


def test_nothing_is_left_open(hotmart: HotmartEmulator) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(5):
        with HotmartEmulator(sales=0) as short:
            client = Client(short)
            with client.http:
                client.get()
    deadline = time.monotonic() + 60
    while len(os.listdir("/proc/self/fd")) > before and time.monotonic() < deadline:  # noqa: PTH208
        time.sleep(0.01)
    assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208


def test_no_free_port_is_taken_twice() -> None:
    # A client in this process keeps tokens and connections for an address. There are some 28,000 free ports:
    # without a memory, two of two thousand servers would share one.
    ports = []
    for _ in range(2000):
        server = Server(lambda call: Reply(Answer(204)))
        server.start()
        ports.append(server.port)
        server.stop()
    assert len(set(ports)) == len(ports)
