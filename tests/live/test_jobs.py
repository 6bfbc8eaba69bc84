"""Every command is a job: asked for, followed, stopped, repeated, also across workers and restarts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

from live.conftest import DAGS
from live.database import runs
from live.harness import Server, eventually, on_both_versions, running
from live.jobs import (
    ASYNC,
    Request,
    begun,
    check_nothing_is_left,
    deed,
    ended,
    folder,
    go,
    host,
    job,
    listed,
    submit,
    text,
)
from live.processes import commands_of, keepers_of, of_job, parent_of


@on_both_versions
def test_respond_async(server: Server) -> None:
    reply = server.post("render", data=deed("waits", "async"), extra=ASYNC)
    assert (reply.status, reply["status"], reply["http_response_code"]) == (202, "OK", 202), reply.text
    assert reply.headers["Preference-Applied"] == "respond-async"
    assert "stdout" not in reply
    found = reply["job"]
    assert found["state"] in ("queued", "running")
    assert found["kind"] == "command"
    assert found["url"] == reply.headers["Location"] == f"/admin/rest_api/api/v1.0/jobs/{found['id']}"
    assert found["id"] in reply["output"]
    begun(server, found["id"])
    running_job = job(server, found["id"])
    assert running_job["state"] == "running"
    assert running_job["pid"] in commands_of(server.home)
    assert (running_job["ended"], running_job["exit_code"]) == (None, None)
    go(server, "async")
    last = ended(server, found["id"])
    assert (last["state"], last["exit_code"], last["message"]) == ("succeeded", 0, "")
    assert last["created"] <= last["started"] <= last["ended"]
    assert (last["name"], last["airflow_cmd"]) == (
        "render",
        "airflow tasks render -- live_faults waits async",
    )
    assert last["peer"] == "127.0.0.1"
    said = text(server, found["id"])
    assert "and done" in said
    assert last["stdout_bytes"] == len(said.encode())


@on_both_versions
def test_a_request_that_waits_less_than_its_command_runs(server: Server) -> None:
    reply = server.post("render", data=deed("waits", "short"), extra={"Prefer": "wait=1"})
    assert (reply.status, reply["status"]) == (202, "OK"), reply.text
    assert reply.headers["Preference-Applied"] == "wait=1"
    go(server, "short")
    assert ended(server, reply["job"]["id"])["state"] == "succeeded"


@on_both_versions
def test_the_list(server: Server) -> None:
    ids = [submit(server, "list_tasks", dag_id="hello_remote") for _ in range(3)]
    bad = submit(server, "list_tasks", dag_id="no_such_dag")
    for job_id in (*ids, bad):
        ended(server, job_id)
    newest_first = [bad, *reversed(ids)]
    shown = [found["id"] for found in listed(server, command="list_tasks")]
    assert [job_id for job_id in shown if job_id in newest_first] == newest_first
    assert next(found["id"] for found in listed(server, state="failed", command="list_tasks")) == bad
    assert bad not in [found["id"] for found in listed(server, state="succeeded")]
    page = server.get("jobs", command="list_tasks", limit="2")
    assert [found["id"] for found in page["jobs"]] == newest_first[:2]
    rest = server.get("jobs", command="list_tasks", limit="2", before=page["next"])
    assert [found["id"] for found in rest["jobs"]] == newest_first[2:4]
    assert job(server, bad)["message"] == "" or "no_such_dag" in job(server, bad)["message"]
    assert server.get("jobs", state="sleeping").status == 400
    assert server.get("jobs/0660e3ce7f2f4f5077639b2a339fc4b9").status == 404


@on_both_versions
def test_output_is_waited_for(server: Server) -> None:
    job_id = submit(server, "render", **deed("waits", "polled"))
    first = server.get(f"jobs/{job_id}/output", wait="60")
    assert first["data"].startswith("begun"), first.text
    assert (first["state"], first["complete"]) == ("running", False)
    with ThreadPoolExecutor() as pool:
        # Nothing more comes until the command is let go; then all that waits is answered.
        query = {"offset": str(first["next_offset"]), "wait": "60"}
        second = pool.submit(server.get, f"jobs/{job_id}/output", **query)
        go(server, "polled")
        assert second.result()["data"].startswith("and done")
    last = ended(server, job_id)
    reply = server.get(f"jobs/{job_id}/output", offset=str(last["stdout_bytes"]), wait="60")
    assert (reply["data"], reply["complete"], reply["state"]) == ("", True, "succeeded")
    plain = server.get(f"jobs/{job_id}/output", offset="0")
    assert plain["data"] == text(server, job_id)


@on_both_versions
def test_stop(server: Server) -> None:
    job_id = submit(server, "render", **deed("waits", "never"))
    begun(server, job_id)
    reply = server.post(f"jobs/{job_id}/stop")
    assert (reply.status, reply["state"]) == (200, "stopped"), reply.text
    assert reply["message"] == "the command was stopped"
    assert of_job(server.home, job_id) == []
    assert text(server, job_id).startswith("begun")
    again = server.post(f"jobs/{job_id}/stop")
    assert (again.status, again["state"], again["ended"]) == (200, "stopped", reply["ended"])


@on_both_versions
def test_stop_by_force(server: Server) -> None:
    job_id = submit(server, "render", **deed("ignores_sigterm", "never"))
    begun(server, job_id)
    reply = server.post(f"jobs/{job_id}/stop", data={"force": "true"})
    assert (reply.status, reply["state"]) == (200, "stopped"), reply.text
    assert of_job(server.home, job_id) == []


@on_both_versions
def test_text_arrives_while_the_command_runs(server: Server) -> None:
    with Request(server, "render", deed("waits", "text"), Accept="text/plain") as request:
        assert request.answer.status == 200
        assert request.answer.headers["Content-Type"].startswith("text/plain")
        assert request.line().startswith("begun ")
        # The command cannot have ended: nobody has let it.
        go(server, "text")
        assert request.line() == "and done\n"
        assert "rendered" in request.answer.read().decode()


@on_both_versions
def test_events_arrive_while_the_command_runs(server: Server) -> None:
    with Request(server, "render", deed("waits", "events"), Accept="application/x-ndjson") as request:
        assert request.answer.headers["Content-Type"] == "application/x-ndjson"
        said: list[dict[str, str]] = []
        while not (said and said[-1].get("stream") == "stdout"):
            said.append(json.loads(request.line()))
        assert said[0]["event"] == "started"
        assert said[-1]["event"] == "output"
        assert said[-1]["data"].startswith("begun ")
        go(server, "events")
        last = [json.loads(line) for line in request.answer.read().decode().splitlines()]
    assert last[-1]["event"] == "finished"
    envelope = last[-1]["envelope"]
    assert (envelope["status"], envelope["exit_code"], envelope["job"]["state"]) == ("OK", 0, "succeeded")
    printed = [event["data"] for event in (*said, *last) if event.get("stream") == "stdout"]
    assert "".join(printed) == envelope["stdout"]


@on_both_versions
def test_a_stream_of_a_command_that_fails_at_once_has_a_status(server: Server) -> None:
    reply = server.post("list_tasks", data={"dag_id": "no_such_dag"}, extra={"Accept": "text/plain"})
    assert (reply.status, reply.headers["Content-Type"]) == (404, "text/plain; charset=utf-8"), reply.text
    assert "no_such_dag" in reply.text


@on_both_versions
def test_a_key_that_was_used_for_something_else(server: Server) -> None:
    job_id = submit(server, "list_tasks", key="one thing", dag_id="hello_remote")
    other = server.post("list_tasks", data={"dag_id": "live_faults"}, extra={"Idempotency-Key": "one thing"})
    assert (other.status, other["error"]["type"]) == (409, "Conflict"), other.text
    same = server.post("list_tasks", data={"dag_id": "hello_remote"}, extra={"Idempotency-Key": "one thing"})
    assert (same.status, same["job"]["id"]) == (200, job_id)


class TestTwoWorkers:
    """Servers of two workers each, which are started anew in the end."""

    former: ClassVar[dict[str, set[Path]]]
    """The folders of jobs that were there before them."""

    @pytest.fixture(scope="class")
    @classmethod
    def servers(cls, spare_homes: dict[str, Path]) -> Iterator[dict[str, Server]]:
        for home in spare_homes.values():
            shutil.copytree(DAGS, home / "dags", dirs_exist_ok=True)
        cls.former = {version: set(home.glob("rest_api/jobs/*")) for version, home in spare_homes.items()}
        with running(spare_homes, environment={"AIRFLOW__API__WORKERS": "2"}) as servers:
            yield servers

    @pytest.fixture(params=["2.11", "3.3"])
    def server(self, request: pytest.FixtureRequest, servers: dict[str, Server]) -> Server:
        return servers[request.param]

    def test_the_first_command_is_warm(self, server: Server) -> None:
        job_id = submit(server, "render", **deed("waits", "first"))
        begun(server, job_id)
        jobs = set(server.home.glob("rest_api/jobs/*"))
        assert jobs - self.former[server.version] == {folder(server, job_id)}, "it was not the first"
        assert parent_of(job(server, job_id)["pid"]) == host(server)
        assert keepers_of(server.home, "supervisor") == []
        go(server, "first")
        ended(server, job_id)

    def test_both_workers_have_one_host_and_one_job_for_a_key(self, server: Server) -> None:
        arguments, key = deed("waits", "shared"), {"Idempotency_Key": "a request", "Prefer": "wait=60"}
        with ExitStack() as stack:
            first = stack.enter_context(Request(server, "render", arguments, **key))
            worker = first.worker
            ask_elsewhere = partial(self.elsewhere, server, worker, arguments, key)
            second = stack.enter_context(eventually("another worker has it", ask_elsewhere))
            # Both of gunicorn's workers wait now, so nothing can be asked.
            [pid] = eventually("the command runs", lambda: commands_of(server.home))
            assert parent_of(pid) == host(server)
            go(server, "shared")
            replies = [first.reply(), second.reply()]
        assert [reply.status for reply in replies] == [200, 200], replies
        assert replies[0]["job"] == replies[1]["job"]
        assert replies[0]["stdout"] == replies[1]["stdout"]
        assert replies[0]["stdout"].count("begun") == 1

    def elsewhere(
        self, server: Server, worker: int, arguments: dict[str, str], headers: dict[str, str]
    ) -> Request | None:
        """The same request at another worker; None when it came to this one."""
        request = Request(server, "render", arguments, **headers)
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
        pids = {server.version: host(server) for server in servers.values()}
        with ThreadPoolExecutor() as pool:
            list(pool.map(Server.stop, servers.values()))
        assert [reply.status for reply in first.values()] == [200, 200]
        with running({server.version: server.home for server in servers.values()}) as again:
            for version, server in again.items():
                reply = server.post("trigger_dag", data=arguments, extra=key)
                assert reply.status == 200, reply.text
                for name in ("job", "stdout", "dag_run_id", "exit_code", "airflow_cmd"):
                    assert reply[name] == first[version][name]
                names = [conf["name"] for conf in runs(server).values() if conf and "name" in conf]
                assert names.count("once") == 1
                assert host(server) != pids[version]
                check_nothing_is_left(server)
