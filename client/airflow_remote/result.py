"""What the API answers, as a result or as the error that it stands for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_remote.errors import (
    AnsweredError,
    BusyError,
    CommandFailedError,
    RefusedError,
    for_http_status,
)
from airflow_remote.remote_files import RemoteFile, listed
from airflow_remote.transport import not_the_api

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_remote.transport import Response

TOKEN_FAILED = "Token Authentication Failed"  # noqa: S105 (a message)
JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
TRIGGERS = ("trigger_dag", "dags trigger")
"""What makes a run, and tells its id."""
ACTIVE = ("queued", "running")
"""The states of a job that has not ended."""


@dataclass(frozen=True)
class Result:
    """What the API answered.

    :param envelope: all of it
    :param http_status: HTTP status
    :param retry_after: the header of that name; "" when there is none
    """

    envelope: Mapping[str, Any]
    http_status: int
    retry_after: str = ""

    @property
    def output(self) -> str:
        """The command's text; on failure the message."""
        return str(self.envelope["output"])

    @property
    def stdout(self) -> str | None:
        """What the command printed; None when the server answered without a command."""
        return self.envelope.get("stdout")

    @property
    def stderr(self) -> str | None:
        """What the command printed to standard error; None when the server answered without a command."""
        return self.envelope.get("stderr")

    @property
    def exit_code(self) -> int | None:
        """The command's exit code, minus a signal's number when one ended it; None when it has none."""
        return self.envelope.get("exit_code")

    @property
    def result(self) -> Any:
        """What the command gave as JSON; None when it gave none."""
        return self.envelope.get("result")

    @property
    def dag_run_id(self) -> str | None:
        """The id of the run that was triggered."""
        return self.envelope.get("dag_run_id")

    @property
    def warning(self) -> str | None:
        """What a user should know of a command that succeeded."""
        return self.envelope.get("warning")

    @property
    def job(self) -> Mapping[str, Any] | None:
        """The command's job on the server: ``id``, ``state``, ``kind``, ...; None when it has none."""
        job = self.envelope.get("job")
        return job if is_job(job) else None

    @property
    def files(self) -> list[RemoteFile]:
        """The files that the command has written, on the server; see ``Job.download``.

        :raises NotTheApiError: when one has a name that could lead elsewhere
        """
        return listed(self.envelope.get("files")) if self.job is not None else []

    @property
    def ok(self) -> bool:
        """Whether what was asked for was done, or has been begun."""
        return self.envelope["status"] == "OK" and self.http_status < 300 and not self.exit_code


def understood(response: Response) -> Result:
    """The result that a response holds, be it a failure.

    :param response: any JSON
    :raises NotTheApiError: when it is not one of the API's envelopes
    """
    if not _is_envelope(response.document):
        raise not_the_api(response.url, response.status, "JSON of another kind")
    return Result(response.document, response.status, response.retry_after)


def accepted(result: Result, token_was_sent: bool) -> Result:
    """A result, unless something went wrong.

    :param result: any
    :param token_was_sent: for the hint when it was refused
    :raises AnsweredError: when it says that something went wrong
    """
    if result.ok:
        return result
    kind: type[AnsweredError] = for_http_status(result.http_status)
    if result.exit_code is not None:
        kind = CommandFailedError
    raise kind(_message(result, kind, token_was_sent), result)


def is_job(document: Any) -> bool:
    """Whether a JSON document has what every job has, and nothing of a wrong type that is used here."""
    if not isinstance(document, dict) or not isinstance(document.get("id"), str):
        return False
    texts = (document.get("state"), document.get("kind"), document.get("message") or "")
    known = JOB_ID.fullmatch(document["id"]) and all(isinstance(text, str) for text in texts)
    return bool(known) and _is_exit_code(document.get("exit_code"))


def of_job(job: Mapping[str, Any], stdout: str, stderr: str) -> Result:
    """The result of a job that has ended, as an answer to a request that waited for it would have had it.

    The server tells more of it to such a request only: why it failed as an HTTP status, which here is 200 or
    422, and a ``warning``.

    :param job: as the API shows it
    :param stdout: all that it printed there
    :param stderr: all that it printed there
    """
    good = job["state"] == "succeeded"
    message = job.get("message") or f"the command has {job['state'].replace('_', ' ')}"
    found = _parsed(stdout) if good else None
    said: dict[str, Any] = {
        "airflow_cmd": job.get("airflow_cmd", ""),
        "arguments": job.get("arguments", {}),
        "call_time": _http_date(job.get("created")),
        "output": (stdout[:-1] if stdout.endswith("\n") else stdout) if good else message,
        "response_time": _http_date(job.get("ended")),
        "status": "OK" if good else "ERROR",
        "http_response_code": 200 if good else 422,
        "exit_code": job.get("exit_code"),
        "stdout": stdout,
        "stderr": stderr,
        "result": found,
        "dag_run_id": _dag_run_id(found) if job.get("name") in TRIGGERS else None,
        "error": None if good else {"type": "CommandFailed", "message": message},
        "files": job.get("files"),
        "job": {name: job[name] for name in ("id", "state", "kind", "url") if name in job},
    }
    envelope = {name: value for name, value in said.items() if value is not None}
    return Result(envelope, int(said["http_response_code"]))


def _message(result: Result, kind: type[AnsweredError], token_was_sent: bool) -> str:
    message = result.output or f"the server answered {result.http_status} without a word"
    if kind is RefusedError and result.output == TOKEN_FAILED:
        where = "--token or AIRFLOW_REMOTE_TOKEN"
        hint = f"{where} is not the server's token" if token_was_sent else f"give the token by {where}"
        return f"{message}: {hint}"
    if kind is BusyError and result.retry_after:
        wait = result.retry_after[:40]
        return f"{message} (try again {f'in {wait} s' if wait.isdecimal() else f'after {wait}'})"
    return message


def _is_envelope(document: Any) -> bool:
    """Whether a JSON document has what every envelope has, and nothing of a wrong type that is used here."""
    if not isinstance(document, dict) or document.get("status") not in ("OK", "ERROR"):
        return False
    if not isinstance(document.get("output"), str):
        return False
    texts = (document.get(name) for name in ("stdout", "stderr", "warning", "dag_run_id"))
    usable = all(text is None or isinstance(text, str) for text in texts)
    return usable and _is_exit_code(document.get("exit_code"))


def _is_exit_code(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def _parsed(text: str) -> Any:
    """The JSON object or list that a text is; None when it is neither."""
    try:
        return json.loads(text) if text.lstrip().startswith(("{", "[")) else None
    except (ValueError, RecursionError):
        return None


def _dag_run_id(found: Any) -> str | None:
    first = found[0] if isinstance(found, list) and found else None
    run_id = first.get("dag_run_id") if isinstance(first, dict) else None
    return run_id if isinstance(run_id, str) else None


def _http_date(moment: Any) -> str:
    """A time of RFC 3339 as HTTP has it; "" for what is none."""
    from email.utils import format_datetime

    try:
        return format_datetime(datetime.fromisoformat(moment).astimezone(timezone.utc), usegmt=True)
    except (TypeError, ValueError, OverflowError):
        return ""
