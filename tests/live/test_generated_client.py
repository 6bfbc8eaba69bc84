"""A client that a library generates at run time from the OpenAPI document alone."""

from __future__ import annotations

from typing import Any

import httpx2
from aiopenapi3 import OpenAPI

from live.database import fetch_runs
from live.harness import PREFIX, Server


def test_a_generated_client_triggers_a_dag(server: Server) -> None:
    def session(*args: Any, **more: Any) -> httpx2.Client:
        headers = {**(more.pop("headers", None) or {}), **server.credentials}
        return httpx2.Client(*args, **more, headers=headers, trust_env=False, timeout=60)

    session.__annotations__["return"] = httpx2.Client  # aiopenapi3 inspects it, and expects no string
    api = OpenAPI.load_sync(f"{server.url}{PREFIX}/api/v1.0/openapi.json", session_factory=session)
    api.authenticate(token=server.token)
    run_id = "by_a_generated_client"
    answer = api._.airflow_dags_trigger(
        data={"dag_id": "hello_remote", "run_id": run_id, "conf": {"name": "generated"}, "output": "json"}
    )
    assert (answer.status, answer.exit_code) == ("OK", 0)
    assert fetch_runs(server)[run_id] == {"name": "generated"}
    job = api._.job(parameters={"job_id": answer.job.id})
    assert (job.state, job.name) == ("succeeded", "dags trigger")
    [listed] = api._.jobs(parameters={"limit": 1, "command": "dags trigger"}).jobs
    assert listed.id == job.id
    rows = api._.get_airflow_dags_list(parameters={"output": "json"}).stdout
    assert "hello_remote" in rows
