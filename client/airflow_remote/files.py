"""Files of this machine: those that are sent, and those that get what a command has printed or written."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from airflow_remote.errors import LocalFileError, UnusableError
from airflow_remote.progress import silent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from airflow_remote.progress import Progress

BLOCK_BYTES = 1 << 16


class Upload:
    """A file to be sent; a context manager that closes it.

    :param path: the file; a pipe is read to its end first, since the length must be known
    :param progress: sees its blocks go
    :raises UnusableError: when there is no such file
    :raises LocalFileError: when it cannot be read
    """

    def __init__(self, path: str | os.PathLike[str], progress: Progress = silent) -> None:
        self.path = Path(path)
        self._progress = progress
        self.stream: BinaryIO | None = None
        try:
            if self.path.is_dir():
                raise UnusableError(f"{_shown(path)} is a directory, not a file")
            self.stream = self.path.open("rb")
            found = os.fstat(self.stream.fileno())
            if not (stat.S_ISREG(found.st_mode) and found.st_size):  # files of /proc say 0, and are not empty
                self.stream = _spooled(self.stream)
            self.size = os.fstat(self.stream.fileno()).st_size
        except (FileNotFoundError, NotADirectoryError, ValueError):
            hint = "; standard input is /dev/stdin" if os.fspath(path) == "-" else ""
            raise UnusableError(f"there is no file {_shown(path)}{hint}") from None
        except OSError as error:
            self.close()
            raise LocalFileError(f"cannot read {_shown(path)}: {error.strerror}") from error

    def close(self) -> None:
        """Close the file."""
        if self.stream is not None:
            self.stream.close()

    def __enter__(self) -> Upload:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[bytes]:
        """Its content, exactly ``size`` bytes; from its beginning each time, since it may be sent again.

        :raises LocalFileError: when it cannot be read, or has become shorter: another size has been promised
        """
        return self._progress(f"Sending {self.path.name}", self.size, self._blocks())

    def _blocks(self) -> Iterator[bytes]:
        assert self.stream is not None  # noqa: S101 (for the type checker)
        left = self.size
        self.stream.seek(0)
        while left:
            try:
                block = self.stream.read(min(BLOCK_BYTES, left))
            except OSError as error:
                raise LocalFileError(f"cannot read {_shown(self.path)}: {error.strerror}") from error
            if not block:
                raise LocalFileError(f"cannot read {_shown(self.path)}: it has become shorter meanwhile")
            left -= len(block)
            yield block


class Export:
    """A file that gets what comes from the server, whole or not at all; a context manager.

    It is opened before the command is run, so that nothing is run for a file that cannot be written. What is
    not a regular file, as ``/dev/null`` or a pipe, is written to directly.

    :param path: the file; a link is followed, and the mode of a file that is there is kept
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._target = Path(path)
        self._partial: Path | None = None

    def __enter__(self) -> Export:
        """Open it.

        :raises LocalFileError: when it cannot be written
        """
        with self._errors():
            target = Path(self.path)
            mode = target.stat().st_mode if target.exists() else None
            if mode is not None and stat.S_ISDIR(mode):
                raise LocalFileError(f"cannot write {_shown(self.path)}: it is a directory")
            if mode is not None and not os.access(target, os.W_OK):
                raise LocalFileError(f"cannot write {_shown(self.path)}: it is write-protected")
            if mode is None or stat.S_ISREG(mode):
                # Not earlier: what /dev/stdout leads to has a name that cannot be opened.
                self._target = target = Path(os.path.realpath(target))
                partial = target.with_name(f".airflow-remote-{os.urandom(8).hex()}.partial")
                # 0o666 less the umask, as any program would create it
                os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
                self._partial = partial
                if mode is not None:
                    partial.chmod(stat.S_IMODE(mode))
        return self

    def write(self, text: str) -> None:
        """Write the content, and give the file its name.

        :param text: all of it
        :raises LocalFileError: when it cannot be written
        """
        self.fill([text.encode("utf-8", "backslashreplace")])

    @property
    def repeatable(self) -> bool:
        """Whether the content can be written anew when it did not come to its end."""
        return self._partial is not None

    def fill(self, blocks: Iterable[bytes]) -> None:
        """Write the content, and give the file its name; what reading the blocks raises goes on.

        :param blocks: all of it
        :raises LocalFileError: when it cannot be written
        """
        with self._errors():
            with (self._partial or self._target).open("wb") as file:
                for block in blocks:
                    file.write(block)
                if self._partial is not None:
                    file.flush()
                    os.fsync(file.fileno())
            if self._partial is not None:
                self._partial.replace(self._target)
                self._partial = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what was not finished."""
        if self._partial is not None:
            with contextlib.suppress(OSError):
                self._partial.unlink()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise LocalFileError(f"cannot write {_shown(self.path)}: {reason}") from error


def _spooled(stream: BinaryIO) -> BinaryIO:
    """All of a stream that has no length, in a temporary file."""
    spool = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    try:
        with stream:
            shutil.copyfileobj(stream, spool)
        spool.seek(0)
    except BaseException:
        spool.close()
        raise
    return spool


def _shown(path: str | os.PathLike[str]) -> str:
    return repr(os.fspath(path))
