"""Say where an import error of a DAG file is, as editors understand it: ``file:line: message``."""

from __future__ import annotations

import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from airflow_remote.cli.console import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

FRAME = re.compile(r'^\s*(?:\| *)?File "(?P<path>[^"\n]+)", line (?P<line>\d{1,9})', re.MULTILINE)
LINE = re.compile(r"\bline (?P<line>\d{1,9})\b")
PLACE = re.compile(r" \([^()]*, line \d+\)$")
"""What Python appends to the message of a syntax error."""


def locate_errors(errors: Any, file: str) -> Iterator[str]:
    """Yield a line for each import error.

    :param errors: the errors by file, as in the field ``import_errors``
    :param file: the local path of the file that was deployed
    """
    if not isinstance(errors, dict):
        return
    name = _name_of(file)
    for path, text in errors.items():
        if isinstance(text, str):
            own = _name_of(path) == name
            yield f"{one_line(file if own else path)}:{_find_line(text, path)}: {_message(text)}"


def _find_line(text: str, path: str) -> int:
    """Return the line of the file that an error is about; 1 if the error does not say."""
    frames = list(FRAME.finditer(text))
    own = [frame for frame in frames if _name_of(frame["path"]) == _name_of(path)]
    if own:
        return int(own[-1]["line"])
    named = None if frames else LINE.search(_last_line(text))
    return int(named["line"]) if named else 1


def _message(text: str) -> str:
    return PLACE.sub("", one_line(_last_line(text))) or "Airflow cannot import it"


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]


def _name_of(path: str) -> str:
    return PurePosixPath(PureWindowsPath(path).as_posix()).name
