"""The jobs of the Python API."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable

from airflow_remote.api.files import download
from airflow_remote.api.jobs import JobsApi
from airflow_remote.api.result import files_of, require_success
from airflow_remote.api.tail import Tail, follow_job
from airflow_remote.api.transcript import OnOutput, Transcript
from airflow_remote.errors import UnusableError
from airflow_remote.http.connection import open_connection
from airflow_remote.http.ndjson import STREAMS
from airflow_remote.http.retry import RetryPolicy
from airflow_remote.local_files import LocalTarget, no_progress
from airflow_remote.models import ACTIVE_STATES, RemoteFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_remote.http.session import Session
    from airflow_remote.local_files import Progress
    from airflow_remote.models import Result


class Job:
    """A command or service that the server runs or has run. Methods that send a request raise:

    * ``ArgumentsError`` if the server does not have the job, or has removed it;
    * ``AnsweredError`` if the server reports another error;
    * ``UnreachableError`` if there is no connection, and ``NotTheApiError`` if something else responds.

    :param session: the connection settings of the server
    :param document: the job as returned by the API; at least its ``id``
    :param notify: receives a line for the user before a retry
    :param progress: reports how many bytes of a file were received
    """

    def __init__(
        self,
        session: Session,
        document: Mapping[str, Any],
        notify: Callable[[str], None],
        progress: Progress = no_progress,
    ) -> None:
        self._session = session
        self._notify = notify
        self._progress = progress
        self.document = document

    def __repr__(self) -> str:
        """Show the id and the state."""
        return f"{type(self).__name__}({self.id!r}, {self.state!r})"

    @property
    def id(self) -> str:
        """Return the id."""
        return str(self.document["id"])

    @property
    def state(self) -> str:
        """Return the state at the time of the last request.

        It is ``queued``, ``running``, ``succeeded``, ``failed``, ``stopped``, ``timed_out`` or ``lost``.
        """
        return str(self.document.get("state", ""))

    @property
    def ended(self) -> bool:
        """Return whether the job has ended."""
        return self.state not in ACTIVE_STATES

    @property
    def kind(self) -> str:
        """Return ``command``, or ``service`` for a job that runs until it is stopped."""
        return str(self.document.get("kind", ""))

    @property
    def exit_code(self) -> int | None:
        """Return the exit code; the negative signal number if a signal ended the job; None if none."""
        return self.document.get("exit_code")

    @property
    def message(self) -> str:
        """Return the error message in one line; "" if there is none."""
        return str(self.document.get("message") or "")

    @property
    def stopping(self) -> str:
        """Return how long it may take to end, as a text, while it is being stopped; "" otherwise."""
        stopping = self.document.get("stopping")
        message = stopping.get("message") if isinstance(stopping, dict) and not self.ended else None
        return message if isinstance(message, str) else ""

    @property
    def restarting(self) -> str:
        """Return when it is started again, as a text, while a service that failed waits for that; or ""."""
        restarts = self.document.get("restarts")
        waits = isinstance(restarts, dict) and restarts.get("next") and not self.ended
        message = restarts.get("message") if isinstance(restarts, dict) and waits else None
        return message if isinstance(message, str) else ""

    def refresh(self) -> Job:
        """Fetch the current state from the server, and return this object."""
        with self._open_api() as jobs_api:
            self.document = jobs_api.get(self.id)
        return self

    def wait(self, on_output: OnOutput | None = None) -> Result:
        """Wait for the job to end.

        :param on_output: is called with the stream name and a text for each piece of output
        :returns: the result
        :raises CommandFailedError: if the job failed, was stopped, or is lost
        """
        with self._open_api() as jobs_api:
            transcript = Transcript(on_output)
            result = follow_job(
                jobs_api, self.id, transcript, RetryPolicy(self._notify), self._session.timeout
            )
        self.document = {**self.document, **(result.job or {}), "exit_code": result.exit_code}
        return require_success(result, self._session.sends_token)

    def output(self, stream: str = "stdout", follow: bool = False) -> Iterator[bytes]:
        """Yield the output of one stream in chunks, byte for byte; see also ``tail``.

        :param stream: ``stdout`` or ``stderr``
        :param follow: continue until the job ends; otherwise stop at the current end of the output
        :raises UnusableError: for any other stream
        """
        for _, data in self.tail(stream, follow):
            yield data

    def tail(self, stream: str | None = None, follow: bool = True) -> Iterator[tuple[str, bytes]]:
        """Yield the output in chunks, byte for byte, each with the name of its stream, as they arrive.

        :param stream: ``stdout`` or ``stderr``; None for both
        :param follow: continue until the job ends; otherwise stop at the current end of the output
        :raises UnusableError: for any other stream
        """
        if stream not in (None, *STREAMS):
            raise UnusableError(f"{str(stream)[:40]!r} is not one of {', '.join(STREAMS)}")
        offsets = dict.fromkeys(STREAMS if stream is None else (stream,), 0)
        with self._open_api() as jobs_api:
            tail = Tail(jobs_api, self.id, offsets, RetryPolicy(self._notify), self._session.timeout)
            if follow:
                yield from tail
                return
            for name in offsets:
                while data := tail.read(name):
                    yield name, data

    def files(self) -> list[RemoteFile]:
        """Return the files that the job wrote; they are complete once it has ended.

        :raises NotTheApiError: also if a name could lead out of a directory
        """
        return files_of(self.refresh().document.get("files"))

    def download(self, name: str, path: str | os.PathLike[str]) -> None:
        """Download a file that the job wrote.

        :param name: its name on the server
        :param path: the local file, which is written completely or not at all
        :raises UnusableError: if the job has no such file
        :raises LocalFileError: if it cannot be written
        """
        for file in self.files():
            if file.name == name:
                with LocalTarget(os.fspath(path)) as target:
                    self.fetch(file, target)
                return
        raise UnusableError(f"job {self.id} has no file {name[:80]!r}")

    def fetch(self, file: RemoteFile, target: LocalTarget) -> None:
        """Download one of ``files`` into an open local file.

        :param file: one of ``files``
        :param target: receives the content
        :raises LocalFileError: if it cannot be written
        """
        with self._open_api() as jobs_api:
            download(jobs_api, self.id, file, target, RetryPolicy(self._notify), self._progress)

    def stop(self, force: bool = False) -> Job:
        """Request a stop without waiting for the end, and return this object.

        :param force: kill all its processes at once; otherwise send SIGTERM, to a service's own process only,
            and kill what is left after a grace period: see ``stopping``
        """
        with self._open_api() as jobs_api:
            self.document = jobs_api.stop(self.id, force)
        return self

    def delete(self) -> Job:
        """Delete this job with its output and files on the server, and return this object.

        :raises CommandFailedError: if the job has not ended
        :raises RefusedError: unless the token is an admin's without restrictions
        """
        with self._open_api() as jobs_api:
            self.document = jobs_api.delete(self.id)
        return self

    @contextmanager
    def _open_api(self) -> Iterator[JobsApi]:
        with open_connection(self._session) as connection:
            yield JobsApi(connection)
