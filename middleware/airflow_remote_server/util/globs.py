"""Match names against shell-style patterns."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def matches_any(names: Iterable[str], globs: Iterable[str]) -> bool:
    """Return whether one of the globs matches one of the names as a whole.

    :param names: for example, ``dags trigger``
    :param globs: for example, ``dags *``; case matters
    """
    names = tuple(names)
    return any(fnmatchcase(name, glob) for glob in globs for name in names)
