"""The classic endpoints of what runs until it is stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_remote_server.catalogue.dialect import gone, unused
from airflow_remote_server.catalogue.spec import Argument, Endpoint, Form, Kind

if TYPE_CHECKING:
    from airflow_remote_server.catalogue.dialect import Dialect

DAEMON_FILES = "inside Airflow's log folder"
DAEMON = (
    Argument("pid", "--pid", Kind.LOG_PATH, help=f"PID file, {DAEMON_FILES}"),
    Argument("daemon", "--daemon", Kind.FLAG, short="-D", help="Let Airflow itself put it in the background"),
    Argument("stdout", "--stdout", Kind.LOG_PATH, help=f"File for its output, {DAEMON_FILES}"),
    Argument("stderr", "--stderr", Kind.LOG_PATH, help=f"File for its errors, {DAEMON_FILES}"),
    Argument("log_file", "--log-file", Kind.LOG_PATH, short="-l", help=f"Its log file, {DAEMON_FILES}"),
)


def services(dialect: Dialect) -> tuple[Endpoint, ...]:
    """The services' endpoints.

    :param dialect: of the installed Airflow
    """
    serve_logs = "airflow.utils.serve_logs" if dialect.two else "airflow.utils.serve_logs.core"
    celery = "apache-airflow-providers-celery"
    kerberos = (
        Argument("principal", help="Kerberos principal"),
        gone("keytab", "a file of the server; set [kerberos] keytab in airflow.cfg", short="-kt"),
        Argument("one_time", "--one-time", Kind.FLAG, help="End after one renewal"),
        *DAEMON,
    )
    worker = (
        unused("do_pickle", "Workers always parse DAG files"),
        Argument("queues", "--queues", short="-q", help="Queues, separated by commas"),
        Argument("concurrency", "--concurrency", Kind.INTEGER, short="-c", help="Its processes"),
        *DAEMON,
    )
    flower = (
        Argument("hostname", "--hostname", short="-hn", help="Host name to serve on"),
        Argument("port", "--port", Kind.INTEGER, short="-p", help="Port to serve on"),
        gone("flower_conf", "flower runs this file of the server as Python"),
        Argument("broker_api", "--broker-api", short="-a", secret=True, help="API of the broker"),
        *DAEMON,
    )
    scheduler = (
        gone("dag_id", "the scheduler of this Airflow always serves all DAGs"),
        gone("run_duration", "this Airflow has no limit on a scheduler's run; use num_runs"),
        Argument("num_runs", "--num-runs", Kind.INTEGER, short="-n", help="End after so many loops"),
        dialect.just_subdir(),
        dialect.only_two("do_pickle", "--do-pickle", Kind.FLAG, short="-p", help="Pickle the DAGs"),
        *DAEMON,
    )

    def service(name: str, summary: str, command: tuple[str, ...], args: tuple[Argument, ...]) -> Endpoint:
        form = Form(command, args, service=True)
        provider = celery if command[0] == "celery" else ""
        aliases = ("workers",) if name == "worker" else ()
        return Endpoint(name, summary, (form,), aliases=aliases, provider=provider)

    return (
        service("kerberos", "Start a Kerberos ticket renewer", ("kerberos",), kerberos),
        service("worker", "Start a Celery worker", ("celery", "worker"), worker),
        service("flower", "Start Flower", ("celery", "flower"), flower),
        service("scheduler", "Start a scheduler", ("scheduler",), scheduler),
        Endpoint(
            "serve_logs",
            "Serve the log files of this host",
            (Form((), service=True, program=serve_logs),),
        ),
    )
