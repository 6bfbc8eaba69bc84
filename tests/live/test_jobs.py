"""Every command is a job: submitted, followed, stopped and repeated, also across workers and restarts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

from live.concurrency import on_both_versions, wait_until
from live.database import fetch_rows, fetch_runs
from live.harness import Server, run_servers
from live.jobs import (
    ASYNC,
    OpenRequest,
    check_no_leftovers,
    finish_probes,
    fork_server_pid,
    get_job,
    job_folder,
    list_jobs,
    probe_arguments,
    read_output,
    submit,
    wait_until_begun,
    wait_until_ended,
)
from live.processes import parent_of, processes_of_commands, processes_of_job, supervisors_of


@on_both_versions
def test_an_end_is_audited_although_no_request_asks_for_it(server: Server) -> None:
    file = ("broken.py", "from airflow import DAG\nimport no_such_module_anywhere\n", "text/x-python")
    reply = server.post("deploy_dag", files={"dag_file": file}, extra=ASYNC)
    assert reply.status == 202, reply.text
    uri = f"file:{server.home / 'rest_api' / 'jobs.db'}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=30)) as connection:
        query = (
            "select status, result, state, exit_code from airflow_remote_audit where job = ? and state > ''"
        )
        [row] = wait_until(
            "the end is recorded", lambda: connection.execute(query, [reply["job"]["id"]]).fetchall()
        )
    assert row == (202, "failed", "failed", 1)
    events = fetch_rows(server, "select event from log where event like 'cli_rest_api_deploy%' order by id")
    assert events[-2:] == [("cli_rest_api_deploy_dag",), ("cli_rest_api_deploy_dag_failed",)]


@on_both_versions
def test_respond_async(server: Server) -> None:
    reply = server.post("render", data=probe_arguments("waits", "async"), extra=ASYNC)
    assert (reply.status, reply["status"], reply["http_response_code"]) == (202, "OK", 202), reply.text
    assert reply.headers["Preference-Applied"] == "respond-async"
    assert "stdout" not in reply
    job = reply["job"]
    assert job["state"] in ("queued", "running")
    assert job["kind"] == "command"
    assert job["url"] == reply.headers["Location"] == f"/admin/rest_api/api/v1.0/jobs/{job['id']}"
    assert job["id"] in reply["output"]
    wait_until_begun(server, job["id"])
    running_job = get_job(server, job["id"])
    assert running_job["state"] == "running"
    assert running_job["pid"] in processes_of_commands(server.home)
    assert (running_job["ended"], running_job["exit_code"]) == (None, None)
    finish_probes(server, "async")
    last = wait_until_ended(server, job["id"])
    assert (last["state"], last["exit_code"], last["message"]) == ("succeeded", 0, "")
    assert last["created"] <= last["started"] <= last["ended"]
    assert (last["name"], last["airflow_cmd"]) == (
        "render",
        "airflow tasks render -- live_faults waits async",
    )
    assert last["peer"] == "127.0.0.1"
    output = read_output(server, job["id"])
    assert "and done" in output
    assert last["stdout_bytes"] == len(output.encode())


@on_both_versions
def test_a_request_may_end_before_its_command(server: Server) -> None:
    reply = server.post("render", data=probe_arguments("waits", "short"), extra={"Prefer": "wait=1"})
    assert (reply.status, reply["status"]) == (202, "OK"), reply.text
    assert reply.headers["Preference-Applied"] == "wait=1"
    finish_probes(server, "short")
    assert wait_until_ended(server, reply["job"]["id"])["state"] == "succeeded"


@on_both_versions
def test_jobs_are_listed_newest_first(server: Server) -> None:
    ids = [submit(server, "list_tasks", dag_id="hello_remote") for _ in range(3)]
    bad = submit(server, "list_tasks", dag_id="no_such_dag")
    for job_id in (*ids, bad):
        wait_until_ended(server, job_id)
    newest_first = [bad, *reversed(ids)]
    shown = [job["id"] for job in list_jobs(server, command="list_tasks")]
    assert [job_id for job_id in shown if job_id in newest_first] == newest_first
    assert next(job["id"] for job in list_jobs(server, state="failed", command="list_tasks")) == bad
    assert bad not in [job["id"] for job in list_jobs(server, state="succeeded")]
    page = server.get("jobs", command="list_tasks", limit="2")
    assert [job["id"] for job in page["jobs"]] == newest_first[:2]
    rest = server.get("jobs", command="list_tasks", limit="2", before=page["next"])
    assert [job["id"] for job in rest["jobs"]] == newest_first[2:4]
    assert get_job(server, bad)["message"] == "" or "no_such_dag" in get_job(server, bad)["message"]
    assert server.get("jobs", state="sleeping").status == 400
    assert server.get("jobs/0660e3ce7f2f4f5077639b2a339fc4b9").status == 404


@on_both_versions
def test_a_request_can_wait_for_output(server: Server) -> None:
    job_id = submit(server, "render", **probe_arguments("waits", "polled"))
    first = server.get(f"jobs/{job_id}/output", wait="60")
    assert first["data"].startswith("begun"), first.text
    assert (first["state"], first["complete"]) == ("running", False)
    with ThreadPoolExecutor() as pool:
        # No more output comes until the command may finish. The waiting request then gets it.
        query = {"offset": str(first["next_offset"]), "wait": "60"}
        second = pool.submit(server.get, f"jobs/{job_id}/output", **query)
        finish_probes(server, "polled")
        assert second.result()["data"].startswith("and done")
    last = wait_until_ended(server, job_id)
    reply = server.get(f"jobs/{job_id}/output", offset=str(last["stdout_bytes"]), wait="60")
    assert (reply["data"], reply["complete"], reply["state"]) == ("", True, "succeeded")
    plain = server.get(f"jobs/{job_id}/output", offset="0")
    assert plain["data"] == read_output(server, job_id)


@on_both_versions
def test_stop(server: Server) -> None:
    job_id = submit(server, "render", **probe_arguments("waits", "never"))
    wait_until_begun(server, job_id)
    reply = server.post(f"jobs/{job_id}/stop")
    assert (reply.status, reply["state"]) == (200, "stopped"), reply.text
    assert reply["message"] == "the command was stopped"
    assert processes_of_job(server.home, job_id) == []
    assert read_output(server, job_id).startswith("begun")
    again = server.post(f"jobs/{job_id}/stop")
    assert (again.status, again["state"], again["ended"]) == (200, "stopped", reply["ended"])


@on_both_versions
def test_stop_by_force(server: Server) -> None:
    job_id = submit(server, "render", **probe_arguments("ignores_sigterm", "never"))
    wait_until_begun(server, job_id)
    reply = server.post(f"jobs/{job_id}/stop", data={"force": "true"})
    assert (reply.status, reply["state"]) == (200, "stopped"), reply.text
    assert processes_of_job(server.home, job_id) == []


@on_both_versions
def test_text_arrives_while_the_command_runs(server: Server) -> None:
    with OpenRequest(server, "render", probe_arguments("waits", "text"), Accept="text/plain") as request:
        assert request.response.status == 200
        assert request.response.headers["Content-Type"].startswith("text/plain")
        assert request.read_line().startswith("begun ")
        # The command cannot have ended, since it may not finish yet.
        finish_probes(server, "text")
        assert request.read_line() == "and done\n"
        assert "rendered" in request.response.read().decode()


@on_both_versions
def test_events_arrive_while_the_command_runs(server: Server) -> None:
    with OpenRequest(
        server, "render", probe_arguments("waits", "events"), Accept="application/x-ndjson"
    ) as request:
        assert request.response.headers["Content-Type"] == "application/x-ndjson"
        events: list[dict[str, str]] = []
        while not (events and events[-1].get("stream") == "stdout"):
            events.append(json.loads(request.read_line()))
        assert events[0]["event"] == "started"
        assert events[-1]["event"] == "output"
        assert events[-1]["data"].startswith("begun ")
        finish_probes(server, "events")
        last = [json.loads(line) for line in request.response.read().decode().splitlines()]
    assert last[-1]["event"] == "finished"
    envelope = last[-1]["envelope"]
    assert (envelope["status"], envelope["exit_code"], envelope["job"]["state"]) == ("OK", 0, "succeeded")
    printed = [event["data"] for event in (*events, *last) if event.get("stream") == "stdout"]
    assert "".join(printed) == envelope["stdout"]


@on_both_versions
def test_a_stream_of_a_command_that_fails_at_once_has_a_status(server: Server) -> None:
    reply = server.post("list_tasks", data={"dag_id": "no_such_dag"}, extra={"Accept": "text/plain"})
    assert (reply.status, reply.headers["Content-Type"]) == (404, "text/plain; charset=utf-8"), reply.text
    assert "no_such_dag" in reply.text


@on_both_versions
def test_a_key_of_another_request_is_rejected(server: Server) -> None:
    job_id = submit(server, "list_tasks", key="one thing", dag_id="hello_remote")
    other = server.post("list_tasks", data={"dag_id": "live_faults"}, extra={"Idempotency-Key": "one thing"})
    assert (other.status, other["error"]["type"]) == (409, "Conflict"), other.text
    same = server.post("list_tasks", data={"dag_id": "hello_remote"}, extra={"Idempotency-Key": "one thing"})
    assert (same.status, same["job"]["id"]) == (200, job_id)


class TestTwoWorkers:
    """Servers with two workers each, which the last test restarts."""

    former: ClassVar[dict[str, set[Path]]]
    """The folders of earlier jobs, by version."""

    @pytest.fixture(scope="class")
    @classmethod
    def servers(cls, spare_homes: dict[str, Path]) -> Iterator[dict[str, Server]]:
        cls.former = {version: set(home.glob("rest_api/jobs/*")) for version, home in spare_homes.items()}
        with run_servers(spare_homes, environment={"AIRFLOW__API__WORKERS": "2"}) as servers:
            yield servers

    @pytest.fixture(params=["2.11", "3.3"])
    def server(self, request: pytest.FixtureRequest, servers: dict[str, Server]) -> Server:
        return servers[request.param]

    def test_the_first_command_is_warm(self, server: Server) -> None:
        job_id = submit(server, "render", **probe_arguments("waits", "first"))
        wait_until_begun(server, job_id)
        jobs = set(server.home.glob("rest_api/jobs/*"))
        assert jobs - self.former[server.version] == {job_folder(server, job_id)}, "it was not the first"
        assert parent_of(get_job(server, job_id)["pid"]) == fork_server_pid(server)
        assert supervisors_of(server.home, "cold_supervisor") == []
        finish_probes(server, "first")
        wait_until_ended(server, job_id)

    def test_both_workers_share_a_fork_server_and_the_job_of_a_key(self, server: Server) -> None:
        arguments, key = (
            probe_arguments("waits", "shared"),
            {"Idempotency_Key": "a request", "Prefer": "wait=60"},
        )
        with ExitStack() as stack:
            first = stack.enter_context(OpenRequest(server, "render", arguments, **key))
            worker = first.worker
            ask_elsewhere = partial(self.send_elsewhere, server, worker, arguments, key)
            second = stack.enter_context(wait_until("another worker has it", ask_elsewhere))
            # Both of gunicorn's workers are waiting now, so no other request is possible.
            [pid] = wait_until("the command runs", lambda: processes_of_commands(server.home))
            assert parent_of(pid) == fork_server_pid(server)
            finish_probes(server, "shared")
            replies = [first.read_reply(), second.read_reply()]
        assert [reply.status for reply in replies] == [200, 200], replies
        assert replies[0]["job"] == replies[1]["job"]
        assert replies[0]["stdout"] == replies[1]["stdout"]
        assert replies[0]["stdout"].count("begun") == 1

    def send_elsewhere(
        self, server: Server, worker: int, arguments: dict[str, str], headers: dict[str, str]
    ) -> OpenRequest | None:
        """Send the same request; return None if the same worker received it."""
        request = OpenRequest(server, "render", arguments, **headers)
        if request.worker != worker:
            return request
        request.hang_up()
        return None

    def test_a_key_outlives_the_server(self, servers: dict[str, Server]) -> None:
        key = {"Idempotency-Key": "trigger it once"}
        arguments = {"dag_id": "hello_remote", "conf": json.dumps({"name": "once"})}
        first = {
            version: server.post("trigger_dag", data=arguments, extra=key)
            for version, server in servers.items()
        }
        pids = {server.version: fork_server_pid(server) for server in servers.values()}
        with ThreadPoolExecutor() as pool:
            list(pool.map(Server.stop, servers.values()))
        assert [reply.status for reply in first.values()] == [200, 200]
        with run_servers({server.version: server.home for server in servers.values()}) as again:
            for version, server in again.items():
                reply = server.post("trigger_dag", data=arguments, extra=key)
                assert reply.status == 200, reply.text
                for name in ("job", "stdout", "dag_run_id", "exit_code", "airflow_cmd"):
                    assert reply[name] == first[version][name]
                names = [conf["name"] for conf in fetch_runs(server).values() if conf and "name" in conf]
                assert names.count("once") == 1
                assert fork_server_pid(server) != pids[version]
                check_no_leftovers(server)
