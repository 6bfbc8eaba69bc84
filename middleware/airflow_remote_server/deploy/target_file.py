"""Read, publish and remove a file in the DAGs folder, atomically.

All steps use descriptors of folders, so that no symbolic link that appears meanwhile is followed.

``util.atomic_files`` is not enough here: it follows links in the path, always replaces, and shows a partial
file to Airflow, which scans this folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_remote_server.deploy.names import fold_name
from airflow_remote_server.errors import BadArguments, Conflict, Unavailable
from airflow_remote_server.util.atomic_files import PARTIAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_remote_server.deploy.names import DagFileName

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
NO_HARD_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP)
"""The errors that a file system without hard links raises."""

FOLDER_MODE = 0o755
"""Readable by all, because Airflow's other processes may run as other users."""


class TargetFile:
    """A DAG file that exists, or will exist, in the DAGs folder.

    :param root: the DAGs folder; links in its own path are followed, because the operator chose them
    :param name: its name
    """

    def __init__(self, root: Path, name: DagFileName) -> None:
        self.root = root
        self.name = name

    @property
    def path(self) -> Path:
        """Return the file's path, for reading it."""
        return self.root.joinpath(*self.name.folders, self.name.file)

    def is_at(self, path: str) -> bool:
        """Return whether a path is the path of this file.

        :param path: the path of a DAG's file in Airflow's database
        """
        return os.path.realpath(path) == os.path.realpath(self.path)

    def conflict(self) -> Conflict:
        """Return the error to raise if the file exists and must not be replaced."""
        return Conflict(f"{self.name} already exists in the DAGs folder; use force to replace it")

    def read(self, max_bytes: int) -> bytes | None:
        """Return the file's content, or None if there is no file.

        :param max_bytes: the maximum size in bytes
        :raises BadArguments: if it is larger, not a regular file, or differs from another name only in case
        :raises Unavailable: if the DAGs folder cannot be read
        """
        with self._reporting_errors("read"), self._open_folder() as folder:
            if folder is None or not self._exists(folder):
                return None
            descriptor = os.open(self.name.file, FILE, dir_fd=folder)
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise BadArguments(f"{self.name} in the DAGs folder is not a file")
                content = file.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise BadArguments(
                f"{self.name} in the DAGs folder is over {max_bytes} bytes "
                "([rest_api_plugin] max_dag_bytes), and cannot be kept as a version"
            )
        return content

    def put(self, content: bytes, replace: bool) -> None:
        """Publish the file atomically, and create missing folders.

        :param content: its content
        :param replace: replace an existing file
        :raises Conflict: if the file exists, without ``replace``
        :raises BadArguments: for the same reasons as ``read``
        :raises Unavailable: if the DAGs folder cannot be written to
        """
        created: list[str] = []
        published = False
        try:
            with self._reporting_errors("write to"), self._open_folder(created) as folder:
                if folder is None:
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
                self._exists(folder)
                self._remove_partial_files(folder)
                self._write(folder, content, replace)
                os.fsync(folder)
                published = True
        finally:
            if not published:
                self._remove_folders(created)

    def remove(self) -> None:
        """Remove the file, if it exists.

        :raises BadArguments: for the same reasons as ``read``
        :raises Unavailable: if the DAGs folder cannot be written to
        """
        with self._reporting_errors("write to"), self._open_folder() as folder:
            if folder is not None and self._exists(folder):
                self._remove_partial_files(folder)
                os.unlink(self.name.file, dir_fd=folder)
                os.fsync(folder)

    @contextmanager
    def _open_folder(self, created: list[str] | None = None) -> Iterator[int | None]:
        """Open the file's folder, and yield its descriptor; None if it does not exist.

        :param created: if given, missing folders are created and their names added to it
        :raises BadArguments: if a part of the path is a link or not a folder
        """
        current = os.open(self.root, FOLDER)
        try:
            for part in self.name.folders:
                if not self._has_entry(current, part):
                    if created is None:
                        yield None
                        return
                    os.mkdir(part, FOLDER_MODE, dir_fd=current)
                    created.append(part)
                    os.chmod(part, FOLDER_MODE, dir_fd=current)
                try:
                    child = os.open(part, FOLDER | os.O_NOFOLLOW, dir_fd=current)
                except OSError as error:
                    if error.errno in (errno.ELOOP, errno.ENOTDIR):
                        raise BadArguments(
                            f"'folder': {part} in the DAGs folder is a link or not a folder, "
                            "and is not changed"
                        ) from None
                    raise
                os.close(current)
                current = child
            yield current
        finally:
            os.close(current)

    def _has_entry(self, folder: int, name: str) -> bool:
        """Return whether a folder has an entry with a name.

        :raises BadArguments: if it has one that some file systems do not distinguish from it
        """
        with os.scandir(folder) as entries:
            similar = [entry.name for entry in entries if fold_name(entry.name) == fold_name(name)]
        if name in similar:
            return True
        if similar:
            raise BadArguments(
                f"{name} differs from {similar[0]!r} in the DAGs folder only in case or Unicode form: "
                "use that name, or a different one"
            )
        return False

    def _exists(self, folder: int) -> bool:
        """Return whether the file exists in its folder.

        :raises BadArguments: if it is not a regular file
        """
        if not self._has_entry(folder, self.name.file):
            return False
        mode = os.lstat(self.name.file, dir_fd=folder).st_mode
        if stat.S_ISLNK(mode):
            raise BadArguments(f"{self.name} is a link in the DAGs folder, and is not changed")
        if not stat.S_ISREG(mode):
            raise BadArguments(f"{self.name} in the DAGs folder is not a file")
        return True

    def _write(self, folder: int, content: bytes, replace: bool) -> None:
        """Write a partial file, and link or rename it to its name; for the parameters, see ``put``."""
        partial = f".{self.name.file}.{secrets.token_hex(8)}{PARTIAL}"
        descriptor = open_unnamed(folder)
        named = descriptor is None
        if descriptor is None:
            # Not *.py, so that Airflow does not read it while it is incomplete.
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(partial, flags, 0o600, dir_fd=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fchmod(descriptor, 0o644)
                os.fsync(descriptor)
                source = partial if named else f"/proc/self/fd/{descriptor}"
                source_folder = folder if named else None
                if not replace:
                    try:  # unlike a rename, a link fails if the file exists by now
                        os.link(source, self.name.file, src_dir_fd=source_folder, dst_dir_fd=folder)
                    except FileExistsError:
                        raise self.conflict() from None
                    except OSError as error:
                        if error.errno not in NO_HARD_LINKS:
                            raise
                        # without hard links: the lock of ``versions`` keeps other deployments out
                    else:
                        return
                if not named:
                    os.link(source, partial, dst_dir_fd=folder)
                    named = True
                os.rename(partial, self.name.file, src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            if named:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(partial, dir_fd=folder)

    def _remove_partial_files(self, folder: int) -> None:
        """Remove the partial files of deployments that were killed."""
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries]
        for name in names:
            if name.startswith(f".{self.name.file}.") and name.endswith(PARTIAL):
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=folder)

    def _remove_folders(self, created: list[str]) -> None:
        """Remove the folders that were created for a file that was not published, if they are still empty."""
        folders = self.name.folders
        for depth in range(len(folders), len(folders) - len(created), -1):
            with contextlib.suppress(OSError):
                self.root.joinpath(*folders[:depth]).rmdir()

    @contextmanager
    def _reporting_errors(self, action: str) -> Iterator[None]:
        """Turn an OSError into an error for the user.

        :param action: what failed, for the message
        """
        try:
            yield
        except OSError as error:
            raise Unavailable(f"cannot {action} the DAGs folder: {error.strerror}") from error


def open_unnamed(folder: int) -> int | None:
    """Create a file without a name, which Airflow cannot see while it is incomplete.

    :param folder: the descriptor of its folder
    :returns: its descriptor; None if the system does not support such files
    """
    if not Path("/proc/self/fd").is_dir():
        return None  # /proc is needed to give the file a name
    try:
        return os.open(".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=folder)
    except OSError:  # NFS and other file systems do not support it
        return None
