"""``airflow-remote-server worker``: run the commands in ``celery_commands``, as a Celery worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_remote_server.errors import Unavailable

if TYPE_CHECKING:
    import argparse

OURS = ("-A", "--app", "-Q", "--queues", "-X", "--exclude-queues")
"""Options of Celery that this program sets itself."""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser.

    :param commands: the commands of the program
    """
    parser = commands.add_parser(
        "worker",
        help="run the commands in [rest_api_plugin] celery_commands, as a Celery worker",
        description="Run Celery's worker program for [rest_api_plugin] celery_queue.",
        epilog="Give further options of `celery worker` after `--`.",
    )
    parser.add_argument("-c", "--concurrency", type=int, help="commands at once; by default, max_running")
    parser.add_argument("-n", "--hostname", help="the name of the worker, for example airflow-remote@%%h")
    parser.add_argument("-l", "--loglevel", default="INFO", help="the level of its log; by default, INFO")
    parser.add_argument("options", nargs="*", metavar="OPTION", help="options of `celery worker`")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run a worker until it is stopped.

    :raises Unavailable: if the configuration does not allow workers
    """
    for word in options.options:
        if word.startswith(OURS):
            raise Unavailable(f"{word} is set by [rest_api_plugin] celery_queue: leave it out")
    from airflow_remote_server.config.reader import read_settings
    from airflow_remote_server.config.settings import SettingsError

    try:
        settings = read_settings()
    except SettingsError as error:
        raise Unavailable(str(error)) from error
    try:
        from airflow_remote_server.celery_engine.worker import run_worker
    except ImportError as error:
        if not (error.name or "").startswith("celery"):
            raise
        raise Unavailable("a worker needs Celery: pip install apache-airflow-providers-celery") from error
    words = ["--loglevel", options.loglevel]
    if options.concurrency is not None:
        words += ["--concurrency", str(options.concurrency)]
    if options.hostname is not None:
        words += ["--hostname", options.hostname]
    run_worker(settings, [*words, *options.options])
    return 0
