"""What a command worker does: wait for commands, run them, and check that nothing is left behind."""

from __future__ import annotations

import contextvars
import os
import socket
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_remote_server.execution.child import set_title
from airflow_remote_server.execution.command_process import (
    begin_command,
    call_command,
    detach_from_supervisor,
    exit_process,
    flush_streams,
    report_result,
    run_command,
    run_exit_handlers,
)
from airflow_remote_server.execution.preload import thread_count
from airflow_remote_server.execution.process_state import (
    INHERITED,
    OPEN_FILES,
    OWN,
    ProcessState,
    has_children,
    open_files,
)
from airflow_remote_server.execution.spool import JOB, Spool
from airflow_remote_server.integrations.base import call_guarded
from airflow_remote_server.integrations.preparation import forget_connections
from airflow_remote_server.integrations.process_state import AirflowState, connect, database_file

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_PATH_BYTES = 4096

ENDED, READY = b"e", b"r"
"""The messages of a worker: its command has ended, followed by the exit code; it waits for the next one."""

MESSAGE_BYTES = 2

TITLE = "airflow-remote: waits for a command"

MAX_COMMANDS = 1000
"""The number of commands after which a worker is replaced, whatever its state."""


class InheritedState:
    """The state that a worker has in common with its supervisor, which examines it before any fork."""

    def __init__(self) -> None:
        self.airflow = AirflowState()
        self.process = ProcessState(INHERITED)


def run_worker(channel: socket.socket, release: Callable[[], None], state: InheritedState | None) -> NoReturn:
    """Run commands, as long as the process is clean and the supervisor runs.

    :param channel: delivers the paths of spools, and reports the ends of commands
    :param release: closes everything that belongs to the supervisor
    :param state: the inherited state; None if it cannot be examined, so that each command needs a process
    """
    try:
        release()
        detach_from_supervisor()
        worker = Worker(channel, state)
        while path := worker.wait():
            spool = Spool(Path(os.fsdecode(path)))
            job = spool.read(JOB)
            if worker.state is None or not (isinstance(job, dict) and job.get("reusable")):
                worker.release()
                run_command(spool, job)
            worker.run(spool, job, worker.state)
    except BaseException:  # noqa: BLE001 - the supervisor's own code must not continue in this process
        traceback.print_exc()
    finally:
        os._exit(0)


class Worker:
    """This process, which runs commands one after another.

    :param channel: the connection to the supervisor
    :param state: the inherited state; None if it cannot be examined
    """

    def __init__(self, channel: socket.socket, state: InheritedState | None) -> None:
        self.state = state
        self._channel = channel
        self._log = os.fdopen(os.dup(2), "w", buffering=1)
        self._commands = 0
        self._module_count = len(sys.modules)
        self._directory = os.open(".", os.O_RDONLY)  # of the supervisor
        self._leave_command()
        self._files = open_files()
        self._own = ProcessState(OWN)
        if state is not None:
            state.airflow.note_fork()
        self._database: tuple[int, int] | None = None

    def wait(self) -> bytes:
        """Wait for a command; return the path of its spool, or nothing if the supervisor ends."""
        try:
            return self._channel.recv(MAX_PATH_BYTES)
        except OSError:
            return b""

    def release(self) -> None:
        """Close everything that belongs to the worker, for a command that needs a process of its own."""
        self._channel.close()
        self._log.close()
        os.close(self._directory)

    def run(self, spool: Spool, job: dict[str, Any], state: InheritedState) -> None:
        """Run a command, and report its end. Exit if the process is not clean afterward.

        The end is reported before everything is examined, so that nobody waits for that.

        :param spool: spool of the command
        :param job: the content of ``job.json``
        :param state: the inherited state
        """
        code = 70  # EX_SOFTWARE of sysexits.h
        try:
            self._check_connection()
            command = begin_command(spool, job)
            del command["secrets"]  # a command with secrets is not reusable
            result = contextvars.copy_context().run(call_command, spool, command)
            code = result["exit_code"]
            is_alone = thread_count() == 1 and not has_children()
            if not is_alone:
                run_exit_handlers()
            flush_streams()
            report_result(spool, result, self._module_count)
            if not is_alone:
                exit_process(code)
        except BaseException:  # noqa: BLE001 - the supervisor learns of it by the end of this process
            traceback.print_exc()
            exit_process(code)
        try:
            self._channel.sendall(ENDED + bytes([code]))
        except OSError:  # the supervisor is gone; the one that adopts the command reads its report
            exit_process(code)
        self._commands += 1
        self._leave_command()
        if self._commands >= MAX_COMMANDS or not self._is_clean(state):
            exit_process(0)
        self._channel.sendall(READY + b"\0")

    def _leave_command(self) -> None:
        """Drop what belongs to a command: its directory, its output and its arguments."""
        os.fchdir(self._directory)
        null = os.open(os.devnull, os.O_RDWR)
        for target in (0, 1, 2):
            os.dup2(null, target)
        os.close(null)
        sys.argv = [TITLE]
        set_title(TITLE)

    def _is_clean(self, state: InheritedState) -> bool:
        """Return whether a command has left nothing behind, apart from a connection to the database."""
        state.airflow.reset()
        found = [*state.airflow.differences(), *state.process.differences(), *self._own.differences()]
        if found == [OPEN_FILES]:
            forget_connections()
            files = open_files()
            if only_metrics_added(self._files, files):
                found, self._files = [], files
                self._connect()
        if found:
            print(f"A process is replaced, since its command has changed: {', '.join(found)}", file=self._log)
        return not found

    def _connect(self) -> None:
        """Connect to Airflow's database for the next command, and take this as the state between commands."""
        call_guarded(connect, None)
        self._database = database_file()
        self._own = ProcessState(OWN)

    def _check_connection(self) -> None:
        """Close the connection to a database whose file was removed or replaced."""
        if self._database is not None and self._database != database_file():
            forget_connections()
            self._database = None


def only_metrics_added(old: tuple[tuple[str, str], ...], new: tuple[tuple[str, str], ...]) -> bool:
    """Return whether nothing but datagram sockets was opened: the client of StatsD has one.

    :param old: the open files before, as ``open_files`` returns them
    :param new: the open files now
    """
    added = set(new) - set(old)
    return set(old) <= set(new) and all(is_datagram_socket(int(name)) for name, _ in added)


def is_datagram_socket(descriptor: int) -> bool:
    """Return whether a descriptor is a socket that sends single messages."""
    try:
        with socket.socket(fileno=os.dup(descriptor)) as copy:
            return copy.type == socket.SOCK_DGRAM
    except OSError:
        return False
