"""The Python API: run a command on a remote Airflow, and get what it printed.

::

    from airflow_remote.client import Client

    client = Client("https://airflow.example.com", token="...")
    run = client.run("trigger_dag", dag_id="hello_remote", conf={"name": "you"})
    print(run.dag_run_id)
    client.run("deploy_dag", dag_file=Path("my_dag.py"), force=True)
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_remote.body import encode
from airflow_remote.errors import (
    AnsweredError,
    BusyError,
    CommandFailedError,
    NotTheApiError,
    RefusedError,
    UnusableError,
    for_http_status,
)
from airflow_remote.transport import DEFAULT_TIMEOUT, DEFAULT_URL, Response, Transport, not_the_api

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_remote.body import Value

NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
TOKEN_FAILED = "Token Authentication Failed"  # noqa: S105 (a message)


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
    def ok(self) -> bool:
        """Whether what was asked for was done."""
        return self.envelope["status"] == "OK" and self.http_status < 300 and not self.exit_code


class Client:
    """A remote Airflow.

    :param url: the webserver, as ``https://host:8080`` or with the path of its ``base_url``
    :param token: the API's token; None or "" to send none
    :param timeout: seconds to wait for an answer
    :raises UnusableError: when one of them cannot be used
    """

    def __init__(
        self, url: str = DEFAULT_URL, token: str | None = None, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        self._transport = Transport(url, token, timeout)

    def __repr__(self) -> str:
        """Without the token."""
        return f"{type(self).__name__}({self._transport.base!r})"

    def run(self, name: str, arguments: Mapping[str, Value] | None = None, /, **more: Value) -> Result:
        """Run a classic command, and wait for its end. It is sent once, whatever happens.

        :param name: as ``trigger_dag``
        :param arguments: by name; what is None is not sent
        :param more: further ones
        :raises CommandFailedError: when the command ran and failed
        :raises AnsweredError: when the server answers that it did not run it; the subclass says why
        :raises UnreachableError: when there is no connection, or no answer; it may have been run
        :raises NotTheApiError: when something else answers at this URL
        :raises UnusableError: when a name or value cannot be sent
        :raises LocalFileError: when a file to send cannot be read
        """
        if not NAME.fullmatch(name):
            raise UnusableError(f"{name[:80]!r} is not a command's name")
        with ExitStack() as files:
            body, content_type = encode({**(arguments or {}), **more}, files)
            response = self._transport.post(f"/api/v1.0/{name}", body, content_type)
        return checked(response, self._transport.sends_token)


def checked(response: Response, token_was_sent: bool) -> Result:
    """The result that a response holds.

    :param response: any JSON
    :param token_was_sent: for the hint when it was refused
    :raises NotTheApiError: when it is not one of the API's envelopes
    :raises AnsweredError: when it says that something went wrong
    """
    envelope = response.document
    if not _is_envelope(envelope):
        what = "JSON of another kind"
        raise NotTheApiError(not_the_api(response.url, response.status, what))
    result = Result(envelope, response.status, response.retry_after)
    if result.ok:
        return result
    kind: type[AnsweredError] = for_http_status(response.status)
    if result.exit_code is not None:
        kind = CommandFailedError
    raise kind(_message(result, kind, token_was_sent), result)


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
    code = document.get("exit_code")
    whole = code is None or (isinstance(code, int) and not isinstance(code, bool))
    return whole and all(text is None or isinstance(text, str) for text in texts)
