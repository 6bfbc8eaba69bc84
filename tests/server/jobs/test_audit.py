"""The audit log records each request that ran something or was refused."""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
import time
from typing import TYPE_CHECKING, Any

import pytest
from remote import TOKEN

from airflow_remote_server.jobs.audit.recorder import UNAUTHENTICATED_BURST
from airflow_remote_server.jobs.engine import BUSY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from remote import Remote

SECRET = "s3cr3t-of-the-audit"
NAME = "airflow_remote_server.audit"
VERSION = "rest_api_plugin_version"


@pytest.fixture
def audit(make_remote: Callable[..., Remote]) -> Callable[..., list[dict[str, Any]]]:
    """Return a function that reads the audit log of an API, oldest entry first."""

    def read(remote: Remote, **query: Any) -> list[dict[str, Any]]:
        response = remote.holding(TOKEN)("audit", query_string=query)
        assert response.status_code == 200, response.text
        return list(response.json["audit"][::-1])

    return read


def test_command_is_recorded(remote: Remote, audit: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, NAME)
    before = time.time()
    job = remote("version").json["job"]
    [entry] = audit(remote, job=job["id"])
    assert entry.pop("id")
    assert before - 1 < _seconds(entry.pop("time")) < time.time()
    assert 0 < entry.pop("seconds") < 60
    assert entry == {
        "principal": "token",
        "role": "admin",
        "peer": "",
        "method": "GET",
        "path": "/api/v1.0/version",
        "name": "version",
        "command": "airflow version",
        "status": 200,
        "result": "done",
        "layer": "",
        "message": "",
        "job": job["id"],
        "state": "succeeded",
        "exit_code": 0,
    }
    said = [json.loads(record.message) for record in caplog.records if record.name == NAME]
    # The ends of jobs of other tests may be recorded now.
    assert len([line for line in said if line["job"] == job["id"]]) == 1, "and as one line of JSON in the log"


def _seconds(moment: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(moment).timestamp()


def test_result_and_layer_are_recorded(holder: Any, audit: Any) -> None:
    remote = holder("operator", 'dags = ["etl_*"]\n')
    wanted = []
    for path, arguments, result, layer in (
        ("commands/pools/set", {}, "refused", "role"),
        ("trigger_dag", {"dag_id": "other"}, "refused", "DAG"),
        ("trigger_dag", {"dag_id": "etl_x", "nope": 1}, "invalid", ""),
        ("commands/dags/details", {"dag_id": "etl_not_there"}, None, ""),
        ("version", {}, "done", ""),
    ):
        response = remote(path, "POST", json=arguments)
        status = response.status_code
        result = result or {404: "invalid", 422: "failed"}[status]
        wanted.append((status, result, layer))
    found = [(entry["status"], entry["result"], entry["layer"]) for entry in audit(remote, principal="ci")]
    assert found[-5:] == wanted
    policy = remote.holding(TOKEN)("commands/db/shell", "POST")
    assert policy.status_code == 403
    assert audit(remote, result="refused", layer="policy")[-1]["command"] == "db shell {}"


@pytest.mark.slow
def test_stop_and_running_command_are_recorded(make_remote: Any, make_probe: Any, audit: Any) -> None:
    remote = make_remote()
    job_id = remote.begin(make_probe("wait"))
    remote.stop(job_id)
    begun, stopped = audit(remote, job=job_id)
    assert (begun["name"], begun["result"], begun["state"]) == ("list_tasks", "failed", "stopped")
    assert (stopped["name"], stopped["result"], stopped["method"]) == ("stop", "done", "POST")
    assert stopped["state"] == "stopped"
    assert stopped["command"] == begun["command"]


def test_reading_is_not_recorded(remote: Remote, audit: Any) -> None:
    job_id = remote("version").json["job"]["id"]
    before = audit(remote)
    for path in ("jobs", f"jobs/{job_id}", f"jobs/{job_id}/output", "commands", "whoami", "health", "nope"):
        remote(path)
    assert audit(remote) == before


def test_rejected_token_is_recorded_without_the_token(make_remote: Any, audit: Any) -> None:
    remote = make_remote()
    assert remote.holding(SECRET)("version").status_code == 403
    [entry] = audit(remote)
    assert (entry["principal"], entry["result"], entry["layer"]) == ("", "refused", "token")
    assert (entry["status"], entry["message"], entry["command"]) == (403, "no such token", "")
    assert SECRET not in str(entry)


def test_reason_for_rejecting_a_known_token_is_recorded(holder: Any, audit: Any, tokens_file: Path) -> None:
    remote = holder("viewer", "expires = 2020-01-01T00:00:00Z\n")
    assert remote("version").json["output"] == "Token Authentication Failed"
    assert audit(remote)[-1]["message"] == "the token ci has expired"


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("variables", {"set": "k", "value": SECRET, "nope": "1"}),
        ("commands/variables/set", {"key": "k", "value": SECRET, "nope": "1"}),
        ("commands/connections/add", {"conn_id": "c", "conn_uri": f"a://b:{SECRET}@c", "conn_type": "x"}),
        ("commands/connections/add", {"conn_id": "audited", "conn_uri": f"http://b:{SECRET}@c"}),
        ("trigger_dag", {"dag_id": "none", "conf": {"password": SECRET}}),
        ("trigger_dag", {"dag_id": "none", "conf": json.dumps({"password": SECRET}), "nope": "1"}),
    ],
)
def test_no_secret_is_recorded(
    remote: Remote, audit: Any, path: str, arguments: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, NAME)
    remote(path, "POST", json=arguments)
    entry = audit(remote)[-1]
    assert entry["name"] in path.replace("/", " ")
    assert "***" in entry["command"]
    assert SECRET not in json.dumps(entry)
    assert SECRET not in caplog.text


def test_audit_is_paged_and_filtered(make_remote: Any, audit: Any) -> None:
    remote = make_remote()
    for _ in range(5):
        remote("version?nope=1")
    for _ in range(2):
        remote(VERSION)
    assert [entry["name"] for entry in audit(remote)] == ["version"] * 5 + [VERSION] * 2
    first = remote("audit", query_string={"limit": 3}).json
    second = remote("audit", query_string={"limit": 3, "before": first["next"]}).json
    last = remote("audit", query_string={"limit": 3, "before": second["next"]}).json
    ids = [entry["id"] for page in (first, second, last) for entry in page["audit"]]
    assert (len(ids), last["next"]) == (7, None)
    assert ids == sorted(set(ids), reverse=True)
    assert len(audit(remote, command="version")) == 5
    assert len(audit(remote, command="rest_*")) == 2
    assert len(audit(remote, result="invalid")) == 5
    assert audit(remote, principal="nobody") == audit(remote, peer="192.0.2.1") == []
    for query in ({"limit": "x"}, {"nope": "1"}, {"job": "a\0"}):
        assert remote("audit", query_string=query).status_code == 400


@pytest.mark.parametrize(
    ("role", "more"),
    [("viewer", ""), ("operator", ""), ("admin", 'dags = ["x"]\n'), ("admin", 'commands = ["*"]\n')],
)
def test_only_unrestricted_admins_read_the_audit(holder: Any, role: str, more: str) -> None:
    response = holder(role, more)("audit")
    assert response.status_code == 403
    assert "Refused by the role" in response.json["output"]


def test_flood_of_unauthenticated_requests_is_limited(make_remote: Any, audit: Any) -> None:
    remote = make_remote()
    assert remote(VERSION).status_code == 200
    stranger = remote.holding("")
    for _ in range(UNAUTHENTICATED_BURST + 100):
        assert stranger("version").status_code == 403
    found = audit(remote, limit=500)
    assert len([entry for entry in found if not entry["principal"]]) < UNAUTHENTICATED_BURST + 50
    assert found[0]["name"] == VERSION


def test_rows_are_pruned_and_refusals_displace_no_commands(make_remote: Any, audit: Any) -> None:
    from airflow_remote_server.jobs.audit.table import AuditTable
    from airflow_remote_server.jobs.factory import make_jobs

    remote = make_remote(audit_rows=20)
    for _ in range(3):
        remote(VERSION)
    for _ in range(40):
        remote.holding("")("version")
    rows = AuditTable(make_jobs(remote.settings), 3600, 20)
    rows.prune()
    assert [entry["name"] for entry in audit(remote) if entry["principal"]] == [VERSION] * 3
    assert len([entry for entry in audit(remote) if not entry["principal"]]) == 2, "one of ten"
    for _ in range(30):
        remote(VERSION)
    rows.prune()
    assert len([entry for entry in audit(remote) if entry["principal"]]) == 20
    AuditTable(rows.jobs, 0.0, 20).prune()
    assert audit(remote) == []


@pytest.mark.slow
def test_locked_audit_table_neither_delays_nor_fails_requests(
    make_remote: Any, audit: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, NAME)
    remote = make_remote()
    remote(VERSION)
    path = remote.settings.state_dir / "jobs.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        answers = [remote(VERSION) for _ in range(5)]
        took = time.monotonic() - began
        other.execute("ROLLBACK")
    assert [answer.status_code for answer in answers] == [200] * 5
    assert took < 4 * BUSY_SECONDS, "one waits for a moment, and the others not at all"
    lines = [record for record in caplog.records if (record.name, record.levelno) == (NAME, logging.INFO)]
    assert len(lines) == 6, "all are in the log"
    assert len(audit(remote)) == 1


def test_command_runs_once_if_recording_fails(
    make_remote: Any, shared_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_remote_server.jobs.audit.table import AuditTable

    def fail(*_: Any) -> None:
        raise RuntimeError("no audit today")

    monkeypatch.setattr(AuditTable, "add", fail)
    remote = make_remote(state_dir=shared_state)
    response = remote("version", **{"IDEMPOTENCY-KEY": "not noted"})
    assert response.status_code == 200
    again = remote("version", **{"IDEMPOTENCY-KEY": "not noted"})
    assert again.json["job"]["id"] == response.json["job"]["id"]
