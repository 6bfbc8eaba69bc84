"""Call Airflow's own ``main`` in the process of a command, and keep its output clean."""

from __future__ import annotations

import importlib
import runpy
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_remote_server.errors import ApiError
from airflow_remote_server.execution.spool import BATCH_PROGRAM
from airflow_remote_server.integrations.confirmation import NOTHING_DONE, QuestionAsked, end_at_question
from airflow_remote_server.util.installed_code import is_user_code

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

try:
    from setproctitle import setproctitle
except ImportError:
    setproctitle = None

MODULES = frozenset({"airflow.utils.serve_logs", "airflow.utils.serve_logs.core"})
"""Modules of Airflow that may run as programs."""

OPERATIONS = {"airflow-remote-server": "airflow_remote_server.deploy.main"}
"""Our own programs and the module of each, whose ``main`` takes the arguments and returns a warning."""

BATCH_MODULE = "airflow_remote_server.batch.main"
"""The module of our program that runs other commands. It opens no connection and logs nothing itself."""

PACKAGE = str(Path(__file__).parent)

OURS = "airflow_remote_server."
EXIT_MODULE = "_sitebuiltins"
"""The module of ``exit``, which is written in Python, unlike ``sys.exit``."""


def load_program(
    program: str, argv: list[str], logged: Sequence[str] = (), principal: str = "", preview: bool = False
) -> Callable[[], object]:
    """Import a program and return its main function.

    Airflow creates its log handlers for the sys.stdout of its import. They get stderr, so that stdout has
    only what the command prints for its user.

    :param program: as in ``Command.program``
    :param argv: the arguments
    :param logged: the arguments for Airflow's audit log, secrets masked
    :param principal: the user for Airflow's audit log
    :param preview: whether to end the command when it asks for confirmation
    :raises ValueError: if the program is unknown
    """
    sys.argv = [program, *argv]
    if preview:
        end_at_question()
    if program in MODULES:
        return lambda: runpy.run_module(program, run_name="__main__", alter_sys=True)
    if program not in ("airflow", BATCH_PROGRAM, *OPERATIONS):
        raise ValueError(f"unknown program {program!r}")
    stdout, sys.stdout = sys.stdout, sys.stderr
    try:
        from airflow.__main__ import main

        if program == BATCH_PROGRAM:
            batch: Callable[[list[str]], str] = importlib.import_module(BATCH_MODULE).main
            return lambda: batch(argv)

        from airflow_remote_server.integrations import action_log
        from airflow_remote_server.integrations.base import call_guarded
        from airflow_remote_server.integrations.installed import installed_integration
        from airflow_remote_server.integrations.triggering_user import set_triggering_user
        from airflow_remote_server.integrations.watches import start_watch

        call_guarded(installed_integration().logs_to_stderr, None)
        call_guarded(lambda: action_log.set_user(principal), None)
        if program == "airflow":
            action_log.hide_arguments([program, *logged])
            call_guarded(lambda: set_triggering_user(argv, principal), None)
        if argv[:2] == ["variables", "export"]:
            call_guarded(installed_integration().export_to_stdout, None)
        if program == "airflow":
            watch = start_watch(argv)
            return main if watch is None else warn_afterward(main, watch)
        operation: Callable[[list[str]], str] = importlib.import_module(OPERATIONS[program]).main

        def log_and_run() -> str:
            action_log.log_action([program, *logged])
            return operation(argv)

        return log_and_run
    finally:
        sys.stdout = stdout


def warn_afterward(main: Callable[[], object], watch: Callable[[], str]) -> Callable[[], str]:
    """Wrap a main function: return the warning of a watch once it has ended."""

    def run() -> str:
        main()
        return watch()

    return run


def log_failure() -> None:
    """Log in Airflow's audit log that the command failed, if Airflow has logged its beginning."""
    if "airflow" in sys.modules:
        from airflow_remote_server.integrations import action_log
        from airflow_remote_server.integrations.base import call_guarded

        call_guarded(action_log.log_failure, None)


def call_main(function: Callable[[], object]) -> dict[str, Any]:
    """Call the main function of a program as Python would, and report its end.

    :param function: may return a warning or anything else, and may raise anything
    :returns: the content of ``result.json``
    """
    try:
        returned = function()
    except QuestionAsked:
        returned = NOTHING_DONE
    except SystemExit as error:
        code = error.code
        message = "" if code is None or isinstance(code, int) else str(code)
        if message:
            print(message, file=sys.stderr)
        exit_code = code if isinstance(code, int) else int(bool(message))
        return {"exit_code": exit_code & 0xFF, **describe_exception(error, message)}
    except ApiError as error:
        print(error.message, file=sys.stderr)
        return {"exit_code": 1, **describe_exception(error, error.message)}
    except BaseException as error:  # noqa: BLE001 - a command may raise anything
        described = describe_exception(error, str(error))
        if described["raised_in"].startswith(OURS) and "AirflowException" in described["exceptions"][0]:
            print(error, file=sys.stderr)  # such as DagNotFound, which our own operations raise
        else:
            print_traceback(error)
        return {"exit_code": 1, **described}
    warning = returned if isinstance(returned, str) else ""
    return {"exit_code": 0, "exceptions": [], "raised_in": "", "in_user_code": False, "message": warning}


def print_traceback(error: BaseException) -> None:
    """Print the traceback of an exception as a local command would: it starts in Airflow."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(PACKAGE):
        frames = frames.tb_next
    traceback.print_exception(type(error), error, frames)


def describe_exception(error: BaseException, message: str) -> dict[str, Any]:
    """Return what the server needs to know about an exception.

    :param error: the exception that ended the command
    :param message: text for the user
    """
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    names = [[base.__name__ for base in type(link).__mro__ if base is not object] for link in chain]
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    if frames and frames[-1].f_globals.get("__name__") == EXIT_MODULE:
        frames.pop()
    raised_in = f"{frames[-1].f_globals.get('__name__', '')}.{frames[-1].f_code.co_name}" if frames else ""
    in_user_code = any(is_user_code(frame.f_code.co_filename) for frame in frames)
    return {
        "exceptions": names,
        "raised_in": raised_in,
        "in_user_code": in_user_code,
        "message": message,
        "cause": describe_cause(error),
    }


def describe_cause(error: BaseException) -> str:
    """Return the class and the text of the first exception, which led to another; "" if there is no other.

    Python also chains an exception to the one that was being handled. That one is a cause only if Airflow's
    own exceptions, or the exit, replace it.

    :param error: the exception that ended the command
    """
    first, seen = error, {id(error)}
    while True:
        replaces = isinstance(first, SystemExit) or type(first).__module__.startswith("airflow.")
        context = first.__context__ if replaces and not first.__suppress_context__ else None
        earlier = first.__cause__ or context
        if earlier is None or id(earlier) in seen:
            break
        seen.add(id(earlier))
        first = earlier
    return "" if first is error else f"{type(first).__name__}: {first}".removesuffix(": ")


def set_title(title: str) -> None:
    """Show a command line in the process list, if setproctitle is installed.

    :param title: the command line, secrets masked
    """
    if setproctitle is not None:
        setproctitle(title)
