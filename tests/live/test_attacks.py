"""Bytes that no honest client sends, on the real servers: nothing is run by them, and others are served."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from live.conftest import BODY_TIMEOUT
from live.database import runs
from live.harness import PREFIX, Server, eventually

TRIGGER = f"{PREFIX}/api/v1.0/trigger_dag"
VERSION = f"{PREFIX}/api/v1.0/rest_api_plugin_version"
FORM = "Content-Type: application/x-www-form-urlencoded\r\n"


@contextlib.contextmanager
def wire(server: Server) -> Iterator[socket.socket]:
    """A connection to a server."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=60) as connection:
        yield connection


def head(server: Server, line: str, *headers: str, token: bool = True) -> bytes:
    """The beginning of a request, up to its body."""
    known = [f"Host: {urlsplit(server.url).netloc}", *headers]
    known += [f"rest-api-plugin-http-token: {server.token}"] if token else []
    return "\r\n".join([f"{line} HTTP/1.1", *known, "", ""]).encode("latin-1")


def rest(connection: socket.socket) -> bytes:
    """All that a server still says, until it closes."""
    pieces = []
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


def statuses(answer: bytes) -> list[int]:
    """The statuses of the answers on a connection."""
    return [int(part[1:4]) for part in answer.split(b"HTTP/1.1")[1:] if part[:1] == b" "]


def check_it_serves(server: Server) -> None:
    """See that others are served as ever."""
    reply = server.get("rest_api_plugin_version")
    assert reply.status == 200, reply.text


def noted_triggers(server: Server) -> list[dict[str, Any]]:
    """What the audit has of such requests, oldest first."""
    reply = server.ask("/api/v1.0/audit", params={"command": "trigger_dag", "limit": 500})
    return list(reversed(reply["audit"]))


def test_a_body_that_drips_is_given_up_and_others_are_served(server: Server) -> None:
    before, began = runs(server), time.monotonic()
    with wire(server) as connection:
        body = b"dag_id=hello_remote&run_id=dripping"
        connection.sendall(
            head(server, f"POST {TRIGGER}", FORM.strip(), f"Content-Length: {len(body) + 500}")
        )
        connection.sendall(body)
        connection.settimeout(0.5)
        answer = b""
        while not answer and time.monotonic() < began + 60:
            with contextlib.suppress(TimeoutError):
                answer = connection.recv(65536)
            with contextlib.suppress(OSError):
                connection.sendall(b"x")
            check_it_serves(server)
        assert statuses(answer) == [408], answer
    assert BODY_TIMEOUT - 1 < time.monotonic() - began < BODY_TIMEOUT + 20
    assert runs(server) == before


def test_headers_that_never_end_keep_nobody_waiting(server: Server) -> None:
    # Each of gunicorn's two workers serves one connection at a time; what is behind one has to wait for it.
    many = 1 if server.major < 3 else 40
    with contextlib.ExitStack() as stack:
        for _ in range(many):
            connection = stack.enter_context(wire(server))
            connection.sendall(head(server, f"GET {VERSION}")[:-2] + b"X-Slow: x")
        for _ in range(5):
            connection.sendall(b"x")
            check_it_serves(server)


@pytest.mark.parametrize(
    "headers",
    [["X-Long: " + "x" * 70_000], [f"X-{n}: x" for n in range(2000)], ["X-" + "n" * 70_000 + ": x"]],
    ids=["a long value", "many", "a long name"],
)
def test_huge_headers_are_refused(server: Server, headers: list[str]) -> None:
    with wire(server) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(head(server, f"GET {VERSION}", "Connection: close", *headers))
        found = statuses(rest(connection))
    assert found in ([], [400], [413], [431], [200]), found
    if len(headers) == 1:
        assert found != [200]
    check_it_serves(server)


CUT: dict[str, tuple[list[str], bytes]] = {
    # A form whose arguments have all come already, but not the end of the body: it may be another command.
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
def test_a_request_that_breaks_off_runs_nothing(server: Server, headers: list[str], body: bytes) -> None:
    before, noted = runs(server), noted_triggers(server)
    with wire(server) as connection:
        connection.sendall(head(server, f"POST {TRIGGER}", "Connection: close", *headers) + body)
        connection.shutdown(socket.SHUT_WR)
        found = statuses(rest(connection))
    assert found in ([], [400]), found
    # The connection may end before the server has made up its mind.
    [entry] = eventually("it is noted", lambda: noted_triggers(server)[len(noted) :])
    assert (entry["result"], entry["status"], entry["job"]) == ("invalid", 400, "")
    assert runs(server) == before


def test_each_of_several_requests_in_one_piece_needs_its_own_token(server: Server) -> None:
    before = runs(server)
    with wire(server) as connection:
        first = head(server, f"GET {VERSION}")
        second = head(
            server, f"GET {TRIGGER}?dag_id=hello_remote&run_id=piped", "Connection: close", token=False
        )
        connection.sendall(first + second)
        found = statuses(rest(connection))
    assert found in ([200], [200, 403]), found
    assert runs(server) == before


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
def test_what_is_smuggled_behind_a_request_is_not_run(server: Server, headers: list[str]) -> None:
    before = runs(server)
    with wire(server) as connection:
        start = head(server, f"POST {VERSION}", FORM.strip(), *headers)
        connection.sendall(start + b"0\r\n\r\n" + INNER.encode() + b"\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        found = statuses(rest(connection))
    assert all(status < 500 or status == 501 for status in found), found
    assert all(status != 200 for status in found[1:]), found
    assert runs(server) == before
    check_it_serves(server)


def test_nothing_of_all_this_is_a_defect_of_ours(server: Server) -> None:
    log = (server.home / "server.log").read_text("utf-8", "replace")
    assert "The REST API failed on" not in log
    assert "could not be noted in the audit" not in log
