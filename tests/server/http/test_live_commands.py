"""Test live commands over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from processes import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from remote import Remote


def test_catalog_is_revalidated_by_etag(remote: Remote) -> None:
    response = remote("commands")
    assert response.status_code == 200
    names = {command["name"] for command in response.json["commands"]}
    assert {"dags trigger", "variables import", "version"} <= names
    etag = response.headers["ETag"]
    again = remote("commands", **{"IF-NONE-MATCH": etag})
    assert (again.status_code, again.data) == (304, b"")
    assert "Date" not in response.headers, "the web server adds the only one"
    assert remote("commands", **{"IF-NONE-MATCH": '"another"'}).status_code == 200


@pytest.mark.slow
def test_catalog_needs_no_fork_server(make_remote: Any, cold_state: Path, database: None) -> None:
    response = make_remote(state_dir=cold_state)("commands")
    assert response.status_code == 200, response.text
    assert [file.suffix for file in (cold_state / "catalog").glob("*.json")] == [".json"]


def test_unreadable_catalog_returns_503(make_remote: Any, cold_state: Path) -> None:
    (cold_state / "catalog").write_text("in the way")
    response = make_remote(state_dir=cold_state)("commands")
    assert response.status_code == 503
    assert "cannot be read" in response.json["output"]


@pytest.mark.slow
def test_failed_catalog_is_not_rebuilt_at_once(
    make_remote: Any, cold_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote, tries = make_remote(state_dir=cold_state), []

    def fail(path: Path) -> None:
        tries.append(path)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("airflow_remote_server.catalog.source.build_index", fail)
    assert [remote("commands").status_code for _ in range(3)] == [503, 503, 503]
    assert len(tries) == 1
    monkeypatch.undo()
    monkeypatch.setattr("airflow_remote_server.catalog.source.RETRY_SECONDS", 0.0)
    assert make_remote(state_dir=cold_state)("commands").status_code == 200


def test_responses_carry_catalog_etag(remote: Remote, run: Any) -> None:
    etag = remote("commands").headers["ETag"]
    for response in (run("version"), run("no-such-command"), run("db shell")):
        assert response.headers["Airflow-Remote-Catalog"] == etag


def test_command_runs_as_it_would_locally(remote: Remote, run: Any) -> None:
    from airflow import __version__

    response = run("version")
    assert (response.status_code, response.json["stdout"]) == (200, f"{__version__}\n")
    assert response.json["airflow_cmd"] == "airflow version"
    assert (response.json["exit_code"], response.json["job"]["state"]) == (0, "succeeded")
    assert remote("commands/version").json["stdout"] == f"{__version__}\n"
    assert remote.jobs()[0]["name"] == "version"


def test_secret_value_arrives_verbatim_and_is_masked(remote: Remote, run: Any) -> None:
    value = "--x 'y' $(id)\n\u00e9 "
    response = run("variables set", key="of the live tests", value=value)
    assert response.status_code == 200, response.text
    assert value not in response.text
    assert response.json["airflow_cmd"] == "airflow variables set -- 'of the live tests' '***'"
    got = remote("commands/variables/get", query_string={"key": "of the live tests"})
    assert got.json["stdout"] == value + "\n"


def test_json_output_becomes_result(remote: Remote, run: Any) -> None:
    response = run("pools list", output="json")
    assert [pool["pool"] for pool in response.json["result"]] == ["default_pool"]
    assert "result" not in run("pools list", output="table").json


def test_multiple_values_are_sent_as_list(run: Any, major: int) -> None:
    if major < 3:
        response = run("roles create", role=["one role", "another"])
        assert response.status_code == 200, response.text
        assert "another" in run("roles list").json["stdout"]
        names = [row["name"] for row in run("roles list", output="json").json["result"]]
        assert {"one role", "another"} <= set(names)
        response = run("roles add-perms", role=["another"], resource=["DAGs", "Pools"], action=["can_read"])
        assert response.json["airflow_cmd"] == (
            "airflow roles add-perms --resource DAGs Pools --action can_read -- another"
        )
    else:
        response = run("dags list", bundle_name=["dags-folder", "other"])
        assert response.json["airflow_cmd"] == (
            "airflow dags list --bundle-name=dags-folder --bundle-name=other"
        )


def test_modifying_command_needs_post(remote: Remote) -> None:
    response = remote("commands/variables/set", query_string={"key": "a", "value": "b"})
    assert response.status_code == 405
    assert response.headers["Allow"] == "OPTIONS, POST"
    assert remote("commands/pools/list").status_code == 200
    assert remote("commands/pools/list", "HEAD").status_code == 200


@pytest.mark.parametrize(
    ("name", "arguments", "status", "hint"),
    [
        ("dags triger", {}, 404, "did you mean 'dags trigger'?"),
        ("initdb", {}, 501, "use db migrate"),
        ("db shell", {}, 403, "needs a terminal"),
        ("standalone", {}, 403, "allow_commands"),
        ("dags trigger", {}, 400, "missing: dag_id"),
        ("dags trigger", {"dag_id": "x", "run": "y"}, 400, "did you mean 'run_id'?"),
        ("dags trigger", {"dag_id": ["x", "y"]}, 400, "JSON list"),
        ("dags list", {"output": "jso"}, 400, "one of table, json"),
        ("dags list", {"verbose": "perhaps"}, 400, "is a flag"),
        ("dags list-runs", {"dag_id": "a\0b"}, 400, "NUL"),
        ("pools set", {"pool": "p", "slots": "many", "description": ""}, 400, "whole number"),
        ("variables get", {"key": "--"}, 400, "a lone --"),
        ("scheduler", {"pid": "/tmp/x"}, 400, "the job knows the process"),
        ("tasks test", {"dag_id": "d", "task_id": "t", "env_vars": "{}"}, 400, "environment variable"),
        ("variables import", {"file": "/etc/passwd"}, 400, "send the file itself"),
        ("dags delete", {"dag_id": "d"}, 400, "asks for confirmation, which is not possible here: give yes"),
        ("connections add", {"conn_id": "c", "conn_uri": "-x"}, 400, "cannot begin with -"),
        (
            "connections add",
            {"conn_id": "c", "conn_uri": "a://b", "conn_type": "d"},
            400,
            "cannot be combined",
        ),
    ],
)
def test_rejected_command_explains_why(
    run: Any, name: str, arguments: dict[str, Any], status: int, hint: str
) -> None:
    response = run(name, **arguments)
    assert response.status_code == status, response.text
    assert hint in response.json["output"], response.text


def test_long_command_name_is_rejected_quickly(remote: Remote) -> None:
    assert remote("commands/" + "/".join(["dags"] * 2000), "POST").status_code == 404


def test_traceback_starts_in_airflow(run: Any) -> None:
    response = run("dags delete", dag_id="no such", yes=True)
    assert response.status_code == 404
    head, first = response.json["stderr"].partition("Traceback")[2].splitlines()[:2]
    assert head == " (most recent call last):"
    assert first.lstrip().startswith('File "')
    assert "airflow_remote_server" not in response.json["stderr"]


def test_prompted_password_must_be_an_argument(run: Any, major: int) -> None:
    user = {"username": "u", "email": "u@example.org", "firstname": "U", "lastname": "U", "role": "Admin"}
    response = run("users create", **user)
    if major < 3:
        assert response.status_code == 400
        assert "give password or use_random_password" in response.json["output"]
        response = run("users create", **user, password="hidden well")
        assert response.status_code == 200, response.text
        assert "hidden well" not in response.text
    else:
        assert response.status_code == 501


def test_policy_applies_to_live_and_classic_names(make_remote: Any, shared_state: Path) -> None:
    remote = make_remote(
        state_dir=shared_state, deny_commands=("pools *",), allow_commands=("config update",)
    )
    assert remote("commands/pools/list").status_code == 403
    assert remote("pool").status_code == 403
    assert remote("variables").status_code == 200
    listed = {command["name"]: command["refused"] for command in remote("commands").json["commands"]}
    assert "deny_commands" in listed["pools list"]
    assert listed["config update"] == ""


def test_denied_classic_name_denies_live_command(make_remote: Any, shared_state: Path) -> None:
    remote = make_remote(state_dir=shared_state, deny_commands=("trigger_dag",))
    for path in ("trigger_dag", "commands/dags/trigger"):
        response = remote(path, "POST", json={"dag_id": "no such"})
        assert (response.status_code, response.json["error"]["type"]) == (403, "Refused"), path
    listed = {command["name"]: command["refused"] for command in remote("commands").json["commands"]}
    assert "deny_commands" in listed["dags trigger"]
    assert listed["dags list"] == ""


def test_service_returns_at_once_and_can_be_stopped(remote: Remote, run: Any) -> None:
    response = run("triggerer", daemon=True)
    assert response.status_code == 202, response.text
    assert response.json["job"]["kind"] == "service"
    assert "--daemon" not in response.json["airflow_cmd"]
    job_id = response.json["job"]["id"]
    wait_for(lambda: remote.job(job_id)["state"] == "running")
    assert remote.stop(job_id).json["state"] == "stopped"


def test_repeated_idempotency_key_runs_nothing(remote: Remote) -> None:
    body = {"json": {"key": "repeated", "value": "1"}, "IDEMPOTENCY-KEY": "of a live command"}
    first, second = (remote("commands/variables/set", "POST", **body) for _ in range(2))
    assert first.json["job"]["id"] == second.json["job"]["id"]
    body["json"] = {"key": "repeated", "value": "2"}
    assert remote("commands/variables/set", "POST", **body).status_code == 409
