"""Explain why a run failed or waits: failed and blocked tasks, and what keeps them from running."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_remote_server.errors import ApiError
from airflow_remote_server.integrations import run_facts
from airflow_remote_server.integrations.installed import installed_integration
from airflow_remote_server.integrations.run_tables import (
    find_import_errors,
    find_latest_run,
    find_run,
    find_tasks,
    open_session,
    require_dag,
)
from airflow_remote_server.runs.documents import (
    import_error_document,
    run_document,
    task_document,
)
from airflow_remote_server.runs.log_pages import read_last_lines
from airflow_remote_server.runs.tables import task_name

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_TASKS = 10
"""The maximum number of tasks of each kind that are explained."""

LAST_LINES = 15
WAITING = frozenset({None, "scheduled", "queued"})
STATES = (
    ("up_for_retry", "retry_waiting", "waits for its next try"),
    ("running", "running", "runs"),
    ("queued", "queued", "is queued"),
)
"""States of tasks that go on by themselves, each with the kind of its problem and a text."""

ACTIVE_RUN = frozenset({"queued", "running"})


@dataclass(frozen=True)
class Problem:
    """A reason why a run failed or waits.

    :param kind: its kind, for programs
    :param message: one line
    :param advice: what to do next; "" if there is nothing to do
    :param task_id: the task; None if it is not about one
    :param map_index: -1 if the task is not mapped
    :param try_number: the try of the task
    :param log: the last lines of its log
    """

    kind: str
    message: str
    advice: str = ""
    task_id: str | None = None
    map_index: int | None = None
    try_number: int | None = None
    log: str | None = None


def diagnose(dag_id: str, run_id: str | None, names: frozenset[str]) -> dict[str, Any]:
    """Explain a run.

    :param dag_id: the DAG
    :param run_id: its run; None for the latest one, if there is one
    :param names: parts of the names of secrets in its configuration
    :returns: the run, or None, and its problems
    :raises NotFound: if there is no such DAG or run
    """
    with open_session() as session:
        dag = require_dag(session, dag_id)
        run = find_run(session, dag_id, run_id) if run_id else find_latest_run(session, dag_id)
        document = None if run is None else run_document(run, names)
        tasks = [] if run is None else [task_document(row) for row in find_tasks(session, dag_id, run.run_id)]
        active = document is None or document["state"] in ACTIVE_RUN
        problems = list(_explain_dag(session, dag, active))
        if document is not None and active:
            problems += _explain_blocked(session, document, tasks)
    if document is not None:
        problems += _explain_failed(document, tasks)
    return {"run": document, "problems": [asdict(problem) for problem in problems]}


def _explain_dag(session: Any, dag: Any, active: bool) -> Iterator[Problem]:
    """Yield what keeps a DAG from running.

    :param session: from ``open_session``
    :param dag: its row
    :param active: whether its run has not ended
    """
    path = dag.fileloc or ""
    for row in find_import_errors(session, dag):
        error = import_error_document(row)
        place = path if error["line"] is None else f"{path}:{error['line']}"
        message = f"{place}: {error['message']}"
        yield Problem("import_error", message, "fix the file", log=error["stacktrace"])
    if run_facts.is_stale(dag):
        yield Problem("dag_stale", f"no DAG file defines {dag.dag_id!r} any more", "deploy its file again")
    if not active:
        return
    if dag.is_paused:
        yield Problem("dag_paused", f"DAG {dag.dag_id!r} is paused", "`dags unpause`")
    if not run_facts.scheduler_runs():
        message = "no scheduler runs: none has sent a heartbeat lately"
        yield Problem("no_scheduler", message, "start `scheduler`")
    integration = installed_integration()
    if integration.PARSER != "scheduler" and not integration.parser_runs():
        advice = "start `dag-processor`"
        yield Problem("no_dag_processor", f"no {integration.PARSER} runs: DAG files are not parsed", advice)


def _explain_blocked(session: Any, run: dict[str, Any], tasks: list[dict[str, Any]]) -> Iterator[Problem]:
    """Yield why tasks of an active run do not run, or that they run."""
    full = run_facts.find_full_pools(session)
    waiting = [task for task in tasks if task["state"] in WAITING]
    for task in [task for task in waiting if task["pool"] in full][:MAX_TASKS]:
        message = f"{task_name(task)} waits for pool {task['pool']!r}: {full[task['pool']]}"
        yield _of_task("pool_full", message, task, "wait, or give the pool more slots: `pools set`")
    keys = [(task["task_id"], task["map_index"]) for task in waiting if task["state"] != "queued"]
    reasons = run_facts.find_failed_dependencies(session, run["dag_id"], run["run_id"], keys[:MAX_TASKS])
    for task in waiting:
        found = reasons.get((task["task_id"], task["map_index"]))
        if found:
            yield _of_task("dependencies", f"{task_name(task)} waits: {' '.join(found)}", task)
    for state, kind, text in STATES:
        for task in [task for task in tasks if task["state"] == state][:MAX_TASKS]:
            yield _of_task(kind, f"{task_name(task)} {text} (try {task['try_number']})", task)


def _explain_failed(run: dict[str, Any], tasks: list[dict[str, Any]]) -> Iterator[Problem]:
    """Yield the failed tasks of a run with the ends of their logs, and the tasks that did not run."""
    failed = [task for task in tasks if task["state"] == "failed"]
    for task in failed[:MAX_TASKS]:
        message = f"{task_name(task)} failed (try {task['try_number']} of {task['max_tries'] + 1})"
        yield _of_task("task_failed", message, task, log=_last_lines(run, task))
    blocked = [task_name(task) for task in tasks if task["state"] == "upstream_failed"]
    if blocked:
        more = f" and {len(blocked) - MAX_TASKS} more" if len(blocked) > MAX_TASKS else ""
        names = ", ".join(blocked[:MAX_TASKS])
        yield Problem("upstream_failed", f"did not run because of the tasks before them: {names}{more}")


def _of_task(
    kind: str, message: str, task: dict[str, Any], advice: str = "", log: str | None = None
) -> Problem:
    return Problem(kind, message, advice, task["task_id"], task["map_index"], task["try_number"], log)


def _last_lines(run: dict[str, Any], task: dict[str, Any]) -> str:
    """Return the last lines of a task's log, or why it cannot be read."""
    key = (run["dag_id"], run["run_id"], task["task_id"], task["map_index"], task["try_number"])
    try:
        return "\n".join(read_last_lines(*key, count=LAST_LINES))
    except ApiError as error:
        return error.message


def format_diagnosis(diagnosis: dict[str, Any]) -> str:
    """Return a diagnosis as text.

    :param diagnosis: from ``diagnose``
    """
    run, lines = diagnosis["run"], list[str]()
    if run is None:
        lines.append("The DAG has no run.")
    else:
        lines.append(f"Run {run['run_id']} of {run['dag_id']}: {run['state']}")
    for problem in diagnosis["problems"]:
        advice = f" ({problem['advice']})" if problem["advice"] else ""
        lines.append(f"- {problem['message']}{advice}")
        lines += [f"    {line}" for line in (problem["log"] or "").split("\n") if problem["log"]]
    if not diagnosis["problems"]:
        lines.append("No problem was found.")
    return "\n".join(lines) + "\n"
