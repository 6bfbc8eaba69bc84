"""Test batches: many commands in one request, run by one job."""

from __future__ import annotations

import json
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest
from processes import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe_dag import MakeProbe, Probe
    from remote import Remote

LINES = "application/x-ndjson"


def probe_command(probe: Probe) -> dict[str, Any]:
    """Return a command that runs a probe."""
    return {"command": "list_tasks", "arguments": {"dag_id": probe.id}}


def run(remote: Remote, *commands: Any, **more: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Run a batch; return the envelope of each command, and that of the batch."""
    headers = {name: more.pop(name) for name in [*more] if name.isupper()}
    response = remote("batch", "POST", json={"commands": commands, **more}, **headers)
    assert response.status_code == 200, response.text
    assert response.mimetype == LINES
    *lines, last = [json.loads(line) for line in response.text.splitlines()]
    assert all("index" in line for line in lines)
    assert "index" not in last
    return lines, last


def start(remote: Remote, *commands: Any, **more: Any) -> str:
    """Start a batch, and return the ID of its job."""
    response = remote("batch", "POST", json={"commands": commands, **more}, PREFER="respond-async")
    assert response.status_code == 202, response.text
    return str(response.json["job"]["id"])


def lines_of(remote: Remote, job_id: str) -> list[dict[str, Any]]:
    """Return the lines in the output of a batch."""
    return [json.loads(line) for line in remote.output(job_id)["data"].splitlines()]


def test_commands_run_in_order_and_each_has_its_envelope(remote: Remote, make_probe: MakeProbe) -> None:
    probes = [make_probe("say", f"number-{number}") for number in range(3)]
    lines, last = run(remote, *map(probe_command, probes))
    assert [line["index"] for line in lines] == [0, 1, 2]
    assert [line["command"] for line in lines] == ["list_tasks"] * 3
    for number, (line, probe) in enumerate(zip(lines, probes, strict=True)):
        single = remote.run(probe).json
        assert line["stdout"].startswith(f"number-{number}\n")
        same = ("airflow_cmd", "arguments", "output", "status", "http_response_code", "exit_code", "stdout")
        assert {name: line[name] for name in same} == {name: single[name] for name in same}
        assert set(single) - {"job"} <= set(line)
        assert line["seconds"] > 0
    assert (last["status"], last["http_response_code"]) == ("OK", 200)
    assert last["output"] == "all 3 commands succeeded"
    assert last["result"] == {"commands": 3, "succeeded": 3, "failed": 0, "lost": [], "not_run": 0}
    assert len({*probes[0].processes, *probes[1].processes}) >= 1


def test_a_batch_is_one_job_whose_commands_are_listed(remote: Remote, make_probe: MakeProbe) -> None:
    lines, last = run(remote, probe_command(make_probe("say", "a")), {"command": "version"})
    job = remote.job(last["job"]["id"])
    assert (job["name"], job["state"], job["airflow_cmd"]) == (
        "batch",
        "succeeded",
        "batch: 1 list_tasks, 1 version",
    )
    assert job["arguments"] == {"commands": 2, "parallel": 1, "stop_on_failure": False}
    assert job["result"] == last["result"]
    assert lines_of(remote, job["id"]) == lines
    listed = remote(f"jobs/{job['id']}/commands").json["commands"]
    assert [(each["index"], each["command"], each["state"]) for each in listed] == [
        (0, "list_tasks", "succeeded"),
        (1, "version", "succeeded"),
    ]
    assert listed[0]["airflow_cmd"] == lines[0]["airflow_cmd"]
    spool = remote.settings.state_dir / "jobs" / job["id"]
    assert not {"batch.ndjson", "commands"} & {path.name for path in spool.iterdir()}


def test_failure_does_not_stop_a_batch_unless_asked(remote: Remote, make_probe: MakeProbe) -> None:
    fails = {"command": "pools delete", "arguments": {"pool": "no_such_pool"}}
    lines, last = run(remote, fails, {"command": "version"})
    assert [line["status"] for line in lines] == ["ERROR", "OK"]
    single = remote("commands/pools/delete", "POST", json=fails["arguments"])
    same = ("http_response_code", "error", "exit_code", "output")
    assert {name: lines[0][name] for name in same} == {name: single.json[name] for name in same}
    assert (last["status"], last["http_response_code"]) == ("ERROR", 422)
    assert "1 of 2 commands failed; the first is commands[0]" in last["output"]

    lines, last = run(remote, {"command": "version"}, fails, {"command": "version"}, stop_on_failure=True)
    assert [line["index"] for line in lines] == [0, 1]
    assert last["result"] == {"commands": 3, "succeeded": 1, "failed": 1, "lost": [], "not_run": 1}
    assert last["output"].endswith("1 commands did not run (stop_on_failure)")
    states = [each["state"] for each in remote(f"jobs/{last['job']['id']}/commands").json["commands"]]
    assert states == ["succeeded", "failed", "not_run"]


def test_commands_can_run_in_parallel(remote: Remote, make_probe: MakeProbe) -> None:
    waits, says = make_probe("wait"), make_probe("say", "done")
    job_id = start(remote, probe_command(waits), probe_command(says), parallel=2)
    wait_for(lambda: [line["index"] for line in lines_of(remote, job_id)] == [1])
    assert remote.job(job_id)["result"]["running"] == [0]
    waits.release()
    assert remote.end(job_id)["state"] == "succeeded"
    assert [line["index"] for line in lines_of(remote, job_id)] == [1, 0]


def test_lines_of_json_are_accepted(remote: Remote) -> None:
    body = '{"command": "version"}\n\n  {"command": "version", "arguments": null}\r\n'
    response = remote("batch?stop_on_failure=true", "POST", data=body.encode(), content_type=LINES)
    assert response.status_code == 200, response.text
    *lines, last = map(json.loads, response.text.splitlines())
    assert len(lines) == 2
    assert last["arguments"] == {"commands": 2, "parallel": 1, "stop_on_failure": True}


def test_nothing_runs_if_a_command_is_invalid(remote: Remote, make_probe: MakeProbe) -> None:
    probe = make_probe("say", "x")
    commands = [
        probe_command(probe),
        {"command": "pools lst"},
        {"command": "pools set", "arguments": {"pool": "a", "nonsense": 1}},
        {"command": "scheduler"},
        {"command": "batch"},
        {"command": "connections export", "arguments": {"file": "x.json"}},
        {"command": "rest_api_plugin_version"},
        {"command": "pools delete", "arguments": []},
        {"command": 1},
        {"commands": "version"},
        {"command": "version", "more": 1},
    ]
    response = remote("batch", "POST", json={"commands": commands})
    assert response.status_code == 400
    error = response.json["error"]
    assert [problem["index"] for problem in error["problems"]] == [*range(1, 11)]
    messages = [problem["message"] for problem in error["problems"]]
    assert "did you mean 'pools list'" in messages[0]
    assert "unknown argument 'nons" in messages[1]
    assert "starts a service" in messages[2]
    assert "another batch" in messages[3]
    assert "files" in messages[4]
    assert "not a command of Airflow" in messages[5]
    assert response.json["output"].startswith("10 of 11 commands cannot run, so none was run: commands[1]: ")
    assert probe.processes == []
    assert not any(job["name"] == "batch" and job["state"] == "queued" for job in remote.jobs())


def test_problems_of_one_kind_give_their_status(remote: Remote) -> None:
    response = remote("batch", "POST", json={"commands": [{"command": "version"}, {"command": "nonsense"}]})
    assert (response.status_code, response.json["error"]["type"]) == (404, "NotFound")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"commands": []}, 400),
        ({"commands": {}}, 400),
        ([], 400),
        ({"commands": [{"command": "version"}], "parallel": 0}, 400),
        ({"commands": [{"command": "version"}], "parallel": 17}, 400),
        ({"commands": [{"command": "version"}], "stop_on_failure": "maybe"}, 400),
        ({"commands": [{"command": "version"}], "nonsense": 1}, 400),
        ({"commands": [{}] * 10_001}, 413),
    ],
)
def test_invalid_requests_are_rejected(remote: Remote, body: Any, status: int) -> None:
    response = remote("batch", "POST", json=body)
    assert response.status_code == status, response.text[:500]
    assert response.json["status"] == "ERROR"


def test_other_types_and_methods_are_rejected(remote: Remote) -> None:
    assert remote("batch", "POST", data={"commands": "x"}).status_code == 400
    assert remote("batch", "POST", data=b"{", content_type=LINES).status_code == 400
    assert remote("batch", "POST", data=b"", content_type=LINES).status_code == 400
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        response = remote("batch", method)
        assert response.status_code == 405, method
        assert "POST" in response.headers["Allow"]
    assert remote("").json["links"]["batch"].endswith("/api/v1.0/batch")


def test_every_command_is_authorized(holder: Callable[..., Remote], make_probe: MakeProbe) -> None:
    probe = make_probe("say", "x")
    viewer = holder("viewer")
    commands = [{"command": "version"}, {"command": "pools delete", "arguments": {"pool": "x"}}]
    response = viewer("batch", "POST", json={"commands": commands})
    assert response.status_code == 403
    error = response.json["error"]
    assert [(problem["index"], problem["type"]) for problem in error["problems"]] == [(1, "Refused")]
    assert "the role 'viewer' does not allow `pools delete`" in error["message"]
    lines, _ = run(viewer, {"command": "version"})
    assert lines[0]["status"] == "OK"
    limited = holder("operator", '\ndags = ["allowed"]')
    pauses = [{"command": "dags pause", "arguments": {"dag_id": name}} for name in ("allowed", "other")]
    response = limited("batch", "POST", json={"commands": pauses})
    assert response.status_code == 403
    assert [problem["index"] for problem in response.json["error"]["problems"]] == [1]
    assert probe.processes == []


def test_repeated_request_runs_nothing_twice(remote: Remote, make_probe: MakeProbe) -> None:
    probe = make_probe("say", "once")
    key = {"IDEMPOTENCY_KEY": f'"{probe.id}"'}
    first, ended = run(remote, probe_command(probe), **key)
    again, same = run(remote, probe_command(probe), **key)
    assert (first, ended["job"]["id"]) == (again, same["job"]["id"])
    assert len(probe.processes) == 1
    response = remote("batch", "POST", json={"commands": [probe_command(probe)] * 2}, **key)
    assert response.status_code == 409


def test_secrets_of_all_commands_are_masked(remote: Remote, make_probe: MakeProbe) -> None:
    secret = "swordfish-42"
    tells = make_probe("tell")
    tells.write_text(json.dumps([[1, f"it is {secret}\n"], [2, f"not {secret}\n"]]))
    add = {
        "command": "connections add",
        "arguments": {"conn_id": "batch_conn", "conn_uri": f"http://u:{secret}@h"},
    }
    delete = {"command": "connections delete", "arguments": {"conn_id": "batch_conn"}}
    lines, last = run(remote, probe_command(tells), add, delete)
    assert [line["status"] for line in lines] == ["OK"] * 3, lines
    assert lines[0]["stdout"].startswith("it is ***\n")
    assert "not ***" in lines[0]["stderr"]
    spool = remote.settings.state_dir / "jobs" / last["job"]["id"]
    for path in spool.iterdir():
        assert secret not in path.read_text(), path.name


def test_failing_command_is_killed_for_too_much_output(
    make_remote: Callable[..., Remote], shared_state: Any, make_probe: MakeProbe
) -> None:
    remote = make_remote(state_dir=shared_state, max_output_bytes=200_000)
    lines, last = run(remote, probe_command(make_probe("flood")), {"command": "version"})
    assert [line["status"] for line in lines] == ["ERROR", "OK"]
    assert "printed over 200000 bytes" in lines[0]["output"]
    assert lines[0]["stdout"] == ""
    assert "max_output_bytes" in lines[0]["warning"]
    assert last["result"]["failed"] == 1


def test_stopped_batch_tells_what_has_run(remote: Remote, make_probe: MakeProbe) -> None:
    waits, never = make_probe("wait"), make_probe("say", "never")
    job_id = start(remote, {"command": "version"}, probe_command(waits), probe_command(never))
    wait_for(lambda: waits.processes and lines_of(remote, job_id))
    assert remote.stop(job_id).status_code == 200
    job = remote.end(job_id)
    assert (job["state"], never.processes) == ("stopped", [])
    assert [line["index"] for line in lines_of(remote, job_id)] == [0, 1]
    assert lines_of(remote, job_id)[1]["output"] == "the command was stopped"
    assert "2 of 3 commands have run, 1 of them failed" in job["message"]
    wait_for(lambda: not alive(waits))


def test_killed_batch_tells_what_has_run(remote: Remote, make_probe: MakeProbe) -> None:
    waits, never = make_probe("wait"), make_probe("say", "never")
    job_id = start(remote, {"command": "version"}, probe_command(waits), probe_command(never))
    wait_for(lambda: waits.processes and lines_of(remote, job_id))
    os.kill(remote.job(job_id)["pid"], signal.SIGKILL)
    job = remote.end(job_id)
    assert job["state"] == "failed"
    assert "1 of 3 commands have run; commands[1] began and did not end" in job["message"]
    assert job["result"] == {"commands": 3, "succeeded": 1, "failed": 0, "lost": [1], "not_run": 1}
    states = [each["state"] for each in remote(f"jobs/{job_id}/commands").json["commands"]]
    assert states == ["succeeded", "lost", "not_run"]
    wait_for(lambda: not alive(waits))
    assert never.processes == []


def test_killed_command_fails_and_the_batch_goes_on(remote: Remote, make_probe: MakeProbe) -> None:
    waits = make_probe("wait")
    job_id = start(remote, probe_command(waits), {"command": "version"})
    wait_for(lambda: waits.processes)
    os.kill(waits.processes[0], signal.SIGKILL)
    job = remote.end(job_id)
    lines = lines_of(remote, job_id)
    assert [(line["index"], line["exit_code"]) for line in lines] == [(0, -9), (1, 0)]
    assert lines[0]["output"] == "the command was ended by SIGKILL"
    assert job["state"] == "failed"


def test_processes_that_a_command_leaves_are_ended(remote: Remote, make_probe: MakeProbe) -> None:
    lines, _ = run(remote, probe_command(make_probe("daemon")), {"command": "version"})
    pid = int(lines[0]["stdout"].split("daemon ")[1].split()[0])
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"))  # noqa: PTH110


def test_client_that_waits_too_short_gets_the_job(remote: Remote, make_probe: MakeProbe) -> None:
    waits = make_probe("wait")
    lines, last = run(remote, {"command": "version"}, probe_command(waits), PREFER="wait=1")
    assert len(lines) <= 1
    assert (last["http_response_code"], last["status"]) == (202, "OK")
    waits.release()
    assert remote.end(last["job"]["id"])["state"] == "succeeded"


def test_json_is_returned_as_a_whole_on_request(remote: Remote) -> None:
    commands = [{"command": "version"}] * 2
    response = remote("batch", "POST", json={"commands": commands}, ACCEPT="application/json")
    assert (response.status_code, response.mimetype) == (200, "application/json")
    assert [json.loads(line)["index"] for line in response.json["stdout"].splitlines()] == [0, 1]


def test_slots_limit_how_many_commands_run_at_once(
    make_remote: Callable[..., Remote], state: Any, make_probe: MakeProbe
) -> None:
    remote = make_remote(state_dir=state, max_running=2)
    other, first, second = (make_probe("wait") for _ in range(3))
    single = remote.begin(other)
    job_id = start(remote, probe_command(first), probe_command(second), parallel=2)
    wait_for(lambda: first.processes)
    assert second.processes == []
    other.release()
    remote.end(single)
    wait_for(lambda: second.processes)
    first.release()
    second.release()
    assert remote.end(job_id)["state"] == "succeeded"


def test_batch_runs_without_the_fork_server(
    make_remote: Callable[..., Remote], cold_state: Any, make_probe: MakeProbe
) -> None:
    remote = make_remote(state_dir=cold_state)
    lines, last = run(remote, probe_command(make_probe("say", "cold")))
    assert lines[0]["stdout"].startswith("cold\n")
    assert last["status"] == "OK"


def test_batches_do_not_disturb_each_other(remote: Remote, make_probe: MakeProbe) -> None:
    results: list[Any] = []

    def work(name: str) -> None:
        probes = [make_probe("say", f"{name}-{number}") for number in range(4)]
        results.append((name, run(remote, *map(probe_command, probes))[0]))

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, lines in results:
        assert [line["stdout"].splitlines()[0] for line in lines] == [
            f"{name}-{number}" for number in range(4)
        ]


def test_jobs_of_single_commands_have_no_commands(remote: Remote) -> None:
    job_id = remote("commands/version", "POST", json={}).json["job"]["id"]
    assert remote(f"jobs/{job_id}/commands").status_code == 404


def alive(probe: Probe) -> bool:
    """Return whether a process of a probe runs."""
    return any(os.path.exists(f"/proc/{pid}/cwd") and state_of(pid) != "Z" for pid in probe.processes)  # noqa: PTH110


def state_of(pid: int) -> str:
    """Return the state of a process, as in proc(5); Z if it has ended."""
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"
