"""A request with ``yes=false`` returns what a command would ask, and changes nothing."""

from __future__ import annotations

import ast
import contextlib
import json
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import airflow
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from remote import Remote

NOTHING_DONE = "the command asks for confirmation, so nothing was done: give yes to run it"
AIRFLOW = Path(airflow.__file__).parent
QUESTIONS = ("cli", "models", "utils", "serialization")
"""The parts of Airflow that may ask."""


@pytest.fixture
def dags(home: Path, database: None) -> Iterator[dict[str, Any]]:
    """Add DAGs to Airflow's database, and return whether each is paused, read when it is needed."""
    names = ("confirm_a", "confirm_b")
    with contextlib.closing(sqlite3.connect(home / "airflow.db")) as connection:
        columns = {row[1]: row for row in connection.execute("PRAGMA table_info(dag)")}
        bundle = {"bundle_name": "dags-folder"} if "bundle_name" in columns else {}
        if bundle:
            connection.execute("INSERT OR IGNORE INTO dag_bundle (name) VALUES ('dags-folder')")
        for name in names:
            needed = {column: 0 for column, row in columns.items() if row[3] and row[4] is None}
            row = {**needed, "dag_id": name, "is_paused": 0, "is_active": 1, "is_stale": 0, **bundle}
            row = {column: value for column, value in row.items() if column in columns}
            marks = ", ".join("?" * len(row))
            statement = f"INSERT INTO dag ({', '.join(row)}) VALUES ({marks})"  # noqa: S608 - its own columns
            connection.execute(statement, [*row.values()])
        connection.commit()
        yield {"connection": connection, "names": names}
        connection.execute("DELETE FROM dag WHERE dag_id LIKE 'confirm_%'")
        connection.commit()


def paused(dags: dict[str, Any]) -> list[tuple[str, int]]:
    """Return the DAGs, each with whether it is paused."""
    query = "SELECT dag_id, is_paused FROM dag WHERE dag_id LIKE 'confirm_%' ORDER BY dag_id"
    return [tuple(row) for row in dags["connection"].execute(query)]


def test_question_names_what_would_be_changed(remote: Remote, dags: dict[str, Any]) -> None:
    arguments = {"dag_id": "confirm_.*", "treat_dag_id_as_regex": True, "yes": False}
    response = remote("commands/dags/pause", "POST", json=arguments)
    assert response.status_code == 200, response.text
    assert "about to pause 2 DAGs:\nconfirm_a,confirm_b\n" in response.json["stdout"]
    assert response.json["warning"] == NOTHING_DONE
    assert "--yes" not in response.json["airflow_cmd"]
    assert paused(dags) == [("confirm_a", 0), ("confirm_b", 0)]
    response = remote("commands/dags/pause", "POST", json={**arguments, "yes": True})
    assert response.status_code == 200, response.text
    assert paused(dags) == [("confirm_a", 1), ("confirm_b", 1)]


def test_question_that_is_a_prompt_is_shown(remote: Remote, dags: dict[str, Any]) -> None:
    response = remote("commands/dags/delete", "POST", data={"dag_id": "confirm_a", "yes": "false"})
    assert response.status_code == 200, response.text
    assert "This will drop all existing records related to the specified DAG" in response.json["stdout"]
    assert response.json["warning"] == NOTHING_DONE
    assert len(paused(dags)) == 2


def test_command_with_a_dry_run_makes_one(remote: Remote, database: None) -> None:
    arguments = {"clean_before_timestamp": "2020-01-01", "tables": "log", "yes": False}
    response = remote("commands/db/clean", "POST", json=arguments)
    assert response.status_code == 200, response.text
    assert "dry run" in response.json["stdout"].lower()
    assert "--dry-run" in response.json["airflow_cmd"]


def test_preview_of_an_unknown_dag_fails_as_the_command_does(remote: Remote) -> None:
    response = remote("commands/tasks/clear", "POST", json={"dag_id": "no_such_dag", "yes": False})
    assert response.status_code in (404, 422)
    assert "no_such_dag" in response.json["error"]["message"]


def test_without_an_answer_the_error_names_both(remote: Remote) -> None:
    response = remote("commands/dags/delete", "POST", json={"dag_id": "d"})
    assert response.status_code == 400
    assert response.json["error"]["message"].endswith("give yes, or yes=false to see what it would do")


def test_catalog_says_that_a_question_can_be_seen(remote: Remote) -> None:
    entries = remote("commands").json["commands"]
    confirms = [entry["confirm"] for entry in entries if entry["confirm"]]
    assert confirms
    assert all(confirm["preview"] for confirm in confirms)


def test_airflow_reads_answers_only_with_input() -> None:
    others = []
    for part in QUESTIONS:
        for path in (AIRFLOW / part).rglob("*.py"):
            tree = ast.parse(path.read_text("utf-8"))
            called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
            names = {ast.unparse(function) for function in called}
            others += [(path.name, name) for name in names if name in ("click.confirm", "sys.stdin.readline")]
    assert others == []


def test_answer_of_a_preview_is_no_result(remote: Remote, dags: dict[str, Any]) -> None:
    arguments = {"dag_id": "confirm_.*", "treat_dag_id_as_regex": True, "yes": False, "output": "json"}
    response = remote("commands/dags/pause", "POST", json=arguments)
    assert response.json.get("result") is None
    assert json.loads(response.text)["warning"] == NOTHING_DONE
