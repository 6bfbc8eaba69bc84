"""A command line means the same here and there: read by Airflow's own parser, or sent as
click -> JSON -> catalogue -> argv -> Airflow's parser.
"""

from __future__ import annotations

import argparse
import json
import sys
from io import IOBase
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import airflow_commands
import click
import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from werkzeug.datastructures import FileStorage

from airflow_remote.catalogue import Catalogue
from airflow_remote.live import LiveCommand
from airflow_remote_server.argv import build
from airflow_remote_server.catalogue.live import catalogue
from airflow_remote_server.catalogue.policy import Policy
from airflow_remote_server.catalogue.spec import Argument, Kind
from airflow_remote_server.catalogue.validation import Validator
from airflow_remote_server.jobs.exchange import save

if TYPE_CHECKING:
    from airflow_remote_server.catalogue.spec import Endpoint

EXCEPTIONS = {
    "access_logfile": "refused: a file of the server",
    "cfg_path": "refused: it deletes the file that it reads",
    "daemon": "ignored: a job is in the background",
    "env_vars": "refused: it sets any environment variable",
    "error_logfile": "refused: a file of the server",
    "file_io": "refused: it sends data to a public website",
    "flower_conf": "refused: a file of the server that is run",
    "imgcat": "refused: it needs a terminal",
    "imgcat_dagrun": "refused: it needs a terminal",
    "keytab": "refused: a file of the server",
    "log_config": "refused: a file of the server",
    "log_file": "refused: a file of the server",
    "pickle": "refused: it executes what it loads",
    "pid": "refused: a file of the server",
    "post_mortem": "refused: it needs a terminal",
    "ssl_ca_file": "refused: a file of the server",
    "ssl_cert": "refused: a file of the server",
    "ssl_key": "refused: a file of the server",
    "stderr": "refused: a file of the server",
    "stdout": "refused: a file of the server",
}
"""Arguments that do not reach Airflow, and why. All others do, in every command."""

HOSTILE = [
    "",
    " ",
    "-",
    "---",
    "-h",
    "-v",
    "--help",
    "--x=y",
    "-1",
    "=",
    "@/etc/passwd",
    "$(id)",
    "`id`",
    "a b",
    "a\nb",
    "'\"",
    "\u00e9\u202e",
    "%s%(prog)s",
    "{}",
    "[]",
    "true",
]
TEXTS = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=20),
).filter(lambda text: text != "--")
DATES = st.sampled_from(["2024-01-02", "2024-01-02T03:04:05+00:00", "2024-01-02 03:04:05"])
VALUES: dict[str, st.SearchStrategy[str]] = {
    "int": st.integers(-(10**6), 10**6).map(str),
    "_check": st.integers(1, 10**6).map(str),
    "float": st.sampled_from(["0.5", "2", "10.25"]),
    "parse": DATES,
}

POLICY = Policy(allowed=["*"])
SERVER = catalogue(airflow_commands.description(), POLICY)
CLIENT = Catalogue(json.loads(SERVER.text))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files and folders that command lines may name."""
    folder = tmp_path_factory.mktemp("differential").resolve()
    for name in ("dags", "uploaded", "saved"):
        (folder / name).mkdir()
    (folder / "given.json").write_text('{"a": 1}')
    return folder


class Line:
    """Draws a command line for one command that Airflow's parser takes.

    :param draw: of hypothesis
    :param parser: Airflow's
    :param endpoint: what the server makes of the command
    :param folder: with files
    """

    def __init__(self, draw: Any, parser: argparse.ArgumentParser, endpoint: Endpoint, folder: Path) -> None:
        self.draw = draw
        self.parser = parser
        self.folder = folder
        [self.form] = endpoint.forms
        self.arguments = {
            name: found
            for found in self.form.arguments
            for name in (
                *found.flags,
                *([found.off] if found.off else []),
                *([] if found.flags else [found.name]),
            )
        }

    def words(self) -> list[str]:
        """The words behind the command."""
        options, positional = [], []
        for action in self.parser._actions:
            if action.dest == "help":
                continue
            argument = self.arguments[(action.option_strings or [action.dest])[-1]]
            if argument.refused or argument.ignored:
                continue
            if not action.option_strings:
                positional += self.values(action, argument)
            elif self.wanted(argument):
                options += [self.option(action, argument) for _ in range(self.times(argument))]
        options = self.clustered(self.draw(st.permutations(options)))
        if any(word.startswith("-") for word in positional) or self.draw(st.booleans()):
            return [word for option in options for word in option] + (
                ["--", *positional] if positional else []
            )
        # In one piece: argparse of Python <= 3.12 gives an optional one nothing when an option comes between.
        place = self.draw(st.integers(0, len(options)))
        assume(not positional or place == 0 or not self.eats(options[place - 1]))
        return [
            *(word for option in options[:place] for word in option),
            *positional,
            *(word for option in options[place:] for word in option),
        ]

    def wanted(self, argument: Argument) -> bool:
        """Whether an option is given."""
        confirm, asks = self.form.confirm, {ask.argument for ask in self.form.asks}
        if argument.required or argument.name in asks or (confirm and argument.name == confirm.argument):
            return True
        # The first of those that do not go together is the one that may be given.
        apart = {name for names in self.form.exclusive for name in names[1:]}
        return argument.name not in apart and self.draw(st.booleans())

    def times(self, argument: Argument) -> int:
        """How often an option is given."""
        return int(self.draw(st.integers(1, 3))) if argument.repeatable else 1

    def option(self, action: argparse.Action, argument: Argument) -> list[str]:
        """An option with its value, in one of the ways in which argparse takes it."""
        flag = self.draw(st.sampled_from(action.option_strings))
        if argument.kind is Kind.FLAG:
            return [self.abbreviated(flag)]
        if argument.nargs == "?" and self.draw(st.booleans()):
            return [flag]
        values = self.values(action, argument)
        if argument.nargs not in (None, "?"):
            return [flag, *values]
        [value] = values
        if flag.startswith("--") and (value.startswith("-") or self.draw(st.booleans())):
            return [f"{self.abbreviated(flag)}={value}"]
        if (
            not flag.startswith("--")
            and len(flag) == 2
            and value
            and value[0] != "="
            and self.draw(st.booleans())
        ):
            return [f"{flag}{value}"]
        if value.startswith("-"):
            long = next(name for name in action.option_strings if name.startswith("--"))
            return [f"{long}={value}"]
        return [self.abbreviated(flag), value]

    def abbreviated(self, flag: str) -> str:
        """An option's name, or a beginning of it that is only this one's."""
        if not flag.startswith("--") or not self.draw(st.booleans()):
            return str(flag)
        every = [name for action in self.parser._actions for name in action.option_strings]
        lengths = [
            length
            for length in range(4, len(flag))
            if [name for name in every if name.startswith(flag[:length])] == [flag]
        ]
        return str(flag[: self.draw(st.sampled_from(lengths))]) if lengths else str(flag)

    def clustered(self, options: list[list[str]]) -> list[list[str]]:
        """Two flags of one letter as one word."""
        letters = [
            option
            for option in options
            if len(option) == 1 and len(option[0]) == 2 and self.arguments[option[0]].kind is Kind.FLAG
        ]
        if len(letters) < 2 or not self.draw(st.booleans()):
            return options
        first, second = letters[:2]
        rest = [option for option in options if option is not first and option is not second]
        return [*rest, [first[0] + second[0][1]]]

    def eats(self, option: list[str]) -> bool:
        """Whether an option would take the word behind it for one more value."""
        argument = self.arguments.get(option[0])
        return argument is not None and argument.kind is not Kind.FLAG and argument.nargs is not None

    def values(self, action: argparse.Action, argument: Argument) -> list[str]:
        """The values of an argument, as words."""
        least = {None: 1, "?": 1, "+": 1, "*": 0}.get(argument.nargs, argument.nargs)
        most = {None: 1, "?": 1, "+": 3, "*": 3}.get(argument.nargs, argument.nargs)
        if not action.option_strings and argument.nargs == "?" and self.draw(st.booleans()):
            return []
        found = self.draw(st.lists(self.value(action, argument), min_size=least, max_size=most))
        if argument.flag and argument.own_words:
            assume(not any(word.startswith("-") for word in found))
        return list(found)

    def value(self, action: argparse.Action, argument: Argument) -> st.SearchStrategy[str]:
        """What one value may be."""
        if action.choices is not None:
            return st.sampled_from(sorted(map(str, action.choices)))
        if argument.kind is Kind.UPLOAD:
            return st.just(str(self.folder / "given.json"))
        if argument.kind is Kind.DOWNLOAD:
            return st.sampled_from(["-", "saved/out.json", "saved/out put.json"])
        if argument.kind is Kind.FOLDER:
            return st.just(str(self.folder / "saved"))
        if argument.kind is Kind.DAGS_PATH:
            return st.just(str(self.folder / "dags"))
        return VALUES.get(getattr(action.type, "__name__", ""), TEXTS)


def read(words: list[str], name: str) -> dict[str, Any] | None:
    """What Airflow's parser makes of a command line; None when it refuses it."""
    try:
        found = vars(airflow_commands.parser().parse_args([*name.split(" "), *words]))
    except SystemExit:
        return None
    return {key: comparable(value) for key, value in found.items() if key != "func"}


def comparable(value: Any) -> Any:
    """A value of a namespace; of an open file, its name."""
    if value is sys.stdout or not isinstance(value, IOBase):
        return value
    value.close()
    return str(value.name)  # type: ignore[attr-defined]


def sent(name: str, words: list[str]) -> dict[str, Any]:
    """What the client sends for a command line."""
    caught: dict[str, Any] = {}
    recorder = SimpleNamespace(live=lambda _, given: caught.update(given) or 0)
    command = LiveCommand(CLIENT.command(name), name.rpartition(" ")[2])
    with (
        pytest.raises(click.exceptions.Exit),
        command.make_context(name, list(words), obj=recorder) as context,
    ):
        command.invoke(context)
    found: dict[str, Any] = json.loads(json.dumps(caught))
    return found


def run(endpoint: Endpoint, values: dict[str, Any], settings: Any, folder: Path) -> list[str]:
    """The command line that the server makes of what was sent."""
    [form] = endpoint.forms
    uploads = {found.name for found in form.arguments if found.kind is Kind.UPLOAD}
    opened = {name: Path(values[name]).open("rb") for name in uploads & set(values)}  # noqa: SIM115
    try:
        files = {name: FileStorage(file, Path(values[name]).name, name) for name, file in opened.items()}
        checked, found = Validator(form, settings)(
            {name: [files.get(name, value)] for name, value in values.items()}
        )
        return build(form, {**checked, **save(found, folder / "uploaded")})
    finally:
        for file in opened.values():
            file.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SERVER.endpoints))
def test_a_command_line_means_the_same(
    name: str, folder: Path, make_settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    endpoint, settings = SERVER.endpoints[name], make_settings(dags_folder=folder / "dags")

    @hypothesis_settings(max_examples=20)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        words = Line(data.draw, airflow_commands.leaf(name), endpoint, folder).words()
        wanted = read(words, name)
        assume(wanted is not None)
        argv = run(endpoint, sent(name, words), settings, folder)
        assert argv[: len(name.split(" "))] == name.split(" ")
        found = read(argv[len(name.split(" ")) :], name)
        assert found is not None, argv
        for argument in endpoint.forms[0].arguments:
            if argument.kind is Kind.UPLOAD:
                [before, after] = [Path(namespace.pop(argument.name)) for namespace in (wanted, found)]  # type: ignore[union-attr]
                assert before.read_bytes() == after.read_bytes()
                assert before.suffix == after.suffix
        assert found == wanted, argv

    check()


def test_the_exceptions_are_those_that_are_listed() -> None:
    left_out = {
        argument.name
        for endpoint in SERVER.endpoints.values()
        for argument in endpoint.forms[0].arguments
        if argument.refused or argument.ignored
    }
    assert left_out <= set(EXCEPTIONS)


@pytest.mark.parametrize("name", sorted(SERVER.endpoints))
def test_the_help_of_every_command_names_its_arguments(name: str) -> None:
    command = CLIENT.command(name)
    made = LiveCommand(command, name.rpartition(" ")[2])
    text = made.get_help(click.Context(made, info_name=f"airflow-remote {name}"))
    for argument in command.arguments:
        for word in argument.flags or (argument.metavar or argument.name.upper(),):
            assert word in text, argument.name
