"""A job's output, read by polls until the job ends: for what outlasts an answer, or was begun elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Callable, TypeVar

from airflow_remote.errors import BusyError, GatewayError, UnreachableError
from airflow_remote.result import ACTIVE, Result, of_job

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_remote.patience import Patience
    from airflow_remote.resources import Resources
    from airflow_remote.transcript import Transcript

Answered = TypeVar("Answered")

POLL_SECONDS = 2.0
"""How long the server holds a poll back while nothing is printed; the other stream is not heard meanwhile."""
REST_SECONDS = 0.2
"""How long a round of polls takes at least when nothing is printed, whatever a server does."""


class Tail:
    """What a job prints, as bytes, as it comes. Iterating ends with the job, or raises as ``Resources`` does.

    :param resources: of the server
    :param job_id: the job
    :param offsets: where to begin, in bytes, by stream
    :param patience: with lost connections
    :param timeout: seconds that an answer may take
    """

    def __init__(
        self,
        resources: Resources,
        job_id: str,
        offsets: Mapping[str, int],
        patience: Patience,
        timeout: float,
    ) -> None:
        self._resources = resources
        self._job_id = job_id
        self._offsets = dict(offsets)
        self._patience = patience
        self._wait = int(min(POLL_SECONDS, timeout / 2))

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        streams = list(self._offsets)
        ended = False
        while True:
            began = time.monotonic()
            heard = ""
            for stream in streams:
                # Only one can be waited for: the one that spoke last.
                wait = 0 if ended or heard or stream != streams[0] else self._wait
                data = self.read(stream, wait)
                if data:
                    heard = stream
                    yield stream, data
            if heard:
                streams.sort(key=lambda stream: stream != heard)
            elif ended:
                return
            else:
                ended = self.job()["state"] not in ACTIVE
                if not ended:
                    time.sleep(max(0.0, began + REST_SECONDS - time.monotonic()))

    def read(self, stream: str, wait: int = 0) -> bytes:
        """What comes next of a stream.

        :param wait: seconds, when there is nothing yet
        """
        offset = self._offsets[stream]
        data = self._patiently(lambda: self._resources.read(self._job_id, stream, offset, wait))
        self._offsets[stream] += len(data)
        return data

    def job(self) -> Mapping[str, object]:
        """The job as it is now."""
        return self._patiently(lambda: self._resources.show(self._job_id))

    def _patiently(self, ask: Callable[[], Answered]) -> Answered:
        while True:
            try:
                answered = ask()
            except (UnreachableError, GatewayError, BusyError) as error:
                self._patience.bear(error)
            else:
                self._patience.heard()
                return answered


def follow(
    resources: Resources, job_id: str, transcript: Transcript, patience: Patience, timeout: float
) -> Result:
    """Follow a job to its end.

    :param resources: of the server
    :param job_id: the job
    :param transcript: gets what has not been heard yet
    :param patience: with lost connections
    :param timeout: seconds that an answer may take
    :returns: its result, be it a failure
    :raises RemoteError: when it cannot be followed any more
    """
    tail = Tail(resources, job_id, transcript.resume(), patience, timeout)
    try:
        for stream, data in tail:
            transcript.decode(stream, data)
        transcript.end()
        job = tail.job()
    except (UnreachableError, GatewayError, BusyError) as error:
        error.add(f"; job {job_id} goes on there, see `airflow-remote job wait {job_id}`")
        raise
    return of_job(job, transcript.text("stdout"), transcript.text("stderr"))
