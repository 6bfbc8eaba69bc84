"""The real ``airflow-remote`` against real servers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_remote.exit_status import ExitStatus
from live.concurrency import run_concurrently
from live.database import fetch_rows, fetch_runs
from live.harness import Server
from live.ports import free_port
from live.program import run_client


def test_a_run_is_in_airflows_database(server: Server) -> None:
    done = run_client(
        server, "trigger_dag", "hello_remote", "--run_id", "by_client", "--conf", '{"name": "Zoë"}'
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["dag_run_id"] == "by_client"
    assert fetch_runs(server)["by_client"] == {"name": "Zoë"}


def test_it_prints_what_the_command_printed(server: Server) -> None:
    version, listed = run_concurrently(
        lambda: run_client(server, "version"), lambda: run_client(server, "list_dags")
    )
    assert (version.returncode, version.stdout) == (0, f"{server.release}\n"), version.stderr
    assert listed.returncode == 0, listed.stderr
    read = subprocess.run(
        [sys.executable, "-m", "json.tool"], input=listed.stdout, capture_output=True, text=True, check=True
    )
    assert "hello_remote" in {row["dag_id"] for row in json.loads(read.stdout)}


@pytest.mark.parametrize("url", ["{}/", "{}/admin/rest_api", "{}/admin/rest_api/"])
def test_urls_that_a_user_may_copy_are_accepted(server: Server, url: str) -> None:
    done = run_client(server, "--url", url.format(server.url), "rest_api_plugin_version")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(".") == 2


def test_variables(server: Server, tmp_path: Path) -> None:
    value = "-x 'y' \"z\" $(id) 日本\nline"
    done = run_client(server, "variables", "--set", "by client", value)
    assert done.returncode == 0, done.stderr
    given = tmp_path / "in.json"
    given.write_text(json.dumps({"from_file": "--help", "nested": {"a": 1}}), "utf-8")
    done = run_client(server, "variables", "--import", str(given))
    assert done.returncode == 0, done.stderr
    target = tmp_path / "out.json"
    exported, got, unknown = run_concurrently(
        lambda: run_client(server, "variables", "--export", str(target)),
        lambda: run_client(server, "variables", "--get", "by client"),
        lambda: run_client(server, "variables", "--get", "no such variable"),
    )
    assert (exported.returncode, exported.stdout) == (0, ""), exported.stderr
    expected = {"by client": value, "from_file": "--help", "nested": {"a": 1}}
    assert expected.items() <= json.loads(target.read_text("utf-8")).items()
    assert (got.returncode, got.stdout) == (0, f"{value}\n")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "no such variable" in unknown.stderr


def test_a_dag_file_is_deployed(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "live_by_client.py"
    file.write_text("# no DAG in here\n")
    done = run_client(server, "deploy_dag", str(file))
    assert done.returncode == 0, done.stderr
    deployed = server.home / "dags" / file.name
    assert deployed.read_text() == file.read_text()
    again = run_client(server, "deploy_dag", str(file))
    assert again.returncode == ExitStatus.FAILED
    assert "force" in again.stderr
    deployed.unlink()


def test_a_failing_command_keeps_its_exit_code(server: Server) -> None:
    failing, bad_date = run_concurrently(
        lambda: run_client(server, "list_tasks", "no_such_dag"),
        lambda: run_client(server, "trigger_dag", "hello_remote", "--exec_date", "not-a-date"),
    )
    assert (failing.returncode, failing.stdout) == (1, "")
    assert "no_such_dag" in failing.stderr
    assert bad_date.returncode == 2  # argparse's
    assert "not-a-date" in bad_date.stderr


def test_the_client_has_exit_codes_for_its_own_failures(server: Server) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    results = {
        "unreachable": run_client(server, "--url", nobody, "version"),
        "wrong token": run_client(server, "version", AIRFLOW_REMOTE_TOKEN="wrong"),
        "no token": run_client(server, "version", AIRFLOW_REMOTE_TOKEN=""),
        "wrong option": run_client(server, "trigger_dag", "hello_remote", "--no-such-option"),
        "wrong command": run_client(server, "trigger_dags"),
        "refused argument": run_client(server, "trigger_dag", "hello_remote", "--conf", "[1]"),
        "not the API": run_client(server, "--url", f"{server.url}/health", "version"),
        "no file": run_client(server, "deploy_dag", "no_such_file.py"),
    }
    assert {name: done.returncode for name, done in results.items()} == {
        "unreachable": ExitStatus.UNREACHABLE,
        "wrong token": ExitStatus.REFUSED,
        "no token": ExitStatus.REFUSED,
        "wrong option": ExitStatus.USAGE,
        "wrong command": ExitStatus.USAGE,
        "refused argument": ExitStatus.USAGE,
        "not the API": ExitStatus.NOT_THE_API,
        "no file": ExitStatus.USAGE,
    }
    for name, done in results.items():
        assert done.stdout == "", name
        assert done.stderr.startswith("airflow-remote: "), (name, done.stderr)
        assert done.stderr.count("\n") == 1, (name, done.stderr)
        assert str(server.token) not in done.stderr, name


def test_commands_missing_in_this_airflow(server3: Server) -> None:
    done = run_client(server3, "run", "hello_remote", "hello", "any")
    assert (done.returncode, done.stdout) == (ExitStatus.UNSUPPORTED, "")
    assert "tasks test" in done.stderr


def test_a_token_on_the_command_line_wins(server: Server) -> None:
    done = run_client(
        server, "--token", str(server.token), "rest_api_plugin_version", AIRFLOW_REMOTE_TOKEN="wrong"
    )
    assert done.returncode == 0, done.stderr


def test_the_full_response_can_be_printed(server: Server) -> None:
    done = run_client(server, "--json", "pool", "--set", "by client", "3", "-d")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "OK"
    assert fetch_rows(server, "select slots, description from slot_pool where pool = 'by client'") == [
        (3, "-d")
    ]
