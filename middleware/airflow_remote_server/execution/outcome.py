"""The end of a command, as the command reports it."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """The end of a command, as the command reports it.

    :param exit_code: the exit code, or minus the number of the signal that ended the command
    :param exceptions: names of the class, and its bases, of the exception that ended the command, then of
        each chained exception (``__cause__`` or ``__context__``)
    :param raised_in: ``module.function`` that raised the first exception
    :param in_user_code: whether the exception passed through code of a DAG or a plugin
    :param message: text of the exception; a warning if the command succeeded
    :param cause: class and text of the first exception that led to it; "" if it is the first one
    """

    exit_code: int
    exceptions: tuple[tuple[str, ...], ...] = ()
    raised_in: str = ""
    in_user_code: bool = False
    message: str = ""
    cause: str = ""

    @classmethod
    def read(cls, result: Any, exit_code: int | None) -> Outcome:
        """Read the report of a child.

        :param result: the content of ``result.json``; anything else counts as no report
        :param exit_code: the exit code from the operating system; None if another process received it
        """
        try:
            return cls(
                int(result["exit_code"]) if exit_code is None else exit_code,
                tuple(tuple(names) for names in result["exceptions"]),
                result["raised_in"],
                result["in_user_code"],
                result["message"],
                str(result.get("cause", "")),
            )
        except (ValueError, TypeError, KeyError):
            # The command was killed before it could report.
            return cls(-signal.SIGKILL if exit_code is None else exit_code)
