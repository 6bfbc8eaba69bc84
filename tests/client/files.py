"""The files that a test's commands leave."""

from __future__ import annotations

from pathlib import Path


def file_names(directory: Path) -> list[str]:
    """Return the relative paths of all files below a directory, sorted."""
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir())
