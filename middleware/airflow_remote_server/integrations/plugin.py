"""The Airflow plugins: one for the file in the plugins folder, one for the entry point of the package.

Airflow imports plugins in most of its processes, so nothing heavy is imported here.
"""

from __future__ import annotations

from urllib.parse import quote

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from airflow_remote_server.integrations import installed
from airflow_remote_server.middleware import PREFIX
from airflow_remote_server.settings import base_path, register_token_as_sensitive, token_is_configured


class Claim:
    """Something that one part of a process does and no other: the first to ask for it has it.

    The file, the entry point and the gunicorn config may all be there at once.
    """

    def __init__(self) -> None:
        self.owner = ""

    def take(self, owner: str) -> bool:
        """Whether the owner has it.

        :param owner: a name; who has the claim keeps it, also when Airflow loads it again
        """
        self.owner = self.owner or owner
        return self.owner == owner


WRAPPING = Claim()
LINK = Claim()


def members(owner: str) -> dict[str, list[object]]:
    """What the plugin of this owner declares; nothing when another plugin has done so.

    :param owner: ``file`` or ``entry point``
    """
    register_token_as_sensitive(conf)
    if not LINK.take(owner):
        return {}
    return installed().plugin_members(WRAPPING.take(owner), f"{quote(base_path())}{PREFIX}/")


class RestApiPlugin(AirflowPlugin):  # type: ignore[misc]  # Airflow is not typed here
    """The plugin of the file ``rest_api_plugin.py``: always active."""

    name = "rest_api_plugin"

    def __init__(self) -> None:
        self.__dict__.update(members("file"))


class RestApiEntryPoint(AirflowPlugin):  # type: ignore[misc]  # Airflow is not typed here
    """The plugin of the installed package: active when a token is configured and the file is not there.

    Who installs a package has not asked for an open API by that.
    """

    name = "airflow_remote"

    def __init__(self) -> None:
        register_token_as_sensitive(conf)
        if token_is_configured(conf):
            self.__dict__.update(members("entry point"))
