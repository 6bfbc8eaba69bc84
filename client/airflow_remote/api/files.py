"""Downloads of files that a command wrote on the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_remote.errors import BusyError, GatewayError, LostError, UnreachableError
from airflow_remote.models import RemoteFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_remote.api.jobs import JobsApi
    from airflow_remote.http.connection import StreamedResponse
    from airflow_remote.http.retry import RetryPolicy
    from airflow_remote.local_files import LocalTarget, Progress


def download(
    jobs_api: JobsApi,
    job_id: str,
    file: RemoteFile,
    target: LocalTarget,
    retry: RetryPolicy,
    progress: Progress,
) -> None:
    """Download a file; start over if the connection is lost.

    :param jobs_api: the server's jobs
    :param job_id: the job that wrote the file
    :param file: the file
    :param target: receives the content, completely or not at all
    :param retry: decides about lost connections
    :param progress: reports how many bytes were received
    :raises RemoteError: if the download fails
    """
    while True:
        try:
            with jobs_api.open_file(job_id, file.name) as response:
                target.write_blocks(
                    progress(
                        f"Fetching {file.name.rpartition('/')[2]}", file.size, _iter_content(file, response)
                    )
                )
            return
        except (UnreachableError, GatewayError, BusyError) as error:
            if not target.restartable:
                raise
            retry.pause_or_raise(error)


def _iter_content(file: RemoteFile, response: StreamedResponse) -> Iterator[bytes]:
    """Yield the content, and check its size."""
    left = file.size
    for block in response.iter_chunks():
        left -= len(block)
        if left < 0:
            break
        yield block
    if left:
        raise LostError(f"{response.url} did not send all of the {file.size} bytes of {file.name!r}")
