"""Check a single value of a request against its argument, and convert it for the command line.

Every function raises ``ValueError`` with the problem, to be shown after the name of the argument.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from werkzeug.datastructures import FileStorage

from airflow_remote_server.catalog.dates import restore_plus
from airflow_remote_server.catalog.spec import Kind
from airflow_remote_server.util import strict_json
from airflow_remote_server.util.flags import parse_flag
from airflow_remote_server.util.paths import confine

if TYPE_CHECKING:
    from airflow_remote_server.catalog.spec import Argument
    from airflow_remote_server.config.settings import Settings

MAX_ARGUMENT_BYTES = 131071
"""The longest argument of a Linux process: MAX_ARG_STRLEN (32 pages) without the terminating NUL."""

CONF_NAMES = frozenset({"conf", "dag_run_conf", "task_params"})
"""Arguments of live commands that must be JSON objects; Airflow takes none for an empty text and null."""

INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?")


def convert_flag(argument: Argument, value: Any) -> bool:
    """Return the state of a flag.

    :param argument: the argument; a flag that is not accepted may still be turned off
    :param value: the value in the request
    :raises ValueError: if the value is not that of a flag, or the flag is not accepted
    """
    state = parse_flag(value)
    if state is None:
        raise ValueError("is a flag: use true, 1, yes, on or an empty value, or false, 0, no or off")
    if state and argument.refused:
        raise ValueError(argument.refused)
    return state


def convert_upload(value: Any) -> FileStorage:
    """Return the file that came with a request.

    :raises ValueError: if the value is not a file with a name
    """
    if not isinstance(value, FileStorage) or not value.filename:
        raise ValueError("send the file itself, in a multipart form (curl -F name=@file)")
    return value


def convert_text(argument: Argument, value: Any) -> str:
    """Return a value as the text of one word of a command line.

    :param argument: the argument
    :param value: the value in the request: a text, or a JSON value
    :raises ValueError: if it cannot be passed to a command
    """
    if isinstance(value, FileStorage):
        raise ValueError("must be text, not a file")
    if isinstance(value, (dict, list)) and argument.kind in (Kind.JSON, Kind.JSON_OBJECT):
        value = json.dumps(value)
    if isinstance(value, (bool, dict, list)):
        raise ValueError(f"must be text, not a JSON {type(value).__name__}")
    text = value if isinstance(value, str) else json.dumps(value)
    _check_word(text)
    if argument.flag and argument.takes_separate_words and text.startswith("-"):
        raise ValueError("cannot begin with -")
    return text


def _check_word(text: str) -> None:
    if "\0" in text:
        raise ValueError("contains a NUL, which no argument can")
    if text == "--":
        # argparse of Python <= 3.12 drops it wherever it stands (CPython issue 59317).
        raise ValueError("cannot be a lone --")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ValueError("is not valid Unicode: it contains a lone surrogate") from None
    if size > MAX_ARGUMENT_BYTES:
        raise ValueError(f"has {size} bytes; an argument may have at most {MAX_ARGUMENT_BYTES}")


def check_text(argument: Argument, text: str, settings: Settings) -> str:
    """Return the text for the command line, checked by the kind of the argument.

    :param argument: the argument
    :param text: from ``convert_text``
    :param settings: has the folders that paths must be in
    :raises ValueError: if it is not of that kind
    """
    if argument.choices and text not in argument.choices:
        raise ValueError(f"must be one of {', '.join(argument.choices)}")
    if argument.kind is Kind.INTEGER and not INTEGER.fullmatch(text):
        raise ValueError("must be a whole number")
    if argument.bounds is not None and not argument.bounds[0] <= int(text) <= argument.bounds[1]:
        raise ValueError(f"must be a number from {argument.bounds[0]} to {argument.bounds[1]}")
    if argument.kind is Kind.NUMBER and not NUMBER.fullmatch(text):
        raise ValueError("must be a number")
    if argument.kind is Kind.JSON_OBJECT:
        _check_json_object(text)
    if argument.kind is Kind.JSON and argument.name in CONF_NAMES and text not in ("", "null"):
        _check_json_object(text)
    if argument.name == "conn_uri":
        _check_uri(text)
    if argument.kind is Kind.STDOUT and text != "-":
        raise ValueError('the server writes no files: use "-" and save the stdout of the response')
    return restore_plus(argument, _confine_path(argument.kind, text, settings))


def _check_json_object(text: str) -> None:
    try:
        document = strict_json.loads(text)
    except ValueError as error:
        raise ValueError(f"is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise ValueError("must be a JSON object")


def _check_uri(text: str) -> None:
    # Airflow splits the URI in the same way, and its error quotes a part of the password.
    try:
        _ = urlsplit(text).port
    except ValueError:
        raise ValueError(
            "is not a valid URI: percent-encode / ? # [ ] @ and : in the login and the password, "
            "for example / as %2F"
        ) from None


def _confine_path(kind: Kind, text: str, settings: Settings) -> str:
    if kind is Kind.DAGS_PATH:
        return confine(text, settings.dags_folder, "the DAGs folder")
    if kind is Kind.LOG_PATH:
        return confine(text, settings.log_folder, "Airflow's log folder")
    return text
