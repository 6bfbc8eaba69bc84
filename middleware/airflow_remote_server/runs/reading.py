"""What an endpoint answers that runs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Reading:
    """What an endpoint read.

    :param text: for people
    :param result: for programs; None without one
    :param parts: returns the whole text, as it comes, of which ``text`` is only the beginning; it takes a
        function that returns whether to stop. None if ``text`` is all
    :param waits: whether further parts may have to be waited for
    """

    text: str
    result: dict[str, Any] | None = None
    parts: Callable[[Callable[[], bool]], Iterator[str]] | None = None
    waits: bool = False
