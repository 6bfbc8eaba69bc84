from __future__ import annotations

import argparse
import sys
from typing import Any

import airflow_commands
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote_server.catalog.argv import build_argv, format_command, mask_values
from airflow_remote_server.catalog.classic import classic_endpoints
from airflow_remote_server.catalog.spec import Argument, Kind, Variant
from airflow_remote_server.integrations.release import NEWEST, NEWEST_OF_MAJOR
from airflow_remote_server.util.masking import SENSITIVE

WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: text != "--"
)
HOSTILE = [
    "-h",
    "--help",
    "-",
    "---",
    "-v",
    "$(id)",
    "`id`",
    "a b",
    "a\nb",
    "'",
    '"',
    "é",
    "@/etc/passwd",
    "=",
    "--x=y",
]


@pytest.fixture(scope="module")
def parser() -> argparse.ArgumentParser:
    """Return Airflow's own parser, with the commands of the celery provider whatever the executor is."""
    return airflow_commands.parser()


def airflow_variants(major: int) -> list[Variant]:
    """Return the commands of Airflow that the classic endpoints may become.

    :param major: the major version of Airflow
    """
    endpoints = classic_endpoints(NEWEST_OF_MAJOR[major]).values()
    return [
        variant
        for end in endpoints
        for variant in end.variants
        if variant.program == "airflow" and variant.command
    ]


def sample_value(argument: Argument, text: str) -> str | bool | list[str]:
    """Return a valid value for an argument.

    :param argument: the argument
    :param text: the text to use if the argument takes any text
    """
    if argument.kind is Kind.FLAG:
        return True
    if argument.kind is Kind.INTEGER:
        return "7"
    if argument.kind is Kind.DATE:
        return "2024-01-02"
    if argument.kind is Kind.STDOUT:
        return "-"
    if argument.choices:
        return argument.choices[0]
    text = text.lstrip("-") or "x" if argument.separate_value else text
    return [text, "second"] if argument.repeatable else text


def check_round_trip(parser: argparse.ArgumentParser, variant: Variant, text: str) -> None:
    """Check that Airflow's parser reads the value of every argument from the command line unchanged.

    :param parser: Airflow's parser
    :param variant: the command
    :param text: the text for arguments that take any text
    """
    passed = [argument for argument in variant.arguments if not argument.ignored and not argument.own]
    usable = [argument for argument in passed if not argument.refused]
    values = {argument.name: sample_value(argument, text) for argument in usable}
    namespace = vars(parser.parse_args(build_argv(variant, values)))
    known = airflow_commands.leaf(" ".join(variant.command))._actions  # noqa: SLF001 - there is no public name
    positional = [action for action in known if not action.option_strings]
    for argument in usable:
        if argument.flag:
            [action] = [action for action in known if argument.flag in action.option_strings]
        else:
            action = positional.pop(0)
        value = values[argument.name]
        convert: Any = action.type or (lambda item: item)
        if argument.kind is Kind.STDOUT:
            assert namespace[action.dest] in (sys.stdout, getattr(sys.stdout, "buffer", None))
        elif argument.kind is Kind.FLAG:
            assert namespace[action.dest] not in (None, False), argument.name
        elif isinstance(value, list):
            assert namespace[action.dest] == [convert(item) for item in value], argument.name
        else:
            assert namespace[action.dest] == convert(value), argument.name
    assert all(action.nargs in ("?", "*") for action in positional), (
        "no required positional argument is left out"
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_airflows_parser_gets_every_value_unchanged(
    parser: argparse.ArgumentParser, major: int, text: str
) -> None:
    for variant in airflow_variants(major):
        check_round_trip(parser, variant, text)


@given(data=st.data())
def test_no_text_is_parsed_as_an_option(
    parser: argparse.ArgumentParser, major: int, data: st.DataObject
) -> None:
    check_round_trip(parser, data.draw(st.sampled_from(airflow_variants(major))), data.draw(WORDS))


def test_secrets_are_masked() -> None:
    variant = next(
        variant for variant in classic_endpoints(NEWEST)["connections"].variants if variant.name == "add"
    )
    values = {
        "conn_id": "c",
        "conn_password": "hunter2",
        "conn_uri": "a://u:hunter2@h",
        "conn_extra": '{"k": "hunter2"}',
    }
    visible = mask_values(variant, values, SENSITIVE)
    assert "hunter2" not in str(visible) + format_command(variant, visible)
    assert format_command(variant, visible) == (
        "airflow connections add --conn-uri '***' '--conn-password=***' '--conn-extra=***' -- c"
    )
    assert "hunter2" in str(build_argv(variant, values))


def test_secrets_in_json_are_masked() -> None:
    variant = classic_endpoints(NEWEST)["trigger_dag"].variants[0]
    values = {"dag_id": "d", "conf": '{"name": "you", "deep": [{"API_Key": "hunter2"}]}'}
    visible = mask_values(variant, values, SENSITIVE)
    assert visible["conf"] == '{"name": "you", "deep": [{"API_Key": "***"}]}'


def test_command_line_is_quoted_for_a_shell() -> None:
    variant = classic_endpoints(NEWEST)["pause"].variants[0]
    assert format_command(variant, {"dag_id": "$(id)"}) == "airflow dags pause --output=json -- '$(id)'"
    serve_logs = classic_endpoints(NEWEST)["serve_logs"].variants[0]
    assert format_command(serve_logs, {}) == "python -m airflow.utils.serve_logs.core"
