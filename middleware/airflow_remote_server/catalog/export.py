"""Export the classic endpoints as JSON for the client, which knows them without asking a server.

``make classic`` writes ``client/airflow_remote/catalog/classic.json``; a test checks that it is up to date.

::

    {"sections": [["DAGs", ["list_dags", ...]], ...],
     "endpoints": [
      {"name": "pool", "summary": "...", "aliases": [], "airflow": [2, 3],
       "forms": [{"name": "set", "takes": ["pool_name", "slot_count", "pool_description"]},
                 {"name": "get", "takes": ["pool_name"]}, ...],
       "arguments": [{"name": "pool_name", "kind": "text", "help": "...", "short": "", "positional": false,
                      "required": false, "repeatable": false, "choices": [], "secret": false,
                      "hidden": false, "airflow": [2, 3]}, ...]}]}

``sections`` group the endpoints by topic; ``forms`` are the options that choose one of several commands, each
with the arguments whose values it takes (none for a flag); ``positional`` and ``required`` describe the
client's command line; ``airflow`` lists the major versions that have an endpoint or argument; ``hidden``
arguments are accepted so that old command lines keep working.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_remote_server.catalog.classic import classic_endpoints
from airflow_remote_server.catalog.sections import SECTIONS
from airflow_remote_server.catalog.spec import Argument, Endpoint, Kind, Variant
from airflow_remote_server.integrations.release import NEWEST_OF_MAJOR

if TYPE_CHECKING:
    from collections.abc import Iterable

MAJORS = (2, 3)

PATH_KINDS = (Kind.LOG_PATH, Kind.DAGS_PATH)
"""Options in the client, even where they are positional in Airflow."""


def build_table() -> dict[str, Any]:
    """Return the table for all supported versions of Airflow."""
    tables = {major: classic_endpoints(NEWEST_OF_MAJOR[major]) for major in MAJORS}
    sections = [[title, list(names)] for title, names in SECTIONS]
    return {
        "sections": sections,
        "endpoints": [_describe_endpoint(name, tables) for name in tables[MAJORS[0]]],
    }


def render_table() -> str:
    """Return the content of the client's file."""
    return json.dumps(build_table(), indent=1, ensure_ascii=False) + "\n"


def _describe_endpoint(name: str, tables: dict[int, dict[str, Endpoint]]) -> dict[str, Any]:
    versions = {major: table[name] for major, table in tables.items()}
    first = versions[MAJORS[0]]
    chosen = [variant for variant in first.variants if variant.name]
    return {
        "name": name,
        "summary": first.summary,
        "aliases": list(first.aliases),
        "airflow": [major for major, endpoint in versions.items() if not endpoint.absent],
        "forms": [{"name": variant.name, "takes": taken_arguments(variant)} for variant in chosen],
        "arguments": _merge_arguments(versions, bool(chosen)),
    }


def taken_arguments(variant: Variant) -> list[str]:
    """Return the names of the arguments that fill the value of a variant's option in the client.

    :param variant: the variant
    """
    return [argument.name for argument in variant.arguments if not argument.flag] if variant.takes else []


def _merge_arguments(versions: dict[int, Endpoint], several: bool) -> list[dict[str, Any]]:
    merged: dict[str, dict[str, Any]] = {}
    for major, endpoint in versions.items():
        for argument in _arguments_of(endpoint):
            usable = not argument.unusable and not argument.ignored
            known = merged.setdefault(argument.name, _describe_argument(argument, several))
            if usable and known["hidden"]:  # prefer the description of a version that has it
                known.update({**_describe_argument(argument, several), "airflow": known["airflow"]})
            if usable and major not in known["airflow"]:
                known["airflow"].append(major)
    return list(merged.values())


def _arguments_of(endpoint: Endpoint) -> Iterable[Argument]:
    return (argument for variant in endpoint.variants for argument in variant.arguments)


def is_positional(argument: Argument, several: bool) -> bool:
    """Return whether an argument is positional in the client.

    :param argument: the argument
    :param several: whether its endpoint has several variants
    """
    return not several and not argument.flag and argument.kind not in (Kind.FLAG, *PATH_KINDS)


def _describe_argument(argument: Argument, several: bool) -> dict[str, Any]:
    hidden = bool(argument.unusable or argument.ignored)
    return {
        "name": argument.name,
        "kind": argument.kind.value,
        "help": argument.help,
        "short": argument.short,
        "positional": not hidden and is_positional(argument, several),
        "required": argument.required and not several,
        "repeatable": argument.repeatable,
        "choices": list(argument.choices),
        "secret": argument.secret,
        "hidden": hidden,
        "airflow": [],
    }


if __name__ == "__main__":
    print(render_table(), end="")
