"""``token new``, ``whoami``, ``can-i`` and ``audit``."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from contract import TOKENS
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.wrappers import Response

from airflow_remote.cli import token_entry
from airflow_remote.exit_status import ExitStatus
from client.program import Run
from client.responses import envelope, json_response
from client.stub import RecordedRequest, Stub

IDENTITY = {
    "name": "ci",
    "role": "operator",
    "unrestricted": False,
    "dags": ["etl_*"],
    "expires": None,
    "commands": ["dags list", "dags trigger"],
}
ENTRY = {
    "id": "0660e40a747b8762",
    "time": "2026-11-25T14:00:00.000+00:00",
    "principal": "ci",
    "peer": "192.0.2.1",
    "result": "refused",
    "layer": "role",
    "status": 403,
    "seconds": 0.004,
    "command": "dags delete {}",
    "message": "Refused by the role",
}


# ``token new``.


def test_new_token_goes_to_stdout_and_its_entry_to_stderr(run: Run, stub: Stub) -> None:
    completed = run("token", "new", "--name", "ci", "--role", "viewer")
    assert completed.status == 0
    token = completed.out.strip()
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{42}", token), "256 bits"
    assert token not in completed.err
    assert completed.err.endswith(token_entry.format_entry(token, "ci", "viewer"))
    assert stub.requests == []
    assert run("token", "new", "--name", "ci", "--role", "viewer").out != completed.out


def test_entry_matches_the_contract() -> None:
    sample = TOKENS.read_text("utf-8")
    written = token_entry.format_entry(
        "a token for the contract",
        "ci",
        "operator",
        commands=["dags *", "tasks clear"],
        dags=["etl_*", "größe"],
        expires=datetime(2027, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
        networks=["192.0.2.0/24", "2001:db8::/32"],
    )
    assert sample.partition("\n")[2] == written


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2027-01-01", "2027-01-01T00:00:00+00:00"),
        ("2027-01-01T12:00:00", "2027-01-01T12:00:00+00:00"),
        ("2027-01-01T12:00:00Z", "2027-01-01T12:00:00+00:00"),
        ("2027-01-01T12:00:00+02:00", "2027-01-01T12:00:00+02:00"),
    ],
)
def test_expiry_is_a_date_or_a_time(text: str, expected: str) -> None:
    assert token_entry.parse_expiry(text) == datetime.fromisoformat(expected)


def test_expiry_may_be_a_number_of_days() -> None:
    away = token_entry.parse_expiry("90d") - datetime.now(timezone.utc)
    assert timedelta(days=89, hours=23) < away <= timedelta(days=90)


@pytest.mark.parametrize(
    "line",
    [
        [],
        ["--name", "ci"],
        ["--name", "a b", "--role", "viewer"],
        ["--name", "ci", "--role", 'x"'],
        ["--name", "ci", "--role", "viewer", "--expires", "soon"],
        ["--name", "ci", "--role", "viewer", "--expires", "99999d"],
        ["--name", "ci", "--role", "viewer", "--dags", ""],
        ["--name", "ci", "--role", "viewer", "--dags", "a\nb"],
    ],
)
def test_invalid_entry_creates_no_token(run: Run, line: list[str]) -> None:
    completed = run("token", "new", *line)
    if "99999d" in line:
        assert (completed.status, "expires = 2300" in completed.err) == (0, True), "far away is no mistake"
        return
    assert (completed.status, completed.out) == (ExitStatus.USAGE, "")


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1))
def test_glob_is_escaped(glob: str) -> None:
    written = token_entry.format_entry("t", "ci", "viewer", dags=[glob])
    assert len(written.split("\n")) == 6
    assert json.loads(written.split("\n")[4].partition(" = ")[2]) == [glob]


# ``whoami``.


def test_whoami_shows_the_identity(run: Run, stub: Stub) -> None:
    stub.respond(IDENTITY)
    completed = run("whoami")
    assert completed.status == 0
    assert re.search(r"^role +operator$", completed.out, re.MULTILINE)
    assert re.search(r"^commands +dags list, dags trigger$", completed.out, re.MULTILINE)
    assert (stub.request.method, stub.request.path) == ("GET", "/admin/rest_api/api/v1.0/whoami")
    assert json.loads(run("whoami", "-o", "json").out) == IDENTITY
    assert json.loads(run("--json", "whoami").out) == IDENTITY


# ``can-i``.


def test_can_i_sets_the_exit_status(run: Run, stub: Stub) -> None:
    stub.respond({**IDENTITY, "can": {"allowed": True, "reason": ""}})
    completed = run("can-i", "dags", "trigger", "my_dag")
    assert (completed.status, completed.out) == (0, "yes\n")
    assert stub.request.query == {"can": "dags trigger my_dag"}
    stub.respond({**IDENTITY, "can": {"allowed": False, "reason": "not one of the token's DAGs"}})
    completed = run("can_i", "dags", "trigger", "other")
    assert (completed.status, completed.out) == (1, "no: not one of the token's DAGs\n")


@pytest.mark.parametrize(
    "document", [IDENTITY, {**IDENTITY, "can": True}, {**IDENTITY, "can": {"allowed": 1}}]
)
def test_response_without_a_decision_is_rejected(run: Run, stub: Stub, document: dict[str, Any]) -> None:
    stub.respond(document)
    assert run("can-i", "version").status == ExitStatus.NOT_THE_API


def test_can_i_rejects_unknown_commands(run: Run, stub: Stub) -> None:
    stub.respond(envelope(status="ERROR", output="no command 'x'", stdout=None, exit_code=None), 404)
    completed = run("can-i", "x")
    assert (completed.status, completed.out) == (ExitStatus.USAGE, "")
    assert run("can-i").status == ExitStatus.USAGE


def test_refused_token_sets_the_exit_status(run: Run, stub: Stub) -> None:
    stub.respond(envelope(status="ERROR", output="no", stdout=None, stderr=None, exit_code=None), 403)
    for line in (["whoami"], ["can-i", "version"], ["audit"]):
        assert run(*line).status == ExitStatus.REFUSED


# ``audit``.


def test_audit_is_a_table(run: Run, stub: Stub) -> None:
    stub.respond({"audit": [ENTRY], "next": None})
    completed = run("audit", "--principal", "ci", "--result", "refused", "--limit", "7")
    assert completed.status == 0
    head, row = completed.out.splitlines()
    assert head.split() == ["TIME", "WHO", "FROM", "RESULT", "STATUS", "SECONDS", "WHAT"]
    assert row.split()[:6] == ["2026-11-25T14:00:00", "ci", "192.0.2.1", "refused", "role", "403"]
    assert row.endswith("dags delete {} (Refused by the role)")
    assert stub.request.query == {"principal": "ci", "result": "refused", "limit": "7"}
    assert json.loads(run("audit", "-o", "json").out) == {"audit": [ENTRY]}
    stub.respond({"audit": [{**ENTRY, "result": "running", "layer": "", "state": "failed"}], "next": None})
    assert run("audit").out.splitlines()[1].split()[3] == "failed"


def test_audit_is_read_page_by_page(run: Run, stub: Stub) -> None:
    pages = {None: ([ENTRY] * 2, "b"), "b": ([ENTRY] * 2, "c"), "c": ([ENTRY], None)}
    queries = []

    def answer(recorded: RecordedRequest) -> Response:
        before = recorded.query.get("before")
        queries.append((before, recorded.query["limit"]))
        entries, following = pages[before]
        return json_response({"audit": entries, "next": following})

    stub.next_responses.extend([answer] * 3)
    assert len(json.loads(run("audit", "-o", "json", "--limit", "9").out)["audit"]) == 5
    assert queries == [(None, "9"), ("b", "7"), ("c", "5")]


def test_table_cells_cannot_control_the_terminal(run: Run, stub: Stub) -> None:
    stub.respond({"audit": [{**ENTRY, "command": "x\x1b[2J\ny"}], "next": None})
    assert "\x1b" not in run("audit").out
    stub.respond({**IDENTITY, "role": "x\x1b[2J"})
    assert "\x1b" not in run("whoami").out


# All commands.


def test_access_commands_are_in_the_help(run: Run, stub: Stub) -> None:
    completed = run("--help")
    for name in ("whoami", "can-i", "audit", "token"):
        assert re.search(rf"^  {name} ", completed.out, re.MULTILINE)
