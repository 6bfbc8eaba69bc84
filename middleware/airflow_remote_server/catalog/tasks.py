"""The classic endpoints about tasks and task instances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_remote_server.catalog.dags import DAG_ID
from airflow_remote_server.catalog.spec import Argument, Endpoint, Kind, Variant
from airflow_remote_server.catalog.version_args import refused, unused

if TYPE_CHECKING:
    from airflow_remote_server.catalog.version_args import VersionArguments

TASK_ID = Argument("task_id", required=True, help="ID of the task")
MAP_INDEX = Argument("map_index", "--map-index", Kind.INTEGER, help="Index of a mapped task instance")


def task_endpoints(version: VersionArguments) -> tuple[Endpoint, ...]:
    """Return the endpoints about tasks and task instances.

    :param version: the arguments of the installed release
    """
    instance = (DAG_ID, TASK_ID, version.run(), MAP_INDEX)
    test = (
        DAG_ID,
        TASK_ID,
        version.run(required=False),
        MAP_INDEX,
        *version.dag_location(),
        version.only_two(
            "dry_run", "--dry-run", Kind.FLAG, "use render", short="-dr", help="Only render the templates"
        ),
        Argument(
            "task_params", "--task-params", Kind.JSON_OBJECT, short="-tp", help="JSON object with params"
        ),
    )
    clear = (
        DAG_ID,
        Argument("task_regex", "--task-regex", short="-t", help="Only tasks with a matching ID"),
        Argument("start_date", "--start-date", Kind.DATE, short="-s", help="From this date"),
        Argument("end_date", "--end-date", Kind.DATE, short="-e", help="Up to this date"),
        *version.dag_location(),
        Argument("upstream", "--upstream", Kind.FLAG, short="-u", help="Include upstream tasks"),
        Argument("downstream", "--downstream", Kind.FLAG, short="-d", help="Include downstream tasks"),
        Argument("only_failed", "--only-failed", Kind.FLAG, short="-f", help="Only failed tasks"),
        Argument("only_running", "--only-running", Kind.FLAG, short="-r", help="Only running tasks"),
        Argument("exclude_subdags", "--exclude-subdags", Kind.FLAG, short="-x", help="Exclude subdags")
        if version.two
        else unused("exclude_subdags", "No effect: Airflow 3 has no subdags"),
        unused("no_confirm", "No effect: confirmation is never asked for", short="-c"),
    )
    tree = version.only_two(
        "tree", "--tree", Kind.FLAG, "use `dags show`", short="-t", help="Show the tasks as a tree"
    )
    return (
        Endpoint(
            "list_tasks",
            "List the tasks of a DAG",
            (Variant(("tasks", "list"), (DAG_ID, tree, *version.dag_location()), read_only=True),),
        ),
        Endpoint(
            "task_state",
            "Show the state of a task instance",
            (Variant(("tasks", "state"), (*instance, version.subdir()), read_only=True),),
        ),
        Endpoint(
            "task_failed_deps",
            "Show why a task instance does not run",
            (Variant(("tasks", "failed-deps"), (*instance, *version.dag_location()), read_only=True),),
        ),
        Endpoint(
            "render",
            "Show the rendered templates of a task instance",
            (Variant(("tasks", "render"), (*instance, *version.dag_location()), read_only=True),),
        ),
        Endpoint(
            "test",
            "Test a task without recording its state",
            (Variant(("tasks", "test"), test, log_is_output=True),),
        ),
        _run(version),
        Endpoint(
            "clear",
            "Clear task instances so that they run again",
            (Variant(("tasks", "clear"), clear, fixed=("--yes",)),),
        ),
    )


def _run(version: VersionArguments) -> Endpoint:
    """Return ``run``, which has no equivalent in Airflow 3."""
    summary = "Run a single task instance"
    if not version.two:
        return Endpoint(
            "run",
            summary,
            absent="Airflow 3 has no `tasks run`; the nearest are test (`tasks test`), trigger_dag "
            "(`dags trigger`), and clear (`tasks clear`), which lets the scheduler run a task again",
        )
    flags = (
        ("mark_success", "-m", "Mark as succeeded without running"),
        ("force", "-f", "Run even if the task has succeeded"),
        ("local", "-l", "Run with the LocalExecutor"),
        ("ignore_all_dependencies", "-A", "Ignore all non-critical dependencies"),
        ("ignore_dependencies", "-i", "Ignore the task's own dependencies"),
        ("ignore_depends_on_past", "-I", "Ignore depends_on_past"),
        ("ship_dag", "", "Pickle the DAG"),
    )
    arguments = (
        DAG_ID,
        TASK_ID,
        version.run(),
        MAP_INDEX,
        version.subdir(),
        *(
            Argument(
                name,
                "--" + name.replace("_", "-"),
                Kind.FLAG,
                short=short,
                help=help,
                aliases=("ignore_first_depends_on_past",) if name == "ignore_depends_on_past" else (),
            )
            for name, short, help in flags
        ),
        Argument("pool", "--pool", help="Pool to run in"),
        refused("cfg_path", "`tasks run --cfg-path` deletes the file on the server that it reads"),
        refused("pickle", "`tasks run --pickle` runs code that it loads from the database"),
    )
    return Endpoint("run", summary, (Variant(("tasks", "run"), arguments, log_is_output=True),))
