"""A server on loopback that answers as it is told to, and notes what it was asked."""

from __future__ import annotations

import contextlib
import json
import socketserver
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = {
    "airflow_cmd": "airflow version",
    "arguments": {},
    "call_time": "Tue, 29 Nov 2016 14:22:26 GMT",
    "output": "1.7.0",
    "response_time": "Tue, 29 Nov 2016 14:22:29 GMT",
    "status": "OK",
}


def envelope(**fields: Any) -> dict[str, Any]:
    """An answer like a command's, with other fields where some are given."""
    said = {**SEED, "http_response_code": 200, "stdout": "1.7.0\n", "stderr": "", "exit_code": 0, **fields}
    return {name: value for name, value in said.items() if value is not None}


@dataclass
class Recorded:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    arguments: dict[str, Any]
    files: dict[str, tuple[str, bytes]]

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


class Quiet(WSGIRequestHandler):
    """Without a log."""

    def log(self, type: str, message: str, *args: Any) -> None:
        pass


@dataclass
class Stub:
    """The server: what it answers, and what has come."""

    url: str = ""
    requests: list[Recorded] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    response: tuple[bytes, int, dict[str, str]] = (b"", 200, {})

    def reset(self) -> None:
        self.requests.clear()
        self.arrived.clear()
        self.released.set()
        self.answer(envelope())

    def answer(
        self,
        body: Any,
        status: int = 200,
        headers: dict[str, str] | None = None,
        kind: str = "application/json",
    ) -> None:
        """Set the answer to all requests from now on: bytes as they are, all else as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.response = data, status, {"Content-Type": kind, **(headers or {})}

    def __call__(self, environ: Any, start_response: Any) -> Any:
        with Request(environ) as request:
            self.note(request)
        self.arrived.set()
        self.released.wait(60)
        body, status, more = self.response
        return Response(body, status, more)(environ, start_response)

    def note(self, request: Request) -> None:
        files = {name: (file.filename or "", file.read()) for name, file in request.files.items()}
        form = {name: values[0] if len(values) == 1 else values for name, values in request.form.lists()}
        arguments = request.get_json() if request.mimetype == "application/json" else form
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append(Recorded(request.method, request.path, headers, arguments, files))

    @property
    def request(self) -> Recorded:
        """The one request that came."""
        [request] = self.requests
        return request


@contextlib.contextmanager
def serving() -> Iterator[Stub]:
    """A stub that listens."""
    stub = Stub()
    stub.reset()
    server = make_server("127.0.0.1", 0, stub, threaded=True, request_handler=Quiet)
    stub.url = f"http://127.0.0.1:{server.server_port}"
    with running(server):
        yield stub
        stub.released.set()


@dataclass
class RawStub:
    """A server that sends bytes, whatever they are, once a request has come whole."""

    url: str = ""
    data: bytes = b""
    count: int = 0


@contextlib.contextmanager
def serving_raw() -> Iterator[RawStub]:
    """A raw stub that listens."""
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

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        stub.url = f"http://127.0.0.1:{server.server_address[1]}"
        with running(server):
            yield stub


@contextlib.contextmanager
def running(server: Any) -> Iterator[None]:
    """A server in a thread, until the end of the block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
