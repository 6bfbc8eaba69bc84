"""Follow a DAG run to its end, and exit with a status that says how it ended.

Help and completion do not import this module: it needs the modules that send requests.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_remote.api import task_log
from airflow_remote.api.run_watch import Pace, has_ended, states_of, watch
from airflow_remote.api.task_log import RunLogs
from airflow_remote.cli.console import one_line
from airflow_remote.cli.run_display import RunDisplay, make_display
from airflow_remote.cli.run_texts import command_line, find_reason
from airflow_remote.errors import (
    ArgumentsError,
    ClosedPipeError,
    LocalFileError,
    RemoteError,
    UnsupportedError,
)
from airflow_remote.exit_status import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_remote.api.runs import RunsApi
    from airflow_remote.cli.context import CliContext
    from airflow_remote.models import Result

STALL_SECONDS = 10.0
"""How long nothing may happen before the server is asked why."""
WAITING = ("running", "queued", "retry_waiting")
"""Kinds of problems that are none: the states show them."""


@dataclass(frozen=True)
class Following:
    """How to follow a run.

    :param logs: whether to print the logs of the tasks
    :param timeout: seconds after which to give up; None for never
    :param to_stderr: whether states are printed to standard error
    :param logs_to_stderr: whether logs are printed to standard error
    :param live: whether to show a table if the states are shown on a terminal
    """

    logs: bool = False
    timeout: float | None = None
    to_stderr: bool = False
    logs_to_stderr: bool = False
    live: bool = True


def follow_triggered(
    context: CliContext, result: Result, dag_id: str, following: Following, run_id: str | None = None
) -> int:
    """Follow the run that a command has created.

    :param result: the result of the command
    :param dag_id: the DAG
    :param run_id: the run; None if only the result tells it
    :returns: the exit status
    :raises RemoteError: see ``follow_run``
    """
    run_id = result.dag_run_id or run_id
    if run_id is None:
        hint = command_line("runs", "list", dag_id)
        raise UnsupportedError(f"the server did not say which run was created; see `{hint}`", result)
    return exit_status_of_run(follow_run(context, dag_id, run_id, following))


def follow_run(
    context: CliContext, dag_id: str, run_id: str | None, following: Following
) -> Mapping[str, Any]:
    """Show a run until it has ended; if it has failed, say why.

    :param context: the global options
    :param dag_id: the DAG
    :param run_id: the run; None for the latest one
    :param following: what to show, and how long
    :returns: the run at its end
    :raises WatchTimeoutError: if it does not end in time
    :raises RemoteError: if the server can no longer be reached
    """
    context.job = None
    display = make_display(following.to_stderr, following.logs_to_stderr, following.live)
    with context.client(display.note).open_runs() as runs_api:
        if run_id is None:
            run_id = str(runs_api.get(dag_id, None)["run_id"])
        again = command_line("runs", "watch", dag_id, run_id)
        context.continues = f"the run continues on the server; to follow it again: {again}"
        follower = Follower(runs_api, display, following)
        run: Mapping[str, Any] = {}
        try:
            for run in watch(lambda: runs_api.get(dag_id, run_id), follower.pace):
                follower.update(run)
            follower.finish(run)
        except (ArgumentsError, ClosedPipeError, LocalFileError):
            raise
        except RemoteError as error:
            error.append(f"; to follow it again: {again}")
            raise
        context.continues = ""
        return run


def exit_status_of_run(run: Mapping[str, Any]) -> int:
    """Return the exit status for a run that has ended."""
    return ExitStatus.OK if run["state"] == "success" else ExitStatus.FAILED


class Follower:
    """Shows each state of a run, its logs, and why it does not proceed.

    :param runs_api: the server's runs
    :param display: shows it
    :param following: what to show
    """

    def __init__(self, runs_api: RunsApi, display: RunDisplay, following: Following) -> None:
        self._runs_api = runs_api
        self._display = display
        self._logs = RunLogs(runs_api, display.show_log, display.note) if following.logs else None
        longest = task_log.POLL_SECONDS if following.logs else Pace._field_defaults["longest"]
        self.pace = Pace(longest, following.timeout, display.pause)
        self._states: Any = None
        self._changed = time.monotonic()
        self._asked = False
        self._told: set[str] = set()

    def update(self, run: Mapping[str, Any]) -> None:
        """Show the run as it is now.

        :param run: with its tasks
        """
        self._display.show(run)
        if self._logs is not None:
            self._logs.update(run)
        states = (run["state"], states_of(run))
        if states != self._states:
            self._states, self._changed, self._asked = states, time.monotonic(), False
        busy = has_ended(run) or any(task["state"] == "running" for task in run["tasks"])
        if not busy and not self._asked and time.monotonic() - self._changed >= STALL_SECONDS:
            self._asked = True
            self._explain(run)

    def finish(self, run: Mapping[str, Any]) -> None:
        """Show the rest of the logs, how the run has ended, and why it has failed.

        :param run: the run at its end
        """
        try:
            if self._logs is not None:
                self._logs.finish(self._display.pause)
        except (ClosedPipeError, LocalFileError):
            raise
        except RemoteError as error:  # the outcome is known without it
            self._display.note(f"the rest of the logs cannot be read: {one_line(error.message)}")
        self._display.end(run)
        if run["state"] != "success":
            self._explain(run, with_logs=self._logs is None)
            words = ("runs", "diagnose", str(run["dag_id"]), str(run["run_id"]))
            RunDisplay.note(self._display, f"for details: {command_line(*words)}")

    def _explain(self, run: Mapping[str, Any], with_logs: bool = False) -> None:
        """Print the problems of the run that were not told before.

        :param with_logs: whether to print the error in the log of each failed task
        """
        note = self._display.note if not has_ended(run) else lambda line: RunDisplay.note(self._display, line)
        try:
            found, _ = self._runs_api.diagnose(run["dag_id"], run["run_id"])
        except (ClosedPipeError, LocalFileError):
            raise
        except RemoteError:
            return  # a server that cannot tell; the outcome is known without it
        for problem in found["problems"]:
            message = one_line(problem["message"])
            if problem["kind"] in WAITING or message in self._told:
                continue
            self._told.add(message)
            advice = one_line(str(problem.get("advice") or ""))
            note(f"{message}{f'; {advice}' if advice else ''}")
            reason = find_reason(str(problem.get("log") or "")) if with_logs else ""
            if reason:
                note(reason)
