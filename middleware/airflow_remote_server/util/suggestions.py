"""Suggest a known name for a misspelled one."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_LENGTH = 80
"""The maximum number of characters to compare: the time that a comparison takes grows with its square."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint to append to an error message, such as ``" (did you mean 'dag_id'?)"``.

    :param name: the unknown name
    :param known: the names to choose from
    :returns: "" if no name is similar
    """
    close = get_close_matches(name[:MAX_LENGTH], sorted(known), n=1, cutoff=0.55)
    return f" (did you mean {close[0]!r}?)" if close else ""
