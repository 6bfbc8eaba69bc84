"""Airflow's own parser, with the commands of the providers that the tests' environment has."""

from __future__ import annotations

import argparse
from functools import cache
from importlib import import_module
from typing import Any

EXECUTORS = (
    ("airflow.providers.celery.executors.celery_executor", "CeleryExecutor"),
    ("airflow.providers.cncf.kubernetes.executors.kubernetes_executor", "KubernetesExecutor"),
)
"""Airflow 2 has their commands only when they are configured, and not with SQLite."""


@cache
def parser() -> argparse.ArgumentParser:
    """Airflow's parser. Its commands are those that ``integrations.cli`` sees from then on."""
    from airflow.cli import cli_parser

    if "celery" not in cli_parser.ALL_COMMANDS_DICT:
        for module, name in EXECUTORS:
            for group in getattr(import_module(module), name).get_cli_commands():
                cli_parser.ALL_COMMANDS_DICT[group.name] = group
        cli_parser.get_parser.cache_clear()
    made = cli_parser.get_parser()
    assert isinstance(made, argparse.ArgumentParser)
    return made


def leaf(command: str) -> argparse.ArgumentParser:
    """The parser of one command.

    :param command: its words after ``airflow``
    """
    found = parser()
    for word in command.split(" "):
        found = subcommands(found)[word]
    return found


def leaves() -> dict[str, argparse.ArgumentParser]:
    """The parser of every command, by its words."""

    def below(found: argparse.ArgumentParser, words: tuple[str, ...]) -> dict[str, Any]:
        inner = subcommands(found)
        if not inner:
            return {" ".join(words): found}
        return {
            name: each for word, sub in inner.items() for name, each in below(sub, (*words, word)).items()
        }

    return below(parser(), ())


def subcommands(found: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands below one."""
    for action in found._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def description() -> dict[str, Any]:
    """All these commands, as the server reads them."""
    from airflow_remote_server.integrations import cli

    parser()
    return cli.describe()
