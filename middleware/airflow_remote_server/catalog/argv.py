"""Build a command line from validated arguments. Pure: nothing is looked up, opened or run.

Every option is one word, ``--option=value``, and all positional arguments come after ``--``, so that no value
can be read as an option. There are two exceptions: options with several values, and options whose values
Airflow's audit log masks only as separate words (``airflow.utils.cli._build_metrics``); the values of both
must not begin with ``-``.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from airflow_remote_server.catalog.spec import Kind
from airflow_remote_server.util.masking import MASK, mask_urls, redact_json, redact_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_remote_server.catalog.spec import Argument, Variant

Value = str | bool | list[str]
"""The value of an argument: a text, a flag, or the texts of an argument that takes several values."""

Values = dict[str, Value]
"""The values by argument name."""


def build_argv(variant: Variant, values: Mapping[str, Value], separate: bool = True) -> list[str]:
    """Return the words after the program's name.

    :param variant: the command
    :param values: the values by argument name; an argument without a value is left out
    :param separate: whether an argument with ``separate_value`` becomes two words
    """
    options: list[str] = []
    positional: list[str] = []
    for argument in variant.arguments:
        value = values.get(argument.name)
        if value is None or argument.ignored or argument.own:
            continue
        if argument.flag or argument.kind is Kind.FLAG:
            options += _option(argument, value, separate)
        else:
            positional += _texts(value)
    return [*variant.command, *variant.fixed, *options, *(["--", *positional] if positional else [])]


def _option(argument: Argument, value: Value, separate: bool) -> list[str]:
    if argument.kind is Kind.FLAG:
        option = argument.flag if value else argument.off
        return [option] if option else []
    if value is True:
        return [argument.flag]
    if argument.takes_separate_words if separate else argument.nargs not in (None, "?"):
        return [argument.flag, *_texts(value)]
    return [f"{argument.flag}={text}" for text in _texts(value)]


def _texts(value: Value) -> list[str]:
    return value if isinstance(value, list) else [str(value)]


def build_audit_argv(variant: Variant, values: Mapping[str, Value]) -> list[str]:
    """Return the words for Airflow's audit log.

    Airflow parses the word that follows an option which it masks itself, and fails on a masked value, which
    is neither JSON nor a URI. So an option and its value are one word here.

    :param variant: the command
    :param values: the masked values by argument name
    """
    return build_argv(variant, values, separate=False)


def mask_values(variant: Variant, values: Mapping[str, Value], sensitive: frozenset[str]) -> Values:
    """Return the values with their secrets masked.

    :param variant: the command
    :param values: the values by argument name
    :param sensitive: parts of names whose values are secret, inside JSON too
    """
    arguments = {argument.name: argument for argument in variant.arguments}
    return {name: _mask(arguments.get(name), value, sensitive) for name, value in values.items()}


def _mask(argument: Argument | None, value: Value, sensitive: frozenset[str]) -> Value:
    if argument is None or isinstance(value, bool):
        return value
    if argument.secret:
        return MASK
    if isinstance(value, list):
        return [mask_urls(text, sensitive) for text in value]
    if argument.kind is Kind.JSON_OBJECT:
        value = redact_json(value, sensitive)
    elif argument.kind is Kind.JSON:
        value = str(redact_text(value, sensitive, most=None))
    return mask_urls(value, sensitive)


def format_command(variant: Variant, values: Mapping[str, Value]) -> str:
    """Return the command line for users, quoted for a shell.

    :param variant: the command
    :param values: the masked values by argument name
    """
    program = ["python", "-m", variant.program] if "." in variant.program else [variant.program]
    return shlex.join([*program, *build_argv(variant, values)])
