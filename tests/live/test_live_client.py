"""Commands of ``airflow`` work with the real ``airflow-remote`` on real servers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from client.terminal import run_in_terminal

from airflow_remote.exit_status import ExitStatus
from live.concurrency import on_both_versions, run_concurrently
from live.database import fetch_rows, fetch_runs
from live.harness import Server
from live.program import run_client


def run_successfully(
    server: Server, *words: str, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command, which must succeed."""
    ended = run_client(server, *words, cwd=cwd)
    assert ended.returncode == 0, (words, ended.stdout, ended.stderr)
    return ended


def test_a_run_is_triggered_and_its_json_can_be_read(server: Server) -> None:
    line = ["dags", "trigger", "hello_remote", "--run_id", "by_live_client", "--conf", '{"name": "Zoë"}']
    triggered = run_successfully(server, *line, "-o", "json")
    tool = [sys.executable, "-m", "json.tool"]
    read = subprocess.run(tool, input=triggered.stdout, capture_output=True, text=True, check=True)
    assert json.loads(read.stdout)[0]["dag_run_id"] == "by_live_client"
    assert fetch_runs(server)["by_live_client"] == {"name": "Zoë"}


def test_variables_are_exported_to_and_imported_from_local_files(server: Server, tmp_path: Path) -> None:
    value = "-x 'y' \"z\" $(id) 日本\nline --"
    run_successfully(server, "variables", "set", "--", "live client", value)
    (tmp_path / "in.json").write_text(json.dumps({"live file": "--help", "live nested": {"a": 1}}), "utf-8")
    run_successfully(server, "variables", "import", "in.json", cwd=tmp_path)
    exported = run_successfully(server, "variables", "export", "./out.json", cwd=tmp_path)
    assert "successfully exported to out.json" in exported.stdout
    expected = {"live client": value, "live file": "--help", "live nested": {"a": 1}}
    assert expected.items() <= json.loads((tmp_path / "out.json").read_text("utf-8")).items()
    got, printed, skipped = run_concurrently(
        lambda: run_successfully(server, "variables", "get", "live client"),
        lambda: run_successfully(server, "variables", "export", "-", cwd=tmp_path),
        lambda: run_client(server, "variables", "import", "-a", "fail", "in.json", cwd=tmp_path),
    )
    assert got.stdout == f"{value}\n"
    assert expected.items() <= json.loads(printed.stdout).items()
    assert (skipped.returncode, "live file" in skipped.stderr) == (1, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.json", "out.json"]
    piped = run_client(server, "variables", "import", "/dev/stdin", stdin='{"live pipe": "v"}')
    assert (piped.returncode, "1 of 1 variables" in piped.stdout) == (0, True), piped.stderr


def test_connections_are_exported_to_and_imported_from_local_files(server: Server, tmp_path: Path) -> None:
    line = ["connections", "add", "live_client", "--conn-type", "generic", "--conn-host", "there"]
    run_successfully(server, *line, "--conn-password", "s3cret-of-it", '--conn_extra={"a": 1}')
    for name in ("out.yaml", "out.json", "out.env"):
        run_successfully(server, "connections", "export", name, cwd=tmp_path)
    assert "live_client=generic://" in (tmp_path / "out.env").read_text()
    assert "\nlive_client:\n" in "\n" + (tmp_path / "out.yaml").read_text()
    stored = json.loads((tmp_path / "out.json").read_text())["live_client"]
    assert (stored["host"], stored["password"]) == ("there", "s3cret-of-it")
    run_successfully(server, "connections", "delete", "live_client")
    (tmp_path / "in.json").write_text(json.dumps({"live_client": {**stored, "host": "elsewhere"}}))
    run_successfully(server, "connections", "import", str(tmp_path / "in.json"))
    assert fetch_rows(server, "select host from connection where conn_id = 'live_client'") == [("elsewhere",)]
    run_successfully(server, "connections", "delete", "live_client")


def test_pools_are_exported_to_and_imported_from_local_files(server: Server, tmp_path: Path) -> None:
    run_successfully(server, "pools", "set", "live client", "3", "its text")
    run_successfully(server, "pools", "export", str(tmp_path / "pools.json"))
    stored = json.loads((tmp_path / "pools.json").read_text())
    assert stored["live client"]["slots"] == 3
    (tmp_path / "in.json").write_text(json.dumps({"live client": {**stored["live client"], "slots": 4}}))
    run_successfully(server, "pools", "import", str(tmp_path / "in.json"))
    query = "select slots, description from slot_pool where pool = 'live client'"
    assert fetch_rows(server, query) == [(4, "its text")]
    run_successfully(server, "pools", "delete", "live client")


def test_missing_and_unwritable_files_run_nothing(server: Server, tmp_path: Path) -> None:
    missing, unwritable = run_concurrently(
        lambda: run_client(server, "variables", "import", "missing.json", cwd=tmp_path),
        lambda: run_client(server, "variables", "export", "missing/out.json", cwd=tmp_path),
    )
    assert (missing.returncode, unwritable.returncode) == (ExitStatus.USAGE, ExitStatus.LOCAL_FILE)
    assert missing.stderr == "airflow-remote: no such file: 'missing.json'\n"
    assert unwritable.stderr.startswith("airflow-remote: cannot write 'missing/out.json'")


def test_commands_of_a_provider_work(server3: Server, tmp_path: Path) -> None:
    line = ["kubernetes", "generate-dag-yaml", "hello_remote", "--logical-date", "2026-01-01"]
    workers, _ = run_concurrently(
        lambda: run_client(server3, "celery", "list-workers"),
        lambda: run_successfully(server3, *line, "-o", "yamls", cwd=tmp_path),
    )
    # It reaches the point where it needs the broker, which the tests do not have.
    assert workers.returncode == 1
    assert f"127.0.0.1:{server3.ports['broker']}" in workers.stderr
    [written] = (tmp_path / "yamls").rglob("*.yml")
    assert "dag_id: hello_remote" in written.read_text()


def test_unavailable_commands_of_a_provider_say_what_they_need(server2: Server) -> None:
    ended = run_client(server2, "celery", "list-workers")
    assert (ended.returncode, ended.stdout) == (ExitStatus.UNSUPPORTED, "")
    assert "it needs a Celery executor" in ended.stderr


def test_roles_and_users_of_the_auth_manager(server2: Server, tmp_path: Path) -> None:
    run_successfully(server2, "roles", "create", "LiveReader", "LiveWriter")
    run_successfully(
        server2, "roles", "add-perms", "LiveReader", "-a", "can_read", "can_edit", "-r", "DAGs", "Pools"
    )
    listed = run_successfully(server2, "roles", "list", "-p", "-o", "json").stdout
    actions = {entry["action"] for entry in json.loads(listed) if entry["name"] == "LiveReader"}
    assert {word for action in actions for word in action.split(",")} == {"can_read", "can_edit"}
    create = [
        "users",
        "create",
        "-u",
        "live",
        "-r",
        "LiveReader",
        "-e",
        "l@example.com",
        "-f",
        "L",
        "-l",
        "C",
    ]
    asked = run_client(server2, *create)
    assert (asked.returncode, asked.stdout) == (ExitStatus.USAGE, "")
    assert "needs a value for --password" in asked.stderr
    run_successfully(server2, *create, "--password", "s3cret-of-it")
    run_successfully(server2, "users", "export", "users.json", cwd=tmp_path)
    users = {user["username"]: user for user in json.loads((tmp_path / "users.json").read_text())}
    assert users["live"]["roles"] == ["LiveReader"]
    run_successfully(server2, "users", "delete", "-u", "live")


@on_both_versions
def test_rejected_commands_print_one_line_and_have_their_own_status(server: Server) -> None:
    former = ("tasks", "run") if server.major == 3 else ("initdb",)
    results = {
        "refused": run_client(server, "db", "shell"),
        "refused argument": run_client(server, "scheduler", "--pid", "/tmp/x"),
        "unknown": run_client(server, "dgs", "list"),
        "unknown in a group": run_client(server, "dags", "lst"),
        "renamed": run_client(server, *former),
        "asks": run_client(server, "dags", "delete", "no_such_dag"),
        "asks too": run_client(server, "db", "clean", "--clean-before-timestamp", "2020-01-01"),
        "wrong option": run_client(server, "dags", "trigger", "hello_remote", "--no-such-option"),
        "wrong token": run_client(server, "dags", "list", AIRFLOW_REMOTE_TOKEN="wrong"),
    }
    assert {name: ended.returncode for name, ended in results.items()} == {
        "refused": ExitStatus.REFUSED,
        "refused argument": ExitStatus.USAGE,
        "unknown": ExitStatus.USAGE,
        "unknown in a group": ExitStatus.USAGE,
        "renamed": ExitStatus.UNSUPPORTED,
        "asks": ExitStatus.USAGE,
        "asks too": ExitStatus.USAGE,
        "wrong option": ExitStatus.USAGE,
        "wrong token": ExitStatus.REFUSED,
    }
    for name, ended in results.items():
        assert ended.stdout == "", name
        assert ended.stderr.startswith("airflow-remote: "), (name, ended.stderr)
        assert ended.stderr.count("\n") == 1, (name, ended.stderr)
    assert "it needs a terminal" in results["refused"].stderr
    assert "did you mean 'dags'?" in results["unknown"].stderr
    assert "did you mean 'list'?" in results["unknown in a group"].stderr
    assert ("tasks test" if server.major == 3 else "db migrate") in results["renamed"].stderr
    assert "pass --yes" in results["asks"].stderr


@on_both_versions
def test_a_failing_command_keeps_its_exit_code(server: Server) -> None:
    of = ["-d", "hello_remote"] if server.major == 2 else ["hello_remote"]
    unknown, bad_date, dry = run_concurrently(
        lambda: run_client(server, "dags", "delete", "no_such_dag", "--yes"),
        lambda: run_client(server, "dags", "list-runs", *of, "-s", "soon"),
        lambda: run_client(server, "db", "clean", "--clean-before-timestamp", "2020-01-01", "--dry-run"),
    )
    assert (unknown.returncode, "no_such_dag" in unknown.stderr) == (1, True)
    assert bad_date.returncode == 2
    assert dry.returncode == 0, dry.stderr


@on_both_versions
def test_help_matches_the_servers_airflow(server: Server) -> None:
    program, group, command = (
        run_successfully(server, *words, "--help").stdout for words in ((), ("dags",), ("dags", "trigger"))
    )
    assert "\n  dags " in program
    assert "Trigger a new DAG run" in group
    assert "--exec-date" in command if server.major == 2 else "--logical-date" in command
    for words in (("variables",), ("db", "clean"), ("connections", "add")):
        assert run_successfully(server, *words, "-h").stdout.startswith(
            f"Usage: airflow-remote {' '.join(words)} "
        )


def test_a_service_is_a_job_that_can_be_stopped(server: Server) -> None:
    started = run_successfully(server, "triggerer", "--daemon").stdout
    assert started.startswith("triggerer is running as job ")
    job = started.split()[-1]
    stopped = run_successfully(server, "job", "stop", job).stdout
    assert stopped == "stopped\n" or stopped.endswith("force kills it\n")
    run_successfully(server, "job", "wait", job)


def test_files_of_a_detached_command_are_fetched_later(server: Server, tmp_path: Path) -> None:
    started = run_successfully(server, "--detach", "pools", "export", "later.json", cwd=tmp_path)
    job = started.stdout.strip()
    assert f"airflow-remote job download {job}" in started.stderr
    run_successfully(server, "job", "wait", job)
    assert run_successfully(server, "job", "files", job).stdout.splitlines()[1].endswith("  later.json")
    assert (
        run_successfully(server, "job", "download", job, "--to", "there", cwd=tmp_path).stdout
        == "later.json\n"
    )
    assert "default_pool" in json.loads((tmp_path / "there" / "later.json").read_text())


def test_the_servers_catalog_is_cached(server: Server) -> None:
    run_successfully(server, "dags", "list")
    [kept] = (server.home / "client-cache" / "commands").glob("*.json")
    before = kept.stat()
    run_successfully(server, "dags", "list")
    after = kept.stat()
    assert after.st_ino == before.st_ino  # it was not written again
    assert after.st_mtime_ns > before.st_mtime_ns  # the response has confirmed it
    run_successfully(server, "dags", "--help")
    assert kept.stat().st_mtime_ns == after.st_mtime_ns


def test_a_failed_command_shows_the_last_line_of_its_traceback(server: Server) -> None:
    line = ["dags", "trigger", "nope"]
    unknown, whole, invalid = run_concurrently(
        lambda: run_client(server, *line),
        lambda: run_client(server, "--verbose", *line),
        lambda: run_client(server, "dags", "trigger", "hello_remote", "--conf", "{bad"),
    )
    for ended in (unknown, invalid):
        assert ended.returncode != 0
        assert ended.stdout == ""
        assert "Traceback" not in ended.stderr
        assert len([line for line in ended.stderr.splitlines() if " INFO " not in line]) <= 2, ended.stderr
    assert "nope" in unknown.stderr
    assert (whole.returncode, whole.stdout) == (unknown.returncode, "")
    assert "Traceback (most recent call last):" in whole.stderr
    hint = unknown.stderr.splitlines()[-1]
    assert hint.startswith("airflow-remote: to see the traceback: airflow-remote job output ")
    printed = run_successfully(server, *hint.split("airflow-remote ")[-1].split())
    assert printed.stdout.splitlines()[-1] == whole.stderr.splitlines()[-1]
    assert "Traceback (most recent call last):" in printed.stdout


def test_password_of_a_connection_is_not_printed(server: Server) -> None:
    uri = "http://login:live-p%40ssword@live-host/?token=live-t0ken"
    added = run_successfully(server, "connections", "add", "live_masked", "--conn-uri", uri)
    got = run_successfully(server, "connections", "get", "live_masked", "-o", "json")
    assert not any(
        secret in added.stdout + added.stderr for secret in ("live-p%40ss", "live-p@ss", "live-t0")
    )
    assert "live_masked" in added.stdout
    assert "live-p@ssword" in got.stdout, "the request for it brings no secret"


def test_confirmation_shows_what_would_be_changed(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_REMOTE_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("AIRFLOW_REMOTE_TOKEN", str(server.token))
    monkeypatch.setenv("NO_PROXY", "*")
    run_successfully(server, "dags", "test", "hello_remote", "2024-05-05")
    line = ["tasks", "clear", "hello_remote", "-t", "hello", "-s", "2024-05-05", "-e", "2024-05-06"]
    with run_in_terminal("--url", server.url, *line) as terminal:
        terminal.read_until("[y/N] ")
        shown, question = terminal.screen.rsplit("\n", 1)
        terminal.type("n\n")
        assert terminal.wait() == (ExitStatus.FAILED, "")
    assert shown.startswith("You are about to delete these ")
    assert "<TaskInstance: hello_remote.hello manual__" in shown
    assert question == f"Run airflow {' '.join(line)} on {server.url}? [y/N] "
    assert "not confirmed; nothing was done" in terminal.screen
