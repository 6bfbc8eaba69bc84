"""Where the files go that a live command writes: they are written on the server, and then fetched."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_remote.errors import LocalFileError, UnusableError
from airflow_remote.files import Export

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from airflow_remote.catalogue import Command
    from airflow_remote.remote_files import RemoteFile

    Fetch = Callable[[RemoteFile, Export], None]

STDOUT = "-"


class Arrivals:
    """The local files and folders that a command line names for what the command writes; a context manager.

    Whether they can be written is seen when it is entered, which is before anything is sent.

    :param command: which
    :param given: values by the arguments' names
    :raises UnusableError: when two have the same name, which the server could not tell apart
    """

    def __init__(self, command: Command, given: dict[str, Any]) -> None:
        self.names: dict[str, str] = {}
        self._paths: dict[str, str] = {}
        self._folder: Path | None = None
        self._stack = ExitStack()
        self._exports: dict[str, Export] = {}
        for argument in command.arguments:
            value = given.get(argument.name)
            if argument.kind == "folder":
                # Airflow's default is the folder that it is called in.
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
        """Whether there are any."""
        return bool(self._paths) or self._folder is not None

    def __enter__(self) -> Arrivals:
        """See that all of them can be written.

        :raises LocalFileError: when one cannot
        """
        with ExitStack() as stack:
            if self._folder is not None:
                check_folder(self._folder)
            for base, path in self._paths.items():
                self._exports[base] = stack.enter_context(Export(path))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what was not finished."""
        self._stack.close()

    def fetch(self, files: Sequence[RemoteFile], fetch: Fetch) -> None:
        """Have the files come.

        :param files: that the command has written
        :param fetch: fetches one
        :raises LocalFileError: when one cannot be written here, or was not written there
        """
        by_name = {file.name: file for file in files}
        for base, export in self._exports.items():
            # The server takes out of a name what might not be safe there, so the only file is the one.
            name = next(iter(by_name)) if len(by_name) == len(self._exports) == 1 else base
            if name not in by_name:
                raise LocalFileError(f"cannot write {self._paths[base]!r}: the command has not written it")
            fetch(by_name.pop(name), export)
        if self._folder is not None and by_name:
            into(self._folder, list(by_name.values()), fetch)


def _base_name(path: str) -> str:
    """What a path is called on the server. A link counts by its own name."""
    return Path(os.path.normpath(Path.cwd() / path)).name or "files"  # of the root


def into(folder: Path, files: Sequence[RemoteFile], fetch: Fetch) -> None:
    """Have files come into a folder, which is made when it is not there.

    :param folder: where to
    :param files: which
    :param fetch: fetches one
    :raises LocalFileError: when one cannot be written, or a link would lead it out of the folder
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        root = folder.resolve()
        for file in files:
            path = root / file.name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.parent.resolve() != path.parent or path.is_symlink():
                raise LocalFileError(f"cannot write '{path}': a link there leads elsewhere")
            with Export(str(path)) as export:
                fetch(file, export)
    except OSError as error:
        raise LocalFileError(f"cannot write into '{folder}': {error.strerror}") from error


def check_folder(folder: Path) -> None:
    """See that a folder can be written to, or made.

    :raises LocalFileError: when it cannot
    """
    try:
        there = folder.resolve()
        while not there.exists():
            there = there.parent
        usable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    except (OSError, ValueError, RuntimeError) as error:
        raise LocalFileError(f"cannot write into '{folder}': {error}") from error
    if not usable:
        reason = "it is write-protected" if there.is_dir() else f"'{there}' is no folder"
        raise LocalFileError(f"cannot write into '{folder}': {reason}")


def uploads(command: Command, given: dict[str, Any]) -> dict[str, Any]:
    """What is given, with the files that are to be sent as paths."""
    kinds = {argument.name: argument.kind for argument in command.arguments}
    return {
        name: Path(value) if kinds.get(name) == "upload" and isinstance(value, str) else value
        for name, value in given.items()
    }
