"""DAG files: what may be written to the DAGs folder, and how.

The name is checked, not cleaned; the code is compiled in a process of its own before anything is replaced;
and the new file takes the old one's place at once.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from airflow_remote_server.errors import BadArguments, Conflict, Unavailable

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}\.py")
"""A file name that means the same on every file system: no separator, no leading dot, ASCII."""

COMPILE_SECONDS = 30
COMPILER = "import sys; compile(sys.stdin.buffer.read(), sys.argv[1], 'exec', dont_inherit=True)"


def target(filename: str, folder: Path) -> Path:
    """Where an uploaded DAG file goes.

    :param filename: the name that the client gave
    :param folder: the DAGs folder
    :raises BadArguments: when it is not a plain name of a Python file, or leads elsewhere
    """
    if not NAME.fullmatch(filename):
        raise BadArguments(
            f"'dag_file': {filename[:80]!r} is not a plain file name that ends in .py "
            "(letters, digits, _ - and . only)"
        )
    path = folder.resolve() / filename
    if path.is_symlink() or path.resolve() != path:
        raise BadArguments(f"'dag_file': {filename} is a link in the DAGs folder, and is left alone")
    if path.exists() and not path.is_file():
        raise BadArguments(f"'dag_file': {filename} in the DAGs folder is not a file")
    return path


def compile_source(source: bytes, filename: str) -> None:
    """Compile a DAG file in a process of its own: a compiler can be made to crash.

    :param source: the file's content
    :param filename: its name, for the message
    :raises BadArguments: when it is not valid Python
    """
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", COMPILER, filename],
            input=source,
            capture_output=True,
            timeout=COMPILE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BadArguments(f"'dag_file': {filename} did not compile in {COMPILE_SECONDS} s") from None
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = lines[-1] if lines else f"the compiler ended with {done.returncode}"
        found = re.findall(r'^ *File "[^"]+", (line \d+)', "\n".join(lines), re.MULTILINE)
        raise BadArguments(f"'dag_file': {reason} ({', '.join([filename, *found[-1:]])})")


def replace(path: Path, source: bytes, force: bool) -> None:
    """Put a DAG file in its place, whole or not at all.

    :param path: from ``target``
    :param source: the file's content
    :param force: replace a file that is there
    :raises Conflict: when one is there and force is not given
    :raises Unavailable: when the DAGs folder cannot be written to
    """
    taken = Conflict(f"{path.name} is in the DAGs folder already; give force to replace it")
    if path.exists() and not force:
        raise taken
    try:
        # Not *.py, so that Airflow never reads it half written.
        handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    except OSError as error:
        raise Unavailable(f"cannot write to the DAGs folder: {error.strerror}") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(source)
            file.flush()
            os.fsync(file.fileno())
        Path(partial).chmod(0o644)
        if force or not _link(partial, path):
            Path(partial).replace(path)
    except FileExistsError:
        raise taken from None
    except OSError as error:
        raise Unavailable(f"cannot write to the DAGs folder: {error.strerror}") from error
    finally:
        Path(partial).unlink(missing_ok=True)


def _link(partial: str, path: Path) -> bool:
    """Give the file its name, which unlike a rename fails when somebody was faster.

    :returns: False where the file system has no hard links
    """
    try:
        os.link(partial, path)
    except FileExistsError:
        raise
    except OSError:
        return False
    return True
