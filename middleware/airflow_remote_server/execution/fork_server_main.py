"""Start the fork server: ``python -m ...execution.fork_server_main SOCKET FINGERPRINT SLOTS MAX WORKERS``.

The process does nothing if another one holds the lock. It listens under a temporary name until it is ready.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from airflow_remote_server.execution.command_index import write_index
from airflow_remote_server.execution.daemonize import daemonize
from airflow_remote_server.execution.fingerprint import current_fingerprint
from airflow_remote_server.execution.fork_server import ForkServer
from airflow_remote_server.execution.preload import freeze_memory, thread_count
from airflow_remote_server.execution.start_failures import StartFailures
from airflow_remote_server.util import locks

LOCK_SECONDS = 1.0
"""How long to try to get the lock: a process that tests it may hold it for a moment."""

BACKLOG = 512


class StartError(Exception):
    """Raised if this process cannot be a fork server; the message is one line for the log."""


def import_airflow(state: Path, fingerprint: str) -> None:
    """Import Airflow, and do the work that each command would otherwise repeat.

    :param state: the state directory
    :param fingerprint: the fingerprint of the configuration
    """
    stdout, sys.stdout = sys.stdout, sys.stderr
    import airflow.__main__  # noqa: F401 - the slow part of every cold command

    from airflow_remote_server.integrations import action_log, triggering_user, watches  # noqa: F401 - see child
    from airflow_remote_server.integrations.base import call_guarded
    from airflow_remote_server.integrations.installed import installed_integration
    from airflow_remote_server.integrations.preparation import warm_up

    warm_up()
    call_guarded(installed_integration().logs_to_stderr, None)
    sys.stdout = stdout
    call_guarded(lambda: write_index(state, fingerprint), None)  # otherwise a web worker builds it


def create_server(options: argparse.Namespace, path: Path, lock: int) -> tuple[ForkServer, Path]:
    """Create the fork server.

    :param options: the arguments of this program
    :param path: path of the socket
    :param lock: descriptor of the lock
    :returns: the server, and the temporary path of its socket
    :raises StartError: if this process cannot be a fork server
    """
    import_airflow(options.slots.parent, options.fingerprint)
    if current_fingerprint() != options.fingerprint:
        raise StartError("the configuration has changed since this fork server was requested")
    if thread_count() > 1:
        raise StartError(
            "Airflow or a plugin started a thread when it was imported, so this process cannot fork"
        )
    freeze_memory()
    temporary = path.with_suffix(f".{os.getpid()}")
    listener = bind_listener(temporary)
    slots = locks.CommandSlots(options.slots, options.most)

    def is_outdated() -> bool:
        return bool(current_fingerprint() != options.fingerprint)

    held = (str(path.with_suffix(".lock")), lock)
    server = ForkServer(slots, held, listener, path, is_outdated, options.workers)
    locks.remove_stale_files(path.parent)
    return server, temporary


def bind_listener(path: Path) -> socket.socket:
    """Return a listening Unix socket that only this user can connect to.

    :param path: its path; a file that is there is replaced
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    old_umask = os.umask(0o177)
    listener.bind(str(path))
    os.umask(old_umask)
    listener.listen(BACKLOG)
    return listener


def exit_failed(reason: str, failures: StartFailures) -> NoReturn:
    """Exit because this process cannot be a fork server. The last line of its log says why.

    :param reason: one line
    :param failures: record it, so that no worker waits for this process
    """
    failures.add(reason)
    print(reason, file=sys.stderr, flush=True)
    os._exit(1)


def main() -> None:
    """Run the fork server, unless another process is the fork server of this socket."""
    parser = argparse.ArgumentParser()
    parser.add_argument("socket", type=Path)
    parser.add_argument("fingerprint")
    parser.add_argument("slots", type=Path)
    parser.add_argument("most", type=int)
    parser.add_argument("workers", type=int)
    options = parser.parse_args()
    path: Path = options.socket
    lock = locks.acquire(path.with_suffix(".lock"), LOCK_SECONDS)
    if lock is None:
        return
    daemonize()
    failures = StartFailures(path.with_suffix(".failed"))
    try:
        server, temporary = create_server(options, path, lock)
    except BaseException as error:  # noqa: BLE001 - a plugin may raise anything, also SystemExit
        traceback.print_exc()
        exit_failed(f"{type(error).__name__}: {error}".splitlines()[0], failures)
    failures.clear()
    temporary.replace(path)  # from here on, clients find the socket
    server.run()
    with contextlib.suppress(OSError):
        path.unlink()
    os._exit(0)


if __name__ == "__main__":
    main()
