"""Files that are uploaded into a job's spool, and files that its command writes for the user.

A client never chooses a path: only the last part of a file name is used, reduced to safe characters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.utils import secure_filename

from airflow_remote_server.catalog.spec import Kind
from airflow_remote_server.execution.spool import FILES, UPLOAD

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from werkzeug.datastructures import FileStorage

    from airflow_remote_server.catalog.argv import Values
    from airflow_remote_server.catalog.spec import Variant

STDOUT_NAME = "-"
"""The file name that stands for stdout."""

NAMELESS = "file"
"""Name of a file whose own name has no safe characters."""

LONGEST_NAME = 80
"""The maximum number of characters of a name, including its suffix."""


def save_uploads(uploads: Mapping[str, FileStorage], spool_dir: Path) -> dict[str, str]:
    """Save uploaded files in a job's spool.

    :param uploads: by argument name
    :param spool_dir: the directory of the spool
    :returns: the path of each, by argument name
    :raises OSError: if they cannot be written
    """
    paths = {}
    for name, upload in uploads.items():
        path = spool_dir / f"{UPLOAD}{safe_name(upload.filename or '')}"
        upload.save(path)
        paths[name] = str(path)
    return paths


def safe_name(path: str) -> str:
    """Return the last part of a client's path, reduced to safe characters.

    The suffix is always kept, as of ``.env``, because Airflow derives a file's format from it.

    :param path: any text
    """
    stem, dot, suffix = path.replace("\\", "/").rpartition("/")[2].rpartition(".")
    if not dot:
        stem, suffix = suffix, ""
    stem, suffix = secure_filename(stem).strip("-") or NAMELESS, secure_filename(suffix)
    name = f"{stem}.{suffix}" if suffix else stem
    return name[-LONGEST_NAME:].lstrip(".-") or NAMELESS


def prepare_downloads(variant: Variant, values: Values, spool_dir: Path) -> dict[str, str]:
    """Choose paths for the files that a command writes for the user, and create their directory if needed.

    The directory is the command's working directory, so that the paths are relative.

    :param variant: the command
    :param values: its argument values, with the names that the user chose
    :param spool_dir: the directory of the spool
    :returns: the path of each, by argument name
    :raises OSError: if the directory cannot be created
    """
    paths = download_paths(variant, values)
    if paths:
        (spool_dir / FILES).mkdir(0o700)
    return paths


def download_paths(variant: Variant, values: Values) -> dict[str, str]:
    """Return the relative paths of the files that a command writes for the user, by argument name.

    :param variant: the command
    :param values: its argument values, with the names that the user chose
    """
    paths = {}
    for argument in variant.arguments:
        value = values.get(argument.name)
        if argument.kind is Kind.FOLDER:
            paths[argument.name] = "."  # even without a value: Airflow's default is a directory of its own
        elif argument.kind is Kind.DOWNLOAD and value not in (None, STDOUT_NAME):
            paths[argument.name] = safe_name(str(value))
    return paths
