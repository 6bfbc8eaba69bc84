"""The folders of jobs in one state directory, and what they say of their jobs."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from airflow_remote_server.errors import CommandFailed, Conflict, Unavailable
from airflow_remote_server.jobs import State
from airflow_remote_server.jobs.store import home
from airflow_remote_server.runner import Outcome
from airflow_remote_server.runner.failures import classify
from airflow_remote_server.runner.folder import CLAIMED, EXIT, PROCESS, RESULT, STDERR, Folder
from airflow_remote_server.runner.private import private

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_remote_server.errors import ApiError
    from airflow_remote_server.jobs import Job
    from airflow_remote_server.settings import Settings


class Folders:
    """The folders of one state directory.

    :param settings: where they are, and limits
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.root = settings.state_dir / "jobs"
        self._node = ""

    @property
    def node(self) -> str:
        """This machine and state directory: jobs of another one may be in the store, but not in our hands.

        :raises Unavailable: when the state directory cannot be written to
        """
        if not self._node:
            name = self.settings.state_dir / "node"
            with self._writable():
                private(self.settings.state_dir)
                private(self.root)
                partial = name.with_suffix(f".{secrets.token_hex(8)}")  # threads do this, too
                partial.write_text(secrets.token_hex(8), "ascii")
                with suppress(FileExistsError):
                    os.link(partial, name)  # whole or not at all, and the first one stays
                partial.unlink()
                self._node = f"{name.read_text('ascii')[:16]}@{os.uname().nodename[:60]}"
        return self._node

    def has(self, job: Job) -> bool:
        """Whether a job's folder is in this state directory."""
        return home(job.node) == home(self.node)

    def refuse_elsewhere(self, job: Job) -> None:
        """Refuse what needs a job's folder, where that is not.

        :raises Conflict: naming the machine
        """
        if not self.has(job):
            where = job.node.partition("@")[2]
            raise Conflict(f"job {job.id} is on {where}: ask the webserver there") from None

    @contextmanager
    def _writable(self) -> Iterator[None]:
        """Say what to do when the state directory cannot be written to."""
        try:
            yield
        except OSError as error:
            raise self.unwritable(error) from error

    def unwritable(self, error: OSError) -> Unavailable:
        """What to say when the state directory cannot be written to."""
        return Unavailable(
            f"cannot write to {self.settings.state_dir} ({error.strerror}): "
            "make room or make it writable, or set [rest_api_plugin] state_dir"
        )

    def folder(self, job: Job) -> Folder:
        """The folder of a job."""
        return Folder(self.root / job.id)

    def failure(self, job: Job, end: dict[str, Any] | None = None) -> ApiError | None:
        """What went wrong with a job that has ended.

        :param job: it
        :param end: the content of ``exit.json``, when it was told already
        :returns: None when nothing did
        """
        folder = self.folder(job)
        end = end or folder.read(EXIT)
        if not isinstance(end, dict):  # it is on another machine, or removed
            return None if job.state is State.SUCCEEDED else CommandFailed(job.message or job.state.value)
        reason, limits = end.get("reason", ""), self.settings
        if reason == "stopped":
            return CommandFailed("the command was stopped")
        if reason == "timed_out":
            return CommandFailed(
                f"the command ran over {limits.command_timeout:g} s and was stopped "
                "([rest_api_plugin] command_timeout)"
            )
        if reason == "output":
            return CommandFailed(
                f"the command printed over {limits.max_output_bytes} bytes and was stopped "
                "([rest_api_plugin] max_output_bytes)"
            )
        outcome = self.outcome(job, end)
        if reason == "lost":
            began = folder.has(PROCESS) or folder.has(CLAIMED)
            what = "what it did up to then is done" if began else "it never ran"
            return CommandFailed(
                f"the command is lost: its process is no more, and nobody saw its end; {what}"
            )
        return None if outcome.exit_code == 0 else classify(outcome, self.text(job, STDERR))

    def outcome(self, job: Job, end: dict[str, Any] | None = None) -> Outcome:
        """A job's end by the command's own account."""
        folder = self.folder(job)
        end = end or folder.read(EXIT) or {}
        return Outcome.read(folder.read(RESULT), end.get("exit_code"))

    def text(self, job: Job, stream: str) -> str:
        """All that a job has printed to a stream."""
        return self.read(job, stream, 0, self.settings.max_output_bytes).decode("utf-8", "replace")

    def read(self, job: Job, stream: str, offset: int, most: int) -> bytes:
        """Some of what a job has printed.

        :param stream: ``stdout`` or ``stderr``
        :param offset: in bytes
        :param most: bytes
        """
        try:
            with (self.root / job.id / stream).open("rb") as file:
                file.seek(offset)
                return file.read(most)
        except OSError:
            return b""
