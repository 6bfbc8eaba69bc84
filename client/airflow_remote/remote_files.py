"""Files that a command has written on the server: their names, and how one comes here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_remote.errors import BusyError, GatewayError, LostError, NotTheApiError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_remote.files import Export
    from airflow_remote.patience import Patience
    from airflow_remote.progress import Progress
    from airflow_remote.resources import Resources
    from airflow_remote.transport import Answer


class RemoteFile(NamedTuple):
    """A file that a command has written.

    :param name: with the folders that it is in, as ``a/b.yml``
    :param size: bytes
    """

    name: str
    size: int


def listed(said: Any) -> list[RemoteFile]:
    """The files that an envelope or a job names.

    :param said: what stands there; None when nothing does
    :raises NotTheApiError: when it is something else, or a name could lead to a place outside of a folder
    """
    if said is None:
        return []
    entries = said if isinstance(said, list) else [said]
    found = []
    for entry in entries:
        name = entry.get("name") if isinstance(entry, dict) else None
        size = entry.get("size") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise NotTheApiError("the server names files in a way that cannot be understood")
        if not confined(name):
            raise NotTheApiError(f"the server names a file {name[:80]!r}, which is no name for one here")
        found.append(RemoteFile(name, size))
    return found


def confined(name: str) -> bool:
    """Whether a name stays below the folder that it is put into."""
    parts = name.split("/")
    return all(part not in ("", ".", "..") for part in parts) and name.isprintable() and "\\" not in name


def download(
    resources: Resources,
    job_id: str,
    file: RemoteFile,
    export: Export,
    patience: Patience,
    progress: Progress,
) -> None:
    """Fetch a file; from its beginning again when the connection is lost.

    :param resources: of the server
    :param job_id: the job that has written it
    :param file: which
    :param export: gets its content, all of it or nothing
    :param patience: with lost connections
    :param progress: sees its blocks come
    :raises RemoteError: when it does not come
    """
    while True:
        try:
            with resources.file(job_id, file.name) as answer:
                export.fill(
                    progress(f"Fetching {file.name.rpartition('/')[2]}", file.size, _blocks(file, answer))
                )
            return
        except (UnreachableError, GatewayError, BusyError) as error:
            if not export.repeatable:
                raise
            patience.bear(error)


def _blocks(file: RemoteFile, answer: Answer) -> Iterator[bytes]:
    """The content, which must have the size that was told."""
    left = file.size
    for block in answer.pieces():
        left -= len(block)
        if left < 0:
            break
        yield block
    if left:
        raise LostError(f"{answer.url} did not send all of the {file.size} bytes of {file.name!r}")
