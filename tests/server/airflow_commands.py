"""Airflow's own parser, with the commands of the installed providers."""

from __future__ import annotations

import argparse
from functools import cache
from importlib import import_module
from typing import Any

EXECUTORS = (
    ("airflow.providers.celery.executors.celery_executor", "CeleryExecutor"),
    ("airflow.providers.cncf.kubernetes.executors.kubernetes_executor", "KubernetesExecutor"),
)
"""Airflow 2 has the commands of these executors only if they are configured, and never with SQLite."""


@cache
def parser() -> argparse.ArgumentParser:
    """Return Airflow's parser, and add the providers' commands to Airflow's tables for good."""
    from airflow.cli import cli_parser

    if "celery" not in cli_parser.ALL_COMMANDS_DICT:
        for module, name in EXECUTORS:
            for group in getattr(import_module(module), name).get_cli_commands():
                cli_parser.ALL_COMMANDS_DICT[group.name] = group
        cli_parser.get_parser.cache_clear()
    airflow_parser = cli_parser.get_parser()
    assert isinstance(airflow_parser, argparse.ArgumentParser)
    return airflow_parser


def leaf(command: str) -> argparse.ArgumentParser:
    """Return the parser of one command.

    :param command: its words after ``airflow``
    """
    command_parser = parser()
    for word in command.split(" "):
        command_parser = subcommands(command_parser)[word]
    return command_parser


def leaves() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of every command, by the command's words."""

    def below(group: argparse.ArgumentParser, words: tuple[str, ...]) -> dict[str, Any]:
        inner = subcommands(group)
        if not inner:
            return {" ".join(words): group}
        return {
            name: each for word, sub in inner.items() for name, each in below(sub, (*words, word)).items()
        }

    return below(parser(), ())


def subcommands(group: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of a group's commands."""
    for action in group._actions:  # noqa: SLF001 - argparse has no public way
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            return dict(action.choices)
    return {}


def description() -> dict[str, Any]:
    """Return the description of all these commands, as the server reads them."""
    from airflow_remote_server.integrations import command_tables

    parser()
    return command_tables.describe_commands()
