"""The client's own options of the commands that create a DAG run: ``--wait``, ``--logs``, ``--timeout``."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from airflow_remote.catalog.models import Argument
from airflow_remote.cli.run_texts import duration, parse_duration

if TYPE_CHECKING:
    from airflow_remote.catalog.models import Command
    from airflow_remote.cli.context import CliContext
    from airflow_remote.models import Result

LIVE, CLASSIC = "dags trigger", "trigger_dag"
"""The names of the commands that have these options."""

WAIT, LOGS, TIMEOUT = "client_wait", "client_logs", "client_timeout"
"""The names of their values, which are not sent."""

HELP = {
    WAIT: "Wait for the run to end, and exit with 0 if it succeeds, 1 if it fails. Ctrl-C does not stop it.",
    LOGS: "Wait, and print the logs of the tasks as they run.",
    TIMEOUT: "Wait at most this long, such as 90s, 5m or 1h30m; then exit with 124. The run goes on.",
}


class Waiting(NamedTuple):
    """How to wait for the run that a command creates.

    :param logs: whether to print the logs of the tasks
    :param timeout: seconds after which to give up; None for never
    """

    logs: bool
    timeout: float | None

    def follow(self, context: CliContext, result: Result, dag_id: str, run_id: str | None = None) -> int:
        """Wait for the run, and return the exit status.

        :param result: the result of the command
        :param dag_id: the DAG
        :param run_id: the run; None if only the result tells it
        """
        from airflow_remote.cli.run_following import Following, follow_triggered

        following = Following(self.logs, self.timeout, to_stderr=True, logs_to_stderr=context.as_json)
        return follow_triggered(context, result, dag_id, following, run_id)


def with_wait_options(command: Command) -> Command:
    """Return a live command with these options, if it creates a run."""
    if command.name != LIVE:
        return command
    taken = {flag for argument in command.arguments for flag in argument.flags}
    own = [_argument(name, "DURATION" if name == TIMEOUT else "") for name in HELP]
    return command._replace(
        arguments=(*command.arguments, *(argument for argument in own if not taken & {*argument.flags}))
    )


def _argument(name: str, metavar: str) -> Argument:
    return Argument(
        name=name,
        flags=(_flag(name),),
        off="",
        kind="text" if metavar else "flag",
        nargs=None,
        required=False,
        repeatable=False,
        choices=(),
        default="",
        metavar=metavar,
        help=HELP[name],
        secret=False,
        refused="",
    )


def wait_parameters(name: str) -> list[click.Parameter]:
    """Return these options for a classic command; none if it creates no run."""
    if name != CLASSIC:
        return []
    return [
        click.Option([WAIT, _flag(WAIT)], is_flag=True, help=HELP[WAIT]),
        click.Option([LOGS, _flag(LOGS)], is_flag=True, help=HELP[LOGS]),
        click.Option([TIMEOUT, _flag(TIMEOUT)], type=duration, metavar="DURATION", help=HELP[TIMEOUT]),
    ]


def new_run_id() -> str:
    """Return an id for a new run as Airflow makes it.

    A live command says which run it has created in the format that the user chose, if at all.
    """
    return f"manual__{datetime.now(timezone.utc).isoformat(timespec='microseconds')}"


def take_waiting(values: dict[str, Any], detach: bool) -> Waiting | None:
    """Remove these options from parsed values; return None if the command does not wait for the run.

    :param values: all values by name
    :param detach: whether ``--detach`` is given
    :raises ValueError: if the options are invalid
    """
    wait, logs, timeout = (values.pop(name, None) for name in (WAIT, LOGS, TIMEOUT))
    if not (wait or logs or timeout is not None):
        return None
    if detach:
        raise ValueError("--detach cannot be combined with --wait, --logs or --timeout")
    return Waiting(bool(logs), parse_duration(timeout) if isinstance(timeout, str) else timeout)


def _flag(name: str) -> str:
    return f"--{name.partition('_')[2]}"
