"""Download the files that a live command writes on the server."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_remote.errors import LocalFileError, UnusableError
from airflow_remote.local_files import LocalTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from airflow_remote.catalog.models import Command
    from airflow_remote.client import Client, Result
    from airflow_remote.models import RemoteFile

    Fetch = Callable[[RemoteFile, LocalTarget], None]

STDOUT = "-"


class Downloads:
    """The local files and directories that a command line names for output; a context manager.

    It checks on entry, before anything is sent, that they can be written.

    :param command: the command
    :param values: values by argument name
    :raises UnusableError: if two files have the same name, which the server could not tell apart
    """

    def __init__(self, command: Command, values: dict[str, Any]) -> None:
        self.names: dict[str, str] = {}
        self._paths: dict[str, str] = {}
        self._folder: Path | None = None
        self._stack = ExitStack()
        self._targets: dict[str, LocalTarget] = {}
        for argument in command.arguments:
            value = values.get(argument.name)
            if argument.kind == "folder":
                # Airflow's default is the current directory.
                self._folder = Path(value) if isinstance(value, str) else Path()
                if isinstance(value, str):
                    self.names[argument.name] = _base_name(value)
            elif argument.kind == "download" and isinstance(value, str) and value != STDOUT:
                base = _base_name(value)
                if base in self._paths:
                    raise UnusableError(f"two files are named {base!r}: give them different names")
                self.names[argument.name] = base
                self._paths[base] = value

    def __bool__(self) -> bool:
        """Return whether the command line names any output."""
        return bool(self._paths) or self._folder is not None

    def __enter__(self) -> Downloads:
        """Check that all of them can be written.

        :raises LocalFileError: if one cannot
        """
        with ExitStack() as stack:
            if self._folder is not None:
                check_folder(self._folder)
            for base, path in self._paths.items():
                self._targets[base] = stack.enter_context(LocalTarget(path))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove incomplete files."""
        self._stack.close()

    def fetch_from(self, client: Client, result: Result) -> None:
        """Download the files of a result; see ``fetch``.

        :param client: downloads one file
        :param result: the result of the command
        """
        if self:
            self.fetch(result.files, lambda file, target: client.fetch(result, file, target))

    def fetch(self, files: Sequence[RemoteFile], fetch: Fetch) -> None:
        """Download the files.

        :param files: the files that the command wrote
        :param fetch: downloads one file
        :raises LocalFileError: if one cannot be written here, or the command did not write it
        """
        by_name = {file.name: file for file in files}
        for base, target in self._targets.items():
            # The server may change an unsafe name, so a single file is the one that was named.
            name = next(iter(by_name)) if len(by_name) == len(self._targets) == 1 else base
            if name not in by_name:
                raise LocalFileError(f"cannot write {self._paths[base]!r}: the command did not write it")
            fetch(by_name.pop(name), target)
        if self._folder is not None and by_name:
            fetch_into(self._folder, list(by_name.values()), fetch)


def _base_name(path: str) -> str:
    """Return the name of a path on the server; symbolic links are not resolved."""
    return Path(os.path.normpath(Path.cwd() / path)).name or "files"  # the root directory has no name


def fetch_into(folder: Path, files: Sequence[RemoteFile], fetch: Fetch) -> None:
    """Download files into a directory; create it if needed.

    :param folder: the directory
    :param files: the files to download
    :param fetch: downloads one file
    :raises LocalFileError: if one cannot be written, or a symbolic link leads out of the directory
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        root = folder.resolve()
        for file in files:
            path = root / file.name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.parent.resolve() != path.parent or path.is_symlink():
                raise LocalFileError(f"cannot write '{path}': a symbolic link leads out of the directory")
            with LocalTarget(str(path)) as target:
                fetch(file, target)
    except OSError as error:
        raise LocalFileError(f"cannot write into '{folder}': {error.strerror}") from error


def check_folder(folder: Path) -> None:
    """Check that a directory can be written or created.

    :raises LocalFileError: if it cannot
    """
    try:
        existing = folder.resolve()
        while not existing.exists():
            existing = existing.parent
        usable = existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
    except (OSError, ValueError, RuntimeError) as error:
        raise LocalFileError(f"cannot write into '{folder}': {error}") from error
    if not usable:
        reason = "it is write-protected" if existing.is_dir() else f"'{existing}' is not a directory"
        raise LocalFileError(f"cannot write into '{folder}': {reason}")


def with_upload_paths(command: Command, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values, with files to send as paths."""
    kinds = {argument.name: argument.kind for argument in command.arguments}
    return {
        name: Path(value) if kinds.get(name) == "upload" and isinstance(value, str) else value
        for name, value in values.items()
    }
