"""Traits of the arguments of Airflow's commands that Airflow's parser does not describe.

The facts come from reading and running the commands of Airflow 2.11 and 3.3 and of their providers. A test
fails if a supported Airflow has an argument that may name a file and is not covered here.
"""

from __future__ import annotations

from airflow_remote_server.catalog.spec import Kind

UPLOADS = frozenset(
    {
        ("connections import", "file"),
        ("pools import", "file"),
        ("roles import", "file"),
        ("users import", "import"),
        ("variables import", "file"),
    }
)
"""Arguments that name a file to read: the file comes with the request."""

DOWNLOADS = frozenset(
    {
        ("connections export", "file"),
        ("dags show", "save"),
        ("dags show-dependencies", "save"),
        ("dags test", "save_dagrun"),
        ("pools export", "file"),
        ("roles export", "file"),
        ("users export", "export"),
        ("variables export", "file"),
    }
)
"""Arguments that name a file to write: the client fetches the file from the job."""

FOLDERS = frozenset({("db export-archived", "output_path"), ("kubernetes generate-dag-yaml", "output_path")})
"""Arguments that name a directory to write files to."""

DAGS_PATHS = frozenset({"dagfile_path", "subdir"})

JSON_NAMES = frozenset({"conf", "conn_extra", "conn_json", "dag_run_conf", "task_params"})

INTEGER_NAMES = frozenset({"conn_port"})
"""Whole numbers that Airflow's parser takes as text."""

TYPES = {
    "int": Kind.INTEGER,
    "_check": Kind.INTEGER,  # positive_int in airflow.cli.cli_config
    "float": Kind.NUMBER,
    "parse": Kind.DATE,  # the function of pendulum that airflow.utils.timezone uses
    "loads": Kind.JSON,
}
"""Names of the functions that Airflow's parser converts values with."""

SECRET_NAMES = frozenset({"basic_auth", "broker_api", "conn_extra", "conn_json", "conn_uri"})
SECRETS = frozenset({("variables set", "value")})

SEPARATE_VALUES = frozenset({"conn_json", "conn_uri"})
"""Options whose values Airflow's audit log masks only if they are separate words."""

DAEMON = "daemon"
"""A command with this flag runs until it is stopped. It is ignored: jobs run in the background anyway."""


def kind_of(command: str, name: str, is_flag: bool, converter: str) -> Kind:
    """Return the kind of an argument's value.

    :param command: the command's words after ``airflow``
    :param name: the argument
    :param is_flag: whether it takes no value
    :param converter: the name of the function that Airflow's parser converts its value with
    """
    if is_flag:
        return Kind.FLAG
    for table, kind in ((UPLOADS, Kind.UPLOAD), (DOWNLOADS, Kind.DOWNLOAD), (FOLDERS, Kind.FOLDER)):
        if (command, name) in table:
            return kind
    if name in DAGS_PATHS:
        return Kind.DAGS_PATH
    if name in JSON_NAMES:
        return Kind.JSON
    if name in INTEGER_NAMES:
        return Kind.INTEGER
    return TYPES.get(converter, Kind.TEXT)


def is_secret(command: str, name: str) -> bool:
    """Return whether the value of an argument must never be shown.

    :param command: the command's words after ``airflow``
    :param name: an argument that takes a value
    """
    return name in SECRET_NAMES or (command, name) in SECRETS or "password" in name or "secret" in name
