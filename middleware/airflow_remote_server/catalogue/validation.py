"""What a request gives, against what an endpoint takes: the form that is meant, and its values.

All that is wrong is said at once, in one line, and nothing has been done by then.
"""

from __future__ import annotations

import json
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from werkzeug.datastructures import FileStorage

from airflow_remote_server import strictjson
from airflow_remote_server.catalogue.spec import Argument, Endpoint, Form, Kind
from airflow_remote_server.errors import BadArguments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_remote_server.arguments import Given
    from airflow_remote_server.argv import Values
    from airflow_remote_server.settings import Settings

MAX_ARGUMENT_BYTES = 131071
"""Longest argument of a Linux process: MAX_ARG_STRLEN (32 pages) less the closing NUL."""

MAX_LINE_BYTES = 1 << 20
"""All values of a request together; a Linux process has 2 MiB for its arguments and its environment."""

MAX_VALUES = 1000
"""Most values of one argument: argparse takes longer than linear time for many."""

MOST_PROBLEMS = 10
LONGEST_NAME = 80
"""How many problems are said, and how many characters of a name that is not ours."""

TRUE = frozenset({"", "true", "1", "yes", "on"})
FALSE = frozenset({"false", "0", "no", "off"})


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at the known name that is most alike, to be put behind an error; "" when none is."""
    close = get_close_matches(name[:LONGEST_NAME], sorted(known), n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""


def flag(value: Any) -> bool | None:
    """Read a flag: presence or an empty value sets it. None when it is not one."""
    if isinstance(value, bool):
        return value
    text = str(value).lower() if isinstance(value, (str, int)) else None
    return True if text in TRUE else False if text in FALSE else None


def choose(endpoint: Endpoint, given: Given) -> tuple[Form, Given]:
    """Find the form of an endpoint that a request means.

    :param endpoint: the endpoint
    :param given: the arguments of the request
    :returns: the form, and the arguments without those that only chose it
    :raises BadArguments: when several are meant, or ``cmd`` names none
    """
    named = {form.name: form for form in endpoint.forms if form.name}
    if not named:
        return endpoint.forms[0], given
    rest = dict(given)
    chosen = {name: rest.pop(name) for name in named if name in rest}
    for name in [name for name, values in chosen.items() if not named[name].takes]:
        if len(chosen[name]) > 1:
            raise BadArguments(f"{name!r} is given {len(chosen[name])} times")
        state = flag(chosen[name][0])
        if state is None:
            raise BadArguments(f"{name!r} is a flag: true or false")
        if not state:
            del chosen[name]
    for cmd in map(str, rest.pop("cmd", [])):
        if cmd not in named:
            raise BadArguments(f"no such cmd: {cmd[:40]!r}; one of {', '.join(named)}{nearest(cmd, named)}")
        chosen.setdefault(cmd, [])
    if len(chosen) > 1:
        raise BadArguments(f"{' and '.join(sorted(chosen))} do not go together: give one of them")
    if not chosen:
        return endpoint.forms[0], rest
    [(name, values)] = chosen.items()
    form = named[name]
    if form.takes and values and not (form.takes in rest and flag(values[0]) is True):
        rest[form.takes] = [*rest.get(form.takes, []), *values]
    return form, rest


class Validator:
    """Turn what was given for one form into values for its command line.

    :param form: the form
    :param settings: where files may be, and what is sensitive
    """

    def __init__(self, form: Form, settings: Settings) -> None:
        self.form = form
        self.settings = settings
        self.problems: list[str] = []
        self.known = {
            name: argument for argument in form.arguments for name in (argument.name, *argument.aliases)
        }

    def __call__(self, given: Given, ignore_unknown: bool = False) -> tuple[Values, dict[str, FileStorage]]:
        """Validate.

        :param given: the arguments of a request
        :param ignore_unknown: drop arguments that the form does not have, as the ancestor did
        :returns: the values, and the uploads, by argument name
        :raises BadArguments: naming every problem
        """
        values: Values = {}
        uploads: dict[str, FileStorage] = {}
        names: dict[str, list[Any]] = {}
        for name, found in given.items():
            argument = self.known.get(name)
            if argument is not None:
                names.setdefault(argument.name, []).extend(found)
            elif not ignore_unknown:
                self.note_unknown(name)
        for argument in self.form.arguments:
            found = names.get(argument.name, [])
            value = self.value(argument, found) if found else None
            if isinstance(value, FileStorage):
                uploads[argument.name] = value
            elif value is not None:
                values[argument.name] = value
            elif argument.default is not None:
                values[argument.name] = argument.default
        self.complete(values, uploads, names)
        if self.problems:
            more = len(self.problems) - MOST_PROBLEMS
            and_more = [f"and {more} more"] if more > 0 else []
            raise BadArguments("; ".join([*self.problems[:MOST_PROBLEMS], *and_more]))
        return values, uploads

    def note_unknown(self, name: str) -> None:
        """Note an argument that the form does not have; looking for the nearest one takes its time."""
        hint = nearest(name, self.known) if len(self.problems) < MOST_PROBLEMS else ""
        self.problems.append(f"unknown argument {name[:LONGEST_NAME]!r}{hint}")

    def complete(self, values: Values, uploads: dict[str, FileStorage], names: dict[str, list[Any]]) -> None:
        """Note what is missing or does not go together, and fill in what follows from the rest."""
        wanted = [argument.name for argument in self.form.arguments if argument.required]
        had = {*values, *uploads, *(name for name, found in names.items() if any(found))}
        missing = [name for name in wanted if name not in had]
        if missing:
            self.problems.append(f"missing: {', '.join(missing)}")
        one_of = self.form.one_of
        if one_of and not any(name in values for name in one_of):
            self.problems.append(f"missing: one of {', '.join(one_of)}")
        elif one_of and self.form.mirrored:
            first = next(values[name] for name in one_of if name in values)
            for name in one_of:
                values.setdefault(name, first)

        self.hold_apart(values)
        self.have_answered(values)
        self.bound(values)

    def bound(self, values: Values) -> None:
        """Note a command line that is too long as a whole: jobs keep it, and lists of jobs show it."""
        texts = [
            text for value in values.values() for text in (value if isinstance(value, list) else [value])
        ]
        size = sum(len(text.encode("utf-8", "replace")) for text in texts if isinstance(text, str))
        if size > MAX_LINE_BYTES:
            self.problems.append(f"{size} bytes of arguments; a command line has at most {MAX_LINE_BYTES}")

    def hold_apart(self, values: Values) -> None:
        """Note arguments that do not go together."""
        for names in self.form.exclusive:
            given = [name for name in names if values.get(name, False) is not False]
            if len(given) > 1:
                self.problems.append(f"{' and '.join(given)} do not go together: give one of them")

    def have_answered(self, values: Values) -> None:
        """Note what the command would ask for: nobody could answer."""
        command = " ".join(self.form.command)
        confirm = self.form.confirm
        if confirm is not None and not values.get(confirm.argument):
            asks = not confirm.when or any(values.get(flag) for flag in confirm.when)
            if asks and not any(values.get(flag) for flag in confirm.unless):
                self.problems.append(
                    f"`{command}` asks before it acts, and nobody can answer: give {confirm.argument}"
                )
        for ask in self.form.asks:
            if ask.argument not in values and not any(values.get(flag) for flag in ask.unless):
                instead = "".join(f" or {flag}" for flag in ask.unless)
                self.problems.append(
                    f"`{command}` asks for it, and nobody can answer: give {ask.argument}{instead}"
                )

    def value(self, argument: Argument, found: list[Any]) -> str | bool | list[str] | FileStorage | None:
        """The value of one argument; None when it has none or a problem was noted."""
        if argument.several:
            found = [text for item in found for text in (item if isinstance(item, list) else [item])]
            if len(found) > MAX_VALUES:
                self.problems.append(f"{argument.name!r}: at most {MAX_VALUES} values, not {len(found)}")
                return None
            texts = [self.one(argument, item) for item in found]
            values = [text for text in texts if isinstance(text, str)]
            return values if values or argument.nargs == "*" else None
        if len(found) > 1:
            self.problems.append(f"{argument.name!r} is given {len(found)} times")
            return None
        return self.one(argument, found[0])

    def one(self, argument: Argument, item: Any) -> str | bool | FileStorage | None:
        """One value, checked and converted by the argument's kind."""
        try:
            if argument.kind is Kind.FLAG:
                return self.flag(argument, item)
            if argument.refused:
                raise ValueError(argument.refused)
            if argument.kind is Kind.UPLOAD:
                return self.upload(item)
            if argument.nargs == "?" and argument.flag and item is True:
                return True  # the option without a value
            text = self.text(argument, item)
            if text == "" and not argument.allow_empty:
                return None
            return self.check(argument, text)
        except ValueError as error:
            self.problems.append(f"{argument.name!r}: {error}")
            return None

    def flag(self, argument: Argument, item: Any) -> bool | None:
        """A flag; one that is refused may still be off."""
        state = flag(item)
        if state is None:
            raise ValueError("a flag is true, 1, yes, on or empty, or false, 0, no, off")
        if state and argument.refused:
            raise ValueError(argument.refused)
        return None if argument.refused else state

    def upload(self, item: Any) -> FileStorage:
        """A file that came with the request."""
        if not isinstance(item, FileStorage) or not item.filename:
            raise ValueError("send the file itself, in a multipart form (curl -F name=@file)")
        return item

    def text(self, argument: Argument, item: Any) -> str:
        """Any value as the text of one word of a command line."""
        if isinstance(item, FileStorage):
            raise ValueError("a text, not a file")
        if isinstance(item, (dict, list)) and argument.kind in (Kind.JSON, Kind.JSON_OBJECT):
            item = json.dumps(item)
        if isinstance(item, (bool, dict, list)):
            raise ValueError(f"a text, not a JSON {type(item).__name__}")
        text = item if isinstance(item, str) else json.dumps(item)
        if "\0" in text:
            raise ValueError("holds a NUL, which no argument can")
        if text == "--":
            # argparse of Python <= 3.12 drops it wherever it stands (CPython issue 59317).
            raise ValueError("a lone -- cannot be given to a command")
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            raise ValueError("not valid Unicode: it holds a lone surrogate") from None
        if size > MAX_ARGUMENT_BYTES:
            raise ValueError(f"{size} bytes; an argument has at most {MAX_ARGUMENT_BYTES}")
        if argument.flag and argument.own_words and text.startswith("-"):
            raise ValueError("cannot begin with -")
        return text

    def check(self, argument: Argument, text: str) -> str:
        """The text of one argument, checked by its kind."""
        kind = argument.kind
        if argument.choices and text not in argument.choices:
            raise ValueError(f"one of {', '.join(argument.choices)}")
        if kind is Kind.INTEGER and not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            raise ValueError("a whole number is wanted")
        if kind is Kind.NUMBER and not re.fullmatch(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?", text):
            raise ValueError("a number is wanted")
        if kind is Kind.JSON_OBJECT:
            self.json_object(text)
        if kind is Kind.STDOUT and text != "-":
            raise ValueError('the server writes no files: give "-" and save the answer\'s stdout')
        if kind is Kind.DAGS_PATH:
            return self.settings.confine(text, self.settings.dags_folder, "the DAGs folder")
        if kind is Kind.LOG_PATH:
            return self.settings.confine(text, self.settings.log_folder, "Airflow's log folder")
        return text

    def json_object(self, text: str) -> None:
        """Refuse what is not a JSON object."""
        try:
            document = strictjson.loads(text)
        except ValueError as error:
            raise ValueError(f"not valid JSON: {error}") from None
        if not isinstance(document, dict):
            raise ValueError("must be a JSON object")
