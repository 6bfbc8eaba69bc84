"""Classify failed commands as HTTP errors.

The class of the exception decides, not its text: texts are for people, and change.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from airflow_remote_server.errors import BadArguments, CommandFailed, Conflict, NotFound, Unavailable

if TYPE_CHECKING:
    from airflow_remote_server.errors import ApiError
    from airflow_remote_server.execution.outcome import Outcome

CLASSES: tuple[tuple[type[ApiError], frozenset[str]], ...] = (
    (
        NotFound,
        frozenset(
            {
                "AirflowNotFoundException",
                "DagCodeNotFound",
                "DagNotFound",
                "DagRunNotFound",
                "NoResultFound",
                "PoolNotFound",
                "TaskInstanceNotFound",
                "TaskNotFound",
            }
        ),
    ),
    (
        Conflict,
        frozenset(
            {"AlreadyRunningBackfill", "DagRunAlreadyExists", "IntegrityError", "MultipleResultsFound"}
        ),
    ),
    (
        BadArguments,
        frozenset({"AirflowBadRequest", "JSONDecodeError", "ParamValidationError", "ParserError"}),
    ),
)
"""HTTP errors, each with its exceptions of Airflow, SQLAlchemy and pendulum. The first match counts."""

OURS = "airflow_remote_server."
OWN: dict[str, type[ApiError]] = {
    kind.__name__: kind for kind in (BadArguments, CommandFailed, Conflict, NotFound, Unavailable)
}
"""Our own exceptions, which the operations on DAG files (``deploy``) raise."""

LOOK_UPS = {
    "airflow.utils.cli.get_bagged_dag": "AirflowException",
    "airflow.utils.cli.get_dag": "AirflowException",
    "airflow.utils.cli.get_db_dag": "AirflowException",
    "airflow.cli.commands.dag_command.dag_state": "SystemExit",
    "airflow.cli.commands.variable_command.variables_get": "KeyError",
}
"""Functions of Airflow that report a missing DAG or variable with an unspecific exception (2.11, 3.3)."""


def classify(outcome: Outcome, stderr: str) -> ApiError:
    """Return the HTTP error for a failed command.

    :param outcome: its end, with an exit code other than 0
    :param stderr: its standard error, for the message if the exception has none
    """
    # Use the first line of an exception's text: SQLAlchemy appends the statement and its parameters.
    message = next((line.strip() for line in outcome.message.splitlines() if line.strip()), "")
    message = message or last_line(stderr)
    if outcome.exit_code < 0:
        return CommandFailed(f"the command was ended by {signal_name(-outcome.exit_code)}")
    message = message or f"the command ended with exit code {outcome.exit_code}"
    if outcome.raised_in.startswith(OURS) and outcome.exceptions[0][0] in OWN:
        return OWN[outcome.exceptions[0][0]](message)
    if outcome.in_user_code:
        return CommandFailed(message)  # a task may raise anything
    if outcome.exit_code == 2 and outcome.exceptions and outcome.exceptions[0][0] == "SystemExit":
        return BadArguments(message)  # argparse's own exit code
    if outcome.exceptions and outcome.exceptions[0][0] == "ValueError":
        # Only the class itself, which an invalid run_id raises; subclasses have many other causes.
        return BadArguments(message)
    for names in outcome.exceptions:
        for answer, known in CLASSES:
            if not known.isdisjoint(names):
                return answer(message)
        if LOOK_UPS.get(outcome.raised_in) in names:
            return NotFound(message)
    return CommandFailed(message)


def signal_name(number: int) -> str:
    """Return the name of a signal. Real-time signals have only a number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def last_line(text: str) -> str:
    """Return the last line of a text that is not empty.

    :param text: a message, or the standard error of a command
    """
    # SQLAlchemy's messages end with a link to its documentation.
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("(Background on this error")]
    return lines[-1] if lines else ""
