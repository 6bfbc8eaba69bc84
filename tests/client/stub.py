"""A stub of the server: it sends the responses that a test sets, and records the requests."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import threading
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from client.fake_runs import ROUTES, FakeRuns
from client.responses import (
    EVENTS_TYPE,
    JOB_ID,
    envelope,
    event_response,
    file_entries,
    job,
    json_response,
    not_found,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


@dataclass
class RecordedRequest:
    """A request that the stub has received."""

    method: str
    path: str
    headers: dict[str, str]
    arguments: dict[str, Any]
    files: dict[str, tuple[str, bytes]]
    query: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the last segment of the path."""
        return self.path.rpartition("/")[2]


class QuietRequestHandler(WSGIRequestHandler):
    """A request handler that logs nothing."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Discard a message."""


@dataclass
class Stub:
    """The stub of the server.

    :param requests: all requests except those for the catalog
    :param request_arrived: set by each of these requests
    :param may_respond: clear it to hold back ``response``
    :param response: body, status and headers of the response to all requests
    :param next_responses: used before ``response``, one for each request
    :param job: answers all requests for jobs, if there is one
    :param runs: answers all requests about DAG runs, if it is set
    :param catalog: the list of live commands; None for a server that is too old to have one
    :param catalog_requests: the requests for it
    :param catalog_response: sent instead of the catalog, if set
    """

    url: str = ""
    requests: list[RecordedRequest] = field(default_factory=list)
    request_arrived: threading.Event = field(default_factory=threading.Event)
    may_respond: threading.Event = field(default_factory=threading.Event)
    response: tuple[bytes, int, dict[str, str]] = (b"", 200, {})
    next_responses: list[Callable[[RecordedRequest], Response | None]] = field(default_factory=list)
    job: FakeJob | None = None
    runs: FakeRuns | None = None
    catalog: Any = None
    catalog_requests: list[RecordedRequest] = field(default_factory=list)
    catalog_response: Response | None = None

    def reset(self) -> None:
        """Forget all requests, and send a success to each command."""
        self.catalog = self.catalog_response = None
        self.catalog_requests.clear()
        self.requests.clear()
        self.next_responses.clear()
        self.job = self.runs = None
        self.request_arrived.clear()
        self.may_respond.set()
        self.respond(envelope())

    def respond(
        self,
        body: Any,
        status: int = 200,
        headers: dict[str, str] | None = None,
        kind: str = "application/json",
    ) -> None:
        """Set the response to all further requests.

        :param body: bytes, or a document to send as JSON
        :param status: HTTP status
        :param headers: more headers
        :param kind: media type
        """
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.response = data, status, {"Content-Type": kind, **(headers or {})}

    def respond_next(self, *responses: Response | None) -> None:
        """Set the responses to the next requests for commands; None closes the connection."""
        self.next_responses += [lambda request, response=response: response for response in responses]  # type: ignore[misc]

    def stream(self, *lines: bytes) -> None:
        """Set the response to the next request: a stream of events."""
        self.respond_next(event_response(lines))

    def requests_named(self, name: str) -> list[RecordedRequest]:
        """Return the requests whose path ends with a name."""
        return [request for request in self.requests if request.name == name]

    @property
    def request(self) -> RecordedRequest:
        """Return the only request; fail if there are more or none."""
        [request] = self.requests
        return request

    @property
    def etag(self) -> str:
        """Return the ETag of the catalog, with its quotes."""
        return f'"{zlib.crc32(json.dumps(self.catalog).encode()):x}"'

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with Request(environ) as request:
            recorded = self._record(request)
        if recorded.path.endswith("/api/v1.0/commands"):
            self.catalog_requests.append(self.requests.pop())
            return self._catalog_reply(recorded)(environ, start_response)
        self.request_arrived.set()
        response: Response | None
        if self.job is not None and "/jobs" in recorded.path:
            response = self.job.respond(recorded)
        elif self.runs is not None and recorded.name in ROUTES:
            response = self.runs.respond(recorded.name, recorded.query)
        elif self.next_responses:
            response = self.next_responses.pop(0)(recorded)
        else:
            self.may_respond.wait(60)
            response = Response(*self.response)
        if response is None:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            response = Response()
        return response(environ, start_response)

    def _record(self, request: Request) -> RecordedRequest:
        files = {name: (file.filename or "", file.read()) for name, file in request.files.items()}
        form = {name: values[0] if len(values) == 1 else values for name, values in request.form.lists()}
        has_json = request.mimetype == "application/json"
        arguments = request.get_json() if has_json else form
        if request.mimetype == EVENTS_TYPE:
            arguments = {"lines": [json.loads(line) for line in request.get_data().splitlines()]}
        headers = {name.lower(): value for name, value in request.headers.items()}
        query = request.args.to_dict()
        self.requests.append(RecordedRequest(request.method, request.path, headers, arguments, files, query))
        return self.requests[-1]

    def _catalog_reply(self, request: RecordedRequest) -> Response:
        if self.catalog_response is not None:
            return self.catalog_response
        if self.catalog is None:
            return not_found("unknown endpoint 'commands'")
        if request.headers.get("if-none-match") == self.etag:
            return Response(status=304, headers={"ETag": self.etag})
        return json_response(self.catalog, 200, {"ETag": self.etag, "Cache-Control": "private, no-cache"})


@dataclass
class FakeJob:
    """The API's routes for one job, which prints some output for each poll and then ends.

    :param stdout: its full standard output
    :param stderr: its full standard error
    :param end: fields of the job once it has ended
    :param step: bytes of output that a poll gets at most
    :param silent_polls: polls that get no output before the job ends
    :param tells_state: whether polls tell the state and the sizes of the output, as newer servers do
    :param files: the files that it has written, once it has ended
    :param failures: responses to its first requests; None closes the connection
    :param stop_requests: the arguments of the requests to stop it
    :param stopping: fields of the job in the responses to them
    :param deleted: the ids of deleted jobs
    :param listed_jobs: the jobs of the list, newest first
    """

    stdout: bytes = b""
    stderr: bytes = b""
    end: dict[str, Any] = field(default_factory=lambda: {"state": "succeeded", "exit_code": 0})
    step: int = 1000
    silent_polls: int = 0
    tells_state: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    failures: list[Response | None] = field(default_factory=list)
    stop_requests: list[Any] = field(default_factory=list)
    stopping: dict[str, Any] = field(default_factory=dict)
    listed_jobs: list[dict[str, Any]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)

    def respond(self, request: RecordedRequest) -> Response | None:
        """Return the response to a request; None closes the connection."""
        if self.failures:
            return self.failures.pop(0)
        if request.name == "jobs":
            return self._list_jobs(request.query)
        if request.method == "DELETE" and request.name in {entry["id"] for entry in self.listed_jobs}:
            self.deleted.append(request.name)
            return json_response(job(id=request.name, state="succeeded"))
        if JOB_ID not in request.path:
            return not_found("no such job")
        if "/files/" in request.path:
            return self._send_file(request.path.partition("/files/")[2])
        if request.name == "output":
            return self._send_output(request.query)
        if request.name == "stop":
            self.stop_requests.append(request.arguments)
            return json_response(job(**self.stopping), 202)
        if self.silent_polls:
            return json_response(job())
        files = {"files": file_entries(self.files)} if self.files else {}
        return json_response(job(**{**files, **self.end}))

    def _send_file(self, name: str) -> Response:
        if name in self.files:
            return Response(self.files[name], content_type="application/octet-stream")
        return not_found("no such file")

    def _send_output(self, query: dict[str, str]) -> Response:
        output = self.stdout if query["stream"] == "stdout" else self.stderr
        offset = int(query["offset"])
        data = output[offset : offset + self.step]
        if self.silent_polls and not data:
            self.silent_polls -= 1
        headers = {"Airflow-Remote-Next-Offset": str(offset + len(data))}
        if self.tells_state:
            headers["Airflow-Remote-Job-State"] = (
                "running" if data or self.silent_polls else self.end["state"]
            )
            headers["Airflow-Remote-Output-Sizes"] = f"stdout={len(self.stdout)}, stderr={len(self.stderr)}"
        return Response(data, 200, headers, content_type="text/plain; charset=utf-8")

    def _list_jobs(self, query: dict[str, str]) -> Response:
        """Return a page of at most three jobs."""
        jobs = [entry for entry in self.listed_jobs if entry["id"] < query.get("before", "g")]
        page = jobs[: min(3, int(query["limit"]))]
        following = page[-1]["id"] if len(jobs) > len(page) else None
        return json_response({"jobs": page, "next": following})


@contextlib.contextmanager
def serve_stub() -> Iterator[Stub]:
    """Run a stub on a free port of the loopback interface."""
    stub = Stub()
    stub.reset()
    server = make_server("127.0.0.1", 0, stub, threaded=True, request_handler=QuietRequestHandler)
    stub.url = f"http://127.0.0.1:{server.server_port}"
    with run_in_thread(server):
        yield stub
        stub.may_respond.set()


@contextlib.contextmanager
def run_in_thread(server: socketserver.BaseServer) -> Iterator[None]:
    """Run a server in a thread until the end of the block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
