"""The classic endpoints: each command of Airflow 1.x, as a command of the Airflow that is installed.

The facts come from the command-line parsers of Airflow 1.10, 2.11 and 3.3, and from running each line.
"""

from __future__ import annotations

from airflow_remote_server.catalogue.dialect import Dialect, gone, unused
from airflow_remote_server.catalogue.files import dag_files
from airflow_remote_server.catalogue.services import services
from airflow_remote_server.catalogue.spec import AS_JSON, Argument, Endpoint, Form, Kind
from airflow_remote_server.catalogue.stores import connections, pool, variables

DAG_ID = Argument("dag_id", required=True, help="The DAG's id")
TASK_ID = Argument("task_id", required=True, help="The task's id")
MAP_INDEX = Argument("map_index", "--map-index", Kind.INTEGER, help="Index of a mapped task")


class Classic(Dialect):
    """The table of endpoints for one major version of Airflow.

    :param major: 2 or 3
    """

    def endpoints(self) -> dict[str, Endpoint]:
        """All classic endpoints by name, without their aliases."""
        listed = (
            Endpoint("version", "Show the version of Airflow", (Form(("version",), read_only=True),)),
            Endpoint("rest_api_plugin_version", "Show the version of this API", (Form((), read_only=True),)),
            *self.dags(),
            *self.tasks(),
            variables(self.two),
            connections(self.two),
            pool(),
            *services(self),
            *dag_files(self, DAG_ID),
        )
        return {endpoint.name: endpoint for endpoint in listed}

    def dags(self) -> tuple[Endpoint, ...]:
        """Endpoints about whole DAGs and their runs."""
        exec_date = Argument(
            "exec_date",
            "--exec-date" if self.two else "--logical-date",
            Kind.DATE,
            short="-e",
            aliases=("execution_date", "logical_date"),
            help="Execution date" if self.two else "Logical date",
        )
        trigger = Form(
            ("dags", "trigger"),
            (
                DAG_ID,
                self.just_subdir(),
                Argument("run_id", "--run-id", short="-r", help="Id of the new run"),
                Argument("conf", "--conf", Kind.JSON_OBJECT, short="-c", help="JSON object for the run"),
                exec_date,
            ),
            # Airflow 2 cuts a run's time to seconds, and a second run of the same time is an error.
            fixed=(*AS_JSON, "--no-replace-microseconds") if self.two else AS_JSON,
        )
        state_when = (
            Argument("execution_date", kind=Kind.DATE, required=True, help="Execution date of the run")
            if self.two
            else self.when()
        )
        local = () if self.two else (Argument("local", "--local", Kind.FLAG, help="Parse the DAG files"),)
        return (
            Endpoint("trigger_dag", "Trigger a DAG run", (trigger,)),
            *(
                Endpoint(name, f"{name.capitalize()} a DAG", (self.dag_form(name),))
                for name in ("pause", "unpause")
            ),
            Endpoint(
                "dag_state",
                "Show the state of a DAG run",
                (Form(("dags", "state"), (DAG_ID, state_when, self.just_subdir()), read_only=True),),
            ),
            Endpoint(
                "list_dags",
                "List the DAGs",
                (
                    Form(("dags", "list"), (*self.where(), *local), fixed=AS_JSON, read_only=True),
                    Form(("dags", "report"), self.where(), name="report", fixed=AS_JSON, read_only=True),
                ),
            ),
            self.backfill(),
        )

    def dag_form(self, name: str) -> Form:
        """The form of ``pause`` and ``unpause``."""
        return Form(("dags", name), (DAG_ID, self.just_subdir()), fixed=AS_JSON)

    def backfill(self) -> Endpoint:
        """``backfill``: one blocking command on Airflow 2, a request to the scheduler on Airflow 3."""
        dates = (
            ("start_date", "--start-date" if self.two else "--from-date", "-s"),
            ("end_date", "--end-date" if self.two else "--to-date", "-e"),
        )
        shared = (
            *(Argument(name, flag, Kind.DATE, short=short, help="Date") for name, flag, short in dates),
            Argument("dry_run", "--dry-run", Kind.FLAG, short="-dr", help="Show what would be run"),
            Argument("run_backwards", "--run-backwards", Kind.FLAG, short="-B", help="Latest first"),
            unused("include_adhoc", "Airflow has no ad-hoc tasks any more", short="-a"),
            Argument(
                "conf",
                "--conf" if self.two else "--dag-run-conf",
                Kind.JSON_OBJECT,
                short="-c",
                help="JSON object for the runs",
            ),
        )
        old = (
            self.only_two("task_regex", "--task-regex", short="-t", help="Only tasks whose id matches"),
            self.only_two("mark_success", "--mark-success", Kind.FLAG, short="-m", help="Only mark as done"),
            self.only_two("local", "--local", Kind.FLAG, short="-l", help="Use the LocalExecutor"),
            self.only_two("donot_pickle", "--donot-pickle", Kind.FLAG, short="-x", help="Do not pickle"),
            self.only_two(
                "ignore_dependencies", "--ignore-dependencies", Kind.FLAG, short="-i", help="Only it"
            ),
            self.only_two("pool", "--pool", help="Pool for the tasks"),
            self.only_two(
                "reset_dagruns", "--reset-dagruns", Kind.FLAG, "use reprocess_behavior", help="Anew"
            ),
            self.just_subdir(),
        )
        name = "ignore_first_depends_on_past"
        if self.two:
            first = Argument(
                name, "--ignore-first-depends-on-past", Kind.FLAG, short="-I", help="No effect now"
            )
            form = Form(
                ("dags", "backfill"),
                (DAG_ID, *shared, *old, first),
                fixed=("--yes",),
                one_of=("start_date", "end_date"),
            )
        else:
            new = (
                Argument("max_active_runs", "--max-active-runs", Kind.INTEGER, help="Runs at once"),
                Argument(
                    "reprocess_behavior",
                    "--reprocess-behavior",
                    choices=("none", "completed", "failed"),
                    help="Which existing runs to do again",
                ),
            )
            dag_id = Argument("dag_id", "--dag-id", required=True, help=DAG_ID.help)
            form = Form(
                ("backfill", "create"),
                (dag_id, *shared, *old, unused(name, "No effect now"), *new),
                one_of=("start_date", "end_date"),
                mirrored=True,
            )
        return Endpoint("backfill", "Run a DAG for a range of dates", (form,))

    def tasks(self) -> tuple[Endpoint, ...]:
        """Endpoints about tasks and task instances."""
        of_run = (DAG_ID, TASK_ID, self.when(), MAP_INDEX)
        test = (
            DAG_ID,
            TASK_ID,
            self.when(required=False),
            MAP_INDEX,
            *self.where(),
            self.only_two("dry_run", "--dry-run", Kind.FLAG, "use render", short="-dr", help="Only render"),
            Argument("task_params", "--task-params", Kind.JSON_OBJECT, short="-tp", help="JSON params"),
        )
        clear = (
            DAG_ID,
            Argument("task_regex", "--task-regex", short="-t", help="Only tasks whose id matches"),
            Argument("start_date", "--start-date", Kind.DATE, short="-s", help="From this date"),
            Argument("end_date", "--end-date", Kind.DATE, short="-e", help="Up to this date"),
            *self.where(),
            Argument("upstream", "--upstream", Kind.FLAG, short="-u", help="Include upstream tasks"),
            Argument("downstream", "--downstream", Kind.FLAG, short="-d", help="Include downstream tasks"),
            Argument("only_failed", "--only-failed", Kind.FLAG, short="-f", help="Only failed tasks"),
            Argument("only_running", "--only-running", Kind.FLAG, short="-r", help="Only running tasks"),
            Argument("exclude_subdags", "--exclude-subdags", Kind.FLAG, short="-x", help="No subdags")
            if self.two
            else unused("exclude_subdags", "Airflow 3 has no subdags"),
            unused("no_confirm", "Always so: nobody could be asked", short="-c"),
        )
        tree = self.only_two("tree", "--tree", Kind.FLAG, "use `dags show`", short="-t", help="As a tree")
        return (
            Endpoint(
                "list_tasks",
                "List the tasks of a DAG",
                (Form(("tasks", "list"), (DAG_ID, tree, *self.where()), read_only=True),),
            ),
            Endpoint(
                "task_state",
                "Show the state of a task instance",
                (Form(("tasks", "state"), (*of_run, self.just_subdir()), read_only=True),),
            ),
            Endpoint(
                "task_failed_deps",
                "Show why a task instance is not run",
                (Form(("tasks", "failed-deps"), (*of_run, *self.where()), read_only=True),),
            ),
            Endpoint(
                "render",
                "Show the rendered templates of a task instance",
                (Form(("tasks", "render"), (*of_run, *self.where()), read_only=True),),
            ),
            Endpoint(
                "test",
                "Run a task without its dependencies, and record nothing",
                (Form(("tasks", "test"), test, log_is_output=True),),
            ),
            self.run(),
            Endpoint(
                "clear",
                "Clear task instances, so that they run again",
                (Form(("tasks", "clear"), clear, fixed=("--yes",)),),
            ),
        )

    def run(self) -> Endpoint:
        """``run``, which Airflow 3 has no equivalent of."""
        summary = "Run a single task instance"
        if not self.two:
            return Endpoint(
                "run",
                summary,
                absent="Airflow 3 has no `tasks run`; the nearest are test (`tasks test`), trigger_dag "
                "(`dags trigger`), and clear (`tasks clear`), which lets the scheduler run a task again",
            )
        flags = (
            ("mark_success", "-m", "Mark as done without running"),
            ("force", "-f", "Run even if it has succeeded"),
            ("local", "-l", "Run with the LocalExecutor"),
            ("ignore_all_dependencies", "-A", "Ignore all that is not a hard need"),
            ("ignore_dependencies", "-i", "Ignore the task's own dependencies"),
            ("ignore_depends_on_past", "-I", "Ignore depends_on_past"),
            ("ship_dag", "", "Pickle the DAG"),
        )
        arguments = (
            DAG_ID,
            TASK_ID,
            self.when(),
            MAP_INDEX,
            self.just_subdir(),
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
            gone("cfg_path", "`tasks run --cfg-path` deletes the file it reads on the server"),
            gone("pickle", "`tasks run --pickle` executes what it loads from the database"),
        )
        return Endpoint("run", summary, (Form(("tasks", "run"), arguments, log_is_output=True),))
