"""The classic endpoints that start services, which run until they are stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_remote_server.catalog.spec import SERVICE_ARGUMENTS, Argument, Endpoint, Kind, Variant
from airflow_remote_server.catalog.version_args import refused, unused

if TYPE_CHECKING:
    from airflow_remote_server.catalog.version_args import VersionArguments

IN_LOG_FOLDER = "inside Airflow's log folder"
DAEMON = (
    Argument("pid", "--pid", Kind.LOG_PATH, help=f"PID file, {IN_LOG_FOLDER}"),
    Argument("daemon", "--daemon", Kind.FLAG, short="-D", help="Run in the background as a daemon"),
    Argument("stdout", "--stdout", Kind.LOG_PATH, help=f"File for standard output, {IN_LOG_FOLDER}"),
    Argument("stderr", "--stderr", Kind.LOG_PATH, help=f"File for standard error, {IN_LOG_FOLDER}"),
    Argument("log_file", "--log-file", Kind.LOG_PATH, short="-l", help=f"Log file, {IN_LOG_FOLDER}"),
)


def service_endpoints(version: VersionArguments) -> tuple[Endpoint, ...]:
    """Return the endpoints that start services.

    :param version: the arguments of the installed release
    """
    serve_logs = "airflow.utils.serve_logs" if version.two else "airflow.utils.serve_logs.core"
    celery = "apache-airflow-providers-celery"
    one_time = Argument("one_time", "--one-time", Kind.FLAG, help="Exit after one renewal")
    kerberos = (
        Argument("principal", help="Kerberos principal"),
        refused("keytab", "it names a file on the server; set [kerberos] keytab in airflow.cfg", short="-kt"),
        version.since((2, 8), one_time),
        *DAEMON,
    )
    worker = (
        unused("do_pickle", "No effect: workers always parse DAG files"),
        Argument("queues", "--queues", short="-q", help="Queues, separated by commas"),
        Argument("concurrency", "--concurrency", Kind.INTEGER, short="-c", help="Number of worker processes"),
        *DAEMON,
    )
    flower = (
        Argument("hostname", "--hostname", short="-hn", help="Host name to serve on"),
        Argument("port", "--port", Kind.INTEGER, short="-p", help="Port to serve on"),
        refused("flower_conf", "flower runs this file on the server as Python code"),
        Argument("broker_api", "--broker-api", short="-a", secret=True, help="URL of the broker's API"),
        *DAEMON,
    )
    scheduler = (
        refused("dag_id", "the scheduler of this Airflow always handles all DAGs"),
        refused("run_duration", "this Airflow cannot limit the duration of a scheduler; use num_runs"),
        Argument("num_runs", "--num-runs", Kind.INTEGER, short="-n", help="Exit after this many loops"),
        version.subdir(),
        version.only_two("do_pickle", "--do-pickle", Kind.FLAG, short="-p", help="Pickle the DAGs"),
        *DAEMON,
    )

    def service(name: str, summary: str, command: tuple[str, ...], args: tuple[Argument, ...]) -> Endpoint:
        variant = Variant(command, (*args, *SERVICE_ARGUMENTS), service=True)
        provider = celery if command[0] == "celery" else ""
        aliases = ("workers",) if name == "worker" else ()
        return Endpoint(name, summary, (variant,), aliases=aliases, provider=provider)

    return (
        service("kerberos", "Start a Kerberos ticket renewer", ("kerberos",), kerberos),
        service("worker", "Start a Celery worker", ("celery", "worker"), worker),
        service("flower", "Start Flower", ("celery", "flower"), flower),
        service("scheduler", "Start a scheduler", ("scheduler",), scheduler),
        Endpoint(
            "serve_logs",
            "Serve the task logs of this host",
            (Variant((), SERVICE_ARGUMENTS, service=True, program=serve_logs),),
        ),
    )
