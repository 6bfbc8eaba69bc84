"""A job's private directory, where its processes and the web workers exchange everything about it.

================  ======================================================================================
``job.json``      what a supervisor needs: ``title`` (secrets masked), ``service``, ``limits``
``command.json``  ``program``, ``argv``, ``logged``, ``principal``, ``secrets`` and ``preview``, until a
                  supervisor claims it. A claim is a rename, so only one succeeds
``offered.json``  the same, while other machines may take over the command: no supervisor claims it
``claimed.json``  the same, until the child has read it: the arguments may be secret
``kept.json``     the same, of a service that is started again if it fails; removed at the end
``restarts``      how often that has happened, and when it happens next (``restarts.Restarts``)
``supervisor``    the supervisor of the command: its lock file (``util.locks``), process ID and start time
``process``       the process ID and start time of the command; the process itself writes this file
``filter``        the same of the process that masks secrets in its output (``output_filter``), if it has one
``stdout``        standard output of the command; ``stderr`` likewise
``result.json``   the end of the command as the command reports it::

                    {"exit_code": 1,
                     "exceptions": [["DagNotFound", "AirflowException", "Exception"], ["KeyError", ...]],
                     "raised_in": "airflow.models.dag.get_dag",
                     "in_user_code": false,
                     "message": "Dag id x not found",
                     "cause": "KeyError: 'x'"}

``stop``          a request to stop the command: ``force`` to kill it, ``until`` when it is killed
``stopping``      written by the supervisor that has sent SIGTERM: ``reason``, ``until`` as in ``stop``
``exit.json``     the end of the command as the supervisor reports it: ``exit_code``, ``reason``, ``ended``
                  and, if it was stopped with SIGKILL, ``killed``
``upload-...``    files that came with the request; removed at the end
``stage``         a directory where a DAG file is checked before it is deployed; removed at the end
``files``         a directory of files that the command writes for its user
``modules.json``  modules that the command had to import (``preload``)
``batch.ndjson``  the commands of a batch (``batch.models``), until its process has read them
``commands``      a directory with the spools of the commands of a batch that run; removed at the end
``states``        the state of each command of a batch (``batch_progress``); ``titles.ndjson`` their titles
================  ======================================================================================

Each file is written atomically.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import stat
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_remote_server.execution.command import CommandLimits
from airflow_remote_server.util.atomic_files import PARTIAL, write_atomically
from airflow_remote_server.util.locks import is_locked, start_ticks

if TYPE_CHECKING:
    from airflow_remote_server.execution.command import Command

JOB, COMMAND, CLAIMED, SUPERVISOR, PROCESS = (
    "job.json",
    "command.json",
    "claimed.json",
    "supervisor",
    "process",
)
OFFERED, KEPT = "offered.json", "kept.json"
RESTARTS = "restarts"
FOUND_DEAD = "found-dead"
"""A directory beside those of the jobs; it has a file for each service whose end nobody has observed."""

STDOUT, STDERR, RESULT, EXIT = "stdout", "stderr", "result.json", "exit.json"
STOP, STOPPING = "stop", "stopping"
MODULES = "modules.json"
FILTER = "filter"
UPLOAD = "upload-"
FILES = "files"
STAGE = "stage"
BATCH = "batch.ndjson"
BATCH_PROGRAM = "airflow-remote-batch"
"""Our program that runs the commands of a batch."""

COMMANDS = "commands"
MAX_FILES = 1000
"""The maximum number of files of a job that the API lists."""
STREAMS = (STDOUT, STDERR)
CLAIMED_FIELDS = ("program", "argv", "logged", "principal", "secrets", "preview")


class Spool:
    """The private directory of one job.

    :param path: the directory
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self, command: Command, limits: CommandLimits) -> None:
        """Write the files that a supervisor needs; ``command.json`` last, since it can be claimed then.

        :raises OSError: if a file cannot be written
        """
        for stream in STREAMS:
            (self.path / stream).touch(0o600)
        options = command.argv[: command.argv.index("--")] if "--" in command.argv else command.argv
        job = {
            "title": command.title,
            "service": command.service,
            "limits": asdict(limits),
            "daemon": command.service and "--daemon" in options,
            "masked": bool(command.secrets),
            "reusable": command.reusable,
        }
        self.write(JOB, job)
        fields = {name: getattr(command, name) for name in CLAIMED_FIELDS}
        if command.restarts:
            self.write(RESTARTS, {"limit": command.restarts, "recent": ()})
            self.write(KEPT, fields)
        self.write(COMMAND, fields)

    def read(self, name: str) -> Any:
        """Return the JSON content of a file; None if it is missing or not JSON."""
        try:
            return json.loads((self.path / name).read_text("utf-8"))
        except (OSError, ValueError):
            return None

    def write(self, name: str, content: Any) -> None:
        """Write a JSON file atomically.

        :raises OSError: if it cannot be written
        """
        write_atomically(self.path / name, json.dumps(content))

    def has(self, name: str) -> bool:
        """Return whether a file exists."""
        return os.path.exists(self.path / name)  # noqa: PTH110 - faster, and called often

    def read_limits(self) -> CommandLimits:
        """Return the limits of the command.

        :raises ValueError: if they cannot be read
        """
        try:
            return CommandLimits(**self.read(JOB)["limits"])
        except (TypeError, KeyError) as error:
            raise ValueError(f"{self.path / JOB} is missing or damaged") from error

    def claim(self) -> bool:
        """Claim the command, so that no other process runs it.

        :returns: False if another process has claimed it
        """
        return self._rename(COMMAND, CLAIMED)

    def offer(self) -> bool:
        """Keep supervisors from claiming the command, since another machine may take it over.

        :returns: False if a supervisor has claimed it
        """
        return self._rename(COMMAND, OFFERED)

    def withdraw_offer(self) -> bool:
        """Let supervisors claim the command again.

        :returns: False if it was not offered
        """
        return self._rename(OFFERED, COMMAND)

    def _rename(self, old: str, new: str) -> bool:
        try:
            (self.path / old).rename(self.path / new)
        except OSError:
            return False
        return True

    def take_command(self) -> dict[str, Any]:
        """Read the claimed command and remove its file.

        :raises OSError: if there is none
        """
        path = self.path / CLAIMED
        command: dict[str, Any] = json.loads(path.read_text("utf-8"))
        path.unlink()
        return command

    def write_end(self, exit_code: int | None, reason: str = "") -> None:
        """Write ``exit.json``.

        :param exit_code: None if there is none: the command was stopped or is lost
        :param reason: ``stopped``, ``timed_out``, ``output`` or ``lost``; "" if the command ended by itself
        :raises OSError: if the file cannot be written
        """
        self.write(EXIT, {"exit_code": exit_code, "reason": reason, "ended": time.time()})

    def size(self, stream: str) -> int:
        """Return the size of a stream in bytes; 0 if it is missing."""
        try:
            return os.stat(self.path / stream).st_size  # noqa: PTH116 - as above
        except OSError:
            return 0

    def read_output(self, stream: str, offset: int, size: int) -> bytes:
        """Return a part of a stream; nothing if it is missing.

        :param stream: ``stdout`` or ``stderr``
        :param offset: where to start, in bytes
        :param size: the maximum number of bytes
        """
        try:
            with (self.path / stream).open("rb") as file:
                file.seek(offset)
                return file.read(size)
        except OSError:
            return b""

    def total_bytes(self) -> int:
        """Return the bytes that the command has printed and written to files for its user."""
        total = sum(self.size(stream) for stream in STREAMS)
        return total + sum(size for _, size in self.files()) if self.has(FILES) else total

    def require_output(self) -> None:
        """Do nothing: all output is here. A copy raises an error if a part of it cannot be read."""

    def files(self) -> list[tuple[str, int]]:
        """Return the files that the command has written: path below ``files``, and bytes. Skip links."""
        root = self.path / FILES
        files: list[tuple[str, int]] = []
        for parent, directories, names in os.walk(root):
            directories.sort()
            for name in sorted(names):
                path = Path(parent, name)
                with contextlib.suppress(OSError):
                    status = path.lstat()
                    if stat.S_ISREG(status.st_mode):
                        files.append((str(path.relative_to(root)), status.st_size))
                if len(files) >= MAX_FILES:
                    return files
        return files

    def kill_time(self) -> float | None:
        """Return when a command that is being stopped is killed; None if it is not being stopped."""
        times = []
        for name in (STOP, STOPPING):
            record = self.read(name) if self.has(name) else None
            until = record.get("until") if isinstance(record, dict) else None
            times += [float(until)] if isinstance(until, (int, float)) else []
        return min(times, default=None)

    def requested_stop(self) -> str:
        """Return whether a user wants the command to stop: "", ``stop`` or ``force``."""
        if not self.has(STOP):
            return ""
        request = self.read(STOP)
        return "force" if isinstance(request, dict) and request.get("force") else "stop"

    def is_supervised(self) -> bool:
        """Return whether a running supervisor has the command.

        The lock alone does not show this: the next fork server uses the same lock file.
        """
        supervisor = self.read(SUPERVISOR)
        if not isinstance(supervisor, dict):
            return False
        if supervisor["host"] == socket.gethostname() and supervisor["ticks"]:
            return bool(start_ticks(supervisor["pid"]) == supervisor["ticks"])
        return is_locked(Path(supervisor["lock"]))  # on another machine, or without /proc

    def seconds_unclaimed(self) -> float:
        """Return the seconds since the command could be claimed; 0 if it has been claimed."""
        try:
            return time.time() - (self.path / COMMAND).stat().st_mtime
        except OSError:
            return 0.0

    def remove_private_files(self) -> None:
        """Remove files that are not needed after the end, and may be secret: arguments and uploads."""
        try:
            names = os.listdir(self.path)  # noqa: PTH208 - faster, and called for every command
        except OSError:
            return
        for name in names:
            if name in (STAGE, COMMANDS):
                shutil.rmtree(self.path / name, ignore_errors=True)
            elif (
                name in (COMMAND, OFFERED, CLAIMED, KEPT, BATCH)
                or name.endswith(PARTIAL)
                or name.startswith(UPLOAD)
            ):
                with contextlib.suppress(OSError):
                    (self.path / name).unlink()
