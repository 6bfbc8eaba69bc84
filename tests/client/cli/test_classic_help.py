"""Help and completion of the commands of Airflow 1.x."""

from __future__ import annotations

import click
import pytest

from airflow_remote.catalog.classic import load_table, sections
from airflow_remote.cli import classic
from airflow_remote.cli.classic import ClassicCommand
from airflow_remote.cli.main import program
from airflow_remote.cli.own_commands import RUNS
from airflow_remote.cli.root import GROUP_NAMES
from client.program import PATIENCE, Start, call

TABLE = load_table()
NAMES = {name: entry for entry in TABLE.values() for name in (entry["name"], *entry["aliases"])}


def options_of(name: str) -> list[click.Option]:
    return [option for option in ClassicCommand(TABLE[name]).params if isinstance(option, click.Option)]


def summary_of(name: str) -> str:
    """Return the beginning of the help of a command; the client has more of some endpoints."""
    return RUNS.get(name, str(NAMES[name]["summary"])).partition(";")[0]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_under_both_names(name: str) -> None:
    for spelling in (name, name.replace("_", "-")):
        for option in ("--help", "-h"):
            completed = call(spelling, option)
            assert completed.status == 0
            note = "this help is for the command of Airflow 1.x only" if name in GROUP_NAMES else ""
            assert completed.err.rstrip().endswith(note)
            assert bool(completed.err) is bool(note)
            assert summary_of(name) in completed.out


def test_help_lists_every_command_in_a_section() -> None:
    listed = [name for _, names in sections() for name in names]
    assert sorted(listed) == sorted(TABLE)
    completed = call("--help")
    for name, entry in TABLE.items():
        assert f"  {name} " in completed.out
        assert summary_of(entry["name"]) in completed.out
    assert "Others:" not in completed.out


def test_command_without_a_section_is_listed_under_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classic, "sections", lambda: sections()[:-1])
    assert "Others:\n  version" in call("--help").out


def test_help_marks_commands_of_one_airflow_version() -> None:
    assert "Run a single task instance (Airflow 2 only)" in call("--help").out
    assert "Show all fields (Airflow 3 only)." in call("connections", "--help").out
    assert " only)" not in call("version", "--help").out


def test_hidden_options_are_not_in_the_help() -> None:
    hidden = {name: [a["name"] for a in entry["arguments"] if a["hidden"]] for name, entry in TABLE.items()}
    assert any(hidden.values())
    for name, options in hidden.items():
        shown = call(name, "--help").out
        for option in options:
            assert f"--{option}" not in shown


def test_positional_arguments_are_explained() -> None:
    assert "DAG_ID  ID of the DAG." in call("trigger_dag", "--help").out


@pytest.mark.parametrize("name", TABLE)
def test_option_names_are_unique_in_each_command(name: str) -> None:
    names = [spelling for option in options_of(name) for spelling in option.opts]
    assert len(names) == len(set(names))
    assert not {"-h", "--help"} & set(names)


@pytest.mark.parametrize("name", [name for name, entry in TABLE.items() if entry["forms"]])
def test_every_form_has_help(name: str) -> None:
    assert [form["name"] for form in TABLE[name]["forms"]] == list(classic.VARIANTS[name])


def test_commands_are_completed(start: Start) -> None:
    env = {"_AIRFLOW_REMOTE_COMPLETE": "bash_complete", "COMP_WORDS": "airflow-remote tri", "COMP_CWORD": "1"}
    out, err = start(env=env).communicate(timeout=PATIENCE)
    assert (out.decode().split(), err) == (["plain,trigger_dag"], b"")


def test_root_group_registers_no_commands_in_advance() -> None:
    """Click must look each name up, because a name may be a live or a classic command."""
    assert program.commands == {}
