"""A job and its states."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_remote_server.execution.restarts import Restarts


class JobState(str, Enum):
    """The state of a job. All but the first two are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    TIMED_OUT = "timed_out"
    LOST = "lost"

    @property
    def final(self) -> bool:
        """Return whether the state can no longer change."""
        return self not in ACTIVE


ACTIVE = (JobState.QUEUED, JobState.RUNNING)

NOT_STORED = {"stored": False}
"""The metadata of a field of a job that only its spool knows."""


def is_success(state: str, kind: str, message: str) -> bool:
    """Return whether a job has ended without an error. A service that was stopped has done what it should.

    :param state: its state
    :param kind: ``command`` or ``service``
    :param message: the error
    """
    stopped = state == JobState.STOPPED.value and kind == "service"
    return state == JobState.SUCCEEDED.value or (stopped and not message)


@dataclass(frozen=True)
class Job:
    """A row of the job store.

    :param id: sorts by time; cannot be guessed
    :param kind: ``command`` or ``service``
    :param state: the state when the row was read
    :param node: the state directory and machine that have its spool, ``ID@HOST``
    :param principal: name of the principal that requested it
    :param peer: the address that the request came from
    :param name: name of the endpoint
    :param command: the command line, shell-quoted, secrets masked
    :param arguments: as JSON, secrets masked
    :param created: seconds since the epoch, as all times
    :param key: the request's Idempotency-Key; None if it had none
    :param digest: is equal for equal requests; "" without a key
    :param started: None if it has not started
    :param ended: None if it has not ended
    :param exit_code: negative signal number if a signal ended it; None if there is none
    :param message: the error, in one line
    :param stdout_bytes: size of its stdout
    :param stderr_bytes: size of its stderr
    :param pid: its process id
    :param kill_time: when it is killed, if it is being stopped and has not ended; it is not stored
    :param restarts: how often it was started again; None if it is not started again, or has ended; not stored
    """

    id: str
    kind: str
    state: JobState
    node: str
    principal: str
    peer: str
    name: str
    command: str
    arguments: str
    created: float
    key: str | None = None
    digest: str = ""
    started: float | None = None
    ended: float | None = None
    exit_code: int | None = None
    message: str = ""
    stdout_bytes: int = 0
    stderr_bytes: int = 0
    pid: int | None = None
    kill_time: float | None = field(default=None, metadata=NOT_STORED)
    restarts: Restarts | None = field(default=None, metadata=NOT_STORED)

    @property
    def succeeded(self) -> bool:
        """Return whether it has ended without an error."""
        return is_success(self.state.value, self.kind, self.message)

    @property
    def service(self) -> bool:
        """Return whether it runs until it is stopped."""
        return self.kind == "service"


@dataclass(frozen=True)
class JobRequest:
    """A request for a job.

    :param name: name of the endpoint
    :param arguments: as JSON, secrets masked
    :param principal: name of the principal
    :param peer: the address that the request came from
    :param key: the Idempotency-Key; None if there is none
    :param digest: is equal for equal requests; "" without a key
    """

    name: str
    arguments: str
    principal: str
    peer: str
    key: str | None = None
    digest: str = ""


def directory_id(node: str) -> str:
    """Return the part of a node that identifies its state directory; its host name may change."""
    return node.partition("@")[0]


def id_prefix(moment: float) -> str:
    """Return how the ids of jobs and audit entries of a moment begin, so that ids sort by time.

    :param moment: in seconds since the epoch
    """
    return f"{max(0, int(moment * 1e6)):014x}"
