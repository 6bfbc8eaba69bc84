"""HTTP methods, bodies, unusual bytes and concurrent requests."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from live.concurrency import run_concurrently
from live.database import fetch_runs
from live.harness import PREFIX, Reply, Server

BODIES = ("form", "json", "multipart", "chunked")
TRIGGER = {"dag_id": "hello_remote", "conf": json.dumps({"name": "Zoë & 日本"})}


def send_raw(server: Server, head: str, body: bytes = b"") -> tuple[int, str]:
    """Send raw bytes; return the status and the whole response."""
    address = urlsplit(server.url)
    with closing(socket.create_connection((address.hostname or "", address.port or 0), timeout=60)) as wire:
        token = (
            f"Host: {address.netloc}\r\nConnection: close\r\nrest-api-plugin-http-token: {server.token}\r\n"
        )
        wire.sendall(head.replace("\r\n", f"\r\n{token}", 1).encode("latin-1") + body)
        answer = b"".join(iter(lambda: wire.recv(65536), b""))
    return int(answer.split(b" ", 2)[1]), answer.decode("utf-8", "replace")


def chunks(data: bytes, size: int = 7) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def test_bodies_of_all_kinds(server: Server) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded", "rest-api-plugin-http-token": server.token}

    def arguments(run_id: str) -> dict[str, str]:
        # Airflow 2 uses the current second as a run's date, which must be unique for a DAG.
        return {**TRIGGER, "run_id": run_id, "exec_date": f"2023-01-0{BODIES.index(run_id) + 1}T00:00:00Z"}

    def chunked(run_id: str) -> Reply:
        data = urlencode(arguments(run_id)).encode()
        return server.post("trigger_dag", data=chunks(data), headers=form)

    multipart = {name: (None, value) for name, value in arguments("multipart").items()}
    as_json = {**arguments("json"), "conf": json.loads(TRIGGER["conf"])}
    replies = run_concurrently(
        lambda: server.post("trigger_dag", data=arguments("form")),
        lambda: server.post("trigger_dag", json=as_json),
        lambda: server.post("trigger_dag", files=multipart),
        lambda: chunked("chunked"),
    )
    assert [reply.status for reply in replies] == [200] * 4, [reply.text for reply in replies]
    created = fetch_runs(server)
    for run_id in BODIES:
        assert created[run_id] == {"name": "Zoë & 日本"}


def test_arguments_may_be_split_between_query_and_body(server: Server) -> None:
    reply = server.request(
        "/api/v1.0/trigger_dag?dag-id=hello_remote", "POST", data={"run-id": "in_two_parts"}
    )
    assert reply.status == 200, reply.text
    assert "in_two_parts" in fetch_runs(server)


def test_head_runs_nothing(server: Server) -> None:
    before = fetch_runs(server)
    for path in ("/api/v1.0/trigger_dag?dag_id=hello_remote", "/api?api=trigger_dag&dag_id=hello_remote"):
        reply = server.request(path, "HEAD")
        assert (reply.status, reply.text) == (200, "")
    assert fetch_runs(server) == before


def test_options_and_unsupported_methods(server: Server) -> None:
    for path in ("/api/v1.0/version", "/api"):
        options = server.request(path, "OPTIONS")
        assert (options.status, options.text) == (204, "")
        assert {"GET", "HEAD", "OPTIONS", "POST"} == set(options.headers["Allow"].split(", "))
        for method in ("PUT", "DELETE", "PATCH"):
            reply = server.request(path, method)
            assert (reply.status, reply["status"]) == (405, "ERROR")
            assert "POST" in reply.headers["Allow"]
            assert "POST" in reply["output"]


@pytest.mark.parametrize("query", ["dag_id=h\xe4llo", "dag_id=%ff%fe", "d\xe4g=1", "\xff\xfe"])
def test_invalid_unicode_in_the_query(server: Server, query: str) -> None:
    status, answer = send_raw(server, f"GET {PREFIX}/api/v1.0/list_tasks?{query} HTTP/1.1\r\n\r\n")
    assert 400 <= status < 500, answer
    assert "Traceback" not in answer


def test_unescaped_unicode_in_the_query(server: Server) -> None:
    # "ü" in UTF-8. Clients need not escape it, but some servers reject it with a 400.
    status, answer = send_raw(server, f"GET {PREFIX}/api/v1.0/list_tasks?dag_id=\xc3\xbc HTTP/1.1\r\n\r\n")
    assert status in (400, 404), answer


@pytest.mark.parametrize(
    "path", ["//api/v1.0/version", "/api/v1.0//version", "/api/v1.0/../v1.0/version", "/%00"]
)
def test_unnormalized_paths(server: Server, path: str) -> None:
    status, answer = send_raw(server, f"GET {PREFIX}{path} HTTP/1.1\r\n\r\n")
    assert status < 500, answer
    assert "Traceback" not in answer


def test_an_incomplete_body_blocks_nothing(server: Server) -> None:
    address = urlsplit(server.url)
    with closing(socket.create_connection((address.hostname or "", address.port or 0), timeout=60)) as wire:
        wire.sendall(
            f"POST {PREFIX}/api/v1.0/trigger_dag HTTP/1.1\r\nHost: {address.netloc}\r\n"
            f"rest-api-plugin-http-token: {server.token}\r\nContent-Length: 100\r\n\r\ndag_id=".encode()
        )
        wire.shutdown(socket.SHUT_WR)
        wire.settimeout(60)
        b"".join(iter(lambda: wire.recv(65536), b""))
    assert server.get("rest_api_plugin_version").status == 200


def test_many_concurrent_requests(server: Server) -> None:
    def version() -> Any:
        reply = server.get("version")
        return reply.status, reply["output"]

    assert run_concurrently(*[version] * 20, at_once=20) == [(200, server.release)] * 20
