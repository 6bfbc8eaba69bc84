"""Turn responses of the API into results or exceptions."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_remote.errors import (
    AnsweredError,
    BusyError,
    CommandFailedError,
    NotTheApiError,
    RefusedError,
    for_http_status,
)
from airflow_remote.http.foreign_responses import not_the_api_error
from airflow_remote.models import RemoteFile, Result, is_exit_code, parse_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_remote.http.connection import Response

TOKEN_FAILED = "Token Authentication Failed"  # noqa: S105 (a message)
MAX_LINES = 200
"""How many of the last lines of an output may be its JSON."""

TRIGGERS = ("trigger_dag", "dags trigger")
"""The commands that create a DAG run and print its id."""


def parse_result(response: Response) -> Result:
    """Parse a response into a result, which may be a failure.

    :param response: a JSON response
    :raises NotTheApiError: if it is not an envelope of the API
    """
    if not _is_envelope(response.document):
        raise not_the_api_error(response.url, response.status, "unexpected JSON")
    files_of(response.document.get("files"))  # reject unsafe names before any use
    return Result(response.document, response.status, response.retry_after)


def require_success(result: Result, token_was_sent: bool) -> Result:
    """Return a result if the command succeeded.

    :param result: any result
    :param token_was_sent: whether the request carried a token, for the hint
    :raises AnsweredError: if the result is a failure
    """
    if result.ok:
        return result
    kind: type[AnsweredError] = for_http_status(result.http_status)
    if result.exit_code is not None:
        kind = CommandFailedError
    raise kind(_message(result, kind, token_was_sent), result)


def result_of_job(job: Mapping[str, Any], stdout: str, stderr: str) -> Result:
    """Return the result of an ended job, equal to the response that a waiting request gets.

    :param job: the job as ``GET /jobs/ID`` shows it; older servers omit ``http_response_code``, ``error`` and
        ``warning``
    :param stdout: its full standard output
    :param stderr: its full standard error
    :raises NotTheApiError: if its ``files`` are invalid
    """
    error, status = job.get("error"), job.get("http_response_code")
    # A service that was stopped has done what it should.
    stopped = job["state"] == "stopped" and job.get("kind") == "service" and status == 200 and error is None
    succeeded = job["state"] == "succeeded" or stopped
    message = job.get("message") or f"the command has {job['state'].replace('_', ' ')}"
    if succeeded:
        error = None
    elif not isinstance(error, dict):
        error = {"type": "CommandFailed", "message": message}
    if not isinstance(status, int) or isinstance(status, bool) or (status < 300) != succeeded:
        status = 200 if succeeded else 422
    warning = job.get("warning")
    printed_json = succeeded or "--output=json" in job.get("airflow_cmd", "").split(" ")
    result = _parse_output(stdout) if printed_json else None
    envelope = {
        "airflow_cmd": job.get("airflow_cmd", ""),
        "arguments": job.get("arguments", {}),
        "call_time": _http_date(job.get("created")),
        "output": (stdout[:-1] if stdout.endswith("\n") else stdout) if succeeded else message,
        "response_time": _http_date(job.get("ended")),
        "status": "OK" if succeeded else "ERROR",
        "http_response_code": status,
        "exit_code": job.get("exit_code"),
        "stdout": stdout,
        "stderr": stderr,
        "result": result,
        "dag_run_id": _dag_run_id_of(result) if job.get("name") in TRIGGERS else None,
        "error": error,
        "warning": warning if isinstance(warning, str) else None,
        "files": job.get("files"),
        "job": {name: job[name] for name in ("id", "state", "kind", "url") if name in job},
    }
    files_of(job.get("files"))  # reject unsafe names before any use
    return Result({name: value for name, value in envelope.items() if value is not None}, status)


def _message(result: Result, kind: type[AnsweredError], token_was_sent: bool) -> str:
    message = result.output or f"the server answered {result.http_status} without a message"
    if kind is RefusedError and result.output == TOKEN_FAILED:
        where = "--token or AIRFLOW_REMOTE_TOKEN"
        hint = f"the server does not accept the token of {where}" if token_was_sent else f"set {where}"
        return f"{message}: {hint}"
    if kind is BusyError and result.retry_after:
        wait = result.retry_after[:40]
        return f"{message} (try again {f'in {wait} s' if wait.isdecimal() else f'after {wait}'})"
    return message


def _is_envelope(document: Any) -> bool:
    """Return whether a JSON document is an envelope with valid types in all used fields."""
    if not isinstance(document, dict) or document.get("status") not in ("OK", "ERROR"):
        return False
    if not isinstance(document.get("output"), str):
        return False
    texts = (document.get(name) for name in ("stdout", "stderr", "warning", "dag_run_id"))
    valid = all(text is None or isinstance(text, str) for text in texts)
    return valid and is_exit_code(document.get("exit_code"))


def _parse_output(text: str) -> Any:
    """Parse a text that is a JSON object or list, or its last line that is a list of objects.

    Code of DAG files may print other lines before and after what a command prints.

    :param text: the standard output of a command
    :returns: None for any other text
    """
    lines = text.rsplit("\n", MAX_LINES)[-MAX_LINES:]
    rows = (line for line in reversed(lines) if line.startswith(("[{", "[]")))
    whole = [text] if text.lstrip().startswith(("{", "[")) else []
    for candidate in (*whole, *rows):
        with suppress(ValueError, RecursionError):
            return json.loads(candidate)
    return None


def _dag_run_id_of(runs: Any) -> str | None:
    first = runs[0] if isinstance(runs, list) and runs else None
    run_id = first.get("dag_run_id") if isinstance(first, dict) else None
    return run_id if isinstance(run_id, str) else None


def _http_date(moment: Any) -> str:
    """Convert an RFC 3339 time to an HTTP date; return "" for an invalid value."""
    from email.utils import format_datetime

    try:
        return format_datetime(datetime.fromisoformat(moment).astimezone(timezone.utc), usegmt=True)
    except (TypeError, ValueError, OverflowError):
        return ""


def files_of(document: Any) -> list[RemoteFile]:
    """Return the files of an envelope or a job.

    :param document: the value of ``files``; None if there is none
    :raises NotTheApiError: if it has another shape, or a name could lead out of a directory
    """
    try:
        return parse_files(document)
    except ValueError as error:
        raise NotTheApiError(str(error)) from None
