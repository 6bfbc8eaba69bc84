"""Command lines of live commands, parsed as by Airflow's argparse parser."""

from __future__ import annotations

from typing import Any

import pytest
from contract import commands

from airflow_remote.catalog.models import Catalog, Command
from airflow_remote.cli.parser import CommandLineError, HelpRequested, Secret, parse
from airflow_remote.errors import NotTheApiError

CATALOG = Catalog(commands())
NAMES = CATALOG.names


def command(*arguments: dict[str, Any], **fields: Any) -> Command:
    """Return a command with arguments of a catalog."""
    document = {"format": 1, "commands": [{"name": "x", "arguments": list(arguments), **fields}]}
    return Catalog(document).command("x")


def option(*flags: str, **fields: Any) -> dict[str, Any]:
    return {"name": flags[-1].lstrip("-").replace("-", "_"), "flags": list(flags), **fields}


def flag(*flags: str, **fields: Any) -> dict[str, Any]:
    return option(*flags, kind="flag", **fields)


def parse_line(name: str, line: str) -> dict[str, Any]:
    return parse(CATALOG.command(name), line.split())


LINES = [
    ("dags trigger", "d", {"dag_id": "d"}),
    ("dags trigger", "d --conf {}", {"dag_id": "d", "conf": "{}"}),
    ("dags trigger", "d --conf={}", {"dag_id": "d", "conf": "{}"}),
    ("dags trigger", "d -c {}", {"dag_id": "d", "conf": "{}"}),
    ("dags trigger", "d -c{}", {"dag_id": "d", "conf": "{}"}),
    ("dags trigger", "d --conf=", {"dag_id": "d", "conf": ""}),
    ("dags trigger", "--conf a=b d", {"dag_id": "d", "conf": "a=b"}),
    ("dags trigger", "d --conf 1 --conf 2", {"dag_id": "d", "conf": "2"}),
    ("dags trigger", "d -vo json", {"dag_id": "d", "verbose": True, "output": "json"}),
    ("dags trigger", "d -vojson", {"dag_id": "d", "verbose": True, "output": "json"}),
    ("dags trigger", "-- --conf", {"dag_id": "--conf"}),
    ("dags trigger", "-1", {"dag_id": "-1"}),
    ("dags trigger", "d --conf=-x", {"dag_id": "d", "conf": "-x"}),
    ("dags trigger", "d --conf -1", {"dag_id": "d", "conf": "-1"}),
    ("dags trigger", "d --out json", {"dag_id": "d", "output": "json"}),
    ("dags trigger", "d --run-id r", {"dag_id": "d", "run_id": "r"}),
    ("dags trigger", "d --run_id r", {"dag_id": "d", "run_id": "r"}),
    ("dags trigger", "d --run_i=r=s", {"dag_id": "d", "run_id": "r=s"}),
    ("dags trigger", "d --no_replace_microseconds", {"dag_id": "d", "no_replace_microseconds": True}),
    ("dags trigger", "d --no-replace", {"dag_id": "d", "no_replace_microseconds": True}),
    ("dags list", "-B a --bundle-name b", {"bundle_name": ["a", "b"]}),
    (
        "backfill create",
        "--dag-id d --from a --to b --run-on-latest-version",
        {"dag_id": "d", "from_date": "a", "to_date": "b", "run_on_latest_version": True},
    ),
    (
        "backfill create",
        "--dag-id d --from a --to b --no-run-on-latest-version",
        {"dag_id": "d", "from_date": "a", "to_date": "b", "run_on_latest_version": False},
    ),
    ("roles add-perms", "r s -a x y -r z", {"role": ["r", "s"], "action": ["x", "y"], "resource": ["z"]}),
    ("roles add-perms", "-r z -a x -- r", {"role": ["r"], "action": ["x"], "resource": ["z"]}),
    ("roles add-perms", "-a -r z", {"action": [], "resource": ["z"]}),
    ("kerberos", "", {}),
    ("kerberos", "p --pid", {"principal": "p", "pid": True}),
    ("kerberos", "--pid f p -D", {"principal": "p", "pid": "f", "daemon": True}),
    ("tasks test", "d t", {"dag_id": "d", "task_id": "t"}),
    (
        "tasks test",
        "--env-vars -1 d t now",
        {"dag_id": "d", "task_id": "t", "env_vars": "-1", "logical_date_or_run_id": "now"},
    ),
    ("scheduler", "-n 3 -D", {"num_runs": "3", "daemon": True}),
    ("scheduler", "-n3", {"num_runs": "3"}),
    ("connections add", "c --conn-password", {"conn_id": "c", "conn_password": Secret.PROMPT}),
    (
        "connections add",
        "--conn-password --conn-type http c",
        {"conn_id": "c", "conn_type": "http", "conn_password": Secret.PROMPT},
    ),
    ("connections add", "c --conn-password=", {"conn_id": "c", "conn_password": ""}),
]


@pytest.mark.parametrize(("name", "line", "expected"), LINES, ids=lambda value: str(value)[:40])
def test_parsed_arguments_are_exactly_those_on_the_command_line(
    name: str, line: str, expected: dict[str, Any]
) -> None:
    assert parse_line(name, line) == expected


WRONG = [
    ("dags trigger", "", "the following arguments are required: dag_id"),
    ("dags trigger", "a b", "unrecognized arguments: b"),
    ("dags trigger", "d --conf", "argument -c/--conf: expected one argument"),
    ("dags trigger", "d --conf -x", "argument -c/--conf: expected one argument"),
    ("dags trigger", "d -o xml", "invalid choice: 'xml'"),
    ("dags trigger", "d --nonsense", "unrecognized arguments: --nonsense"),
    ("dags trigger", "d --non_sense", "unrecognized arguments: --non_sense"),
    ("dags trigger", "d --verbose=1", "ignored explicit argument"),
    ("db clean", "--clean-before-timestamp=x --d", "ambiguous option: --d could match --dry-run, --dag-ids"),
    ("backfill create", "--dag-id d", "the following arguments are required: --from-date, --to-date"),
    ("backfill create", "--dag_id d", "the following arguments are required: --from-date, --to-date"),
    ("connections add", "c --conn-uri u --conn-json {}", "--conn-uri and --conn-json cannot be combined"),
    ("users create", "-u a -r b -e c -f d -l e -p x --use-random-password", "cannot be combined"),
    ("connections add", "c --conn-password=--", "--conn-password: the value cannot be --"),
    ("connections add", "c --conn-type http --conn-password=--", "the value cannot be --"),
]


@pytest.mark.parametrize(("name", "line", "reason"), WRONG, ids=lambda value: str(value)[:40])
def test_usage_error_has_the_message_of_argparse(name: str, line: str, reason: str) -> None:
    with pytest.raises(CommandLineError) as caught:
        parse_line(name, line)
    assert reason in caught.value.message


@pytest.mark.parametrize("line", ["-h", "--help", "--he", "-vh", "d --conf {} --help"])
def test_help_is_requested_as_in_argparse(line: str) -> None:
    with pytest.raises(HelpRequested):
        parse_line("dags trigger", line)


def test_command_may_redefine_h() -> None:
    custom = command(option("-h", "--host"))
    assert parse(custom, ["-h", "x"]) == {"host": "x"}
    with pytest.raises(HelpRequested):
        parse(custom, ["--help"])


def test_value_that_looks_like_an_option_is_unchanged() -> None:
    """With a space in it, or after --, argparse takes it for a value."""
    trigger = CATALOG.command("dags trigger")
    assert parse(trigger, ["--conf", "--run_id=a b", "d"]) == {"conf": "--run_id=a b", "dag_id": "d"}
    assert parse(trigger, ["--run_id=x", "--", "--run_id=x"]) == {"run_id": "x", "dag_id": "--run_id=x"}


def test_nargs_sets_the_number_of_values() -> None:
    two = command(option("--pair", nargs=2), {"name": "more", "flags": [], "nargs": "+"})
    assert parse(two, ["--pair", "b", "c", "a", "d"]) == {"pair": ["b", "c"], "more": ["a", "d"]}
    with pytest.raises(CommandLineError, match="expected 2 arguments"):
        parse(two, ["a", "--pair", "b"])


def test_choices_ignore_case() -> None:
    custom = command(option("--format", choices=["json", "uri"]))
    assert parse(custom, ["--format", "JSON"]) == {"format": "JSON"}
    with pytest.raises(CommandLineError, match="invalid choice"):
        parse(custom, ["--format", "XML"])


@pytest.mark.parametrize("nargs", ["?", "*"])
def test_missing_optional_choice_is_omitted(nargs: str) -> None:
    assert parse(command({"name": "form", "flags": [], "nargs": nargs, "choices": ["a", "b"]}), []) == {}


def test_unusable_catalog_entry_is_reported() -> None:
    with pytest.raises(NotTheApiError, match="entry for 'x' is invalid"):
        parse(command(option("--a"), option("--a")), [])
