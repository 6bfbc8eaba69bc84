"""Test that responses are sent as fast as their clients read them, and break off if a client does not."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote_server.http.gunicorn_connection import GunicornConnection
from airflow_remote_server.http.sending import BLOCK, send_body, split_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = 64 * BLOCK
BUFFER = 4 * BLOCK


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return a server's side of a connection with small buffers, and the client's."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        client.connect(listener.getsockname())
        server = listener.accept()[0]
        with server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
            yield server, client


def send(server: socket.socket, parts: list[bytes], timeout: float) -> None:
    """Send a body as gunicorn does."""
    connection = GunicornConnection(server, lambda *_: lambda _: None)
    for block in send_body(parts, connection, timeout):
        server.sendall(block)


@given(st.lists(st.sampled_from([0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])))
def test_blocks_make_up_the_body(sizes: list[int]) -> None:
    parts = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
    blocks = list(split_blocks(parts))
    assert b"".join(blocks) == b"".join(parts)
    assert all(len(block) <= BLOCK for block in blocks)


def test_client_that_reads_nothing_ends_the_response(pair: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(ConnectionResetError, match=r"read nothing for 0\.2 s"):
        send(pair[0], [b"x" * SIZE], 0.2)


def test_client_that_reads_slowly_gets_all_of_it(pair: tuple[socket.socket, socket.socket]) -> None:
    server, client = pair
    received = bytearray()
    pause = threading.Event()

    def read() -> None:
        while data := client.recv(BLOCK):
            received.extend(data)
            pause.wait(0.05)

    reader = threading.Thread(target=read)
    reader.start()
    send(server, [b"x" * SIZE], 2.0)  # all of it takes longer than that
    server.shutdown(socket.SHUT_WR)
    pause.set()
    reader.join(60)
    assert len(received) == SIZE


def test_client_that_is_gone_ends_the_response(pair: tuple[socket.socket, socket.socket]) -> None:
    server, client = pair
    client.close()
    with pytest.raises(ConnectionError):
        send(server, [b"x" * SIZE], 5.0)


def test_body_is_closed() -> None:
    closed = threading.Event()

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            yield b"x"

        def close(self) -> None:
            closed.set()

    with socket.socket() as connection:
        body = send_body(Body(), GunicornConnection(connection, lambda *_: lambda _: None), 5.0)
    body.close()  # type: ignore[attr-defined]
    assert closed.is_set()
