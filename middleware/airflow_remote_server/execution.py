"""One command from start to end: its private folder, its limits, and what is left of it for the answer."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_remote_server.errors import ApiError, CommandFailed, Unavailable
from airflow_remote_server.runner import LOADED, STDERR, STDOUT, Command, Outcome
from airflow_remote_server.runner.failures import classify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_remote_server.runner import Process, Runner
    from airflow_remote_server.settings import Settings

SERVICE_SECONDS = 3.0
"""How long a service is watched once Airflow is imported: one that cannot start says so by then."""

LOADING_SECONDS = 60.0
"""How long a service may take to import Airflow."""

OWNER = "owner"
"""File with the process id whose end makes a command's folder useless: the server's, or a service's own."""

LOOK_SECONDS = 0.25
"""How often a running command's output is measured."""


@dataclass(frozen=True)
class Finished:
    """A command that has ended, or a service that runs.

    :param error: what went wrong; None when nothing did
    :param exit_code: None while it runs, or when it was stopped
    :param pid: the process of a service that runs
    :param warning: what a user should know of a command that succeeded
    """

    stdout: str = ""
    stderr: str = ""
    exit_code: int | None = None
    error: ApiError | None = None
    pid: int | None = None
    warning: str | None = None


class Executor:
    """Runs commands, each in a private folder that is removed afterwards.

    :param settings: where the folders are, and the limits
    :param runner: how commands are run
    """

    def __init__(self, settings: Settings, runner: Runner) -> None:
        self.settings = settings
        self.runner = runner
        self._services: list[tuple[Process, Path]] = []
        self._lock = threading.Lock()
        self._swept = False

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        """A private folder, which is removed in the end.

        :raises Unavailable: when it cannot be made
        """
        path = self._new_folder()
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def run(self, command: Command) -> Finished:
        """Run a command to its end, or to a limit.

        :param command: its folder is there already
        :raises Unavailable: when no process can be started
        """
        process = self._start(command)
        try:
            deadline = time.monotonic() + self.settings.command_timeout
            outcome, reason = None, ""
            while outcome is None and not reason:
                outcome = process.wait(min(LOOK_SECONDS, max(0.0, deadline - time.monotonic())))
                reason = "" if outcome else self._over_limit(command.folder, deadline)
        except BaseException:
            # As when gunicorn ends a worker that is busy too long: nothing may stay behind.
            process.stop()
            raise
        if outcome is None:
            process.stop()
            return self._finished(command.folder, None, CommandFailed(reason))
        reason = self._over_limit(command.folder, deadline=None)
        if reason:  # it was quicker than we looked
            return self._finished(command.folder, outcome.exit_code, CommandFailed(reason))
        return self._ended(command.folder, outcome)

    def start_service(self, program: str, argv: tuple[str, ...], title: str) -> Finished:
        """Start what runs until it is stopped, and see whether it stays up.

        :param program: as ``Command.program``
        :param argv: its arguments
        :param title: the command line as it may be shown
        :raises Unavailable: when no process can be started
        """
        folder = self._new_folder()
        process = self._start(Command(program, argv, folder, title, service=True))
        (folder / OWNER).write_text(str(process.pid))
        deadline = time.monotonic() + LOADING_SECONDS
        outcome = None
        while outcome is None and not (folder / LOADED).exists() and time.monotonic() < deadline:
            outcome = process.wait(LOOK_SECONDS)
        outcome = outcome or process.wait(SERVICE_SECONDS)
        if outcome is None:
            self._remember(process, folder)
            return self._finished(folder, None, None, pid=process.pid)
        finished = self._ended(folder, outcome)
        shutil.rmtree(folder, ignore_errors=True)
        return finished

    def _new_folder(self) -> Path:
        commands = self.settings.state_dir / "commands"
        try:
            self.settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            commands.mkdir(mode=0o700, exist_ok=True)
            if not self._swept:
                self._swept = True
                sweep(commands)
            folder = Path(tempfile.mkdtemp(dir=commands))
            (folder / OWNER).write_text(str(os.getpid()))
            return folder
        except OSError as error:
            raise Unavailable(
                f"cannot write to {commands} ({error.strerror}): "
                "make it writable, or set [rest_api_plugin] state_dir"
            ) from error

    def _start(self, command: Command) -> Process:
        try:
            return self.runner.start(command)
        except OSError as error:
            raise Unavailable(f"cannot start a process now: {error.strerror}") from error

    def _over_limit(self, folder: Path, deadline: float | None) -> str:
        most = self.settings.max_output_bytes
        if sum((folder / name).stat().st_size for name in (STDOUT, STDERR)) > most:
            return (
                f"the command printed over {most} bytes and was stopped ([rest_api_plugin] max_output_bytes)"
            )
        if deadline is not None and time.monotonic() >= deadline:
            limit = self.settings.command_timeout
            return f"the command ran over {limit:g} s and was stopped ([rest_api_plugin] command_timeout)"
        return ""

    def _ended(self, folder: Path, outcome: Outcome) -> Finished:
        finished = self._finished(folder, outcome.exit_code, None)
        if outcome.exit_code == 0:
            return replace(finished, warning=outcome.message or None)
        return replace(finished, error=classify(outcome, finished.stderr))

    def _finished(
        self, folder: Path, exit_code: int | None, error: ApiError | None, pid: int | None = None
    ) -> Finished:
        return Finished(self._text(folder / STDOUT), self._text(folder / STDERR), exit_code, error, pid)

    def _text(self, path: Path) -> str:
        with path.open("rb") as file:
            return file.read(self.settings.max_output_bytes).decode("utf-8", "replace")

    def _remember(self, process: Process, folder: Path) -> None:
        """Keep a service, and forget those that have ended: somebody has to reap them."""
        with self._lock:
            running = [(process, folder)]
            for known, its_folder in self._services:
                if known.wait(0.0) is None:
                    running.append((known, its_folder))
                else:
                    shutil.rmtree(its_folder, ignore_errors=True)
            self._services = running


def sweep(commands: Path) -> None:
    """Remove what killed servers have left behind: folders whose owner's process is no more.

    :param commands: the folder of commands' folders
    """
    for folder in commands.iterdir():
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((folder / OWNER).read_text()), 0)
            continue
        shutil.rmtree(folder, ignore_errors=True)
