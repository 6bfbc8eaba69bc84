"""Conditions and values that the tables of jobs and of the audit log share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.sql import ColumnElement


def matches_command(name: Any, line: Any, pattern: str) -> list[ColumnElement[bool]]:
    """Return conditions, one of which holds for an endpoint name or a command-line prefix.

    :param name: the column of the endpoint name
    :param line: the column of the command line
    :param pattern: a name or prefix; ``*`` matches any text
    """
    like = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")
    prefixes = (f"{like}%", f"airflow {like}%")
    return [name.like(like, escape="\\"), *(line.like(prefix, escape="\\") for prefix in prefixes)]


def storable(value: Any, longest: int | None) -> Any:
    """Return a value that every database accepts: no NUL, no lone surrogate, and not too long.

    :param value: a text; any other value is returned as it is
    :param longest: characters of the column; None for no limit
    """
    if not isinstance(value, str):
        return value
    return value.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()[:longest]
