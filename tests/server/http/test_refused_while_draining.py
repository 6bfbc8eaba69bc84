"""While the web server drains, it takes no new commands; everything else goes on."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any

import pytest

from airflow_remote_server.util.drain import DRAIN, SIZE

if TYPE_CHECKING:
    from probe_dag import MakeProbe
    from remote import Remote

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def own_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DRAIN, "_memory", mmap.mmap(-1, SIZE))


def assert_refused(response: Any) -> None:
    assert (response.status_code, response.json["error"]["type"]) == (503, "Unavailable"), response.text
    assert response.json["error"]["message"].startswith("this webserver is stopping")
    assert int(response.headers["Retry-After"]) > 0


def test_new_commands_are_refused(remote: Remote, make_probe: MakeProbe) -> None:
    running, refused = make_probe("wait"), make_probe("wait")
    job_id = remote.begin(running, IDEMPOTENCY_KEY="before the drain")
    assert remote("health").json == {"status": "healthy", "ready": True}
    DRAIN.begin(300)
    health = remote("health")
    assert (health.status_code, health.json["status"], health.json["ready"]) == (503, "healthy", False)
    assert_refused(remote.run(refused))
    assert_refused(remote.run(refused, IDEMPOTENCY_KEY="a new key"))
    assert_refused(remote("batch", "POST", json={"commands": [{"command": "version"}]}))
    assert_refused(remote("scheduler", "POST"))
    again = remote.run(running, IDEMPOTENCY_KEY="before the drain", PREFER="respond-async")
    assert (again.status_code, again.json["job"]["id"]) == (202, job_id)
    assert remote.job(job_id)["state"] == "running"
    assert remote(f"jobs/{job_id}/output").status_code == 200
    assert refused.processes == []
    assert remote(f"jobs/{job_id}/stop", "POST").status_code in (200, 202)


def test_a_client_waits_no_longer_than_the_server(remote: Remote, make_probe: MakeProbe) -> None:
    probe = make_probe("wait")
    job_id = remote.begin(probe, IDEMPOTENCY_KEY="waiting")
    DRAIN.begin(1.0)
    reply = remote.run(probe, IDEMPOTENCY_KEY="waiting", PREFER="wait=100")
    assert (reply.status_code, reply.json["job"]["id"]) == (202, job_id)
    assert DRAIN.is_over
    assert remote(f"jobs/{job_id}/stop", "POST").status_code in (200, 202)
