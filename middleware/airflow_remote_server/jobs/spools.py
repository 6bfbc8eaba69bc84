"""The spool directories of the jobs in one state directory."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from airflow_remote_server.errors import Conflict, InsufficientStorage, Unavailable
from airflow_remote_server.execution.spool import STOP, Spool
from airflow_remote_server.jobs.models import directory_id
from airflow_remote_server.util.private_dirs import make_private_dir
from airflow_remote_server.util.reserve import STEP_BYTES, Reserve, free_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_remote_server.jobs.models import Job
    from airflow_remote_server.jobs.sharing import Copies

OUTGOING = "outgoing"
"""The directory for the spools of commands that workers are to run, until they are handed over."""

WATCHER_LOCK = "watcher.lock"
"""The lock file of the web worker that watches the jobs (``watcher``)."""

ID_DIGITS = 16
"""The number of characters of a state directory's random id."""

LONGEST_HOST_NAME = 60

T = TypeVar("T")


class JobSpools:
    """The spool directories below one state directory.

    :param state_dir: the state directory
    :param copies: the copies of the spools of other nodes, if their jobs can be read here
    """

    def __init__(self, state_dir: Path, copies: Copies | None = None) -> None:
        self.state_dir = state_dir
        self.root = state_dir / "jobs"
        self.copies = copies
        self.reserve = Reserve(state_dir)
        self._node = ""

    @property
    def node(self) -> str:
        """Return ``ID@HOST``: the state directory's id and the machine. Create the directory if needed.

        The store may also list jobs of other nodes, whose spools are out of reach.

        :raises Unavailable: if the state directory is not writable
        """
        self.ensure_state_dir()
        return self._node

    def ensure_state_dir(self) -> None:
        """Create the state directory, the spool root and the directory's id unless they exist.

        They may be removed at any time.

        :raises Unavailable: if the state directory is not writable
        """
        path = self.state_dir / "node"
        if self._node and self.root.is_dir() and path.exists():
            return
        with self.reporting_unwritable():
            make_private_dir(self.state_dir)
            make_private_dir(self.root)
            # Threads and processes race for this: a hard link is atomic, and the first one wins.
            partial = path.with_suffix(f".{secrets.token_hex(8)}")
            # Other processes of this server know the id that a removed directory had.
            partial.write_text(directory_id(self._node) or secrets.token_hex(ID_DIGITS // 2), "ascii")
            with suppress(FileExistsError):
                os.link(partial, path)
            partial.unlink()
            node_id = path.read_text("ascii")[:ID_DIGITS]
        self._node = f"{node_id}@{os.uname().nodename[:LONGEST_HOST_NAME]}"

    def require_space(self, minimum: int) -> None:
        """Reject a command if the disk is almost full.

        :param minimum: the free space that is needed, in bytes
        :raises InsufficientStorage: saying how to free some
        :raises Unavailable: if the state directory cannot be used
        """
        with self.reporting_unwritable():
            free = free_bytes(self.state_dir)
        if free < minimum:
            raise InsufficientStorage(
                f"the disk of {self.state_dir} (state_dir) has only {free >> 20} MiB free, less than "
                "[rest_api_plugin] min_free_bytes: free some space, or delete jobs with "
                "`airflow-remote job prune`"
            )

    def with_reserve(self, work: Callable[[], T]) -> T:
        """Do something that must also be possible on a full disk; use up the reserve for it if necessary.

        :param work: may be called several times
        :raises Exception: whatever it raises, if there is no reserve left or the disk is not full
        """
        while True:
            try:
                return work()
            except (OSError, Unavailable):
                with self.reporting_unwritable():
                    full = free_bytes(self.state_dir) < STEP_BYTES
                if not full or not self.reserve.shrink():
                    raise

    def owns(self, job: Job) -> bool:
        """Return whether a job's spool is in this state directory."""
        return directory_id(job.node) == directory_id(self.node)

    def require_readable(self, job: Job) -> None:
        """Reject a request that needs a job's spool if another machine has it, and there are no copies.

        :raises Conflict: naming the machine
        """
        if self.copies is None and not self.owns(job):
            host = job.node.partition("@")[2]
            raise Conflict(f"job {job.id} is on {host}: ask the webserver there") from None

    def spool_of(self, job: Job) -> Spool:
        """Return a job's spool, or the copy of it if another node has it.

        :raises Unavailable: if the store cannot be used, or the copy cannot be written
        """
        if self.copies is None or self.owns(job):
            return Spool(self.root / job.id)
        return self.copies.spool_of(job.id)

    def request_stop(self, job_id: str, force: bool, grace: float) -> None:
        """Tell the supervisor of a job of this node to stop it. A second request gives no more time.

        :param job_id: the id of the job
        :param force: whether to send SIGKILL at once
        :param grace: the time between SIGTERM and SIGKILL, in seconds
        :raises Unavailable: if the state directory is not writable
        """
        spool = Spool(self.root / job_id)
        if not spool.path.is_dir() or (spool.requested_stop() and not force):
            return
        request = {"force": force, "until": time.time() + (0 if force else grace)}
        with self.reporting_unwritable():
            self.with_reserve(lambda: spool.write(STOP, request))

    def all_spools(self) -> Iterator[Spool]:
        """Yield every spool of this state directory."""
        with suppress(FileNotFoundError):
            for path in self.root.iterdir():
                yield Spool(path)

    def new_spool(self, job: Job) -> Spool:
        """Return the spool in which a job is prepared, also if its command will run elsewhere.

        :param job: a new job
        """
        root = self.root if self.owns(job) else self.state_dir / OUTGOING
        return Spool(root / job.id)

    def create(self, job: Job) -> None:
        """Create the empty spool of a new job.

        :raises Unavailable: if the state directory is not writable
        """
        path = self.new_spool(job).path
        with self.reporting_unwritable():
            if not self.owns(job):
                make_private_dir(path.parent)
            path.mkdir(0o700)

    def remove(self, job_id: str) -> None:
        """Delete a job's spool, or the copy of it, if there is one."""
        for root in (self.root, self.state_dir / OUTGOING):
            shutil.rmtree(root / job_id, ignore_errors=True)
        if self.copies is not None:
            self.copies.remove(job_id)

    def read_output(self, job: Job, stream: str, offset: int, size: int) -> bytes:
        """Return a part of a job's output.

        :param stream: ``stdout`` or ``stderr``
        :param offset: where to start, in bytes
        :param size: bytes to read at most
        """
        return self.spool_of(job).read_output(stream, offset, size)

    def unwritable(self, error: OSError) -> Unavailable:
        """Return the error to raise when the state directory is not writable."""
        return Unavailable(
            f"cannot write to {self.state_dir} ({error.strerror}): free some space, make it writable, "
            "or set [rest_api_plugin] state_dir"
        )

    @contextmanager
    def reporting_unwritable(self) -> Iterator[None]:
        """Turn an OSError into an error that tells the user what to do about it.

        :raises Unavailable: for an OSError in the block
        """
        try:
            yield
        except OSError as error:
            raise self.unwritable(error) from error
