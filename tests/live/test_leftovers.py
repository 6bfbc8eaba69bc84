"""What is left when a command, a client or a server has gone: nothing."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import requests

from live.conftest import DAGS
from live.harness import Server, eventually, running
from live.processes import of_home, said

SLEEPS = {"dag_id": "live_trouble", "task_id": "sleeps"}


def commands(server: Server) -> list[Path]:
    """The folders of commands. The first command makes the folder that they are in."""
    folder = server.home / "rest_api" / "commands"
    return sorted(folder.iterdir()) if folder.exists() else []


def test_only_the_server_runs_and_its_folder_is_private(server: Server) -> None:
    before = commands(server)  # a service's that has ended, until the next one is started
    server.done("version")
    assert commands(server) == before
    state = server.home / "rest_api"
    for folder in (state, state / "commands"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    # A command is known by its working directory, which is its folder.
    for pid in of_home(server.home):
        with suppress(FileNotFoundError):
            assert state not in Path(f"/proc/{pid}/cwd").readlink().parents


def test_a_client_that_goes_away_leaves_no_command_behind_for_ever(server: Server) -> None:
    before = commands(server)
    with pytest.raises(requests.Timeout):
        server.ask("/api/v1.0/version", timeout=0.5)
    eventually("the command has ended, and its folder is gone", lambda: commands(server) == before, 60)


class TestStop:
    """Servers that are stopped while a command runs."""

    @pytest.fixture(scope="class")
    @classmethod
    def servers(cls, spare_homes: dict[str, Path]) -> Iterator[dict[str, Server]]:
        for home in spare_homes.values():
            shutil.copytree(DAGS, home / "dags", dirs_exist_ok=True)
        with running(spare_homes) as servers:
            yield servers

    def test_a_running_command_goes_with_it(self, servers: dict[str, Server]) -> None:
        def asleep(server: Server) -> bool:
            return any("asleep" in said(pid) for pid in of_home(server.home))

        with ThreadPoolExecutor() as pool:
            for server in servers.values():
                pool.submit(server.get, "test", **SLEEPS)  # whatever it is answered, if at all
            for server in servers.values():
                eventually("the command runs", partial(asleep, server), 60)
            # This sees that no process is left.
            stops = [pool.submit(server.stop) for server in servers.values()]
        for stop in stops:
            stop.result()

    def test_its_folder_goes_at_the_next_start(self, servers: dict[str, Server]) -> None:
        # A server that is killed cannot tidy up; the next one can.
        assert all(server.stopped for server in servers.values())
        with running({server.version: server.home for server in servers.values()}) as again:
            for server in again.values():
                server.done("version")
                assert commands(server) == []
