"""Test the routes of jobs: list, show and stop."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from remote import TOKEN

from airflow_remote_server.jobs.factory import make_jobs
from airflow_remote_server.jobs.models import Job, JobRequest, JobState

if TYPE_CHECKING:
    from remote import Remote


def ids(jobs: list[Any]) -> list[str]:
    """Return the ids of jobs."""
    return [job.id if isinstance(job, Job) else job["id"] for job in jobs]


def test_jobs_are_paged_newest_first(make_remote: Any, old: Any) -> None:
    job_ids, remote = ids(old(7))[::-1], make_remote()
    assert ids(remote.jobs()) == job_ids
    first = remote("jobs", query_string={"limit": 3}).json
    assert (ids(first["jobs"]), first["next"]) == (job_ids[:3], job_ids[2])
    second = remote("jobs", query_string={"limit": 3, "before": first["next"]}).json
    assert ids(second["jobs"]) == job_ids[3:6]
    last = remote("jobs", query_string={"limit": 3, "before": second["next"]}).json
    assert (ids(last["jobs"]), last["next"]) == (job_ids[6:], None)
    whole = remote("jobs", query_string={"limit": 7}).json
    assert (ids(whole["jobs"]), whole["next"]) == (job_ids, None)


def test_jobs_are_filtered(make_remote: Any, old: Any) -> None:
    remote = make_remote()
    [failed] = ids(old(state=JobState.FAILED, exit_code=1))
    [other] = ids(old(principal="another", name="trigger_dag", command="airflow dags trigger -- d"))
    assert ids(remote.jobs(state="failed")) == ids(remote.jobs(state="failed,lost")) == [failed]
    assert ids(remote.jobs(state="failed,succeeded")) == [other, failed]
    assert ids(remote.jobs(principal="another")) == ids(remote.jobs(command="dags trigger")) == [other]
    assert remote.jobs(state="running") == remote.jobs(command="no such") == []


def test_job_document_has_all_fields(make_remote: Any, old: Any) -> None:
    [job] = old(arguments='{"dag_id": "é"}', message="a line", exit_code=-9, state=JobState.FAILED, key="k")
    document = make_remote().job(job.id)
    path = f"/admin/rest_api/api/v1.0/jobs/{job.id}"
    for name in ("created", "started", "ended"):
        assert datetime.fromisoformat(document[name]).timestamp() == pytest.approx(
            getattr(job, name), abs=0.002
        )
    assert document == {
        "id": job.id,
        "state": "failed",
        "kind": "command",
        "url": path,
        "name": "version",
        "airflow_cmd": "airflow version",
        "arguments": {"dag_id": "é"},
        "principal": "token",
        "peer": "192.0.2.1",
        "node": job.node.partition("@")[2],
        "created": document["created"],
        "started": document["started"],
        "ended": document["ended"],
        "exit_code": -9,
        "message": "a line",
        "stopping": None,
        "restarts": None,
        "stdout_bytes": 0,
        "stderr_bytes": 0,
        "output_url": f"{path}/output",
        "files": [],
        # The outcome that the command's own request would report.
        "http_response_code": 422,
        "error": {"type": "CommandFailed", "message": document["error"]["message"]},
        "warning": None,
    }


@pytest.mark.parametrize(
    ("path", "status", "hint"),
    [
        ("jobs?state=runing", 400, "'state' must be one or more of queued, running"),
        ("jobs?state=failed&state=lost", 400, "'state' must be given once"),
        ("jobs?limit=-1", 400, "'limit' must be a whole number"),
        ("jobs?limit=x", 400, "'limit' must be a whole number"),
        ("jobs?before=nope", 400, "'before' must be the 'next' of the page before, not 'nope'"),
        ("jobs?before=%27+OR+1=1", 400, "'before' must be the 'next' of the page before"),
        ("audit?before=066147zz", 400, "'before' must be the 'next' of the page before"),
        ("jobs?states=failed", 400, "unknown argument 'sta...'"),
        ("jobs/nope", 404, "no such job: 'nope'"),
        ("jobs/nope/output", 404, "no such job: 'nope'"),
        ("jobs/nope/files", 404, "no such path"),
        ("jobs/nope?x=1", 404, "no such job"),
    ],
)
def test_invalid_job_requests_are_explained(make_remote: Any, path: str, status: int, hint: str) -> None:
    response = make_remote()(path)
    assert response.status_code == status
    assert hint in response.json["output"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "jobs"), ("GET", "jobs/x"), ("GET", "jobs/x/output"), ("POST", "jobs/x/stop")],
)
def test_job_routes_need_token(make_client: Any, method: str, path: str) -> None:
    response = make_client().open(f"/admin/rest_api/api/v1.0/{path}", method=method)
    assert (response.status_code, response.json["output"]) == (403, "Token Authentication Failed")


def test_stop_needs_post_and_validates_arguments(make_remote: Any, old: Any) -> None:
    remote, [job] = make_remote(), old()
    assert remote(f"jobs/{job.id}/stop").status_code == 405
    assert remote.stop(job.id, data={"forced": "1"}).status_code == 400
    assert remote.stop(job.id, data={"force": "perhaps"}).status_code == 400
    assert remote.stop("nope").status_code == 404
    done = remote.stop(job.id)
    assert (done.status_code, done.json["state"]) == (200, "succeeded"), "an ended job stays as it is"


def test_jobs_of_another_machine_are_shown_but_not_touched(make_remote: Any, old: Any) -> None:
    [job] = old(node="0123456789abcdef@elsewhere", state=JobState.RUNNING, ended=None)
    remote = make_remote()
    assert remote.job(job.id)["node"] == "elsewhere"
    for response in (remote.stop(job.id), remote(f"jobs/{job.id}/output")):
        assert response.status_code == 409
        assert "elsewhere" in response.json["output"]
    assert remote.job(job.id)["state"] == "running"


def submit(remote: Remote) -> str:
    """Submit a job, which deletes expired jobs first, and return its id."""
    request = JobRequest("version", "{}", "token", "192.0.2.1")
    return make_jobs(remote.settings).create(request, "airflow version", service=False).id


def test_only_newest_jobs_are_kept(make_remote: Any, old: Any, state: Any) -> None:
    job_ids = ids(old(5))
    [running] = ids(old(state=JobState.RUNNING, node="0@elsewhere", ended=None))
    remote = make_remote(keep_jobs=2)
    assert ids(remote.jobs()) == [running, *job_ids[::-1]], "reading deletes nothing"
    added = submit(remote)
    assert ids(remote.jobs()) == [added, running, *job_ids[:2:-1]]
    assert {path.name for path in (state / "jobs").iterdir()} == {added, running, *job_ids[3:]}


def test_old_jobs_expire(make_remote: Any, old: Any, state: Any) -> None:
    ids(old(2, ended=time.time() - 100))
    young = ids(old(2))
    remote = make_remote(keep_seconds=60.0)
    added = submit(remote)
    assert ids(remote.jobs()) == [added, *young[::-1]]
    assert {path.name for path in (state / "jobs").iterdir()} == {added, *young}


@pytest.mark.slow
def test_job_records_principal_peer_and_arguments(remote: Remote) -> None:
    sent = {"cmd": "set", "key": "k", "value": "hunter2"}
    response = remote("variables", "POST", json=sent, environ_overrides={"REMOTE_ADDR": "192.0.2.7"})
    job = remote.job(response.json["job"]["id"])
    assert (job["principal"], job["peer"], job["name"]) == ("token", "192.0.2.7", "variables")
    assert job["arguments"] == response.json["arguments"]
    assert job["arguments"]["value"] == "***"
    assert job["airflow_cmd"] == response.json["airflow_cmd"]
    assert "hunter2" not in json.dumps(job)


def test_job_url_includes_base_path(make_remote: Any, old: Any) -> None:
    [job] = old()
    client = make_remote(base_path="/pre x").client
    path = f"/admin/rest_api/api/v1.0/jobs/{job.id}"
    response = client.get(f"/pre x{path}", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.json["url"] == f"/pre%20x{path}"
