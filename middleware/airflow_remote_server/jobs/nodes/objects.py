"""The objects that hold the output of jobs, in an object store or in a folder that all nodes share.

A store may be slow, or not answer at all. So each call has a time limit. After a failure, calls fail at once
for some time, which doubles up to a maximum.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future, wait
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

from airflow_remote_server.errors import Unavailable
from airflow_remote_server.integrations.object_storage import open_object_storage
from airflow_remote_server.util.atomic_files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

CALL_SECONDS = 10.0
"""How long some calls to the store may take together, in seconds."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
"""How long the store is left alone after the first failure, and at most, in seconds."""

AT_ONCE = 8
"""How many calls are made at the same time, since each of them waits for the network."""

MOST_THREADS = 32
"""How many threads may wait for calls that exceeded their time limit."""


class OutputStoreUnavailable(Unavailable):
    """Raised if output cannot be written to the store of objects, or read from it."""


class Backend(Protocol):
    """Where the objects are."""

    def write(self, name: str, data: bytes) -> None:
        """Write an object."""

    def read(self, name: str) -> bytes:
        """Return the content of an object."""

    def remove(self, name: str) -> None:
        """Remove an object, if it exists."""


class FolderBackend:
    """Objects that are private files below a folder.

    :param root: the folder
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, name: str, data: bytes) -> None:
        """Write an object.

        :raises OSError: if it cannot be written
        """
        path = self._root / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, data)

    def read(self, name: str) -> bytes:
        """Return the content of an object.

        :raises OSError: if it cannot be read
        """
        return (self._root / name).read_bytes()

    def remove(self, name: str) -> None:
        """Remove an object, if it exists.

        :raises OSError: if it cannot be removed
        """
        path = self._root / name
        path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty yet
            path.parent.rmdir()


class StorageBackend:
    """Objects in a file system of fsspec.

    :param file_system: the file system
    :param root: the path that the names of all objects begin with
    """

    def __init__(self, file_system: Any, root: str) -> None:
        self._file_system = file_system
        self._root = root

    def write(self, name: str, data: bytes) -> None:
        """Write an object."""
        self._file_system.pipe_file(f"{self._root}/{name}", data)

    def read(self, name: str) -> bytes:
        """Return the content of an object."""
        return bytes(self._file_system.cat_file(f"{self._root}/{name}"))

    def remove(self, name: str) -> None:
        """Remove an object, if it exists."""
        with suppress(FileNotFoundError):
            self._file_system.rm_file(f"{self._root}/{name}")


def open_backend(url: str) -> Backend:
    """Return the backend for a URL.

    :raises Exception: whatever its library raises if it cannot be used
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        return FolderBackend(Path(unquote(parts.path)))
    return StorageBackend(*open_object_storage(url))


class ObjectStore:
    """Writes, reads and removes objects below one URL.

    :param url: the URL, which has no secrets
    :param clock: returns the time, in seconds

    ``problem`` says in one line why the last call failed; it is "" if it did not.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.url = url
        self.problem = ""
        self._clock = clock
        self._lock = threading.Lock()
        self._backend: Backend | None = None
        self._pause, self._retry = FIRST_PAUSE, clock()
        self._threads = threading.BoundedSemaphore(MOST_THREADS)

    def is_ready(self) -> bool:
        """Return whether the store may be called: it has not failed, or some time has passed since then."""
        return self._clock() >= self._retry

    def write(self, objects: Mapping[str, bytes]) -> None:
        """Write objects.

        :param objects: their contents by name
        :raises OutputStoreUnavailable: if one of them cannot be written
        """
        self._call(
            [partial(self._open_and_call, "write", name, data) for name, data in objects.items()], True
        )

    def read(self, names: Sequence[str]) -> list[bytes]:
        """Return the contents of objects.

        :param names: the names of the objects
        :raises OutputStoreUnavailable: if one of them cannot be read
        """
        try:
            return self._call([partial(self._open_and_call, "read", name) for name in names])
        except FileNotFoundError as error:  # of one object: the others can be read
            raise OutputStoreUnavailable(self._describe(error)) from error

    def remove(self, names: Iterable[str]) -> None:
        """Remove objects; those that do not exist are left out.

        :param names: the names of the objects
        :raises OutputStoreUnavailable: if one of them cannot be removed
        """
        self._call([partial(self._open_and_call, "remove", name) for name in names], True)

    def _open_and_call(self, method: str, *arguments: object) -> Any:
        with self._lock:
            if self._backend is None:
                self._backend = open_backend(self.url)
        return getattr(self._backend, method)(*arguments)

    def _call(self, calls: list[Callable[[], Any]], writing: bool = False) -> list[Any]:
        """Return the results of calls, within the time limit.

        :param writing: whether something that is missing means that the store cannot be used
        :raises FileNotFoundError: if something is missing that is to be read
        :raises OutputStoreUnavailable: if one of them fails
        """
        if not calls:
            return []
        if not self.is_ready():
            raise OutputStoreUnavailable(self.problem)
        try:
            results = self._run(calls)
        except Exception as error:
            if isinstance(error, FileNotFoundError) and not writing:
                raise
            self.problem = self._describe(error)
            self._retry = self._clock() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            raise OutputStoreUnavailable(self.problem) from error
        # An earlier call may have failed meanwhile: the store works now.
        self._pause, self._retry, self.problem = FIRST_PAUSE, self._clock(), ""
        return results

    def _describe(self, error: Exception) -> str:
        reason = str(error).strip().partition("\n")[0][:300] or "it gives no reason"
        name = type(error).__name__
        return (
            f"the output store {self.url} cannot be used: {name}: {reason}; "
            "check [rest_api_plugin] output_store"
        )

    def _run(self, calls: list[Callable[[], Any]]) -> list[Any]:
        """Make calls in threads, which do not delay the end of this process.

        :raises TimeoutError: if they take too long
        """
        futures: list[Future[Any]] = [Future() for _ in calls]
        waiting = deque(zip(futures, calls, strict=True))

        def work() -> None:
            try:
                with suppress(IndexError):
                    while True:
                        complete(*waiting.popleft())
            finally:
                self._threads.release()

        for _ in range(min(len(calls), AT_ONCE)):
            if self._threads.acquire(blocking=False):
                threading.Thread(target=work, name="airflow-remote-objects", daemon=True).start()
        late = wait(futures, CALL_SECONDS).not_done
        if late:
            waiting.clear()
            raise TimeoutError(f"no answer within {CALL_SECONDS:g} s")
        return [future.result() for future in futures]


def complete(future: Future[Any], call: Callable[[], Any]) -> None:
    """Make a call, and put its result or its error into a future."""
    try:
        result = call()
    except Exception as error:  # noqa: BLE001 - whoever waits for it, gets it
        future.set_exception(error)
    else:
        future.set_result(result)
