"""Commands by their own names, over HTTP."""

from __future__ import annotations

import io
import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from processes import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from remote import Remote


@pytest.fixture
def run(remote: Remote) -> Any:
    """Run a command; its arguments go into a JSON object."""

    def call(name: str, /, **arguments: Any) -> Any:
        return remote(f"commands/{name.replace(' ', '/')}", "POST", json=arguments)

    return call


def test_the_catalogue_is_kept_by_its_etag(remote: Remote) -> None:
    response = remote("commands")
    assert response.status_code == 200
    names = {command["name"] for command in response.json["commands"]}
    assert {"dags trigger", "variables import", "version"} <= names
    etag = response.headers["ETag"]
    again = remote("commands", **{"IF-NONE-MATCH": etag})
    assert (again.status_code, again.data) == (304, b"")
    assert "Date" not in response.headers, "the web server adds its own, and there may be but one"
    assert remote("commands", **{"IF-NONE-MATCH": '"another"'}).status_code == 200


@pytest.mark.slow
def test_the_catalogue_is_made_without_a_warm_host(
    make_remote: Any, cold_state: Path, database: None
) -> None:
    response = make_remote(state_dir=cold_state)("commands")
    assert response.status_code == 200, response.text
    assert [file.suffix for file in (cold_state / "catalogue").glob("*.json")] == [".json"]


def test_a_catalogue_that_cannot_be_made_is_answered_with_503(make_remote: Any, cold_state: Path) -> None:
    (cold_state / "catalogue").write_text("in the way")
    response = make_remote(state_dir=cold_state)("commands")
    assert response.status_code == 503
    assert "cannot be read" in response.json["output"]


@pytest.mark.slow
def test_who_asks_again_does_not_have_airflow_imported_again(
    make_remote: Any, cold_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote, tries = make_remote(state_dir=cold_state), []

    def fail(path: Path) -> None:
        tries.append(path)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("airflow_remote_server.catalogue.source.make", fail)
    assert [remote("commands").status_code for _ in range(3)] == [503, 503, 503]
    assert len(tries) == 1
    monkeypatch.undo()
    monkeypatch.setattr("airflow_remote_server.catalogue.source.RETRY_SECONDS", 0.0)
    assert make_remote(state_dir=cold_state)("commands").status_code == 200


def test_answers_tell_the_etag_of_the_catalogue(remote: Remote, run: Any) -> None:
    etag = remote("commands").headers["ETag"]
    for response in (run("version"), run("no-such-command"), run("db shell")):
        assert response.headers["Airflow-Remote-Catalogue"] == etag


def test_a_command_is_run_as_it_would_be_here(remote: Remote, run: Any) -> None:
    from airflow import __version__

    response = run("version")
    assert (response.status_code, response.json["stdout"]) == (200, f"{__version__}\n")
    assert response.json["airflow_cmd"] == "airflow version"
    assert (response.json["exit_code"], response.json["job"]["state"]) == (0, "succeeded")
    assert remote("commands/version").json["stdout"] == f"{__version__}\n"
    assert remote.jobs()[0]["name"] == "version"


def test_a_value_arrives_as_it_is_and_is_not_shown(remote: Remote, run: Any) -> None:
    value = "--x 'y' $(id)\n\u00e9 "
    response = run("variables set", key="of the live tests", value=value)
    assert response.status_code == 200, response.text
    assert value not in response.text
    assert response.json["airflow_cmd"] == "airflow variables set -- 'of the live tests' '***'"
    got = remote("commands/variables/get", query_string={"key": "of the live tests"})
    assert got.json["stdout"] == value + "\n"


def test_json_is_parsed_when_it_was_asked_for(remote: Remote, run: Any) -> None:
    response = run("pools list", output="json")
    assert [pool["pool"] for pool in response.json["result"]] == ["default_pool"]
    assert "result" not in run("pools list", output="table").json


def test_several_values_are_a_list(run: Any, major: int) -> None:
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


def test_what_changes_something_needs_post(remote: Remote) -> None:
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
        ("dags list", {"verbose": "perhaps"}, 400, "a flag is"),
        ("dags list-runs", {"dag_id": "a\0b"}, 400, "NUL"),
        ("pools set", {"pool": "p", "slots": "many", "description": ""}, 400, "whole number"),
        ("variables get", {"key": "--"}, 400, "a lone --"),
        ("scheduler", {"pid": "/tmp/x"}, 400, "the job knows the process"),
        ("tasks test", {"dag_id": "d", "task_id": "t", "env_vars": "{}"}, 400, "environment variable"),
        ("variables import", {"file": "/etc/passwd"}, 400, "send the file itself"),
        ("dags delete", {"dag_id": "d"}, 400, "asks before it acts, and nobody can answer: give yes"),
        ("connections add", {"conn_id": "c", "conn_uri": "-x"}, 400, "cannot begin with -"),
        (
            "connections add",
            {"conn_id": "c", "conn_uri": "a://b", "conn_type": "d"},
            400,
            "do not go together",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_with_the_reason(
    run: Any, name: str, arguments: dict[str, Any], status: int, hint: str
) -> None:
    response = run(name, **arguments)
    assert response.status_code == status, response.text
    assert hint in response.json["output"], response.text


def test_a_long_name_of_a_command_is_not_looked_up_for_long(remote: Remote) -> None:
    assert remote("commands/" + "/".join(["dags"] * 2000), "POST").status_code == 404


def test_a_traceback_begins_where_a_local_one_does(run: Any) -> None:
    response = run("dags delete", dag_id="no such", yes=True)
    assert response.status_code == 404
    head, first = response.json["stderr"].partition("Traceback")[2].splitlines()[:2]
    assert head == " (most recent call last):"
    assert first.lstrip().startswith('File "')
    assert "airflow_remote_server" not in response.json["stderr"]


def test_a_password_that_would_be_asked_for_has_to_be_given(run: Any, major: int) -> None:
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


def test_the_policy_of_the_configuration_holds_for_all_names(make_remote: Any, shared_state: Path) -> None:
    remote = make_remote(
        state_dir=shared_state, deny_commands=("pools *",), allow_commands=("config update",)
    )
    assert remote("commands/pools/list").status_code == 403
    assert remote("pool").status_code == 403
    assert remote("variables").status_code == 200
    listed = {command["name"]: command["refused"] for command in remote("commands").json["commands"]}
    assert "deny_commands" in listed["pools list"]
    assert listed["config update"] == ""


def test_what_is_denied_by_its_classic_name_is_denied_by_its_own(
    make_remote: Any, shared_state: Path
) -> None:
    remote = make_remote(state_dir=shared_state, deny_commands=("trigger_dag",))
    for path in ("trigger_dag", "commands/dags/trigger"):
        response = remote(path, "POST", json={"dag_id": "no such"})
        assert (response.status_code, response.json["error"]["type"]) == (403, "Refused"), path
    listed = {command["name"]: command["refused"] for command in remote("commands").json["commands"]}
    assert "deny_commands" in listed["dags trigger"]
    assert listed["dags list"] == ""


def test_a_file_is_sent_and_one_comes_back(remote: Remote, run: Any) -> None:
    content = json.dumps({"from a file": "its value"}).encode()
    response = remote(
        "commands/variables/import",
        "POST",
        data={"file": (io.BytesIO(content), "../../my vars.json"), "action_on_existing_key": "overwrite"},
    )
    assert response.status_code == 200, response.text
    response = run("variables export", file="../out/all of it.json")
    assert response.status_code == 200, response.text
    [file] = response.json["files"]
    assert file["name"] == "all_of_it.json"
    assert "variables export -- ../out/all of it.json" in response.json["airflow_cmd"].replace("'", "")
    assert response.json["stdout"].strip().endswith("all_of_it.json.")
    assert "/jobs/" not in response.json["stdout"]
    job_id = response.json["job"]["id"]
    assert file["url"] == f"/admin/rest_api/api/v1.0/jobs/{job_id}/files/all_of_it.json"
    got = remote(f"jobs/{job_id}/files/all_of_it.json")
    assert json.loads(got.data)["from a file"] == "its value"
    assert got.headers["Content-Type"] == "application/octet-stream"
    assert got.headers["Content-Disposition"].startswith("attachment")
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert "Date" not in got.headers
    assert len(got.data) == file["size"]
    got.close()
    assert remote.job(job_id)["files"] == response.json["files"]


@pytest.mark.parametrize("name", [".json", "变量.json", "../конфиг.json", "a" * 300 + ".json"])
def test_a_name_without_a_safe_letter_keeps_its_suffix(remote: Remote, run: Any, name: str) -> None:
    """Airflow tells the format of a file by it."""
    response = remote(
        "commands/variables/import", "POST", data={"file": (io.BytesIO(b'{"by suffix": "v"}'), name)}
    )
    assert response.status_code == 200, response.text
    response = run("connections export", file=name)
    assert response.status_code == 200, response.text
    [file] = response.json["files"]
    assert file["name"].isascii()
    assert file["name"].endswith(".json")


def test_a_dash_for_a_file_is_stdout(run: Any) -> None:
    assert run("variables set", key="dashed", value="v").status_code == 200
    response = run("variables export", file="-")
    assert '"dashed": "v"' in response.json["stdout"]
    assert "files" not in response.json


@pytest.mark.parametrize(
    "name", ["..%2f..%2fjob.json", "../job.json", "/etc/passwd", "%2e%2e/stdout", "out.json/", "nothing"]
)
def test_no_name_of_a_file_leads_out_of_the_job_s(remote: Remote, run: Any, name: str) -> None:
    job_id = run("variables export", file="out.json").json["job"]["id"]
    response = remote(f"jobs/{job_id}/files/{name}")
    assert response.status_code == 404, response.text


def test_a_link_is_no_file_of_a_job_s(remote: Remote, run: Any, shared_state: Path) -> None:
    job_id = run("variables export", file="out.json").json["job"]["id"]
    (shared_state / "jobs" / job_id / "files" / "link.json").symlink_to("/etc/passwd")
    assert [file["name"] for file in remote.job(job_id)["files"]] == ["out.json"]
    assert remote(f"jobs/{job_id}/files/link.json").status_code == 404


def test_a_folder_for_files_is_the_job_s(remote: Remote, run: Any, home: Path) -> None:
    with sqlite3.connect(home / "airflow.db") as database:
        table = "_airflow_deleted__job__20240102030405"
        database.execute(f"CREATE TABLE IF NOT EXISTS {table} AS SELECT 1 AS one, 'two' AS two")
    response = run("db export-archived", output_path="/nowhere/at/all", export_format="csv")
    assert response.status_code == 200, response.text
    [file] = response.json["files"]
    got = remote(file["url"].removeprefix("/admin/rest_api/api/v1.0/"))
    assert got.data.splitlines() == [b"one,two", b"1,two"]
    got.close()


def test_files_count_as_output(make_remote: Any, shared_state: Path, run: Any) -> None:
    assert run("variables set", key="large", value="x" * 100_000).status_code == 200
    remote = make_remote(state_dir=shared_state, max_output_bytes=50_000)
    response = remote("commands/variables/export", "POST", json={"file": "out.json"})
    assert response.status_code == 422, response.text
    assert "max_output_bytes" in response.json["output"]
    assert run("variables delete", key="large").status_code == 200


def test_a_service_is_answered_at_once_and_stopped(remote: Remote, run: Any) -> None:
    response = run("triggerer", daemon=True)
    assert response.status_code == 202, response.text
    assert response.json["job"]["kind"] == "service"
    assert "--daemon" not in response.json["airflow_cmd"]
    job_id = response.json["job"]["id"]
    wait_for(lambda: remote.job(job_id)["state"] == "running")
    assert remote.stop(job_id).json["state"] == "stopped"


def test_a_repetition_runs_nothing(remote: Remote) -> None:
    body = {"json": {"key": "repeated", "value": "1"}, "IDEMPOTENCY-KEY": "of a live command"}
    first, second = (remote("commands/variables/set", "POST", **body) for _ in range(2))
    assert first.json["job"]["id"] == second.json["job"]["id"]
    body["json"] = {"key": "repeated", "value": "2"}
    assert remote("commands/variables/set", "POST", **body).status_code == 409
