"""A caller of the API, over HTTP, with the token."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from processes import wait_for

if TYPE_CHECKING:
    from deeds import Deed
    from werkzeug.test import Client, TestResponse

TOKEN = "open sesame"
FINAL = ("succeeded", "failed", "stopped", "timed_out", "lost")


def secret_of(name: str) -> str:
    """The token of a name in a tokens file of these tests."""
    return f"the token of {name}, which nobody can guess"


def entry(name: str, role: str) -> str:
    """Its entry; further keys may follow."""
    digest = hashlib.sha256(secret_of(name).encode()).hexdigest()
    return f'[[token]]\nname = "{name}"\nsha256 = "{digest}"\nrole = "{role}"\n'


class Remote:
    """Asks one instance of the API, as one web worker has it.

    :param client: werkzeug's
    :param settings: of the API
    :param token: that it sends
    """

    def __init__(self, client: Client, settings: Any, token: str = TOKEN) -> None:
        self.client = client
        self.settings = settings
        self.token = token

    def holding(self, token: str) -> Remote:
        """A caller of the same instance with another token."""
        return Remote(self.client, self.settings, token)

    def __call__(self, path: str, method: str = "GET", **more: Any) -> TestResponse:
        """Ask for a path below ``/api/v1.0``. Arguments in capitals are headers."""
        headers = {name.replace("_", "-"): more.pop(name) for name in [*more] if name.isupper()}
        headers["Authorization"] = f"Bearer {self.token}"
        return self.client.open(f"/admin/rest_api/api/v1.0/{path}", method=method, headers=headers, **more)

    def run(self, deed: Deed, **more: Any) -> TestResponse:
        """Have a deed done."""
        return self("list_tasks", query_string={"dag_id": deed.id}, **more)

    def start(self, deed: Deed, **more: Any) -> str:
        """Have a deed begun; the id of its job."""
        response = self.run(deed, **{"PREFER": "respond-async", **more})
        assert response.status_code == 202, response.text
        return str(response.json["job"]["id"])

    def begin(self, deed: Deed, **more: Any) -> str:
        """Have a deed begun, and wait until it is being done; the id of its job."""
        job_id = self.start(deed, **more)
        wait_for(lambda: deed.processes)
        return job_id

    def job(self, job_id: str) -> dict[str, Any]:
        """A job as it is."""
        response = self(f"jobs/{job_id}")
        assert response.status_code == 200, response.text
        return dict(response.json)

    def jobs(self, **query: Any) -> list[dict[str, Any]]:
        """Jobs, newest first."""
        response = self("jobs", query_string=query)
        assert response.status_code == 200, response.text
        return list(response.json["jobs"])

    def end(self, job_id: str, seconds: float = 60) -> dict[str, Any]:
        """A job, once it has ended."""
        return self.until(job_id, *FINAL, seconds=seconds)

    def until(self, job_id: str, *states: str, seconds: float = 60) -> dict[str, Any]:
        """A job, once it is in one of some states."""

        def there() -> dict[str, Any] | None:
            job = self.job(job_id)
            return job if job["state"] in states else None

        return dict(wait_for(there, seconds))

    def stop(self, job_id: str, **more: Any) -> TestResponse:
        """Stop a job."""
        return self(f"jobs/{job_id}/stop", "POST", **more)

    def output(self, job_id: str, **query: Any) -> dict[str, Any]:
        """Some output of a job."""
        response = self(f"jobs/{job_id}/output", query_string=query)
        assert response.status_code == 200, response.text
        return dict(response.json)
