"""The stages of a command in its batch, before it has ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_remote_server.batch.lane import Lane
    from airflow_remote_server.batch.models import BatchCommand
    from airflow_remote_server.execution.spool import Spool


@dataclass
class StagedCommand:
    """The next command of the batch.

    :param command: the command
    :param spool: its spool
    :param error: why the spool cannot be used; None if it can
    """

    command: BatchCommand
    spool: Spool
    error: OSError | None = None


@dataclass
class RunningCommand:
    """A command of the batch that runs.

    :param command: the command
    :param spool: its spool
    :param lane: runs it
    :param began: when it began
    :param start: the same, by ``time.monotonic``
    :param reason: why it is being stopped; "" if it is not
    :param seconds: how long it took
    :param exit_code: its exit code
    """

    command: BatchCommand
    spool: Spool
    lane: Lane
    began: datetime
    start: float
    reason: str = ""
    seconds: float = 0.0
    exit_code: int = 0
