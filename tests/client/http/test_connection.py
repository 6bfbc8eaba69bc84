"""Requests over a connection, and responses that it rejects."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote import __version__
from airflow_remote.client import Client
from airflow_remote.errors import LostError, NotTheApiError, UnusableError
from airflow_remote.exit_status import ExitStatus
from airflow_remote.http import connection, exceptions
from client.program import Run, call
from client.raw_stub import RawStub
from client.responses import envelope
from client.stub import Stub

TOKEN = "s3cret-token"


# Requests.


def test_request_has_token_and_user_agent(stub: Stub) -> None:
    Client(stub.url, TOKEN).run("version")
    headers = stub.request.headers
    assert headers["rest-api-plugin-http-token"] == TOKEN
    assert headers["user-agent"] == f"airflow-remote/{__version__}"
    assert headers["content-type"] == "application/json"
    assert headers["accept"] == "application/json"
    assert len(headers["idempotency-key"]) == 36
    assert "prefer" not in headers
    assert "x-requested-with" not in headers


@pytest.mark.parametrize("token", [None, "", "  "])
def test_blank_token_is_not_sent(stub: Stub, token: str | None) -> None:
    Client(stub.url, token).run("version")
    assert "rest-api-plugin-http-token" not in stub.request.headers
    assert "authorization" not in stub.request.headers
    assert stub.request.headers["x-requested-with"] == "airflow-remote", "without it, nothing may be changed"


def test_non_ascii_token_is_sent_as_utf_8(stub: Stub) -> None:
    Client(stub.url, "gehëim").run("version")
    assert stub.request.headers["rest-api-plugin-http-token"].encode("latin-1") == "gehëim".encode()


@pytest.mark.parametrize("token", ["a\nb", "abc\n", "a\r\nX-Header: b", "a\0b", "a\x7f", "a\x85", "\udcff"])
def test_invalid_token_is_rejected_without_being_shown(stub: Stub, token: str) -> None:
    with pytest.raises(UnusableError) as caught:
        Client(stub.url, token)
    assert "the token contains" in str(caught.value)
    assert token not in str(caught.value)
    completed = call("--url", stub.url, "--token", token, "version")
    assert completed.status == ExitStatus.USAGE
    assert completed.message() == "the token contains a line break or another control character"
    assert stub.requests == []


def test_netrc_password_is_not_sent(stub: Stub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("default login somebody password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    Client(stub.url).run("version")
    assert "authorization" not in stub.request.headers


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 1e300])
def test_invalid_timeout_is_rejected(timeout: float) -> None:
    with pytest.raises(UnusableError, match="timeout must be above 0"):
        Client(timeout=timeout)


# Responses that are not the API's.


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308, 399])
def test_redirects_are_not_followed(run: Run, stub: Stub, status: int) -> None:
    stub.respond(b"", status, {"Location": f"{stub.url}/elsewhere"})
    completed = run("--token", TOKEN, "version")
    assert completed.status == ExitStatus.NOT_THE_API
    assert f"redirects to '{stub.url}/elsewhere'" in completed.message()
    assert "set --url" in completed.message()
    assert len(stub.requests) == 1


def test_redirect_to_the_api_names_the_url_to_set(run: Run, stub: Stub) -> None:
    stub.respond(b"", 308, {"Location": "https://host/pre/admin/rest_api/api/v1.0/version"})
    assert run("version").message().endswith("set --url https://host/pre")


@pytest.mark.parametrize(
    ("body", "status", "kind", "problem"),
    [
        (b"<!doctype html><title>Sign in</title>", 200, "text/html; charset=utf-8", "200 and text/html"),
        (b"<h1>Not Found</h1>", 404, "text/html", "404 and text/html"),
        (b"", 200, "application/json", "200 and application/json, not JSON"),
        (b'{"detail": "Not Found"}', 404, "application/json", "404 and unexpected JSON"),
        (b'{"status": "healthy"}', 200, "application/json", "200 and unexpected JSON"),
        (b"[]", 200, "application/json", "unexpected JSON"),
        (b"\xff\xfe\xff", 200, "application/json", "not JSON"),
        (b"[" * 100_000, 200, "application/json", "not JSON"),
        (b"9" * 5000, 200, "application/json", "JSON"),
        (b"Bad Gateway", 502, "text/plain", "the webserver behind it is down: start it"),
    ],
    ids=str,
)
def test_foreign_response_is_reported_with_url_and_status(
    run: Run, stub: Stub, body: bytes, status: int, kind: str, problem: str
) -> None:
    stub.respond(body, status, kind=kind)
    completed = run("version")
    assert completed.status == ExitStatus.NOT_THE_API
    message = completed.message()
    assert message.startswith(
        f"{stub.url}/admin/rest_api/api/v1.0/version responded with status {status} and "
    )
    assert problem in message


def test_oversized_response_is_rejected(run: Run, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_RESPONSE_BYTES", 1000)
    stub.respond(b" " * 100_000)
    completed = run("version")
    assert completed.status == ExitStatus.NOT_THE_API
    assert "sent over 1000 bytes" in completed.message()


def test_undecodable_content_is_rejected(run: Run, stub: Stub) -> None:
    stub.respond(b"not gzip", headers={"Content-Encoding": "gzip"})
    completed = run("version")
    assert completed.status == ExitStatus.NOT_THE_API
    assert "cannot be decoded" in completed.message()


@pytest.fixture
def silent_address() -> Iterator[str]:
    """Return the address of a server that accepts connections and never sends anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("proxied", [False, True])
def test_handshake_timeout_is_no_lost_response(
    monkeypatch: pytest.MonkeyPatch, silent_address: str, proxied: bool
) -> None:
    monkeypatch.setattr(exceptions, "CONNECT_TIMEOUT", 0.1)
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT", 0.1)
    url = f"https://{silent_address}"
    if proxied:
        url = "https://airflow.invalid"
        monkeypatch.setenv("https_proxy", f"http://{silent_address}")
    completed = call("--url", url, "--timeout", "100", "trigger_dag", "x")
    assert completed.status == ExitStatus.UNREACHABLE
    message = completed.message()
    assert message.startswith(f"no connection to {url}/admin/rest_api")
    assert ": no answer within 0.1 s; check " in message


def test_refused_connection_is_reported(run: Run) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        completed = call("--url", url, "version")
    assert completed.status == ExitStatus.UNREACHABLE
    reason = "Connection refused; check --url, and that the webserver runs"
    assert completed.message() == f"no connection to {url}/admin/rest_api: {reason}"


def test_unknown_host_name_is_reported() -> None:
    completed = call("--url", "http://nobody.invalid", "version")
    assert completed.status == ExitStatus.UNREACHABLE
    assert completed.message().startswith("no connection to http://nobody.invalid/admin/rest_api: ")


def test_https_request_to_an_http_server_is_reported(stub: Stub) -> None:
    completed = call("--url", stub.url.replace("http:", "https:"), "version")
    assert completed.status == ExitStatus.UNREACHABLE
    assert "no connection to https://127.0.0.1" in completed.message()


def test_response_timeout_is_reported(run: Run, stub: Stub) -> None:
    stub.may_respond.clear()
    completed = run("--timeout", "0.1", "version")
    assert completed.status == ExitStatus.UNREACHABLE
    message = completed.final_message()
    assert message.startswith("no response")
    assert "within 0.1 s (see --timeout); the command may have been run" in message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x01\x02",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
    ids=str,
)
def test_incomplete_response_is_retried_three_times(raw_stub: RawStub, data: bytes) -> None:
    raw_stub.data, raw_stub.count = data, 0
    completed = call("--url", raw_stub.url, "trigger_dag", "x")
    assert completed.status == ExitStatus.UNREACHABLE
    assert len(completed.messages()) == 2
    assert raw_stub.count == 4


def test_incomplete_response_header_is_not_retried(raw_stub: RawStub) -> None:
    raw_stub.data, raw_stub.count = b"HTTP/1.1 200 OK\r\nContent-Len", 0
    assert call("--url", raw_stub.url, "trigger_dag", "x").status == ExitStatus.NOT_THE_API
    assert raw_stub.count == 1


def test_lost_response_says_that_the_command_may_have_been_run(raw_stub: RawStub) -> None:
    raw_stub.data = b""
    message = call("--url", raw_stub.url, "trigger_dag", "x").final_message()
    assert "was lost before the end of the response" in message
    assert message.endswith("; the command may have been run")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_failed_command_is_not_retried(run: Run, stub: Stub, status: int) -> None:
    stub.respond(envelope(status="ERROR", stdout=None, exit_code=None), status, {"Retry-After": "0"})
    assert run("trigger_dag", "x").status != 0
    assert len(stub.requests) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = sorted([*envelope(), "warning", "dag_run_id", "result", "error", "job"])
ENVELOPES = st.builds(
    lambda changes, gone: {
        name: value for name, value in {**envelope(), **changes}.items() if name not in gone
    },
    st.dictionaries(
        st.sampled_from(FIELDS), JSON | st.sampled_from(["OK", "ERROR", "", -9, 10**30]), max_size=4
    ),
    st.sets(st.sampled_from(FIELDS), max_size=2),
)


@given(
    status=st.integers(200, 999),
    body=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()),
    kind=st.sampled_from(["application/json", "application/x-ndjson", "text/html", "", "é"]),
)
def test_any_junk_response_is_reported(raw_stub: RawStub, status: int, body: bytes, kind: str) -> None:
    head = f"HTTP/1.1 {status} Whatever\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    raw_stub.data = head.encode("latin-1") + body
    completed = call("--url", raw_stub.url, "--token", TOKEN, "version")
    assert completed.status in (ExitStatus.NOT_THE_API, ExitStatus.UNREACHABLE)
    assert TOKEN not in completed.final_message()


@given(data=st.binary(max_size=80))
def test_any_bytes_instead_of_http_are_reported(raw_stub: RawStub, data: bytes) -> None:
    raw_stub.data = data
    completed = call("--url", raw_stub.url, "version")
    assert completed.status in (ExitStatus.NOT_THE_API, ExitStatus.UNREACHABLE)
    assert completed.final_message()


@given(status=st.sampled_from([200, 202, 400, 403, 404, 409, 422, 429, 500, 501, 503, 599]), body=ENVELOPES)
def test_malformed_envelope_causes_no_traceback(shared_stub: Stub, status: int, body: dict[str, Any]) -> None:
    shared_stub.reset()
    shared_stub.respond(body, status)
    completed = call("--url", shared_stub.url, "version")
    own = {int(known) for known in ExitStatus}
    assert completed.status in own or isinstance(body.get("exit_code"), int)
    assert 0 <= completed.status <= 255
    assert "Traceback" not in completed.err
    assert "internal error" not in completed.err
    if completed.status == 0:
        assert (status < 300, body["status"], body.get("exit_code") or 0) == (True, "OK", 0)


def test_python_api_raises_the_documented_errors(stub: Stub) -> None:
    stub.respond(b"", 302, {"Location": "/login"})
    with pytest.raises(NotTheApiError):
        Client(stub.url).run("version")
    stub.may_respond.clear()
    with pytest.raises(LostError):
        Client(stub.url, timeout=0.1).run("version")
