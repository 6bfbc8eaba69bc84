"""The line of JSON that tells how a command of a batch ended: the envelope of a request of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_remote_server import envelope
from airflow_remote_server.errors import ApiError, CommandFailed
from airflow_remote_server.execution.failures import classify
from airflow_remote_server.execution.outcome import Outcome
from airflow_remote_server.execution.results import output_fields, warning_of
from airflow_remote_server.execution.spool import RESULT, STDERR, STDOUT

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_remote_server.batch.models import BatchCommand
    from airflow_remote_server.execution.spool import Spool
    from airflow_remote_server.util.masker import Masker

OMITTED = "its output is not shown, because the output of the batch would be over max_output_bytes"


@dataclass(frozen=True)
class EndedCommand:
    """A command of a batch that has ended.

    :param command: the command
    :param began: when it began
    :param seconds: how long it took
    :param stdout: what it printed
    :param stderr: its messages and log
    :param outcome: its end; None if it never ran
    :param error: why it failed; None if it succeeded
    """

    command: BatchCommand
    began: datetime
    seconds: float
    stdout: str = ""
    stderr: str = ""
    outcome: Outcome | None = None
    error: ApiError | None = None

    @classmethod
    def read(
        cls,
        command: BatchCommand,
        spool: Spool,
        times: tuple[datetime, float],
        end: tuple[int, str],
        masker: Masker,
        most: int,
    ) -> EndedCommand:
        """Return a command as its spool records it.

        :param command: the command
        :param spool: its spool
        :param times: when it began, and how long it took
        :param end: its exit code, and why it was stopped; "" if it was not
        :param masker: masks the secrets of the batch
        :param most: the maximum number of bytes of each stream
        """
        exit_code, reason = end
        stdout, stderr = (masker.mask(_read(spool, stream, most)) for stream in (STDOUT, STDERR))
        result = spool.read(RESULT)
        if isinstance(result, dict) and isinstance(result.get("message"), str):
            result["message"] = masker.mask(result["message"])
        outcome = Outcome.read(result, exit_code)
        error: ApiError | None = None
        if reason and exit_code:
            error = CommandFailed(reason)
        elif exit_code:
            error = classify(outcome, stdout, stderr)
        return cls(command, *times, stdout, stderr, outcome, error)

    def line(self, room: int) -> bytes:
        """Return the line.

        :param room: the number of bytes that it may have; without the output, if that is too much
        """
        line = self._encode(self.stdout, self.stderr, "")
        return line if len(line) <= room else self._encode("", "", OMITTED)

    def _encode(self, stdout: str, stderr: str, note: str) -> bytes:
        command, outcome, error = self.command, self.outcome, self.error
        title = command.command.title
        fields: dict[str, Any] = {
            "airflow_cmd": title,
            "arguments": command.arguments,
            **output_fields(command.name, title, stdout, stderr, command.log_is_output),
            "exit_code": None if outcome is None else outcome.exit_code,
        }
        if error is not None:
            document = envelope.failure(
                self.began, error, {**fields, "output": error.message, "warning": note or None}
            )
        else:
            assert outcome is not None  # noqa: S101 (for the type checker: only a failure has none)
            warning = note or warning_of(title, outcome, stdout, stderr)
            document = envelope.success(self.began, 200, {**fields, "warning": warning or None})
        head = {"index": command.index, "command": command.name, "seconds": round(self.seconds, 4)}
        line = json.dumps({**head, **document}, ensure_ascii=False)
        return line.encode("utf-8", "backslashreplace") + b"\n"


def _read(spool: Spool, stream: str, most: int) -> str:
    try:
        with (spool.path / stream).open("rb") as file:
            return file.read(most).decode("utf-8", "replace")
    except OSError:
        return ""
