"""The program: global options, exit statuses and messages."""

from __future__ import annotations

import signal
import sys

import pytest

import airflow_remote
from airflow_remote.cli import context
from airflow_remote.exit_status import ExitStatus
from client.program import PATIENCE, Run, Start, call
from client.responses import STARTED, envelope, finished_event, output_event
from client.stub import Stub

TOKEN = "s3cret-token"

# Global options.


def test_option_overrides_the_environment(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_REMOTE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AIRFLOW_REMOTE_TOKEN", "from the environment")
    assert call("--url", stub.url, "--token", TOKEN, "version").status == 0
    assert stub.request.headers["rest-api-plugin-http-token"] == TOKEN


def test_environment_is_used_without_an_option(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_REMOTE_URL", stub.url)
    monkeypatch.setenv("AIRFLOW_REMOTE_TOKEN", TOKEN)
    assert call("version").status == 0
    assert stub.request.headers["rest-api-plugin-http-token"] == TOKEN


def test_empty_token_option_sends_no_token(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_REMOTE_TOKEN", TOKEN)
    assert call("--url", stub.url, "--token", "", "version").status == 0
    assert "rest-api-plugin-http-token" not in stub.request.headers


def test_default_url_is_airflow_on_localhost(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def exit_instead(*settings: object) -> None:
        calls.append(settings)
        sys.exit(7)

    monkeypatch.delenv("AIRFLOW_REMOTE_URL")
    monkeypatch.setattr("airflow_remote.client.Client", exit_instead)
    with pytest.raises(SystemExit):
        call("version")
    [settings] = calls
    assert list(settings[:3]) == ["http://localhost:8080", "", 150.0]


def test_help_works_with_invalid_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_REMOTE_URL", "nonsense")
    monkeypatch.setenv("AIRFLOW_REMOTE_TOKEN", "a\nb")
    assert call("--help").status == 0
    assert call("version", "--help").status == 0
    assert call("version").status == ExitStatus.USAGE


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "1e300", "soon"])
def test_invalid_timeout_is_a_usage_error(run: Run, value: str) -> None:
    completed = run("--timeout", value, "version")
    assert completed.status == ExitStatus.USAGE
    assert completed.message()


def test_version_option_prints_the_version() -> None:
    completed = call("--version")
    assert (completed.status, completed.out) == (0, f"airflow-remote {airflow_remote.__version__}\n")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ([], "Missing command"),
        (["--nonsense", "version"], "No such option"),
        (["--url"], "requires an argument"),
        (["rest_api_plugin_version", "--url", "x"], "No such option"),
        (["--", "--version"], "no such command: '--version'"),
    ],
    ids=str,
)
def test_usage_error_is_one_line(line: list[str], reason: str) -> None:
    completed = call(*line)
    assert completed.status == ExitStatus.USAGE
    assert reason in completed.message()
    assert completed.message().endswith("--help)")


def test_help_explains_environment_variables_and_exit_statuses() -> None:
    completed = call("--help")
    assert completed.status == 0
    text = " ".join(completed.out.split())
    for status in ExitStatus:
        assert f" {int(status)} {status.meaning}" in text
    for name in ("AIRFLOW_REMOTE_URL", "AIRFLOW_REMOTE_TOKEN", "AIRFLOW_REMOTE_DEBUG"):
        assert name in text


@pytest.mark.parametrize("live", [True, False])
def test_reason_on_standard_output_is_not_repeated(run: Run, stub: Stub, live: bool) -> None:
    failure = {"status": "ERROR", "output": "testing is off", "stdout": "testing is off\n", "exit_code": 1}
    if live:
        stub.stream(STARTED, output_event("testing is off\n"), finished_event(**failure))
    else:
        stub.respond(envelope(**failure), 422)
    completed = run("version")
    assert (completed.status, completed.out, completed.err) == (1, "testing is off\n", "")


def test_help_has_no_colors() -> None:
    assert "\x1b" not in call("--help").out


# Exit statuses and messages.


def test_exit_code_of_the_command_is_the_exit_status(stub: Stub, start: Start) -> None:
    stub.respond(envelope(status="ERROR", output="no", stdout="out", stderr="no\n", exit_code=75), 422)
    process = start("--url", stub.url, "version")
    assert process.communicate(timeout=PATIENCE) == (b"out", b"no\n")
    assert process.returncode == 75


def test_unprinted_message_is_added(run: Run, stub: Stub) -> None:
    stub.respond(envelope(status="ERROR", output="because", stdout="", stderr="log", exit_code=1), 422)
    completed = run("version")
    assert (completed.status, completed.err) == (1, "log\nairflow-remote: because\n")


def test_failure_never_exits_with_0(run: Run, stub: Stub) -> None:
    for code in (0, None, 256, -128):
        stub.respond(envelope(status="ERROR", output="because", exit_code=code), 422)
        assert run("version").status == 1


def test_server_message_is_one_line(run: Run, stub: Stub) -> None:
    stub.respond(
        envelope(status="ERROR", output="two\r\nlines\x1b[2J", stdout=None, stderr=None, exit_code=None), 400
    )
    assert run("version").message() == "two lines [2J"


def test_ctrl_c_exits_with_130_and_one_line(stub: Stub, start: Start) -> None:
    stub.may_respond.clear()
    process = start("--url", stub.url, "version")
    assert stub.request_arrived.wait(PATIENCE)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == ExitStatus.INTERRUPTED
    assert out == b""
    assert err == b"airflow-remote: interrupted; a command that was sent may still be running on the server\n"


def test_internal_error_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(f"lost\nthe {TOKEN}")

    monkeypatch.setattr("airflow_remote.client.Client", fail)
    completed = run("--token", TOKEN, "version")
    assert completed.status == ExitStatus.SERVER_ERROR
    assert (
        completed.message()
        == "internal error: RuntimeError: lost the *** (AIRFLOW_REMOTE_DEBUG=1 shows the traceback)"
    )


def test_debug_mode_shows_the_traceback_without_the_token(
    run: Run, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_REMOTE_DEBUG", "1")
    stub.respond(f"you sent {TOKEN}".encode(), 302, {"Location": f"/{TOKEN}"})
    completed = run("--token", TOKEN, "version")
    assert completed.status == ExitStatus.NOT_THE_API
    assert "Traceback (most recent call last)" in completed.err
    assert "redirects to '/***'" in completed.err
    assert TOKEN not in completed.err


def test_token_is_masked_in_messages(run: Run, stub: Stub) -> None:
    stub.respond(
        envelope(status="ERROR", output=f"not {TOKEN}", stdout=None, stderr=None, exit_code=None), 400
    )
    assert run("--token", TOKEN, "version").message() == "not ***"


def test_token_is_not_in_the_repr_of_the_context() -> None:
    assert TOKEN not in repr(context.CliContext(token=TOKEN))
