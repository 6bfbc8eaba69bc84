"""A batch as the web worker hands it to the process that runs it: a private file in the spool of its job."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_remote_server.execution.command import Command
from airflow_remote_server.execution.spool import BATCH
from airflow_remote_server.util.private_dirs import create_private_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_remote_server.execution.spool import Spool


@dataclass(frozen=True)
class BatchOptions:
    """How to run a batch.

    :param count: the number of its commands
    :param parallel: how many of them may run at once
    :param stop_on_failure: whether no command begins after one has failed
    :param output_bytes: the maximum output of the batch, and of each of its commands
    :param slots: the directory of the slots that limit how many commands run at once
    :param max_running: the number of these slots
    :param reuse: whether a process may run several commands
    :param secrets: the secrets of all commands, to be masked in the output of each
    """

    count: int
    parallel: int
    stop_on_failure: bool
    output_bytes: int
    slots: str
    max_running: int
    reuse: bool = False
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class BatchCommand:
    """A command of a batch.

    :param index: its position in the batch
    :param name: the name of the endpoint
    :param arguments: its arguments, secrets masked
    :param command: what to run
    :param log_is_output: whether its log is what users want to see
    """

    index: int
    name: str
    arguments: dict[str, Any]
    command: Command
    log_is_output: bool = False

    def to_json(self) -> bytes:
        """Return the command as a line of JSON."""
        fields = {**vars(self), "command": vars(self.command)}  # asdict would copy each word
        return json.dumps(fields).encode() + b"\n"

    @classmethod
    def from_json(cls, line: bytes) -> BatchCommand:
        """Return a command from a line of JSON."""
        fields = json.loads(line)
        words = {name: tuple(fields["command"][name]) for name in ("argv", "logged", "secrets")}
        return cls(**{**fields, "command": Command(**{**fields["command"], **words})})


def write_batch(spool: Spool, options: BatchOptions, lines: Iterable[bytes]) -> None:
    """Write the file of a batch.

    :param spool: the spool of its job
    :param options: how to run it
    :param lines: its commands, from ``BatchCommand.to_json``
    :raises OSError: if it cannot be written
    """
    with create_private_file(spool.path / BATCH) as file:
        file.write(json.dumps(asdict(options)).encode() + b"\n")
        file.writelines(lines)


def read_batch(spool: Spool) -> tuple[BatchOptions, Iterator[BatchCommand]]:
    """Read the file of a batch and remove it, since it may hold secrets.

    :param spool: the spool of its job
    :returns: how to run it, and its commands, which are read as they are needed
    :raises OSError: if there is no such file
    """
    path = spool.path / BATCH
    file = path.open("rb")
    path.unlink()
    options = json.loads(file.readline())
    options["secrets"] = tuple(options["secrets"])
    return BatchOptions(**options), map(BatchCommand.from_json, file)
