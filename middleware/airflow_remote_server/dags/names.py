"""What a DAG file may be called, and where in the DAGs folder it may be. Pure: no file is looked at.

A name is one that means the same on every file system: ASCII letters, digits, ``_``, ``-`` and ``.``.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from airflow_remote_server.errors import BadArguments

FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}\.(?:py|zip)")
FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}")
"""No dot: a folder ``x.zip`` would be taken for a package by Airflow (``airflow.utils.file.ZIP_REGEX``)."""

DEEPEST = 8
LONGEST = 255
"""Most folders, and most characters of folders and name together; Airflow's own column has 2000."""

DEVICE = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9])(?:\.|$)")
"""Windows' devices, which a name stands for whatever its suffix: some file systems are shared with it."""

RESERVED = frozenset(
    {"__init__", "__main__", "__pycache__", "airflow_local_settings", "sitecustomize", "usercustomize"}
)
"""Names that change what Python or Airflow does elsewhere: they also import from the DAGs folder."""


@dataclass(frozen=True)
class Name:
    """Where a DAG file goes.

    :param folders: below the DAGs folder
    :param file: its name there
    """

    folders: tuple[str, ...]
    file: str

    def __str__(self) -> str:
        """The path below the DAGs folder."""
        return "/".join((*self.folders, self.file))

    @property
    def packed(self) -> bool:
        """Whether it is a package: Airflow reads zipped DAGs."""
        return self.file.endswith(".zip")


def read(filename: str, folder: str = "", what: str = "dag_file") -> Name:
    """Check a name.

    :param filename: as the client gave it
    :param folder: below the DAGs folder, parts separated by ``/``; "" for the DAGs folder itself
    :param what: the argument that the file's name came by, for the message
    :raises BadArguments: when one of them is not plain, reserved or too long
    """
    if not FILE.fullmatch(filename):
        raise BadArguments(
            f"'{what}': {filename[:80]!r} is not a plain file name that ends in .py or .zip "
            "(letters, digits, _ - and . only)"
        )
    if reserved(filename):
        raise BadArguments(f"'{what}': {filename} is a reserved name")
    folders = tuple(folder.removesuffix("/").split("/")) if folder else ()
    for part in folders:
        if not FOLDER.fullmatch(part):
            raise BadArguments(
                f"'folder': {folder[:80]!r} is not a plain path below the DAGs folder "
                "(parts of letters, digits, _ and -, separated by /)"
            )
        if reserved(part):
            raise BadArguments(f"'folder': {part} is a reserved name")
    name = Name(folders, filename)
    if len(folders) > DEEPEST or len(str(name)) > LONGEST:
        raise BadArguments(
            f"'folder': at most {DEEPEST} folders, and {LONGEST} characters together with the file's name"
        )
    return name


def reserved(part: str) -> bool:
    """Whether a name of a file or folder stands for something else than itself."""
    plain = fold(part)
    return bool(DEVICE.match(plain)) or plain.partition(".")[0] in RESERVED


def fold(part: str) -> str:
    """A name as a file system may see it that knows no case, or composes characters (Unicode, UAX 15)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", part).casefold())
