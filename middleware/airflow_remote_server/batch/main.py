"""The program ``airflow-remote-batch``: run the commands of a batch. It runs in a job, like any command."""

from __future__ import annotations

from pathlib import Path

from airflow_remote_server.batch.models import read_batch
from airflow_remote_server.batch.runner import BatchRunner
from airflow_remote_server.errors import CommandFailed
from airflow_remote_server.execution.spool import Spool


def main(_: list[str]) -> str:
    """Run the batch of the job in whose spool this process runs.

    :returns: "": a batch has no warning of its own
    :raises CommandFailed: if a command of the batch failed
    :raises SystemExit: if the batch was stopped
    """
    spool = Spool(Path.cwd())
    runner = BatchRunner(spool, *read_batch(spool))
    runner.run()
    if runner.signal:
        raise SystemExit(128 + runner.signal)
    failure, count = runner.first_failure, runner.options.count
    if failure is None or failure.error is None:
        return ""
    message = (
        f"{runner.failed} of {count} commands failed; the first is commands[{failure.command.index}] "
        f"(`{failure.command.command.title[:200]}`): {failure.error.message}"
    )
    left = count - runner.begun
    raise CommandFailed(f"{message}; {left} commands did not run (stop_on_failure)" if left else message)
