"""The part of the Python API's client that is about DAG runs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_remote.api.dag_run import DagRun
from airflow_remote.api.runs import RunsApi
from airflow_remote.errors import NotTheApiError
from airflow_remote.http.connection import open_connection
from airflow_remote.http.url import page_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_remote.http.session import Session

PAGE = 1000
"""The maximum number of runs of a page."""


class RunsClient:
    """Reads DAG runs; a base of ``client.Client``."""

    _session: Session
    _notify: Callable[[str], None]

    def runs(self, dag_id: str | None = None, *, limit: int = 25, **conditions: str | None) -> list[DagRun]:
        """Return DAG runs, newest first.

        :param dag_id: only those of this DAG
        :param limit: the maximum number of runs to return
        :param conditions: ``state`` (``queued``, ``running``, ``success`` or ``failed``), ``start_date`` and
            ``end_date``, the bounds of the time when a run was created; None for any
        :raises ArgumentsError: for an unknown DAG; see also ``Client.run``
        """
        return list(self.iter_runs(dag_id, limit=limit, **conditions))

    def iter_runs(
        self, dag_id: str | None = None, *, limit: int | None = None, **conditions: str | None
    ) -> Iterator[DagRun]:
        """Yield DAG runs, newest first, and request them a page at a time.

        :param dag_id: this and ``conditions`` are those of ``runs``
        :param limit: the maximum number of runs; None for all
        :raises ArgumentsError: for an unknown DAG; see also ``Client.run``
        """
        offset = 0
        with self.open_runs() as runs_api:
            while limit is None or offset < limit:
                size = PAGE if limit is None else min(limit - offset, PAGE)
                page = runs_api.list({"dag_id": dag_id, **conditions, "limit": size, "offset": offset})
                for document in page[:size]:
                    yield DagRun(self._session, document, self._notify)
                if len(page) < size:
                    return
                offset += size

    def dag_run(self, dag_id: str, run_id: str | None = None) -> DagRun:
        """Return a DAG run with its tasks.

        :param dag_id: the DAG
        :param run_id: the run; None for the latest one
        :raises ArgumentsError: if there is no such run; see also ``Client.run``
        """
        with self.open_runs() as runs_api:
            return DagRun(self._session, runs_api.get(dag_id, run_id), self._notify)

    def task_logs(
        self, dag_id: str, task_id: str, run_id: str | None = None, *, follow: bool = False, **which: Any
    ) -> Iterator[str]:
        """Yield the log of a task in texts of whole lines; a log of any size needs little memory.

        :param dag_id: the DAG
        :param task_id: the task
        :param run_id: the run; None for the latest one
        :param follow: continue until the try ends; otherwise stop at the current end of the log
        :param which: ``map_index`` of a mapped task, and ``try_number``; without it, the latest try
        :raises ArgumentsError: if there is no such run, task, try or log; see also ``Client.run``
        """
        return self.dag_run(dag_id, run_id).logs(task_id, follow=follow, **which)

    def diagnose(self, dag_id: str, run_id: str | None = None) -> Mapping[str, Any]:
        """Return why a run failed or waits: the ``run``, and ``problems`` with a ``message`` each.

        :param dag_id: the DAG
        :param run_id: the run; None for the latest one
        :raises ArgumentsError: if there is no such DAG or run; see also ``Client.run``
        """
        with self.open_runs() as runs_api:
            return runs_api.diagnose(dag_id, run_id)[0]

    def import_errors(self) -> list[Mapping[str, Any]]:
        """Return the files that Airflow cannot import: ``filename``, ``line``, ``stacktrace``, ...

        :raises RemoteError: see ``Client.run``
        """
        with self.open_runs() as runs_api:
            return list(runs_api.import_errors())

    def page_url(self, path: str) -> str:
        """Return the URL of a page of Airflow.

        :param path: as the API shows it
        :raises NotTheApiError: if it is not a path
        """
        try:
            return page_url(self._session.base, path)
        except ValueError as error:
            raise NotTheApiError(f"the server named a page with an invalid path: {error}") from None

    @contextmanager
    def open_runs(self) -> Iterator[RunsApi]:
        """Open a connection for several requests about runs."""
        with open_connection(self._session) as connection:
            yield RunsApi(connection, self._notify)
