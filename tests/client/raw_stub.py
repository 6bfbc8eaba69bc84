"""Loopback servers that send raw bytes, or stream events step by step."""

from __future__ import annotations

import contextlib
import socket
import socketserver
from dataclasses import dataclass
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

from client.program import PATIENCE
from client.responses import EVENTS_TYPE
from client.stub import run_in_thread


@dataclass
class RawStub:
    """A server that sends raw bytes after each complete request.

    :param data: the bytes to send
    :param count: number of requests so far
    """

    url: str = ""
    data: bytes = b""
    count: int = 0


@contextlib.contextmanager
def serve_raw_stub(tls: ssl.SSLContext | None = None) -> Iterator[RawStub]:
    """Run a raw stub on a free port of the loopback interface.

    :param tls: TLS settings; None for plain HTTP
    """
    stub = RawStub()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            length = 0
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            self.rfile.read(length)
            stub.count += 1
            with contextlib.suppress(OSError):
                self.wfile.write(stub.data)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def get_request(self) -> tuple[socket.socket, object]:
            connection, address = super().get_request()
            if tls is not None:  # the handshake comes with the first read, in the connection's own thread
                connection = tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            return connection, address

        def handle_error(self, request: object, client_address: object) -> None:
            """Print nothing: a client that refuses the certificate is what a test may want."""

    with Server(("127.0.0.1", 0), Handler) as server:
        stub.url = f"http{'' if tls is None else 's'}://127.0.0.1:{server.server_address[1]}"
        with run_in_thread(server):
            yield stub


class LiveStub:
    """A server that streams the response to one request step by step, and answers no others by itself.

    ``head`` is the status line, with further headers.
    """

    def __init__(self, listener: socket.socket) -> None:
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.head = "HTTP/1.1 200 OK"
        self._listener = listener
        self._connection: socket.socket | None = None
        self._connections: list[socket.socket] = []

    def send(self, data: bytes) -> None:
        """Send a part of the response, after the first request has arrived."""
        if self._connection is None:
            self.next_request()
            assert self._connection is not None
            self._connection.sendall(f"{self.head}\r\nContent-Type: {EVENTS_TYPE}\r\n\r\n".encode())
        chunked = "chunked" in self.head
        self._connection.sendall(b"%x\r\n%s\r\n" % (len(data), data) if chunked else data)

    def next_request(self) -> bytes:
        """Accept a new connection, and return the request on it."""
        connection, _ = self._listener.accept()
        connection.settimeout(PATIENCE)
        self._connections.append(connection)
        self._connection = connection
        request = b""
        while not (b"\r\n\r\n" in request and request.endswith(b"}")):
            request += connection.recv(1 << 16)  # closing a connection with unread data would reset it
        return request

    def respond(self, response: Response) -> None:
        """Send a response to the last request."""
        body = response.get_data()
        head = f"HTTP/1.1 {response.status}\r\nContent-Type: {response.content_type}\r\n"
        if self._connection is not None:
            self._connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def close(self) -> None:
        """End the response, and close all connections."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.sendall(b"0\r\n\r\n" if "chunked" in self.head else b"")
        for connection in self._connections:
            connection.close()


@contextlib.contextmanager
def serve_live_stub() -> Iterator[LiveStub]:
    """Run a live stub on a free port of the loopback interface."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        stub = LiveStub(listener)
        yield stub
        stub.close()
