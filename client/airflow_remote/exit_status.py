"""The exit statuses of ``airflow-remote``.

When a command has run on the server, ``airflow-remote`` exits with the command's own exit code. The statuses
below cover everything else. The two can overlap: a failed command usually exits with 1 or 2, but may exit
with 75 as well. Where the difference matters, use ``--json``: the response has an ``exit_code`` if and only
if the command ran to its end.

The numbers from 64 to 78 come from ``sysexits.h`` where it has a fitting one: 75, for example, means "try
again later". 124 is the status of the program ``timeout``. 129, 130, 141 and 143 are a shell's statuses for
the signals SIGHUP, SIGINT, SIGPIPE and SIGTERM.
"""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """An exit status of ``airflow-remote``."""

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
    TIMED_OUT = 124
    HUNG_UP = 129
    INTERRUPTED = 130
    CLOSED_PIPE = 141
    TERMINATED = 143

    @property
    def meaning(self) -> str:
        """Return a one-line explanation for the help."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitStatus.OK: "success; or the command was started, if it is a service or --detach was given",
    ExitStatus.FAILED: "the command failed without an exit code: stopped, in conflict, or not confirmed",
    ExitStatus.USAGE: "wrong arguments; nothing was run",
    ExitStatus.UNREACHABLE: "no connection, or it was lost for good: the command may still be running",
    ExitStatus.SERVER_ERROR: "a bug in the server or in airflow-remote itself",
    ExitStatus.LOCAL_FILE: "a local file or standard output could not be read or written",
    ExitStatus.BUSY: "the server cannot run the command now; try again later",
    ExitStatus.NOT_THE_API: "something else answers at the URL: a login page, a proxy, a redirect",
    ExitStatus.REFUSED: "the server refused the request: a missing or wrong token, or another rule",
    ExitStatus.UNSUPPORTED: "the server's Airflow does not have this command",
    ExitStatus.TIMED_OUT: "a DAG run that was waited for did not end within --timeout; it goes on",
    ExitStatus.HUNG_UP: "the terminal was closed; as for Ctrl-C",
    ExitStatus.INTERRUPTED: "Ctrl-C; the command was told to stop if it was known to run",
    ExitStatus.CLOSED_PIPE: "the reader of the output has exited, as in `| head`",
    ExitStatus.TERMINATED: "SIGTERM, as from `timeout` or a CI system; as for Ctrl-C",
}

HIGHEST = 255
SIGNALS = 128


def exit_status_of(code: int) -> int:
    """Return the exit status for a remote command's exit code.

    :param code: the exit code; the negative signal number if a signal ended the command
    :returns: the code itself; 128 + the signal number, as in a shell; or 1 for a code that no process can
        exit with, so that a failure never becomes 0
    """
    if 0 <= code <= HIGHEST:
        return code
    if -(HIGHEST - SIGNALS) <= code < 0:
        return SIGNALS - code
    return ExitStatus.FAILED
