"""Commands that misbehave, as the warm host and the supervisor of a cold command keep them."""

from __future__ import annotations

import json
import os
import signal
import stat
import threading
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from processes import alive, below, wait_for

from airflow_remote_server.runner import Outcome, folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deeds import Deed
    from remote import Remote

    Make = Callable[..., Deed]

pytestmark = pytest.mark.slow

LEFT = {
    folder.JOB,
    folder.KEEPER,
    folder.PROCESS,
    folder.STDOUT,
    folder.STDERR,
    folder.RESULT,
    folder.EXIT,
    folder.MODULES,
}
"""What may be in the folder of a job that has ended."""


@pytest.fixture(params=["warm", "cold"])
def make(request: pytest.FixtureRequest, make_remote: Any) -> Callable[..., Remote]:
    """A caller of the API, with commands by the shared host or by a supervisor."""
    state = request.getfixturevalue("shared_state" if request.param == "warm" else "cold_state")
    return lambda **changes: make_remote(state_dir=state, **changes)


def job_folder(remote: Remote, job_id: str) -> Path:
    """The folder of a job."""
    found: Path = remote.settings.state_dir / "jobs" / job_id
    return found


def test_a_command_prints_for_its_user_only(make: Any) -> None:
    from airflow import __version__

    remote = make()
    response = remote("version")
    assert response.status_code == 200
    said = response.json
    assert (said["exit_code"], said["stdout"], said["output"]) == (0, f"{__version__}\n", __version__)
    assert said["job"]["state"] == "succeeded"


def test_what_a_job_leaves_is_private_and_holds_no_arguments(make: Any) -> None:
    remote = make()
    response = remote("variables", "POST", json={"cmd": "set", "key": "k", "value": "hunter2"})
    assert response.status_code == 200, response.text
    path = job_folder(remote, response.json["job"]["id"])
    assert {file.name for file in path.iterdir()} <= LEFT
    for file in path.iterdir():
        assert b"hunter2" not in file.read_bytes()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for private in (path, path.parent, path.parents[1]):
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert "hunter2" not in json.dumps(remote.job(path.name))
    assert b"hunter2" not in b"".join(file.read_bytes() for file in path.parents[1].glob("jobs.db*"))


def test_a_command_that_runs_too_long_is_stopped(make: Any, make_deed: Make) -> None:
    remote = make(command_timeout=1.5)
    response = remote.run(make_deed("wait"))
    assert response.status_code == 422
    message = "the command ran over 1.5 s and was stopped ([rest_api_plugin] command_timeout)"
    assert response.json["error"] == {"type": "CommandFailed", "message": message}
    job = remote.job(response.json["job"]["id"])
    assert (job["state"], job["exit_code"], job["message"]) == ("timed_out", -signal.SIGTERM, message)


def test_a_command_that_prints_too_much_is_stopped(make: Any, make_deed: Make) -> None:
    remote = make(max_output_bytes=1_000_000)
    response = remote.run(make_deed("flood"))
    assert response.status_code == 422
    assert "printed over 1000000 bytes and was stopped" in response.json["output"]
    assert len(response.json["stdout"]) == 1_000_000
    assert response.json["job"]["state"] == "stopped"
    path = job_folder(remote, response.json["job"]["id"])
    assert (path / "stdout").stat().st_size == 1_000_000, "and the disk is given back"


def test_a_commands_children_end_with_it(make: Any, make_deed: Make) -> None:
    response = make().run(make_deed("child"))
    assert response.status_code == 200
    child = int(response.json["stdout"].split()[1])
    wait_for(lambda: not alive(child))


def test_a_stopped_command_ends_with_its_children(make: Any, make_deed: Make) -> None:
    remote = make()
    deed = make_deed("childwait")
    job_id = remote.begin(deed)
    said = wait_for(lambda: "begun" in (data := remote.output(job_id)["data"]) and data)
    child = int(said.split()[1])
    [command] = deed.processes
    assert alive(child)
    response = remote.stop(job_id)
    assert (response.status_code, response.json["state"]) == (200, "stopped")
    wait_for(lambda: not alive(child))
    assert not alive(command)


def test_a_daemon_that_a_command_starts_ends_with_it(make: Any, make_deed: Make) -> None:
    response = make().run(make_deed("daemon"))
    assert response.status_code == 200, response.text
    daemon = int(response.json["stdout"].split()[1])
    wait_for(lambda: not alive(daemon))


@pytest.mark.parametrize("force", ["0", "1"])
def test_a_stopped_command_ends_with_its_daemon(make: Any, make_deed: Make, force: str) -> None:
    remote = make()
    job_id = remote.begin(make_deed("daemonwait"))
    daemon = int(wait_for(lambda: "begun" in (data := remote.output(job_id)["data"]) and data).split()[1])
    assert alive(daemon), "as long as the command runs"
    assert remote.stop(job_id, query_string={"force": force}).json["state"] == "stopped"
    wait_for(lambda: not alive(daemon))


@pytest.mark.parametrize(
    ("deed", "exit_code", "message"),
    [
        (("kill", 6), -6, "the command was ended by SIGABRT"),
        (("kill", 9), -9, "the command was ended by SIGKILL"),
        (("exit", 7), 7, "the command ended with exit code 7"),
    ],
)
def test_the_way_a_command_ends_is_told(
    remote: Remote, make_deed: Make, deed: tuple[str, int], exit_code: int, message: str
) -> None:
    response = remote.run(make_deed(*deed))
    assert (response.status_code, response.json["exit_code"]) == (422, exit_code)
    assert response.json["output"] == message
    assert response.json["job"]["state"] == "failed"


def test_a_command_that_ends_itself_has_ended(remote: Remote, make_deed: Make) -> None:
    assert remote.run(make_deed("exit", 0)).status_code == 200


def test_a_command_that_reads_gets_nothing(make: Any, make_deed: Make) -> None:
    assert "read ''" in make().run(make_deed("stdin")).json["stdout"]


def test_what_a_thread_of_a_command_prints_is_not_lost(remote: Remote, make_deed: Make) -> None:
    assert "from a thread" in remote.run(make_deed("thread")).json["stdout"]


def test_output_over_the_limit_is_said_also_when_the_command_was_quick(
    make_remote: Any, shared_state: Path, make_deed: Make
) -> None:
    remote = make_remote(state_dir=shared_state, max_output_bytes=1_000_000)
    response = remote.run(make_deed("burst", 1_000_001))
    assert response.status_code == 422
    assert "printed over 1000000 bytes" in response.json["output"]
    assert len(response.json["stdout"]) == 1_000_000


def test_output_up_to_the_limit_is_none_of_its_business(
    make_remote: Any, shared_state: Path, make_deed: Make
) -> None:
    remote = make_remote(state_dir=shared_state, max_output_bytes=1_000_000)
    response = remote.run(make_deed("burst", 990_000))
    assert response.status_code == 200
    assert response.json["stdout"].count("x") == 990_000


def test_memory_stays_flat_while_a_command_prints_much(
    make_remote: Any, shared_state: Path, make_deed: Make
) -> None:
    size = 200_000_000
    remote = make_remote(state_dir=shared_state, max_output_bytes=2 * size)
    response = remote.run(make_deed("burst", size), ACCEPT="text/plain", buffered=False)
    tracemalloc.start()
    try:
        got = sum(len(piece) for piece in response.iter_encoded())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        response.close()
    assert got >= size
    assert peak < 20_000_000


def test_a_command_that_ignores_sigterm_is_killed_after_the_time_of_grace(make: Any, make_deed: Make) -> None:
    remote = make(stop_grace=1.0)
    job_id = remote.begin(make_deed("stubborn"))
    wait_for(lambda: "begun" in remote.output(job_id)["data"])
    response = remote.stop(job_id)
    assert (response.status_code, response.json["state"]) == (200, "stopped")
    assert response.json["exit_code"] == -signal.SIGKILL


def test_a_command_that_ignores_sigterm_has_its_time_of_grace(remote: Remote, make_deed: Make) -> None:
    deed = make_deed("stubborn")
    job_id = remote.begin(deed)
    wait_for(lambda: "begun" in remote.output(job_id)["data"])
    threading.Timer(0.5, deed.go).start()
    job = remote.stop(job_id).json
    assert (job["state"], job["exit_code"]) == ("succeeded", 0), "it was done in time"
    assert "done" in remote.output(job_id)["data"]


def test_force_kills_at_once(remote: Remote, make_deed: Make) -> None:
    job_id = remote.begin(make_deed("stubborn"))
    wait_for(lambda: "begun" in remote.output(job_id)["data"])
    assert remote.settings.stop_grace >= 10
    job = remote.stop(job_id, data={"force": "true"}).json
    assert (job["state"], job["exit_code"]) == ("stopped", -signal.SIGKILL)


def test_force_also_after_a_stop_that_is_being_waited_for(remote: Remote, make_deed: Make) -> None:
    job_id = remote.begin(make_deed("stubborn"))
    wait_for(lambda: "begun" in remote.output(job_id)["data"])
    assert remote.stop(job_id, PREFER="respond-async").status_code == 202
    assert remote.stop(job_id, query_string={"force": "1"}).json["state"] == "stopped"


def test_the_environment_is_the_servers_without_what_belongs_to_it(
    make_remote: Any, cold_state: Path, make_deed: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = ("SERVER_SOFTWARE", "_AIRFLOW_PROCESS_CONTEXT", "AIRFLOW_API_APPS", "FORCE_COLOR")
    for name in servers:
        monkeypatch.setenv(name, "x")
    deed = make_deed("env", *servers, "NO_COLOR", "PYTHONUTF8", "AIRFLOW_HOME")
    found = json.loads(make_remote(state_dir=cold_state).run(deed).json["stdout"].splitlines()[0])
    assert [found.pop(name) for name in servers] == [None] * 4
    assert found == {"NO_COLOR": "1", "PYTHONUTF8": "1", "AIRFLOW_HOME": os.environ["AIRFLOW_HOME"]}


def test_arguments_are_in_no_process_list(make_remote: Any, cold_state: Path, loiter: None) -> None:
    remote = make_remote(state_dir=cold_state)
    sent = {"cmd": "set", "key": "k", "value": "hunter2"}
    job_id = remote("variables", "POST", json=sent, PREFER="respond-async").json["job"]["id"]
    wait_for(lambda: "loitering" in remote.output(job_id)["data"])
    lines = below(cold_state)
    assert len(lines) == 2, "a supervisor and a command"
    assert "hunter2" not in str(lines)
    assert not [file for file in job_folder(remote, job_id).iterdir() if b"hunter2" in file.read_bytes()]
    assert remote.stop(job_id).json["state"] == "stopped"


@pytest.mark.parametrize("said", [None, "", [], {}, {"exceptions": 1}, {"exit_code": "x"}, 7])
def test_results_that_are_not_ours_are_not_believed(said: Any) -> None:
    assert Outcome.read(said, 3) == Outcome(3)
    assert Outcome.read(said, None) == Outcome(-signal.SIGKILL)


def test_a_command_whose_exit_code_nobody_got_is_told_by_itself() -> None:
    said = {
        "exit_code": 2,
        "exceptions": [["SystemExit"]],
        "raised_in": "argparse.exit",
        "in_user_code": False,
        "message": "m",
    }
    assert Outcome.read(said, None) == Outcome(2, (("SystemExit",),), "argparse.exit", False, "m")
    assert Outcome.read(said, -9).exit_code == -9
