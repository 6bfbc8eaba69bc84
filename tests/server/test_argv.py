from __future__ import annotations

import argparse
import sys
from typing import Any

import airflow_commands
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote_server.argv import build, masked, shown
from airflow_remote_server.catalogue.classic import Classic
from airflow_remote_server.catalogue.spec import Argument, Form, Kind
from airflow_remote_server.masking import SENSITIVE

WORDS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), min_size=1).filter(
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
    """Airflow's own parser, with the commands of the celery provider whatever the executor is."""
    return airflow_commands.parser()


def forms(major: int) -> list[Form]:
    """Each command of Airflow's that an endpoint of this version can become."""
    endpoints = Classic(major).endpoints().values()
    return [form for end in endpoints for form in end.forms if form.program == "airflow" and form.command]


def sample(argument: Argument, text: str) -> str | bool | list[str]:
    """A value that this argument may have."""
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
    text = text.lstrip("-") or "x" if argument.two_tokens else text
    return [text, "second"] if argument.repeatable else text


def check(parser: argparse.ArgumentParser, form: Form, text: str) -> None:
    """Give every argument of a form a value, and compare with what Airflow's parser makes of the line."""
    usable = [argument for argument in form.arguments if not argument.refused and not argument.ignored]
    values = {argument.name: sample(argument, text) for argument in usable}
    namespace = vars(parser.parse_args(build(form, values)))
    known = airflow_commands.leaf(" ".join(form.command))._actions
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
    assert all(action.nargs in ("?", "*") for action in positional), "no positional one is left out"


@pytest.mark.parametrize("text", HOSTILE)
def test_airflows_parser_sees_every_value_as_it_was_given(
    parser: argparse.ArgumentParser, major: int, text: str
) -> None:
    for form in forms(major):
        check(parser, form, text)


@given(data=st.data())
def test_no_text_is_taken_for_an_option(
    parser: argparse.ArgumentParser, major: int, data: st.DataObject
) -> None:
    check(parser, data.draw(st.sampled_from(forms(major))), data.draw(WORDS))


def test_secrets_are_masked_in_what_is_shown() -> None:
    form = next(form for form in Classic(3).endpoints()["connections"].forms if form.name == "add")
    values = {
        "conn_id": "c",
        "conn_password": "hunter2",
        "conn_uri": "a://u:hunter2@h",
        "conn_extra": '{"k": "hunter2"}',
    }
    visible = masked(form, values, SENSITIVE)
    assert "hunter2" not in str(visible) + shown(form, visible)
    assert shown(form, visible) == (
        "airflow connections add --conn-uri '***' '--conn-password=***' '--conn-extra=***' -- c"
    )
    assert "hunter2" in str(build(form, values))


def test_secrets_inside_a_conf_are_masked() -> None:
    form = Classic(3).endpoints()["trigger_dag"].forms[0]
    values = {"dag_id": "d", "conf": '{"name": "you", "deep": [{"API_Key": "hunter2"}]}'}
    visible = masked(form, values, SENSITIVE)
    assert visible["conf"] == '{"name": "you", "deep": [{"API_Key": "***"}]}'


def test_what_is_shown_is_quoted_for_a_shell() -> None:
    form = Classic(3).endpoints()["pause"].forms[0]
    assert shown(form, {"dag_id": "$(id)"}) == "airflow dags pause --output=json -- '$(id)'"
    serve_logs = Classic(3).endpoints()["serve_logs"].forms[0]
    assert shown(serve_logs, {}) == "python -m airflow.utils.serve_logs.core"
