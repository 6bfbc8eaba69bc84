"""The life of a token, with the real ``airflow-remote`` and servers with several workers."""

from __future__ import annotations

import json

from airflow_remote.exit_status import ExitStatus
from live.conftest import TOKENS
from live.database import fetch_runs
from live.harness import Server
from live.program import run_client

TIMES = 12
"""The number of requests; each web worker gets some of them."""


def test_a_token_is_created_used_and_revoked(server: Server) -> None:
    created = run_client(server, "token", "new", "--name", "live", "--role", "operator", "--dags", "hello_*")
    assert created.returncode == 0, created.stderr
    token, path = created.stdout.strip(), server.home / TOKENS
    path.write_text(created.stderr, "utf-8")
    try:
        whoami = run_client(server, "--token", token, "whoami", "-o", "json")
        assert whoami.returncode == 0, whoami.stderr
        assert (json.loads(whoami.stdout)["name"], json.loads(whoami.stdout)["role"]) == ("live", "operator")
        yes = run_client(server, "--token", token, "can-i", "dags", "trigger", "hello_remote")
        assert (yes.returncode, yes.stdout) == (0, "yes\n")
        no = run_client(server, "--token", token, "can-i", "dags", "trigger", "live_faults")
        assert (no.returncode, no.stdout[:4]) == (1, "no: ")
        done = run_client(
            server, "--token", token, "trigger_dag", "hello_remote", "--run_id", "by_live_token"
        )
        assert done.returncode == 0, done.stderr
        assert "by_live_token" in fetch_runs(server)
        refused = run_client(server, "--token", token, "trigger_dag", "live_faults", "--run_id", "not_by_it")
        assert refused.returncode == ExitStatus.REFUSED
        assert "not_by_it" not in fetch_runs(server)
        headers = {"Authorization": f"Bearer {token}"}
        mine = [
            server.request("/api/v1.0/rest_api_plugin_version", headers=headers).status for _ in range(TIMES)
        ]
        assert mine == [200] * TIMES
    finally:
        path.write_text("", "utf-8")
    mine = [server.request("/api/v1.0/rest_api_plugin_version", headers=headers).status for _ in range(TIMES)]
    assert mine == [403] * TIMES, "by every worker, at once"
    seen = run_client(server, "audit", "--principal", "live", "-o", "json")
    entries = [entry for entry in json.loads(seen.stdout)["audit"] if entry["name"] == "trigger_dag"]
    assert [(entry["result"], entry["layer"], entry["state"]) for entry in entries] == [
        ("refused", "DAG", None),
        ("done", "", "succeeded"),
    ]
    log = server.home / "server.log"
    assert token.encode() not in log.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
