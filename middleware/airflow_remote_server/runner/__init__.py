"""How a command is run, and what is known of it afterwards.

A runner starts a ``Command`` in its private folder and gives a ``Process`` to wait for or stop. What the
command prints goes to the files ``stdout`` and ``stderr`` of that folder; how it ended, to ``result.json``::

    {"exit_code": 1,
     "exceptions": [["DagNotFound", "AirflowNotFoundException", "AirflowException", "Exception", ...],
                    ["KeyError", ...]],          the class and its bases; then those of what it came from
     "raised_in": "airflow.models.dag.get_dag",  module and function that raised it
     "in_user_code": false,                      whether it came through a DAG's or plugin's own code
     "message": "Dag id x not found"}

``exceptions`` is empty when no exception ended it; ``message`` is then a warning, or empty. A command that
was killed leaves no ``result.json``.
"""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

STDOUT, STDERR, RESULT = "stdout", "stderr", "result.json"
LOADED = "loaded"
"""An empty file, which says that the program is imported and its work begins."""


@dataclass(frozen=True)
class Command:
    """What to run.

    :param program: ``airflow``, ``airflow-remote-server`` or a module of Airflow's that is run as a program
    :param argv: its arguments, without the program
    :param folder: its private folder, which is there already; also its working directory
    :param title: the command line as it may be shown in a process list
    :param service: runs until it is stopped, also when the server that started it ends
    """

    program: str
    argv: tuple[str, ...]
    folder: Path
    title: str
    service: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

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
    def read(cls, folder: Path, exit_code: int | None) -> Outcome:
        """Read what the child wrote about its end.

        :param folder: the command's folder
        :param exit_code: the exit code that the operating system gave; None when it gave it to somebody else
        """
        try:
            said: dict[str, Any] = json.loads((folder / RESULT).read_text("utf-8"))
            return cls(
                said["exit_code"] if exit_code is None else exit_code,
                tuple(tuple(names) for names in said["exceptions"]),
                said["raised_in"],
                said["in_user_code"],
                said["message"],
            )
        except (OSError, ValueError, TypeError, KeyError):
            return cls(-signal.SIGKILL if exit_code is None else exit_code)  # it was killed, or went astray


class Process(Protocol):
    """A command that was started."""

    @property
    def pid(self) -> int:
        """Its process id, which is also that of its session and process group."""

    def wait(self, timeout: float) -> Outcome | None:
        """Wait for its end.

        :param timeout: seconds, at most
        :returns: None when it still runs
        """

    def stop(self) -> None:
        """Kill it and all its descendants that stayed in its session."""


class Runner(Protocol):
    """A way to run commands."""

    def start(self, command: Command) -> Process:
        """Start a command and do not wait for it.

        :raises OSError: when no process can be started
        """
