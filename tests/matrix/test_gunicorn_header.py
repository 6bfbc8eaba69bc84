"""The 2016 plugin's header with each gunicorn that installations use, in a minimal application.

test_release.py and tests/live run real webservers with the gunicorn of each Airflow release.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from live.concurrency import wait_until
from live.harness import python_of
from live.ports import free_port
from live.processes import processes_of_home, wait_until_gone

from matrix.gunicorns import TOKEN, drops_names, gunicorn_environment

UNDERSCORES = "rest_api_plugin_http_token: secret"
UNTRUSTED = ("--forwarded-allow-ips", "192.0.2.1")
"""Options that make no peer of these tests a trusted proxy."""

CONFIG = "python:airflow_remote_server.gunicorn_config"


@contextlib.contextmanager
def run_gunicorn(gunicorn: Path, home: Path, *options: str, way: str = "") -> Iterator[int]:
    """Run gunicorn, and yield its port."""
    port = free_port()
    home.mkdir(exist_ok=True)
    env = gunicorn_environment(gunicorn, home, HEADER_APP_WAY=way)
    argv = [str(python_of("2.11")), "-m", "gunicorn", *options, "--bind", f"127.0.0.1:{port}"]
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen(
            [*argv, "matrix.header_app:app"], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )

    def listens() -> bool:
        assert process.poll() is None, (home / "server.log").read_text()[-3000:]
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until("gunicorn listens", listens, 60)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)
        assert wait_until_gone(lambda: processes_of_home(home), 30) == []


def send_request(port: int, *headers: str) -> tuple[int, Any]:
    """Send a request; return the status and the environ."""
    lines = ("GET /path HTTP/1.1", "Host: localhost", *headers, "Connection: close", "", "")
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall("\r\n".join(lines).encode())
        answer = b""
        while data := connection.recv(1 << 16):
            answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    return status, json.loads(body) if status == 200 else body


def check_headers(port: int, gunicorn: Path) -> None:
    """Check that the header arrives, and that gunicorn's policy is otherwise unchanged."""
    drops = drops_names(gunicorn)
    status, plain = send_request(port, UNDERSCORES)
    assert (status, plain[TOKEN], plain["hint"]) == (200, "secret", "")
    _, mixed = send_request(port, "Rest_Api_Plugin_HTTP_Token:\tsecret ")
    assert mixed[TOKEN].strip() == "secret"
    _, hyphenated = send_request(port, "rest-api-plugin-http-token: secret")
    assert hyphenated[TOKEN] == "secret"
    _, both = send_request(port, UNDERSCORES, "rest-api-plugin-http-token: other")
    assert sorted(both[TOKEN].split(",")) == ["other", "secret"]
    inside = "x-other: rest_api_plugin_http_token: secret"
    _, value = send_request(port, inside)
    assert TOKEN not in value
    assert value["HTTP_X_OTHER"] == "rest_api_plugin_http_token: secret"
    _, other = send_request(
        port, "x_forwarded_for: 9.9.9.9", "x_rest_api_plugin_http_token: secret", "a_b: c"
    )
    assert ("HTTP_A_B" in other, "HTTP_X_FORWARDED_FOR" in other) == (not drops, not drops)
    assert TOKEN not in other
    status, _ = send_request(port, f"rest_api_plugin_http_token: {'x' * 9000}")
    assert status in (400, 431)


def test_the_plugins_patch(gunicorn: Path, tmp_path: Path) -> None:
    """The patch works in the master, as in `airflow webserver`, for an untrusted peer."""
    with run_gunicorn(gunicorn, tmp_path / "home", "--preload", *UNTRUSTED, way="plugin") as port:
        check_headers(port, gunicorn)
        if drops_names(gunicorn) and not gunicorn.name.startswith(LETS_TWO_NAMES_IN):
            _, shifted = send_request(port, UNDERSCORES, "script_name: /pa", "path_info: /x")
            assert (shifted["SCRIPT_NAME"], shifted["PATH_INFO"]) == ("", "/path")
        log = (tmp_path / "home" / "server.log").read_text()
    assert "drops rest_api_plugin_http_token" not in log


def test_the_gunicorn_config(gunicorn: Path, tmp_path: Path) -> None:
    with run_gunicorn(gunicorn, tmp_path / "home", "-c", CONFIG) as port:
        check_headers(port, gunicorn)
        if drops_names(gunicorn):
            _, shifted = send_request(port, UNDERSCORES, "script_name: /pa", "path_info: /x")
            assert (shifted["SCRIPT_NAME"], shifted["PATH_INFO"]) == ("", "/path")
        log = (tmp_path / "home" / "server.log").read_text()
    assert "drops rest_api_plugin_http_token" not in log


LETS_TWO_NAMES_IN = tuple(f"gunicorn-{version}-gunicorn_h1c" for version in ("25.2.0", "25.3.0"))
"""With the C parser, these accept script_name and path_info from any peer by themselves."""


def test_keep_alive_and_a_policy_that_refuses_underscores(gunicorn: Path, tmp_path: Path) -> None:
    """The worker uses threads, since those keep connections open."""
    refuse = ("--header-map", "refuse") if drops_names(gunicorn) else ()
    threads = ("--worker-class", "gthread", "--threads", "2")
    with run_gunicorn(gunicorn, tmp_path / "home", *refuse, *threads, way="plugin") as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        with contextlib.closing(connection):
            connection.connect()
            kept = connection.sock
            for token in ("first", "second", "third"):
                connection.request("GET", "/path", headers={"rest_api_plugin_http_token": token})
                assert json.loads(connection.getresponse().read())[TOKEN] == token
            assert connection.sock is kept
        assert send_request(port, "a_b: c")[0] == (400 if refuse else 200)
