"""What a command printed and raised becomes its result, its warning, its status and its message."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from remote import ApiResponse, Remote

NOISE = 'print("loading [x]", {1: 2})\nprint(["a", "b"])\n'
BROKEN = "raise RuntimeError('broken on purpose')\n"
JSON = {"output": "json"}


@pytest.fixture
def dag_files(home: Path) -> Iterator[Path]:
    """Return a folder for DAG files, which is removed afterwards."""
    folder = home / "dags" / "results"
    folder.mkdir()
    yield folder
    for path in folder.rglob("*.py*"):
        path.unlink()
    (folder / "__pycache__").rmdir() if (folder / "__pycache__").exists() else None
    folder.rmdir()


@pytest.fixture
def import_file(remote: Remote) -> Any:
    """Return a function that runs an import command with a file."""

    def run(command: str, name: str, content: str, **more: str) -> ApiResponse:
        data = {"file": (io.BytesIO(content.encode()), name), **more}
        return remote(f"commands/{command}", "POST", data=data)

    return run


def test_result_is_found_amid_what_dag_files_print(dag_files: Path, run: Any, remote: Remote) -> None:
    (dag_files / "noisy.py").write_text(f"# airflow DAG\n{NOISE}")
    report = run("dags report", **JSON)
    assert "loading [x]" in report.json["stdout"]
    assert {row["file"].rpartition("/")[2] for row in report.json["result"]} >= {"noisy.py", "probes.py"}
    assert "warning" not in report.json, report.text
    classic = remote("list_dags", query_string={"report": "1"})
    assert classic.json["result"][0].keys() == report.json["result"][0].keys()


@pytest.mark.slow
def test_import_errors_are_a_result_and_a_failure(dag_files: Path, run: Any, major: int) -> None:
    (dag_files / "broken.py").write_text(f"# airflow DAG\n{NOISE}{BROKEN}")
    more = {} if major == 2 else {"local": True}
    response = run("dags list-import-errors", **JSON, **more)
    assert (response.status_code, response.json["exit_code"]) == (422, 1), response.text
    assert "broken on purpose" in response.json["result"][0]["error"]
    assert response.json["error"]["message"] == "some DAG files cannot be imported: the output lists them"
    parsed = run("dags reserialize")
    assert parsed.status_code == 200, parsed.text
    assert parsed.json["warning"] == "1 DAG file(s) cannot be imported"


def test_partial_import_has_a_warning(import_file: Any, run: Any) -> None:
    content = json.dumps({"partial_a": "http://a", "partial_b": "http://b"})
    assert import_file("connections/import", "c.json", content).json["exit_code"] == 0
    again = import_file("connections/import", "c.json", content)
    assert again.status_code == 200, again.text
    assert again.json["warning"].startswith("Could not import connection partial_a: connection already")
    assert again.json["warning"].endswith("(and 1 more)")


def test_job_has_the_warning_of_its_request(remote: Remote, run: Any) -> None:
    for output in ("json", "table"):
        paused = run("dags pause", dag_id="no-such-dag", output=output)
        assert (paused.status_code, paused.json["warning"]) == (200, "No unpaused DAGs were found")
        assert remote.job(paused.json["job"]["id"])["warning"] == paused.json["warning"]


@pytest.mark.parametrize(
    ("command", "name", "content", "reason"),
    [
        ("connections/import", "c.json", "[1]", "object"),
        ("connections/import", "c.json", '{"a": }', "Expecting value"),
        ("connections/import", "c.json", '{"a": 5}', ""),
        ("connections/import", "c.json", '{"a": {"nonsense": 5}}', "nonsense"),
        ("connections/import", "c.env", "no equal sign", ""),
        ("variables/import", "v.json", "[1]", "object"),
        ("variables/import", "v.json", '{"a": }', "JSON"),
        ("pools/import", "p.json", "[1]", "object"),
        ("pools/import", "p.json", "{", "JSON"),
    ],
)
def test_file_that_cannot_be_imported_is_a_400_with_the_reason(
    import_file: Any, command: str, name: str, content: str, reason: str
) -> None:
    response = import_file(command, name, content)
    assert response.status_code == 400, response.text
    assert reason in response.json["output"]
    assert "\n" not in response.json["output"]


def test_existing_object_is_a_409(import_file: Any, run: Any) -> None:
    run("connections add", conn_id="existing", conn_type="http")
    assert run("connections add", conn_id="existing", conn_type="http").status_code == 409
    arguments = ("variables/import", "v.json", '{"existing": "1"}')
    import_file(*arguments)
    failed = import_file(*arguments, action_on_existing_key="fail")
    assert failed.status_code == 409, failed.text
    assert failed.json["output"] == "Failed. These keys: ['existing'] already exists."


@pytest.mark.slow
def test_runs_that_cannot_be_triggered(remote: Remote, run: Any, major: int) -> None:
    date = "exec_date" if major == 2 else "logical_date"
    run("dags reserialize")
    first = {"dag_id": "probes", date: "2022-02-02T00:00:00Z"}
    assert run("dags trigger", run_id="first", **first, **JSON).json["dag_run_id"] == "first"
    second = run("dags trigger", run_id="second", **first)
    assert second.status_code == 409, second.text
    assert "already" in second.json["output"]
    assert "constraint" not in second.json["output"].lower()
    invalid = run("dags trigger", dag_id="probes", run_id="a b/c?")
    assert invalid.status_code == 400, invalid.text
    assert run("dags trigger", dag_id="probes", conf="{'a': 1}").status_code == 400
    assert run("dags trigger", dag_id="probes", conf="[1]").status_code == 400
    assert run("dags test", dag_id="probes", conf=[1]).status_code == 400
    name = "execution_date" if major == 2 else "logical_date_or_run_id"
    unknown = run("dags state", dag_id="probes", **{name: "1999-01-01"})
    assert (unknown.status_code, unknown.json.get("warning")) == (200, "the DAG has no such run")


@pytest.mark.slow
def test_invalid_regular_expression_is_a_400(run: Any) -> None:
    run("dags reserialize")
    run("dags unpause", dag_id="probes")  # SQLite does not look at the expression if there is no such DAG
    expressions = [("dags pause", {"dag_id": "[", "treat_dag_id_as_regex": True, "yes": True})]
    expressions += [("tasks clear", {"dag_id": "[", "dag_regex": True, "yes": True})]
    for command, arguments in expressions:
        response = run(command, **arguments)
        assert response.status_code == 400, response.text
        assert "regular expression" in response.json["output"]


def test_command_that_does_nothing_has_a_warning(run: Any, major: int) -> None:
    deleted = run("variables delete", key="no-such-key")
    assert (deleted.status_code, deleted.json["warning"]) == (200, "there was no variable with this key")
    run("variables set", key="deleted", value="1")
    assert "warning" not in run("variables delete", key="deleted").json
    run("dags reserialize")
    cleared = run("tasks clear", dag_id="probes", task_regex="^x$", yes=True)
    assert cleared.status_code == 200, cleared.text
    assert cleared.json["warning"].startswith(
        "Nothing to clear" if major == 2 else "no task instance was cleared"
    )
    assert ("plain text" in cleared.json["warning"]) == (major == 3)


@pytest.mark.airflow2  # the tests of Airflow 3 run without the FAB auth manager
def test_existing_users_roles_and_permissions_have_a_warning(run: Any) -> None:
    assert "warning" not in run("roles create", role=["results"]).json
    again = run("roles create", role=["results", "other"])
    assert (again.status_code, again.json["warning"]) == (200, "these roles existed already: results")
    user = dict.fromkeys(("username", "firstname", "lastname", "role"), "results")
    user["password"] = "a password of the tests"
    assert "warning" not in run("users create", email="a@example", **user).json
    again = run("users create", email="a@example", **user)
    assert (again.status_code, again.json["warning"]) == (200, "results already exist in the db")
    unknown = run("roles add-perms", role=["results"], resource=["no-such"], action=["can_read"])
    assert unknown.status_code == 404, unknown.text


def test_our_own_traceback_is_not_shown(remote: Remote) -> None:
    response = remote("refresh_dag", query_string={"dag_id": "no-such-dag"})
    assert response.status_code == 404, response.text
    assert "no-such-dag" in response.json["output"]
    assert "Traceback" not in response.json["stderr"]
    assert "airflow_remote_server" not in response.json["stderr"]
