"""Fold Python's tracebacks in a text that arrives in pieces: only their last line is kept.

The last line says what went wrong, as in ``ValueError: invalid``. A chain of exceptions becomes the last line
of the last traceback; an exception group becomes its first line that names an exception; a traceback that is
cut off becomes the last line that it has.
"""

from __future__ import annotations

import re
from enum import Enum, auto

TITLE = "Traceback (most recent call last):"
HEADER = re.compile(r"\s*(?:\+ Exception Group )?Traceback \(most recent call last\):\s*")
GROUP_HEADER = f"+ Exception Group {TITLE}"
GROUP_LINE = re.compile(r"\s*(?:\| ?|\+-)(?P<content>.*)")
CHAIN = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)
"""Lines between the tracebacks of a chain (``traceback.TracebackException.format``)."""

DETAILS = ("[SQL: ", "[parameters: ", "(Background on this error at: ")
"""Lines that SQLAlchemy adds to a message."""

LOG_LINE = re.compile(r"\[?\d{4}-\d\d-\d\d[T ]")
"""What a line of a log begins with: it belongs to no message."""

MAX_MESSAGE_LINES = 20
"""How many lines of a message are held back, since the next traceback of a chain may follow."""

MAX_INDENTATION = 100


class State(Enum):
    """What the next line may be."""

    TEXT = auto()
    """Any text."""
    FRAMES = auto()
    """A line of a traceback, or its last one."""
    MESSAGE = auto()
    """The rest of a message, or the beginning of the next traceback of a chain."""
    CHAIN = auto()
    """The next traceback of a chain."""


class TracebackFolder:
    """Folds the tracebacks in one stream."""

    def __init__(self) -> None:
        self.folded = False
        """Whether there was a traceback."""
        self._state = State.TEXT
        self._rest = ""
        self._passing = False
        """Whether a part of the current line was returned already."""
        self._margin = 0
        self._in_group = False
        self._last = ""
        """The line to show if the traceback is cut off."""
        self._held: list[str] = []
        """The last line of a traceback, and what follows it, while a chain may follow."""

    def feed(self, text: str) -> str:
        """Return what can be shown by now.

        :param text: what follows in the stream
        """
        text, shown = self._rest + text, []
        *lines, self._rest = text.split("\n")
        for line in lines:
            shown.append(f"{line}\n" if self._passing else self._fold(f"{line}\n"))
            self._passing = False
        if self._passing or (self._rest and self._state is State.TEXT and not may_be_header(self._rest)):
            shown.append(self._rest)
            self._rest, self._passing = "", True
        return "".join(shown)

    def finish(self) -> str:
        """Return what was held back: nothing follows."""
        if self._state is State.MESSAGE and any(line.startswith(self._rest) for line in CHAIN):
            self._rest = ""  # a chain was cut off
        shown = self._fold(self._rest) if self._rest else ""
        if self._state in (State.FRAMES, State.CHAIN):
            self._held = [self._last]
        self._rest = ""
        return shown + self._release()

    def _fold(self, line: str) -> str:
        """Return what a line lets be shown."""
        if HEADER.fullmatch(line):
            return self._begin(line)
        if self._state is State.FRAMES:
            return self._fold_frame(line)
        if self._state is State.MESSAGE:
            return self._fold_message(line)
        if self._state is State.CHAIN:
            if not line.strip():
                return ""
            self._held = [self._last]
        return self._release() + line

    def _begin(self, line: str) -> str:
        is_group = GROUP_HEADER in line
        if self._state is State.FRAMES and self._in_group and not is_group:
            return ""
        shown = self._last if self._state is State.FRAMES and not self._in_group else self._release()
        self.folded = True
        self._in_group, self._margin = is_group, len(line) - len(line.lstrip())
        self._state, self._held = State.FRAMES, []
        return shown

    def _fold_frame(self, line: str) -> str:
        if self._in_group:
            match = GROUP_LINE.match(line)
            if match is None:
                self._state, self._held = State.MESSAGE, [self._last]
                return self._fold_message(line)
            if match["content"] and not match["content"].startswith((" ", "-", "+")) and not self._held:
                self._last = f"{match['content']}\n"
                self._held = [self._last]
            return ""
        indentation = len(line) - len(line.lstrip())
        if line.strip() and indentation > self._margin:
            self._last = line
            return ""
        self._state = State.MESSAGE
        self._held = [] if line.strip() else [self._last]
        return self._fold_message(line)

    def _fold_message(self, line: str) -> str:
        text = line.strip()
        if text in CHAIN:
            self._last = self._held[0] if self._held else self._last  # a traceback may lack its message
            self._state, self._held = State.CHAIN, []
            return ""
        if text.startswith(DETAILS):
            return ""
        if self._held and (LOG_LINE.match(line) or len(self._held) > MAX_MESSAGE_LINES):
            return self._release() + line
        self._held.append(line)
        return ""

    def _release(self) -> str:
        """Return what is held back: it is ordinary text."""
        shown = "".join(self._held)
        self._state, self._held = State.TEXT, []
        return shown


def may_be_header(text: str) -> bool:
    """Return whether an incomplete line may become the first line of a traceback."""
    begun = text.lstrip(" \t")
    if len(text) - len(begun) > MAX_INDENTATION:
        return False
    return any(title.startswith(begun) or begun.rstrip() == title for title in (TITLE, GROUP_HEADER))
