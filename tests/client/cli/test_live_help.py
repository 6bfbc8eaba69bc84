"""Help and completion of live commands."""

from __future__ import annotations

import pytest
from contract import commands

from client.program import PATIENCE, Run, Start
from client.stub import Stub

CATALOG = commands()
NAMES = [entry["name"] for entry in CATALOG["commands"]]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_without_a_request(run: Run, live: Stub, name: str) -> None:
    live.catalog_requests.clear()
    entry = next(command for command in CATALOG["commands"] if command["name"] == name)
    for option in ("--help", "-h"):
        completed = run(*name.split(), option)
        assert (completed.status, completed.err) == (0, "")
        assert completed.out.startswith(f"Usage: airflow-remote {name} ")
        shown = " ".join(completed.out.split())
        assert " ".join((entry["description"] or entry["help"]).split())[:40] in shown
        for argument in entry["arguments"]:
            for flag in (*argument["flags"], argument["off"]):
                assert f"{flag}" in shown
            assert " ".join(argument["help"].split())[:30] in shown
    assert (live.catalog_requests, live.requests) == ([], [])


@pytest.mark.parametrize("group", [entry["name"] for entry in CATALOG["groups"]])
def test_group_help_lists_its_commands(run: Run, live: Stub, group: str) -> None:
    shown = " ".join(run(group, "--help").out.split())
    entry = next(command for command in CATALOG["groups"] if command["name"] == group)
    assert " ".join((entry["description"] or entry["help"]).split())[:40] in shown
    for command in CATALOG["commands"]:
        if command["name"].startswith(f"{group} "):
            assert f"{command['name'].rpartition(' ')[2]} {command['help'][:30]}" in shown


def test_help_lists_live_commands_then_classic_ones_then_job(run: Run, live: Stub) -> None:
    shown = run("--help").out
    positions = [
        shown.index(text)
        for text in (
            "\nGroups:\n  backfill ",
            "\n  dags ",
            "\nCommands:\n  kerberos ",
            "\nCommands as in Airflow 1.x:\n  list_dags, trigger_dag,",
            "\n  job  List jobs",
        )
    ]
    assert positions == sorted(positions)


def test_help_shows_hidden_refused_and_required(run: Run, live: Stub) -> None:
    entry = next(command for command in live.catalog["commands"] if command["name"] == "dags list")
    entry["hidden"] = True
    run("nothing-of-this-name")  # an unknown name refreshes the cached catalog
    assert "\n  list " not in run("dags", "--help").out
    assert run("dags", "list").status == 0
    text = " ".join(run("db", "shell", "--help").out.split())
    assert "The server does not allow this command: it needs a terminal" in text
    text = " ".join(run("tasks", "test", "--help").out.split())
    assert "Refused by the server: it needs a terminal" in text
    text = " ".join(run("backfill", "create", "--help").out.split())
    assert "--dag-id TEXT The dag to backfill. Required" in text


def test_help_texts_cannot_control_the_terminal(run: Run, live: Stub) -> None:
    """Click itself shows help texts unchanged."""
    hostile = "\x1b]0;title\x07"
    for entry in live.catalog["commands"]:
        entry["help"] = entry["description"] = entry["epilog"] = entry["refused"] = hostile
        for command in entry["arguments"]:
            command.update(help=hostile, metavar=hostile, default=hostile, choices=[hostile], refused=hostile)
    run("nothing-of-this-name")  # an unknown name refreshes the cached catalog
    for entry in live.catalog["commands"]:
        shown = run(*entry["name"].split(), "--help")
        assert shown.status == 0
        assert "]0;title" in shown.out
        assert not {"\x1b", "\x07"} & {*shown.out, *shown.err}, entry["name"]


# Completion.


def complete(start: Start, stub: Stub, words: str, index: int) -> list[str]:
    env = {"_AIRFLOW_REMOTE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(index)}
    env["AIRFLOW_REMOTE_URL"] = stub.url
    out, err = start(env=env).communicate(timeout=PATIENCE)
    assert err == b""
    return [line.partition(",")[2] or line for line in out.decode().split()]


def test_completion_uses_only_the_cache(live: Stub, start: Start) -> None:
    live.catalog_requests.clear()
    assert complete(start, live, "airflow-remote dags", 1) == ["dags"]
    assert complete(start, live, "airflow-remote trig", 1) == ["trigger_dag"]
    assert complete(start, live, "airflow-remote dags ", 2) == ["delete", "list", "trigger"]
    assert complete(start, live, "airflow-remote dags trigger --l", 3) == ["--logical-date", "--logs"]
    assert complete(start, live, "airflow-remote dags trigger d -o p", 5) == ["plain"]
    assert complete(start, live, "airflow-remote dags nope tr", 3) == []
    assert (live.catalog_requests, live.requests) == ([], [])


def test_completion_without_a_cache_uses_classic_commands(stub: Stub, start: Start) -> None:
    stub.catalog = commands()
    assert complete(start, stub, "airflow-remote dag_st", 1) == ["dag_state"]
    assert complete(start, stub, "airflow-remote dags tr", 2) == []
    assert complete(start, stub, "airflow-remote dags trigger --c", 3) == []
    assert stub.catalog_requests == []
