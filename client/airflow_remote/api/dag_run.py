"""The DAG runs of the Python API."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_remote.api.run_watch import Pace, has_ended, watch
from airflow_remote.api.runs import NOT_MAPPED, RunsApi, TaskTry
from airflow_remote.api.task_log import LogReader
from airflow_remote.http.connection import open_connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_remote.http.session import Session


class DagRun:
    """A run of a DAG. Methods that send a request raise:

    * ``ArgumentsError`` if the server does not have the run, or has removed it;
    * ``AnsweredError`` if the server reports another error;
    * ``UnreachableError`` if there is no connection, and ``NotTheApiError`` if something else responds.

    :param session: the connection settings of the server
    :param document: the run as returned by the API
    :param notify: receives a line for the user before a retry
    """

    def __init__(self, session: Session, document: Mapping[str, Any], notify: Callable[[str], None]) -> None:
        self._session = session
        self._notify = notify
        self.document = document

    def __repr__(self) -> str:
        """Show the DAG, the run and the state."""
        return f"{type(self).__name__}({self.dag_id!r}, {self.run_id!r}, {self.state!r})"

    @property
    def dag_id(self) -> str:
        """Return the id of the DAG."""
        return str(self.document["dag_id"])

    @property
    def run_id(self) -> str:
        """Return the id of the run."""
        return str(self.document["run_id"])

    @property
    def state(self) -> str:
        """Return ``queued``, ``running``, ``success`` or ``failed``, at the time of the last request."""
        return str(self.document["state"])

    @property
    def ended(self) -> bool:
        """Return whether the run has ended."""
        return has_ended(self.document)

    @property
    def ok(self) -> bool:
        """Return whether the run has succeeded."""
        return self.state == "success"

    @property
    def tasks(self) -> list[Mapping[str, Any]]:
        """Return the tasks: ``task_id``, ``map_index``, ``state``, ``try_number``, ...

        A run from a list has none before ``refresh``.
        """
        return list(self.document.get("tasks") or [])

    def refresh(self) -> DagRun:
        """Fetch the current state from the server, and return this object."""
        with self._open_api() as runs_api:
            self.document = runs_api.get(self.dag_id, self.run_id)
        return self

    def watch(self, timeout: float | None = None) -> Iterator[DagRun]:
        """Yield this object after each request, until the run has ended.

        :param timeout: seconds after which to give up; None for never
        :raises WatchTimeoutError: if it does not end in time; it goes on
        """
        with self._open_api() as runs_api:
            pace = Pace(timeout=timeout)
            for document in watch(lambda: runs_api.get(self.dag_id, self.run_id), pace):
                self.document = document
                yield self

    def wait(self, timeout: float | None = None) -> DagRun:
        """Wait for the run to end, and return this object; see ``ok``.

        :param timeout: seconds after which to give up; None for never
        :raises WatchTimeoutError: if it does not end in time; it goes on
        """
        for _ in self.watch(timeout):
            continue
        return self

    def diagnose(self) -> Mapping[str, Any]:
        """Return why the run failed or waits: the ``run``, and ``problems`` with a ``message`` each."""
        with self._open_api() as runs_api:
            return runs_api.diagnose(self.dag_id, self.run_id)[0]

    def logs(
        self,
        task_id: str,
        *,
        map_index: int = NOT_MAPPED,
        try_number: int | None = None,
        follow: bool = False,
    ) -> Iterator[str]:
        """Yield the log of a task in texts of whole lines; a log of any size needs little memory.

        :param task_id: the task
        :param map_index: the index of a mapped task
        :param try_number: the try; None for the latest one
        :param follow: continue until the try ends; otherwise stop at the current end of the log
        """
        with self._open_api() as runs_api:
            task = TaskTry(self.dag_id, self.run_id, task_id, map_index, try_number)
            reader = LogReader(runs_api, task)
            for page in reader.follow() if follow else reader.read():
                if page.text:
                    yield page.text

    @contextmanager
    def _open_api(self) -> Iterator[RunsApi]:
        with open_connection(self._session) as connection:
            yield RunsApi(connection, self._notify)
