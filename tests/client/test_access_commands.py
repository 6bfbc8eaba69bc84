"""``token new``, ``whoami``, ``can-i`` and ``audit``."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone

import pytest
from contract import TOKENS
from hypothesis import given
from hypothesis import strategies as st
from stub import answered, envelope

from airflow_remote import entry
from airflow_remote.exit_status import ExitStatus

WHO = {
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


# token new


def test_a_new_token_is_printed_once_and_its_entry_apart(run, stub):
    ended = run("token", "new", "--name", "ci", "--role", "viewer")
    assert ended.status == 0
    token = ended.out.strip()
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{42}", token), "256 bits"
    assert token not in ended.err
    assert ended.err.endswith(entry.written(token, "ci", "viewer"))
    assert stub.requests == []
    assert run("token", "new", "--name", "ci", "--role", "viewer").out != ended.out


def test_an_entry_is_as_the_server_reads_it():
    sample = TOKENS.read_text("utf-8")
    written = entry.written(
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
def test_an_end_is_given_as_a_day_or_a_time(text, expected):
    assert entry.moment(text) == datetime.fromisoformat(expected)


def test_an_end_may_be_some_days_away():
    away = entry.moment("90d") - datetime.now(timezone.utc)
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
def test_what_cannot_be_an_entry_makes_no_token(run, line):
    ended = run("token", "new", *line)
    if "99999d" in line:
        assert (ended.status, "expires = 2300" in ended.err) == (0, True), "far away is no mistake"
        return
    assert (ended.status, ended.out) == (ExitStatus.USAGE, "")


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1))
def test_a_glob_cannot_leave_its_text(glob):
    written = entry.written("t", "ci", "viewer", dags=[glob])
    assert len(written.split("\n")) == 6
    assert json.loads(written.split("\n")[4].partition(" = ")[2]) == [glob]


# whoami


def test_who_i_am_is_shown(run, stub):
    stub.answer(WHO)
    ended = run("whoami")
    assert ended.status == 0
    assert re.search(r"^role +operator$", ended.out, re.MULTILINE)
    assert re.search(r"^commands +dags list, dags trigger$", ended.out, re.MULTILINE)
    assert (stub.request.method, stub.request.path) == ("GET", "/admin/rest_api/api/v1.0/whoami")
    assert json.loads(run("whoami", "-o", "json").out) == WHO
    assert json.loads(run("--json", "whoami").out) == WHO


# can-i


def test_whether_i_can_is_the_exit_status(run, stub):
    stub.answer({**WHO, "can": {"allowed": True, "reason": ""}})
    ended = run("can-i", "dags", "trigger", "my_dag")
    assert (ended.status, ended.out) == (0, "yes\n")
    assert stub.request.query == {"can": "dags trigger my_dag"}
    stub.answer({**WHO, "can": {"allowed": False, "reason": "not one of the token's DAGs"}})
    ended = run("can_i", "dags", "trigger", "other")
    assert (ended.status, ended.out) == (1, "no: not one of the token's DAGs\n")


@pytest.mark.parametrize("document", [WHO, {**WHO, "can": True}, {**WHO, "can": {"allowed": 1}}])
def test_an_answer_that_does_not_say_whether_is_none(run, stub, document):
    stub.answer(document)
    assert run("can-i", "version").status == ExitStatus.NOT_THE_API


def test_a_command_that_is_not_there_cannot_be_asked_for(run, stub):
    stub.answer(envelope(status="ERROR", output="no command 'x'", stdout=None, exit_code=None), 404)
    ended = run("can-i", "x")
    assert (ended.status, ended.out) == (ExitStatus.USAGE, "")
    assert run("can-i").status == ExitStatus.USAGE


def test_a_refused_token_is_said_so(run, stub):
    stub.answer(envelope(status="ERROR", output="no", stdout=None, stderr=None, exit_code=None), 403)
    for line in (["whoami"], ["can-i", "version"], ["audit"]):
        assert run(*line).status == ExitStatus.REFUSED


# audit


def test_the_audit_is_shown(run, stub):
    stub.answer({"audit": [ENTRY], "next": None})
    ended = run("audit", "--principal", "ci", "--result", "refused", "--limit", "7")
    assert ended.status == 0
    head, row = ended.out.splitlines()
    assert head.split() == ["TIME", "WHO", "FROM", "RESULT", "STATUS", "SECONDS", "WHAT"]
    assert row.split()[:6] == ["2026-11-25T14:00:00", "ci", "192.0.2.1", "refused", "role", "403"]
    assert row.endswith("dags delete {} (Refused by the role)")
    assert stub.request.query == {"principal": "ci", "result": "refused", "limit": "7"}
    assert json.loads(run("audit", "-o", "json").out) == {"audit": [ENTRY]}
    stub.answer({"audit": [{**ENTRY, "result": "running", "layer": "", "state": "failed"}], "next": None})
    assert run("audit").out.splitlines()[1].split()[3] == "failed"


def test_the_audit_is_read_page_by_page(run, stub):
    pages = {None: ([ENTRY] * 2, "b"), "b": ([ENTRY] * 2, "c"), "c": ([ENTRY], None)}
    seen = []

    def answer(recorded):
        before = recorded.query.get("before")
        seen.append((before, recorded.query["limit"]))
        entries, following = pages[before]
        return answered({"audit": entries, "next": following})

    stub.first.extend([answer] * 3)
    assert len(json.loads(run("audit", "-o", "json", "--limit", "9").out)["audit"]) == 5
    assert seen == [(None, "9"), ("b", "7"), ("c", "5")]


def test_what_a_server_says_cannot_change_the_terminal(run, stub):
    stub.answer({"audit": [{**ENTRY, "command": "x\x1b[2J\ny"}], "next": None})
    assert "\x1b" not in run("audit").out
    stub.answer({**WHO, "role": "x\x1b[2J"})
    assert "\x1b" not in run("whoami").out


# all of them


def test_they_are_in_the_help(run, stub):
    ended = run("--help")
    for name in ("whoami", "can-i", "audit", "token"):
        assert re.search(rf"^  {name} ", ended.out, re.MULTILINE)
