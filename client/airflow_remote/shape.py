"""JSON of somebody else's, part by part: each function raises ``ValueError`` for what has another shape."""

from __future__ import annotations

from typing import Any


def clean(text: str) -> str:
    """A text of the server's for the terminal: lines, without other control characters."""
    lines = ("".join(char if char.isprintable() else " " for char in line) for line in text.splitlines())
    return "\n".join(line.rstrip() for line in lines).strip()


def text(entry: dict[str, Any], key: str) -> str:
    """A text; "" when there is none."""
    value = entry.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{key!r} is no text")
    return value


def flag(entry: dict[str, Any], key: str) -> bool:
    """True or false; false when there is neither."""
    value = entry.get(key, False)
    if not isinstance(value, bool):
        raise ValueError(f"{key!r} is neither true nor false")
    return value


def items(entry: dict[str, Any], key: str) -> list[Any]:
    """A list; an empty one when there is none."""
    value = entry.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f"{key!r} is no list")
    return value


def texts(entry: dict[str, Any], key: str) -> tuple[str, ...]:
    """A list of texts."""
    values = items(entry, key)
    if not all(isinstance(value, str) for value in values):
        raise ValueError(f"{key!r} is not a list of texts")
    return tuple(values)


def entries(entry: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """A list of objects."""
    values = items(entry, key)
    if not all(isinstance(value, dict) for value in values):
        raise ValueError(f"{key!r} is not a list of objects")
    return values


def mapping(entry: dict[str, Any], key: str) -> dict[str, str]:
    """An object that maps texts to texts; an empty one when there is none."""
    value = entry.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValueError(f"{key!r} does not map texts to texts")
    return value
