"""Run the commands of a batch in order, and print a line as each one ends.

Each command has a spool of its own in the spool of the job, and a process of its own, as a single command
has. The process that runs the batch has one thread and no database connection, since it forks.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import socket
import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_remote_server import envelope
from airflow_remote_server.batch.lane import Lane
from airflow_remote_server.batch.lines import EndedCommand
from airflow_remote_server.batch.stages import RunningCommand, StagedCommand
from airflow_remote_server.errors import Unavailable
from airflow_remote_server.execution.batch_progress import FAILED, RUNNING, SUCCEEDED, BatchProgress
from airflow_remote_server.execution.command import CommandLimits
from airflow_remote_server.execution.command_worker_main import InheritedState
from airflow_remote_server.execution.spool import COMMANDS, Spool
from airflow_remote_server.integrations.base import call_guarded
from airflow_remote_server.util.locks import CommandSlots, release
from airflow_remote_server.util.masker import Masker
from airflow_remote_server.util.process_tree import ProcessTree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_remote_server.batch.models import BatchCommand, BatchOptions

POLL_SECONDS = 0.1
"""Interval between checks of the output limit, and for free slots."""

LINE_BYTES = 1500
"""The room that is kept for the line of each command that follows."""

WARM = "airflow_remote_server.execution.fork_server"
"""A module of the fork server. A process that has not been prepared there changes with each first command."""

STOPPED = "the command was stopped"
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class BatchRunner:
    """Runs one batch.

    :param spool: the spool of its job
    :param options: how to run it
    :param commands: its commands
    """

    def __init__(self, spool: Spool, options: BatchOptions, commands: Iterator[BatchCommand]) -> None:
        self.options = options
        self.commands = commands
        self.progress = BatchProgress(spool)
        self.folder = spool.path / COMMANDS
        self.limits = CommandLimits(None, options.output_bytes, 0.0)
        self.masker = Masker(options.secrets)
        self.slots = CommandSlots(Path(options.slots), options.max_running)
        self.held: list[int] = []
        self.lanes: list[Lane] = []
        self.idle: deque[Lane] = deque()
        """Lanes without a command: one more than commands run, so that none waits for its process."""
        self.staged: StagedCommand | None = None
        self.running: list[RunningCommand] = []
        self.ended: list[RunningCommand | EndedCommand] = []
        self.spools: list[Spool] = []
        """Empty spools of earlier commands: to remove a directory takes much longer than to empty it."""
        self.begun = self.failed = self.written = 0
        self.first_failure: EndedCommand | None = None
        self.signal = 0
        self.tree = ProcessTree()
        self.state: InheritedState | None = None
        self.selector = selectors.DefaultSelector()
        self.wake, self.wake_end = socket.socketpair()
        for end in (self.wake, self.wake_end):
            end.setblocking(False)
        self.selector.register(self.wake, selectors.EVENT_READ)

    def run(self) -> None:
        """Run the commands until none is left, or the batch is to stop."""
        self.folder.mkdir(0o700)
        if self.options.reuse and WARM in sys.modules:
            self.state = call_guarded(InheritedState, None)
        signal.set_wakeup_fd(self.wake_end.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in SIGNALS:
            signal.signal(number, self.handle_signal)
        while self.start_commands() or self.running:
            self.report_ended()
            self.stage()
            self.wait()
            self.collect()
            self.tree.kill_all(self.pids)
            self.enforce_limits()
        self.report_ended()
        for lane in self.lanes:
            lane.close()
        for slot in self.held:
            release(slot)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pids(self) -> set[int]:
        """Return the processes of the lanes."""
        return set().union(*(lane.pids for lane in self.lanes))

    @property
    def stops(self) -> bool:
        """Return whether no further command is to begin."""
        return bool(self.signal) or (self.options.stop_on_failure and self.failed > 0)

    def handle_signal(self, number: int, _: object) -> None:
        """Note that the batch is to stop; the signal ends ``wait``."""
        self.signal = number

    def release_in_child(self) -> None:
        """Close everything that belongs to the batch in a forked child, and reset signal handlers."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, *SIGNALS):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.selector.close()
        self.wake.close()
        self.wake_end.close()
        self.progress.close()
        for slot in self.held:
            os.close(slot)
        for lane in self.lanes:
            lane.release_in_child()

    def add_lane(self) -> Lane:
        """Return a new lane."""
        lane = Lane(self.selector, self.release_in_child, self.state)
        self.lanes.append(lane)
        return lane

    def start_commands(self) -> bool:
        """Begin the next commands while there are free lanes; return whether some may be left.

        The lines of commands that have ended are printed after that, so that nothing waits for them.
        """
        while not self.stops:
            self.stage()
            if self.staged is None:
                return False
            if not self.has_place():
                return True
            staged, self.staged = self.staged, None
            self.begin(staged)
        return False

    def stage(self) -> None:
        """Prepare the next command and its process, if that has not been done."""
        if self.staged is None and not self.stops:
            command = next(self.commands, None)
            if command is None:
                return
            spool = self.spools.pop() if self.spools else Spool(self.folder / str(command.index))
            self.staged = StagedCommand(command, spool)
            try:
                spool.path.mkdir(0o700, exist_ok=True)
                spool.prepare(command.command, self.limits)
                spool.claim()
            except OSError as error:
                self.staged.error = error
        if self.staged is not None and self.running:
            if not self.idle:
                self.idle.append(self.add_lane())
            with contextlib.suppress(OSError):  # the start will report it
                self.idle[0].prepare()

    def has_place(self) -> bool:
        """Return whether a further command may run now.

        The first one has the slot of the batch. Every other one that runs at the same time needs its own.
        """
        places = 1 + len(self.held)
        if len(self.running) >= places and places < self.options.parallel:
            slot = self.slots.acquire()
            if slot is not None:
                self.held.append(slot)
                places += 1
        return len(self.running) < places

    def begin(self, staged: StagedCommand) -> None:
        """Begin a command; if that is not possible, it has failed."""
        command, spool, error = staged.command, staged.spool, staged.error
        lane = self.idle.popleft() if self.idle else self.add_lane()
        began, start = envelope.now(), time.monotonic()
        self.begun += 1
        self.progress.note(command.index, RUNNING)
        try:
            if error is not None:
                raise error
            lane.start(spool, command.command.reusable)
        except OSError as failure:
            self.idle.append(lane)
            self.failed += 1
            reason = Unavailable(f"cannot start a process now: {failure.strerror or failure}")
            self.ended.append(EndedCommand(command, began, 0.0, error=reason))
            return
        self.running.append(RunningCommand(command, spool, lane, began, start))

    def wait(self) -> None:
        """Wait for the end of a command, a signal, or the next check."""
        if self.running:
            for key, _ in self.selector.select(POLL_SECONDS):
                if isinstance(key.data, Lane):
                    key.data.receive()
            with contextlib.suppress(BlockingIOError):
                self.wake.recv(4096)

    def collect(self) -> None:
        """Note the commands that have ended."""
        for running in list(self.running):
            exit_code = running.lane.poll()
            if exit_code is None:
                continue
            self.running.remove(running)
            self.idle.append(running.lane)
            self.failed += exit_code != 0
            running.seconds, running.exit_code = time.monotonic() - running.start, exit_code
            self.ended.append(running)

    def report_ended(self) -> None:
        """Print the lines of the commands that have ended."""
        ended, self.ended = self.ended, []
        for each in ended:
            if isinstance(each, EndedCommand):
                self.report(each)
                continue
            times, end = (each.began, each.seconds), (each.exit_code, each.reason)
            most = self.options.output_bytes
            self.report(EndedCommand.read(each.command, each.spool, times, end, self.masker, most))
            if clear(each.spool.path):
                self.spools.append(each.spool)

    def report(self, ended: EndedCommand) -> None:
        """Print the line of a command, and note its state."""
        left = self.options.count - self.begun
        data = ended.line(self.options.output_bytes - self.written - LINE_BYTES * left)
        self.written += len(data)
        while data:
            data = data[os.write(1, data) :]  # with sys.stdout, a forked child might print the rest again
        self.progress.note(ended.command.index, SUCCEEDED if ended.error is None else FAILED)
        if ended.error is not None:
            self.first_failure = self.first_failure or ended

    def enforce_limits(self) -> None:
        """Kill commands that have printed too much, and end all if the batch is to stop."""
        most = self.options.output_bytes
        for running in self.running:
            if self.signal and not running.reason:
                running.reason = STOPPED
                running.lane.send_signal(signal.SIGTERM)
            if running.spool.total_bytes() > most:
                running.reason = f"the command printed over {most} bytes and was stopped (max_output_bytes)"
                running.lane.send_signal(signal.SIGKILL)


def clear(directory: Path) -> bool:
    """Remove the files in the spool of a command; return whether it is empty now."""
    try:
        for name in os.listdir(directory):  # noqa: PTH208 - called for each command
            (directory / name).unlink()
    except OSError:
        shutil.rmtree(directory, ignore_errors=True)
        return False
    return True
