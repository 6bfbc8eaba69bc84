"""Validate the name of a DAG file, and its folder. Pure: it reads no files.

A name must mean the same on every file system: ASCII letters, digits, ``_``, ``-`` and ``.``.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from airflow_remote_server.errors import BadArguments

FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}\.(?:py|zip)")
FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}")
"""No dot: Airflow would take a folder ``x.zip`` for a package (``airflow.utils.file.ZIP_REGEX``)."""

MAX_DEPTH = 8
LONGEST_PATH = 255
"""The maximum number of folders, and of characters of the whole path. Airflow's own column has 2000."""

DEVICE = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9])(?:\.|$)")
"""Names of Windows devices, reserved with any suffix: some file systems are shared with Windows."""

RESERVED = frozenset(
    {"__init__", "__main__", "__pycache__", "airflow_local_settings", "sitecustomize", "usercustomize"}
)
"""Names that change what Python or Airflow does, because both also import from the DAGs folder."""


@dataclass(frozen=True)
class DagFileName:
    """Where a DAG file goes.

    :param folders: the names of its folders below the DAGs folder
    :param file: its name
    """

    folders: tuple[str, ...]
    file: str

    def __str__(self) -> str:
        """Return the path below the DAGs folder."""
        return "/".join((*self.folders, self.file))

    @property
    def is_package(self) -> bool:
        """Return whether it is a zip file, which Airflow reads DAGs from."""
        return self.file.endswith(".zip")


def validate_name(filename: str, folder: str = "", argument: str = "dag_file") -> DagFileName:
    """Validate the name and folder of a DAG file.

    :param filename: the name that the client sent
    :param folder: the path below the DAGs folder, parts separated by ``/``; "" for the DAGs folder itself
    :param argument: the argument with the file's name, for error messages
    :raises BadArguments: if one of them is not plain, reserved or too long
    """
    if not FILE.fullmatch(filename):
        raise BadArguments(
            f"'{argument}': {filename[:80]!r} is not a plain file name that ends in .py or .zip "
            "(letters, digits, _ - and . only)"
        )
    if is_reserved(filename):
        raise BadArguments(f"'{argument}': {filename} is a reserved name")
    folders = tuple(folder.removesuffix("/").split("/")) if folder else ()
    for part in folders:
        if not FOLDER.fullmatch(part):
            raise BadArguments(
                f"'folder': {folder[:80]!r} is not a plain path below the DAGs folder "
                "(parts of letters, digits, _ and -, separated by /)"
            )
        if is_reserved(part):
            raise BadArguments(f"'folder': {part} is a reserved name")
    name = DagFileName(folders, filename)
    if len(folders) > MAX_DEPTH or len(str(name)) > LONGEST_PATH:
        raise BadArguments(
            f"'folder': at most {MAX_DEPTH} folders, and {LONGEST_PATH} characters "
            "together with the file's name"
        )
    return name


def is_reserved(part: str) -> bool:
    """Return whether the name of a file or folder has a special meaning."""
    folded = fold_name(part)
    return bool(DEVICE.match(folded)) or folded.partition(".")[0] in RESERVED


def fold_name(part: str) -> str:
    """Return a name as seen by a file system that ignores case or normalizes characters (Unicode, UAX 15)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", part).casefold())
