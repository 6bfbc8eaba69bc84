"""How far a batch is: a file in its spool with one character for each of its commands.

The process that runs the batch writes a character whenever a command begins or ends, so that the file is true
even after that process was killed.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_remote_server.util.private_dirs import create_private_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_remote_server.execution.spool import Spool

STATES = "states"
TITLES = "titles.ndjson"
"""File with the name and the command line of each command, secrets masked, as lines of JSON."""

QUEUED, RUNNING, SUCCEEDED, FAILED = b".", b"r", b"s", b"f"
NAMES = {QUEUED: "queued", RUNNING: "running", SUCCEEDED: "succeeded", FAILED: "failed"}
AFTER_END = {QUEUED: "not_run", RUNNING: "lost"}
"""Names of the states that mean something else once the batch has ended."""

MAX_NAMED = 5
"""How many commands a description names."""


class BatchProgress:
    """The progress of one batch.

    :param spool: the spool of its job
    """

    def __init__(self, spool: Spool) -> None:
        self._states = spool.path / STATES
        self._titles = spool.path / TITLES
        self._descriptor = -1

    def create(self, titles: Iterable[tuple[str, str]]) -> None:
        """Create the files of a new batch.

        :param titles: the name and the command line of each command, secrets masked
        :raises OSError: if they cannot be written
        """
        count = 0
        with create_private_file(self._titles) as file:
            for name, title in titles:
                file.write(json.dumps([name, title]).encode() + b"\n")
                count += 1
        with create_private_file(self._states) as file:
            file.write(QUEUED * count)

    def note(self, index: int, state: bytes) -> None:
        """Note the state of a command.

        :param index: its position in the batch
        :param state: one of ``NAMES``
        :raises OSError: if it cannot be written
        """
        if self._descriptor < 0:
            self._descriptor = os.open(self._states, os.O_WRONLY | os.O_CLOEXEC)
        os.pwrite(self._descriptor, state, index)

    def close(self) -> None:
        """Close the file, such as in a forked child."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def states(self, ended: bool) -> list[str]:
        """Return the names of all states; none if this is no batch.

        :param ended: whether the batch has ended
        """
        try:
            content = self._states.read_bytes()
        except OSError:
            return []
        names = {**NAMES, **(AFTER_END if ended else {})}
        return [names.get(bytes([state]), "queued") for state in content]

    def commands(self, ended: bool) -> Iterator[dict[str, Any]]:
        """Yield the index, the name, the command line and the state of each command.

        :param ended: whether the batch has ended
        """
        try:
            lines = self._titles.read_bytes().splitlines()
        except OSError:
            return
        for index, (line, state) in enumerate(zip(lines, self.states(ended), strict=False)):
            name, title = json.loads(line)
            yield {"index": index, "command": name, "airflow_cmd": title, "state": state}

    def summary(self, ended: bool) -> dict[str, Any] | None:
        """Return the number of commands in each state, and which ones run; None if this is no batch.

        :param ended: whether the batch has ended
        """
        states = self.states(ended)
        if not states:
            return None
        counts = Counter(states)
        running = [index for index, state in enumerate(states) if state in ("running", "lost")]
        counted = {name: counts[name] for name in ("succeeded", "failed")}
        return {
            "commands": len(states),
            **counted,
            "lost" if ended else "running": running,
            "not_run" if ended else "queued": counts["not_run" if ended else "queued"],
        }

    def describe_interruption(self) -> str:
        """Return which commands of an interrupted batch have run, in one line; "" if this is no batch."""
        summary = self.summary(ended=True)
        if summary is None:
            return ""
        done = summary["succeeded"] + summary["failed"]
        lost = summary["lost"]
        named = ", ".join(f"commands[{index}]" for index in lost[:MAX_NAMED])
        running = (
            f"; {named}{' and others' if len(lost) > MAX_NAMED else ''} began and did not end" if lost else ""
        )
        failed = f", {summary['failed']} of them failed" if summary["failed"] else ""
        return f"{done} of {summary['commands']} commands have run{failed}{running}"
