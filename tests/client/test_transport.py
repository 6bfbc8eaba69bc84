from __future__ import annotations

import json
import socket

import pytest
from conftest import call
from hypothesis import given
from hypothesis import strategies as st
from stub import envelope

from airflow_remote import __version__, transport
from airflow_remote.client import Client
from airflow_remote.errors import LostError, NotTheApiError, UnusableError
from airflow_remote.exit_status import ExitStatus

TOKEN = "s3cret-token"


# What a request carries.


def test_a_request_carries_the_token_and_says_who_asks(stub):
    Client(stub.url, TOKEN).run("version")
    headers = stub.request.headers
    assert headers["rest-api-plugin-http-token"] == TOKEN
    assert headers["user-agent"] == f"airflow-remote/{__version__}"
    assert headers["content-type"] == "application/json"
    assert headers["accept"] == "application/json"
    assert len(headers["idempotency-key"]) == 36
    assert "prefer" not in headers


@pytest.mark.parametrize("token", [None, "", "  "])
def test_without_a_token_none_is_sent(stub, token):
    Client(stub.url, token).run("version")
    assert "rest-api-plugin-http-token" not in stub.request.headers
    assert "authorization" not in stub.request.headers


def test_a_token_that_is_not_ascii_is_sent_as_utf_8(stub):
    Client(stub.url, "gehëim").run("version")
    assert stub.request.headers["rest-api-plugin-http-token"].encode("latin-1") == "gehëim".encode()


@pytest.mark.parametrize("token", ["a\nb", "abc\n", "a\r\nX-Header: b", "a\0b", "a\x7f", "a\x85", "\udcff"])
def test_a_token_that_cannot_stand_in_a_header_is_refused_without_being_shown(stub, token):
    with pytest.raises(UnusableError) as caught:
        Client(stub.url, token)
    assert "the token holds" in str(caught.value)
    assert token not in str(caught.value)
    ended = call("--url", stub.url, "--token", token, "version")
    assert ended.status == ExitStatus.USAGE
    assert ended.says() == "the token holds a line end or another control character"
    assert stub.requests == []


def test_no_password_of_a_netrc_file_is_sent(stub, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("default login somebody password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    Client(stub.url).run("version")
    assert "authorization" not in stub.request.headers


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 1e300])
def test_a_time_out_must_be_one(timeout):
    with pytest.raises(UnusableError, match="time-out must be above 0"):
        Client(timeout=timeout)


# What can come back instead of an answer.


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308, 399])
def test_no_redirect_is_followed(run, stub, status):
    stub.answer(b"", status, {"Location": f"{stub.url}/elsewhere"})
    ended = run("--token", TOKEN, "version")
    assert ended.status == ExitStatus.NOT_THE_API
    assert f"redirects to '{stub.url}/elsewhere'" in ended.says()
    assert "set --url" in ended.says()
    assert len(stub.requests) == 1


def test_a_redirect_to_another_address_of_the_api_says_which_url_to_set(run, stub):
    stub.answer(b"", 308, {"Location": "https://host/pre/admin/rest_api/api/v1.0/version"})
    assert run("version").says().endswith("set --url https://host/pre")


@pytest.mark.parametrize(
    ("body", "status", "kind", "what"),
    [
        (b"<!doctype html><title>Sign in</title>", 200, "text/html; charset=utf-8", "200 with text/html"),
        (b"<h1>Not Found</h1>", 404, "text/html", "404 with text/html"),
        (b"", 200, "application/json", "200 with application/json, not JSON"),
        (b'{"detail": "Not Found"}', 404, "application/json", "404 with JSON of another kind"),
        (b'{"status": "healthy"}', 200, "application/json", "200 with JSON of another kind"),
        (b"[]", 200, "application/json", "JSON of another kind"),
        (b"\xff\xfe\xff", 200, "application/json", "not JSON"),
        (b"[" * 100_000, 200, "application/json", "not JSON"),
        (b"9" * 5000, 200, "application/json", "JSON"),
        (b"Bad Gateway", 502, "text/plain", "the webserver behind it is down or slow"),
    ],
    ids=str,
)
def test_an_answer_of_something_else_is_told_by_url_and_status(run, stub, body, status, kind, what):
    stub.answer(body, status, kind=kind)
    ended = run("version")
    assert ended.status == ExitStatus.NOT_THE_API
    said = ended.says()
    assert said.startswith(f"{stub.url}/admin/rest_api/api/v1.0/version answered {status} with ")
    assert what in said


def test_an_answer_without_end_is_not_read_to_its_end(run, stub, monkeypatch):
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 1000)
    stub.answer(b" " * 100_000)
    ended = run("version")
    assert ended.status == ExitStatus.NOT_THE_API
    assert "answered with over 1000 bytes" in ended.says()


def test_content_that_cannot_be_decoded_is_not_the_api_s(run, stub):
    stub.answer(b"not gzip", headers={"Content-Encoding": "gzip"})
    ended = run("version")
    assert ended.status == ExitStatus.NOT_THE_API
    assert "cannot be decoded" in ended.says()


def test_nobody_there(run):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        ended = call("--url", url, "version")
    assert ended.status == ExitStatus.UNREACHABLE
    assert ended.says() == f"no connection to {url}/admin/rest_api: Connection refused"


def test_a_name_that_nobody_has():
    ended = call("--url", "http://nobody.invalid", "version")
    assert ended.status == ExitStatus.UNREACHABLE
    assert ended.says().startswith("no connection to http://nobody.invalid/admin/rest_api: ")


def test_https_where_http_is_spoken(stub):
    ended = call("--url", stub.url.replace("http:", "https:"), "version")
    assert ended.status == ExitStatus.UNREACHABLE
    assert "no connection to https://127.0.0.1" in ended.says()


def test_an_answer_that_comes_too_late(run, stub):
    stub.released.clear()
    ended = run("--timeout", "0.1", "version")
    assert ended.status == ExitStatus.UNREACHABLE
    said = ended.gives_up()
    assert said.startswith("no answer")
    assert "within 0.1 s (see --timeout); the command may have been run" in said


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
def test_an_answer_that_breaks_off_is_asked_for_three_times_more(raw_stub, data):
    raw_stub.data, raw_stub.count = data, 0
    ended = call("--url", raw_stub.url, "trigger_dag", "x")
    assert ended.status == ExitStatus.UNREACHABLE
    assert len(ended.lines()) == 2
    assert raw_stub.count == 4


def test_a_head_that_breaks_off_cannot_be_told_from_an_empty_answer(raw_stub):
    raw_stub.data, raw_stub.count = b"HTTP/1.1 200 OK\r\nContent-Len", 0
    assert call("--url", raw_stub.url, "trigger_dag", "x").status == ExitStatus.NOT_THE_API
    assert raw_stub.count == 1


def test_a_lost_answer_says_that_the_command_may_have_been_run(raw_stub):
    raw_stub.data = b""
    said = call("--url", raw_stub.url, "trigger_dag", "x").gives_up()
    assert "was lost before the end of the answer" in said
    assert said.endswith("; the command may have been run")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_failure_is_not_tried_again(run, stub, status):
    stub.answer(envelope(status="ERROR", stdout=None, exit_code=None), status, {"Retry-After": "0"})
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
def test_any_junk_is_told(raw_stub, status, body, kind):
    head = f"HTTP/1.1 {status} Whatever\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    raw_stub.data = head.encode("latin-1") + body
    ended = call("--url", raw_stub.url, "--token", TOKEN, "version")
    assert ended.status in (ExitStatus.NOT_THE_API, ExitStatus.UNREACHABLE)
    assert TOKEN not in ended.gives_up()


@given(data=st.binary(max_size=80))
def test_any_bytes_in_place_of_http_are_told(raw_stub, data):
    raw_stub.data = data
    ended = call("--url", raw_stub.url, "version")
    assert ended.status in (ExitStatus.NOT_THE_API, ExitStatus.UNREACHABLE)
    assert ended.gives_up()


@given(status=st.sampled_from([200, 202, 400, 403, 404, 409, 422, 429, 500, 501, 503, 599]), body=ENVELOPES)
def test_what_is_nearly_an_answer_ends_without_a_traceback(shared_stub, status, body):
    shared_stub.reset()
    shared_stub.answer(body, status)
    ended = call("--url", shared_stub.url, "version")
    own = {int(known) for known in ExitStatus}
    assert ended.status in own or isinstance(body.get("exit_code"), int)
    assert 0 <= ended.status <= 255
    assert "Traceback" not in ended.err
    assert "internal error" not in ended.err
    if ended.status == 0:
        assert (status < 300, body["status"], body.get("exit_code") or 0) == (True, "OK", 0)


def test_errors_of_the_python_api_are_of_the_classes_that_it_promises(stub):
    stub.answer(b"", 302, {"Location": "/login"})
    with pytest.raises(NotTheApiError):
        Client(stub.url).run("version")
    stub.released.clear()
    with pytest.raises(LostError):
        Client(stub.url, timeout=0.1).run("version")
