"""The endpoints for DAGs and their runs, checked by their effects."""

from __future__ import annotations

import json

import pytest

from live.concurrency import on_both_versions, run_concurrently
from live.database import fetch_rows, fetch_runs
from live.harness import Server

NAMES = [
    *("version", "rest_api_plugin_version", "render", "variables", "connections", "pause", "unpause"),
    *("task_failed_deps", "trigger_dag", "test", "dag_state", "run", "list_tasks", "backfill", "list_dags"),
    *("kerberos", "worker", "workers", "flower", "scheduler", "task_state", "pool", "serve_logs", "clear"),
    *("deploy_dag", "refresh_dag", "refresh_all_dags", "undeploy_dag", "rollback_dag"),
]
"""Every command of Airflow 1.x and of the 2016 plugin, and the additions of this project."""


@pytest.mark.parametrize("name", NAMES)
def test_every_endpoint_is_at_both_addresses(server: Server, name: str) -> None:
    for path in (f"/api/v1.0/{name}", f"/api?api={name}"):
        assert server.request(path, "HEAD").status == 200
        assert server.request(path.replace(name, f"{name}x"), "HEAD").status == 404


def test_version(server: Server) -> None:
    posted, ancestors = run_concurrently(
        lambda: server.post("version"), lambda: server.request("/api?api=version", method="POST")
    )
    assert (posted.status, posted["output"], posted["exit_code"]) == (200, server.release, 0)
    assert posted["airflow_cmd"] == "airflow version"
    assert ancestors["output"]["stdout"] == f"{server.release}\n"
    ours = server.get("rest_api_plugin_version")
    assert ours["output"].count(".") == 2


def test_list_dags(server: Server) -> None:
    listed, report = run_concurrently(
        lambda: server.get("list_dags"), lambda: server.get("list_dags", report="true")
    )
    assert listed.status == report.status == 200
    rows_by_dag = {row["dag_id"]: row for row in listed["result"]}
    assert rows_by_dag.keys() >= {"hello_remote", "live_daily", "live_trouble"}
    assert rows_by_dag["hello_remote"]["fileloc"] == str(server.home / "dags" / "hello_remote.py")
    assert "hello_remote.py" in {row["file"].rpartition("/")[2] for row in report["result"]}


@on_both_versions
def test_unpause_and_pause(server: Server) -> None:
    server.run_command("pause", dag_id="hello_remote")  # an earlier test may have unpaused it
    envelope = server.run_command("unpause", dag_id="hello_remote")
    assert [row["dag_id"] for row in envelope["result"]] == ["hello_remote"]
    assert not server.is_paused("hello_remote")
    envelope = server.run_command("pause", dag_id="hello_remote")
    assert [row["dag_id"] for row in envelope["result"]] == ["hello_remote"]
    assert server.is_paused("hello_remote")


@on_both_versions
def test_trigger_dag_then_dag_state(server: Server) -> None:
    arguments = {"dag_id": "hello_remote", "run_id": "dated", "exec_date": "2024-05-01T12:00:00+00:00"}
    envelope = server.run_command(
        "trigger_dag", **arguments, conf=json.dumps({"name": "Zoë", "list": [1, None]})
    )
    assert envelope["dag_run_id"] == "dated"
    assert fetch_runs(server)["dated"] == {"name": "Zoë", "list": [1, None]}
    if server.major > 2:
        query = "select triggering_user_name from dag_run where run_id = 'dated'"
        assert fetch_rows(server, query) == [("airflow-remote:token",)]
    when = "2024-05-01T12:00:00+00:00" if server.major == 2 else "dated"
    state = server.run_command("dag_state", dag_id="hello_remote", execution_date=when)
    assert state["output"].partition(",")[0] == "queued"


@on_both_versions
def test_raw_plus_in_a_url_is_the_sign_of_an_offset(server: Server) -> None:
    path = "/api/v1.0/trigger_dag?dag_id=hello_remote&run_id=raw_plus&exec_date=2024-10-01T07:15:00+02:00"
    reply = server.request(path)  # requests leaves a + as it is
    assert reply.status == 200, reply.text
    column = "execution_date" if server.major == 2 else "logical_date"
    query = f"select {column} from dag_run where run_id = 'raw_plus'"  # noqa: S608
    assert fetch_rows(server, query)[0][0].startswith("2024-10-01 05:15:00")
    when = "2024-10-01T07:15:00+02:00" if server.major == 2 else "raw_plus"
    state = server.request(f"/api?api=dag_state&dag_id=hello_remote&execution_date={when}")
    assert state["output"]["stdout"].startswith("queued"), state.text
    live = "exec_date" if server.major == 2 else "logical_date"
    refused = server.request(
        "/api/v1.0/commands/dags/trigger",
        "POST",
        data={"dag_id": "hello_remote", live: "2024-10-01T07:15 25:00"},
    )
    assert refused.status == 400
    assert "%2B" in refused["output"]


def test_unknown_objects_give_a_404(server: Server) -> None:
    when = "2024-05-01" if server.major == 2 else "no_such_run"
    replies = run_concurrently(
        lambda: server.get("trigger_dag", dag_id="no_such_dag"),
        lambda: server.get("list_tasks", dag_id="no_such_dag"),
        lambda: server.get("dag_state", dag_id="no_such_dag", execution_date=when),
        lambda: server.get("clear", dag_id="no_such_dag"),
        lambda: server.get("refresh_dag", dag_id="no_such_dag"),
    )
    assert [(reply["airflow_cmd"], reply.status) for reply in replies if reply.status != 404] == []
    for reply in replies:
        assert (reply["status"], reply["error"]["type"], reply["exit_code"]) == ("ERROR", "NotFound", 1)
        assert "no_such_dag" in reply["output"]
        assert "\n" not in reply["output"]


@on_both_versions
def test_an_existing_run_id_gives_a_409_and_a_bad_date_a_400(server: Server) -> None:
    server.trigger("twice")
    again, bad_date = run_concurrently(
        lambda: server.get("trigger_dag", dag_id="hello_remote", run_id="twice"),
        lambda: server.get("trigger_dag", dag_id="hello_remote", run_id="never", exec_date="not-a-date"),
    )
    assert (again.status, again["error"]["type"]) == (409, "Conflict"), again.text
    assert "twice" in again["output"]
    assert (bad_date.status, bad_date["error"]["type"]) == (400, "BadArguments"), bad_date.text
    assert "not-a-date" in bad_date["output"]
    assert "\n" not in bad_date["output"]
    assert "never" not in fetch_runs(server)


def test_an_existing_date_gives_a_409_with_a_reason(server3: Server) -> None:
    arguments = {"dag_id": "hello_remote", "exec_date": "2022-02-02T00:00:00Z"}
    server3.run_command("trigger_dag", run_id="first_of_its_date", **arguments)
    reply = server3.get("trigger_dag", run_id="second_of_its_date", **arguments)
    assert (reply.status, reply["error"]["type"]) == (409, "Conflict"), reply.text
    # A sentence, without the SQL statement and its parameters, which contain the conf.
    assert "a run with this logical date already" in reply["output"]


@on_both_versions
def test_backfill(server: Server) -> None:
    dates = {"dag_id": "live_daily", "start_date": "2024-03-01", "end_date": "2024-03-01"}
    dry = server.run_command("backfill", dry_run="true", **dates)
    assert "2024-03-01" in dry["stdout"] + dry["stderr"]
    assert fetch_runs(server, "live_daily") == {}
    more = {"mark_success": "true"} if server.major == 2 else {}
    server.run_command("backfill", **dates, **more)
    if server.major == 2:
        assert len(fetch_runs(server, "live_daily")) == 1
    else:
        query = "select dag_id, triggering_user_name from backfill"
        assert fetch_rows(server, query) == [("live_daily", "airflow-remote:token")]


def test_backfill_of_a_dag_without_a_schedule(server3: Server) -> None:
    reply = server3.get("backfill", dag_id="hello_remote", start_date="2024-03-01")
    assert 400 <= reply.status < 500, reply.text
    assert reply["status"] == "ERROR"
    assert reply["exit_code"] == 1
