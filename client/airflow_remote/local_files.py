"""Local files: files to send, and files that receive output from the server."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from airflow_remote.errors import LocalFileError, UnusableError

if TYPE_CHECKING:
    from types import TracebackType

BLOCK_BYTES = 1 << 16

Progress = Callable[[str, int, Iterable[bytes]], Iterator[bytes]]
"""Passes on the blocks of a file. Its arguments are a label, the size in bytes, and the blocks."""


def no_progress(label: str, total: int, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Pass on the blocks without showing progress."""
    yield from blocks


class Upload:
    """A file to send. Use it as a context manager, which closes the file.

    :param path: the file; a pipe is first read to its end, since the size must be known
    :param progress: reports how many bytes were sent
    :raises UnusableError: if there is no such file
    :raises LocalFileError: if it cannot be read
    """

    def __init__(self, path: str | os.PathLike[str], progress: Progress = no_progress) -> None:
        self.path = Path(path)
        self._progress = progress
        self.stream: BinaryIO | None = None
        try:
            if self.path.is_dir():
                raise UnusableError(f"{_quote(path)} is a directory; name a file")
            self.stream = self.path.open("rb")
            status = os.fstat(self.stream.fileno())
            # Files in /proc have size 0 but are not empty.
            if not (stat.S_ISREG(status.st_mode) and status.st_size):
                self.stream = _copy_to_temporary_file(self.stream)
            self.size = os.fstat(self.stream.fileno()).st_size
        except (FileNotFoundError, NotADirectoryError, ValueError):
            hint = "; standard input is /dev/stdin" if os.fspath(path) == "-" else ""
            raise UnusableError(f"no such file: {_quote(path)}{hint}") from None
        except OSError as error:
            self.close()
            raise LocalFileError(f"cannot read {_quote(path)}: {error.strerror}") from error

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
        """Yield the content, exactly ``size`` bytes, from the beginning each time: a retry sends it again.

        :raises LocalFileError: if it cannot be read or was truncated after its size was sent
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
                raise LocalFileError(f"cannot read {_quote(self.path)}: {error.strerror}") from error
            if not block:
                raise LocalFileError(f"cannot read {_quote(self.path)}: it was truncated while it was sent")
            left -= len(block)
            yield block


class AtomicFile:
    """A file that is replaced atomically: readers see the old content or the new one, never a part of it.

    Use it as a context manager. It creates a partial file in the same directory on entry, and removes it on
    exit unless ``commit`` has moved it into place.

    :param path: the file to replace
    :param mode: permission bits of the new file, before the umask
    :raises OSError: on entry, if the partial file cannot be created
    """

    def __init__(self, path: Path, mode: int = 0o666) -> None:
        self.path = path
        self.partial = path.with_name(f".airflow-remote-{os.urandom(8).hex()}.partial")
        self._mode = mode

    def __enter__(self) -> AtomicFile:
        os.close(os.open(self.partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, self._mode))
        return self

    def commit(self, blocks: Iterable[bytes], sync: bool = False) -> None:
        """Write the content and move it into place.

        :param blocks: the content
        :param sync: write it to the disk first, so that it survives a power failure
        :raises OSError: if it cannot be written
        """
        with self.partial.open("wb") as file:
            for block in blocks:
                file.write(block)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        self.partial.replace(self.path)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self.partial.unlink()


class LocalTarget:
    """A local file that receives output from the server, completely or not at all; a context manager.

    It is opened before the command is run: no command runs if its output cannot be saved. Anything that is
    not a regular file, such as ``/dev/null`` or a pipe, is written to directly.

    :param path: the file; a symbolic link is followed, and an existing file keeps its permissions
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._file: AtomicFile | None = None

    def __enter__(self) -> LocalTarget:
        """Check that the file can be written, and open it.

        :raises LocalFileError: if it cannot be written
        """
        with self._translate_errors():
            target = Path(self.path)
            mode = target.stat().st_mode if target.exists() else None
            if mode is not None and stat.S_ISDIR(mode):
                raise LocalFileError(f"cannot write {_quote(self.path)}: it is a directory")
            if mode is not None and not os.access(target, os.W_OK):
                raise LocalFileError(f"cannot write {_quote(self.path)}: it is write-protected")
            if mode is None or stat.S_ISREG(mode):
                # Only for regular files: /dev/stdout can resolve to a name that cannot be opened.
                self._file = AtomicFile(Path(os.path.realpath(target))).__enter__()
                if mode is not None:
                    self._file.partial.chmod(stat.S_IMODE(mode))
        return self

    def write_text(self, text: str) -> None:
        """Write a text as the full content.

        :raises LocalFileError: if it cannot be written
        """
        self.write_blocks([text.encode("utf-8", "backslashreplace")])

    @property
    def restartable(self) -> bool:
        """Return whether the content can be written again after an incomplete attempt."""
        return self._file is not None

    def write_blocks(self, blocks: Iterable[bytes]) -> None:
        """Write the full content; an exception raised by the blocks is passed on.

        :raises LocalFileError: if it cannot be written
        """
        with self._translate_errors():
            if self._file is not None:
                self._file.commit(blocks, sync=True)
                return
            with Path(self.path).open("wb") as file:
                for block in blocks:
                    file.write(block)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove an incomplete file."""
        if self._file is not None:
            self._file.__exit__(kind, error, trace)

    @contextlib.contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise LocalFileError(f"cannot write {_quote(self.path)}: {reason}") from error


def _copy_to_temporary_file(stream: BinaryIO) -> BinaryIO:
    """Copy a stream of unknown size to a temporary file."""
    import shutil
    import tempfile

    spool = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    try:
        with stream:
            shutil.copyfileobj(stream, spool)
        spool.seek(0)
    except BaseException:
        spool.close()
        raise
    return spool


def _quote(path: str | os.PathLike[str]) -> str:
    return repr(os.fspath(path))
