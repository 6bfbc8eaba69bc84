"""The client of the fork server, with the real Airflow."""

from __future__ import annotations

import os
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from processes import find_fork_servers, stop_processes, wait_for

from airflow_remote_server.execution.client import ForkServerClient
from airflow_remote_server.execution.cold_start import ColdStarter
from airflow_remote_server.jobs.factory import make_jobs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from remote import Remote

    from airflow_remote_server.config.settings import Settings

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("version", {}),
        ("pool", {"get": "default_pool"}),
        ("pool", {"get": "no_such_pool"}),
        ("list_tasks", {"dag_id": "no_such_dag"}),
        ("variables", {"get": "no_such_variable"}),
    ],
)
def test_response_is_the_same_as_that_of_a_cold_command(
    remote: Remote,
    make_remote: Callable[..., Remote],
    cold_state: Path,
    name: str,
    query: dict[str, str],
) -> None:
    warm = remote(name, query_string=query)
    cold = make_remote(state_dir=cold_state)(name, query_string=query)
    assert warm.status_code == cold.status_code
    for field in ("airflow_cmd", "output", "stdout", "exit_code", "result", "error", "warning"):
        assert warm.json.get(field) == cold.json.get(field)


def test_many_workers_that_start_at_once_share_one_fork_server(
    make_remote: Callable[..., Remote], state: Path, database: None
) -> None:
    from airflow import __version__ as airflow_version

    remotes = [make_remote() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda remote: remote("version"), remotes))
    assert [response.json["output"] for response in responses] == [airflow_version] * 8
    assert len(find_fork_servers(state)) == 1


def test_fork_server_can_start_before_the_first_request(
    make_settings: Callable[..., Settings], make_remote: Callable[..., Remote], state: Path
) -> None:
    jobs = make_jobs(make_settings())
    jobs.prepare()
    assert not [*(state / "host").glob("*.sock")], "prepare() does not wait until the fork server is ready"
    wait_for(lambda: [*(state / "host").glob("*.sock")])
    [fork_server] = find_fork_servers(state)
    jobs.prepare()
    assert make_remote()("version").status_code == 200
    assert find_fork_servers(state) == [fork_server]


def test_socket_of_a_long_state_directory_has_a_short_path(
    make_remote: Callable[..., Remote], state: Path
) -> None:
    deep = state / ("x" * 100)
    client = ForkServerClient(deep / "host", lambda: "0" * 16, ColdStarter(deep, 1))
    folder = client.socket_path().parent
    try:
        assert len(os.fsencode(client.socket_path())) < 100
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert make_remote(state_dir=deep)("version").status_code == 200
        assert len(find_fork_servers(folder)) == 1
    finally:
        stop_processes(folder)
        shutil.rmtree(folder)
