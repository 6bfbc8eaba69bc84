"""What Airflow's commands print if they end with exit code 0 and did not do all that they were asked to do.

Each entry names a command and a part of the line that tells, as it stands in Airflow's sources; a test finds
it there for Airflow 2.11 and 3.3.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_LENGTH = 500
"""The maximum number of characters of a warning."""


class Report(NamedTuple):
    """A line that tells that a command did only a part of its work, or nothing.

    :param command: the words after ``airflow``
    :param source: the module of Airflow that prints the line
    :param text: a part of the line
    :param majors: the major versions of Airflow in whose sources the tests find it
    :param stream: ``stdout`` or ``stderr``
    :param next_line: whether the line that follows gives the reason
    :param warning: the warning to show instead of the line; ``{count}`` stands for the number of such lines
    """

    command: str
    source: str
    text: str
    majors: tuple[int, ...] = (2, 3)
    stream: str = "stdout"
    next_line: bool = False
    warning: str = ""


DAGS = "cli.commands.dag_command"
USERS = "providers.fab.auth_manager.cli_commands.user_command"
CELERY = "providers.celery.cli.celery_command"
KUBERNETES = "providers.cncf.kubernetes.cli.kubernetes_command"
NO_PAUSED = "paused DAGs were found"
NO_SCHEDULE = "No following schedule can be found."
FAILED_FILES = "Failed to load all files."
IMPORTER = "dag_processing.importers.python_importer"
BROKEN_FILE = "Failed to import: "
BROKEN_FILES = "{count} DAG file(s) cannot be imported"

REPORTS = (
    Report("connections import", "cli.commands.connection_command", "Could not import connection"),
    Report("connections test", "cli.commands.connection_command", "Connection failed!", next_line=True),
    Report(
        "connections add",
        "cli.commands.connection_command",
        "The type provided to --conn-type is invalid",
        stream="stderr",
        warning="the connection type is unknown to this Airflow, so the connection has the type generic",
    ),
    Report("dags pause", DAGS, NO_PAUSED),
    Report("dags unpause", DAGS, NO_PAUSED),
    Report("dags clear", DAGS, "No matching Dag runs found.", (3,)),
    Report("dags list", DAGS, FAILED_FILES, stream="stderr"),
    Report("dags list", DAGS, "Ignoring the following invalid columns", stream="stderr"),
    Report("dags next-execution", DAGS, NO_SCHEDULE, stream="stderr"),
    Report("dags reserialize", "models.dagbag", BROKEN_FILE, (2,), "stderr", warning=BROKEN_FILES),
    Report("dags reserialize", IMPORTER, BROKEN_FILE, (3,), "stderr", warning=BROKEN_FILES),
    Report("dags backfill", "jobs.backfill_job_runner", "No run dates were found", (2,), "stderr"),
    Report("partitions clear", "cli.commands.partition_command", "No matching DagRuns found", (3,)),
    Report("tasks clear", "models.dag", "Nothing to clear.", (2,)),
    Report("variables import", "cli.commands.variable_command", "variable(s) failed to be updated."),
    Report("celery remove-all-queues", CELERY, "No active queues found for worker", (3,)),
    Report("celery remove-all-queues", CELERY, "No queues to remove for worker", (3,)),
    Report("users create", USERS, "already exist in the db", (2,)),
    Report("kubernetes cleanup-pods", KUBERNETES, "Can't remove POD", stream="stderr"),
)
"""The lines."""

EXACT = {
    "dags state": ("None", "the DAG has no such run"),
    "roles add-perms": ("Added 0 permission(s)", "no permission was added"),
    "roles del-perms": ("Deleted 0 permission(s)", "no permission was deleted"),
}
"""Commands whose whole last line tells that they found nothing: the line, and the warning."""

COLORS = re.compile(r"\x1b\[[0-9;]*m")


def warning_of(title: str, stdout: str, stderr: str) -> str:
    """Return the warning for a command that ended with exit code 0; "" if it did all of its work.

    :param title: its command line, beginning with ``airflow``
    :param stdout: what it printed
    :param stderr: its messages and log
    """
    words = title.partition(" -")[0].split(" ")[1:]
    warnings = []
    for command, (line, warning) in EXACT.items():
        if words[:2] == command.split(" ") and stdout.rstrip().rpartition("\n")[2] == line:
            warnings.append(warning)
    for report in REPORTS:
        if words[: len(report.command.split(" "))] == report.command.split(" "):
            warnings.append(_find(report, stdout if report.stream == "stdout" else stderr))
    return "; ".join(dict.fromkeys(filter(None, warnings)))


def _find(report: Report, output: str) -> str:
    """Return the warning of a report; "" if the output does not have its line."""
    count, start = output.count(report.text), output.find(report.text)
    if not count:
        return ""
    if report.warning:
        return report.warning.format(count=count)
    begin = output.rfind("\n", 0, start) + 1
    lines = output[begin : begin + MAX_LENGTH * 2].split("\n")
    text = " ".join(COLORS.sub("", line).strip() for line in lines[: 1 + report.next_line]).strip()
    more = f" (and {count - 1} more)" if count > 1 else ""
    return f"{text[:MAX_LENGTH]}{more}"
