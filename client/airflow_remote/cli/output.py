"""Print the output of one command as it arrives, with tracebacks folded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_remote.cli import console
from airflow_remote.cli.tracebacks import TracebackFolder

if TYPE_CHECKING:
    from airflow_remote.models import Result


class OutputPrinter:
    """Prints the output of one command.

    :param fold: whether to show a traceback on standard error as its last line
    """

    def __init__(self, fold: bool) -> None:
        self._folder = TracebackFolder() if fold else None
        self._shown: list[str] = []

    @property
    def shown(self) -> str:
        """Return what was printed to standard error."""
        return "".join(self._shown)

    def write(self, stream: str, text: str) -> None:
        """Print a part of the output; see ``console.to_stdout`` for errors.

        :param stream: ``stdout`` or ``stderr``
        :param text: the output
        """
        if stream == "stdout":
            console.to_stdout(text)
        else:
            self._show(text if self._folder is None else self._folder.feed(text))

    def finish(self) -> None:
        """Print what was held back while it could be a part of a traceback."""
        if self._folder is not None:
            self._show(self._folder.finish())

    def end(self, result: Result, job_id: str) -> None:
        """Finish, and say where a traceback stands of which only the last line was printed.

        :param result: the result of the command
        :param job_id: id of its job, if the result does not have it
        """
        self.finish()
        if self._folder is not None and self._folder.folded:
            job_id = result.job["id"] if result.job is not None else job_id
            whole = f"airflow-remote job output {job_id} --stream stderr" if job_id else "add --verbose"
            console.note(f"to see the traceback: {whole}")

    def _show(self, text: str) -> None:
        console.to_stderr(text)
        self._shown.append(text)
