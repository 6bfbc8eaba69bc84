"""Classify failed commands as HTTP errors.

The class of the exception decides, and the function that raised it (``integrations.known_failures``). Texts
are for people, and change: they count only where a test finds them in Airflow's sources.
"""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

from airflow_remote_server.errors import BadArguments, CommandFailed, Conflict, NotFound, Unavailable
from airflow_remote_server.execution.messages import choose_message
from airflow_remote_server.integrations.known_failures import find_failure

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

PATTERN_PARSERS = ("sre_parse.", "re._parser.", "re2.")
"""Modules that parse regular expressions; the names of their exceptions are not specific."""

RE2_MESSAGE = re.compile(r"^b'(.*)'$")

INVALID_PATTERN = "InvalidRegularExpression"
"""The exception of psycopg."""

FAILED_FUNCTION = "user-defined function raised exception"
"""What SQLite says if a function of Python raises: SQLAlchemy defines only one, for regular expressions."""


def classify(outcome: Outcome, stdout: str, stderr: str) -> ApiError:
    """Return the HTTP error for a failed command.

    :param outcome: its end, with an exit code other than 0
    :param stdout: its standard output, for the message if the exception has none
    :param stderr: its standard error, likewise
    """
    if outcome.exit_code < 0:
        return CommandFailed(f"the command was ended by {signal_name(-outcome.exit_code)}")
    message = choose_message(outcome, stdout, stderr)
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
    if _is_invalid_pattern(outcome):
        reason = RE2_MESSAGE.sub(r"\1", message)
        return BadArguments(f"invalid regular expression: {reason}")
    known = find_failure(outcome.raised_in, outcome.exceptions, message)
    if known is not None:
        return known.answer(known.message or message)
    return _class_for(outcome.exceptions)(message)


def _class_for(exceptions: tuple[tuple[str, ...], ...]) -> type[ApiError]:
    """Return the class of the HTTP error for an exception and those that it is chained to."""
    matches = (answer for names in exceptions for answer, known in CLASSES if not known.isdisjoint(names))
    return next(matches, CommandFailed)


def _is_invalid_pattern(outcome: Outcome) -> bool:
    names = {name for link in outcome.exceptions for name in link}
    return (
        outcome.raised_in.startswith(PATTERN_PARSERS)
        or INVALID_PATTERN in names
        or ("OperationalError" in names and FAILED_FUNCTION in outcome.message)
    )


def signal_name(number: int) -> str:
    """Return the name of a signal. Real-time signals have only a number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
