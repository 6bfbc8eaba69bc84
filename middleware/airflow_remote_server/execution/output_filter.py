"""A process between a command and the files of its output, which masks the secrets that the request brought.

The command itself forks it, so that the secrets are passed on in memory, and only for a command that has
secrets. It is in its own process group, so that it outlives a command that is killed; it ends after it has
read the last output. The supervisor waits for that before it records the end of the command.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import selectors
import signal
import sys
import traceback
from typing import TYPE_CHECKING, NoReturn

from airflow_remote_server.execution.child import set_title
from airflow_remote_server.execution.spool import FILTER
from airflow_remote_server.util.locks import start_ticks

if TYPE_CHECKING:
    from airflow_remote_server.execution.spool import Spool
    from airflow_remote_server.util.masker import Masker

TITLE = "airflow-remote: masks the output of a command"
BLOCK = 1 << 16
STREAMS = (1, 2)
"""The descriptors of stdout and stderr."""

IGNORED_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that end commands. The filter ends after them, when nothing can print any more."""


def mask_output(spool: Spool, masker: Masker, service: bool) -> int:
    """Put a filter between this process and the files that its stdout and stderr are.

    :param spool: spool of the command
    :param masker: has the secrets
    :param service: whether the command is a service, which goes on when nothing can be written to the disk
    :returns: process ID of the filter
    :raises OSError: if the system allows no more processes, or the spool cannot be written
    """
    pipes = {target: os.pipe() for target in STREAMS}
    pid = os.fork()
    if pid == 0:
        run_filter(pipes, masker, service)
    try:
        # The filter does the same. Whoever is first, it is in the group before the command can be killed.
        os.setpgid(pid, pid)
        spool.write(FILTER, {"pid": pid, "ticks": start_ticks(pid)})
        for target, (_, writing) in pipes.items():
            os.dup2(writing, target)
    finally:
        for pipe in pipes.values():
            for descriptor in pipe:
                os.close(descriptor)
    return pid


def run_filter(pipes: dict[int, tuple[int, int]], masker: Masker, service: bool) -> NoReturn:
    """Copy the output of the command, masked, until no process can write to the pipes any more.

    :param pipes: by the descriptors of stdout and stderr
    :param masker: has the secrets
    :param service: see ``mask_output``
    """
    code = 1
    try:
        os.setpgid(0, 0)
        for number in IGNORED_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        for _, writing in pipes.values():
            os.close(writing)
        targets = {reading: target for target, (reading, _) in pipes.items()}
        _close_others({0, *STREAMS, *targets})
        gc.disable()  # a collection would copy the memory that is shared with the command
        set_title(TITLE)
        _copy(targets, masker, service)
        code = 0
    except BaseException:  # noqa: BLE001 - this process must not go on as the command
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _close_others(kept: set[int]) -> None:
    """Close inherited descriptors: the locks and connections of other processes depend on them."""
    for descriptor in {int(name) for name in os.listdir("/dev/fd")} - kept:  # noqa: PTH208 - numbers, no files
        with contextlib.suppress(OSError):
            os.close(descriptor)


def _copy(targets: dict[int, int], masker: Masker, service: bool) -> None:
    """Copy from pipes to files until the end of each pipe.

    :param targets: the file of each pipe
    """
    with selectors.DefaultSelector() as selector:
        for reading in targets:
            selector.register(reading, selectors.EVENT_READ, masker.stream())
        while selector.get_map():
            for key, _ in selector.select():
                data = os.read(key.fd, BLOCK)
                _write(targets[key.fd], key.data.feed(data, final=not data), service)
                if not data:
                    selector.unregister(key.fd)


def _write(target: int, data: bytes, service: bool) -> None:
    """Write all data.

    :raises OSError: if the disk is full, unless it is the output of a service. Then the filter ends, and the
        command fails when it prints more, as it does without a filter
    """
    try:
        while data:
            data = data[os.write(target, data) :]
    except OSError as error:
        if not service or error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
