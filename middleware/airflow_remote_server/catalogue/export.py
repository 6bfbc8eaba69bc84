"""The classic endpoints as JSON, for the client: it has their names and options also without a server.

``make classic`` writes it to ``client/airflow_remote/classic.json``; a test compares the two.

::

    {"endpoints": [
      {"name": "pool", "summary": "...", "aliases": [], "airflow": [2, 3],
       "forms": [{"name": "set", "takes": ["pool_name", "slot_count", "pool_description"]},
                 {"name": "get", "takes": ["pool_name"]}, ...],
       "arguments": [{"name": "pool_name", "kind": "text", "help": "...", "short": "", "positional": false,
                      "required": false, "repeatable": false, "choices": [], "secret": false,
                      "hidden": false, "airflow": [2, 3]}, ...]}]}

``forms`` are the options that choose one of several commands, each with the arguments whose values it takes
(none: a flag); ``positional`` and ``required`` are about the client's command line; ``airflow`` are the
major versions that have it; ``hidden`` ones are accepted for the sake of old command lines.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_remote_server.catalogue.classic import Classic
from airflow_remote_server.catalogue.spec import Argument, Endpoint, Form, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

MAJORS = (2, 3)


def document() -> dict[str, Any]:
    """The table, for all supported versions together."""
    tables = {major: Classic(major).endpoints() for major in MAJORS}
    return {"endpoints": [_endpoint(name, tables) for name in tables[MAJORS[0]]]}


def text() -> str:
    """The table as it stands in the client's file."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def _endpoint(name: str, tables: dict[int, dict[str, Endpoint]]) -> dict[str, Any]:
    versions = {major: table[name] for major, table in tables.items()}
    first = versions[MAJORS[0]]
    chosen = [form for form in first.forms if form.name]
    return {
        "name": name,
        "summary": first.summary,
        "aliases": list(first.aliases),
        "airflow": [major for major, endpoint in versions.items() if not endpoint.absent],
        "forms": [{"name": form.name, "takes": _takes(form)} for form in chosen],
        "arguments": _arguments(versions, bool(chosen)),
    }


def _takes(form: Form) -> list[str]:
    return [argument.name for argument in form.arguments if not argument.flag] if form.takes else []


def _arguments(versions: dict[int, Endpoint], several: bool) -> list[dict[str, Any]]:
    merged: dict[str, dict[str, Any]] = {}
    for major, endpoint in versions.items():
        for argument in _of(endpoint):
            usable = not argument.refused and not argument.ignored
            known = merged.setdefault(argument.name, _argument(argument, several))
            if usable and known["hidden"]:  # the version that has it describes it
                known.update({**_argument(argument, several), "airflow": known["airflow"]})
            if usable and major not in known["airflow"]:
                known["airflow"].append(major)
    return list(merged.values())


def _of(endpoint: Endpoint) -> Iterable[Argument]:
    return (argument for form in endpoint.forms for argument in form.arguments)


def _argument(argument: Argument, several: bool) -> dict[str, Any]:
    hidden = bool(argument.refused or argument.ignored)
    options = (Kind.FLAG, Kind.LOG_PATH, Kind.DAGS_PATH)
    positional = not several and not argument.flag and not hidden and argument.kind not in options
    return {
        "name": argument.name,
        "kind": argument.kind.value,
        "help": argument.help,
        "short": argument.short,
        "positional": positional,
        "required": argument.required and not several,
        "repeatable": argument.repeatable,
        "choices": list(argument.choices),
        "secret": argument.secret,
        "hidden": hidden,
        "airflow": [],
    }


if __name__ == "__main__":
    print(text(), end="")
