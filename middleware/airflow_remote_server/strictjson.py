"""JSON as RFC 8259 has it, from senders who are not trusted."""

from __future__ import annotations

import json
from typing import Any, NoReturn

DEEPEST = 100
"""Levels of nesting; whatever walks through a document later may be recursive."""


def loads(text: str | bytes) -> Any:
    """Parse a document.

    :param text: UTF-8 when it is bytes
    :returns: what ``json.loads`` does
    :raises ValueError: when it is not JSON, a name stands twice in an object, a number is no number of JSON's
        or of a float's, or it is nested too deeply; the message is one line
    """
    try:
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError(f"nested over {DEEPEST} levels deep") from None
    level, depth = [document], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise ValueError(f"nested over {DEEPEST} levels deep")
        level = [item for value in level for item in _items(value)]
    return document


def _items(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [item for item in value.values() if isinstance(item, (dict, list))]
    if isinstance(value, list):
        return [item for item in value if isinstance(item, (dict, list))]
    return []


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is given twice in one object")
    return found


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is larger than a number can be")
    return number
