"""From a fork of a keeper to a command: what a process does between the fork and its end."""

from __future__ import annotations

import atexit
import contextlib
import io
import logging
import os
import random
import sys
import sysconfig
import threading
import time
import traceback
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from airflow_remote_server.runner.child import call, load, set_title
from airflow_remote_server.runner.folder import FILES, JOB, MODULES, PROCESS, RESULT, STDERR, STDOUT
from airflow_remote_server.runner.locks import start_ticks
from airflow_remote_server.runner.offspring import descendants, gather_orphans, kill

if TYPE_CHECKING:
    from airflow_remote_server.runner.folder import Folder

SITE = tuple({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})


def leave_keeper(service: bool = False) -> None:
    """Make a session of its own for a fresh fork, and forget the database connections of its keeper.

    :param service: it may run for months, and would never wait for orphans: they are left to the keeper
    """
    os.setsid()
    if not service:
        gather_orphans()
    if "airflow.settings" in sys.modules:
        from airflow_remote_server.integrations.warm import forget_connections

        forget_connections(close=False)


def become_command(folder: Folder) -> NoReturn:
    """Run a command in this process, which is a fork of its keeper and has left it, and end.

    Whatever happens, nothing of the keeper's own code runs on after this.

    :param folder: of the command, which the keeper has claimed
    """
    code = 70  # EX_SOFTWARE of sysexits.h
    try:
        redirect(folder.path)
        pid = os.getpid()
        folder.write(PROCESS, {"pid": pid, "began": time.time(), "ticks": start_ticks(pid)})
        os.chdir(folder.path / FILES if folder.has(FILES) else folder.path)
        set_title(folder.read(JOB)["title"])
        command = folder.take_command()
        random.seed()
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed()
        before = len(sys.modules)
        result = call(lambda: load(**command)())
        code = result["exit_code"]
        finish()
        with contextlib.suppress(OSError):  # on a full disk, the exit code still tells how it ended
            folder.write(RESULT, result)
            report_modules(folder, before)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            flush()
            for pid in descendants(os.getpid()):  # the keeper does this as well, if it still lives
                kill(pid)
        finally:
            os._exit(code)


def redirect(folder: Path) -> None:
    """Point stdin, stdout and stderr to nothing and to the command's files, under the keeper's own objects.

    Log handlers keep sys.stderr as it was when they were made; the descriptor below it is what changes.
    """
    for target, path, flags in (
        (0, Path(os.devnull), os.O_RDONLY),
        (1, folder / STDOUT, os.O_WRONLY | os.O_CREAT | os.O_APPEND),
        (2, folder / STDERR, os.O_WRONLY | os.O_CREAT | os.O_APPEND),
    ):
        descriptor = os.open(path, flags, 0o600)
        os.dup2(descriptor, target)
        os.close(descriptor)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)  # as on a terminal: who follows it sees each line at once


def finish() -> None:
    """Do what the interpreter does at its end, before anybody is told of it: wait for threads, say goodbye.

    Pools of idle threads end only when they are told that the interpreter does (``threading``,
    ``concurrent.futures.thread``).
    """
    for end in (threading._shutdown, atexit._run_exitfuncs):  # type: ignore[attr-defined]
        try:
            end()
        except BaseException:
            traceback.print_exc()
    flush()


def report_modules(folder: Folder, before: int) -> None:
    """Write down which installed modules had to be imported: the host imports them for the next command.

    A DAG's, a plugin's or any other code of a user's is never among them. Only the newest modules are looked
    at: to look at one is to write its reference count, for which the system copies the page that it is in.

    :param before: how many modules there were
    """
    found = []
    for name in islice(reversed(sys.modules), max(0, len(sys.modules) - before)):
        file = getattr(sys.modules[name], "__file__", None)
        if isinstance(file, str) and file.startswith(SITE):
            found.append(name)
    if found:
        folder.write(MODULES, found[::-1])


def flush() -> None:
    """Write out what is still buffered."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
    logging.shutdown()
