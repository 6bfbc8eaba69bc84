"""A repeated request with an Idempotency-Key gets the first result."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from probe_dag import MakeProbe
    from remote import Remote

pytestmark = pytest.mark.slow


def test_repeated_request_gets_the_first_result(
    make_remote: Any, shared_state: Path, make_probe: MakeProbe
) -> None:
    key, probe = uuid.uuid4().hex, make_probe("both")
    first = make_remote(state_dir=shared_state).run(probe, IDEMPOTENCY_KEY=key)
    again = make_remote(state_dir=shared_state).run(
        probe, IDEMPOTENCY_KEY=key
    )  # another worker, or a restart
    assert first.status_code == again.status_code == 200
    times = {"call_time": None, "response_time": None}
    assert {**first.json, **times} == {**again.json, **times}
    assert len(probe.processes) == 1


def test_repeated_failure_gets_the_failure(remote: Remote, make_probe: MakeProbe) -> None:
    key, probe = uuid.uuid4().hex, make_probe("exit", 7)
    for _ in range(2):
        response = remote.run(probe, IDEMPOTENCY_KEY=key)
        assert (response.status_code, response.json["exit_code"]) == (422, 7)
    assert len(probe.processes) == 1


def test_repeated_request_waits_for_the_running_job(
    make_remote: Any, shared_state: Path, make_probe: MakeProbe
) -> None:
    remotes = [make_remote(state_dir=shared_state) for _ in range(4)]
    key, probe = uuid.uuid4().hex, make_probe("wait")
    job_id = remotes[0].begin(probe, IDEMPOTENCY_KEY=key)
    again = remotes[1].run(probe, IDEMPOTENCY_KEY=key, PREFER="respond-async")
    assert (again.status_code, again.json["job"]["id"]) == (202, job_id)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(each.run, probe, IDEMPOTENCY_KEY=key) for each in remotes]
        probe.release()
        responses = [each.result() for each in waiting]
    assert [response.status_code for response in responses] == [200] * 4
    assert {response.json["job"]["id"] for response in responses} == {job_id}
    assert len(probe.processes) == 1


def test_only_one_of_many_concurrent_requests_runs(
    make_remote: Any, shared_state: Path, make_probe: MakeProbe
) -> None:
    remotes = [make_remote(state_dir=shared_state) for _ in range(6)]
    key, probe = uuid.uuid4().hex, make_probe("say", "hello")
    with ThreadPoolExecutor(6) as pool:
        responses = list(pool.map(lambda each: each.run(probe, IDEMPOTENCY_KEY=key), remotes))
    assert {(each.status_code, each.json["job"]["id"]) for each in responses} == {
        (200, responses[0].json["job"]["id"])
    }
    assert len(probe.processes) == 1


def test_key_cannot_be_used_for_another_request(remote: Remote, make_probe: MakeProbe) -> None:
    key = uuid.uuid4().hex
    assert remote.run(make_probe("say", "one"), IDEMPOTENCY_KEY=key).status_code == 200
    other = make_probe("say", "two")
    for response in (remote.run(other, IDEMPOTENCY_KEY=key), remote("version", IDEMPOTENCY_KEY=key)):
        assert response.status_code == 409
        assert "Idempotency-Key was used with other arguments" in response.json["output"]
    assert other.processes == []
