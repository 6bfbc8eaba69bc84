"""Validated arguments to a command line. Pure: nothing is looked up, opened or run.

Every option is one word, ``--option=value``, and every positional one comes after ``--``, so no value can
be read as an option. Exceptions are the options that take several values, and those whose values Airflow's
audit log masks only as a word of their own (``airflow.utils.cli._build_metrics``); these values may not begin
with ``-``. What it finds is masked already (``logged``); so much the better.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_remote_server.catalogue.spec import Kind
from airflow_remote_server.masking import MASK, redact_json, redact_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_remote_server.catalogue.spec import Form

Values = dict[str, str | bool | list[str]]
"""Argument name to its value: a text, a flag, or the texts of a repeatable one."""


def build(form: Form, values: Mapping[str, str | bool | list[str]]) -> list[str]:
    """Make the words after the program's name.

    :param form: the command
    :param values: values by argument name; what is absent is not sent
    """
    options: list[str] = []
    positional: list[str] = []
    for argument in form.arguments:
        value = values.get(argument.name)
        if value is None or argument.ignored:
            continue
        texts = value if isinstance(value, list) else [str(value)]
        if argument.kind is Kind.FLAG:
            option = argument.flag if value else argument.off
            options += [option] if option else []
        elif not argument.flag:
            positional += texts
        elif value is True:
            options.append(argument.flag)
        elif argument.own_words:
            options += [argument.flag, *texts]
        else:
            options += [f"{argument.flag}={text}" for text in texts]
    return [*form.command, *form.fixed, *options, *(["--", *positional] if positional else [])]


def logged(form: Form, values: Mapping[str, str | bool | list[str]]) -> list[str]:
    """The words as Airflow's audit log may have them.

    It takes apart what follows an option that it masks itself, and a masked value is no JSON and no URI: so
    each is one word here.

    :param form: the command
    :param values: values by argument name, masked
    """
    arguments = tuple(replace(argument, two_tokens=False) for argument in form.arguments)
    return build(replace(form, arguments=arguments), values)


def masked(form: Form, values: Mapping[str, str | bool | list[str]], sensitive: frozenset[str]) -> Values:
    """The values as they may be shown.

    :param form: the command
    :param values: values by argument name
    :param sensitive: parts of names whose values are secret, also inside a JSON object
    """
    arguments = {argument.name: argument for argument in form.arguments}
    result: Values = {}
    for name, value in values.items():
        argument = arguments.get(name)
        if argument is not None and argument.secret:
            value = MASK
        elif argument is not None and argument.kind is Kind.JSON_OBJECT:
            value = redact_json(str(value), sensitive)
        elif argument is not None and argument.kind is Kind.JSON:
            value = redact_text(str(value), sensitive, most=None)
        result[name] = value
    return result


def shown(form: Form, values: Mapping[str, str | bool | list[str]]) -> str:
    """The command line as it may be shown: quoted for a shell.

    :param form: the command
    :param values: values by argument name, masked
    """
    program = ["python", "-m", form.program] if "." in form.program else [form.program]
    return shlex.join([*program, *build(form, values)])
