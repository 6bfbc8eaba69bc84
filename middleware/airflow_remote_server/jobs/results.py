"""How a job ended: its outcome, its output and its error, as its spool records them."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_remote_server.errors import CommandFailed
from airflow_remote_server.execution import results
from airflow_remote_server.execution.batch_progress import BatchProgress
from airflow_remote_server.execution.failures import classify, signal_name
from airflow_remote_server.execution.messages import MAX_LENGTH, USAGE_ERROR, last_lines
from airflow_remote_server.execution.outcome import Outcome
from airflow_remote_server.execution.restarts import INTERVAL_SECONDS, Restarts
from airflow_remote_server.execution.spool import CLAIMED, EXIT, PROCESS, RESULT, STDERR, STDOUT
from airflow_remote_server.jobs.models import JobState

if TYPE_CHECKING:
    from airflow_remote_server.config.settings import Settings
    from airflow_remote_server.errors import ApiError
    from airflow_remote_server.execution.spool import Spool
    from airflow_remote_server.jobs.models import Job
    from airflow_remote_server.jobs.spools import JobSpools

STOPPED_CODES = (0, -signal.SIGTERM, 128 + signal.SIGTERM, None)
"""How a service ends that SIGTERM stopped: 0 if it handled the signal, None if nobody knows."""


class JobResults:
    """Reads the results of jobs.

    :param settings: the limits that error messages name
    :param spools: the spools of the jobs
    """

    def __init__(self, settings: Settings, spools: JobSpools) -> None:
        self.settings = settings
        self.spools = spools

    def failure_of(self, job: Job, exit_record: dict[str, Any] | None = None) -> ApiError | None:
        """Return why an ended job failed, or None if it succeeded.

        :param job: an ended job
        :param exit_record: the content of ``exit.json``, if the caller has it already
        """
        if job.state is JobState.SUCCEEDED:
            return None
        spool = self.spools.spool_of(job)
        exit_record = exit_record or spool.read(EXIT)
        if not isinstance(exit_record, dict):  # the spool is on another machine, or was removed
            return None if job.succeeded else CommandFailed(job.message or job.state.value)
        reason = exit_record.get("reason", "")
        if reason == "stopped" and job.service:
            return self._failure_of_stop(spool, exit_record)
        if reason:
            return CommandFailed(_with_progress(spool, self._interruption(spool, reason)))
        if exit_record.get("exit_code") == 0:
            return None
        outcome = self.outcome_of(job, exit_record)
        if outcome.exit_code == 0:
            return None
        if job.service:
            return self._failure_of_service(job, spool, outcome)
        error = classify(outcome, self.output_text(job, STDOUT), self.output_text(job, STDERR))
        if outcome.exit_code < 0:  # a batch that a signal ended could not tell how far it was
            return type(error)(_with_progress(spool, error.message))
        return error

    def _failure_of_service(self, job: Job, spool: Spool, outcome: Outcome) -> ApiError:
        """Return why a service ended by itself: the cause, and the last lines of its log.

        :param job: its job
        :param spool: its spool
        :param outcome: its end
        """
        stderr = self.output_text(job, STDERR)
        known = outcome.cause or outcome.message
        error = classify(replace(outcome, message=known), self.output_text(job, STDOUT), stderr)
        message = error.message
        if not known and outcome.exit_code != USAGE_ERROR:
            code = outcome.exit_code
            how = f"was ended by {signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
            message = f"the service {how}"
        told = [text for text in (known, outcome.message) if text]
        lines = [
            line for line in last_lines(stderr) if not any(text in line or line in text for text in told)
        ]
        if lines:
            message = f"{message}; its last lines: {' | '.join(lines)}"
        restarts = Restarts.read(spool)
        if restarts is not None and restarts.exhausted:
            within = f"{INTERVAL_SECONDS / 60:g} min"
            message = f"started again {len(restarts.recent)} times within {within}, in vain: {message}"
        return type(error)(message[:MAX_LENGTH])

    def _failure_of_stop(self, spool: Spool, exit_record: dict[str, Any]) -> ApiError | None:
        """Return why a service did not stop as it was told to; None if it did.

        :param spool: its spool
        :param exit_record: the content of ``exit.json``
        """
        exit_code = exit_record.get("exit_code")
        if exit_record.get("killed"):
            if spool.requested_stop() == "force":
                return None
            return CommandFailed(
                f"the service did not end within {self.settings.service_stop_grace:g} s after SIGTERM "
                "and was killed ([rest_api_plugin] service_stop_grace)"
            )
        if exit_code in STOPPED_CODES:
            return None
        how = f"exit code {exit_code}" if exit_code > 0 else signal_name(-exit_code)
        return CommandFailed(f"the service was told to stop, and ended with {how}")

    def warning_of(self, job: Job, output: tuple[str, str] | None = None) -> str:
        """Return the problem of a successful job that its exit code does not show; "" if there is none.

        :param job: an ended job that succeeded
        :param output: what it has printed to stdout and stderr, if the caller has read it
        """
        if job.state is JobState.STOPPED:
            killed = (self.spools.spool_of(job).read(EXIT) or {}).get("killed")
            return "the service was killed, and so was what it ran" if killed else ""
        stdout, stderr = output or (self.output_text(job, STDOUT), self.output_text(job, STDERR))
        outcome = self.outcome_of(job, {"exit_code": job.exit_code})
        return results.warning_of(job.command, outcome, stdout, stderr)

    def _interruption(self, spool: Spool, reason: str) -> str:
        """Return the message for a command that did not end by itself.

        :param reason: the reason in ``exit.json``: ``stopped``, ``timed_out``, ``output`` or ``lost``
        """
        if reason == "stopped":
            return "the command was stopped"
        if reason == "timed_out":
            return (
                f"the command ran over {self.settings.command_timeout:g} s and was stopped "
                "([rest_api_plugin] command_timeout)"
            )
        if reason == "output":
            return (
                f"the command printed over {self.settings.max_output_bytes} bytes and was stopped "
                "([rest_api_plugin] max_output_bytes)"
            )
        started = spool.has(PROCESS) or spool.has(CLAIMED)
        consequence = "the changes it made before remain" if started else "it never ran"
        return f"job lost: its process exited without reporting a status; {consequence}"

    def outcome_of(self, job: Job, exit_record: dict[str, Any] | None = None) -> Outcome:
        """Return a job's outcome as its command reported it.

        :param job: an ended job
        :param exit_record: the content of ``exit.json``, if the caller has it already
        """
        spool = self.spools.spool_of(job)
        exit_record = exit_record or spool.read(EXIT) or {}
        return Outcome.read(spool.read(RESULT), exit_record.get("exit_code"))

    def output_text(self, job: Job, stream: str) -> str:
        """Return all that a job has printed to a stream.

        :param stream: ``stdout`` or ``stderr``
        """
        output = self.spools.read_output(job, stream, 0, self.settings.max_output_bytes)
        return output.decode("utf-8", "replace")


def _with_progress(spool: Spool, message: str) -> str:
    """Return a message about an interrupted job; for a batch, with the commands that have run."""
    return "; ".join(filter(None, (message, BatchProgress(spool).describe_interruption())))
