"""Read the query parameters of routes that run no command."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_remote_server.errors import BadArguments
from airflow_remote_server.util.flags import parse_flag
from airflow_remote_server.util.masking import hide_name

if TYPE_CHECKING:
    from airflow_remote_server.catalog.spec import RequestArguments

MAX_TEXT_LENGTH = 1000
DEFAULT_PAGE, MAX_PAGE = 50, 500
"""The default and the maximum number of items of a page."""

CURSOR = re.compile("[0-9a-f]{14,40}")
"""The cursor of a page: the id of the last job or audit entry before it."""


class Parameters:
    """The parameters of a request, each of which can be read once.

    :param arguments: the arguments of the request
    """

    def __init__(self, arguments: RequestArguments) -> None:
        self._unread = dict(arguments)

    def text(self, name: str) -> str | None:
        """Return a parameter as text; None if it is absent.

        :raises BadArguments: if it occurs twice, is too long or holds a NUL
        """
        values = self._unread.pop(name, [None])
        if len(values) != 1 or not isinstance(values[0], (str, int, float, type(None))):
            raise BadArguments(f"{name!r} must be given once, as text")
        text = None if values[0] is None else str(values[0])
        if text is not None and (len(text) > MAX_TEXT_LENGTH or "\0" in text):
            raise BadArguments(f"{name!r} must have at most {MAX_TEXT_LENGTH} characters and no NUL")
        return text

    def number(self, name: str, default: float, maximum: float) -> float:
        """Return a parameter as a number from 0 to a maximum.

        :raises BadArguments: if it is not a whole number
        """
        text = self.text(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= 15):
            raise BadArguments(f"{name!r} must be a whole number, not {text[:40]!r}")
        return min(float(text), maximum)

    def page_size(self) -> int:
        """Return the ``limit`` of a list.

        :raises BadArguments: if it is not a whole number
        """
        return int(self.number("limit", DEFAULT_PAGE, MAX_PAGE)) or DEFAULT_PAGE

    def cursor(self, name: str) -> str | None:
        """Return where a page of a list begins; None for its first page.

        :raises BadArguments: if it is not the ``next`` of another page
        """
        text = self.text(name)
        if text is not None and not CURSOR.fullmatch(text):
            raise BadArguments(f"{name!r} must be the 'next' of the page before, not {text[:40]!r}")
        return text

    def flag(self, name: str) -> bool:
        """Return a parameter that is true or false.

        :raises BadArguments: if it is neither
        """
        value = self._unread.pop(name, [False])[0]
        state = parse_flag(value)
        if state is None:
            raise BadArguments(f"{name!r} must be true or false, not {str(value).lower()[:40]!r}")
        return state

    def reject_unknown(self) -> None:
        """Check that every parameter has been read.

        :raises BadArguments: naming the beginning of one that has not
        """
        if self._unread:
            raise BadArguments(f"unknown argument {hide_name(next(iter(self._unread)))}")
