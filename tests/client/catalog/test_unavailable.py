"""Servers without a usable catalog: the reason is the only message, whatever the command line."""

from __future__ import annotations

import json
import shlex
import socket
from collections.abc import Iterator
from http import HTTPStatus

import pytest
from contract import commands

from airflow_remote.cli import main
from airflow_remote.exit_status import ExitStatus
from client.program import UNREACHABLE_URL, Run, call
from client.raw_stub import RawStub
from client.responses import json_response, not_found
from client.stub import Stub

TOKEN_FAILED = {
    "call_time": "",
    "output": "Token Authentication Failed",
    "response_time": "",
    "status": "ERROR",
}

CLASSIC_LINES = [
    "version",
    "rest_api_plugin_version",
    "list_dags",
    "trigger_dag my_dag --conf {}",
    "backfill my_dag -s 2026-01-01",
    "clear my_dag",
    "test my_dag my_task 2026-01-01",
    "variables",
    "variables --set k v",
    "variables -g k",
    "connections --list",
    "connections -a --conn_id c --conn_uri http://h",
    "pool -g p",
    "scheduler",
    "--detach backfill my_dag -s 2026-01-01",
    "whoami",
    "can-i dags list",
    "audit",
    "job list",
    "job output 0123456789abcdef",
]
"""Command lines that are sent at once."""

LIVE_LINES = [
    "dags",
    "dags list",
    "dags list -o json",
    "dags trigger my_dag --conf {}",
    "tasks clear my_dag -y",
    "variables set a b",
    "variables list",
    "variables import no_such_file.json",
    "connections add c --conn-uri http://h",
    "connections get c",
    "backfill create --dag-id my_dag --from-date 2026-01-01",
    "backfill my_dag no_date",
    "scheduler --only-idle",
    "version --no-such-option",
    "db check",
    "celery list-workers",
    "config get-value core executor",
    "no-such-command",
    "dags --help",
    "dags list --help",
    "variables set -h",
    "--json dags list",
    "--detach variables set a b",
]
"""Command lines whose meaning depends on the catalog."""


def raw_response(status: int, body: str, headers: str = "Content-Type: text/html\r\n") -> bytes:
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


RESPONSES = {
    "refused": raw_response(403, json.dumps(TOKEN_FAILED), "Content-Type: application/json\r\n"),
    "not Airflow": raw_response(404, "<h1>Not Found</h1>"),
    "login page": raw_response(200, "<form>"),
    "redirect": raw_response(302, "", "Location: /login\r\n"),
    "failing": raw_response(500, "<h1>Internal Server Error</h1>"),
    "gateway": raw_response(502, "<h1>Bad Gateway</h1>"),
}

CAUSES = {
    "down": (ExitStatus.UNREACHABLE, "no connection to", "check --url"),
    "slow": (ExitStatus.UNREACHABLE, "within 0.05 s", "see --timeout"),
    "closing": (ExitStatus.UNREACHABLE, "was lost before the end of the response", ""),
    "bad certificate": (ExitStatus.UNREACHABLE, "a certificate that is not trusted", "--cacert"),
    "refused": (ExitStatus.REFUSED, "Token Authentication Failed", "set --token or AIRFLOW_REMOTE_TOKEN"),
    "not Airflow": (ExitStatus.NOT_THE_API, "status 404 and text/html", "check --url"),
    "login page": (ExitStatus.NOT_THE_API, "status 200 and text/html", "check --url"),
    "redirect": (ExitStatus.NOT_THE_API, "redirects to '/login'", "set --url"),
    "failing": (ExitStatus.NOT_THE_API, "status 500 and text/html", "check --url"),
    "gateway": (ExitStatus.NOT_THE_API, "status 502 and text/html", "start it"),
}
"""Exit status, reason and advice for each kind of server."""


@pytest.fixture(scope="module")
def slow_url() -> Iterator[str]:
    """Return the URL of a server that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture(params=CAUSES)
def cause(
    request: pytest.FixtureRequest, raw_stub: RawStub, tls_stub: RawStub, slow_url: str
) -> tuple[str, str]:
    """Return the kind of a server that cannot be used, and its URL."""
    raw_stub.data = RESPONSES.get(request.param, b"")
    urls = {"down": UNREACHABLE_URL, "slow": slow_url, "bad certificate": tls_stub.url}
    return request.param, urls.get(request.param, raw_stub.url)


@pytest.mark.parametrize("line", [*CLASSIC_LINES, *LIVE_LINES])
def test_cause_is_the_only_message(cause: tuple[str, str], line: str) -> None:
    kind, url = cause
    status, reason, advice = CAUSES[kind]
    timeout = ["--timeout", "0.05"] if kind == "slow" else []
    completed = call("--url", url, *timeout, *shlex.split(line))
    assert completed.status == status, completed.err
    message = completed.final_message()
    assert reason in message
    assert advice in message


@pytest.mark.parametrize("line", LIVE_LINES)
def test_server_that_is_too_old_is_the_only_message(stub: Stub, run: Run, line: str) -> None:
    stub.catalog_response = not_found("unknown endpoint 'commands'")
    completed = run(*shlex.split(line))
    assert (completed.status, stub.requests) == (ExitStatus.NOT_THE_API, [])
    assert "too old to list its commands" in completed.message()
    assert completed.message().endswith("update airflow-remote on the server")


@pytest.mark.parametrize(
    "line", [*CLASSIC_LINES, *LIVE_LINES, "trigger_dag", "pool -s p", "variables --nonsense", "job show"]
)
def test_missing_url_comes_first(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.delenv("AIRFLOW_REMOTE_URL")
    monkeypatch.setattr(main, "DEFAULT_URL", UNREACHABLE_URL)
    completed = call(*shlex.split(line))
    assert completed.status == ExitStatus.UNREACHABLE
    assert completed.message().startswith("no URL is set (see --url and AIRFLOW_REMOTE_URL), so the default")


def test_missing_url_is_no_problem_if_the_default_one_works(
    monkeypatch: pytest.MonkeyPatch, stub: Stub
) -> None:
    monkeypatch.delenv("AIRFLOW_REMOTE_URL")
    monkeypatch.setattr(main, "DEFAULT_URL", stub.url)
    stub.catalog = commands()
    assert "missing: DAG_ID" in call("trigger_dag").message()
    assert call("trigger_dag", "x").status == 0


def test_help_without_a_url_sends_no_request(monkeypatch: pytest.MonkeyPatch, stub: Stub) -> None:
    monkeypatch.delenv("AIRFLOW_REMOTE_URL")
    monkeypatch.setattr(main, "DEFAULT_URL", stub.url)
    stub.catalog = commands()
    completed = call("--help")
    assert (completed.status, completed.err, stub.catalog_requests) == (0, "", [])
    assert "Set --url or AIRFLOW_REMOTE_URL to list them." in completed.out
    assert "trigger_dag " in completed.out
    assert call("dags", "list").status == 0
    stub.catalog_requests.clear()
    assert "Manage DAGs" in call("--help").out
    assert stub.catalog_requests == []


def test_missing_url_does_not_concern_local_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_REMOTE_URL")
    monkeypatch.setattr(main, "DEFAULT_URL", UNREACHABLE_URL)
    assert "Missing option '--name'" in call("token", "new").message()
    assert call("token", "new", "--name", "me", "--role", "viewer").status == 0
    assert call("trigger_dag", "--help").status == 0


def test_help_lists_classic_commands_without_server_and_cache() -> None:
    completed = call("--help")
    assert (completed.status, completed.err) == (0, "")
    assert "They could not be loaded: no connection to" in completed.out
    assert "trigger_dag " in completed.out


def test_missing_token_is_reported_instead_of_an_unknown_command(stub: Stub, run: Run) -> None:
    stub.catalog_response = json_response(TOKEN_FAILED, 403)
    completed = run("dags", "list")
    assert completed.status == ExitStatus.REFUSED
    assert "set --token or AIRFLOW_REMOTE_TOKEN" in completed.message()


def test_unknown_catalog_format_asks_for_an_update(stub: Stub, run: Run) -> None:
    stub.catalog = {"format": 2, "commands": []}
    completed = run("dags", "list")
    assert completed.status == ExitStatus.NOT_THE_API
    assert "lists its commands in format 2: update airflow-remote" in completed.message()


def test_old_server_has_only_classic_commands(stub: Stub, run: Run) -> None:
    completed = run("dags", "list")
    assert (completed.status, stub.requests) == (ExitStatus.NOT_THE_API, [])
    assert "too old to list its commands" in completed.message()
    for line in ("variables --set k v", "backfill my_dag -s 2026-01-01", "variables --help", "scheduler -p"):
        completed = run(*line.split())
        assert (completed.status, completed.err) == (0, "")


def test_classic_commands_do_not_request_the_catalog(stub: Stub, run: Run) -> None:
    stub.catalog = commands()
    for line in ("trigger_dag x", "variables", "variables --set k v", "version", "pool -g p", "scheduler"):
        assert run(*line.split()).status == 0
    assert stub.catalog_requests == []


def test_invalid_command_name_sends_no_request(stub: Stub, run: Run) -> None:
    assert run("--", "--version").status == ExitStatus.USAGE
    assert run("a/b").status == ExitStatus.USAGE
    assert stub.catalog_requests == []
