"""Command lines of live commands, read as argparse reads them when it is told what Airflow tells it."""

from __future__ import annotations

import argparse

import pytest
from contract import commands
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_remote.catalogue import Catalogue
from airflow_remote.errors import NotTheApiError
from airflow_remote.parsing import HelpAsked, Secret, WrongLineError, parse

CATALOGUE = Catalogue(commands())
NAMES = CATALOGUE.names


def command(*arguments, **fields):
    """A command with these arguments."""
    document = {"format": 1, "commands": [{"name": "x", "arguments": list(arguments), **fields}]}
    return Catalogue(document).command("x")


def option(*flags, **fields):
    return {"name": flags[-1].lstrip("-").replace("-", "_"), "flags": list(flags), **fields}


def flag(*flags, **fields):
    return option(*flags, kind="flag", **fields)


def read(name, line):
    return parse(CATALOGUE.command(name), line.split())


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
    ("connections add", "c --conn-password", {"conn_id": "c", "conn_password": Secret.ASKED_FOR}),
    (
        "connections add",
        "--conn-password --conn-type http c",
        {"conn_id": "c", "conn_type": "http", "conn_password": Secret.ASKED_FOR},
    ),
    ("connections add", "c --conn-password=", {"conn_id": "c", "conn_password": ""}),
]


@pytest.mark.parametrize(("name", "line", "expected"), LINES, ids=lambda value: str(value)[:40])
def test_a_command_line_gives_what_was_written_and_nothing_else(name, line, expected):
    assert read(name, line) == expected


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
    ("connections add", "c --conn-uri u --conn-json {}", "--conn-uri and --conn-json do not go together"),
    ("users create", "-u a -r b -e c -f d -l e -p x --use-random-password", "do not go together"),
]


@pytest.mark.parametrize(("name", "line", "reason"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_command_line_is_refused_in_argparse_s_words(name, line, reason):
    with pytest.raises(WrongLineError) as caught:
        read(name, line)
    assert reason in caught.value.message


@pytest.mark.parametrize("line", ["-h", "--help", "--he", "-vh", "d --conf {} --help"])
def test_help_is_asked_for_as_argparse_has_it(line):
    with pytest.raises(HelpAsked):
        read("dags trigger", line)


def test_help_is_an_option_of_the_command_where_it_has_one():
    asks = command(option("-h", "--host"))
    assert parse(asks, ["-h", "x"]) == {"host": "x"}
    with pytest.raises(HelpAsked):
        parse(asks, ["--help"])


def test_what_could_be_an_option_with_underscores_stays_the_value_that_it_is():
    """With a space in it, or behind --, it is a value for argparse."""
    trigger = CATALOGUE.command("dags trigger")
    assert parse(trigger, ["--conf", "--run_id=a b", "d"]) == {"conf": "--run_id=a b", "dag_id": "d"}
    assert parse(trigger, ["--run_id=x", "--", "--run_id=x"]) == {"run_id": "x", "dag_id": "--run_id=x"}


def test_several_values_have_the_number_that_is_told():
    two = command(option("--pair", nargs=2), {"name": "more", "flags": [], "nargs": "+"})
    assert parse(two, ["--pair", "b", "c", "a", "d"]) == {"pair": ["b", "c"], "more": ["a", "d"]}
    with pytest.raises(WrongLineError, match="expected 2 arguments"):
        parse(two, ["a", "--pair", "b"])


def test_a_choice_in_capitals_is_left_to_the_server():
    asks = command(option("--format", choices=["json", "uri"]))
    assert parse(asks, ["--format", "JSON"]) == {"format": "JSON"}
    with pytest.raises(WrongLineError, match="invalid choice"):
        parse(asks, ["--format", "XML"])


@pytest.mark.parametrize("nargs", ["?", "*"])
def test_an_optional_choice_that_is_not_given_is_not_there(nargs):
    assert parse(command({"name": "form", "flags": [], "nargs": nargs, "choices": ["a", "b"]}), []) == {}


def test_an_entry_that_no_parser_can_be_made_of_is_told():
    with pytest.raises(NotTheApiError, match="entry for 'x' cannot be understood"):
        parse(command(option("--a"), option("--a")), [])


# Any command line of any command, beside a parser that is made as Airflow makes it.


class Stop(Exception):
    """An end that argparse would make of the process."""


class Reference(argparse.ArgumentParser):
    def error(self, message):
        raise Stop("error")

    def exit(self, status=0, message=None):
        raise Stop("exit")

    def print_help(self, file=None):
        pass


UNGIVEN = object()


def reference(name):
    """A parser that is told what Airflow tells its own, and the arguments by destination."""
    parser = Reference(prog=f"airflow {name}")
    destinations = {}
    for one in CATALOGUE.command(name).arguments:
        how = {"default": UNGIVEN}
        if one.nargs is not None:
            how["nargs"] = one.nargs
        if one.nargs == "?" and one.flags:
            how["const"] = True
        if one.choices:
            how["choices"] = one.choices
        if one.flags:
            how["required"] = one.required
        if one.kind == "flag":
            how["action"] = argparse.BooleanOptionalAction if one.off else "store_true"
        if one.repeatable:
            how.update(action="append", default=None)
        destinations[parser.add_argument(*(one.flags or [one.name]), **how).dest] = one.name
    return parser, destinations


PARSERS = {name: reference(name) for name in NAMES}
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
def lines(draw):
    """A command and words: options in all spellings, right and wrong, and any values."""
    name = draw(st.sampled_from(NAMES))
    known = [
        *(flag_ for one in CATALOGUE.command(name).arguments for flag_ in (*one.flags, one.off) if flag_)
    ]
    words = []
    for _ in range(draw(st.integers(0, 8))):
        if known and draw(st.booleans()):
            word = draw(st.sampled_from(known))
            if word.startswith("--"):
                word = word[: draw(st.integers(4, 40))] if draw(st.booleans()) else word
                word += draw(st.sampled_from(["", "", "="])) and f"={draw(TEXT)}"
            else:
                word += draw(st.sampled_from(["", "", "v", "x", "=y"]))
        else:
            word = draw(TEXT)
        words.append(word)
    return name, words


@settings(max_examples=300)
@given(drawn=lines())
def test_any_command_line_is_read_as_a_parser_with_airflow_s_definitions_reads_it(drawn):
    name, words = drawn
    parser, destinations = PARSERS[name]
    command_ = CATALOGUE.command(name)
    try:
        found = vars(parser.parse_args(words))
    except Stop as stop:
        if str(stop) == "exit":
            with pytest.raises(HelpAsked):
                parse(command_, words)
        elif not any("_" in word for word in words) and not any(one.secret for one in command_.arguments):
            # All that Airflow refuses, but for _ in options, and secrets that are still to be asked for.
            with pytest.raises(WrongLineError):
                parse(command_, words)
        return
    expected = {destinations[dest]: value for dest, value in found.items() if value not in (UNGIVEN, None)}
    dropped = [one for one in command_.arguments if one.nargs is None and expected.get(one.name) == []]
    if dropped or any([] in expected.get(one.name, ()) for one in command_.arguments if one.repeatable):
        with pytest.raises(WrongLineError, match="its value cannot be --"):
            parse(command_, words)
    elif any(len(set(names) & set(expected)) > 1 for names in command_.exclusive):
        with pytest.raises(WrongLineError, match="do not go together"):
            parse(command_, words)
    else:
        assert parse(command_, words) == expected


@given(values=st.tuples(TEXT, TEXT, TEXT))
def test_any_value_arrives_as_it_was_given(values):
    key, value, description = values
    line = [f"--description={description}", "--", key, value]
    expected = {"key": key, "value": value, "description": description}
    try:
        assert parse(CATALOGUE.command("variables set"), line) == expected
    except WrongLineError:
        assert "--" in values  # which argparse itself drops, in some versions of Python


def test_a_value_that_argparse_drops_is_never_sent_as_something_else():
    for line in (["--description=--", "k", "v"], ["k", "v", "--description=--"]):
        try:
            assert parse(CATALOGUE.command("variables set"), line)["description"] == "--"
        except WrongLineError as error:
            assert "--description: its value cannot be --" in error.message
