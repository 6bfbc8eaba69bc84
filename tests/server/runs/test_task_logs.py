"""The logs of tasks are read in pages, followed, and explained if they are gone."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from remote import Remote

ETL = "reading_etl"


def log_of(run_id: str, **more: Any) -> dict[str, Any]:
    """Return the query for the log of ``extract``."""
    return {"dag_id": ETL, "run_id": run_id, "task_id": "extract", **more}


@pytest.fixture
def run_id(runs: Any) -> Iterator[str]:
    """Return a run whose task ``extract`` runs."""
    run_id: str = runs.trigger("logs-1")
    runs.set_run(run_id, "running")
    runs.set_task(run_id, "extract", "running")
    yield run_id
    path = runs.log_path(run_id, "extract")
    for file in path.parent.glob("*") if path.parent.exists() else ():
        file.unlink()


def test_log_is_followed_page_by_page(remote: Remote, runs: Any, run_id: str) -> None:
    runs.write_log(run_id, "extract", "one", "two", more="incompl")
    first = remote("task_logs", query_string=log_of(run_id)).json
    assert [line.rpartition(" ")[2] for line in first["output"].splitlines()] == ["one", "two"], first
    result = first["result"]
    assert (result["try_number"], result["state"], result["complete"]) == (1, "running", False)
    again = remote("task_logs", query_string=log_of(run_id, after=result["next"])).json
    assert (again["output"], again["result"]["next"]) == ("", result["next"])
    with runs.log_path(run_id, "extract").open("a") as file:
        file.write("ete\n")
    runs.set_task(run_id, "extract", "success")
    last = remote("task_logs", query_string=log_of(run_id, after=result["next"])).json
    assert (last["output"], last["result"]["complete"]) == ("incomplete\n", True)


def test_pages_have_whole_lines(remote: Remote, runs: Any, run_id: str) -> None:
    lines = [f"line-{number}-{'é' * number}" for number in range(50)]
    runs.write_log(run_id, "extract", *lines)
    runs.set_task(run_id, "extract", "success")
    found, after, pages = [], "", 0
    while True:
        page = remote("task_logs", query_string=log_of(run_id, after=after, limit=300)).json
        found += [line.rpartition(" ")[2] for line in page["output"].splitlines()]
        after, pages = page["result"]["next"], pages + 1
        if page["result"]["at_end"]:
            break
    assert found == lines
    assert pages > 5
    text = remote("task_logs", query_string=log_of(run_id, limit=300), ACCEPT="text/plain").text
    assert [line.rpartition(" ")[2] for line in text.splitlines()] == lines


def test_followed_text_ends_with_the_task(remote: Remote, runs: Any, run_id: str) -> None:
    runs.write_log(run_id, "extract", "begin")

    def finish() -> None:
        runs.write_log(run_id, "extract", "end")
        runs.set_task(run_id, "extract", "success")

    timer = threading.Timer(1.5, finish)
    timer.start()
    text = remote("task_logs", query_string=log_of(run_id, follow=1), ACCEPT="text/plain").text
    timer.join()
    assert [line.rpartition(" ")[2] for line in text.splitlines()] == ["begin", "end"]


def test_log_in_parts_is_read_by_airflows_reader(remote: Remote, runs: Any, run_id: str) -> None:
    path = runs.write_log(run_id, "extract", "worker")
    path.with_name(f"{path.name}.trigger.1.log").write_text(path.read_text().replace("worker", "trigger"))
    runs.set_task(run_id, "extract", "success")
    page = remote("task_logs", query_string=log_of(run_id)).json
    assert {line.rpartition(" ")[2] for line in page["output"].splitlines()} >= {"worker", "trigger"}, page
    assert "::group::" not in page["output"]
    after = remote("task_logs", query_string=log_of(run_id, after=page["result"]["next"])).json
    assert (after["output"], after["result"]["complete"]) == ("", True)


def test_task_that_has_not_started_has_no_text(remote: Remote, runs: Any, run_id: str) -> None:
    page = remote("task_logs", query_string={**log_of(run_id), "task_id": "load"}).json
    assert (page["output"], page["result"]["complete"], page["result"]["try_number"]) == ("", False, 0), page


def test_log_that_is_gone_says_where_it_was_looked_for(remote: Remote, runs: Any, run_id: str) -> None:
    runs.set_task(run_id, "extract", "failed")
    response = remote("task_logs", query_string=log_of(run_id))
    assert response.status_code == 404, response.text
    message = response.json["error"]["message"]
    assert message.startswith("the log of try 1 of task 'extract' is gone: "), message
    assert "served logs" in message
    assert "not bound" not in message, message


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ({"task_id": "extrakt"}, 404, "did you mean 'extract'"),
        ({"map_index": 1}, 404, "is not mapped"),
        ({"task_id": "spread"}, 404, "is mapped: give map_index"),
        ({"try_number": 2}, 404, "has tries 1 to 1, not 2"),
        ({"try_number": 0}, 400, "try_number"),
        ({"after": "odd"}, 400, "next"),
        ({"limit": 9 << 20}, 400, "limit"),
    ],
)
def test_bad_input(
    remote: Remote, runs: Any, run_id: str, query: dict[str, Any], status: int, message: str
) -> None:
    if query.get("task_id") == "spread":
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session

        with create_session() as session:
            spread = session.query(TaskInstance).filter_by(run_id=run_id, task_id="spread", map_index=-1)
            spread.update({"map_index": 0})  # if nothing has expanded it yet
    response = remote("task_logs", query_string={**log_of(run_id), **query})
    assert response.status_code == status, response.text
    assert message in response.json["error"]["message"]
