"""A job's private folder: all that its processes and the web workers tell each other.

================  ======================================================================================
``job.json``      what a keeper has to know: ``title`` (secrets masked), ``service``, ``limits``
``command.json``  ``program``, ``argv``, ``logged`` and ``principal``, until a keeper claims it; a claim is a
                  rename, so there is one
``claimed.json``  the same, until the child has read it: the arguments may be secret
``keeper``        the keeper that has it: its lock file (``locks``), process id and time when it began
``process``       the process id, and the time when it began; written by the process itself
``stdout`` ...    and ``stderr``: what it printed
``result.json``   how it ended, by its own account::

                    {"exit_code": 1,
                     "exceptions": [["DagNotFound", "AirflowException", "Exception"], ["KeyError", ...]],
                     "raised_in": "airflow.models.dag.get_dag",
                     "in_user_code": false,
                     "message": "Dag id x not found"}

``stop``          that it shall stop; ``{"force": true}`` for at once
``exit.json``     its end, by the keeper's account: ``exit_code``, ``reason``, ``ended``
``upload-...``    files that came with the request, until the end
``stage``         a folder in which a DAG file is looked at before it is deployed, until the end
``files``         a folder of files that the command writes for its user
``modules.json``  what the process had to import (``host``)
================  ======================================================================================

A file is written whole or not at all: under another name first.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import stat
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from airflow_remote_server.runner.locks import start_ticks, taken

JOB, COMMAND, CLAIMED, KEEPER, PROCESS = "job.json", "command.json", "claimed.json", "keeper", "process"
STDOUT, STDERR, RESULT, STOP, EXIT = "stdout", "stderr", "result.json", "stop", "exit.json"
MODULES = "modules.json"
UPLOAD = "upload-"
FILES = "files"
STAGE = "stage"
MOST_FILES = 1000
"""Files of a job that are told of."""
STREAMS = (STDOUT, STDERR)


@dataclass(frozen=True)
class Limits:
    """What a keeper holds a command to.

    :param run_seconds: seconds it may run; None for a service
    :param output_bytes: most it may print, stdout and stderr together
    :param grace_seconds: between SIGTERM and SIGKILL
    """

    run_seconds: float | None
    output_bytes: int
    grace_seconds: float


@dataclass(frozen=True)
class Command:
    """What to run.

    :param program: ``airflow``, ``airflow-remote-server`` or a module of Airflow's that is run as a program
    :param argv: its arguments, without the program
    :param title: the command line as it may be shown in a process list
    :param service: runs until it is stopped
    :param logged: its arguments as Airflow's audit log may have them, secrets masked
    :param principal: who asked for it
    """

    program: str
    argv: tuple[str, ...]
    title: str
    service: bool = False
    logged: tuple[str, ...] = ()
    principal: str = ""


class Folder:
    """One job's folder.

    :param path: where it is
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self, command: Command, limits: Limits) -> None:
        """Write what a keeper needs; ``command.json`` last, for then it can be run.

        :raises OSError: when it cannot be written
        """
        for stream in STREAMS:
            (self.path / stream).touch(0o600)
        said = {"title": command.title, "service": command.service, "limits": asdict(limits)}
        options = command.argv[: command.argv.index("--")] if "--" in command.argv else command.argv
        said["daemon"] = command.service and "--daemon" in options
        self.write(JOB, said)
        said = {name: getattr(command, name) for name in ("program", "argv", "logged", "principal")}
        self.write(COMMAND, said)

    def read(self, name: str) -> Any:
        """The JSON of a file; None when it is not there, or no JSON."""
        try:
            return json.loads((self.path / name).read_text("utf-8"))
        except (OSError, ValueError):
            return None

    def write(self, name: str, content: Any) -> None:
        """Write a file of JSON, so that it is seen whole or not at all.

        :raises OSError: when it cannot be written
        """
        partial = self.path / f"{name}.{os.getpid()}.partial"
        try:
            with open(partial, "w", encoding="utf-8", opener=_private) as file:
                json.dump(content, file)
            partial.replace(self.path / name)
        except OSError:
            with contextlib.suppress(OSError):
                partial.unlink()
            raise

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        return os.path.exists(self.path / name)  # noqa: PTH110 - faster, and asked for often

    def limits(self) -> Limits:
        """What the command is held to.

        :raises ValueError: when that cannot be read
        """
        try:
            return Limits(**self.read(JOB)["limits"])
        except (TypeError, KeyError) as error:
            raise ValueError(f"{self.path / JOB} is not there, or not ours") from error

    def wants_daemon(self) -> bool:
        """Whether it is a service that Airflow itself shall put in the background."""
        said = self.read(JOB)
        return isinstance(said, dict) and bool(said.get("daemon"))

    def claim(self) -> bool:
        """Take the command, to run it or to let nobody run it.

        :returns: False when somebody was faster
        """
        try:
            (self.path / COMMAND).rename(self.path / CLAIMED)
        except OSError:
            return False
        return True

    def take_command(self) -> dict[str, Any]:
        """Read the command that was claimed, and remove it.

        :raises OSError: when it is not there
        """
        path = self.path / CLAIMED
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        path.unlink()
        return found

    def end(self, exit_code: int | None, reason: str = "") -> None:
        """Write down the end.

        :param exit_code: None when there is none: it was stopped, or is lost
        :param reason: what ended it, when it did not itself: ``stopped``, ``timed_out``, ``output``, ``lost``
        :raises OSError: when it cannot be written
        """
        self.write(EXIT, {"exit_code": exit_code, "reason": reason, "ended": time.time()})

    def size(self, stream: str) -> int:
        """Bytes of a stream; 0 when it is not there."""
        try:
            return os.stat(self.path / stream).st_size  # noqa: PTH116 - as above
        except OSError:
            return 0

    def written(self) -> int:
        """Bytes that the command has printed, and written to files for its user."""
        total = sum(self.size(stream) for stream in STREAMS)
        return total + sum(size for _, size in self.files()) if self.has(FILES) else total

    def files(self) -> list[tuple[str, int]]:
        """The files that the command has written for its user: path below ``files``, and bytes. No links."""
        root, found = self.path / FILES, []
        for above, folders, names in os.walk(root):
            folders.sort()
            for name in sorted(names):
                path = Path(above, name)
                with contextlib.suppress(OSError):
                    status = path.lstat()
                    if stat.S_ISREG(status.st_mode):
                        found.append((str(path.relative_to(root)), status.st_size))
                if len(found) >= MOST_FILES:
                    return found
        return found

    def stop_wanted(self) -> str:
        """Whether it shall stop: "", ``stop`` or ``force``."""
        if not self.has(STOP):
            return ""
        said = self.read(STOP)
        return "force" if isinstance(said, dict) and said.get("force") else "stop"

    def kept(self) -> bool:
        """Whether a keeper that lives has it. The lock alone does not tell: the next host has the same."""
        said = self.read(KEEPER)
        if not isinstance(said, dict):
            return False
        if said["host"] == socket.gethostname() and said["ticks"]:
            return bool(start_ticks(said["pid"]) == said["ticks"])
        return taken(Path(said["lock"]))  # on another machine, or without /proc

    def waited(self) -> float:
        """Seconds since its command could be claimed; 0 when it cannot."""
        try:
            return time.time() - (self.path / COMMAND).stat().st_mtime
        except OSError:
            return 0.0

    def clear(self) -> None:
        """Remove what nobody needs after the end, and what may be secret: arguments and uploads."""
        for pattern in (COMMAND, CLAIMED, "*.partial", f"{UPLOAD}*"):
            for path in self.path.glob(pattern):
                with contextlib.suppress(OSError):
                    path.unlink()
        shutil.rmtree(self.path / STAGE, ignore_errors=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
