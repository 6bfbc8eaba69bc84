"""A command line has the same meaning locally and remotely.

It is parsed by Airflow's own parser, or sent as click -> JSON -> catalog -> argv -> Airflow's parser.
"""

from __future__ import annotations

import json
import sys
from io import IOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import airflow_commands
import click
import pytest
from command_lines import DROPPED, CommandLine
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from werkzeug.datastructures import FileStorage

from airflow_remote.catalog.models import Catalog
from airflow_remote.cli.live import LiveCommand
from airflow_remote.cli.runner import CommandRunner
from airflow_remote_server.catalog.argv import build_argv
from airflow_remote_server.catalog.live import build_catalog
from airflow_remote_server.catalog.policy import Policy
from airflow_remote_server.catalog.spec import Kind
from airflow_remote_server.catalog.validation import Validator
from airflow_remote_server.jobs.transfers import save_uploads

if TYPE_CHECKING:
    from airflow_remote_server.catalog.spec import Endpoint

POLICY = Policy(allowed=["*"])
SERVER = build_catalog(airflow_commands.description(), POLICY)
CLIENT = Catalog(json.loads(SERVER.text))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files and folders that command lines may name."""
    folder = tmp_path_factory.mktemp("differential").resolve()
    for name in ("dags", "uploaded", "saved"):
        (folder / name).mkdir()
    (folder / "given.json").write_text('{"a": 1}')
    (folder / "list.json").write_text("[]")
    return folder


def read(words: list[str], name: str) -> dict[str, Any] | None:
    """Return the namespace that Airflow's parser makes of a command line; None if it rejects it."""
    try:
        found = vars(airflow_commands.parser().parse_args([*name.split(" "), *words]))
    except SystemExit:
        return None
    return {key: comparable(value) for key, value in found.items() if key != "func"}


def comparable(value: Any) -> Any:
    """Return a value of a namespace; for an open file, its name."""
    if value is sys.stdout or not isinstance(value, IOBase):
        return value
    value.close()
    return str(value.name)  # type: ignore[attr-defined]


def sent(name: str, words: list[str]) -> dict[str, Any]:
    """Return what the client sends for a command line."""
    caught: dict[str, Any] = {}

    def run_live(_: object, __: object, values: dict[str, Any], ___: object) -> int:
        caught.update(values)
        return 0

    command = LiveCommand(CLIENT.command(name), name.rpartition(" ")[2])
    with (
        pytest.raises(click.exceptions.Exit),
        patch.object(CommandRunner, "run_live", run_live),
        command.make_context(name, list(words)) as context,
    ):
        command.invoke(context)
    found: dict[str, Any] = json.loads(json.dumps(caught))
    return found


def run(endpoint: Endpoint, values: dict[str, Any], settings: Any, folder: Path) -> list[str]:
    """Return the command line that the server builds from what the client sent."""
    [variant] = endpoint.variants
    uploads = {found.name for found in variant.arguments if found.kind is Kind.UPLOAD}
    opened = {name: Path(values[name]).open("rb") for name in uploads & set(values)}  # noqa: SIM115
    try:
        files = {name: FileStorage(file, Path(values[name]).name, name) for name, file in opened.items()}
        checked, found = Validator(variant, settings).validate(
            {name: [files.get(name, value)] for name, value in values.items()}
        )
        return build_argv(variant, {**checked, **save_uploads(found, folder / "uploaded")})
    finally:
        for file in opened.values():
            file.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SERVER.endpoints))
def test_command_line_has_the_same_meaning(
    name: str, folder: Path, make_settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    endpoint, settings = SERVER.endpoints[name], make_settings(dags_folder=folder / "dags")

    @hypothesis_settings(max_examples=20)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        words = CommandLine(data.draw, airflow_commands.leaf(name), endpoint, folder).words()
        is_given = read(words, name)
        assume(is_given is not None)
        argv = run(endpoint, sent(name, words), settings, folder)
        assert argv[: len(name.split(" "))] == name.split(" ")
        found = read(argv[len(name.split(" ")) :], name)
        assert found is not None, argv
        for argument in endpoint.variants[0].arguments:
            if argument.kind is Kind.UPLOAD:
                [before, after] = [Path(namespace.pop(argument.name)) for namespace in (is_given, found)]  # type: ignore[union-attr]
                assert before.read_bytes() == after.read_bytes()
                assert before.suffix == after.suffix
        assert found == is_given, argv

    check()


def test_dropped_arguments_are_listed() -> None:
    left_out = {
        argument.name
        for endpoint in SERVER.endpoints.values()
        for argument in endpoint.variants[0].arguments
        if argument.refused or argument.ignored
    }
    assert left_out <= set(DROPPED)


@pytest.mark.parametrize("name", sorted(SERVER.endpoints))
def test_help_of_every_command_lists_its_arguments(name: str) -> None:
    command = CLIENT.command(name)
    made = LiveCommand(command, name.rpartition(" ")[2])
    text = made.get_help(click.Context(made, info_name=f"airflow-remote {name}"))
    for argument in command.arguments:
        for word in argument.flags or (argument.metavar or argument.name.upper(),):
            assert word in text, argument.name
