"""What is refused although Airflow could do it: what makes no sense over HTTP, or does harm."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from airflow_remote_server.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TERMINAL = "it needs a terminal"
SERVER = "it would start a second webserver; this one is it"
DROPS = "it drops every table of the database that this Airflow runs on"
DOWNGRADE = "it takes the database from under the Airflow that runs on it"
IMPORTS = "it imports any class by its name"

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
"""Commands that are refused unless the configuration allows them, by glob, and why."""

OUTPUT = "a file of the server; the job keeps what the command prints"
CERTIFICATE = "a file of the server"

ARGUMENTS = {
    "access_logfile": OUTPUT,
    "cfg_path": "`tasks run --cfg-path` deletes the file that it reads on the server",
    "env_vars": "it sets any environment variable of a process on the server",
    "error_logfile": OUTPUT,
    "file_io": "it sends the report to a public website",
    "flower_conf": "flower runs this file of the server as Python",
    "imgcat": TERMINAL,
    "imgcat_dagrun": TERMINAL,
    "keytab": "a file of the server; set [kerberos] keytab in airflow.cfg",
    "log_config": CERTIFICATE,
    "log_file": OUTPUT,
    "pickle": "`tasks run --pickle` executes what it loads from the database",
    "pid": "a file of the server; the job knows the process",
    "post_mortem": TERMINAL,
    "ssl_ca_file": CERTIFICATE,
    "ssl_cert": CERTIFICATE,
    "ssl_key": CERTIFICATE,
    "stderr": OUTPUT,
    "stdout": OUTPUT,
}
"""Arguments that are never accepted, and why."""


class Policy:
    """Which commands may be run at all, whoever asks.

    :param allowed: globs over names of commands, as ``db *``; what they match is not refused by default
    :param denied: globs; what they match is refused in any case
    :param classic: names of the classic endpoints that become a command, by its words: what is said of one
        of its names holds for all
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

    def reason(self, *names: str) -> str:
        """Why a command is refused; "" when it is not.

        :param names: of the command: its words after ``airflow``, and the endpoint's, where that is another
        """
        names = (*names, *self.classic.get(names[0], ()))
        if _any(self.denied, names):
            return "[rest_api_plugin] deny_commands names it"
        if _any(self.allowed, names):
            return ""
        why = next((why for glob, why in COMMANDS.items() if _any((glob,), names)), "")
        return why and f"{why} ([rest_api_plugin] allow_commands can allow it)"

    def check(self, *names: str) -> None:
        """See that a command may be run.

        :param names: as for ``reason``
        :raises Refused: saying why not
        """
        reason = self.reason(*names)
        if reason:
            raise Refused(f"`{names[0]}` is refused by the policy: {reason}", layer="policy")


def _any(globs: Iterable[str], names: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs for name in names)
