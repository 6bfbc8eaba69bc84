"""A server on loopback that answers as it is told to, and notes what it was asked."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import threading
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

JOB_ID = "0660e40a747b87628e537139a49c9fd0"
EVENTS = "application/x-ndjson"

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


def job(**fields: Any) -> dict[str, Any]:
    """A job as the API shows it, with other fields where some are given."""
    url = f"/admin/rest_api/api/v1.0/jobs/{JOB_ID}"
    return {"id": JOB_ID, "state": "running", "kind": "command", "url": url, **fields}


def files_of(files: dict[str, bytes]) -> list[dict[str, Any]]:
    """Files as envelopes and jobs tell them."""
    return [
        {"name": name, "size": len(data), "url": f"{job()['url']}/files/{name}"}
        for name, data in files.items()
    ]


def event(**said: Any) -> bytes:
    """A line of a stream of events."""
    return json.dumps(said).encode() + b"\n"


STARTED = event(event="started", job=job())
UNFINISHED = event(event="unfinished", job=job())


def printed(text: str, stream: str = "stdout") -> bytes:
    """The event for what a command prints."""
    return event(event="output", stream=stream, data=text)


def finished(**fields: Any) -> bytes:
    """The last event of a stream."""
    return event(event="finished", envelope=envelope(**fields))


@dataclass
class Recorded:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    arguments: dict[str, Any]
    files: dict[str, tuple[str, bytes]]
    query: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


class Quiet(WSGIRequestHandler):
    """Without a log."""

    def log(self, type: str, message: str, *args: Any) -> None:
        pass


@dataclass
class Stub:
    """The server: what it answers, and what has come.

    ``catalogue`` is what it has for live commands; None for a server that is older than these.
    ``asked`` are the requests for it, which are not among the other ``requests``.
    """

    url: str = ""
    requests: list[Recorded] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    response: tuple[bytes, int, dict[str, str]] = (b"", 200, {})
    first: list[Callable[[Recorded], Response | None]] = field(default_factory=list)
    job: FakeJob | None = None
    catalogue: Any = None
    asked: list[Recorded] = field(default_factory=list)
    refusal: Response | None = None

    def reset(self) -> None:
        self.catalogue = self.refusal = None
        self.asked.clear()
        self.requests.clear()
        self.first.clear()
        self.job = None
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
            recorded = self.note(request)
        if recorded.path.endswith("/api/v1.0/commands"):
            self.asked.append(self.requests.pop())
            return self.described(recorded)(environ, start_response)
        self.arrived.set()
        if self.job is not None and "/jobs" in recorded.path:
            response = self.job(recorded)
        elif self.first:
            response = self.first.pop(0)(recorded)
        else:
            self.released.wait(60)
            response = Response(*self.response)
        if response is None:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            response = Response()
        return response(environ, start_response)

    @property
    def etag(self) -> str:
        """The ETag of the catalogue, with its quotes."""
        return f'"{zlib.crc32(json.dumps(self.catalogue).encode()):x}"'

    def described(self, recorded: Recorded) -> Response:
        """The answer to a request for the catalogue."""
        if self.refusal is not None:
            return self.refusal
        if self.catalogue is None:
            missing = {"status": "ERROR", "stdout": None, "stderr": None, "exit_code": None}
            return answered(envelope(**missing, output="unknown endpoint 'commands'"), 404)
        if recorded.headers.get("if-none-match") == self.etag:
            return Response(status=304, headers={"ETag": self.etag})
        return answered(self.catalogue, 200, {"ETag": self.etag, "Cache-Control": "private, no-cache"})

    def at_first(self, *answers: Response | None) -> None:
        """Set the answers to the next requests for commands; None breaks the connection off."""
        self.first += [lambda recorded, answer=answer: answer for answer in answers]  # type: ignore[misc]

    def stream(self, *lines: bytes) -> None:
        """Set the answer to the next request: events."""
        self.at_first(streamed(lines))

    def note(self, request: Request) -> Recorded:
        files = {name: (file.filename or "", file.read()) for name, file in request.files.items()}
        form = {name: values[0] if len(values) == 1 else values for name, values in request.form.lists()}
        body = request.mimetype == "application/json"
        arguments = request.get_json() if body else form
        headers = {name.lower(): value for name, value in request.headers.items()}
        query = request.args.to_dict()
        self.requests.append(Recorded(request.method, request.path, headers, arguments, files, query))
        return self.requests[-1]

    def named(self, name: str) -> list[Recorded]:
        """The requests whose path ends so."""
        return [request for request in self.requests if request.name == name]

    @property
    def request(self) -> Recorded:
        """The one request that came."""
        [request] = self.requests
        return request


def streamed(lines: Iterable[bytes]) -> Response:
    """A response that is sent as it comes; it ends without the last event when that is not in it."""
    return Response(iter(lines), 200, content_type=EVENTS)


def answered(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A response in JSON."""
    return Response(json.dumps(document), status, headers, content_type="application/json")


@dataclass
class FakeJob:
    """The API's routes of one job, which prints a bit more for each poll, and then ends.

    :param stdout: all that it prints there
    :param stderr: all that it prints there
    :param end: fields of the job once it has ended
    :param step: bytes of either that a poll is given at most
    :param silent: polls that are given nothing before it ends
    :param files: that it has written, once it has ended
    :param failures: answers to its first requests instead; None breaks the connection off
    """

    stdout: bytes = b""
    stderr: bytes = b""
    end: dict[str, Any] = field(default_factory=lambda: {"state": "succeeded", "exit_code": 0})
    step: int = 1000
    silent: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    failures: list[Response | None] = field(default_factory=list)
    stops: list[Any] = field(default_factory=list)
    listed: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, recorded: Recorded) -> Response | None:
        if self.failures:
            return self.failures.pop(0)
        if recorded.name == "jobs":
            return self.listing(recorded.query)
        if JOB_ID not in recorded.path:
            missing = {"status": "ERROR", "stdout": None, "stderr": None, "exit_code": None}
            return answered(envelope(**missing, output="no such job"), 404)
        if "/files/" in recorded.path:
            return self.file(recorded.path.partition("/files/")[2])
        if recorded.name == "output":
            return self.output(recorded.query)
        if recorded.name == "stop":
            self.stops.append(recorded.arguments)
            return answered(job(), 202)
        more = {"files": files_of(self.files)} if self.files else {}
        return answered(job(**{**more, **self.end}) if not self.silent else job())

    def file(self, name: str) -> Response:
        if name in self.files:
            return Response(self.files[name], content_type="application/octet-stream")
        missing = {"status": "ERROR", "stdout": None, "stderr": None, "exit_code": None}
        return answered(envelope(**missing, output="no such file"), 404)

    def output(self, query: dict[str, str]) -> Response:
        everything = self.stdout if query["stream"] == "stdout" else self.stderr
        offset = int(query["offset"])
        data = everything[offset : offset + self.step]
        self.silent -= bool(self.silent and not data)
        headers = {"Airflow-Remote-Next-Offset": str(offset + len(data))}
        return Response(data, 200, headers, content_type="text/plain; charset=utf-8")

    def listing(self, query: dict[str, str]) -> Response:
        """Three on a page."""
        found = [entry for entry in self.listed if entry["id"] < query.get("before", "g")]
        page = found[: min(3, int(query["limit"]))]
        more = page[-1]["id"] if len(found) > len(page) else None
        return answered({"jobs": page, "next": more})


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


class LiveStub:
    """A server of one request, which sends events when it is told to, and says nothing to further ones.

    ``head`` is the status line, with further headers.
    """

    def __init__(self, listener: socket.socket) -> None:
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.head = "HTTP/1.1 200 OK"
        self._listener = listener
        self._connection: socket.socket | None = None
        self._connections: list[socket.socket] = []

    def send(self, data: bytes) -> None:
        """Send some of the answer, once the request has come."""
        if self._connection is None:
            self.next_request()
            assert self._connection is not None
            self._connection.sendall(f"{self.head}\r\nContent-Type: {EVENTS}\r\n\r\n".encode())
        chunked = "chunked" in self.head
        self._connection.sendall(b"%x\r\n%s\r\n" % (len(data), data) if chunked else data)

    def next_request(self) -> bytes:
        """Wait for a request on a connection of its own, and read it."""
        connection, _ = self._listener.accept()
        connection.settimeout(30)
        self._connections.append(connection)
        self._connection = connection
        request = b""
        while not (b"\r\n\r\n" in request and request.endswith(b"}")):
            request += connection.recv(1 << 16)  # with something unread, it would be reset when it is closed
        return request

    def answer(self, response: Response) -> None:
        """Answer the last request."""
        body = response.get_data()
        head = f"HTTP/1.1 {response.status}\r\nContent-Type: {response.content_type}\r\n"
        if self._connection is not None:
            self._connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def close(self) -> None:
        """End the answer, and all connections."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.sendall(b"0\r\n\r\n" if "chunked" in self.head else b"")
        for connection in self._connections:
            connection.close()


@contextlib.contextmanager
def serving_live() -> Iterator[LiveStub]:
    """A live stub that listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        stub = LiveStub(listener)
        yield stub
        stub.close()


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
