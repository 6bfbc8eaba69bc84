"""The state of one program run: the global options, and what an interruption or an error means for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Callable

from airflow_remote.catalog.provider import CatalogProvider
from airflow_remote.cli.console import note
from airflow_remote.errors import (
    CommandFailedError,
    GatewayError,
    LostError,
    NotTheApiError,
    RemoteError,
    UnreachableError,
)
from airflow_remote.exit_status import exit_status_of
from airflow_remote.http.session import DEFAULT_TIMEOUT, Session
from airflow_remote.http.url import DEFAULT_URL

if TYPE_CHECKING:
    from airflow_remote.client import Client, Job

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
    :param continues: what goes on if the program is interrupted, as a sentence
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
    continues: str = ""
    sent: bool = False
    catalog_provider: CatalogProvider = field(init=False, repr=False)
    """Loads the server's commands."""

    def __post_init__(self) -> None:
        self.catalog_provider = CatalogProvider(
            lambda: Session(self.url, self.token, self.timeout, cacert=self.cacert), self.notify
        )

    def client(self, notify: Callable[[str], None] | None = None) -> Client:
        """Return a client for the server.

        :param notify: prints a message; None for ``notify``
        :raises UnusableError: if the global options are invalid
        """
        from airflow_remote.cli.progress import bar
        from airflow_remote.client import Client  # takes longer to import than all the rest

        return Client(
            self.url,
            self.token,
            self.timeout,
            self.notify if notify is None else lambda line: notify(self.mask(line)),
            bar,
            self.catalog_provider.note_etag,
            self.cacert,
        )

    def notify(self, line: str) -> None:
        """Print a message with the token masked."""
        note(self.mask(line))

    def handle_interrupt(self) -> str:
        """Stop the command of this run, and return the message for the user."""
        if self.job is None and self.continues:
            return f"interrupted; {self.continues}"
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

        For a command line with an error, since a missing URL is what to fix first.
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
