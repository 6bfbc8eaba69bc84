from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import call, environment
from contract import commands
from stub import envelope

import airflow_remote
from airflow_remote import cli, invocation
from airflow_remote.exit_status import ExitStatus

TOKEN = "s3cret-token"
FORBIDDEN = {"airflow", "airflow_remote_server", "werkzeug", "flask"}

# The global options.


def test_an_option_wins_over_the_environment(stub, monkeypatch):
    monkeypatch.setenv("AIRFLOW_REMOTE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AIRFLOW_REMOTE_TOKEN", "from the environment")
    assert call("--url", stub.url, "--token", TOKEN, "version").status == 0
    assert stub.request.headers["rest-api-plugin-http-token"] == TOKEN


def test_the_environment_is_used_without_an_option(stub, monkeypatch):
    monkeypatch.setenv("AIRFLOW_REMOTE_URL", stub.url)
    monkeypatch.setenv("AIRFLOW_REMOTE_TOKEN", TOKEN)
    assert call("version").status == 0
    assert stub.request.headers["rest-api-plugin-http-token"] == TOKEN


def test_an_empty_token_option_sends_none(stub, monkeypatch):
    monkeypatch.setenv("AIRFLOW_REMOTE_TOKEN", TOKEN)
    assert call("--url", stub.url, "--token", "", "version").status == 0
    assert "rest-api-plugin-http-token" not in stub.request.headers


def test_the_default_is_airflow_s_own_port_on_this_machine(monkeypatch):
    seen = []
    monkeypatch.delenv("AIRFLOW_REMOTE_URL")
    monkeypatch.setattr(invocation, "Client", lambda *settings: seen.append(settings) or exit(7))
    with pytest.raises(SystemExit):
        call("version")
    [settings] = seen
    assert list(settings[:3]) == ["http://localhost:8080", "", 150.0]


def test_a_wrong_setting_does_not_stand_in_the_way_of_help(monkeypatch):
    monkeypatch.setenv("AIRFLOW_REMOTE_URL", "nonsense")
    monkeypatch.setenv("AIRFLOW_REMOTE_TOKEN", "a\nb")
    assert call("--help").status == 0
    assert call("version", "--help").status == 0
    assert call("version").status == ExitStatus.USAGE


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "1e300", "soon"])
def test_a_time_out_that_is_none_is_refused_in_one_line(run, value):
    ended = run("--timeout", value, "version")
    assert ended.status == ExitStatus.USAGE
    assert ended.says()


def test_the_version_is_shown():
    ended = call("--version")
    assert (ended.status, ended.out) == (0, f"airflow-remote {airflow_remote.__version__}\n")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ([], "Missing command"),
        (["--nonsense", "version"], "No such option"),
        (["--url"], "requires an argument"),
        (["version", "--url", "x"], "No such option"),
        (["--", "--version"], "no such command: '--version'"),
    ],
    ids=str,
)
def test_a_wrong_command_line_is_one_line_and_exit_status_2(line, reason):
    ended = call(*line)
    assert ended.status == ExitStatus.USAGE
    assert reason in ended.says()
    assert ended.says().endswith("--help)")


def test_the_help_explains_the_environment_and_every_exit_status():
    ended = call("--help")
    assert ended.status == 0
    text = " ".join(ended.out.split())
    for status in ExitStatus:
        assert f" {int(status)} {status.meaning}" in text
    for name in ("AIRFLOW_REMOTE_URL", "AIRFLOW_REMOTE_TOKEN", "AIRFLOW_REMOTE_DEBUG"):
        assert name in text


def test_no_colours_are_used():
    assert "\x1b" not in call("--help").out


# How it ends.


def test_a_command_s_own_exit_code_is_the_exit_status_of_the_process(stub, start):
    stub.answer(envelope(status="ERROR", output="no", stdout="out", stderr="no\n", exit_code=75), 422)
    process = start("--url", stub.url, "version")
    assert process.communicate(timeout=30) == (b"out", b"no\n")
    assert process.returncode == 75


def test_a_message_that_the_command_has_not_printed_is_added(run, stub):
    stub.answer(envelope(status="ERROR", output="because", stdout="", stderr="log", exit_code=1), 422)
    ended = run("version")
    assert (ended.status, ended.err) == (1, "log\nairflow-remote: because\n")


def test_a_failure_never_ends_with_0(run, stub):
    for code in (0, None, 256, -128):
        stub.answer(envelope(status="ERROR", output="because", exit_code=code), 422)
        assert run("version").status == 1


def test_a_message_of_the_server_is_one_line(run, stub):
    stub.answer(
        envelope(status="ERROR", output="two\r\nlines\x1b[2J", stdout=None, stderr=None, exit_code=None), 400
    )
    assert run("version").says() == "two lines [2J"


def test_ctrl_c_ends_it_with_130_and_one_line(stub, start):
    stub.released.clear()
    process = start("--url", stub.url, "version")
    assert stub.arrived.wait(30)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == ExitStatus.INTERRUPTED
    assert out == b""
    assert err == b"airflow-remote: interrupted; a command that was sent may still be running on the server\n"


def test_a_defect_of_ours_is_one_line(run, monkeypatch):
    def fail(*_: object) -> None:
        raise RuntimeError(f"lost\nthe {TOKEN}")

    monkeypatch.setattr(invocation, "Client", fail)
    ended = run("--token", TOKEN, "version")
    assert ended.status == ExitStatus.SERVER_ERROR
    assert ended.says() == "internal error: RuntimeError: lost the *** (AIRFLOW_REMOTE_DEBUG=1 shows where)"


def test_debugging_shows_the_traceback_without_the_token(run, stub, monkeypatch):
    monkeypatch.setenv("AIRFLOW_REMOTE_DEBUG", "1")
    stub.answer(f"you sent {TOKEN}".encode(), 302, {"Location": f"/{TOKEN}"})
    ended = run("--token", TOKEN, "version")
    assert ended.status == ExitStatus.NOT_THE_API
    assert "Traceback (most recent call last)" in ended.err
    assert "redirects to '/***'" in ended.err
    assert TOKEN not in ended.err


def test_a_token_that_a_server_sends_back_is_masked_in_our_words(run, stub):
    stub.answer(
        envelope(status="ERROR", output=f"not {TOKEN}", stdout=None, stderr=None, exit_code=None), 400
    )
    assert run("--token", TOKEN, "version").says() == "not ***"


def test_the_token_is_in_no_repr_of_the_settings():
    assert TOKEN not in repr(cli.Invocation(token=TOKEN))


# What it loads.

IMPORTED = """
import os, sys
from airflow_remote.cli import main
status = main(sys.argv[1:])
sys.stdout.flush()
os.write(2, " ".join(sorted({name.partition(".")[0] for name in sys.modules})).encode())
sys.exit(status)
"""


def imported(*argv):
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *argv], env=environment(), capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


def test_neither_airflow_nor_the_server_is_ever_imported(stub, tmp_path):
    (tmp_path / "dag.py").write_text("pass")
    found = imported("--url", stub.url, "deploy_dag", str(tmp_path / "dag.py"))
    assert "requests" in found
    assert not FORBIDDEN & found


@pytest.mark.parametrize(
    "line",
    [["--help"], ["--version"], ["trigger_dag", "--help"], ["dags", "--help"], ["dags", "trigger", "--help"]],
    ids=" ".join,
)
def test_help_does_without_what_a_request_needs(stub, line):
    stub.catalogue = commands()
    call("--url", stub.url, "--help")
    stub.asked.clear()
    found = imported("--url", stub.url, *line)
    assert stub.asked == []
    assert "click" in found
    assert not {"requests", "urllib3", "http", "ssl", "email", *FORBIDDEN} & found


def test_no_module_of_the_client_imports_the_server_or_airflow_even_late():
    found = set()
    for path in Path(airflow_remote.__file__).parent.glob("*.py"):
        found |= set(re.findall(r"^\s*(?:from|import) (\w+)", path.read_text("utf-8"), re.MULTILINE))
    assert {"airflow_remote", "requests"} <= found
    assert not FORBIDDEN & found
