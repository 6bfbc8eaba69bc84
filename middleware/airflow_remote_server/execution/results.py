"""The fields of a response that follow from what a command printed, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_remote_server.execution.messages import last_paragraph
from airflow_remote_server.integrations import reports
from airflow_remote_server.util.printed_json import find_document

if TYPE_CHECKING:
    from airflow_remote_server.execution.outcome import Outcome

JSON_OPTION = "--output=json"
"""The option that makes a command print JSON."""

TRIGGERS = ("trigger_dag", "dags trigger")
"""The endpoints that create a DAG run and print it."""


def prints_json(title: str) -> bool:
    """Return whether a command was asked for JSON.

    :param title: its command line
    """
    return JSON_OPTION in title.partition(" -- ")[0].split(" ")


def document_of(title: str, stdout: str) -> Any:
    """Return the JSON document that a command was asked for and has printed; None if there is none.

    :param title: its command line
    :param stdout: all that it has printed
    """
    return find_document(stdout) if prints_json(title) else None


def warning_of(title: str, outcome: Outcome, stdout: str, stderr: str) -> str:
    """Return the problem of a successful command that its exit code does not show; "" if there is none.

    :param title: its command line
    :param outcome: its end
    :param stdout: what it printed
    :param stderr: its messages and log
    """
    warnings = [outcome.message, reports.warning_of(title, stdout, stderr)]
    if prints_json(title) and stdout.strip() and document_of(title, stdout) is None and not any(warnings):
        # Exit code 0, yet there is nothing to show.
        warnings.append(f"the command printed no JSON, but: {last_paragraph(stdout)}")
    return "; ".join(filter(None, warnings))


def output_fields(name: str, title: str, stdout: str, stderr: str, log_is_output: bool) -> dict[str, Any]:
    """Return the fields of an envelope that hold what a command printed.

    :param name: the name of the endpoint
    :param title: the command line
    :param stdout: what it printed
    :param stderr: its messages and log
    :param log_is_output: whether its log is what users want to see
    """
    output = stdout.removesuffix("\n")
    if log_is_output and not output:
        output = stderr.removesuffix("\n")
    fields: dict[str, Any] = {"output": output, "stdout": stdout, "stderr": stderr}
    document = document_of(title, stdout)
    if document is not None:
        fields["result"] = document
    if name in TRIGGERS and document and isinstance(document, list) and isinstance(document[0], dict):
        fields["dag_run_id"] = document[0].get("dag_run_id")
    return fields
