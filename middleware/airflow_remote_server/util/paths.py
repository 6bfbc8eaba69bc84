"""Confine paths to a directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def confine(text: str, directory: Path, name: str) -> str:
    """Return the absolute path of a file that must be inside a directory, with all links resolved.

    :param text: an absolute path, or one relative to the directory; a ``DAGS_FOLDER/`` in front is dropped,
        since Airflow prints paths that way
    :param directory: the directory
    :param name: the name of the directory for error messages
    :raises ValueError: if the path is not inside the directory
    """
    root = directory.resolve()
    try:
        path = (root / text.removeprefix("DAGS_FOLDER/")).resolve()
    except (OSError, RuntimeError, ValueError):
        raise ValueError(f"not a path inside {name}") from None
    if path != root and root not in path.parents:
        raise ValueError(f"must be a path inside {name}")
    return str(path)
