"""The routes about DAG runs, their tasks and logs. Each method sends one request, again if it was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from airflow_remote.api.result import parse_result, require_success
from airflow_remote.errors import BusyError, GatewayError, UnreachableError
from airflow_remote.http.connection import Request
from airflow_remote.http.foreign_responses import not_the_api_error
from airflow_remote.http.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_remote.http.connection import Connection
    from airflow_remote.models import Result

    Query = Mapping[str, "str | int | None"]

ENDPOINTS = "/api/v1.0"
NOT_MAPPED = -1
"""The map index of a task that is not mapped."""


class TaskTry(NamedTuple):
    """A try of a task.

    :param dag_id: the DAG
    :param run_id: the run; None for the latest one
    :param task_id: the task
    :param map_index: the index of a mapped task
    :param try_number: the try; None for the latest one
    """

    dag_id: str
    run_id: str | None
    task_id: str
    map_index: int = NOT_MAPPED
    try_number: int | None = None


class LogPage(NamedTuple):
    """A part of a log.

    :param text: whole lines
    :param document: what the server says about the task: ``task_id``, ``try_number``, ``state``, ...
    :param cursor: where the next part begins
    :param at_end: whether there is nothing more now
    :param complete: whether nothing more will come
    """

    text: str
    document: Mapping[str, Any]
    cursor: str
    at_end: bool
    complete: bool


class RunsApi:
    """DAG runs over a connection. All methods raise the errors of ``Connection.stream``, and:

    * ``ArgumentsError`` if there is no such DAG, run, task, try or log; the message names the closest one;
    * ``AnsweredError`` if the server reports another error;
    * ``NotTheApiError`` if the response is not from the API.

    :param connection: to the server
    :param notify: receives a line for the user before a retry
    """

    def __init__(self, connection: Connection, notify: Callable[[str], None]) -> None:
        self._connection = connection
        self._retry = RetryPolicy(notify)

    def list(self, query: Query) -> Sequence[Mapping[str, Any]]:
        """Return a page of runs, newest first.

        :param query: ``dag_id``, ``state``, ``limit``, ``offset``, ``start_date``, ``end_date``
        """
        return self._read("runs", query, lambda found: _items(found, "runs", is_run))["runs"]  # type: ignore[no-any-return]

    def get(self, dag_id: str, run_id: str | None) -> Mapping[str, Any]:
        """Return a run with its tasks.

        :param dag_id: the DAG
        :param run_id: the run; None for the latest one
        """
        query = {"dag_id": dag_id, "run_id": run_id}
        return self._read("dag_run", query, lambda found: is_run(found) and _items(found, "tasks", is_task))

    def read_log(self, task: TaskTry, after: str | None = None, limit: int | None = None) -> LogPage:
        """Return a part of a log.

        :param task: the try of a task
        :param after: the ``cursor`` of the part before; None to begin
        :param limit: the maximum number of bytes; None for the server's
        """
        result, found = self._get(
            "task_logs", {**task._asdict(), "after": after, "limit": limit}, is_log_page
        )
        cursor = found.get("next")
        at_end, complete = found["at_end"], found["complete"]
        return LogPage(result.output, found, "" if cursor is None else str(cursor), at_end, complete)

    def diagnose(self, dag_id: str, run_id: str | None) -> tuple[Mapping[str, Any], str]:
        """Return why a run failed or waits, and the same as a text.

        :param dag_id: the DAG
        :param run_id: the run; None for the latest one
        """
        result, found = self._get(
            "diagnose",
            {"dag_id": dag_id, "run_id": run_id},
            lambda found: _items(found, "problems", is_problem),
        )
        return found, result.output

    def import_errors(self) -> Sequence[Mapping[str, Any]]:
        """Return the files that Airflow cannot import."""
        valid = lambda found: _items(found, "import_errors", lambda item: isinstance(item, dict))  # noqa: E731
        return self._read("import_errors", {}, valid)["import_errors"]  # type: ignore[no-any-return]

    def _read(self, name: str, query: Query, is_valid: Callable[[Any], bool]) -> Mapping[str, Any]:
        return self._get(name, query, is_valid)[1]

    def _get(
        self, name: str, query: Query, is_valid: Callable[[Any], bool]
    ) -> tuple[Result, Mapping[str, Any]]:
        """Send a request until there is a response.

        :param is_valid: whether the result has the fields that are used
        """
        sent = {key: str(value) for key, value in query.items() if value is not None}
        request = Request("GET", f"{ENDPOINTS}/{name}", query=sent)
        while True:
            try:
                response = self._connection.send(request)
                result = require_success(parse_result(response), self._connection.session.sends_token)
            except (UnreachableError, GatewayError, BusyError) as error:
                self._retry.pause_or_raise(error)
                continue
            self._retry.reset()
            if not isinstance(result.result, dict) or not is_valid(result.result):
                raise not_the_api_error(response.url, response.status, "unexpected JSON")
            return result, result.result


def _items(document: Any, name: str, is_valid: Callable[[Any], bool]) -> bool:
    items = document.get(name)
    return isinstance(items, list) and all(is_valid(item) for item in items)


def is_run(document: Any) -> bool:
    """Return whether a JSON document has the fields of a run that are used."""
    return isinstance(document, dict) and all(
        isinstance(document.get(name), str) for name in ("dag_id", "run_id", "state")
    )


def is_task(document: Any) -> bool:
    """Return whether a JSON document has the fields of a task that are used."""
    if not isinstance(document, dict) or not isinstance(document.get("task_id"), str):
        return False
    numbers = (document.get("map_index"), document.get("try_number") or 0)
    state = document.get("state")
    return all(type(number) is int for number in numbers) and (state is None or isinstance(state, str))


def is_log_page(document: Mapping[str, Any]) -> bool:
    """Return whether a JSON document has the fields of a part of a log that are used."""
    return all(isinstance(document.get(name), bool) for name in ("at_end", "complete"))


def is_problem(document: Any) -> bool:
    """Return whether a JSON document has the fields of a problem that are used."""
    return isinstance(document, dict) and all(
        isinstance(document.get(name), str) for name in ("kind", "message")
    )
