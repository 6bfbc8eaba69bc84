"""Check a DAG file before it is published: compile it, and have Airflow parse it in a process of its own."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_remote_server.deploy.isolation import run_in_fork
from airflow_remote_server.deploy.staging import staged
from airflow_remote_server.errors import ApiError, BadArguments, CommandFailed
from airflow_remote_server.integrations.installed import installed_integration

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_remote_server.deploy.target_file import TargetFile

UNCHANGED = "nothing was changed"

LONGEST_ERROR = 10_000
"""The maximum number of characters of an import error. Its end is kept, because that names the error."""


@dataclass(frozen=True)
class CheckResult:
    """The DAGs and errors in a DAG file.

    :param hashes: DAG id to the hash that its serialization will have in Airflow's database
    :param import_errors: path below the DAGs folder to error
    :param compiled: whether the file is valid Python
    """

    hashes: dict[str, str] = field(default_factory=dict)
    import_errors: dict[str, str] = field(default_factory=dict)
    compiled: bool = True

    @property
    def dag_ids(self) -> list[str]:
        """Return the ids of the DAGs, sorted."""
        return sorted(self.hashes)

    def error(self, summary: str) -> ApiError | None:
        """Return the error of a file that cannot be used, or None if it can.

        :param summary: the beginning of the message: which operation failed for which file
        """
        if not self.import_errors:
            return None
        text = next(iter(self.import_errors.values())).strip()
        kind = CommandFailed if self.compiled else BadArguments
        return kind(f"{summary}: {text.splitlines()[-1] if text else 'no reason is given'}")


def check(
    target: TargetFile,
    content: bytes,
    modules: dict[str, bytes],
    stage: Path,
    seconds: float,
    bundle: str,
    lock: int,
) -> CheckResult:
    """Compile a file, and have Airflow parse it.

    :param target: where it will be published
    :param content: its content
    :param modules: its Python sources by path in a package; a module has one, with the path ""
    :param stage: a directory to create for it
    :param seconds: time limit
    :param bundle: the folder's DAG bundle, on Airflow 3
    :param lock: a descriptor that the process that imports the file must not inherit
    :raises CommandFailed: if that process ended without a result
    """
    with staged(target, content, stage) as root:
        result = run_in_fork(
            lambda: _examine(target, modules, root, bundle),
            seconds,
            str(target.name),
            consequence=f", and {UNCHANGED}",
            close=(lock,),
        )
    return CheckResult(**result)


def _examine(target: TargetFile, modules: dict[str, bytes], root: Path, bundle: str) -> dict[str, Any]:
    """Return the fields of a result, in the process that runs the file's code.

    For the other parameters, see ``check``.

    :param root: the staging directory
    """
    for inner_path, source in modules.items():
        name = f"{target.name}/{inner_path}" if inner_path else str(target.name)
        problem = _compile(name, source)
        if problem:
            return {"import_errors": {name: problem}, "compiled": False}
    real = target.root.resolve()
    sys.dont_write_bytecode = True  # the stage links to the real folders
    sys.path[:] = [str(root) if path in (str(target.root), str(real)) else path for path in sys.path]
    if str(root) not in sys.path:
        sys.path.append(str(root))
    staged_file = root.joinpath(*target.name.folders, target.name.file)
    try:
        hashes, errors = installed_integration().examine_file(staged_file, root, target.root, bundle)
    except SystemExit as error:  # Airflow 2 does not catch this
        hashes, errors = {}, {str(staged_file): f"SystemExit: {error.code}"}
    return {
        "hashes": hashes,
        "import_errors": {
            path.replace(f"{root}/", ""): text.replace(str(root), str(target.root))[-LONGEST_ERROR:]
            for path, text in errors.items()
        },
    }


def _compile(name: str, source: bytes) -> str:
    """Return why a source does not compile, or "" if it does.

    :param name: the name of the file, for the message
    :param source: its content
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a SyntaxWarning is shown when the file is imported
            compile(source, name, "exec", dont_inherit=True)
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        return f"{type(error).__name__}: {error.msg} ({name}{line})"
    except (ValueError, RecursionError, MemoryError, OverflowError, SystemError) as error:
        return f"{type(error).__name__}: {error} ({name})"
    return ""
