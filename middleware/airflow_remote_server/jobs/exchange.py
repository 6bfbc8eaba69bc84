"""Files that come to a job's folder with a request, and those that its command is to write for its user.

Nothing that a client says becomes a path: a name is the last part of one, in letters that are safe anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.utils import secure_filename

from airflow_remote_server.catalogue.spec import Kind
from airflow_remote_server.runner.folder import FILES, UPLOAD

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from werkzeug.datastructures import FileStorage

    from airflow_remote_server.argv import Values
    from airflow_remote_server.catalogue.spec import Form

STDOUT_NAME = "-"
"""Instead of a file's name: what would be written to it goes to stdout."""

NAMELESS = "file"
"""What a file is called of whose name nothing is left."""

LONGEST_NAME = 80
"""Characters of a name, with its suffix."""


def save(uploads: Mapping[str, FileStorage], folder: Path) -> dict[str, str]:
    """Write uploaded files into a job's folder.

    :param uploads: by argument name
    :param folder: the job's folder
    :returns: the path of each
    :raises OSError: when they cannot be written
    """
    paths = {}
    for name, upload in uploads.items():
        path = folder / f"{UPLOAD}{safe_name(upload.filename or '')}"
        upload.save(path)
        paths[name] = str(path)
    return paths


def safe_name(path: str) -> str:
    """The last part of a client's path, without what could lead elsewhere.

    Its suffix stays also when nothing else does, as of ``.env``: Airflow tells the format of a file by it.
    """
    stem, dot, suffix = path.replace("\\", "/").rpartition("/")[2].rpartition(".")
    if not dot:
        stem, suffix = suffix, ""
    stem, suffix = secure_filename(stem).strip("-") or NAMELESS, secure_filename(suffix)
    name = f"{stem}.{suffix}" if suffix else stem
    return name[-LONGEST_NAME:].lstrip(".-") or NAMELESS


def outputs(form: Form, values: Values, folder: Path) -> dict[str, str]:
    """Where the command is to write the files that it writes for its user: it works in their folder.

    :param form: the command
    :param values: with the names that the user gave them
    :param folder: the job's folder
    :returns: the path of each, by argument name
    :raises OSError: when their folder cannot be made
    """
    paths = {}
    for argument in form.arguments:
        value = values.get(argument.name)
        if argument.kind is Kind.FOLDER:
            paths[argument.name] = "."  # also when none was given: Airflow's default is a folder of its own
        elif argument.kind is Kind.DOWNLOAD and value not in (None, STDOUT_NAME):
            paths[argument.name] = safe_name(str(value))
    if paths:
        (folder / FILES).mkdir(0o700)
    return paths
