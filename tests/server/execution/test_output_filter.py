"""The filter between a command and its output, under both kinds of supervisors."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from processes import find_fork_servers, is_running, kill, wait_for

from airflow_remote_server.execution.spool import FILTER

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe_dag import MakeProbe, Probe
    from remote import ApiResponse, Remote

    MakeRemote = Callable[..., Remote]

pytestmark = pytest.mark.slow

SECRET = "s3cr3t-in-every-line"


def run(remote: Remote, probe: Probe, **more: Any) -> ApiResponse:
    """Run a probe whose request brings the secret."""
    params = json.dumps({"password": SECRET})
    return remote("test", "POST", json={"dag_id": probe.id, "task_id": "t", "task_params": params}, **more)


def begin(remote: Remote, probe: Probe) -> str:
    """Start such a probe, wait until it has printed something, and return its job's id."""
    job_id = str(run(remote, probe, PREFER="respond-async").json["job"]["id"])
    wait_for(lambda: remote.output(job_id)["data"])
    return job_id


def filter_of(remote: Remote, job_id: str) -> int:
    """Return the process ID of a job's output filter."""
    record = json.loads(Path(remote.settings.state_dir, "jobs", job_id, FILTER).read_text())
    return int(record["pid"])


def test_secrets_are_masked_in_both_streams(make_supervised: MakeRemote, make_probe: MakeProbe) -> None:
    remote, probe = make_supervised(), make_probe("tell")
    pieces = [[1, f"a {SECRET} b {SECRET[:9]}"], [2, f"c {SECRET}\n"], [1, f"{SECRET[9:]} d {SECRET[:4]}"]]
    probe.write_text(json.dumps(pieces))
    response = run(remote, probe)
    assert SECRET not in response.text
    assert response.json["stdout"].startswith(f"a *** b *** d {SECRET[:4]}")
    assert "c ***\n" in response.json["stderr"]
    spool = Path(remote.settings.state_dir, "jobs", response.json["job"]["id"])
    assert not any(SECRET.encode() in path.read_bytes() for path in spool.iterdir())
    assert not is_running(filter_of(remote, spool.name))


def test_message_of_an_exception_is_masked(make_supervised: MakeRemote, make_probe: MakeProbe) -> None:
    remote, probe = make_supervised(), make_probe("raise")
    probe.write_text(f"cannot use {SECRET}")
    response = run(remote, probe)
    assert SECRET not in response.text
    assert SECRET not in json.dumps(remote.job(response.json["job"]["id"]))


@pytest.mark.parametrize("how", [("kill", 9), ("exit", 3)])
def test_nothing_that_an_ended_command_has_printed_is_lost(
    make_supervised: MakeRemote, make_probe: MakeProbe, how: tuple[str, int]
) -> None:
    remote, probe = make_supervised(), make_probe("tell", *how)
    line = f"{'x' * 99} {SECRET}\n"
    probe.write_text(json.dumps([[1, line * 20_000]]))
    response = run(remote, probe)
    assert response.json["exit_code"] == (-9 if how[0] == "kill" else 3)
    assert response.json["stdout"] == line.replace(SECRET, "***") * 20_000


def test_command_can_be_followed_and_stopped(make_supervised: MakeRemote, make_probe: MakeProbe) -> None:
    remote, probe = make_supervised(), make_probe("tell", "wait")
    probe.write_text(json.dumps([[1, f"{SECRET} and then "]]))
    job_id = begin(remote, probe)
    assert wait_for(lambda: "begun" in (data := remote.output(job_id)["data"]) and data).startswith("*** and")
    filter_pid = filter_of(remote, job_id)
    assert is_running(filter_pid)
    assert remote.stop(job_id).status_code == 200
    job = remote.end(job_id)
    assert (job["state"], job["exit_code"]) == ("stopped", -signal.SIGTERM)
    assert remote.output(job_id)["data"] == "*** and then begun\n"
    assert not is_running(filter_pid)


def test_output_limit_counts_what_the_filter_writes(
    make_supervised: MakeRemote, make_probe: MakeProbe
) -> None:
    response = run(make_supervised(max_output_bytes=1_000_000), make_probe("flood"))
    assert "printed over 1000000 bytes and was stopped" in response.json["output"]
    assert len(response.json["stdout"]) == 1_000_000


def test_children_do_not_keep_the_filter(make_supervised: MakeRemote, make_probe: MakeProbe) -> None:
    remote = make_supervised()
    response = run(remote, make_probe("daemon"))
    daemon = int(response.json["stdout"].split()[1])
    wait_for(lambda: not is_running(daemon))
    assert not is_running(filter_of(remote, response.json["job"]["id"]))


def test_output_is_masked_and_complete_if_the_supervisor_is_killed(
    make_remote: MakeRemote, state: Path, make_probe: MakeProbe
) -> None:
    remote, probe = make_remote(state_dir=state), make_probe("tell", "wait")
    probe.write_text(json.dumps([[1, f"{SECRET}\n"]]))
    job_id = begin(remote, probe)
    [fork_server] = find_fork_servers(state)
    kill(fork_server)
    remote.job(job_id)  # another supervisor adopts the command
    probe.release()
    job = remote.end(job_id)
    assert job["state"] in ("succeeded", "failed"), job
    assert remote.output(job_id)["data"].startswith("***\nbegun\ndone\n")


def test_command_without_secrets_has_no_filter(remote: Remote, make_probe: MakeProbe) -> None:
    response = remote.run(make_probe("both"))
    assert not Path(remote.settings.state_dir, "jobs", response.json["job"]["id"], FILTER).exists()
