"""Several webservers, each with a state directory of its own, that share a job store in PostgreSQL."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, cast

import pytest
from cryptography.fernet import Fernet
from processes import AGENT, find_processes, is_running, kill, state_folder, wait_for
from remote import entry, secret_of, watch

from airflow_remote_server.execution.spool import COMMAND, OFFERED, Spool
from airflow_remote_server.jobs.nodes import heartbeats
from airflow_remote_server.jobs.nodes import node as node_module
from airflow_remote_server.jobs.nodes.agent_starter import LOCK
from airflow_remote_server.jobs.nodes.copies import SpoolCopies
from airflow_remote_server.jobs.nodes.offers import NEXT, CommandFiles
from airflow_remote_server.jobs.nodes.pieces import Piece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from probe_dag import MakeProbe
    from remote import Remote

    from airflow_remote_server.jobs.nodes.pieces import PieceStore

pytestmark = pytest.mark.slow


@pytest.fixture
def nodes(shared_url: str, make_remote: Callable[..., Remote]) -> Iterator[tuple[Remote, Remote]]:
    """Return callers of two webservers whose agents run."""
    with state_folder() as first, state_folder() as second:
        remotes = (
            make_remote(state_dir=first, jobs_url=shared_url),
            make_remote(state_dir=second, jobs_url=shared_url),
        )
        for remote in remotes:
            watch(remote)
        yield remotes


def agents(remote: Remote) -> list[int]:
    """Return the agents of a webserver's node."""
    return list(find_processes(remote.settings.state_dir, AGENT))


def test_job_is_followed_and_read_on_another_node(
    nodes: tuple[Remote, Remote], make_probe: MakeProbe
) -> None:
    here, there = nodes
    probe = make_probe("wait")
    job_id = here.begin(probe, IDEMPOTENCY_KEY="the same")
    assert there.until(job_id, "running")["pid"] == here.job(job_id)["pid"]
    wait_for(lambda: there.output(job_id)["data"] == "begun\n")
    part = there.output(job_id, offset="6")
    assert (part["complete"], part["state"]) == (False, "running")
    assert [job["state"] for job in there.jobs(state="running") if job["id"] == job_id] == ["running"]
    probe.release()
    assert there.output(job_id, offset="6", wait="60")["data"].rstrip() == "done"
    ended = there.end(job_id)
    assert ended["state"] == "succeeded"
    watch(here)
    assert there.job(job_id) == here.job(job_id)
    assert there.output(job_id)["complete"]
    repeated = [node.run(probe, IDEMPOTENCY_KEY="the same") for node in nodes]
    assert [reply.status_code for reply in repeated] == [200, 200]
    fields = ("stdout", "stderr", "exit_code", "output", "job", "airflow_cmd")
    assert [repeated[0].json[name] for name in fields] == [repeated[1].json[name] for name in fields]
    assert len(probe.processes) == 1


@pytest.mark.parametrize("force", [False, True])
def test_job_is_stopped_from_another_node(
    nodes: tuple[Remote, Remote], make_probe: MakeProbe, force: bool
) -> None:
    here, there = nodes
    probe = make_probe("stubborn" if force else "wait")
    job_id = here.begin(probe)
    reply = there.stop(job_id, query_string={"force": force}, PREFER="wait=60")
    assert (reply.status_code, reply.json["state"]) == (200, "stopped")
    assert not any(map(is_running, probe.processes))
    watch(here)
    assert here.job(job_id)["state"] == "stopped"
    assert there.output(job_id)["data"] == here.output(job_id)["data"] == "begun\n"


def test_ended_job_is_deleted_from_another_node(nodes: tuple[Remote, Remote], make_probe: MakeProbe) -> None:
    here, there = nodes
    probe = make_probe("say", "hello")
    job_id = here.run(probe).json["job"]["id"]
    wait_for(lambda: there.job(job_id)["state"] == "succeeded")
    assert there(f"jobs/{job_id}", "DELETE").status_code == 200
    assert [node(f"jobs/{job_id}").status_code for node in nodes] == [404, 404]


def test_large_output_arrives_whole(nodes: tuple[Remote, Remote], make_probe: MakeProbe) -> None:
    here, there = nodes
    probe = make_probe("burst", 3_000_000)
    job_id = here.run(probe).json["job"]["id"]
    there.end(job_id)
    assert there.job(job_id)["stdout_bytes"] == 3_000_001  # with the line end of the list of tasks
    read = 0
    while data := there.output(job_id, offset=str(read))["data"]:
        read += len(data)
    assert read == 3_000_001


def test_agent_that_was_killed_is_replaced_and_publishes_the_rest(
    nodes: tuple[Remote, Remote], make_probe: MakeProbe
) -> None:
    here, there = nodes
    probe = make_probe("wait")
    job_id = here.begin(probe)
    wait_for(lambda: there.output(job_id)["data"] == "begun\n")
    [agent] = agents(here)
    kill(agent)
    probe.release()
    here.end(job_id)

    def is_replaced() -> bool:
        watch(here)
        return agents(here) not in ([], [agent])

    wait_for(is_replaced)
    assert there.end(job_id)["state"] == "succeeded"
    assert there.output(job_id)["data"] == "begun\ndone\n\n"


def test_jobs_of_a_dead_node_are_lost_with_what_they_printed(
    nodes: tuple[Remote, Remote], make_probe: MakeProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = nodes
    probe = make_probe("wait")
    job_id = here.begin(probe)
    wait_for(lambda: there.output(job_id)["data"] == "begun\n")
    for pid in [*agents(here)]:
        kill(pid)
    watch(there)
    assert there.job(job_id)["state"] == "running"
    monkeypatch.setattr(heartbeats, "DEAD_SECONDS", 3.0)

    def is_lost() -> bool:
        watch(there)
        return bool(there.job(job_id)["state"] == "lost")

    wait_for(is_lost)
    lost = there.job(job_id)
    assert "has not answered for" in lost["message"]
    assert there.output(job_id)["data"] == "begun\n"
    # The node was only cut off: it goes on, and the other one learns how the job ends.
    probe.release()

    def has_succeeded() -> bool:
        watch(here)
        return bool(there.job(job_id)["state"] == "succeeded")

    wait_for(has_succeeded)
    assert there.output(job_id)["data"] == "begun\ndone\n\n"


def test_nodes_with_folders_of_their_own_refer_to_one_another(
    shared_url: str, make_remote: Callable[..., Remote], make_probe: MakeProbe
) -> None:
    with state_folder() as first, state_folder() as second:
        here, there = (
            make_remote(state_dir=state, jobs_url=shared_url, output_store="folder")
            for state in (first, second)
        )
        job_id = here.run(make_probe("say", "hello")).json["job"]["id"]
        assert there.job(job_id)["state"] == "succeeded"
        reply = there(f"jobs/{job_id}/output")
        assert reply.status_code == 409
        assert "ask the webserver there" in reply.json["error"]["message"]


def test_service_runs_on_one_node_only(nodes: tuple[Remote, Remote], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOITER", "as asked")
    here, there = nodes
    with ThreadPoolExecutor(2) as pool:
        replies = list(pool.map(lambda node: node("scheduler", "POST"), nodes))
    assert sorted(reply.status_code for reply in replies) == [202, 409]
    [running] = [reply.json["job"]["id"] for reply in replies if reply.status_code == 202]
    [refused] = [reply.json["error"]["job"]["id"] for reply in replies if reply.status_code == 409]
    assert refused == running
    again = there("scheduler", "POST", data={"force": "true"})
    assert again.status_code == 202
    for job_id in (running, again.json["job"]["id"]):
        assert here.stop(job_id, PREFER="wait=60").json["state"] == "stopped"
    restarted = here("scheduler", "POST")
    assert restarted.status_code == 202
    assert here.stop(restarted.json["job"]["id"], PREFER="wait=60").json["state"] == "stopped"


def test_share_of_a_token_counts_on_all_nodes(
    shared_url: str, make_remote: Callable[..., Remote], tokens_file: Path, make_probe: MakeProbe
) -> None:
    tokens_file.write_text(entry("ci", "admin"))
    tokens_file.chmod(0o600)
    limits = {"jobs_url": shared_url, "tokens_file": tokens_file, "max_running": 1, "max_queued": 2}
    with state_folder() as first, state_folder() as second:
        here, there = (make_remote(state_dir=state, **limits) for state in (first, second))
        here, there = (node.holding(secret_of("ci")) for node in (here, there))
        probes = [make_probe("wait") for _ in range(3)]
        jobs = [node.start(probe) for node, probe in zip((here, there), probes, strict=False)]
        assert there.run(probes[2]).status_code == 429
        for probe in probes:
            probe.release()
        for node, job_id in zip((here, there), jobs, strict=True):
            node.end(job_id)
        assert there.run(probes[2]).status_code == 200


def test_queued_commands_of_a_dead_node_run_on_another_one_once(
    shared_url: str,
    make_remote: Callable[..., Remote],
    make_probe: MakeProbe,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heartbeats, "DEAD_SECONDS", 3.0)
    monkeypatch.setattr(node_module, "DEAD_SECONDS", 3.0)
    settings = {"jobs_url": shared_url, "fernet_key": Fernet.generate_key().decode(), "max_running": 1}
    with state_folder() as first, state_folder() as second:
        here, there = (make_remote(state_dir=state, **settings) for state in (first, second))
        for node in (here, there):
            watch(node)
        stopped = make_probe("say", "stopped")
        here.begin(make_probe("wait"))
        probes = [make_probe("say", f"number-{number}") for number in range(NEXT + 8)]
        jobs = [here.start(probe) for probe in probes]
        ahead, offered = jobs[:NEXT], jobs[NEXT:]
        wait_for(lambda: {path.parent.name for path in first.glob(f"jobs/*/{OFFERED}")} == {*offered})
        stop_id = here.start(stopped)
        wait_for(lambda: (first / "jobs" / stop_id / OFFERED).exists())
        assert there.stop(stop_id, PREFER="wait=60").json["state"] == "stopped"
        while alive := find_processes(first):
            for pid in alive:
                kill(pid)

        def all_ended() -> bool:
            watch(there)
            return all(there.job(job_id)["ended"] for job_id in jobs)

        wait_for(all_ended)
        assert {there.job(job_id)["state"] for job_id in offered} == {"succeeded"}
        assert {there.job(job_id)["state"] for job_id in ahead} == {"lost"}
        for number, job_id in enumerate(jobs):
            assert (job_id in offered) == (f"number-{number}" in there.output(job_id)["data"])
        assert [len(probe.processes) for probe in probes] == [0] * NEXT + [1] * len(offered)
        assert not stopped.processes
        # The node comes back, and learns that its commands run elsewhere.
        watch(here)
        wait_for(lambda: not list(first.glob(f"jobs/*/{OFFERED}")))
        assert here.run(make_probe("say", "back")).status_code == 200
        assert {here.job(job_id)["state"] for job_id in offered} == {"succeeded"}
        assert [len(probe.processes) for probe in probes] == [0] * NEXT + [1] * len(offered)


def test_log_of_a_service_that_begins_anew_is_replaced(
    nodes: tuple[Remote, Remote], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = nodes
    monkeypatch.setenv("LOITER", "until never")
    job_id = here("scheduler", "POST").json["job"]["id"]
    stderr = here.settings.state_dir / "jobs" / job_id / "stderr"
    wait_for(lambda: there.output(job_id, stream="stderr")["data"])
    stderr.write_bytes(b"")
    wait_for(lambda: not there.output(job_id, stream="stderr")["data"])
    with stderr.open("ab") as file:
        file.write(b"anew\n")
    wait_for(lambda: there.output(job_id, stream="stderr")["data"] == "anew\n")
    assert there.stop(job_id, data={"force": "true"}, PREFER="wait=60").json["state"] == "stopped"


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "//tmp/x", "../x", "files/../../x", "files//x", "..", "", "files/%2e%2e/x", ".cursor"],
)
def test_pieces_cannot_leave_their_copy(name: str, tmp_path: Path) -> None:
    class Pieces:
        def read_after(self, job_id: str, seq: int) -> list[Piece]:
            found = [Piece(job_id, 1, name, 0, True, b"9"), Piece(job_id, 2, "files/caf%E9", 0, True, b"ok")]
            return found[seq:]

    spool = SpoolCopies(tmp_path / "copies", cast("PieceStore", Pieces())).spool_of("job")
    written = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {spool.path / ".cursor", spool.path / "files" / os.fsdecode(b"caf\xe9")}
    assert spool.path.joinpath(".cursor").read_text() == "2"


def test_agent_with_another_configuration_is_replaced(
    nodes: tuple[Remote, Remote], make_remote: Callable[..., Remote], shared_url: str
) -> None:
    here, _ = nodes
    [agent] = wait_for(lambda: agents(here))
    api = here.client.application.app.api.get()  # type: ignore[attr-defined]  # of LintMiddleware
    wait_for((here.settings.state_dir / LOCK).read_text)
    api.watcher.close_lock()
    changed = make_remote(
        state_dir=here.settings.state_dir, jobs_url=f"{shared_url}&application_name=changed"
    )

    def is_replaced() -> bool:
        watch(changed)
        return agents(here) not in ([], [agent])

    wait_for(is_replaced)
    assert not is_running(agent)


def test_offered_commands_run_on_their_own_node_when_it_is_their_turn(
    shared_url: str, make_remote: Callable[..., Remote], make_probe: MakeProbe
) -> None:
    settings = {"jobs_url": shared_url, "fernet_key": Fernet.generate_key().decode(), "max_running": 1}
    with state_folder() as first:
        here = make_remote(state_dir=first, **settings)
        watch(here)
        waiting = make_probe("wait")
        here.begin(waiting)
        probes = [make_probe("say", "hello") for _ in range(NEXT + 4)]
        jobs = [here.start(probe) for probe in probes]
        wait_for(lambda: len(list(first.glob(f"jobs/*/{OFFERED}"))) == 4)
        waiting.release()
        assert {here.end(job_id)["state"] for job_id in jobs} == {"succeeded"}
        assert [len(probe.processes) for probe in probes] == [1] * len(probes)


def test_offer_of_another_job_is_refused(tmp_path: Path) -> None:
    files = CommandFiles(Fernet.generate_key().decode())
    spool, other = Spool(tmp_path / "first"), Spool(tmp_path / "second")
    for each in (spool, other):
        each.path.mkdir()
    spool.write(COMMAND, {"argv": [f"{spool.path}/upload-x", "--", "é"], "secrets": ["s3cret"]})
    assert spool.offer()
    assert not spool.claim(), "no supervisor runs it"
    data = files.pack(spool)
    assert data is not None
    assert b"s3cret" not in data
    with pytest.raises(ValueError, match="another job"):
        files.unpack(data, other.path)
    with pytest.raises(ValueError, match="another fernet_key"):
        CommandFiles(Fernet.generate_key().decode()).unpack(data, other.path)
    moved = Spool(tmp_path / "elsewhere" / "first")
    moved.path.mkdir(parents=True)
    files.unpack(data, moved.path)
    assert moved.claim()
    assert moved.take_command()["argv"] == [f"{moved.path}/upload-x", "--", "é"]
