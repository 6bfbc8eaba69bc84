"""Airflow's own audit log of commands (its table ``log``): who ran what, with nothing secret in it.

Airflow writes it before a command begins, from sys.argv, and masks the words that it knows
(``airflow.utils.cli._build_metrics``): not ``conn_extra``, the ``conf`` of a run, or a variable's value. The
names used here are the same in Airflow 2.11 and 3.3.
"""

from __future__ import annotations

import argparse
import logging
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

log = logging.getLogger(__name__)

OWNER = "airflow-remote:"
"""What stands before the principal's name in the column ``owner``, where a local user's name would be."""


def hide(shown: Sequence[str]) -> None:
    """Let what Airflow's ``main`` calls find a masked command line in sys.argv, once it has been parsed.

    :param shown: the words of the command line, the program's name first
    """
    original: Callable[..., Any] = argparse.ArgumentParser.parse_args

    def parse_args(self: argparse.ArgumentParser, *given: Any, **more: Any) -> Any:
        argparse.ArgumentParser.parse_args = original  # type: ignore[method-assign]
        parsed = original(self, *given, **more)
        sys.argv = list(shown)
        return parsed

    argparse.ArgumentParser.parse_args = parse_args  # type: ignore[method-assign]


def sign(principal: str) -> None:
    """Let the log name who asked for the command, in place of the webserver's user.

    :param principal: its name
    """
    from airflow.utils import cli_action_loggers

    callbacks: list[Callable[..., None]] = vars(cli_action_loggers)["__pre_exec_callbacks"]
    callbacks[:] = [_signed(callback, principal) for callback in callbacks]


def _signed(callback: Callable[..., None], principal: str) -> Callable[..., None]:
    def signed(**metrics: Any) -> None:
        callback(**{**metrics, "user": f"{OWNER}{principal}"})

    return signed


def note(shown: Sequence[str]) -> None:
    """Log a command that is not Airflow's own.

    :param shown: the words of its command line, the program's name first, secrets masked
    """
    from airflow.utils import cli, cli_action_loggers

    before, sys.argv = sys.argv, list(shown)
    try:
        metrics = cli._build_metrics(f"rest_api_{shown[1].replace('-', '_')}", argparse.Namespace())
        cli_action_loggers.on_pre_execution(**metrics)
    except Exception:  # as Airflow itself: what cannot be logged is done all the same
        log.exception("Airflow's audit log cannot be written")
    finally:
        sys.argv = before
