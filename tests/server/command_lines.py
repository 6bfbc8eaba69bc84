"""Draw command lines that Airflow's parser accepts, with hypothesis."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import assume
from hypothesis import strategies as st

from airflow_remote_server.catalog.spec import Argument, Kind
from airflow_remote_server.catalog.values import CONF_NAMES

if TYPE_CHECKING:
    from airflow_remote_server.catalog.spec import Endpoint

DROPPED = {
    "access_logfile": "refused: a file on the server",
    "cfg_path": "refused: it deletes the file that it reads",
    "daemon": "ignored: a job runs in the background anyway",
    "env_vars": "refused: it sets any environment variable",
    "error_logfile": "refused: a file on the server",
    "file_io": "refused: it sends data to a public website",
    "flower_conf": "refused: a file on the server that is run as code",
    "imgcat": "refused: it needs a terminal",
    "imgcat_dagrun": "refused: it needs a terminal",
    "keytab": "refused: a file on the server",
    "log_config": "refused: a file on the server",
    "log_file": "refused: a file on the server",
    "pickle": "refused: it executes what it loads",
    "pid": "refused: a file on the server",
    "post_mortem": "refused: it needs a terminal",
    "ssl_ca_file": "refused: a file on the server",
    "ssl_cert": "refused: a file on the server",
    "ssl_key": "refused: a file on the server",
    "stderr": "refused: a file on the server",
    "stdout": "refused: a file on the server",
}
"""Arguments that do not reach Airflow, and why. All others do, for every command."""

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
VALUE_COUNTS: dict[str | int | None, tuple[int, int]] = {None: (1, 1), "?": (1, 1), "+": (1, 3), "*": (0, 3)}
"""The least and the most values of an argument, by its ``nargs``; a number means as many."""

TEXTS = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
).filter(lambda text: text != "--")
CONFS = st.sampled_from(["", "null"]) | st.dictionaries(TEXTS, TEXTS).map(json.dumps)
DATES = st.sampled_from(["2024-01-02", "2024-01-02T03:04:05+00:00", "2024-01-02 03:04:05"])
VALUES: dict[str, st.SearchStrategy[str]] = {
    "int": st.integers(-(10**6), 10**6).map(str),
    "_check": st.integers(1, 10**6).map(str),
    "float": st.sampled_from(["0.5", "2", "10.25"]),
    "parse": DATES,
}


class CommandLine:
    """Draws a command line that Airflow's parser accepts.

    :param draw: the function of hypothesis
    :param parser: Airflow's parser for the command
    :param endpoint: the command in the catalog
    :param folder: the folder with the files
    """

    def __init__(self, draw: Any, parser: argparse.ArgumentParser, endpoint: Endpoint, folder: Path) -> None:
        self.draw = draw
        self.parser = parser
        self.folder = folder
        [self.variant] = endpoint.variants
        self.arguments = {
            name: found
            for found in self.variant.arguments
            for name in (
                *found.flags,
                *([found.off] if found.off else []),
                *([] if found.flags else [found.name]),
            )
        }

    def words(self) -> list[str]:
        """Return the words after the command."""
        options, positional = [], []
        for action in self.parser._actions:  # noqa: SLF001 - there is no public name
            if action.dest == "help":
                continue
            argument = self.arguments[(action.option_strings or [action.dest])[-1]]
            if argument.refused or argument.ignored:
                continue
            if not action.option_strings:
                positional += self.values(action, argument)
            elif self.is_given(argument):
                options += [self.option(action, argument) for _ in range(self.draw_count(argument))]
        options = self.cluster_flags(self.draw(st.permutations(options)))
        if any(word.startswith("-") for word in positional) or self.draw(st.booleans()):
            return [word for option in options for word in option] + (
                ["--", *positional] if positional else []
            )
        # Together: argparse of Python <= 3.12 leaves an optional one empty if an option comes between them.
        place = self.draw(st.integers(0, len(options)))
        assume(not positional or place == 0 or not self.takes_next_word(options[place - 1]))
        return [
            *(word for option in options[:place] for word in option),
            *positional,
            *(word for option in options[place:] for word in option),
        ]

    def is_given(self, argument: Argument) -> bool:
        """Return whether to give an option."""
        confirm, asks = self.variant.confirm, {ask.argument for ask in self.variant.prompts}
        if argument.required or argument.name in asks or (confirm and argument.name == confirm.argument):
            return True
        # Of arguments that exclude each other, only the first may be given.
        apart = {name for names in self.variant.exclusive for name in names[1:]}
        return argument.name not in apart and self.draw(st.booleans())

    def draw_count(self, argument: Argument) -> int:
        """Return how often to give an option."""
        return int(self.draw(st.integers(1, 3))) if argument.repeatable else 1

    def option(self, action: argparse.Action, argument: Argument) -> list[str]:
        """Return an option with its value, in one of the ways that argparse accepts."""
        flag = self.draw(st.sampled_from(action.option_strings))
        if argument.kind is Kind.FLAG:
            return [self.abbreviate(flag)]
        if argument.nargs == "?" and self.draw(st.booleans()):
            return [flag]
        values = self.values(action, argument)
        if argument.nargs not in (None, "?"):
            return [flag, *values]
        [value] = values
        if flag.startswith("--") and (value.startswith("-") or self.draw(st.booleans())):
            return [f"{self.abbreviate(flag)}={value}"]
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
        return [self.abbreviate(flag), value]

    def abbreviate(self, flag: str) -> str:
        """Return the name of an option, or a unique prefix of it."""
        if not flag.startswith("--") or not self.draw(st.booleans()):
            return str(flag)
        every = [name for action in self.parser._actions for name in action.option_strings]  # noqa: SLF001 - there is no public name
        lengths = [
            length
            for length in range(4, len(flag))
            if [name for name in every if name.startswith(flag[:length])] == [flag]
        ]
        return str(flag[: self.draw(st.sampled_from(lengths))]) if lengths else str(flag)

    def cluster_flags(self, options: list[list[str]]) -> list[list[str]]:
        """Join two flags of one letter into one word."""
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

    def takes_next_word(self, option: list[str]) -> bool:
        """Return whether an option would take the next word as one more value."""
        argument = self.arguments.get(option[0])
        return argument is not None and argument.kind is not Kind.FLAG and argument.nargs is not None

    def values(self, action: argparse.Action, argument: Argument) -> list[str]:
        """Return the values of an argument, as words."""
        least, most = VALUE_COUNTS.get(argument.nargs) or (int(argument.nargs or 0), int(argument.nargs or 0))
        if not action.option_strings and argument.nargs == "?" and self.draw(st.booleans()):
            return []
        found = self.draw(st.lists(self.value(action, argument), min_size=least, max_size=most))
        if argument.flag and argument.takes_separate_words:
            assume(not any(word.startswith("-") for word in found))
        return list(found)

    def value(self, action: argparse.Action, argument: Argument) -> st.SearchStrategy[str]:
        """Return the strategy for a single value."""
        if action.choices is not None:
            return st.sampled_from(sorted(map(str, action.choices)))
        if argument.kind is Kind.UPLOAD:
            holds_list = self.variant.command[0] in ("roles", "users")
            return st.just(str(self.folder / ("list.json" if holds_list else "given.json")))
        if argument.kind is Kind.DOWNLOAD:
            return st.sampled_from(["-", "saved/out.json", "saved/out put.json"])
        if argument.kind is Kind.FOLDER:
            return st.just(str(self.folder / "saved"))
        if argument.kind is Kind.DAGS_PATH:
            return st.just(str(self.folder / "dags"))
        if argument.name == "conn_uri":
            return TEXTS.filter(lambda text: "//" not in text)  # the server refuses what is no URI
        if argument.name in CONF_NAMES:
            return CONFS  # the server refuses what is no object
        usual = VALUES["int"] if argument.kind is Kind.INTEGER else TEXTS
        return VALUES.get(getattr(action.type, "__name__", ""), usual)
