"""The features that every supported release of Airflow must have, each on a real webserver.

Each test is a row of the table in docs/reference/compatibility.md.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from catalog_coverage import undecided
from live.concurrency import wait_until
from live.database import fetch_rows, fetch_runs
from live.harness import PREFIX, Server, start_server
from live.jobs import ASYNC, list_jobs, wait_until_ended
from live.processes import (
    parent_of,
    processes_of_group,
    processes_of_job,
    read_output_files,
    supervisors_of,
)
from live.program import run_client
from live.test_deploy import SOURCE
from live.test_menu import check_menu_2, check_menu_3, check_page
from live.test_seed import check_version
from playwright.sync_api import Page

from airflow_remote_server.catalog import traits
from airflow_remote_server.catalog.live import build_catalog
from airflow_remote_server.catalog.policy import Policy
from matrix.curl_api import deploy, is_paused, major_and_minor, run_command, send_command
from matrix.environments import Installation, run

DATE = "2024-03-01"


def test_install(installation: Installation) -> None:
    """Installing changes no package of Airflow, with its pins as constraints and without."""
    assert installation.constrained == ""
    kept = {name: installation.after.get(name) for name in installation.before}
    assert kept == installation.before
    added = set(installation.after) - set(installation.before)
    assert added - {"a2wsgi", "platformdirs", "Werkzeug"} == {"airflow-remote"}
    assert installation.checked_after == installation.checked_before


def test_airflow_is_unharmed(server: Server) -> None:
    """Airflow's own health check succeeds."""
    path = "/../../health" if server.major == 2 else "/../../api/v2/monitor/health"
    reply = server.request(path, headers={})
    assert (reply.status, reply["metadatabase"]["status"]) == (200, "healthy")


def test_curl_line(server: Server) -> None:
    """The 2016 plugin's curl line works literally."""
    check_version(server.url, server.release)
    assert server.request("/api/v1.0/version", headers={"rest_api_plugin_http_token": "wrong"}).status == 403


@pytest.mark.airflow2  # the server of Airflow 3 drops no header, so test_curl_line covers every way in
def test_ways_in(release: str, server: Server, home: Path) -> None:
    """The curl line also works with the plugin file and with the gunicorn configuration."""
    assert server.process.poll() is None
    for way in ("plugin", "gunicorn"):
        other = start_server(release, home.with_name(way), way=way)
        try:
            check_version(other.url, other.release)
        finally:
            other.stop()


def test_stores(release: str, server: Server, tmp_path: Path) -> None:
    """Variables, connections and pools are set, read, listed, exported, imported and deleted."""
    file = tmp_path / "in.json"
    file.write_text(json.dumps({"imported": "by curl"}))
    run_command(server, "variables", set="by curl", value="-x 'y' 日本")
    assert run_command(server, "variables", get="by curl")["output"] == "-x 'y' 日本"
    if major_and_minor(release) >= (2, 8):
        run_command(server, "variables", set="described", value="1", description="what it is for")
    else:
        status, answer = send_command(
            server, "variables", set="described", value="1", description="what it is for"
        )
        assert (status, answer["error"]["type"]) == (501, "NotInThisAirflow")
        assert "since 2.8" in answer["output"]
    run_command(server, "variables", "--form", f"import=@{file}")
    assert "imported" in {row["key"] for row in run_command(server, "variables")["result"]}
    exported = json.loads(run_command(server, "variables", export="-")["stdout"])
    assert {"by curl": "-x 'y' 日本", "imported": "by curl"}.items() <= exported.items()
    run_command(server, "variables", delete="imported")
    assert "imported" not in {row["key"] for row in run_command(server, "variables")["result"]}
    run_command(
        server, "connections", add="true", conn_id="matrix", conn_uri="http://user:pass@127.0.0.1:80/x"
    )
    assert (
        run_command(server, "connections", get="true", conn_id="matrix")["result"][0]["conn_id"] == "matrix"
    )
    assert "matrix" in {row["conn_id"] for row in run_command(server, "connections")["result"]}
    run_command(server, "connections", delete="true", conn_id="matrix")
    if major_and_minor(release) >= (3, 2):
        run_command(server, "connections", show_values="true")
    elif major_and_minor(release) >= (3, 0):
        status, answer = send_command(server, "connections", show_values="true")
        assert (status, "since 3.2" in answer["output"]) == (501, True), answer
    run_command(server, "pool", set="matrix", slot_count="3", pool_description="by curl")
    assert run_command(server, "pool", get="matrix")["result"][0]["slots"] == "3"
    assert "matrix" in {row["pool"] for row in run_command(server, "pool")["result"]}
    run_command(server, "pool", delete="matrix")


def test_dags(release: str, server: Server) -> None:
    """DAGs are listed, paused, unpaused and triggered; states, tasks and templates are shown."""
    listed = {row["dag_id"] for row in run_command(server, "list_dags")["result"]}
    assert listed >= {"hello_remote", "matrix_daily"}
    run_command(server, "list_dags", report="true")
    assert "hello" in run_command(server, "list_tasks", dag_id="matrix_daily")["output"]
    run_command(server, "unpause", dag_id="matrix_slow")
    assert not is_paused(server, "matrix_slow")
    run_command(server, "pause", dag_id="matrix_slow")
    assert is_paused(server, "matrix_slow")
    date = f"{DATE}T00:00:00Z"
    answer = run_command(
        server, "trigger_dag", dag_id="matrix_daily", run_id="by_curl", conf='{"a": "Zoë"}', exec_date=date
    )
    assert answer["dag_run_id"] == "by_curl"
    assert fetch_runs(server, "matrix_daily")["by_curl"] == {"a": "Zoë"}
    state = run_command(server, "dag_state", dag_id="matrix_daily", execution_date=date)
    assert state["output"].partition(",")[0] == "queued"
    of_task = {"dag_id": "matrix_daily", "task_id": "hello", "execution_date": "by_curl"}
    run_command(server, "task_state", **of_task)
    if major_and_minor(release) != (3, 0):  # its `tasks failed-deps` always fails, also locally
        run_command(server, "task_failed_deps", **of_task)
    # For a queued run, `tasks render` and `tasks test` of Airflow 3.0 and 3.1 fail, also locally.
    of_no_run = {**of_task, "execution_date": "2024-03-05"}
    run_command(server, "render", **of_no_run)
    tested = run_command(server, "test", **of_no_run)
    assert "hello from the matrix" in tested["output"]
    if server.major == 2:
        run_command(server, "run", **of_task, mark_success="true")
    else:
        status, answer = send_command(server, "run", **of_task)
        assert (status, "tasks test" in answer["output"]) == (501, True), answer
    run_command(server, "clear", dag_id="matrix_daily")
    run_command(server, "backfill", dag_id="matrix_daily", start_date=DATE, dry_run="true")
    status, answer = send_command(server, "trigger_dag", dag_id="no_such_dag")
    assert (status, answer["error"]["type"]) == (404, "NotFound"), answer


def test_refresh(server: Server) -> None:
    """The file of a DAG is parsed again; before Airflow 2.10, which has no such requests, at once."""
    run_command(server, "refresh_dag", dag_id="hello_remote")
    run_command(server, "refresh_all_dags")
    assert fetch_rows(server, "select 1 from serialized_dag where dag_id = 'hello_remote'") != []
    status, answer = send_command(server, "refresh_dag", dag_id="no_such_dag")
    assert (status, answer["error"]["type"]) == (404, "NotFound"), answer


def test_client(server: Server) -> None:
    """The client lists DAGs, triggers a run and sets a variable, by their current names."""
    answer = run_client(server, "dags", "list", "-o", "json")
    assert answer.returncode == 0, answer.stderr
    assert "hello_remote" in {row["dag_id"] for row in json.loads(answer.stdout)}
    answer = run_client(server, "dags", "trigger", "hello_remote", "--run-id", "by_client", "-o", "json")
    assert answer.returncode == 0, answer.stderr
    assert "by_client" in fetch_runs(server)
    assert run_client(server, "variables", "set", "by client", "1").returncode == 0
    assert run_client(server, "variables", "get", "by client").stdout == "1\n"
    assert run_client(server, "dags", "trigger", "no_such_dag").returncode == 1


def test_catalog(server: Server, installation: Installation, tmp_path: Path) -> None:
    """Every command is in the catalog, with known traits and known file arguments."""
    reply = server.get("commands")
    assert (reply.status, reply["airflow"]) == (200, server.release)
    file = tmp_path / "commands.json"
    subprocess.run(
        [str(installation.python), "-m", "airflow_remote_server.integrations.command_tables", str(file)],
        env=server.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=True,
    )
    catalog = build_catalog(json.loads(file.read_text()), Policy())
    assert [name for name in catalog.endpoints if not traits.traits_of(name).covered] == []
    files = {name: undecided(endpoint) for name, endpoint in catalog.endpoints.items()}
    assert {name: arguments for name, arguments in files.items() if arguments} == {}
    assert {command["name"] for command in reply["commands"]} == set(catalog.endpoints)


def test_deploy(server: Server, tmp_path: Path) -> None:
    """A DAG file is deployed, parsed by Airflow, replaced, rolled back and undeployed."""
    file = tmp_path / "matrix_deployed.py"
    file.write_text(SOURCE.format(dag_id="matrix_deployed", task="first"))
    parser = "commands/dag-processor" if server.major >= 3 else "scheduler"
    started = server.post(parser, extra=ASYNC)
    assert started.status == 202, started.text
    try:
        status, answer = deploy(server, file, wait="60")
        assert (status, answer["dag_ids"]) == (200, ["matrix_deployed"]), answer
        assert fetch_rows(server, "select 1 from serialized_dag where dag_id = 'matrix_deployed'") != []
        file.write_text(SOURCE.format(dag_id="matrix_deployed", task="second"))
        assert deploy(server, file)[0] == 409
        status, answer = deploy(server, file, wait="60", force="true", unpause="true")
        assert status == 200, answer
        assert not is_paused(server, "matrix_deployed")
        run_command(server, "rollback_dag", filename=file.name)
        assert "first" in (server.home / "dags" / file.name).read_text()
        run_command(server, "undeploy_dag", filename=file.name)
        assert not (server.home / "dags" / file.name).exists()
    finally:
        server.post(f"jobs/{started['job']['id']}/stop")
        assert wait_until_ended(server, started["job"]["id"])["state"] == "stopped"


def test_broken_deploy(server: Server, tmp_path: Path) -> None:
    """A file that Airflow cannot import changes nothing; a file without a DAG gives a warning."""
    file = tmp_path / "matrix_broken.py"
    file.write_text("import airflow\nimport no_such_module_of_the_matrix  # dag\n")
    status, answer = deploy(server, file)
    assert (status, answer["error"]["type"]) == (422, "CommandFailed"), answer
    assert "no_such_module_of_the_matrix" in answer["output"]
    assert list(answer["import_errors"]) == [file.name]
    assert not (server.home / "dags" / file.name).exists()
    file.write_text("x = 1\n")
    status, answer = deploy(server, file)
    assert (status, answer["dag_ids"]) == (200, []), answer
    assert "no DAG was found" in answer["warning"]


def test_page(server: Server, page: Page) -> None:
    """The page shows every endpoint."""
    page.goto(f"{server.url}{PREFIX}/")
    check_page(page, server)


def test_menu(release: str, server: Server, page: Page) -> None:
    """Airflow's menu links to the page: under Admin, or in Airflow 3.0 under Plugins."""
    if server.major == 2:
        check_menu_2(page, server)
    else:
        check_menu_3(page, server, "Plugins" if major_and_minor(release) < (3, 1) else "Admin")


def test_jobs(server: Server) -> None:
    """A job is listed, run by the fork server, and stopped with all its processes."""
    reply = server.post(
        "test", data={"dag_id": "matrix_slow", "task_id": "sleep", "execution_date": DATE}, extra=ASYNC
    )
    assert reply.status == 202, reply.text
    job_id = reply["job"]["id"]
    [process] = wait_until("the command runs", lambda: processes_of_job(server.home, job_id)[:1])
    assert job_id in [job["id"] for job in list_jobs(server, state="running")]
    assert parent_of(process) in supervisors_of(server.home, "fork_server")
    assert server.post(f"jobs/{job_id}/stop").status in (200, 202)
    assert wait_until_ended(server, job_id)["state"] == "stopped"
    assert processes_of_job(server.home, job_id) == []


def test_services(server: Server) -> None:
    """A scheduler is started, works, is listed, and is stopped; services that need Celery say so."""
    reply = server.post("scheduler")
    assert (reply.status, reply["job"]["kind"]) == (202, "service"), reply.text
    started = reply["job"]
    query = "select 1 from job where job_type = 'SchedulerJob' and state = 'running'"
    wait_until("the scheduler works", lambda: fetch_rows(server, query), 90)
    # While it starts its LocalExecutor, SIGTERM can make the scheduler of Airflow 3 hang.
    begun = "orphaned tasks for active dag runs"
    wait_until(
        "the scheduler has started its executor", lambda: begun in read_output_files(started["pid"]), 90
    )
    assert started["id"] in [job["id"] for job in list_jobs(server, state="running")]
    server.post(f"jobs/{started['id']}/stop")
    assert wait_until_ended(server, started["id"])["state"] == "stopped"
    # The group is killed before the end is recorded, and the kernel may take a moment to carry that out.
    wait_until("none of its processes is left", lambda: not processes_of_group(started["pid"]), 10)
    for name in ("worker", "flower"):
        status, answer = send_command(server, name)
        assert (status, "apache-airflow-providers-celery" in answer["output"]) == (501, True), answer
    logs = server.post("serve_logs")
    assert logs.status == 202, logs.text
    server.post(f"jobs/{logs['job']['id']}/stop")
    assert wait_until_ended(server, logs["job"]["id"])["state"] == "stopped"


def test_fork_server(server: Server) -> None:
    """One fork server has run all commands so far."""
    assert len(supervisors_of(server.home, "fork_server")) == 1
    log = re.sub(r"\x1b\[[0-9;]*m", "", (server.home / "server.log").read_text("utf-8", "replace"))
    assert "No fork server" not in log
    assert run("sh", "-c", f"ls {server.home}/rest_api/host/*.failed 2>/dev/null | wc -l").strip() == "0"
