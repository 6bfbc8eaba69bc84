"""A run that failed or waits is explained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from remote import Remote

ETL = "reading_etl"


@pytest.fixture
def diagnose(remote: Remote) -> Callable[[], dict[str, dict[str, Any]]]:
    """Return a function that returns the problems of the latest run by kind."""

    def call() -> dict[str, dict[str, Any]]:
        response = remote("diagnose", query_string={"dag_id": ETL})
        assert response.status_code == 200, response.text
        problems = response.json["result"]["problems"]
        assert all(problem["message"] in response.json["output"] for problem in problems)
        return {problem["kind"]: problem for problem in problems}

    return call


def test_failed_task_has_the_end_of_its_log(runs: Any, diagnose: Any) -> None:
    run_id = runs.trigger("diagnose-1")
    runs.set_task(run_id, "extract", "failed")
    runs.set_task(run_id, "load", "upstream_failed", tries=0)
    runs.set_run(run_id, "failed")
    path = runs.write_log(run_id, "extract", *map(str, range(100)), "ValueError: no rows")
    problems = diagnose()
    path.unlink()
    assert problems["task_failed"]["task_id"] == "extract"
    assert problems["task_failed"]["log"].endswith("ValueError: no rows")
    assert problems["task_failed"]["log"].count("\n") == 14
    assert problems["upstream_failed"]["message"].endswith(": load")
    assert "no_scheduler" not in problems  # it has ended


def test_waiting_run_names_what_is_missing(remote: Remote, runs: Any, diagnose: Any, major: int) -> None:
    run_id = runs.trigger("diagnose-2")
    runs.set_run(run_id, "running")
    assert remote("pause", "POST", json={"dag_id": ETL}).status_code == 200
    try:
        problems = diagnose()
    finally:
        remote("unpause", "POST", json={"dag_id": ETL})
    assert "is paused" in problems["dag_paused"]["message"]
    assert "no scheduler runs" in problems["no_scheduler"]["message"]
    assert ("no_dag_processor" in problems) == (major == 3)
    assert "dependencies" in problems, problems


def test_full_pool(remote: Remote, runs: Any, diagnose: Any) -> None:
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    run_id = runs.trigger("diagnose-3")
    runs.set_run(run_id, "running")
    pool = {"set": "tiny", "slot_count": 0, "pool_description": "none"}
    assert remote("pool", "POST", json=pool).status_code == 200
    with create_session() as session:
        session.query(TaskInstance).filter_by(run_id=run_id).update({"pool": "tiny"})
    runs.set_task(run_id, "extract", "scheduled", tries=0)
    problem = diagnose()["pool_full"]
    assert "waits for pool 'tiny': 0 running and 0 queued of 0 slots" in problem["message"]


def test_dag_without_a_run_and_with_an_import_error(remote: Remote, runs: Any) -> None:
    from airflow.models import errors
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    table = getattr(errors, "ParseImportError", None) or errors.ImportError
    with create_session() as session:
        path = session.get(DagModel, "reading_other").fileloc
        row = table(filename=path, stacktrace=f"  File \"{path}\", line 7, in <module>\nNameError: name 'x'")
        session.add(row)
        session.flush()
        row_id = row.id
    try:
        result = remote("diagnose", query_string={"dag_id": "reading_other"}).json["result"]
        listed = remote("import_errors").json
    finally:
        with create_session() as session:
            session.delete(session.get(table, row_id))
    assert result["run"] is None
    problem = next(problem for problem in result["problems"] if problem["kind"] == "import_error")
    assert problem["message"] == f"{path}:7: NameError: name 'x'"
    assert f"{path}:7: NameError: name 'x'" in listed["output"]
    assert Path(path).name == "reading.py"


def test_reading_writes_nothing(runs: Any) -> None:
    """Some of Airflow's dependencies set the state of the task that they examine."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    from airflow_remote_server.integrations.run_facts import ignore
    from airflow_remote_server.integrations.run_tables import find_run, open_session

    run_id = runs.trigger("diagnose-4")
    with open_session() as session:
        find_run(session, ETL, run_id).state = "failed"
        session.flush()
    with create_session() as session:
        assert session.query(DagRun).filter_by(run_id=run_id).one().state == "queued"
    assert ignore("skipped", session=None) is False


def test_conf_that_is_not_json_is_hidden() -> None:
    from airflow_remote_server.runs.documents import visible_conf

    assert visible_conf({"x": float("nan")}, frozenset()) == "***"
    assert visible_conf({"token": "abc", "y": [1]}, frozenset({"token"})) == {"token": "***", "y": [1]}
