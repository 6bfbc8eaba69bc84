"""The exit statuses of ``airflow-remote``, all in one place.

A command that has run on the server ends ``airflow-remote`` with its own exit code, as if it had run here.
The statuses below are for everything else. The two can meet: a command that fails mostly ends with 1 or 2,
and is free to end with 75. Where that matters, ``--json`` tells them apart: the answer holds an ``exit_code``
exactly when the command has run to its end.

The numbers from 64 to 78 are those of ``sysexits.h`` where it has a fitting one, since programs know them:
75, for instance, says "try again later". Those from 128 on are a shell's, for the signals SIGINT and SIGPIPE.
"""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """How ``airflow-remote`` ends."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 69
    SERVER_ERROR = 70
    LOCAL_FILE = 74
    BUSY = 75
    NOT_THE_API = 76
    REFUSED = 77
    UNSUPPORTED = 78
    INTERRUPTED = 130
    CLOSED_PIPE = 141

    @property
    def meaning(self) -> str:
        """One line for people."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitStatus.OK: "done; or begun, if it is a service or --detach was given",
    ExitStatus.FAILED: "the command failed without an exit code: stopped, in conflict, or not confirmed",
    ExitStatus.USAGE: "wrong arguments, found here or by the server; nothing was done",
    ExitStatus.UNREACHABLE: "no connection, or it was lost for good: what was sent may still be running",
    ExitStatus.SERVER_ERROR: "the server, or airflow-remote itself, has a defect",
    ExitStatus.LOCAL_FILE: "a file here, or standard output, could not be read or written",
    ExitStatus.BUSY: "the server cannot run the command now; try again later",
    ExitStatus.NOT_THE_API: "the URL is answered by something else: a login page, a proxy, a redirect",
    ExitStatus.REFUSED: "the server refuses: a missing or wrong token, or another of its rules",
    ExitStatus.UNSUPPORTED: "the server's Airflow does not have this command",
    ExitStatus.INTERRUPTED: "Ctrl-C; the command has been told to stop, if it was known to run",
    ExitStatus.CLOSED_PIPE: "nobody reads the output any more, as behind `| head`",
}

HIGHEST = 255
SIGNALS = 128


def of_command(code: int) -> int:
    """The exit status that stands for a remote command's exit code.

    :param code: the exit code; minus the signal's number when a signal ended the command
    :returns: the code itself; 128 + the signal's number, as shells have it; or 1 for what no process can
        end with, so that a failure never becomes a 0
    """
    if 0 <= code <= HIGHEST:
        return code
    if -(HIGHEST - SIGNALS) <= code < 0:
        return SIGNALS - code
    return ExitStatus.FAILED
