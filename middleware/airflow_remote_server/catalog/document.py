"""The catalog for clients: each command with its purpose, its arguments and its traits.

::

    {"format": 1, "airflow": "3.3.2",
     "groups": [{"name": "dags", "help": "Manage DAGs", "description": ""}, ...],
     "commands": [{"name": "dags trigger", "help": ..., "description": ..., "epilog": ..., "hidden": false,
                   "arguments": [...], "exclusive": [["conn_uri", "conn_json"]],
                   "read_only": false, "service": false, "long_running": false, "parses_dags": false,
                   "json": true, "prints_secrets": false,
                   "confirm": {"argument": "yes", "when": [], "unless": ["dry_run"]},
                   "asks": [{"argument": "password", "unless": ["use_random_password"]}],
                   "refused": ""}, ...],
     "renamed": {"dags backfill": "backfill create", ...},
     "missing": {"celery": "a Celery executor ...", ...},
     "withheld": false}

A restricted token gets only the commands that it may run; ``withheld`` says that there are others. An
argument has the fields ``name`` (its name in a request), ``flags`` (its option strings; empty for a
positional argument), ``off`` (the option that turns a flag off), ``kind`` (see ``Kind``), ``nargs`` (as in
argparse), ``required``, ``repeatable``, ``choices``, ``default``, ``metavar``, ``help``, ``secret``,
``refused`` (why it is never accepted) and ``ignored`` (accepted, but without effect).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_remote_server.catalog.spec import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_remote_server.catalog.spec import Argument, Confirmation, Endpoint, Prompt

FORMAT = 1
"""The version of the format, raised when clients that know this version cannot read the next one."""

CLIENT_KINDS = {Kind.DAGS_PATH: Kind.TEXT}
"""Kinds that clients do not distinguish."""


def build_document(
    airflow: str,
    groups: Iterable[Mapping[str, Any]],
    endpoints: Iterable[Endpoint],
    renamed: Mapping[str, str],
    missing: Mapping[str, str],
) -> dict[str, Any]:
    """Return the catalog for clients.

    :param airflow: the installed version
    :param groups: the name, help and description of each group
    :param endpoints: the live commands
    :param renamed: the current names of commands from other releases
    :param missing: groups and commands that this Airflow lacks, and what they require
    """
    return {
        "format": FORMAT,
        "airflow": airflow,
        "groups": [dict(group) for group in groups],
        "commands": [_describe_command(endpoint) for endpoint in endpoints],
        "renamed": dict(renamed),
        "missing": dict(missing),
        "withheld": False,
    }


def _describe_command(endpoint: Endpoint) -> dict[str, Any]:
    [variant] = endpoint.variants
    return {
        "name": endpoint.name,
        "help": endpoint.summary,
        "description": endpoint.description,
        "epilog": endpoint.epilog,
        "hidden": endpoint.hidden,
        "arguments": [_describe_argument(argument) for argument in variant.arguments],
        "exclusive": [list(names) for names in variant.exclusive],
        "read_only": variant.read_only,
        "service": variant.service,
        "long_running": endpoint.long_running,
        "parses_dags": endpoint.parses_dags,
        "json": any(
            argument.name == "output" and "json" in argument.choices for argument in variant.arguments
        ),
        "prints_secrets": endpoint.prints_secrets,
        "confirm": None if variant.confirm is None else _as_json(variant.confirm),
        "asks": [_as_json(prompt) for prompt in variant.prompts],
        "refused": endpoint.refused,
    }


def _describe_argument(argument: Argument) -> dict[str, Any]:
    return {
        "name": argument.name,
        "flags": list(argument.flags),
        "off": argument.off,
        "kind": CLIENT_KINDS.get(argument.kind, argument.kind).value,
        "nargs": argument.nargs,
        "required": argument.required,
        "repeatable": argument.repeatable,
        "choices": list(argument.choices),
        "default": argument.shown_default,
        "metavar": argument.metavar,
        "help": argument.help,
        "secret": argument.secret,
        "refused": argument.refused,
        "ignored": argument.ignored,
    }


def _as_json(question: Confirmation | Prompt) -> dict[str, Any]:
    fields = asdict(question).items()
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields}
