"""When fork servers are replaced and when they end, with the real Airflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from processes import find_fork_servers, kill, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe_dag import MakeProbe, Probe
    from remote import Remote

pytestmark = pytest.mark.slow

WORKER = Path(__file__).parents[1].joinpath("worker.py")


def test_outdated_fork_server_is_replaced_and_no_request_fails(
    make_remote: Callable[..., Remote],
    make_probe: MakeProbe,
    state: Path,
    home: Path,
    write_home_file: Callable[[str, str], Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    packages = tmp_path / "site-packages"
    packages.mkdir()
    monkeypatch.syspath_prepend(packages)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(packages), os.environ["PYTHONPATH"]]))
    remote = make_remote()
    changes: list[Callable[[], object]] = [
        lambda: (packages / "installed.dist-info").mkdir(),
        lambda: write_home_file("plugins/new_plugin.py", "print('a plugin')\n"),
        lambda: write_home_file("airflow.cfg", (home / "airflow.cfg").read_text() + "\n# changed\n"),
    ]
    probe = make_probe("wait")
    job_id = remote.begin(probe)
    first = [before] = find_fork_servers(state)
    for change in changes:
        change()

        def find_replacement(before: int = before) -> list[int]:
            assert remote("version").status_code == 200
            return [pid for pid in find_fork_servers(state) if pid not in (before, *first)]

        [before] = wait_for(find_replacement)
    wait_for(lambda: set(find_fork_servers(state)) == {before, *first})  # the first one still has a command
    probe.release()
    assert remote.end(job_id)["state"] == "succeeded"
    wait_for(lambda: find_fork_servers(state) == [before])
    # Another environment needs another fork server, whose commands get that environment.
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "7")
    wait_for(lambda: '"7"' in remote.run(make_probe("env", "AIRFLOW__CORE__PARALLELISM")).json["stdout"])
    # The previous fork server has no client left.
    wait_for(lambda: len(find_fork_servers(state)) == 1 and before not in find_fork_servers(state))


@pytest.mark.parametrize("killed", [False, True])
def test_fork_server_ends_after_its_last_server_and_its_last_command(
    make_probe: MakeProbe, make_remote: Callable[..., Remote], state: Path, major: int, killed: bool
) -> None:
    probe = make_probe("wait")
    with subprocess.Popen([sys.executable, WORKER, str(state), probe.id, str(major)]) as worker:
        wait_for(lambda: probe.processes)
        [fork_server] = find_fork_servers(state)
        if killed:
            worker.kill()
            worker.wait()
            assert find_fork_servers(state) == [fork_server]  # its command still runs
        probe.release()
    wait_for(lambda: not find_fork_servers(state))
    [job] = (state / "jobs").iterdir()
    assert json.loads((job / "exit.json").read_text())["exit_code"] == 0
    assert make_remote().jobs()[0]["state"] == "succeeded"


def test_fork_server_ends_with_the_last_server_of_its_environment(
    make_probe: MakeProbe, state: Path, major: int
) -> None:
    """A server with the same state directory and other variables uses another fork server."""
    probes = [make_probe("wait") for _ in range(3)]

    def start_worker(probe: Probe, parallelism: str) -> subprocess.Popen[bytes]:
        env = {**os.environ, "AIRFLOW__CORE__PARALLELISM": parallelism}
        return subprocess.Popen([sys.executable, WORKER, str(state), probe.id, str(major)], env=env)

    with start_worker(probes[0], "7") as old:
        wait_for(lambda: probes[0].processes)
        [former] = find_fork_servers(state)
        with start_worker(probes[1], "8") as new:
            wait_for(lambda: probes[1].processes)
            [latter] = set(find_fork_servers(state)) - {former}
            old.kill()
            old.wait()
            with start_worker(probes[2], "8"):
                wait_for(lambda: probes[2].processes)
                assert set(find_fork_servers(state)) == {former, latter}, "its command still runs"
                probes[0].release()
                wait_for(lambda: find_fork_servers(state) == [latter])
                probes[1].release()
                assert new.wait() == 0
                probes[2].release()
    wait_for(lambda: not find_fork_servers(state))
    exits = [json.loads((job / "exit.json").read_text())["exit_code"] for job in (state / "jobs").iterdir()]
    assert exits == [0, 0, 0]


def test_killed_fork_server_loses_no_command(
    make_remote: Callable[..., Remote], make_probe: MakeProbe, state: Path
) -> None:
    remote = make_remote(max_running=2)
    running, queued = [make_probe("wait") for _ in range(2)], [make_probe("say", "x") for _ in range(2)]
    jobs = [remote.begin(probe) for probe in running] + [remote.start(probe) for probe in queued]
    [fork_server] = find_fork_servers(state)
    with ThreadPoolExecutor(1) as pool:
        waiting = make_probe("say", "waits")
        response = pool.submit(remote.run, waiting, PREFER="wait=100")
        wait_for(lambda: len(remote.jobs(state="queued")) == 3)
        kill(fork_server)
        for probe in running:
            probe.release()
        assert [remote.end(job_id, seconds=100)["state"] for job_id in jobs] == ["succeeded"] * 4
        assert response.result().status_code == 200
    assert [len(probe.processes) for probe in (*running, *queued, waiting)] == [1] * 5
    assert [remote.output(job_id)["data"].split()[:2] for job_id in jobs[:2]] == [["begun", "done"]] * 2
    assert remote("version").status_code == 200, "the next command gets a new fork server"
    assert fork_server not in find_fork_servers(state)
