"""Decide which commands and arguments are refused: those that make no sense over HTTP, or do harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_remote_server.errors import Refused
from airflow_remote_server.util.globs import matches_any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TERMINAL = "it needs a terminal"
SERVER = "it would start a second webserver"
DROPS = "it drops every table of this Airflow's own database"
DOWNGRADE = "it downgrades this Airflow's own database"
IMPORTS = "it imports an arbitrary class"

COMMANDS = {
    "api-server": SERVER,
    "config update": "it rewrites airflow.cfg",
    "db downgrade": DOWNGRADE,
    "db reset": DROPS,
    "db shell": TERMINAL,
    "db-manager *": IMPORTS,
    "fab-db downgrade": DOWNGRADE,
    "fab-db reset": DROPS,
    "standalone": SERVER,
    "webserver": SERVER,
}
"""Patterns of commands that are refused unless ``allow_commands`` allows them, and why."""

OUTPUT = "it names a file on the server; the job stores the output"
SERVER_FILE = "it names a file on the server"

ARGUMENTS = {
    "access_logfile": OUTPUT,
    "cfg_path": "`tasks run --cfg-path` deletes the file on the server that it reads",
    "env_vars": "it sets any environment variable of a process on the server",
    "error_logfile": OUTPUT,
    "file_io": "it sends the report to a public website",
    "flower_conf": "flower runs this file on the server as Python code",
    "imgcat": TERMINAL,
    "imgcat_dagrun": TERMINAL,
    "keytab": "it names a file on the server; set [kerberos] keytab in airflow.cfg",
    "log_config": SERVER_FILE,
    "log_file": OUTPUT,
    "pickle": "`tasks run --pickle` runs code that it loads from the database",
    "pid": "it names a file on the server; the job knows the process",
    "post_mortem": TERMINAL,
    "ssl_ca_file": SERVER_FILE,
    "ssl_cert": SERVER_FILE,
    "ssl_key": SERVER_FILE,
    "stderr": OUTPUT,
    "stdout": OUTPUT,
}
"""Arguments that are never accepted, and why."""


class Policy:
    """Decides which commands may be run at all, by any client.

    :param allowed: patterns of commands, such as ``db *``, that are not refused by default
    :param denied: patterns of commands that are refused in any case
    :param classic: the names of the classic endpoints that become a command, by its words: a pattern that
        matches one of its names applies to the command
    """

    def __init__(
        self,
        allowed: Iterable[str] = (),
        denied: Iterable[str] = (),
        classic: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.allowed = tuple(allowed)
        self.denied = tuple(denied)
        self.classic = classic or {}

    def refusal_reason(self, *names: str) -> str:
        """Return why a command is refused; "" if it is not.

        :param names: the words after ``airflow``, and the name of the endpoint if it differs
        """
        names = (*names, *self.classic.get(names[0], ()))
        if matches_any(names, self.denied):
            return "[rest_api_plugin] deny_commands names it"
        if matches_any(names, self.allowed):
            return ""
        reason = next((reason for glob, reason in COMMANDS.items() if matches_any(names, (glob,))), "")
        return reason and f"{reason} ([rest_api_plugin] allow_commands can allow it)"

    def check(self, *names: str) -> None:
        """Refuse a command that must not be run.

        :param names: as for ``refusal_reason``
        :raises Refused: if it is refused; the message says why
        """
        reason = self.refusal_reason(*names)
        if reason:
            raise Refused(f"`{names[0]}` is refused by the policy: {reason}", layer="policy")
