"""A job of the server, in the Python API: looked at, followed, waited for, stopped."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable

from airflow_remote.errors import UnusableError
from airflow_remote.events import STREAMS
from airflow_remote.files import Export
from airflow_remote.following import Tail, follow
from airflow_remote.patience import Patience
from airflow_remote.progress import silent
from airflow_remote.remote_files import RemoteFile, download, listed
from airflow_remote.resources import Resources
from airflow_remote.result import ACTIVE, accepted
from airflow_remote.transcript import OnOutput, Transcript

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_remote.progress import Progress
    from airflow_remote.result import Result
    from airflow_remote.transport import Transport


class Job:
    """A command or service that the server runs, or has run. All that asks the server raises:

    * ``ArgumentsError`` when it does not have the job, or not any more;
    * ``AnsweredError`` when it answers anything else that went wrong;
    * ``UnreachableError`` when there is no connection, and ``NotTheApiError`` when something else answers.

    :param transport: how the server is reached
    :param document: what is known of the job, as the API shows it; an ``id`` at least
    :param say: gets lines for the user about what is tried again
    :param progress: sees the blocks of files that are fetched
    """

    def __init__(
        self,
        transport: Transport,
        document: Mapping[str, Any],
        say: Callable[[str], None],
        progress: Progress = silent,
    ) -> None:
        self._transport = transport
        self._say = say
        self._progress = progress
        self.document = document

    def __repr__(self) -> str:
        """Its id and state."""
        return f"{type(self).__name__}({self.id!r}, {self.state!r})"

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.document["id"])

    @property
    def state(self) -> str:
        """``queued``, ``running``, ``succeeded``, ``failed``, ``stopped``, ``timed_out`` or ``lost``; as it
        was when the server was asked last.
        """
        return str(self.document.get("state", ""))

    @property
    def ended(self) -> bool:
        """Whether nothing more will become of it."""
        return self.state not in ACTIVE

    @property
    def kind(self) -> str:
        """``command``, or ``service`` for what runs until it is stopped."""
        return str(self.document.get("kind", ""))

    @property
    def exit_code(self) -> int | None:
        """Its exit code, minus a signal's number when one ended it; None when there is none."""
        return self.document.get("exit_code")

    @property
    def message(self) -> str:
        """What went wrong, in one line; "" when nothing did."""
        return str(self.document.get("message") or "")

    def refresh(self) -> Job:
        """Ask the server how it is now; the same object."""
        with self._resources() as resources:
            self.document = resources.show(self.id)
        return self

    def wait(self, on_output: OnOutput | None = None) -> Result:
        """Wait for its end.

        :param on_output: gets the name of a stream and a text, for all that it prints, as it comes
        :returns: its result
        :raises CommandFailedError: when it failed, was stopped, or is lost
        """
        with self._resources() as resources:
            transcript = Transcript(on_output)
            result = follow(resources, self.id, transcript, Patience(self._say), self._transport.timeout)
        self.document = {**self.document, **(result.job or {}), "exit_code": result.exit_code}
        return accepted(result, self._transport.sends_token)

    def output(self, stream: str = "stdout", follow: bool = False) -> Iterator[bytes]:
        """What it prints, in pieces, byte for byte.

        :param stream: ``stdout`` or ``stderr``
        :param follow: go on until the job ends; else until what there is now
        :raises UnusableError: for another stream
        """
        if stream not in STREAMS:
            raise UnusableError(f"{stream[:40]!r} is not one of {', '.join(STREAMS)}")
        with self._resources() as resources:
            tail = Tail(resources, self.id, {stream: 0}, Patience(self._say), self._transport.timeout)
            if follow:
                for _, data in tail:
                    yield data
            else:
                while data := tail.read(stream):
                    yield data

    def files(self) -> list[RemoteFile]:
        """The files that it has written, as far as it has ended.

        :raises NotTheApiError: also when one has a name that could lead elsewhere
        """
        return listed(self.refresh().document.get("files"))

    def download(self, name: str, path: str | os.PathLike[str]) -> None:
        """Fetch a file that it has written.

        :param name: its name there
        :param path: the file here, which is written whole or not at all
        :raises UnusableError: when it has no such file
        :raises LocalFileError: when it cannot be written
        """
        for file in self.files():
            if file.name == name:
                with Export(os.fspath(path)) as export:
                    self.fetch(file, export)
                return
        raise UnusableError(f"job {self.id} has no file {name[:80]!r}")

    def fetch(self, file: RemoteFile, export: Export) -> None:
        """Fetch a file that it is known to have written.

        :param file: which
        :param export: gets its content
        :raises LocalFileError: when it cannot be written
        """
        with self._resources() as resources:
            download(resources, self.id, file, export, Patience(self._say), self._progress)

    def stop(self, force: bool = False) -> Job:
        """Ask for its end, and do not wait for it; the same object, as it is then.

        :param force: by SIGKILL at once; else by SIGTERM, and SIGKILL after a time of grace
        """
        with self._resources() as resources:
            self.document = resources.stop(self.id, force)
        return self

    @contextmanager
    def _resources(self) -> Iterator[Resources]:
        with self._transport.connect() as connection:
            yield Resources(connection)
