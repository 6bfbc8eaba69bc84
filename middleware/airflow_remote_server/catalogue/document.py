"""The catalogue as clients get it: what every command is for, what it takes and what it does.

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

A token that may not run everything is told only what it may run; ``withheld`` says that there is more.
An argument is ``name`` (as a request has it), ``flags`` (its option strings; none for a positional one),
``off`` (of a flag with two forms the one for no), ``kind`` (``Kind``), ``nargs`` (as argparse has it),
``required``, ``repeatable``, ``choices``, ``default``, ``metavar``, ``help``, ``secret``, ``refused`` (why it
is never accepted) and ``ignored`` (accepted, and so in any case).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_remote_server.catalogue.spec import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_remote_server.catalogue.spec import Argument, Endpoint

FORMAT = 1
"""Raised when a client that knows this one could not read another."""


def document(
    airflow: str,
    groups: Iterable[Mapping[str, Any]],
    endpoints: Iterable[Endpoint],
    renamed: Mapping[str, str],
    missing: Mapping[str, str],
) -> dict[str, Any]:
    """The catalogue.

    :param airflow: the installed version
    :param groups: name, help and description of each
    :param endpoints: the live commands
    :param renamed: names of former Airflows, and today's
    :param missing: groups and commands that this Airflow could have, and what they need
    """
    return {
        "format": FORMAT,
        "airflow": airflow,
        "groups": [dict(group) for group in groups],
        "commands": [command(endpoint) for endpoint in endpoints],
        "renamed": dict(renamed),
        "missing": dict(missing),
        "withheld": False,
    }


def command(endpoint: Endpoint) -> dict[str, Any]:
    """A live command."""
    [form] = endpoint.forms
    return {
        "name": endpoint.name,
        "help": endpoint.summary,
        "description": endpoint.description,
        "epilog": endpoint.epilog,
        "hidden": endpoint.hidden,
        "arguments": [argument(found) for found in form.arguments],
        "exclusive": [list(names) for names in form.exclusive],
        "read_only": form.read_only,
        "service": form.service,
        "long_running": endpoint.long_running,
        "parses_dags": endpoint.parses_dags,
        "json": any(found.name == "output" and "json" in found.choices for found in form.arguments),
        "prints_secrets": endpoint.prints_secrets,
        "confirm": None if form.confirm is None else _listed(asdict(form.confirm)),
        "asks": [_listed(asdict(ask)) for ask in form.asks],
        "refused": endpoint.refused,
    }


def argument(found: Argument) -> dict[str, Any]:
    """An argument of a live command."""
    return {
        "name": found.name,
        "flags": list(found.flags),
        "off": found.off,
        "kind": _KINDS.get(found.kind, found.kind).value,
        "nargs": found.nargs,
        "required": found.required,
        "repeatable": found.repeatable,
        "choices": list(found.choices),
        "default": found.shown_default,
        "metavar": found.metavar,
        "help": found.help,
        "secret": found.secret,
        "refused": found.refused,
        "ignored": found.ignored,
    }


_KINDS = {Kind.DAGS_PATH: Kind.TEXT}
"""What a client need not tell apart."""


def _listed(said: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}
