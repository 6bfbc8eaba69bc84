"""Read the logs of tasks part by part, so that no log is held as a whole."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_remote.api.runs import TaskTry
from airflow_remote.errors import AnsweredError, BusyError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_remote.api.runs import LogPage, RunsApi

POLL_SECONDS = 1.0
"""How often a log is read again while its task runs."""

FINISHING_ROUNDS = 10
"""How often a log is read again after the end of its run: some stores show the last lines late."""

MOST_MISSES = 30
"""How often in a row a log may be missing: some stores have it only some time after the end of its task."""

BUSY_WEIGHT = 10
"""How many of these a log counts that the server cannot read."""

MERGED_BYTES = 8 << 20
"""The size of a part of a log that the server has to read as a whole for each part, in bytes."""

NO_LOG_STATES = (None, "none", "scheduled", "queued", "upstream_failed", "removed")
RAN_STATES = ("success", "skipped")
ENDED_STATES = ("success", "failed", "skipped", "upstream_failed", "removed")


def may_have_log(task: Mapping[str, Any]) -> bool:
    """Return whether a task has run, so that there can be a log.

    Airflow also ends tasks that it never ran, such as empty ones; these have no host.

    :param task: a task of a run
    """
    state = task["state"]
    return state not in NO_LOG_STATES and (state not in RAN_STATES or bool(task.get("hostname")))


def label_of(task: Mapping[str, Any]) -> str:
    """Return the name of a task, as in ``extract`` or ``load[3]``.

    :param task: a task of a run
    """
    index = task["map_index"]
    return str(task["task_id"]) if index < 0 else f"{task['task_id']}[{index}]"


class LogReader:
    """Reads the log of one try of a task.

    :param runs_api: the server's runs
    :param task: the try of the task
    """

    def __init__(self, runs_api: RunsApi, task: TaskTry) -> None:
        self._runs_api = runs_api
        self._task = task
        self._cursor: str | None = None
        self.complete = False
        """Whether nothing more will come."""

    @property
    def try_number(self) -> int | None:
        """Return the number of the try; None if it is not known yet."""
        return self._task.try_number

    def read(self) -> Iterator[LogPage]:
        """Yield the parts that can be read by now. Raises the errors of ``RunsApi``."""
        while not self.complete:
            merged = self._cursor is not None and self._cursor.startswith("l")
            page = self._runs_api.read_log(self._task, self._cursor, MERGED_BYTES if merged else None)
            stuck = page.cursor in ("", self._cursor)  # a broken server would send the same part for ever
            self._cursor = page.cursor or self._cursor
            self.complete = page.complete and page.at_end
            if self._task.try_number is None and type(page.document.get("try_number")) is int:
                # The next try has another log, and cursors belong to one log.
                self._task = self._task._replace(try_number=page.document["try_number"] or None)
            yield page
            if page.at_end or stuck:
                return

    def follow(self, pause: Callable[[float], None] = time.sleep) -> Iterator[LogPage]:
        """Yield all parts until nothing more will come.

        :param pause: waits between two reads
        """
        while True:
            yield from self.read()
            if self.complete:
                return
            pause(POLL_SECONDS)


class RunLogs:
    """The logs of all tasks of a run, as they are written.

    :param runs_api: the server's runs
    :param write: is called with a task and whole lines of its log
    :param note: is called with a line for the user about a log that cannot be read
    """

    def __init__(
        self,
        runs_api: RunsApi,
        write: Callable[[Mapping[str, Any], str], None],
        note: Callable[[str], None],
    ) -> None:
        self._runs_api = runs_api
        self._write = write
        self._note = note
        self._readers: dict[tuple[str, int, int | None], tuple[LogReader, Mapping[str, Any]]] = {}
        self._done: set[tuple[str, int, int | None]] = set()
        self._misses: dict[tuple[str, int, int | None], int] = {}

    def update(self, run: Mapping[str, Any]) -> None:
        """Read what is new.

        :param run: the run as it is now
        """
        for task in run["tasks"]:
            number = task.get("try_number") or None
            key = (task["task_id"], task["map_index"], number)
            if key in self._readers:
                self._readers[key] = self._readers[key][0], task
            elif key not in self._done and may_have_log(task):
                where = TaskTry(run["dag_id"], run["run_id"], *key)
                self._readers[key] = LogReader(self._runs_api, where), task
        self._read(last=False)

    def finish(self, pause: Callable[[float], None] = time.sleep) -> None:
        """Read the rest after the end of the run.

        :param pause: waits between two reads
        """
        for rounds in range(FINISHING_ROUNDS):
            if not self._readers:
                return
            if rounds:
                pause(POLL_SECONDS)
            self._read(last=rounds == FINISHING_ROUNDS - 1)

    def _read(self, last: bool) -> None:
        """Read each log up to its present end.

        :param last: whether to give up those that are incomplete
        """
        for key, (reader, task) in list(self._readers.items()):
            missing, weight = "", 1
            try:
                for page in reader.read():
                    if page.text:
                        self._write(task, page.text)
            except RefusedError:
                raise
            except AnsweredError as error:  # it is not there yet, or no longer, or its store fails
                missing = error.message
                weight = BUSY_WEIGHT if isinstance(error, BusyError) else 1  # it was tried several times
            misses = self._misses[key] = self._misses.get(key, 0) + weight if missing else 0
            if missing and (last or misses >= MOST_MISSES):
                self._note(f"no log of {label_of(task)}: {missing}")
            elif not (reader.complete or last):
                continue
            del self._readers[key]
            self._done.add(key)
