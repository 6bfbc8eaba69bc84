"""Airflow's audit log of commands (its table ``log``): who ran which command, without secrets.

Airflow writes it before a command begins, from sys.argv, and masks only the words that it knows
(``airflow.utils.cli._build_metrics``), not ``conn_extra``, the ``conf`` of a run, or the value of a
variable. The names used here are the same in Airflow 2.7 to 3.3.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_remote_server.integrations.patches import on_undo, set_attribute

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)

OWNER_PREFIX = "airflow-remote:"
"""The prefix of the principal's name in the column ``owner``, which otherwise holds a local user name."""

FAILED = "_failed"
LONGEST_NAME = 60 - len("cli_")
"""The maximum length of a command's name: the column ``event`` has 60 characters."""

_logged: list[tuple[Callable[..., None], dict[str, Any]]] = []
"""What was logged in this process: the callback of Airflow, and its arguments."""


def hide_arguments(masked: Sequence[str]) -> None:
    """Replace sys.argv with a masked command line as soon as Airflow's ``main`` has parsed it.

    :param masked: the words of the command line, beginning with the program
    """
    original: Callable[..., Any] = argparse.ArgumentParser.parse_args

    def parse_args(self: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> Any:
        argparse.ArgumentParser.parse_args = original  # type: ignore[method-assign]
        parsed = original(self, *args, **kwargs)
        sys.argv = list(masked)
        return parsed

    set_attribute(argparse.ArgumentParser, "parse_args", parse_args)


def set_user(principal: str) -> None:
    """Log the principal that requested the command instead of the webserver's user.

    :param principal: its name
    """
    from airflow.utils import cli_action_loggers

    callbacks: list[Callable[..., None]] = vars(cli_action_loggers)["__pre_exec_callbacks"]
    original = list(callbacks)
    callbacks[:] = [_with_user(callback, principal) for callback in original]
    on_undo(lambda: callbacks.__setitem__(slice(None), original))
    on_undo(_logged.clear)


def _with_user(callback: Callable[..., None], principal: str) -> Callable[..., None]:
    def log_with_user(**metrics: Any) -> None:
        metrics = {**metrics, "user": f"{OWNER_PREFIX}{principal}"}
        _logged.append((callback, metrics))
        callback(**metrics)

    return log_with_user


def log_failure() -> None:
    """Log that a command failed which was logged when it began, as the event ``cli_NAME_failed``.

    The database may be the reason of the failure, so a row that cannot be written is not reported again.
    """
    from airflow.utils import cli_action_loggers

    logger, begun = logging.getLogger(cli_action_loggers.__name__), list(_logged)
    _logged.clear()
    disabled, logger.disabled = logger.disabled, True
    try:
        for callback, metrics in begun:
            name = f"{metrics['sub_command']}"[: LONGEST_NAME - len(FAILED)]
            callback(**{**metrics, "sub_command": f"{name}{FAILED}"})
    finally:
        logger.disabled = disabled


def log_action(masked: Sequence[str]) -> None:
    """Log a command that is not one of Airflow's.

    :param masked: the words of its command line, beginning with the program, secrets masked
    """
    from airflow.utils import cli, cli_action_loggers

    original, sys.argv = sys.argv, list(masked)
    try:
        name = f"rest_api_{masked[1].replace('-', '_')}"
        metrics = cli._build_metrics(name, argparse.Namespace())  # noqa: SLF001 - guarded here
        cli_action_loggers.on_pre_execution(**metrics)
    except Exception:  # like Airflow, which also runs commands that it cannot log
        log.exception("Cannot write to Airflow's audit log")
    finally:
        sys.argv = original
