"""A stream that ends before its command does is recognizable on the wire, and is no fault in the log."""

from __future__ import annotations

import socket
from urllib.parse import urlencode, urlsplit

from live.concurrency import on_both_versions, wait_until
from live.curl import run_curl
from live.harness import PREFIX, Server
from live.jobs import (
    OpenRequest,
    finish_probes,
    probe_arguments,
    submit,
    wait_until_begun,
    wait_until_ended,
)
from live.processes import holders_of_connection

CURLE_PARTIAL_FILE = 18
LAST_CHUNK = b"0\r\n\r\n"


def read_raw_stream(server: Server, arguments: dict[str, str], headers: dict[str, str]) -> bytes:
    """Return all bytes of a streamed response of ``render``."""
    address = urlsplit(server.url)
    body = urlencode(arguments)
    lines = [
        f"POST {PREFIX}/api/v1.0/render HTTP/1.1",
        f"Host: {address.netloc}",
        "Connection: close",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in {**server.credentials, **headers}.items()),
    ]
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=60) as connection:
        connection.sendall("\r\n".join([*lines, "", body]).encode())
        received = bytearray()
        while data := connection.recv(1 << 16):
            received += data
    return bytes(received)


@on_both_versions
def test_cut_stream_has_no_last_chunk(server: Server) -> None:
    name = "cut on the wire"
    log = server.home / "server.log"
    before = len(log.read_bytes())
    arguments = probe_arguments("waits", name)
    # The streams that are cut follow one command that has begun, for which a busy machine may need a second.
    job_id = submit(server, "render", name, **arguments)
    wait_until_begun(server, job_id)
    text, events = {"Accept": "text/plain"}, {"Accept": "application/x-ndjson"}
    cut = {"Prefer": "wait=1", "Idempotency-Key": name}
    answer = read_raw_stream(server, arguments, text | cut)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), answer
    assert b"transfer-encoding: chunked" in head.lower()
    assert b"begun " in body
    assert not body.endswith(LAST_CHUNK)
    words = [
        word
        for header in {**server.credentials, **text, **cut}.items()
        for word in ("--header", ": ".join(header))
    ]
    words += ["--data", urlencode(arguments), f"{server.api}/render"]
    assert run_curl(*words, check=False).returncode == CURLE_PARTIAL_FILE
    # A stream of events is whole: its last event says that the command still runs.
    answer = read_raw_stream(server, arguments, events | cut)
    assert b'"unfinished"' in answer
    assert answer.endswith(LAST_CHUNK)
    finish_probes(server, name)
    wait_until_ended(server, job_id)
    # A whole stream has its last chunk.
    answer = read_raw_stream(server, arguments, text)
    assert answer.endswith(LAST_CHUNK), answer
    assert server.get("health").status == 200
    wait_until("the log has all requests", lambda: log.read_bytes()[before:].count(b"/api/v1.0/render") >= 4)
    assert b"Traceback" not in log.read_bytes()[before:], server.read_log()


@on_both_versions
def test_reader_that_takes_nothing_frees_its_worker(server: Server) -> None:
    before = len((server.home / "server.log").read_bytes())
    arguments = probe_arguments("prints_a_gigabyte", "nobody reads")
    with OpenRequest(server, "render", arguments, Accept="text/plain") as request:
        assert request.worker
        wait_until(
            "the connection is closed",
            lambda: not holders_of_connection(server.web_processes(), request.port),
        )
        received = request.response.read1(1 << 20)
        assert received, "the client could have read"
    assert server.get("health").status == 200
    assert b"Traceback" not in (server.home / "server.log").read_bytes()[before:], server.read_log()
