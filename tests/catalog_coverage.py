"""Find arguments of Airflow's commands that seem to name a file and that the catalog does not cover."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_remote_server.catalog.spec import Kind

if TYPE_CHECKING:
    from airflow_remote_server.catalog.spec import Argument, Endpoint

NO_FILES = frozenset(
    {
        "columns",
        "export_format",
        "file_format",
        "format",
        "import_path",
        "pretty",
        "read_from_db",
        "use_migration_files",
    }
)
"""Arguments that name no file although their help mentions files."""

FILES = (Kind.UPLOAD, Kind.DOWNLOAD, Kind.FOLDER, Kind.DAGS_PATH)


def undecided(endpoint: Endpoint) -> list[Argument]:
    """Return the arguments of a live command that may name a file on the server.

    :param endpoint: the command
    """
    return [argument for argument in endpoint.variants[0].arguments if _is_undecided(argument)]


def _is_undecided(argument: Argument) -> bool:
    text = f"{argument.name} {argument.metavar} {argument.help}".lower()
    if not re.search("path|file|director|folder", text) or argument.name in NO_FILES:
        return False
    return argument.kind not in FILES and not argument.refused
