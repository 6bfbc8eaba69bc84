"""Every command is a job: a row in the store, and a private folder with its output (``runner.folder``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(str, Enum):
    """Where a job is. All but the first two are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    TIMED_OUT = "timed_out"
    LOST = "lost"

    @property
    def final(self) -> bool:
        """Whether nothing more will become of it."""
        return self not in ACTIVE


ACTIVE = (State.QUEUED, State.RUNNING)


@dataclass(frozen=True)
class Job:
    """A row of the store.

    :param id: sorts by time; cannot be guessed
    :param kind: ``command`` or ``service``
    :param state: as the store has it
    :param node: the state directory and machine that has its folder
    :param principal: who asked for it
    :param peer: the address that the request came from
    :param name: of the endpoint
    :param command: what was run, quoted for a shell, secrets masked
    :param arguments: as JSON, secrets masked
    :param created: seconds since the epoch, as the other times
    :param key: the Idempotency-Key of the request; None when it had none
    :param digest: tells whether a request is the same as the one that made the job
    :param started: None when it did not come to that
    :param ended: None when it has not
    :param exit_code: minus the signal's number when a signal ended it; None when there is none
    :param message: what went wrong, in one line
    :param stdout_bytes: size of what it printed there
    :param stderr_bytes: size of what it printed there
    :param pid: its process
    """

    id: str
    kind: str
    state: State
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

    @property
    def service(self) -> bool:
        """Whether it runs until it is stopped."""
        return self.kind == "service"
