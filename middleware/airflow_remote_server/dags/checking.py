"""Is a file good enough to go live? It is compiled, and parsed by Airflow, in a process of its own."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_remote_server.dags.fork import apart
from airflow_remote_server.dags.stage import staged
from airflow_remote_server.errors import ApiError, BadArguments, CommandFailed
from airflow_remote_server.integrations import installed

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_remote_server.dags.place import Place

UNCHANGED = "nothing was changed"

LONGEST_ERROR = 10_000
"""Characters of one import error; the last ones say what it is."""


@dataclass(frozen=True)
class Found:
    """What is in a DAG file.

    :param hashes: DAG id to the hash that its serialization will have in Airflow's database
    :param import_errors: path below the DAGs folder to what went wrong
    :param compiled: whether it is Python at all
    """

    hashes: dict[str, str] = field(default_factory=dict)
    import_errors: dict[str, str] = field(default_factory=dict)
    compiled: bool = True

    @property
    def dag_ids(self) -> list[str]:
        """The DAGs in it."""
        return sorted(self.hashes)

    def error(self, what: str) -> ApiError | None:
        """Why the file cannot be used; None when it can.

        :param what: the file and how it stands, for the message
        """
        if not self.import_errors:
            return None
        text = next(iter(self.import_errors.values())).strip()
        kind = CommandFailed if self.compiled else BadArguments
        return kind(f"{what}: {text.splitlines()[-1] if text else 'it does not say why'}")


def check(
    place: Place,
    content: bytes,
    modules: dict[str, bytes],
    where: Path,
    seconds: float,
    bundle: str,
    lock: int,
) -> Found:
    """Compile a file, and have Airflow parse it.

    :param place: where it will be
    :param content: the file's
    :param modules: its sources, path in the file to source: of a module "" to the file itself
    :param where: a folder for it, which is not there yet
    :param seconds: that it may take
    :param bundle: the DAG bundle of the folder, on Airflow 3
    :param lock: a descriptor that its process must not hold
    :raises CommandFailed: when its process came to nothing
    """
    with staged(place, content, where) as root:
        given = apart(
            lambda: _look(place, modules, root, bundle),
            seconds,
            str(place.name),
            f", and {UNCHANGED}",
            closing=(lock,),
        )
    return Found(**given)


def broken(name: str, text: str) -> dict[str, Any]:
    """What is found in a file that cannot be compiled."""
    return {"import_errors": {name: text}, "compiled": False}


def _look(place: Place, modules: dict[str, bytes], root: Path, bundle: str) -> dict[str, Any]:
    """What is in a file, seen from the process that its code runs in."""
    for inner, source in modules.items():
        name = f"{place.name}/{inner}" if inner else str(place.name)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a SyntaxWarning is said when it is imported
                compile(source, name, "exec", dont_inherit=True)
        except SyntaxError as error:
            line = f", line {error.lineno}" if error.lineno else ""
            return broken(name, f"{type(error).__name__}: {error.msg} ({name}{line})")
        except (ValueError, RecursionError, MemoryError, OverflowError, SystemError) as error:
            return broken(name, f"{type(error).__name__}: {error} ({name})")
    real = place.root.resolve()
    sys.dont_write_bytecode = True  # in the folders that the stage links to
    sys.path[:] = [str(root) if path in (str(place.root), str(real)) else path for path in sys.path]
    if str(root) not in sys.path:
        sys.path.append(str(root))
    staged_file = root.joinpath(*place.name.folders, place.name.file)
    try:
        hashes, errors = installed().examine_file(staged_file, root, place.root, bundle)
    except SystemExit as error:  # Airflow 2 lets it through
        hashes, errors = {}, {str(staged_file): f"SystemExit: {error.code}"}
    return {
        "hashes": hashes,
        "import_errors": {
            path.replace(f"{root}/", ""): text.replace(str(root), str(place.root))[-LONGEST_ERROR:]
            for path, text in errors.items()
        },
    }
