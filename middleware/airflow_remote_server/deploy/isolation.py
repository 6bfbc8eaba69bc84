"""Run untrusted code in a forked process: it may print, fork, hang or exit without harm to the job."""

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
from airflow_remote_server.execution.failures import signal_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import BinaryIO

MAX_RESULT_BYTES = 4 << 20
"""The maximum size of a result, in bytes."""

POLL_SECONDS = 0.01


def run_in_fork(
    work: Callable[[], Any], seconds: float, subject: str, consequence: str = "", close: Iterable[int] = ()
) -> Any:  # JSON
    """Run a function in a forked process, and return its result.

    :param work: returns JSON
    :param seconds: time limit
    :param subject: the file that it imports, for error messages
    :param consequence: the end of error messages
    :param close: descriptors of locks, which the fork must not inherit
    :raises CommandFailed: if the process ended without a result
    """
    with tempfile.TemporaryFile() as file:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if not pid:
            _run_child(work, file, close)
        exit_code = _wait(pid, seconds)
        file.seek(0)
        text = file.read(MAX_RESULT_BYTES + 1)
    if exit_code is None:
        raise CommandFailed(
            f"{subject} did not finish within {seconds:g} s when it was imported "
            f"([rest_api_plugin] deploy_timeout){consequence}"
        )
    with contextlib.suppress(ValueError):
        answer = json.loads(text[:MAX_RESULT_BYTES])
        if exit_code == 0 and isinstance(answer, dict) and answer.get("pid") == pid:
            return answer["result"]
    how = f"by {signal_name(-exit_code)}" if exit_code < 0 else f"with exit code {exit_code}"
    raise CommandFailed(f"{subject} ended the process that imported it, {how}{consequence}")


def _run_child(work: Callable[[], Any], file: BinaryIO, close: Iterable[int]) -> NoReturn:
    """Run the function in the fork, and exit, so that the parent's code does not continue there.

    :param file: receives the result; for the other parameters, see ``run_in_fork``
    """
    pid, exit_code = os.getpid(), 70  # EX_SOFTWARE of sysexits.h
    try:
        for descriptor in close:
            os.close(descriptor)
        os.dup2(2, 1)  # stdout belongs to the command itself
        from airflow_remote_server.integrations.preparation import forget_connections

        forget_connections(close=False)
        result = work()
        if os.getpid() == pid:  # the code may have forked, and then two processes get here
            file.write(json.dumps({"pid": pid, "result": result}).encode())
            file.flush()
            exit_code = 0
    except BaseException:  # noqa: BLE001 - whatever the code raises must not leave the fork
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(exit_code)


def _wait(pid: int, seconds: float) -> int | None:
    """Return a process's exit code, or a negative signal number; None if it was killed at the time limit."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(POLL_SECONDS)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None
