"""How a command failed, as the HTTP answer it deserves.

The class of the exception that ended it decides, not its text: texts are for people, and change.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from airflow_remote_server.errors import BadArguments, CommandFailed, Conflict, NotFound, Unavailable

if TYPE_CHECKING:
    from airflow_remote_server.errors import ApiError
    from airflow_remote_server.runner import Outcome

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
"""Names of Airflow's, SQLAlchemy's and pendulum's exceptions; the first row that one stands in decides."""

OURS = "airflow_remote_server."
OWN: dict[str, type[ApiError]] = {
    kind.__name__: kind for kind in (BadArguments, CommandFailed, Conflict, NotFound, Unavailable)
}
"""The exceptions of ours that our own actions (``actions``) raise, which are part of that package."""

LOOK_UPS = {
    "airflow.utils.cli.get_bagged_dag": "AirflowException",
    "airflow.utils.cli.get_dag": "AirflowException",
    "airflow.utils.cli.get_db_dag": "AirflowException",
    "airflow.cli.commands.dag_command.dag_state": "SystemExit",
    "airflow.cli.commands.variable_command.variables_get": "KeyError",
}
"""Functions of Airflow that say "no such DAG" or variable by a class that says less (2.11, 3.3)."""


def classify(outcome: Outcome, stderr: str) -> ApiError:
    """The answer to a command that failed.

    :param outcome: how it ended, with an exit code other than 0
    :param stderr: what it printed there, for the message when the exception has none
    """
    # Of an exception's text the first line: SQLAlchemy's goes on with the statement and its parameters.
    message = next((line.strip() for line in outcome.message.splitlines() if line.strip()), "")
    message = message or last_line(stderr)
    if outcome.exit_code < 0:
        return CommandFailed(f"the command was ended by {signal_name(-outcome.exit_code)}")
    message = message or f"the command ended with exit code {outcome.exit_code}"
    if outcome.raised_in.startswith(OURS) and outcome.exceptions[0][0] in OWN:
        return OWN[outcome.exceptions[0][0]](message)
    if outcome.in_user_code:
        return CommandFailed(message)  # a task may raise anything, and means nothing of ours by it
    if outcome.exit_code == 2 and outcome.exceptions and outcome.exceptions[0][0] == "SystemExit":
        return BadArguments(message)  # argparse's own exit code
    if outcome.exceptions and outcome.exceptions[0][0] == "ValueError":
        return BadArguments(message)  # the class itself, as for a run_id; a subclass may mean anything
    for names in outcome.exceptions:
        for answer, known in CLASSES:
            if not known.isdisjoint(names):
                return answer(message)
        if LOOK_UPS.get(outcome.raised_in) in names:
            return NotFound(message)
    return CommandFailed(message)


def signal_name(number: int) -> str:
    """The name of a signal; real-time ones have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def last_line(text: str) -> str:
    """The line of a text that is its message: the last that says something.

    :param text: a message, or all that a command printed on stderr
    """
    # SQLAlchemy's messages end with a link to its documentation.
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("(Background on this error")]
    return lines[-1] if lines else ""
