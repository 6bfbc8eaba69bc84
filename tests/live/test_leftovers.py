"""What is left when a command, a client or a server has gone: what was printed, and nothing that runs."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from live.conftest import DAGS
from live.harness import Server, eventually, on_both_versions, running
from live.jobs import begun, check_nothing_is_left, deed, ended, folder, go, host, job, listed, submit, text
from live.processes import children_of, commands_of, of_home, of_job, parent_of


@on_both_versions
def test_what_is_kept_is_private_and_nothing_runs(server: Server) -> None:
    job_id = server.done("version")["job"]["id"]
    state = server.home / "rest_api"
    for path in (state, *(entry for entry in state.rglob("*") if entry.is_dir())):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    for path in folder(server, job_id).iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    [socket] = (state / "host").glob("*.sock")
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    check_nothing_is_left(server)


@on_both_versions
def test_a_client_that_goes_away_gets_its_command_done(server: Server) -> None:
    before = {found["id"] for found in listed(server)}
    with pytest.raises(requests.Timeout):
        server.post("render", data=deed("waits", "gone away"), timeout=0.5)
    [job_id] = {found["id"] for found in listed(server)} - before
    go(server, "gone away")
    assert ended(server, job_id)["state"] == "succeeded"
    assert "and done" in text(server, job_id)
    check_nothing_is_left(server)


class TestStop:
    """Servers that are stopped while a command runs."""

    @pytest.fixture(scope="class")
    @classmethod
    def servers(cls, spare_homes: dict[str, Path]) -> Iterator[dict[str, Server]]:
        for home in spare_homes.values():
            shutil.copytree(DAGS, home / "dags", dirs_exist_ok=True)
        with running(spare_homes) as servers:
            yield servers

    @pytest.fixture(scope="class")
    @classmethod
    def ids(cls, servers: dict[str, Server]) -> dict[str, str]:
        """Commands that run when their servers have been stopped, by version."""
        ids = {
            version: submit(server, "render", **deed("waits", "on")) for version, server in servers.items()
        }
        for version, server in servers.items():
            begun(server, ids[version])
        with ThreadPoolExecutor() as pool:
            list(pool.map(Server.end, servers.values()))
        return ids

    def test_a_running_command_goes_on(self, servers: dict[str, Server], ids: dict[str, str]) -> None:
        for version, server in servers.items():
            [pid] = of_job(server.home, ids[version])
            assert parent_of(pid) == host(server)
            # The host may have a process ready for the next command.
            assert {pid, host(server)} <= set(of_home(server.home))
            assert set(of_home(server.home)) <= {host(server), *children_of(host(server))}
            go(server, "on")
        for server in servers.values():
            server.stop()  # this sees that all of them go then
            assert commands_of(server.home) == []

    def test_its_end_is_known_after_the_next_start(
        self, servers: dict[str, Server], ids: dict[str, str]
    ) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(Server.restart, servers.values()))
        for version, server in servers.items():
            found = job(server, ids[version])
            assert (found["state"], found["exit_code"]) == ("succeeded", 0)
            assert "and done" in text(server, ids[version])
            check_nothing_is_left(server)

    def test_files_of_a_host_that_is_gone_go_as_well(self, servers: dict[str, Server]) -> None:
        for server in servers.values():
            server.stop()
            sockets = [path.name for path in (server.home / "rest_api").rglob("*") if path.is_socket()]
            assert sockets == []
            eventually("no process is left", lambda server=server: not of_home(server.home))
