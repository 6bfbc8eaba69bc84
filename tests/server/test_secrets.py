"""Test that secrets of commands appear nowhere: responses, jobs, logs, processes, Airflow's tables."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from processes import wait_for
from remote import secret_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from remote import Remote

SECRET = "s3cr3t-that-nobody-may-see"
URI = f"postgres://login:{SECRET}@host/db"
EXTRA = json.dumps({"anything": SECRET})
HELD = json.dumps({"conn_type": "http", "password": SECRET, "extra": {"x": SECRET}})

COMMANDS: dict[str, tuple[str, dict[str, Any]]] = {
    "a connection by URI": ("commands/connections/add", {"conn_id": "by_uri", "conn_uri": URI}),
    "a connection by a URI without a password": (
        "commands/connections/add",
        {"conn_id": "by_uri_2", "conn_uri": f"http://host/?token={SECRET}"},
    ),
    "a connection by JSON": ("commands/connections/add", {"conn_id": "by_json", "conn_json": HELD}),
    "a connection by its password and extra": (
        "commands/connections/add",
        {"conn_id": "by_extra", "conn_type": "http", "conn_password": SECRET, "conn_extra": EXTRA},
    ),
    "a connection, the classic way": (
        "connections",
        {
            "add": True,
            "conn_id": "classic",
            "conn_type": "http",
            "conn_extra": EXTRA,
            "conn_password": SECRET,
        },
    ),
    "a connection by URI, the classic way": ("connections", {"add": True, "conn_id": "c2", "conn_uri": URI}),
    "a variable": ("commands/variables/set", {"key": "innocent", "value": SECRET}),
    "a variable that begins with a dash": (
        "commands/variables/set",
        {"key": "dash", "value": f"-p={SECRET}"},
    ),
    "a variable, the classic way": ("variables", {"set": "innocent", "value": SECRET}),
    "a run": ("commands/dags/trigger", {"dag_id": "none", "conf": json.dumps({"db_password": SECRET})}),
    "a run, the classic way": ("trigger_dag", {"dag_id": "none", "conf": {"a": {"token": [SECRET]}}}),
    "a connection by its parts, with a password in the host": (
        "commands/connections/add",
        {"conn_id": "by_host", "conn_type": "http", "conn_host": f"http://login:{SECRET}@host/"},
    ),
    "a connection by an invalid URI": (
        "commands/connections/add",
        {"conn_id": "invalid", "conn_uri": f"postgres//login:{SECRET}@host/db"},
    ),
    "a connection that exists": ("commands/connections/add", {"conn_id": "by_uri", "conn_uri": URI}),
    "a URL with a token": ("commands/dags/details", {"dag_id": f"https://{SECRET}@host/"}),
    "a tested task": (
        "commands/tasks/test",
        {"dag_id": "none", "task_id": "t", "task_params": json.dumps({"api_key": SECRET})},
    ),
}
USER = {"username": "u", "email": "u@a.example", "firstname": "U", "lastname": "U", "role": "Admin"}


def log_rows(home: Path) -> list[tuple[Any, ...]]:
    """Return the rows of Airflow's own audit log."""
    with contextlib.closing(sqlite3.connect(home / "airflow.db")) as database:
        return database.execute("SELECT id, event, owner, extra FROM log ORDER BY id").fetchall()


@pytest.fixture
def logged(home: Path, database: None) -> Callable[[], list[tuple[Any, ...]]]:
    """Return a function that returns the rows added to Airflow's audit log since the test began."""
    before = len(log_rows(home))
    return lambda: log_rows(home)[before:]


@pytest.mark.parametrize(("path", "arguments"), COMMANDS.values(), ids=COMMANDS)
def test_secrets_of_commands_are_not_shown_or_stored(
    holder: Any,
    home: Path,
    logged: Any,
    path: str,
    arguments: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    remote: Remote = holder("admin")
    response = remote(path, "POST", json=arguments)
    job = response.json["job"]
    assert SECRET not in response.text
    assert SECRET not in json.dumps(remote.job(job["id"]))
    assert SECRET not in caplog.text
    rows = logged()
    assert rows, "Airflow has logged the command"
    assert [row for row in rows if SECRET in str(row)] == []
    assert {row[2] for row in rows} == {"airflow-remote:ci"}
    state = Path(remote.settings.state_dir)
    kept = [path for path in (state / "jobs" / job["id"]).rglob("*") if path.is_file()]
    assert [path.name for path in kept if SECRET.encode() in path.read_bytes()] == []
    assert SECRET.encode() not in b"".join(path.read_bytes() for path in state.glob("jobs.db*"))


def test_secret_of_a_refused_uri_is_not_shown(remote: Remote, caplog: pytest.LogCaptureFixture) -> None:
    arguments = {"conn_id": "port", "conn_uri": f"postgres://login:{SECRET}/pw@host/db"}
    response = remote("commands/connections/add", "POST", json=arguments)
    assert response.status_code == 400, response.text
    assert SECRET not in response.text + caplog.text


FILES = {
    "connections": {"c": f"http://u:{SECRET}@host", "d": {"conn_type": "nope", "password": [SECRET]}},
    "variables": {"api_key": SECRET, "x": {"password": SECRET}},
}


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson", "text/plain"])
@pytest.mark.parametrize(("group", "content"), FILES.items())
def test_secrets_of_imported_files_are_not_shown(
    remote: Remote, group: str, content: dict[str, Any], accept: str
) -> None:
    upload = {"file": (io.BytesIO(json.dumps(content).encode()), f"{group}.json")}
    response = remote(f"commands/{group}/import", "POST", data=upload, ACCEPT=accept)
    assert SECRET not in response.text
    [job] = remote.jobs(limit=1)
    state = Path(remote.settings.state_dir)
    assert not any(SECRET.encode() in path.read_bytes() for path in (state / "jobs" / job["id"]).iterdir())


def test_file_that_was_asked_for_is_not_masked(remote: Remote) -> None:
    arguments = {"conn_id": "kept", "conn_type": "http", "conn_password": SECRET}
    assert remote("commands/connections/add", "POST", json=arguments).status_code == 200
    response = remote("commands/connections/export", "POST", json={"file": "connections.json"})
    [file] = response.json["files"]
    job = response.json["job"]["id"]
    with remote(f"jobs/{job}/files/{file['name']}") as download:
        assert SECRET in download.get_data(as_text=True)


def test_masked_values_reach_the_command_unmasked(remote: Remote) -> None:
    for command, arguments in COMMANDS.values():
        if arguments.get("key") == "dash" or arguments.get("conn_id") == "by_extra":
            remote(command, "POST", json=arguments)
    assert remote("commands/variables/get", query_string={"key": "dash"}).json["stdout"] == f"-p={SECRET}\n"
    listed = remote("commands/connections/get", query_string={"conn_id": "by_extra", "output": "json"})
    assert listed.json["stdout"].count(SECRET) >= 2


def test_user_passwords_are_not_stored(remote: Remote, logged: Any, major: int) -> None:
    response = remote("commands/users/create", "POST", json={**USER, "password": SECRET})
    if major >= 3:
        assert response.status_code == 501
    else:
        assert SECRET not in json.dumps(response.json)
        assert [row for row in logged() if SECRET in str(row)] == []
        assert any(row[1] == "cli_users_create" for row in logged())


def test_own_actions_are_in_airflows_audit_log(holder: Any, logged: Any) -> None:
    holder("admin")("refresh_dag", "POST", json={"dag_id": "none"})
    rows = logged()
    assert [row[1] for row in rows] == ["cli_rest_api_refresh_dag", "cli_rest_api_refresh_dag_failed"]
    for row in rows:
        assert row[2] == "airflow-remote:ci"
        assert "'refresh-dag', '--', 'none'" in row[3]


def test_failures_are_in_airflows_audit_log(holder: Any, logged: Any) -> None:
    remote = holder("admin")
    assert remote("commands/pools/delete", "POST", json={"pool": "not_there"}).status_code == 404
    pool = {"pool": "logged", "slots": 1, "description": "d"}
    assert remote("commands/pools/set", "POST", json=pool).status_code == 200
    events = ["cli_pool_delete", "cli_pool_delete_failed", "cli_pool_set"]
    assert [row[1] for row in logged()] == events


def test_secrets_are_not_in_process_list(make_remote: Any, make_probe: Any, shared_state: Path) -> None:
    remote = make_remote(state_dir=shared_state)
    probe = make_probe("wait")
    secret = json.dumps({"password": SECRET})
    response = remote(
        "test",
        "POST",
        json={"dag_id": probe.id, "task_id": "t", "task_params": secret},
        PREFER="respond-async",
    )
    job_id = response.json["job"]["id"]
    wait_for(lambda: probe.processes)
    contents = []
    for path in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError):
                contents.append((path / name).read_bytes())
    assert any(b"tasks test" in content and probe.id.encode() in content for content in contents), (
        "the process has its title"
    )
    assert [content for content in contents if SECRET.encode() in content] == []
    probe.release()
    remote.end(job_id)


def test_token_is_not_logged(holder: Any, caplog: pytest.LogCaptureFixture) -> None:
    remote = holder("viewer")
    remote("rest_api_plugin_version")
    remote("nope")
    assert "ci from" in caplog.text
    assert secret_of("ci") not in caplog.text
