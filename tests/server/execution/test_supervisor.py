"""Commands under both kinds of supervisors: the fork server, and the supervisor of a cold command."""

from __future__ import annotations

import json
import os
import signal
import stat
import threading
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from processes import find_processes, is_running, wait_for

from airflow_remote_server.execution import spool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from probe_dag import MakeProbe
    from remote import Remote

    MakeRemote = Callable[..., Remote]

pytestmark = pytest.mark.slow

REMAINING_FILES = {
    spool.JOB,
    spool.SUPERVISOR,
    spool.PROCESS,
    spool.FILTER,
    spool.STDOUT,
    spool.STDERR,
    spool.RESULT,
    spool.EXIT,
    spool.MODULES,
}
"""The files that may be in the spool of a job that has ended."""


def spool_of(remote: Remote, job_id: str) -> Path:
    """Return the spool of a job."""
    path: Path = remote.settings.state_dir / "jobs" / job_id
    return path


def wait_for_output(remote: Remote, job_id: str, text: str = "begun") -> str:
    """Wait until the output of a job contains a text, and return the output."""
    return str(wait_for(lambda: text in (data := remote.output(job_id)["data"]) and data))


def test_response_has_the_exit_code_and_the_output_of_the_command(make_supervised: MakeRemote) -> None:
    from airflow import __version__

    remote = make_supervised()
    response = remote("version")
    assert response.status_code == 200
    body = response.json
    assert (body["exit_code"], body["stdout"], body["output"]) == (0, f"{__version__}\n", __version__)
    assert body["job"]["state"] == "succeeded"


def test_files_of_an_ended_job_are_private_and_contain_no_arguments(make_supervised: MakeRemote) -> None:
    remote = make_supervised()
    response = remote("variables", "POST", json={"cmd": "set", "key": "k", "value": "hunter2"})
    assert response.status_code == 200, response.text
    path = spool_of(remote, response.json["job"]["id"])
    assert {file.name for file in path.iterdir()} <= REMAINING_FILES
    for file in path.iterdir():
        assert b"hunter2" not in file.read_bytes()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for private in (path, path.parent, path.parents[1]):
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert "hunter2" not in json.dumps(remote.job(path.name))
    assert b"hunter2" not in b"".join(file.read_bytes() for file in path.parents[1].glob("jobs.db*"))


def test_command_that_runs_too_long_is_stopped(make_supervised: MakeRemote, make_probe: MakeProbe) -> None:
    remote = make_supervised(command_timeout=1.5)
    response = remote.run(make_probe("wait"))
    assert response.status_code == 422
    message = "the command ran over 1.5 s and was stopped ([rest_api_plugin] command_timeout)"
    assert response.json["error"] == {"type": "CommandFailed", "message": message}
    job = remote.job(response.json["job"]["id"])
    assert (job["state"], job["exit_code"], job["message"]) == ("timed_out", -signal.SIGTERM, message)


def test_command_that_prints_too_much_is_stopped(make_supervised: MakeRemote, make_probe: MakeProbe) -> None:
    remote = make_supervised(max_output_bytes=1_000_000)
    response = remote.run(make_probe("flood"))
    assert response.status_code == 422
    assert "printed over 1000000 bytes and was stopped" in response.json["output"]
    assert len(response.json["stdout"]) == 1_000_000
    assert response.json["job"]["state"] == "stopped"
    path = spool_of(remote, response.json["job"]["id"])
    assert (path / "stdout").stat().st_size == 1_000_000, "output beyond the limit takes no disk space"


def test_children_end_with_their_command(make_supervised: MakeRemote, make_probe: MakeProbe) -> None:
    response = make_supervised().run(make_probe("child"))
    assert response.status_code == 200
    child = int(response.json["stdout"].split()[1])
    wait_for(lambda: not is_running(child))


def test_children_of_a_stopped_command_are_stopped(
    make_supervised: MakeRemote, make_probe: MakeProbe
) -> None:
    remote = make_supervised()
    probe = make_probe("childwait")
    job_id = remote.begin(probe)
    child = int(wait_for_output(remote, job_id).split()[1])
    [command] = probe.processes
    assert is_running(child)
    response = remote.stop(job_id)
    assert (response.status_code, response.json["state"]) == (200, "stopped")
    wait_for(lambda: not is_running(child))
    assert not is_running(command)


def test_daemon_ends_with_the_command_that_started_it(
    make_supervised: MakeRemote, make_probe: MakeProbe
) -> None:
    response = make_supervised().run(make_probe("daemon"))
    assert response.status_code == 200, response.text
    daemon = int(response.json["stdout"].split()[1])
    wait_for(lambda: not is_running(daemon))


@pytest.mark.parametrize("force", ["0", "1"])
def test_daemon_of_a_stopped_command_is_stopped(
    make_supervised: MakeRemote, make_probe: MakeProbe, force: str
) -> None:
    remote = make_supervised()
    job_id = remote.begin(make_probe("daemonwait"))
    daemon = int(wait_for_output(remote, job_id).split()[1])
    assert is_running(daemon), "the daemon runs as long as the command"
    assert remote.stop(job_id, query_string={"force": force}).json["state"] == "stopped"
    wait_for(lambda: not is_running(daemon))


@pytest.mark.parametrize(
    ("parameters", "exit_code", "message"),
    [
        (("kill", 6), -6, "the command was ended by SIGABRT"),
        (("kill", 9), -9, "the command was ended by SIGKILL"),
        (("exit", 7), 7, "the command ended with exit code 7"),
    ],
)
def test_response_says_how_the_command_failed(
    remote: Remote, make_probe: MakeProbe, parameters: tuple[str, int], exit_code: int, message: str
) -> None:
    response = remote.run(make_probe(*parameters))
    assert (response.status_code, response.json["exit_code"]) == (422, exit_code)
    assert response.json["output"] == message
    assert response.json["job"]["state"] == "failed"


def test_command_that_calls_os_exit_with_0_succeeds(remote: Remote, make_probe: MakeProbe) -> None:
    assert remote.run(make_probe("exit", 0)).status_code == 200


def test_command_reads_an_empty_stdin(make_supervised: MakeRemote, make_probe: MakeProbe) -> None:
    assert "read ''" in make_supervised().run(make_probe("stdin")).json["stdout"]


def test_output_of_a_thread_is_not_lost(remote: Remote, make_probe: MakeProbe) -> None:
    assert "from a thread" in remote.run(make_probe("thread")).json["stdout"]


def test_quick_command_over_the_output_limit_fails(
    make_remote: MakeRemote, shared_state: Path, make_probe: MakeProbe
) -> None:
    remote = make_remote(state_dir=shared_state, max_output_bytes=1_000_000)
    response = remote.run(make_probe("burst", 1_000_001))
    assert response.status_code == 422
    assert "printed over 1000000 bytes" in response.json["output"]
    assert len(response.json["stdout"]) == 1_000_000


def test_output_within_the_limit_is_returned_whole(
    make_remote: MakeRemote, shared_state: Path, make_probe: MakeProbe
) -> None:
    remote = make_remote(state_dir=shared_state, max_output_bytes=1_000_000)
    response = remote.run(make_probe("burst", 990_000))
    assert response.status_code == 200
    assert response.json["stdout"].count("x") == 990_000


def test_large_output_is_streamed_with_little_memory(
    make_remote: MakeRemote, shared_state: Path, make_probe: MakeProbe
) -> None:
    size = 200_000_000
    remote = make_remote(state_dir=shared_state, max_output_bytes=2 * size)
    response = remote.run(make_probe("burst", size), ACCEPT="text/plain", buffered=False)
    tracemalloc.start()
    try:
        received = sum(len(piece) for piece in response.iter_encoded())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        response.close()
    assert received >= size
    assert peak < 20_000_000


def test_command_that_ignores_sigterm_is_killed_after_the_grace_period(
    make_supervised: MakeRemote, make_probe: MakeProbe
) -> None:
    remote = make_supervised(stop_grace=1.0)
    job_id = remote.begin(make_probe("stubborn"))
    wait_for_output(remote, job_id)
    response = remote.stop(job_id)
    assert (response.status_code, response.json["state"]) == (200, "stopped")
    assert response.json["exit_code"] == -signal.SIGKILL


def test_command_that_ends_within_the_grace_period_succeeds(remote: Remote, make_probe: MakeProbe) -> None:
    probe = make_probe("stubborn")
    job_id = remote.begin(probe)
    wait_for_output(remote, job_id)
    threading.Timer(0.5, probe.release).start()
    job = remote.stop(job_id).json
    assert (job["state"], job["exit_code"]) == ("succeeded", 0), "it ended in time"
    assert "done" in remote.output(job_id)["data"]


def test_force_kills_the_command_at_once(remote: Remote, make_probe: MakeProbe) -> None:
    job_id = remote.begin(make_probe("stubborn"))
    wait_for_output(remote, job_id)
    assert remote.settings.stop_grace >= 10
    job = remote.stop(job_id, data={"force": "true"}).json
    assert (job["state"], job["exit_code"]) == ("stopped", -signal.SIGKILL)


def test_force_kills_a_command_that_is_being_stopped(remote: Remote, make_probe: MakeProbe) -> None:
    job_id = remote.begin(make_probe("stubborn"))
    wait_for_output(remote, job_id)
    assert remote.stop(job_id, PREFER="respond-async").status_code == 202
    assert remote.stop(job_id, query_string={"force": "1"}).json["state"] == "stopped"


def test_command_gets_the_environment_without_the_variables_of_the_server(
    make_remote: MakeRemote, cold_state: Path, make_probe: MakeProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    excluded = ("SERVER_SOFTWARE", "_AIRFLOW_PROCESS_CONTEXT", "AIRFLOW_API_APPS", "FORCE_COLOR")
    for name in excluded:
        monkeypatch.setenv(name, "x")
    probe = make_probe("env", *excluded, "NO_COLOR", "PYTHONUTF8", "AIRFLOW_HOME")
    environment = json.loads(make_remote(state_dir=cold_state).run(probe).json["stdout"].splitlines()[0])
    assert [environment.pop(name) for name in excluded] == [None] * 4
    assert environment == {"NO_COLOR": "1", "PYTHONUTF8": "1", "AIRFLOW_HOME": os.environ["AIRFLOW_HOME"]}


def test_arguments_are_not_in_the_process_list(
    make_remote: MakeRemote, cold_state: Path, loiter: None
) -> None:
    remote = make_remote(state_dir=cold_state)
    arguments = {"cmd": "set", "key": "k", "value": "hunter2"}
    job_id = remote("variables", "POST", json=arguments, PREFER="respond-async").json["job"]["id"]
    wait_for_output(remote, job_id, "loitering")
    lines = find_processes(cold_state)
    assert len(lines) == 3, "a supervisor, a command, and the filter of its output run"
    assert "hunter2" not in str(lines)
    assert not [file for file in spool_of(remote, job_id).iterdir() if b"hunter2" in file.read_bytes()]
    assert remote.stop(job_id).json["state"] == "stopped"
