"""The state of one program run: the global options, and how results are shown."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Callable

from airflow_remote.catalog.provider import CatalogProvider
from airflow_remote.cli import console
from airflow_remote.cli.console import note
from airflow_remote.cli.output import OutputPrinter
from airflow_remote.cli.progress import bar
from airflow_remote.client import Client, Job, Result
from airflow_remote.errors import (
    AnsweredError,
    CommandFailedError,
    GatewayError,
    LostError,
    NotTheApiError,
    RemoteError,
    UnreachableError,
    UnusableError,
)
from airflow_remote.exit_status import ExitStatus, exit_status_of
from airflow_remote.http.session import DEFAULT_TIMEOUT, Session
from airflow_remote.http.url import DEFAULT_URL
from airflow_remote.local_files import LocalTarget

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from airflow_remote.api.transcript import OnOutput
    from airflow_remote.catalog.models import Command
    from airflow_remote.http.multipart import Value


DEFAULT_URL_SECONDS = 2.0
"""How long to wait for a response from the default URL before a usage error is reported."""


@dataclass
class CliContext:
    """The global options and the state of one program run.

    :param url: URL of the server
    :param url_is_default: whether the user has named no URL
    :param token: "" for none
    :param cacert: file of CA certificates; "" for those of the environment
    :param timeout: read timeout in seconds
    :param as_json: print the full response as JSON
    :param detach: do not wait for the command to end
    :param verbose: print tracebacks of commands in full
    :param job: the job to stop if the program is interrupted
    :param watched: the id of a job that continues if the program is interrupted
    :param sent: whether a command may have been sent
    """

    url: str = DEFAULT_URL
    url_is_default: bool = True
    token: str = field(default="", repr=False)
    cacert: str = ""
    timeout: float = DEFAULT_TIMEOUT
    as_json: bool = False
    detach: bool = False
    verbose: bool = False
    job: Job | None = None
    watched: str = ""
    sent: bool = False
    catalog_provider: CatalogProvider = field(init=False, repr=False)
    """Loads the server's commands."""

    def __post_init__(self) -> None:
        self.catalog_provider = CatalogProvider(
            lambda: Session(self.url, self.token, self.timeout, cacert=self.cacert), self.notify
        )

    def run_classic(self, name: str, arguments: dict[str, Value], destination: str | None) -> int:
        """Run a classic command, and print its output as it arrives.

        :param name: the name of the endpoint
        :param arguments: values by name
        :param destination: the local file for the output; None or "-" for standard output
        :returns: the exit status
        :raises RemoteError: if the caller must still print the error
        """
        to_file = destination not in (None, "-")
        client = self.client()
        if self.detach:
            if to_file:
                raise UnusableError("--detach cannot be combined with an output file; use - as the file")
            return self.run_detached(client, name, arguments)
        with contextlib.ExitStack() as stack:
            target = stack.enter_context(LocalTarget(str(destination))) if to_file else None
            return self.run_and_show(
                lambda on_output: client.run(name, arguments, on_output=on_output, on_start=self.note_job),
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
        from airflow_remote.cli.downloads import Downloads, with_upload_paths
        from airflow_remote.cli.prompts import complete_values

        client = self.client()
        with Downloads(command, values) as downloads:
            arguments = {
                **with_upload_paths(command, complete_values(command, values, line, client, self.url)),
                **downloads.names,
            }
            if self.detach:
                later = (
                    "; download its files when it has ended: airflow-remote job download {}"
                    if downloads
                    else ""
                )
                return self.run_detached(client, command.name, arguments, live=True, later=later)

            return self.run_and_show(
                lambda on_output: client.run(
                    command.name, arguments, on_output=on_output, on_start=self.note_job, live=True
                ),
                finish=lambda result: downloads.fetch_from(client, result),
            )

    def client(self) -> Client:
        """Return a client for the server.

        :raises UnusableError: if the global options are invalid
        """
        return Client(
            self.url,
            self.token,
            self.timeout,
            self.notify,
            bar,
            self.catalog_provider.note_etag,
            self.cacert,
        )

    def notify(self, line: str) -> None:
        """Print a message with the token masked."""
        note(self.mask(line))

    def note_job(self, job: Job) -> None:
        """Remember the job to stop if the program is interrupted."""
        self.job = job

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
        live = not self.as_json and target is None
        printer = OutputPrinter(fold=not self.verbose)
        self.sent = True
        try:
            result = run(printer.write if live else None)
        except AnsweredError as error:
            return self.show_failure(error, printer, live)
        finally:
            printer.finish()
        if target is not None:
            target.write_text(result.stdout or "")
        if self.as_json:
            console.document(result.envelope)
        else:
            if target is not None:
                printer.write("stderr", result.stderr or "")
            elif result.stdout is None and result.output:
                console.to_stdout(f"{result.output}\n")
            printer.end(result, self.watched)
            if result.warning:
                note(f"warning: {result.warning}")
        finish(result)
        return ExitStatus.OK

    def show_failure(self, error: AnsweredError, printer: OutputPrinter, live: bool = False) -> int:
        """Print a failed result, and return the exit status.

        :param printer: prints the output
        :param live: whether it was printed already
        :raises AnsweredError: if the caller must still print the error
        """
        result = error.result
        if self.as_json:
            console.document(result.envelope)
            return exit_status_for(error)
        if not live:
            printer.write("stdout", result.stdout or "")
            printer.write("stderr", result.stderr or "")
        printer.end(result, self.watched)
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
        self.sent = True
        try:
            result = client.run(name, arguments, wait=False, live=live)
        except AnsweredError as error:
            if error.result.job is None:
                return self.show_failure(error, OutputPrinter(fold=not self.verbose))
            result = error.result
        if self.as_json or result.job is None:
            if not self.as_json:
                console.to_stdout(result.stdout or "")
                console.to_stderr(result.stderr or "")
            return self.run_and_show(lambda on_output: result)
        console.to_stdout(f"{result.job['id']}\n")
        if later:
            note(f"job {result.job['id']} is running{later.format(result.job['id'])}")
        return ExitStatus.OK

    def handle_interrupt(self) -> str:
        """Stop the command of this run, and return the message for the user."""
        if self.job is None and not (self.sent or self.watched):
            return "interrupted; no command was sent"
        if self.job is None:
            outcome = (
                f"job {self.watched} continues"
                if self.watched
                else "a command that was sent may still be running"
            )
            return f"interrupted; {outcome} on the server"
        try:
            self.job.stop()
        except RemoteError as error:
            return f"interrupted; job {self.job.id} could not be stopped: {self.mask(error.message)}"
        fate = f"has {self.job.state}" if self.job.ended else "has been told to stop"
        return f"interrupted; job {self.job.id} {fate}"

    def explain(self, error: RemoteError) -> str:
        """Return the message of an error; if no URL was set, and the default one is wrong, say so first."""
        if not (self.url_is_default and _is_wrong_url(error)):
            return error.message
        return f"no URL is set (see --url and AIRFLOW_REMOTE_URL), so the default was tried: {error.message}"

    def default_url_failure(self) -> RemoteError | None:
        """Return why the default URL is wrong; None if it is right, or not used.

        For a command line with an error, since a missing URL is what to mend first.
        """
        if not self.url_is_default or self.catalog_provider.reload(DEFAULT_URL_SECONDS) is not None:
            return None
        failure = self.catalog_provider.failure
        return failure if failure is not None and _is_wrong_url(failure) else None

    def mask(self, text: str) -> str:
        """Mask the token in a text, since a server may have sent it back.

        A token shorter than four characters is no secret, and masking it would garble the text.
        """
        token = self.token.strip()
        return text if len(token) < 4 else text.replace(token, "***")


def _is_wrong_url(error: RemoteError) -> bool:
    """Return whether an error can mean that the URL is wrong."""
    may_be = isinstance(error, (UnreachableError, NotTheApiError))
    return may_be and not isinstance(error, (LostError, GatewayError))


def exit_status_for(error: RemoteError) -> int:
    """Return the exit status for an error: the command's own exit code if it has one."""
    if isinstance(error, CommandFailedError) and error.result.exit_code:
        return exit_status_of(error.result.exit_code)
    return error.exit_status
