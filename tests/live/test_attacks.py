"""Malformed and malicious requests to real servers: they run nothing, and other clients are still served."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from live.concurrency import PATIENCE, wait_until
from live.conftest import BODY_TIMEOUT
from live.database import fetch_runs
from live.harness import PREFIX, Server

TRIGGER = f"{PREFIX}/api/v1.0/trigger_dag"
VERSION = f"{PREFIX}/api/v1.0/rest_api_plugin_version"
FORM = "Content-Type: application/x-www-form-urlencoded\r\n"


@contextlib.contextmanager
def connect(server: Server) -> Iterator[socket.socket]:
    """Connect to a server."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=60) as connection:
        yield connection


def request_head(server: Server, line: str, *headers: str, token: bool = True) -> bytes:
    """Return the head of a request."""
    known = [f"Host: {urlsplit(server.url).netloc}", *headers]
    known += [f"rest-api-plugin-http-token: {server.token}"] if token else []
    return "\r\n".join([f"{line} HTTP/1.1", *known, "", ""]).encode("latin-1")


def read_to_end(connection: socket.socket) -> bytes:
    """Read from a connection until the server closes it."""
    pieces = []
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


def parse_statuses(answer: bytes) -> list[int]:
    """Return the statuses of the responses on a connection."""
    return [int(part[1:4]) for part in answer.split(b"HTTP/1.1")[1:] if part[:1] == b" "]


def check_others_are_served(server: Server) -> None:
    """Check that the server still serves others."""
    reply = server.get("rest_api_plugin_version")
    assert reply.status == 200, reply.text


def audited_triggers(server: Server) -> list[dict[str, Any]]:
    """Return the audit's entries about trigger_dag, oldest first."""
    reply = server.request("/api/v1.0/audit", params={"command": "trigger_dag", "limit": 500})
    return list(reversed(reply["audit"]))


def test_a_slow_body_times_out_while_others_are_served(server: Server) -> None:
    before, began = fetch_runs(server), time.monotonic()
    with connect(server) as connection:
        body = b"dag_id=hello_remote&run_id=dripping"
        connection.sendall(
            request_head(server, f"POST {TRIGGER}", FORM.strip(), f"Content-Length: {len(body) + 500}")
        )
        connection.sendall(body)
        connection.settimeout(0.5)
        answer = b""
        while not answer and time.monotonic() < began + PATIENCE:
            with contextlib.suppress(TimeoutError):
                answer = connection.recv(65536)
            with contextlib.suppress(OSError):
                connection.sendall(b"x")
            check_others_are_served(server)
        assert parse_statuses(answer) == [408], answer
    assert time.monotonic() - began > BODY_TIMEOUT - 1
    assert fetch_runs(server) == before


def test_endless_headers_do_not_block_others(server: Server) -> None:
    # Each of gunicorn's two workers serves one connection at a time, and other connections wait for it.
    many = 1 if server.major < 3 else 40
    with contextlib.ExitStack() as stack:
        for _ in range(many):
            connection = stack.enter_context(connect(server))
            connection.sendall(request_head(server, f"GET {VERSION}")[:-2] + b"X-Slow: x")
        for _ in range(5):
            connection.sendall(b"x")
            check_others_are_served(server)


@pytest.mark.parametrize(
    "headers",
    [["X-Long: " + "x" * 70_000], [f"X-{n}: x" for n in range(2000)], ["X-" + "n" * 70_000 + ": x"]],
    ids=["a long value", "many", "a long name"],
)
def test_huge_headers_are_refused(server: Server, headers: list[str]) -> None:
    with connect(server) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(request_head(server, f"GET {VERSION}", "Connection: close", *headers))
        response_statuses = parse_statuses(read_to_end(connection))
    assert response_statuses in ([], [400], [413], [431], [200]), response_statuses
    if len(headers) == 1:
        assert response_statuses != [200]
    check_others_are_served(server)


CUT: dict[str, tuple[list[str], bytes]] = {
    # All arguments have arrived, but not the end of the body, so the command may be another one.
    "chunks without their end": (
        [FORM.strip(), "Transfer-Encoding: chunked"],
        b"22\r\ndag_id=hello_remote&run_id=cut_off\r\n",
    ),
    "half a chunk": (
        [FORM.strip(), "Transfer-Encoding: chunked"],
        b"ff\r\ndag_id=hello_remote&run_id=cut_off",
    ),
    "chunks that are none": (
        [FORM.strip(), "Transfer-Encoding: chunked"],
        b"zz\r\ndag_id=hello_remote&run_id=cut_off\r\n0\r\n\r\n",
    ),
    "less than was said": ([FORM.strip(), "Content-Length: 400"], b"dag_id=hello_remote&run_id=cut_off"),
    "half a multipart form": (
        ["Content-Type: multipart/form-data; boundary=b", "Content-Length: 400"],
        b'--b\r\nContent-Disposition: form-data; name="dag_id"\r\n\r\nhello_remote\r\n--b',
    ),
    "a multipart form without its end": (
        ["Content-Type: multipart/form-data; boundary=b", "Content-Length: 82"],
        b'--b\r\nContent-Disposition: form-data; name="dag_id"\r\n\r\nhello_remote\r\n--b\r\nx: y\r\n\r\n',
    ),
}


@pytest.mark.parametrize(("headers", "body"), CUT.values(), ids=CUT)
def test_an_incomplete_request_runs_nothing(server: Server, headers: list[str], body: bytes) -> None:
    before, noted_before = fetch_runs(server), audited_triggers(server)
    with connect(server) as connection:
        connection.sendall(request_head(server, f"POST {TRIGGER}", "Connection: close", *headers) + body)
        connection.shutdown(socket.SHUT_WR)
        response_statuses = parse_statuses(read_to_end(connection))
    assert response_statuses in ([], [400]), response_statuses
    # The connection may close before the server has rejected the request.
    [entry] = wait_until("it is noted", lambda: audited_triggers(server)[len(noted_before) :])
    assert (entry["result"], entry["status"], entry["job"]) == ("invalid", 400, "")
    assert fetch_runs(server) == before


def test_each_pipelined_request_needs_its_own_token(server: Server) -> None:
    before = fetch_runs(server)
    with connect(server) as connection:
        first = request_head(server, f"GET {VERSION}")
        second = request_head(
            server, f"GET {TRIGGER}?dag_id=hello_remote&run_id=piped", "Connection: close", token=False
        )
        connection.sendall(first + second)
        response_statuses = parse_statuses(read_to_end(connection))
    assert response_statuses in ([200], [200, 403]), response_statuses
    assert fetch_runs(server) == before


INNER = f"GET {TRIGGER}?dag_id=hello_remote&run_id=smuggled HTTP/1.1\r\nHost: localhost\r\nX-A: "
SMUGGLED: dict[str, list[str]] = {
    "both lengths": ["Content-Length: 4", "Transfer-Encoding: chunked"],
    "both, the other way": ["Transfer-Encoding: chunked", "Content-Length: 400"],
    "two lengths": ["Content-Length: 5", "Content-Length: 400"],
    "a list of lengths": ["Content-Length: 5, 400"],
    "a length with a sign": ["Content-Length: +5"],
    "a negative length": ["Content-Length: -5"],
    "a length in hexadecimal": ["Content-Length: 0x5"],
    "an unknown encoding": ["Transfer-Encoding: xchunked"],
    "two encodings": ["Transfer-Encoding: chunked, identity"],
    "a blank before the colon": ["Transfer-Encoding : chunked"],
    "a folded line": ["X: y\r\n Transfer-Encoding: chunked"],
    "a vertical tab": ["Transfer-Encoding: \x0bchunked"],
    "a bare line end": ["X: y\nTransfer-Encoding: chunked"],
}


@pytest.mark.parametrize("headers", SMUGGLED.values(), ids=SMUGGLED)
def test_a_smuggled_request_is_not_run(server: Server, headers: list[str]) -> None:
    before = fetch_runs(server)
    with connect(server) as connection:
        start = request_head(server, f"POST {VERSION}", FORM.strip(), *headers)
        connection.sendall(start + b"0\r\n\r\n" + INNER.encode() + b"\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        response_statuses = parse_statuses(read_to_end(connection))
    assert all(status < 500 or status == 501 for status in response_statuses), response_statuses
    assert all(status != 200 for status in response_statuses[1:]), response_statuses
    assert fetch_runs(server) == before
    check_others_are_served(server)


def test_the_log_reports_no_internal_error(server: Server) -> None:
    log = (server.home / "server.log").read_text("utf-8", "replace")
    assert "The REST API failed on" not in log
    assert "could not be recorded in the audit log" not in log
