"""Read the parts of untrusted JSON; each function raises ``ValueError`` if the part has another type."""

from __future__ import annotations

from typing import Any


def clean(text: str) -> str:
    """Return a server's text for the terminal: keep line breaks, remove other control characters."""
    lines = ("".join(char if char.isprintable() else " " for char in line) for line in text.splitlines())
    return "\n".join(line.rstrip() for line in lines).strip()


def text(entry: dict[str, Any], key: str) -> str:
    """Return a text; "" if there is none."""
    value = entry.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{key!r} is not a text")
    return value


def flag(entry: dict[str, Any], key: str) -> bool:
    """Return a boolean; False if there is none."""
    value = entry.get(key, False)
    if not isinstance(value, bool):
        raise ValueError(f"{key!r} is neither true nor false")
    return value


def items(entry: dict[str, Any], key: str) -> list[Any]:
    """Return a list; an empty one if there is none."""
    value = entry.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f"{key!r} is not a list")
    return value


def texts(entry: dict[str, Any], key: str) -> tuple[str, ...]:
    """Return a list of texts."""
    values = items(entry, key)
    if not all(isinstance(value, str) for value in values):
        raise ValueError(f"{key!r} is not a list of texts")
    return tuple(values)


def entries(entry: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Return a list of objects."""
    values = items(entry, key)
    if not all(isinstance(value, dict) for value in values):
        raise ValueError(f"{key!r} is not a list of objects")
    return values


def mapping(entry: dict[str, Any], key: str) -> dict[str, str]:
    """Return an object that maps texts to texts; an empty one if there is none."""
    value = entry.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValueError(f"{key!r} does not map texts to texts")
    return value
