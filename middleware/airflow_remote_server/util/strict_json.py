"""Parse JSON from untrusted senders strictly, as RFC 8259 defines it."""

from __future__ import annotations

import json
from typing import Any, NoReturn

MAX_DEPTH = 100
"""The maximum nesting depth, because later code may walk through a document recursively."""


def loads(text: str | bytes) -> Any:
    """Parse a JSON document.

    :param text: the document; bytes must be UTF-8
    :returns: the same as ``json.loads``
    :raises ValueError: if it is not JSON, an object repeats a name, a number is NaN, infinite or too large
        for a float, or the nesting is too deep; the message is one line
    """
    try:
        document = json.loads(
            text, object_pairs_hook=_make_object, parse_constant=_refuse_constant, parse_float=_parse_float
        )
    except RecursionError:
        raise ValueError(f"nested over {MAX_DEPTH} levels deep") from None
    level, depth = [document], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(f"nested over {MAX_DEPTH} levels deep")
        level = [item for value in level for item in _containers_in(value)]
    return document


def _containers_in(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [item for item in value.values() if isinstance(item, (dict, list))]
    if isinstance(value, list):
        return [item for item in value if isinstance(item, (dict, list))]
    return []


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a name is given twice in one object")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _parse_float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is too large for a number")
    return number
