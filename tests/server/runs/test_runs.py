"""Runs are listed and shown with their tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from remote import Remote

ETL = "reading_etl"


def test_runs_are_listed_the_latest_first(remote: Remote, runs: Any) -> None:
    first, second = runs.trigger("list-1"), runs.trigger("list-2", conf='{"password": "hunter22", "x": 1}')
    runs.set_run(first, "failed")
    document = remote("runs", query_string={"dag_id": ETL}).json
    assert [run["run_id"] for run in document["result"]["runs"][:2]] == [second, first], document
    latest, earlier = document["result"]["runs"][:2]
    assert (latest["state"], earlier["state"]) == ("queued", "failed")
    assert latest["conf"] == {"password": "***", "x": 1}
    assert 59 < earlier["duration"] < 62
    assert earlier["end_date"].endswith("Z")
    assert first in document["output"]
    failed = remote("runs", query_string={"dag_id": ETL, "state": "failed"}).json["result"]
    assert ([run["run_id"] for run in failed["runs"]], failed["total"]) == ([first], 1)


def test_runs_are_paged_and_bounded_by_date(remote: Remote, runs: Any) -> None:
    for number in range(3):
        runs.trigger(f"page-{number}")
    page = remote("runs", query_string={"dag_id": ETL, "limit": 1, "offset": 1}).json["result"]
    assert ([run["run_id"] for run in page["runs"]], page["total"]) == (["page-1"], 3)
    later = {"dag_id": ETL, "start_date": "2999-01-01T00:00:00+00:00"}
    assert remote("runs", query_string=later).json["result"] == {"runs": [], "total": 0}
    earlier = {"dag_id": ETL, "end_date": "2999-01-01"}
    assert remote("runs", query_string=earlier).json["result"]["total"] == 3


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 1001},
        {"offset": -1},
        {"state": "odd"},
        {"start_date": "soon"},
        {"end_date": "-1"},
    ],
)
def test_invalid_limits_are_refused(remote: Remote, known_dags: None, query: dict[str, Any]) -> None:
    assert remote("runs", query_string=query).status_code == 400


def test_dates_at_the_edge_are_answered(remote: Remote, known_dags: None) -> None:
    first = {"start_date": "0001-01-01T00:00:00+14:00"}
    assert remote("runs", query_string=first).status_code == 400


def test_run_is_shown_with_its_tasks(remote: Remote, runs: Any, major: int) -> None:
    run_id = runs.trigger("show:1+x")
    runs.set_run(run_id, "success")  # the duration of a running one grows
    runs.set_task(run_id, "extract", "success")
    document = remote("dag_run", query_string={"dag_id": ETL}).json
    run = document["result"]
    assert (run["run_id"], run["state"]) == (run_id, "success"), document
    tasks = {task["task_id"]: task for task in run["tasks"]}
    assert (tasks["extract"]["state"], tasks["extract"]["try_number"]) == ("success", 1)
    assert (tasks["load"]["state"], tasks["load"]["try_number"]) == (None, 0)
    assert run["counts"]["success"] == 1
    quoted = "show%3A1%2Bx"
    expected = {2: f"/dags/{ETL}/grid?dag_run_id={quoted}", 3: f"/dags/{ETL}/runs/{quoted}"}
    assert run["url"] == expected[major]
    assert "extract" in document["output"]
    text = remote("dag_run", query_string={"dag_id": ETL}, ACCEPT="text/plain")
    assert text.content_type.startswith("text/plain")
    assert text.text == document["output"]


@pytest.mark.parametrize(
    ("name", "query", "message"),
    [
        ("runs", {"dag_id": "reading_etk"}, "did you mean 'reading_etl'"),
        ("dag_run", {"dag_id": "reading_etk"}, "did you mean 'reading_etl'"),
        ("dag_run", {"dag_id": "reading_other"}, "has no run"),
        ("dag_run", {"dag_id": ETL, "run_id": "near-2"}, "did you mean 'near-1'"),
        ("diagnose", {"dag_id": "reading_etk"}, "did you mean 'reading_etl'"),
        ("dag_source", {"dag_id": "reading_etk"}, "did you mean 'reading_etl'"),
    ],
)
def test_unknown_names_are_404_with_the_nearest(
    remote: Remote, runs: Any, name: str, query: dict[str, str], message: str
) -> None:
    runs.trigger("near-1")
    response = remote(name, query_string=query)
    assert response.status_code == 404, response.text
    assert message in response.json["error"]["message"]


def test_source_and_import_errors(remote: Remote, runs: Any) -> None:
    source = remote("dag_source", query_string={"dag_id": ETL}).json
    assert "reading_other" in source["output"], source
    assert source["result"]["path"].endswith("reading.py")
    errors = remote("import_errors").json
    assert isinstance(errors["result"]["import_errors"], list)


def test_viewers_read_and_tokens_keep_to_their_dags(holder: Any, runs: Any) -> None:
    runs.trigger("viewer-1")
    viewer = holder("viewer")
    assert viewer("dag_run", query_string={"dag_id": ETL}).status_code == 200
    confined = holder("viewer", 'dags = ["reading_other"]\n')
    assert confined("dag_run", query_string={"dag_id": ETL}).status_code == 403
    assert confined("task_logs", query_string={"dag_id": ETL, "task_id": "extract"}).status_code == 403
    assert confined("runs").status_code == 403
    assert confined("import_errors").status_code == 403
    assert confined("runs", query_string={"dag_id": "reading_other"}).status_code == 200
