"""Check the files that a request brings for Airflow to import, before the command runs.

Airflow ends with a traceback for JSON of another type than it expects, and quotes parts of some files.
"""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from werkzeug.datastructures import FileStorage

SUFFIXES = (".json", ".yaml", ".yml", ".env")
"""The suffixes of ``FILE_PARSERS`` in ``airflow.secrets.local_filesystem``."""

JSON_TYPES: dict[str, type] = {
    "connections import": dict,
    "pools import": dict,
    "roles import": list,
    "users import": list,
    "variables import": dict,
}
"""Commands that import a file, and the type of the JSON document that it must contain."""

TYPE_NAMES: dict[type, str] = {dict: "an object", list: "a list"}


def reads_suffix(command: str, airflow_major: int) -> bool:
    """Return whether a command derives the format of its file from the suffix; otherwise it reads JSON.

    :param command: its words after ``airflow``
    :param airflow_major: major version of Airflow
    """
    return command == "connections import" or (command == "variables import" and airflow_major > 2)


def name_import(command: str, airflow_major: int, filename: str) -> str:
    """Return the name under which to save a file, with a suffix if the command needs one.

    A file without a suffix is JSON: it is standard input, for example.

    :param command: the command's words after ``airflow``
    :param airflow_major: major version of Airflow
    :param filename: the name in the request
    :raises ValueError: if the file has a suffix that the command does not know
    """
    name = PurePath(filename.replace("\\", "/")).name
    if not reads_suffix(command, airflow_major) or name.lower().endswith(SUFFIXES):
        return filename
    if PurePath(name).suffix:
        raise ValueError(f"the name of the file must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    return f"{filename}.json"


def check_import(command: str, airflow_major: int, upload: FileStorage) -> None:
    """Check the content of a file, and give it the name that the command needs.

    :param command: the command's words after ``airflow``; commands that import nothing are ignored
    :param airflow_major: major version of Airflow
    :param upload: the file
    :raises ValueError: if Airflow could not import it
    """
    expected = JSON_TYPES.get(command)
    if expected is None:
        return
    upload.filename = name_import(command, airflow_major, upload.filename or "")
    if reads_suffix(command, airflow_major) and not upload.filename.lower().endswith(".json"):
        return
    content = upload.stream.read()
    upload.stream.seek(0)
    try:
        document = json.loads(content.decode("utf-8"))
    except UnicodeDecodeError:
        raise ValueError("the file is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"the file is not valid JSON: {error}") from None
    except (ValueError, RecursionError):  # a number of too many digits, or too many nested arrays
        raise ValueError(
            "the file is not valid JSON: it has too long a number or is nested too deeply"
        ) from None
    if not isinstance(document, expected):
        raise ValueError(f"the file must contain {TYPE_NAMES[expected]} in JSON")
