"""Files in the DAGs folder: looked at, put and taken away, whole or not at all.

That is done through descriptors of folders, so that no link that appears meanwhile is followed.
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

from airflow_remote_server.dags.names import fold
from airflow_remote_server.errors import BadArguments, Conflict, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_remote_server.dags.names import Name

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
PARTIAL = ".partial"
UNLINKED = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP)
"""What a file system without hard links says."""

OPEN = 0o755
"""Airflow's other processes may run as other users."""


class Place:
    """Where one DAG file is, or will be.

    :param root: the DAGs folder; links in its own path are the operator's, and followed
    :param name: of the file
    """

    def __init__(self, root: Path, name: Name) -> None:
        self.root = root
        self.name = name

    @property
    def path(self) -> Path:
        """The file's path, for those who read it."""
        return self.root.joinpath(*self.name.folders, self.name.file)

    def holds(self, path: str) -> bool:
        """Whether a path is that of the file.

        :param path: of a DAG's file, as Airflow has it
        """
        return os.path.realpath(path) == os.path.realpath(self.path)

    def read(self, most: int) -> bytes | None:
        """The file's content; None when there is none.

        :param most: bytes
        :raises BadArguments: when its name is another one's, a link, a folder or the like, or it is too large
        :raises Unavailable: when the DAGs folder cannot be read
        """
        with self._said("read"), self._folder() as folder:
            if folder is None or not self._is_there(folder):
                return None
            descriptor = os.open(self.name.file, FILE, dir_fd=folder)
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise BadArguments(f"{self.name} in the DAGs folder is not a file")
                content = file.read(most + 1)
        if len(content) > most:
            raise BadArguments(
                f"{self.name} in the DAGs folder is over {most} bytes ([rest_api_plugin] max_dag_bytes), "
                "and cannot be kept as a version"
            )
        return content

    def put(self, content: bytes, replace: bool) -> None:
        """Put the file there, whole.

        :param content: its content
        :param replace: when one is there already
        :raises Conflict: when one is there, and it shall not be replaced
        :raises BadArguments: as for ``read``
        :raises Unavailable: when the DAGs folder cannot be written to
        """
        made: list[str] = []
        done = False
        try:
            with self._said("write to"), self._folder(made) as folder:
                if folder is None:
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
                self._is_there(folder)
                self._sweep(folder)
                self._write(folder, content, replace)
                os.fsync(folder)
                done = True
        finally:
            if not done:
                self._unmake(made)

    def remove(self) -> None:
        """Take the file away.

        :raises BadArguments: as for ``read``
        :raises Unavailable: when the DAGs folder cannot be written to
        """
        with self._said("write to"), self._folder() as folder:
            if folder is not None and self._is_there(folder):
                self._sweep(folder)
                os.unlink(self.name.file, dir_fd=folder)
                os.fsync(folder)

    @contextmanager
    def _folder(self, made: list[str] | None = None) -> Iterator[int | None]:
        """The descriptor of the file's folder; None when that is not there.

        :param made: makes what is missing, and adds it
        :raises BadArguments: when the way there leads elsewhere
        """
        current = os.open(self.root, FOLDER)
        try:
            for part in self.name.folders:
                if not self._listed(current, part):
                    if made is None:
                        yield None
                        return
                    os.mkdir(part, OPEN, dir_fd=current)
                    made.append(part)
                    os.chmod(part, OPEN, dir_fd=current)
                try:
                    following = os.open(part, FOLDER | os.O_NOFOLLOW, dir_fd=current)
                except OSError as error:
                    if error.errno in (errno.ELOOP, errno.ENOTDIR):
                        raise BadArguments(
                            f"'folder': {part} in the DAGs folder is a link or no folder, and is left alone"
                        ) from None
                    raise
                os.close(current)
                current = following
            yield current
        finally:
            os.close(current)

    def _listed(self, folder: int, name: str) -> bool:
        """Whether a folder has an entry of that name.

        :raises BadArguments: when it has one that some file systems take for it
        """
        with os.scandir(folder) as entries:
            alike = [entry.name for entry in entries if fold(entry.name) == fold(name)]
        if name in alike:
            return True
        if alike:
            raise BadArguments(
                f"{name} differs from {alike[0]!r} in the DAGs folder only in case or in the form of "
                "characters: use that name, or another one"
            )
        return False

    def _is_there(self, folder: int) -> bool:
        """Whether the file is in its folder.

        :raises BadArguments: when what is there is no file
        """
        if not self._listed(folder, self.name.file):
            return False
        found = os.lstat(self.name.file, dir_fd=folder).st_mode
        if stat.S_ISLNK(found):
            raise BadArguments(f"{self.name} is a link in the DAGs folder, and is left alone")
        if not stat.S_ISREG(found):
            raise BadArguments(f"{self.name} in the DAGs folder is not a file")
        return True

    def _write(self, folder: int, content: bytes, replace: bool) -> None:
        taken = Conflict(f"{self.name} is in the DAGs folder already; give force to replace it")
        partial = f".{self.name.file}.{secrets.token_hex(8)}{PARTIAL}"
        descriptor = unnamed(folder)
        named = descriptor is None
        if descriptor is None:
            # Not *.py, so that Airflow does not read it half written.
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(partial, flags, 0o600, dir_fd=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fchmod(descriptor, 0o644)
                os.fsync(descriptor)
                source = partial if named else f"/proc/self/fd/{descriptor}"
                whence = folder if named else None
                if not replace:
                    try:  # unlike a rename, a link fails when somebody was faster
                        os.link(source, self.name.file, src_dir_fd=whence, dst_dir_fd=folder)
                    except FileExistsError:
                        raise taken from None
                    except OSError as error:
                        if error.errno not in UNLINKED:
                            raise
                        # a file system without hard links; who deploys the same name waits (``versions``)
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

    def _sweep(self, folder: int) -> None:
        """Remove what a process has left that was killed between two of its steps."""
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries]
        for name in names:
            if name.startswith(f".{self.name.file}.") and name.endswith(PARTIAL):
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=folder)

    def _unmake(self, made: list[str]) -> None:
        """Remove the folders that were made for nothing; what is in one meanwhile keeps it."""
        folders = self.name.folders
        for depth in range(len(folders), len(folders) - len(made), -1):
            with contextlib.suppress(OSError):
                self.root.joinpath(*folders[:depth]).rmdir()

    @contextmanager
    def _said(self, what: str) -> Iterator[None]:
        """Say what to do when the DAGs folder cannot be used."""
        try:
            yield
        except OSError as error:
            raise Unavailable(f"cannot {what} the DAGs folder: {error.strerror}") from error


def unnamed(folder: int) -> int | None:
    """A file without a name, which Airflow cannot see while it is written; None where there is none.

    :param folder: a descriptor of the folder that it is in
    """
    if not Path("/proc/self/fd").is_dir():
        return None  # nothing could give it a name
    try:
        return os.open(".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=folder)
    except OSError:  # NFS and others
        return None
