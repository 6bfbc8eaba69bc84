"""Find out whether a command has changed its process, so that no later command may run in it."""

from __future__ import annotations

import atexit
import builtins
import gc
import locale
import logging
import os
import resource
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Mapping  # the tables need them at run time
from contextlib import suppress

from airflow_remote_server.execution.preload import thread_count

MOST_NAMES = 5


class ProcessState:
    """What a command could change in its process, apart from the memory of its own objects.

    :param probes: the functions that return the parts of the state, by their names
    """

    def __init__(self, probes: Mapping[str, Callable[[], object]]) -> None:
        self._probes = dict(probes)
        self._values = {name: probe() for name, probe in self._probes.items()}

    def differences(self) -> list[str]:
        """Return the names of the parts that differ now, and for tables also some of the names in them."""
        differing = []
        for name, probe in self._probes.items():
            old, new = self._values[name], probe()
            if new != old:
                differing.append(f"{name}{_changed_keys(old, new)}")
        return differing


def _changed_keys(old: object, new: object) -> str:
    """Return the first names whose values differ, in parentheses; "" for values that have no names."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return ""
    missing = object()
    names = [f"{name}" for name in {**old, **new} if old.get(name, missing) != new.get(name, missing)]
    return f" ({', '.join(names[:MOST_NAMES])})"


def has_children() -> bool:
    """Return whether this process has a child, ended or not. Orphans become children of a subreaper."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def open_files() -> tuple[tuple[str, str], ...]:
    """Return the open descriptors, with what each refers to."""
    files = []
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - called after every command
        with suppress(OSError):  # the descriptor of the directory itself
            files.append((name, os.readlink(f"/proc/self/fd/{name}")))  # noqa: PTH115 - as above
    return tuple(sorted(files))


def umask() -> int:
    """Return the file mode creation mask."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def signal_handlers() -> tuple[object, ...]:
    """Return the handlers of all signals, the blocked signals, and the timers."""
    handlers = tuple(signal.getsignal(number) for number in signal.valid_signals())
    timers = tuple(signal.getitimer(number) for number in (signal.ITIMER_REAL, signal.ITIMER_PROF))
    return (*handlers, frozenset(signal.pthread_sigmask(signal.SIG_BLOCK, ())), timers)


def logging_configuration() -> tuple[object, ...]:
    """Return the configuration of all loggers and their handlers."""
    manager = logging.Logger.manager
    loggers = [
        logging.root,
        *(item for item in manager.loggerDict.values() if isinstance(item, logging.Logger)),
    ]
    described = [
        (
            logger.name,
            logger.level,
            logger.disabled,
            logger.propagate,
            tuple(logger.filters),
            tuple(
                (
                    handler,
                    handler.level,
                    handler.formatter,
                    tuple(handler.filters),
                    getattr(handler, "stream", None),
                )
                for handler in logger.handlers
            ),
        )
        for logger in loggers
    ]
    return (
        described,
        manager.disable,
        manager.loggerClass,
        logging.getLogRecordFactory(),
        logging.raiseExceptions,
        logging.lastResort,
    )


def interpreter_settings() -> tuple[object, ...]:
    """Return the settings and hooks of the interpreter."""
    return (
        sys.excepthook,
        sys.displayhook,
        sys.unraisablehook,
        threading.excepthook,
        sys.gettrace(),
        sys.getprofile(),
        sys.getrecursionlimit(),
        sys.getswitchinterval(),
        sys.dont_write_bytecode,
        gc.isenabled(),
        gc.get_threshold(),
        list(gc.callbacks),
        getattr(atexit, "_ncallbacks", int)(),
        socket.getdefaulttimeout(),
        tempfile.tempdir,
        time.tzname,
        locale.setlocale(locale.LC_ALL),
    )


def process_limits() -> tuple[object, ...]:
    """Return the resource limits, the priority, and the user and groups of this process."""
    limits = [
        resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT_")
    ]
    priority = os.getpriority(os.PRIO_PROCESS, 0)
    return (limits, priority, os.getuid(), os.geteuid(), os.getgid(), os.getegid(), os.getgroups())


def imported_modules() -> dict[str, object]:
    """Return the imported modules, except for those that are a part of the interpreter itself."""
    return {name: module for name, module in sys.modules.items() if name not in BUILT_IN}


OPEN_FILES = "open files"

BUILT_IN = frozenset(sys.builtin_module_names)

OWN: dict[str, Callable[[], object]] = {
    "threads": thread_count,
    "children": has_children,
    OPEN_FILES: open_files,
    "working directory": os.getcwd,
    "umask": umask,
    "signal handlers": signal_handlers,
    "arguments": lambda: list(sys.argv),
    "standard streams": lambda: (sys.stdin, sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__),
    "process limits": process_limits,
}
"""The parts of the state that each process has of its own."""

INHERITED: dict[str, Callable[[], object]] = {
    "environment": lambda: dict(os.environ),
    "logging": logging_configuration,
    "warnings": lambda: (list(warnings.filters), warnings.showwarning, warnings.formatwarning),
    "import path": lambda: (list(sys.path), list(sys.meta_path), list(sys.path_hooks)),
    "modules": imported_modules,
    "builtins": lambda: dict(vars(builtins)),
    "interpreter settings": interpreter_settings,
}
"""The parts that a forked process has in common with its parent, which examines them once for all.

The state of Airflow's own modules is examined by ``integrations.process_state``.
"""
