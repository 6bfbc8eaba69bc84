"""Run a command on the server, and show its output and result.

Help and completion do not import this module: it needs the modules that send requests.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Callable

from airflow_remote.cli import console
from airflow_remote.cli.console import note
from airflow_remote.cli.context import exit_status_for
from airflow_remote.cli.downloads import Downloads, with_upload_paths
from airflow_remote.cli.output import OutputPrinter
from airflow_remote.cli.prompts import complete_values
from airflow_remote.errors import AnsweredError, CommandFailedError, UnusableError
from airflow_remote.exit_status import ExitStatus
from airflow_remote.local_files import LocalTarget

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from airflow_remote.api.transcript import OnOutput
    from airflow_remote.catalog.models import Command
    from airflow_remote.cli.context import CliContext
    from airflow_remote.client import Client, Job
    from airflow_remote.http.multipart import Value
    from airflow_remote.models import Result


class CommandRunner:
    """Runs one command, and prints its output as it arrives.

    :param context: the global options and the state of this run of the program
    """

    def __init__(self, context: CliContext) -> None:
        self._context = context
        self.result: Result | None = None
        """The result of a command that has succeeded."""

    def run_classic(self, name: str, arguments: dict[str, Value], destination: str | None) -> int:
        """Run a classic command, and print its output as it arrives.

        :param name: the name of the endpoint
        :param arguments: values by name
        :param destination: the local file for the output; None or "-" for standard output
        :returns: the exit status
        :raises RemoteError: if the caller must still print the error
        """
        to_file = destination not in (None, "-")
        client = self._context.client()
        if self._context.detach:
            if to_file:
                raise UnusableError("--detach cannot be combined with an output file; use - as the file")
            return self.run_detached(client, name, arguments)
        with contextlib.ExitStack() as stack:
            target = stack.enter_context(LocalTarget(str(destination))) if to_file else None
            return self.run_and_show(
                lambda on_output: client.run(name, arguments, on_output=on_output, on_start=self._note_job),
                target,
            )

    def run_live(self, command: Command, values: dict[str, Any], line: Sequence[str]) -> int:
        """Run a live command, print its output as it arrives, and download the files that it wrote.

        :param command: its entry in the catalog
        :param values: values by argument name, from ``parser.parse``
        :param line: the words of the command line, after the command
        :returns: the exit status
        :raises RemoteError: if the caller must still print the error
        """
        client = self._context.client()
        with Downloads(command, values) as downloads:
            completed = complete_values(command, values, line, client, self._context.url)
            arguments = {**with_upload_paths(command, completed), **downloads.names}
            if self._context.detach:
                later = (
                    "; download its files when it has ended: airflow-remote job download {}"
                    if downloads
                    else ""
                )
                return self.run_detached(client, command.name, arguments, live=True, later=later)

            return self.run_and_show(
                lambda on_output: client.run(
                    command.name, arguments, on_output=on_output, on_start=self._note_job, live=True
                ),
                finish=lambda result: downloads.fetch_from(client, result),
            )

    def run_and_show(
        self,
        run: Callable[[OnOutput | None], Result],
        target: LocalTarget | None = None,
        finish: Callable[[Result], None] = lambda result: None,
    ) -> int:
        """Run a command, and print its output and result.

        :param run: runs the command; its argument receives the output as it arrives, or is None
        :param target: the file that receives the output at the end
        :param finish: is called with a successful result after everything else was printed
        :returns: the exit status
        :raises RemoteError: if the caller must still print the error
        """
        live = not self._context.as_json and target is None
        printer = OutputPrinter(fold=not self._context.verbose)
        self._context.sent = True
        try:
            result = run(printer.write if live else None)
        except AnsweredError as error:
            return self.show_failure(error, printer, live)
        finally:
            printer.finish()
        if target is not None:
            target.write_text(result.stdout or "")
        if self._context.as_json:
            console.document(result.envelope)
        else:
            if target is not None:
                printer.write("stderr", result.stderr or "")
            elif result.stdout is None and result.output:
                console.to_stdout(f"{result.output}\n")
            printer.end(result, self._context.watched)
            if result.warning:
                note(f"warning: {result.warning}")
        finish(result)
        self.result = result
        return ExitStatus.OK

    def show_failure(self, error: AnsweredError, printer: OutputPrinter, live: bool = False) -> int:
        """Print a failed result, and return the exit status.

        :param printer: prints the output
        :param live: whether it was printed already
        :raises AnsweredError: if the caller must still print the error
        """
        result = error.result
        if self._context.as_json:
            console.document(result.envelope)
            return exit_status_for(error)
        if not live:
            printer.write("stdout", result.stdout or "")
            printer.write("stderr", result.stderr or "")
        printer.end(result, self._context.watched)
        lines = map(str.strip, (result.stdout or "").splitlines())  # some commands print the reason there
        was_shown = error.message in printer.shown or error.message in lines
        if isinstance(error, CommandFailedError) and was_shown:
            return exit_status_for(error)
        raise error

    def run_detached(
        self,
        client: Client,
        name: str,
        arguments: dict[str, Value],
        live: bool | None = None,
        later: str = "",
    ) -> int:
        """Start a command, and print its job's id; or the response, if there is no job.

        :param live: see ``Client.run``
        :param later: a hint to print, a format string for the job id
        :raises RemoteError: if it was not run
        """
        self._context.sent = True
        try:
            result = client.run(name, arguments, wait=False, live=live)
        except AnsweredError as error:
            if error.result.job is None:
                return self.show_failure(error, OutputPrinter(fold=not self._context.verbose))
            result = error.result
        if self._context.as_json or result.job is None:
            if not self._context.as_json:
                console.to_stdout(result.stdout or "")
                console.to_stderr(result.stderr or "")
            return self.run_and_show(lambda on_output: result)
        console.to_stdout(f"{result.job['id']}\n")
        if later:
            note(f"job {result.job['id']} is running{later.format(result.job['id'])}")
        return ExitStatus.OK

    def _note_job(self, job: Job) -> None:
        """Remember the job to stop if the program is interrupted."""
        self._context.job = job
