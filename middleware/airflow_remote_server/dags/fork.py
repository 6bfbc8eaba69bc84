"""Code that is not ours, run in a process of its own: what it prints, how it ends and how long it takes is
nothing that the process which deploys can be harmed by.

A file may end the process that imports it, fork, print, or never come to an end.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_remote_server.errors import CommandFailed
from airflow_remote_server.runner.failures import signal_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import BinaryIO

MOST_BYTES = 4 << 20
"""Longest answer that is read."""

PAUSE_SECONDS = 0.01


def apart(
    work: Callable[[], Any], seconds: float, what: str, so: str = "", closing: Iterable[int] = ()
) -> Any:
    """Do some work in a fork, and return what it gives.

    :param work: gives JSON
    :param seconds: it may take
    :param what: the file that it is about, for the message
    :param so: what follows from it when it comes to nothing, for the message
    :param closing: descriptors of locks, which the fork must not hold
    :raises CommandFailed: when it came to nothing
    """
    with tempfile.TemporaryFile() as answer:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if not pid:
            _work(work, answer, closing)
        code = _wait(pid, seconds)
        answer.seek(0)
        text = answer.read(MOST_BYTES + 1)
    if code is None:
        raise CommandFailed(
            f"{what} did not come to an end within {seconds:g} s when it was imported "
            f"([rest_api_plugin] deploy_timeout){so}"
        )
    with contextlib.suppress(ValueError):
        found = json.loads(text[:MOST_BYTES])
        if code == 0 and isinstance(found, dict) and found.get("pid") == pid:
            return found["given"]
    how = f"by {signal_name(-code)}" if code < 0 else f"with exit code {code}"
    raise CommandFailed(f"{what} ended the process that imported it, {how}{so}")


def _work(work: Callable[[], Any], answer: BinaryIO, closing: Iterable[int]) -> NoReturn:
    """What the fork does; nothing of the code that called it runs on there."""
    pid, code = os.getpid(), 70  # EX_SOFTWARE of sysexits.h
    try:
        for descriptor in closing:
            os.close(descriptor)
        os.dup2(2, 1)  # stdout is for what the command says
        from airflow_remote_server.integrations.warm import forget_connections

        forget_connections(close=False)
        given = work()
        if os.getpid() == pid:  # the code may have forked, and two of us come out of it
            answer.write(json.dumps({"pid": pid, "given": given}).encode())
            answer.flush()
            code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _wait(pid: int, seconds: float) -> int | None:
    """The exit code of a fork; minus a signal's number when that ended it, None when it took too long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(PAUSE_SECONDS)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None
