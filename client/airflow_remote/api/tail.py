"""Poll a job's output until the job ends: for a command that outlasts its response, or an earlier job."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Callable, TypeVar

from airflow_remote.api.jobs import OutputPart
from airflow_remote.api.result import result_of_job
from airflow_remote.errors import BusyError, GatewayError, UnreachableError
from airflow_remote.models import ACTIVE_STATES, Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_remote.api.jobs import JobsApi
    from airflow_remote.api.transcript import Transcript
    from airflow_remote.http.retry import RetryPolicy

T = TypeVar("T")

POLL_SECONDS = 2.0
"""How long the server holds a poll while a stream is silent; the other stream waits meanwhile."""
MIN_ROUND_SECONDS = 0.2
"""The minimum duration of a round of polls without output, even if the server does not hold them."""
MAX_ROUND_SECONDS = 2.5
"""The longest minimum duration; it grows while the server does not hold polls, because it is busy."""


class Tail:
    """The output of a job as bytes, as it arrives.

    Iteration ends with the job, or raises the errors of ``JobsApi``.

    :param jobs_api: the server's jobs
    :param job_id: the job
    :param offsets: the start position of each stream, in bytes
    :param retry: decides about lost connections
    :param timeout: seconds to wait for a response
    """

    def __init__(
        self,
        jobs_api: JobsApi,
        job_id: str,
        offsets: Mapping[str, int],
        retry: RetryPolicy,
        timeout: float,
    ) -> None:
        self._jobs_api = jobs_api
        self._job_id = job_id
        self._offsets = dict(offsets)
        self._retry = retry
        self._wait = int(min(POLL_SECONDS, timeout / 2))
        self._known = OutputPart(b"")

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        streams = list(self._offsets)
        ended = False
        round_seconds = MIN_ROUND_SECONDS
        while True:
            start = time.monotonic()
            active = ""
            self._known = OutputPart(b"")
            for stream in streams:
                # The client can wait for one stream only: the one with the latest output.
                wait = 0 if ended or active or stream != streams[0] else self._wait
                if self._is_silent(stream):
                    continue
                data = self.read(stream, wait)
                if data:
                    active = stream
                    yield stream, data
            if active:
                streams.sort(key=lambda stream: stream != active)
                round_seconds = MIN_ROUND_SECONDS
            elif ended:
                return
            else:
                ended = (self._known.state or self.job()["state"]) not in ACTIVE_STATES
                left = start + round_seconds * random.uniform(0.8, 1.0) - time.monotonic()  # noqa: S311
                if not ended and left > 0:
                    time.sleep(left)
                    round_seconds = min(round_seconds * 1.5, MAX_ROUND_SECONDS)

    def _is_silent(self, stream: str) -> bool:
        """Return whether the last response says that a running job has nothing new in this stream."""
        known = self._known
        return known.state in ACTIVE_STATES and known.sizes.get(stream) == self._offsets[stream]

    def read(self, stream: str, wait: int = 0) -> bytes:
        """Return the next output of a stream.

        :param wait: seconds to wait if there is no output yet
        """
        offset = self._offsets[stream]
        part = self._with_retries(lambda: self._jobs_api.read_output(self._job_id, stream, offset, wait))
        self._known = part
        self._offsets[stream] += len(part.data)
        for name, size in part.sizes.items():
            # The output of a service starts over at its limit; that of a command is cut off at its end.
            if part.state in ACTIVE_STATES and size < self._offsets.get(name, 0):
                self._offsets[name] = 0
        return part.data

    def job(self) -> Mapping[str, object]:
        """Return the current state of the job."""
        return self._with_retries(lambda: self._jobs_api.get(self._job_id))

    def _with_retries(self, request: Callable[[], T]) -> T:
        while True:
            try:
                response = request()
            except (UnreachableError, GatewayError, BusyError) as error:
                self._retry.pause_or_raise(error)
            else:
                self._retry.reset()
                return response


def follow_job(
    jobs_api: JobsApi, job_id: str, transcript: Transcript, retry: RetryPolicy, timeout: float
) -> Result:
    """Follow a job to its end.

    :param jobs_api: the server's jobs
    :param job_id: the job
    :param transcript: receives the output that it does not have yet
    :param retry: decides about lost connections
    :param timeout: seconds to wait for a response
    :returns: the result, which may be a failure
    :raises RemoteError: if the server can no longer be reached
    """
    tail = Tail(jobs_api, job_id, transcript.resume(), retry, timeout)
    try:
        for stream, data in tail:
            transcript.decode(stream, data)
        transcript.end()
        job = tail.job()
    except (UnreachableError, GatewayError, BusyError) as error:
        error.append(f"; job {job_id} is still running; run `airflow-remote job wait {job_id}` to follow it")
        raise
    return result_of_job(job, transcript.text("stdout"), transcript.text("stderr"))
