"""A token from its making to its end, with the real ``airflow-remote`` and servers of several workers."""

from __future__ import annotations

import json

from airflow_remote.exit_status import ExitStatus
from live.conftest import TOKENS
from live.database import runs
from live.harness import Server
from live.program import remote

TIMES = 12
"""Requests, so that each web worker gets some."""


def test_a_token_is_made_used_and_revoked(server: Server) -> None:
    made = remote(server, "token", "new", "--name", "live", "--role", "operator", "--dags", "hello_*")
    assert made.returncode == 0, made.stderr
    token, path = made.stdout.strip(), server.home / TOKENS
    path.write_text(made.stderr, "utf-8")
    try:
        who = remote(server, "--token", token, "whoami", "-o", "json")
        assert who.returncode == 0, who.stderr
        assert (json.loads(who.stdout)["name"], json.loads(who.stdout)["role"]) == ("live", "operator")
        yes = remote(server, "--token", token, "can-i", "dags", "trigger", "hello_remote")
        assert (yes.returncode, yes.stdout) == (0, "yes\n")
        no = remote(server, "--token", token, "can-i", "dags", "trigger", "live_faults")
        assert (no.returncode, no.stdout[:4]) == (1, "no: ")
        done = remote(server, "--token", token, "trigger_dag", "hello_remote", "--run_id", "by_live_token")
        assert done.returncode == 0, done.stderr
        assert "by_live_token" in runs(server)
        refused = remote(server, "--token", token, "trigger_dag", "live_faults", "--run_id", "not_by_it")
        assert refused.returncode == ExitStatus.REFUSED
        assert "not_by_it" not in runs(server)
        headers = {"Authorization": f"Bearer {token}"}
        mine = [server.ask("/api/v1.0/rest_api_plugin_version", headers=headers).status for _ in range(TIMES)]
        assert mine == [200] * TIMES
    finally:
        path.write_text("", "utf-8")
    mine = [server.ask("/api/v1.0/rest_api_plugin_version", headers=headers).status for _ in range(TIMES)]
    assert mine == [403] * TIMES, "by every worker, at once"
    seen = remote(server, "audit", "--principal", "live", "-o", "json")
    noted = [entry for entry in json.loads(seen.stdout)["audit"] if entry["name"] == "trigger_dag"]
    assert [(entry["result"], entry["layer"], entry["state"]) for entry in noted] == [
        ("refused", "DAG", None),
        ("running", "", "succeeded"),
    ]
    log = server.home / "server.log"
    assert token.encode() not in log.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
