"""Call the API with a token."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, cast

from processes import PATIENCE, wait_for

if TYPE_CHECKING:
    from probe_dag import Probe
    from werkzeug.test import Client, TestResponse

    class ApiResponse(TestResponse):
        """A response whose body is JSON: tests need not check for None."""

        json: Any


TOKEN = "open sesame"
FINAL = ("succeeded", "failed", "stopped", "timed_out", "lost")


def secret_of(name: str) -> str:
    """Return the token of an entry in the tests' tokens files.

    :param name: of the entry
    """
    return f"the token of {name}, which nobody can guess"


def entry(name: str, role: str) -> str:
    """Return an entry of a tokens file; further keys may be appended.

    :param name: of the entry
    :param role: of the token
    """
    digest = hashlib.sha256(secret_of(name).encode()).hexdigest()
    return f'[[token]]\nname = "{name}"\nsha256 = "{digest}"\nrole = "{role}"\n'


class Remote:
    """Send requests to one instance of the API, as in one web worker.

    :param client: werkzeug's test client
    :param settings: of the API
    :param token: to send
    """

    def __init__(self, client: Client, settings: Any, token: str = TOKEN) -> None:
        self.client = client
        self.settings = settings
        self.token = token

    def holding(self, token: str) -> Remote:
        """Return a caller of the same instance with another token."""
        return Remote(self.client, self.settings, token)

    def __call__(self, path: str, method: str = "GET", **more: Any) -> ApiResponse:
        """Request a path below ``/api/v1.0``; arguments in capitals are headers."""
        headers = {name.replace("_", "-"): more.pop(name) for name in [*more] if name.isupper()}
        headers["Authorization"] = f"Bearer {self.token}"
        response = self.client.open(
            f"/admin/rest_api/api/v1.0/{path}", method=method, headers=headers, **more
        )
        return cast("ApiResponse", response)

    def run(self, probe: Probe, **more: Any) -> ApiResponse:
        """Run a probe command."""
        return self("list_tasks", query_string={"dag_id": probe.id}, **more)

    def start(self, probe: Probe, **more: Any) -> str:
        """Start a probe command without waiting for it, and return its job's id."""
        response = self.run(probe, **{"PREFER": "respond-async", **more})
        assert response.status_code == 202, response.text
        return str(response.json["job"]["id"])

    def begin(self, probe: Probe, **more: Any) -> str:
        """Start a probe command, wait until it has a process, and return its job's id."""
        job_id = self.start(probe, **more)
        wait_for(lambda: probe.processes)
        return job_id

    def job(self, job_id: str) -> dict[str, Any]:
        """Return the current state of a job."""
        response = self(f"jobs/{job_id}")
        assert response.status_code == 200, response.text
        return dict(response.json)

    def jobs(self, **query: Any) -> list[dict[str, Any]]:
        """Return jobs, newest first."""
        response = self("jobs", query_string=query)
        assert response.status_code == 200, response.text
        return list(response.json["jobs"])

    def end(self, job_id: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait until a job has ended, and return it."""
        return self.until(job_id, *FINAL, seconds=seconds)

    def until(self, job_id: str, *states: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait until a job is in one of the given states, and return it."""

        def in_state() -> dict[str, Any] | None:
            job = self.job(job_id)
            return job if job["state"] in states else None

        return dict(wait_for(in_state, seconds))

    def stop(self, job_id: str, **more: Any) -> ApiResponse:
        """Stop a job."""
        return self(f"jobs/{job_id}/stop", "POST", **more)

    def output(self, job_id: str, **query: Any) -> dict[str, Any]:
        """Return some output of a job."""
        response = self(f"jobs/{job_id}/output", query_string=query)
        assert response.status_code == 200, response.text
        return dict(response.json)


def watch(remote: Remote) -> None:
    """Do what the watcher of a webserver does every few seconds."""
    api = remote.client.application.app.api.get()  # type: ignore[attr-defined]  # of LintMiddleware
    assert api.watcher.watch_once()
