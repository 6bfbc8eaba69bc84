"""The classic commands, read from the table that the server exports."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

Entry = dict[str, Any]
"""An endpoint, a variant or an argument, as in the table."""

TABLE = Path(__file__).with_name("classic.json")


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return document


def sections() -> list[tuple[str, list[str]]]:
    """Return the titles of the help's sections, and the names of their commands."""
    return [(title, names) for title, names in _document()["sections"]]


@cache
def load_table() -> dict[str, Entry]:
    """Return the endpoints by name."""
    return {endpoint["name"]: endpoint for endpoint in _document()["endpoints"]}


def normalize(word: str) -> str:
    """Return a name with underscores, the spelling that is compared."""
    return word.replace("-", "_")


def find_endpoint(word: str) -> Entry | None:
    """Return the endpoint with a name or alias; None if there is none."""
    name = normalize(word)
    for endpoint in load_table().values():
        if name == endpoint["name"] or name in endpoint["aliases"]:
            return endpoint
    return None


def endpoint_names() -> list[str]:
    """Return all names without aliases, in the order of the help."""
    names = [name for _, names in sections() for name in names if name in load_table()]
    return [*names, *(name for name in load_table() if name not in names)]


def all_names() -> list[str]:
    """Return all names and aliases."""
    return [name for entry in load_table().values() for name in (entry["name"], *entry["aliases"])]
