"""The API's routes about one DAG run, which proceeds with each request."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from client.responses import NOT_RUN, envelope, json_response, not_found

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

ROUTES = ("runs", "dag_run", "task_logs", "diagnose", "import_errors")
DAG, RUN = "my dag", "manual__1"
ENDED = ("success", "failed")


def task(task_id: str, state: str | None, **fields: Any) -> dict[str, Any]:
    """Return a task of a run as the API shows it."""
    started = state in (*ENDED, "running", "up_for_retry")
    return {
        "task_id": task_id,
        "map_index": -1,
        "state": state,
        "try_number": 1 if started else 0,
        "max_tries": 0,
        "start_date": "2026-01-01T00:00:01Z" if started else None,
        "end_date": None,
        "duration": 2.5 if state in ENDED else None,
        "operator": "PythonOperator",
        "pool": "default_pool",
        "queue": "default",
        "hostname": "worker" if started else "",
        **fields,
    }


def dag_run(state: str, *tasks: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a run as the API shows it."""
    return {
        "dag_id": DAG,
        "run_id": RUN,
        "state": state,
        "run_type": "manual",
        "logical_date": None,
        "queued_at": "2026-01-01T00:00:00Z",
        "start_date": "2026-01-01T00:00:00Z",
        "end_date": "2026-01-01T00:01:05Z" if state in ENDED else None,
        "duration": 65.0 if state in ENDED else None,
        "conf": {},
        "triggering_user": None,
        "note": None,
        "tasks": list(tasks),
        "counts": dict(Counter(str(each["state"]) for each in tasks)),
        "url": "/dags/my%20dag/runs/manual__1",
        **fields,
    }


def reading(text: str, result: dict[str, Any]) -> Response:
    """Return the response of an endpoint that runs nothing."""
    return json_response(envelope(**NOT_RUN, output=text, result=result))


@dataclass
class FakeRuns:
    """Answers requests about a run.

    :param states: the run as each request finds it; the last one stays
    :param logs: the text of each log by task, map index and try
    :param growth: a log as the next requests for it find it; with the last one, its run is in its last state
    :param page: the maximum number of lines of a part
    :param problems: the diagnosis
    :param listed: the runs of the list, newest first
    :param failures: responses to its first requests; None closes the connection
    :param requests: the queries of all requests by route
    """

    states: list[dict[str, Any]] = field(default_factory=list)
    logs: dict[tuple[str, int, int], str] = field(default_factory=dict)
    growth: list[str] = field(default_factory=list)
    page: int = 2
    problems: list[dict[str, Any]] = field(default_factory=list)
    listed: list[dict[str, Any]] = field(default_factory=list)
    failures: list[Response | None] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    current: dict[str, Any] = field(default_factory=dict)

    def respond(self, name: str, query: dict[str, str]) -> Response | None:
        """Return the response to a request; None closes the connection."""
        self.requests.append((name, query))
        if self.failures:
            return self.failures.pop(0)
        response: Response = getattr(self, f"_{name}")(query)
        return response

    def queries(self, name: str) -> list[dict[str, str]]:
        """Return the queries of the requests to a route."""
        return [query for route, query in self.requests if route == name]

    def _is_known(self, query: dict[str, str]) -> bool:
        return query.get("dag_id") == DAG and query.get("run_id", RUN) == RUN

    def _dag_run(self, query: dict[str, str]) -> Response:
        if not self._is_known(query):
            return not_found("no such run; did you mean 'manual__1'?")
        self.current = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return reading("a run", self.current)

    def _task_logs(self, query: dict[str, str]) -> Response:
        found = [
            each
            for each in self.current["tasks"]
            if each["task_id"] == query["task_id"] and each["map_index"] == int(query["map_index"])
        ]
        if not found:
            return not_found("no such task; did you mean 'extract'?")
        number = int(query.get("try_number", found[0]["try_number"]))
        key = (query["task_id"], int(query["map_index"]), number)
        if self.growth:
            self.logs[key] = self.growth.pop(0)
            self.current = self.current if self.growth else self.states[-1]
        if key not in self.logs:
            return not_found("the log is gone; looked for it at /logs/x")
        lines = self.logs[key].splitlines(keepends=True)
        begin = int(query.get("after", "0"))
        end = min(begin + self.page, len(lines))
        at_end = end == len(lines)
        state = found[0]["state"]
        document = {
            **{name: query.get(name) for name in ("dag_id", "run_id", "task_id")},
            "map_index": key[1],
            "try_number": number,
            "state": state,
            "next": str(end),
            "at_end": at_end,
            "complete": at_end and (state in (*ENDED, "up_for_retry") or number < found[0]["try_number"]),
        }
        return reading("".join(lines[begin:end]), document)

    def _diagnose(self, query: dict[str, str]) -> Response:
        return reading("the diagnosis\n", {"run": self.current, "problems": self.problems})

    def _runs(self, query: dict[str, str]) -> Response:
        if query.get("dag_id", DAG) != DAG:
            return not_found("no such DAG; did you mean 'my dag'?")
        begin = int(query["offset"])
        page = self.listed[begin : begin + int(query["limit"])]
        return reading("a table", {"runs": page, "total": len(self.listed)})

    def _import_errors(self, query: dict[str, str]) -> Response:
        return reading("none", {"import_errors": []})
