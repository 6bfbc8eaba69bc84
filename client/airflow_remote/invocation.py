"""One run of the program: what its global options say, and how a command's result is shown."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Callable

from airflow_remote import output
from airflow_remote.address import DEFAULT_URL
from airflow_remote.client import Client, Job, Result
from airflow_remote.errors import AnsweredError, CommandFailedError, RemoteError, UnusableError
from airflow_remote.exit_status import ExitStatus, of_command
from airflow_remote.files import Export
from airflow_remote.known import Known
from airflow_remote.output import note
from airflow_remote.progress import bar
from airflow_remote.transport import DEFAULT_TIMEOUT, Transport

if TYPE_CHECKING:
    from typing import Any

    from airflow_remote.body import Value
    from airflow_remote.catalogue import Command
    from airflow_remote.transcript import OnOutput


@dataclass
class Invocation:
    """One run of the program. Calling it runs a command.

    :param url: of the server
    :param token: "" for none
    :param timeout: seconds to wait for a sign of the server
    :param as_json: print all that the server answers
    :param detach: do not wait for the command's end
    :param job: the job that ends with this program when that is interrupted
    :param watched: the job that does not
    :param sent: whether a command may have been sent
    """

    url: str = DEFAULT_URL
    token: str = field(default="", repr=False)
    timeout: float = DEFAULT_TIMEOUT
    as_json: bool = False
    detach: bool = False
    job: Job | None = None
    watched: str = ""
    sent: bool = False
    known: Known = field(init=False, repr=False)
    """The server's commands."""

    def __post_init__(self) -> None:
        self.known = Known(lambda: Transport(self.url, self.token, self.timeout), self.say)

    def __call__(self, name: str, arguments: dict[str, Value], destination: str | None) -> int:
        """Run a classic command and write what it prints, as it comes.

        :param name: the endpoint
        :param arguments: by name
        :param destination: the local file for what it prints; None or "-" for standard output
        :returns: the exit status
        :raises RemoteError: when it did not work, and a line of ours is to be written about it
        """
        to_file = destination not in (None, "-")
        client = self.client()
        if self.detach:
            if to_file:
                raise UnusableError(
                    "--detach and a file for the output do not go together; give - for the file"
                )
            return self.detached(client, name, arguments)
        with contextlib.ExitStack() as stack:
            export = stack.enter_context(Export(str(destination))) if to_file else None
            return self.shown(
                lambda on_output: client.run(name, arguments, on_output=on_output, on_start=self.started),
                export,
            )

    def live(self, command: Command, given: dict[str, Any]) -> int:
        """Run a live command, write what it prints, as it comes, and fetch the files that it has written.

        :param command: its entry in the catalogue
        :param given: values by the arguments' names, as ``parsing`` gives them
        :returns: the exit status
        :raises RemoteError: when it did not work, and a line of ours is to be written about it
        """
        from airflow_remote.arrivals import Arrivals, uploads
        from airflow_remote.prompts import answered

        client = self.client()
        with Arrivals(command, given) as arrivals:
            arguments = {**uploads(command, answered(command, given, self.url)), **arrivals.names}
            if self.detach:
                later = (
                    "; fetch its files when it has ended: airflow-remote job download {}" if arrivals else ""
                )
                return self.detached(client, command.name, arguments, live=True, later=later)

            def fetch(result: Result) -> None:
                if arrivals:
                    arrivals.fetch(result.files, lambda file, export: client.fetch(result, file, export))

            return self.shown(
                lambda on_output: client.run(
                    command.name, arguments, on_output=on_output, on_start=self.started, live=True
                ),
                finish=fetch,
            )

    def client(self) -> Client:
        """The server.

        :raises UnusableError: when the global options cannot be used
        """
        return Client(self.url, self.token, self.timeout, self.say, bar, self.known.heard)

    def say(self, line: str) -> None:
        """Say a line of our own, without the token."""
        note(self.masked(line))

    def started(self, job: Job) -> None:
        """Note the job that ends with this program."""
        self.job = job

    def shown(
        self,
        run: Callable[[OnOutput | None], Result],
        export: Export | None = None,
        finish: Callable[[Result], None] = lambda result: None,
    ) -> int:
        """Run something, and write what it prints and what it ends with.

        :param run: gets what is to be called with output as it comes; None when it is not to be written so
        :param export: the file that gets its output in the end
        :param finish: gets the result when it is good, after all else has been written
        :returns: the exit status
        :raises RemoteError: when it did not work, and a line of ours is to be written about it
        """
        live = not self.as_json and export is None
        self.sent = True
        try:
            result = run(output.piece if live else None)
        except AnsweredError as error:
            return self.failed(error, live)
        if export is not None:
            export.write(result.stdout or "")
        if self.as_json:
            output.document(result.envelope)
        else:
            if export is not None:
                output.to_stderr(result.stderr or "")
            elif result.stdout is None and result.output:
                output.to_stdout(f"{result.output}\n")
            if result.warning:
                note(f"warning: {result.warning}")
        finish(result)
        return ExitStatus.OK

    def failed(self, error: AnsweredError, live: bool) -> int:
        """Write an answer that says what went wrong; the exit status.

        :param live: whether its output has been written
        :raises AnsweredError: when a line of ours is to be written about it
        """
        result = error.result
        if self.as_json:
            output.document(result.envelope)
            return status_of(error)
        if not live:
            output.to_stdout(result.stdout or "")
            output.to_stderr(result.stderr or "")
        if isinstance(error, CommandFailedError) and error.message in (result.stderr or ""):
            return status_of(error)
        raise error

    def detached(
        self,
        client: Client,
        name: str,
        arguments: dict[str, Value],
        live: bool | None = None,
        later: str = "",
    ) -> int:
        """Have a command run, and write its job's id; or what was answered, when there is none.

        :param live: as ``Client.run`` has it
        :param later: what else is to be said, of the job whose id is filled in
        :raises RemoteError: when it was not run
        """
        self.sent = True
        try:
            result = client.run(name, arguments, wait=False, live=live)
        except AnsweredError as error:
            if error.result.job is None:
                return self.failed(error, live=False)
            result = error.result
        if self.as_json or result.job is None:
            if not self.as_json:
                output.to_stdout(result.stdout or "")
                output.to_stderr(result.stderr or "")
            return self.shown(lambda on_output: result)
        output.to_stdout(f"{result.job['id']}\n")
        if later:
            note(f"job {result.job['id']} runs{later.format(result.job['id'])}")
        return ExitStatus.OK

    def interrupted(self) -> str:
        """Stop the command that this program has begun; what is to be said of it."""
        if self.job is None and not (self.sent or self.watched):
            return "interrupted; nothing was sent to be run"
        if self.job is None:
            goes_on = (
                f"job {self.watched} goes on"
                if self.watched
                else "a command that was sent may still be running"
            )
            return f"interrupted; {goes_on} on the server"
        try:
            self.job.stop()
        except RemoteError as error:
            return f"interrupted; job {self.job.id} could not be stopped: {self.masked(error.message)}"
        fate = f"has {self.job.state}" if self.job.ended else "has been told to stop"
        return f"interrupted; job {self.job.id} {fate}"

    def masked(self, text: str) -> str:
        """A text without the token, which a server may have sent back.

        One of less than four characters is no secret, and would turn the text into stars.
        """
        token = self.token.strip()
        return text if len(token) < 4 else text.replace(token, "***")


def status_of(error: RemoteError) -> int:
    """The exit status for an error: the command's own, where it has one."""
    if isinstance(error, CommandFailedError) and error.result.exit_code:
        return of_command(error.result.exit_code)
    return error.exit_status
