"""Run a command in a process that was forked from its supervisor."""

from __future__ import annotations

import atexit
import contextlib
import io
import logging
import os
import random
import sys
import threading
import time
import traceback
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_remote_server.execution.child import call_main, load_program, log_failure, set_title
from airflow_remote_server.execution.output_filter import mask_output
from airflow_remote_server.execution.spool import FILES, JOB, MODULES, PROCESS, RESULT, STDERR, STDOUT
from airflow_remote_server.util.file_queue import FileQueue
from airflow_remote_server.util.installed_code import is_library
from airflow_remote_server.util.locks import start_ticks
from airflow_remote_server.util.masker import Masker
from airflow_remote_server.util.process_tree import become_subreaper, descendants, kill

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_remote_server.execution.spool import Spool

IMPORTS = "imports"
"""Directory of the queue of cold imports, below the state directory."""

IMPORT_WAIT_SECONDS = 60.0
"""The maximum time that a cold command waits for others to import Airflow."""


def detach_from_supervisor(service: bool = False) -> None:
    """Create a session for a new fork, and drop the database connections of its supervisor.

    :param service: whether the command is a service, which would never reap orphans; its supervisor reaps
        them
    """
    os.setsid()
    if not service:
        become_subreaper()
    if "airflow.settings" in sys.modules:
        from airflow_remote_server.integrations.preparation import forget_connections

        forget_connections(close=False)


def run_command(spool: Spool, job: dict[str, Any] | None = None) -> NoReturn:
    """Run a command in this process and exit. The supervisor's own code never continues in this process.

    :param spool: spool of the command, which the supervisor has claimed
    :param job: the content of ``job.json``, if the caller has read it
    """
    code = 70  # EX_SOFTWARE of sysexits.h
    output_filter = 0
    try:
        job = job or spool.read(JOB)
        command = begin_command(spool, job)
        masker = Masker(command.pop("secrets"))
        if masker:
            output_filter = mask_output(spool, masker, job["service"])
        module_count = len(sys.modules)
        result = call_command(spool, command)
        code = result["exit_code"]
        result["message"] = masker.mask(result["message"])
        result["cause"] = masker.mask(result.get("cause", ""))
        run_exit_handlers()
        report_result(spool, result, module_count)
    except BaseException:  # noqa: BLE001 - whatever happens, this process must exit
        traceback.print_exc()
    finally:
        exit_process(code, output_filter)


def begin_command(spool: Spool, job: dict[str, Any]) -> dict[str, Any]:
    """Make this process the process of a command.

    :param spool: spool of the command
    :param job: the content of ``job.json``
    :returns: the content of ``command.json``
    :raises OSError: if the spool cannot be read or written
    """
    redirect_streams(spool.path)
    pid = os.getpid()
    spool.write(PROCESS, {"pid": pid, "began": time.time(), "ticks": start_ticks(pid)})
    os.chdir(spool.path / FILES if spool.has(FILES) else spool.path)
    set_title(job["title"])
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    return spool.take_command()


def call_command(spool: Spool, command: dict[str, Any]) -> dict[str, Any]:
    """Call the main function of a command.

    :param spool: spool of the command
    :param command: the arguments of ``load_program``
    :returns: the content of ``result.json``
    """
    result = call_main(lambda: import_program(spool, command)())
    if result["exit_code"]:
        log_failure()
    return result


def report_result(spool: Spool, result: dict[str, Any], module_count: int) -> None:
    """Write the report of a command. If the disk is full, only the exit code is reported.

    :param spool: spool of the command
    :param result: the content of ``result.json``
    :param module_count: number of modules before the command
    """
    with contextlib.suppress(OSError):
        spool.write(RESULT, result)
        report_modules(spool, module_count)


def exit_process(code: int, output_filter: int = 0) -> NoReturn:
    """Exit, and kill the processes that the command leaves behind.

    :param code: the exit code
    :param output_filter: process ID of the filter, which ends by itself; 0 if there is none
    """
    try:
        flush_streams()
        logging.shutdown()
        for pid in descendants(os.getpid()).keys() - {output_filter}:
            kill(pid)  # the supervisor does the same, if it still runs
    finally:
        os._exit(code)


def import_program(spool: Spool, command: dict[str, Any]) -> Callable[[], object]:
    """Import the program of a command, and return its main function.

    A cold import of Airflow takes seconds of a processor. So as many processes import as there are
    processors, in the order in which they arrive: more would all be late.

    :param spool: spool of the command
    :param command: the arguments of ``load_program``
    :raises ValueError: if the program is unknown
    """
    if "airflow.__main__" in sys.modules:
        return load_program(**command)
    state = spool.path.parents[1]
    with FileQueue(state / IMPORTS, len(os.sched_getaffinity(0))).turn(IMPORT_WAIT_SECONDS):
        return load_program(**command)


def redirect_streams(directory: Path) -> None:
    """Redirect stdin to nothing, and stdout and stderr to the files of the command.

    Log handlers keep the sys.stderr of their creation, so the descriptors below the objects change.
    """
    for target, path, flags in (
        (0, Path(os.devnull), os.O_RDONLY),
        (1, directory / STDOUT, os.O_WRONLY | os.O_CREAT | os.O_APPEND),
        (2, directory / STDERR, os.O_WRONLY | os.O_CREAT | os.O_APPEND),
    ):
        descriptor = os.open(path, flags, 0o600)
        os.dup2(descriptor, target)
        os.close(descriptor)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)  # as on a terminal: followers see each line at once


def run_exit_handlers() -> None:
    """Join threads and run exit handlers, as the interpreter does when it exits, before the end is reported.

    Pools of idle threads end only when they learn that the interpreter exits (``threading``,
    ``concurrent.futures.thread``). CPython has no public functions for this; a missing one is skipped, and
    ``test_command_process`` pins both.
    """
    for module, name in ((threading, "_shutdown"), (atexit, "_run_exitfuncs")):
        try:
            getattr(module, name, lambda: None)()
        except BaseException:  # noqa: BLE001 - an exit handler may raise anything
            traceback.print_exc()
    flush_streams()
    logging.shutdown()


def report_modules(spool: Spool, module_count: int) -> None:
    """Write the installed modules that the command had to import; the fork server preloads them.

    Code of a DAG, a plugin or another user is never among them. Only new modules are examined: examining one
    changes its reference count, so the system copies its memory page.

    :param spool: spool of the command
    :param module_count: number of modules before the command
    """
    imported = []
    for name in islice(reversed(sys.modules), max(0, len(sys.modules) - module_count)):
        file = getattr(sys.modules[name], "__file__", None)
        if isinstance(file, str) and is_library(file):
            imported.append(name)
    if imported:
        spool.write(MODULES, imported[::-1])


def flush_streams() -> None:
    """Flush buffered output."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
