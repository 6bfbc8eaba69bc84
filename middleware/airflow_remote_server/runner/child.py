"""Inside the process that runs one command: Airflow's own ``main``, with its output kept clean."""

from __future__ import annotations

import runpy
import sys
import sysconfig
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_remote_server.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MODULES = frozenset({"airflow.utils.serve_logs", "airflow.utils.serve_logs.core"})
"""The modules that may be run as programs."""

INSTALLED = (
    *{sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")},
    str(Path(__file__).parents[1]),
)
"""Where code that is not a user's (a DAG's, a plugin's) comes from."""


HERE = str(Path(__file__).parent)

TESTED_TASK_FAILED = "the task failed; `tasks test` of this Airflow exits with 0 all the same"


def load(
    program: str, argv: list[str], logged: Sequence[str] = (), principal: str = ""
) -> Callable[[], object]:
    """Import a program, and make it ready to be called.

    Airflow's log handlers are made while it is imported, for the sys.stdout of that moment: give them
    stderr, so that stdout is left to what the command prints for its user.

    :param program: as ``Command.program``
    :param argv: its arguments
    :param logged: the same for Airflow's audit log, secrets masked
    :param principal: who asked for it, for the audit log
    :raises ValueError: for an unknown program
    """
    sys.argv = [program, *argv]
    if program in MODULES:
        return lambda: runpy.run_module(program, run_name="__main__", alter_sys=True)
    if program not in ("airflow", "airflow-remote-server"):
        raise ValueError(f"unknown program {program!r}")
    stdout, sys.stdout = sys.stdout, sys.stderr
    try:
        from airflow.__main__ import main

        from airflow_remote_server.integrations import action_log, installed

        installed().logs_to_stderr()
        action_log.sign(principal)
        if program == "airflow":
            action_log.hide([program, *logged])
        if argv[:2] == ["tasks", "test"]:
            return warn_of_failure(main, installed().watch_tested_task())
        if program == "airflow":
            return main  # type: ignore[no-any-return]  # Airflow is not typed here
        from airflow_remote_server.actions import main as action

        def noted() -> None:
            action_log.note([program, *logged])
            action(argv)

        return noted
    finally:
        sys.stdout = stdout


def warn_of_failure(main: Callable[[], object], failed: Callable[[], bool]) -> Callable[[], str]:
    """A main function that returns a warning when a task failed and the exit code hides it."""

    def run() -> str:
        main()
        return TESTED_TASK_FAILED if failed() else ""

    return run


def call(function: Callable[[], object]) -> dict[str, Any]:
    """Call a program's main function as Python itself would, and tell how it ended.

    :param function: it returns a warning or anything else, or raises SystemExit or anything else
    :returns: the content of ``result.json``
    """
    try:
        said = function()
    except SystemExit as error:
        code = error.code
        message = "" if code is None or isinstance(code, int) else str(code)
        if message:
            print(message, file=sys.stderr)
        exit_code = code if isinstance(code, int) else int(bool(message))
        return {"exit_code": exit_code & 0xFF, **describe(error, message)}
    except ApiError as error:
        print(error.message, file=sys.stderr)
        return {"exit_code": 1, **describe(error, error.message)}
    except BaseException as error:
        frames = error.__traceback__
        while frames is not None and frames.tb_frame.f_code.co_filename.startswith(HERE):
            frames = frames.tb_next  # a local command's traceback begins in Airflow
        traceback.print_exception(type(error), error, frames)
        return {"exit_code": 1, **describe(error, str(error))}
    warning = said if isinstance(said, str) else ""
    return {"exit_code": 0, "exceptions": [], "raised_in": "", "in_user_code": False, "message": warning}


def describe(error: BaseException, message: str) -> dict[str, Any]:
    """What the server needs to know of an exception.

    :param error: the exception that ended the command
    :param message: its text for the user
    """
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    names = [[base.__name__ for base in type(link).__mro__ if base is not object] for link in chain]
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    raised_in = f"{frames[-1].f_globals.get('__name__', '')}.{frames[-1].f_code.co_name}" if frames else ""
    files = [frame.f_code.co_filename for frame in frames]
    # Generated and compiled code has no absolute path; it is a library's.
    users = any(Path(file).is_absolute() and not file.startswith(INSTALLED) for file in files)
    return {"exceptions": names, "raised_in": raised_in, "in_user_code": users, "message": message}


def set_title(title: str) -> None:
    """Show a command line in the process list, where Airflow's setproctitle is there.

    :param title: secrets masked
    """
    try:
        from setproctitle import setproctitle
    except ImportError:
        return
    setproctitle(title)
