"""After a command, a client or a server has ended, its output is left and no process."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import requests

from live.concurrency import on_both_versions, wait_until
from live.harness import Server, run_servers
from live.jobs import (
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
from live.processes import children_of, parent_of, processes_of_commands, processes_of_home, processes_of_job


def no_process_is_left(server: Server) -> bool:
    """Return whether no process works for a server's home."""
    return not processes_of_home(server.home)


@on_both_versions
def test_stored_files_are_private_and_nothing_runs(server: Server) -> None:
    job_id = server.run_command("version")["job"]["id"]
    state = server.home / "rest_api"
    for path in (state, *(entry for entry in state.rglob("*") if entry.is_dir())):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    for path in job_folder(server, job_id).iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    [socket] = (state / "host").glob("*.sock")
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    check_no_leftovers(server)


@on_both_versions
def test_a_command_continues_after_its_client_disconnects(server: Server) -> None:
    before = {job["id"] for job in list_jobs(server)}
    with pytest.raises(requests.Timeout):
        server.post("render", data=probe_arguments("waits", "gone away"), timeout=0.5)
    [job_id] = wait_until("it has a job", lambda: {job["id"] for job in list_jobs(server)} - before)
    finish_probes(server, "gone away")
    assert wait_until_ended(server, job_id)["state"] == "succeeded"
    assert "and done" in read_output(server, job_id)
    check_no_leftovers(server)


class TestStop:
    """Servers that are stopped while a command runs."""

    @pytest.fixture(scope="class")
    @classmethod
    def servers(cls, spare_homes: dict[str, Path]) -> Iterator[dict[str, Server]]:
        with run_servers(spare_homes) as servers:
            yield servers

    @pytest.fixture(scope="class")
    @classmethod
    def ids(cls, servers: dict[str, Server]) -> dict[str, str]:
        """Return commands that still run after their servers were stopped, by version."""
        ids = {
            version: submit(server, "render", **probe_arguments("waits", "on"))
            for version, server in servers.items()
        }
        for version, server in servers.items():
            wait_until_begun(server, ids[version])
        with ThreadPoolExecutor() as pool:
            list(pool.map(Server.end, servers.values()))
        return ids

    def test_a_running_command_continues(self, servers: dict[str, Server], ids: dict[str, str]) -> None:
        for version, server in servers.items():
            [pid] = processes_of_job(server.home, ids[version])
            assert parent_of(pid) == fork_server_pid(server)
            # The fork server may have a process ready for the next command.
            assert {pid, fork_server_pid(server)} <= set(processes_of_home(server.home))
            assert set(processes_of_home(server.home)) <= {
                fork_server_pid(server),
                *children_of(fork_server_pid(server)),
            }
            finish_probes(server, "on")
        for server in servers.values():
            server.stop()  # checks that all processes end
            assert processes_of_commands(server.home) == []

    def test_its_result_is_known_after_a_restart(
        self, servers: dict[str, Server], ids: dict[str, str]
    ) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(Server.restart, servers.values()))
        for version, server in servers.items():
            job = get_job(server, ids[version])
            assert (job["state"], job["exit_code"]) == ("succeeded", 0)
            assert "and done" in read_output(server, ids[version])
            check_no_leftovers(server)

    def test_files_of_an_ended_fork_server_are_removed(self, servers: dict[str, Server]) -> None:
        for server in servers.values():
            server.stop()
            sockets = [path.name for path in (server.home / "rest_api").rglob("*") if path.is_socket()]
            assert sockets == []
            wait_until("no process is left", partial(no_process_is_left, server))
