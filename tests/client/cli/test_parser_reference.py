"""Compare the parser with an argparse parser that has Airflow's own definitions."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

import pytest
from contract import commands
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_remote.catalog.models import Catalog
from airflow_remote.cli.parser import CommandLineError, HelpRequested, parse

CATALOG = Catalog(commands())
NAMES = CATALOG.names


class ParserExit(Exception):
    """Raised where argparse would end the process."""


class ReferenceParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ParserExit("error")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise ParserExit("exit")

    def print_help(self, file: Any = None) -> None:
        pass


MISSING = object()


def reference_parser(name: str) -> tuple[ReferenceParser, dict[str, str]]:
    """Return a parser with Airflow's definitions, and the arguments' names by destination."""
    parser = ReferenceParser(prog=f"airflow {name}")
    destinations = {}
    for argument in CATALOG.command(name).arguments:
        options: dict[str, Any] = {"default": MISSING}
        if argument.nargs is not None:
            options["nargs"] = argument.nargs
        if argument.nargs == "?" and argument.flags:
            options["const"] = True
        if argument.choices:
            options["choices"] = argument.choices
        if argument.flags:
            options["required"] = argument.required
        if argument.kind == "flag":
            options["action"] = argparse.BooleanOptionalAction if argument.off else "store_true"
        if argument.repeatable:
            options.update(action="append", default=None)
        destinations[parser.add_argument(*(argument.flags or [argument.name]), **options).dest] = (
            argument.name
        )
    return parser, destinations


PARSERS = {name: reference_parser(name) for name in NAMES}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        "",
        "-",
        "--",
        "-x",
        "-1",
        "-1.5",
        "--conf",
        "--help",
        "=",
        "a=b",
        "$(id)",
        "';\"",
        "{}",
        "\n",
        "é",
        "🙂",
        "\0",
        "a b",
        "-a b",
    ]
)


@st.composite
def command_lines(draw: st.DrawFn) -> tuple[str, list[str]]:
    """Draw a command and words: correct and incorrect spellings of options, and any values."""
    name = draw(st.sampled_from(NAMES))
    known = [
        *(
            flag
            for argument in CATALOG.command(name).arguments
            for flag in (*argument.flags, argument.off)
            if flag
        )
    ]
    words = []
    for _ in range(draw(st.integers(0, 8))):
        is_option = draw(st.booleans())
        if known and is_option:
            word = draw(st.sampled_from(known))
            if word.startswith("--"):
                if draw(st.booleans()):
                    word = word[: draw(st.integers(4, 40))]
                separator = draw(st.sampled_from(["", "", "="]))
                if separator:
                    word += separator + draw(TEXT)
            else:
                word += draw(st.sampled_from(["", "", "v", "x", "=y"]))
        else:
            word = draw(TEXT)
        words.append(word)
    return name, words


@settings(max_examples=300)
@given(drawn=command_lines())
def test_any_command_line_is_parsed_as_by_airflow(
    drawn: tuple[str, list[str]],
) -> None:
    name, words = drawn
    parser, destinations = PARSERS[name]
    command = CATALOG.command(name)
    try:
        namespace = vars(parser.parse_args(words))
    except ParserExit as end:
        if str(end) == "exit":
            with pytest.raises(HelpRequested):
                parse(command, words)
        elif not any("_" in word for word in words) and not any(
            argument.secret for argument in command.arguments
        ):
            # Airflow rejects it. Two differences are intended: options with _, and secrets to prompt for.
            with pytest.raises(CommandLineError):
                parse(command, words)
        return
    expected = {
        destinations[dest]: value for dest, value in namespace.items() if value not in (MISSING, None)
    }
    dropped = [
        argument
        for argument in command.arguments
        if argument.nargs is None and expected.get(argument.name) == []
    ]
    if dropped or any(
        [] in expected.get(argument.name, ()) for argument in command.arguments if argument.repeatable
    ):
        with pytest.raises(CommandLineError, match="the value cannot be --"):
            parse(command, words)
    elif any(len(set(names) & set(expected)) > 1 for names in command.exclusive):
        with pytest.raises(CommandLineError, match="cannot be combined"):
            parse(command, words)
    else:
        assert parse(command, words) == expected


@given(values=st.tuples(TEXT, TEXT, TEXT))
def test_any_value_arrives_unchanged(values: tuple[str, str, str]) -> None:
    key, value, description = values
    line = [f"--description={description}", "--", key, value]
    expected = {"key": key, "value": value, "description": description}
    try:
        assert parse(CATALOG.command("variables set"), line) == expected
    except CommandLineError:
        assert "--" in values  # argparse drops it in some versions of Python


def test_value_dropped_by_argparse_is_rejected() -> None:
    for line in (["--description=--", "k", "v"], ["k", "v", "--description=--"]):
        try:
            assert parse(CATALOG.command("variables set"), line)["description"] == "--"
        except CommandLineError as error:
            assert "--description: the value cannot be --" in error.message
