"""What works behind ``airflow`` works behind the real ``airflow-remote``, on real servers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from airflow_remote.exit_status import ExitStatus
from live.database import rows, runs
from live.harness import Server, on_both_versions, together
from live.program import remote


def done(server: Server, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command that has to succeed."""
    ended = remote(server, *words, cwd=cwd)
    assert ended.returncode == 0, (words, ended.stdout, ended.stderr)
    return ended


def test_a_run_is_triggered_and_its_json_can_be_read(server: Server) -> None:
    line = ["dags", "trigger", "hello_remote", "--run_id", "by_live_client", "--conf", '{"name": "Zoë"}']
    triggered = done(server, *line, "-o", "json")
    tool = [sys.executable, "-m", "json.tool"]
    read = subprocess.run(tool, input=triggered.stdout, capture_output=True, text=True, check=True)
    assert json.loads(read.stdout)[0]["dag_run_id"] == "by_live_client"
    assert runs(server)["by_live_client"] == {"name": "Zoë"}


def test_variables_go_round_through_local_files(server: Server, tmp_path: Path) -> None:
    value = "-x 'y' \"z\" $(id) 日本\nline --"
    done(server, "variables", "set", "--", "live client", value)
    (tmp_path / "in.json").write_text(json.dumps({"live file": "--help", "live nested": {"a": 1}}), "utf-8")
    done(server, "variables", "import", "in.json", cwd=tmp_path)
    exported = done(server, "variables", "export", "./out.json", cwd=tmp_path)
    assert "successfully exported to out.json" in exported.stdout
    expected = {"live client": value, "live file": "--help", "live nested": {"a": 1}}
    assert expected.items() <= json.loads((tmp_path / "out.json").read_text("utf-8")).items()
    got, printed, skipped = together(
        lambda: done(server, "variables", "get", "live client"),
        lambda: done(server, "variables", "export", "-", cwd=tmp_path),
        lambda: remote(server, "variables", "import", "-a", "fail", "in.json", cwd=tmp_path),
    )
    assert got.stdout == f"{value}\n"
    assert expected.items() <= json.loads(printed.stdout).items()
    assert (skipped.returncode, "live file" in skipped.stderr) == (1, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.json", "out.json"]


def test_connections_go_round_through_local_files(server: Server, tmp_path: Path) -> None:
    line = ["connections", "add", "live_client", "--conn-type", "generic", "--conn-host", "there"]
    done(server, *line, "--conn-password", "s3cret-of-it", '--conn_extra={"a": 1}')
    for name in ("out.yaml", "out.json", "out.env"):
        done(server, "connections", "export", name, cwd=tmp_path)
    assert "live_client=generic://" in (tmp_path / "out.env").read_text()
    assert "\nlive_client:\n" in "\n" + (tmp_path / "out.yaml").read_text()
    stored = json.loads((tmp_path / "out.json").read_text())["live_client"]
    assert (stored["host"], stored["password"]) == ("there", "s3cret-of-it")
    done(server, "connections", "delete", "live_client")
    (tmp_path / "in.json").write_text(json.dumps({"live_client": {**stored, "host": "elsewhere"}}))
    done(server, "connections", "import", str(tmp_path / "in.json"))
    assert rows(server, "select host from connection where conn_id = 'live_client'") == [("elsewhere",)]
    done(server, "connections", "delete", "live_client")


def test_pools_go_round_through_local_files(server: Server, tmp_path: Path) -> None:
    done(server, "pools", "set", "live client", "3", "its text")
    done(server, "pools", "export", str(tmp_path / "pools.json"))
    stored = json.loads((tmp_path / "pools.json").read_text())
    assert stored["live client"]["slots"] == 3
    (tmp_path / "in.json").write_text(json.dumps({"live client": {**stored["live client"], "slots": 4}}))
    done(server, "pools", "import", str(tmp_path / "in.json"))
    query = "select slots, description from slot_pool where pool = 'live client'"
    assert rows(server, query) == [(4, "its text")]
    done(server, "pools", "delete", "live client")


def test_a_missing_file_and_one_that_cannot_be_written_run_nothing(server: Server, tmp_path: Path) -> None:
    missing, unwritable = together(
        lambda: remote(server, "variables", "import", "missing.json", cwd=tmp_path),
        lambda: remote(server, "variables", "export", "missing/out.json", cwd=tmp_path),
    )
    assert (missing.returncode, unwritable.returncode) == (ExitStatus.USAGE, ExitStatus.LOCAL_FILE)
    assert missing.stderr == "airflow-remote: there is no file 'missing.json'\n"
    assert unwritable.stderr.startswith("airflow-remote: cannot write 'missing/out.json'")


def test_a_provider_s_commands_are_there(server3: Server, tmp_path: Path) -> None:
    line = ["kubernetes", "generate-dag-yaml", "hello_remote", "--logical-date", "2026-01-01"]
    workers, _ = together(
        lambda: remote(server3, "celery", "list-workers"),
        lambda: done(server3, *line, "-o", "yamls", cwd=tmp_path),
    )
    # It gets as far as the broker, which the tests do not have.
    assert workers.returncode == 1
    assert f"127.0.0.1:{server3.ports['broker']}" in workers.stderr
    [written] = (tmp_path / "yamls").rglob("*.yml")
    assert "dag_id: hello_remote" in written.read_text()


def test_a_provider_s_commands_that_are_not_there_say_what_they_need(server2: Server) -> None:
    ended = remote(server2, "celery", "list-workers")
    assert (ended.returncode, ended.stdout) == (ExitStatus.UNSUPPORTED, "")
    assert "it needs a Celery executor" in ended.stderr


def test_roles_and_users_of_the_auth_manager(server2: Server, tmp_path: Path) -> None:
    done(server2, "roles", "create", "LiveReader", "LiveWriter")
    done(server2, "roles", "add-perms", "LiveReader", "-a", "can_read", "can_edit", "-r", "DAGs", "Pools")
    listed = done(server2, "roles", "list", "-p", "-o", "json").stdout
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
    asked = remote(server2, *create)
    assert (asked.returncode, asked.stdout) == (ExitStatus.USAGE, "")
    assert "needs --password with a value" in asked.stderr
    done(server2, *create, "--password", "s3cret-of-it")
    done(server2, "users", "export", "users.json", cwd=tmp_path)
    users = {user["username"]: user for user in json.loads((tmp_path / "users.json").read_text())}
    assert users["live"]["roles"] == ["LiveReader"]
    done(server2, "users", "delete", "-u", "live")


@on_both_versions
def test_what_is_not_run_is_one_line_with_a_status_of_its_own(server: Server) -> None:
    former = ("tasks", "run") if server.major == 3 else ("initdb",)
    found = {
        "refused": remote(server, "db", "shell"),
        "refused argument": remote(server, "scheduler", "--pid", "/tmp/x"),
        "unknown": remote(server, "dgs", "list"),
        "unknown in a group": remote(server, "dags", "lst"),
        "renamed": remote(server, *former),
        "asks": remote(server, "dags", "delete", "no_such_dag"),
        "asks too": remote(server, "db", "clean", "--clean-before-timestamp", "2020-01-01"),
        "wrong option": remote(server, "dags", "trigger", "hello_remote", "--no-such-option"),
        "wrong token": remote(server, "dags", "list", AIRFLOW_REMOTE_TOKEN="wrong"),
    }
    assert {name: ended.returncode for name, ended in found.items()} == {
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
    for name, ended in found.items():
        assert ended.stdout == "", name
        assert ended.stderr.startswith("airflow-remote: "), (name, ended.stderr)
        assert ended.stderr.count("\n") == 1, (name, ended.stderr)
    assert "it needs a terminal" in found["refused"].stderr
    assert "did you mean 'dags'?" in found["unknown"].stderr
    assert "did you mean 'list'?" in found["unknown in a group"].stderr
    assert ("tasks test" if server.major == 3 else "db migrate") in found["renamed"].stderr
    assert "pass --yes" in found["asks"].stderr


@on_both_versions
def test_a_command_that_fails_ends_with_its_own_exit_code(server: Server) -> None:
    of = ["-d", "hello_remote"] if server.major == 2 else ["hello_remote"]
    unknown, bad_date, dry = together(
        lambda: remote(server, "dags", "delete", "no_such_dag", "--yes"),
        lambda: remote(server, "dags", "list-runs", *of, "-s", "soon"),
        lambda: remote(server, "db", "clean", "--clean-before-timestamp", "2020-01-01", "--dry-run"),
    )
    assert (unknown.returncode, "no_such_dag" in unknown.stderr) == (1, True)
    assert bad_date.returncode == 2
    assert dry.returncode == 0, dry.stderr


@on_both_versions
def test_help_is_what_the_server_s_airflow_has(server: Server) -> None:
    program, group, command = (
        done(server, *words, "--help").stdout for words in ((), ("dags",), ("dags", "trigger"))
    )
    assert "\n  dags " in program
    assert "Trigger a new DAG run" in group
    assert "--exec-date" in command if server.major == 2 else "--logical-date" in command
    for words in (("variables",), ("db", "clean"), ("connections", "add")):
        assert done(server, *words, "-h").stdout.startswith(f"Usage: airflow-remote {' '.join(words)} ")


def test_a_service_is_a_job_that_can_be_stopped(server: Server) -> None:
    started = done(server, "triggerer", "--daemon").stdout
    assert started.startswith("triggerer runs as job ")
    job = started.split()[-1]
    assert done(server, "job", "stop", job).stdout in ("stopping\n", "stopped\n")
    waited = remote(server, "job", "wait", job)
    assert waited.returncode != 0


def test_files_of_a_detached_command_are_fetched_later(server: Server, tmp_path: Path) -> None:
    started = done(server, "--detach", "pools", "export", "later.json", cwd=tmp_path)
    job = started.stdout.strip()
    assert f"airflow-remote job download {job}" in started.stderr
    done(server, "job", "wait", job)
    assert done(server, "job", "files", job).stdout.splitlines()[1].endswith("  later.json")
    assert done(server, "job", "download", job, "--to", "there", cwd=tmp_path).stdout == "later.json\n"
    assert "default_pool" in json.loads((tmp_path / "there" / "later.json").read_text())


def test_what_the_server_has_is_kept(server: Server) -> None:
    done(server, "dags", "list")
    [kept] = (server.home / "client-cache" / "commands").glob("*.json")
    before = kept.stat().st_mtime_ns
    done(server, "dags", "list")
    done(server, "dags", "--help")
    assert kept.stat().st_mtime_ns == before
