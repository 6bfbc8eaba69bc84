"""How a command is run, and what is known of it afterwards.

Every command is a job with a private folder (``folder``). A ``keeper`` - the warm host, or a supervisor where
there is none - forks a process for it, holds it to its limits and writes down its end. Nothing else has to
live for that: not the client, not the web worker that asked for it, not even the keeper.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """How a command ended, by its own account.

    :param exit_code: its exit code; minus the signal's number when a signal ended it
    :param exceptions: names of the class, and its bases, of the exception that ended it, then of each
        exception behind that one (``__cause__`` or ``__context__``)
    :param raised_in: ``module.function`` that raised the first one
    :param in_user_code: whether it came through code of a DAG or a plugin
    :param message: its text; of a command that succeeded, a warning
    """

    exit_code: int
    exceptions: tuple[tuple[str, ...], ...] = ()
    raised_in: str = ""
    in_user_code: bool = False
    message: str = ""

    @classmethod
    def read(cls, said: Any, exit_code: int | None) -> Outcome:
        """Take what the child wrote about its end.

        :param said: the content of ``result.json``; anything else counts as nothing
        :param exit_code: the exit code that the operating system gave; None when it gave it to somebody else
        """
        try:
            return cls(
                int(said["exit_code"]) if exit_code is None else exit_code,
                tuple(tuple(names) for names in said["exceptions"]),
                said["raised_in"],
                said["in_user_code"],
                said["message"],
            )
        except (ValueError, TypeError, KeyError):
            return cls(-signal.SIGKILL if exit_code is None else exit_code)  # it was killed, or went astray
