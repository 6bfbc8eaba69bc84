"""Wait for the end of a job, or for its output."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from airflow_remote_server.execution.spool import EXIT
from airflow_remote_server.util.polling import pause_after

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_remote_server.execution.client import CompletionChannel
    from airflow_remote_server.jobs.models import Job
    from airflow_remote_server.jobs.reconciler import Reconciler
    from airflow_remote_server.jobs.spools import JobSpools

POLL_SECONDS = (0.005, 0.05)
"""Shortest and longest pause when polling for the end of a job that has no channel."""

REFRESH_SECONDS = 1.0
"""How often a waiting request checks that the job still has a supervisor."""

ABANDONED_SECONDS = 0.25
"""How often a waiting request checks whether its client still waits."""


class JobWaiter:
    """Waits for jobs on behalf of requests.

    :param spools: the spools of the jobs
    :param reconciler: determines the states of the jobs
    """

    def __init__(self, spools: JobSpools, reconciler: Reconciler) -> None:
        self._spools = spools
        self._reconciler = reconciler

    def wait_for_end(
        self,
        job: Job,
        channel: CompletionChannel | None,
        seconds: float,
        abandoned: Callable[[], bool],
        record: bool,
    ) -> Job:
        """Wait for the end of a job.

        :param job: the job
        :param channel: announces the end; None to look for it
        :param seconds: the maximum time to wait
        :param abandoned: returns whether nobody waits any longer
        :param record: whether to record the end
        :returns: the job in its state after the wait
        """
        deadline = time.monotonic() + seconds
        if channel is not None:
            left = seconds
            while not channel.wait(min(left, ABANDONED_SECONDS)):
                left = deadline - time.monotonic()
                if left <= 0 or abandoned():
                    return self._reconciler.refresh(job)
            if channel.end is not None:
                read = self._reconciler.finish if record else self._reconciler.read_end
                return read(job, channel.end)
        spool = self._spools.spool_of(job)
        pause, next_refresh = POLL_SECONDS[0], time.monotonic()
        while not spool.has(EXIT) and (left := deadline - time.monotonic()) > 0 and not abandoned():
            if time.monotonic() >= next_refresh:
                next_refresh = time.monotonic() + REFRESH_SECONDS
                job = self._reconciler.refresh(job)
                if job.state.final:
                    return job
            time.sleep(min(pause, left))
            pause = min(pause * 2, POLL_SECONDS[1])
        return self._reconciler.refresh(job)

    def wait_for_output(
        self,
        job: Job,
        stream: str,
        offset: int,
        size: int,
        seconds: float,
        abandoned: Callable[[], bool],
    ) -> tuple[Job, bytes]:
        """Return a part of a job's output, once there is any after the offset or the job has ended.

        :param job: the job
        :param stream: ``stdout`` or ``stderr``
        :param offset: where to start, in bytes
        :param size: the maximum number of bytes to read
        :param seconds: the maximum time to wait
        :param abandoned: returns whether nobody waits any longer
        :returns: the job in its current state; the output
        """
        began = time.monotonic()
        deadline = began + seconds
        spool = self._spools.spool_of(job)
        next_refresh = began + REFRESH_SECONDS
        while True:
            ended = job.state.final or spool.has(EXIT)
            data = self._spools.read_output(job, stream, offset, size)
            if data or ended or time.monotonic() >= deadline or abandoned():
                return self._reconciler.refresh(job), data
            if time.monotonic() >= next_refresh:
                next_refresh, job = time.monotonic() + REFRESH_SECONDS, self._reconciler.refresh(job)
            time.sleep(pause_after(time.monotonic() - began))
