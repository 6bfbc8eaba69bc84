"""A block of lines at the end of a terminal that is drawn again when it changes."""

from __future__ import annotations

import os
import re
import shutil
import unicodedata
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
RESET = "\x1b[0m"
COLORS = {"red": "\x1b[31m", "green": "\x1b[32m", "yellow": "\x1b[33m", "cyan": "\x1b[36m", "dim": "\x1b[2m"}
CLEAR_BELOW = "\x1b[J"
UP = "\x1b[{}A"


def can_draw(stream: TextIO | None) -> bool:
    """Return whether a stream is a terminal that can move its cursor."""
    return stream is not None and stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def paint(text: str, color: str) -> str:
    """Return a text in a color, unless the user wants none.

    :param color: one of ``COLORS``; "" for none
    """
    return f"{COLORS[color]}{text}{RESET}" if color and not os.environ.get("NO_COLOR") else text


def width_of(char: str) -> int:
    """Return how many columns a character takes."""
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, width: int) -> str:
    """Cut off what does not fit into a line; colors take no room."""
    parts, left, painted = [], width, False
    position = 0
    while position < len(text):
        escape = ESCAPE.match(text, position)
        if escape is not None:
            parts.append(escape[0])
            painted = escape[0] != RESET
            position = escape.end()
            continue
        left -= width_of(text[position])
        if left < 0:
            break
        parts.append(text[position])
        position += 1
    return "".join(parts) + (RESET if painted else "")


class LiveBlock:
    """Lines that stay below everything else that is printed.

    :param write: writes to the terminal
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._drawn = 0
        """How many lines stand on the terminal."""

    def draw(self, lines: Sequence[str]) -> None:
        """Show these lines in place of those before.

        :param lines: as many as fit are shown
        """
        width, height = shutil.get_terminal_size()
        # The last column stays free: some terminals begin a new line when it is written to.
        shown = [cut(line, max(width - 1, 1)) for line in lines[: max(height - 1, 1)]]
        self._write(f"{self._erasing()}{''.join(f'{line}{os.linesep}' for line in shown)}")
        self._drawn = len(shown)

    def erase(self) -> None:
        """Remove the lines, so that something else can be printed in their place."""
        text = self._erasing()
        self._drawn = 0
        if text:
            self._write(text)

    def _erasing(self) -> str:
        return f"{UP.format(self._drawn)}\r{CLEAR_BELOW}" if self._drawn else ""
