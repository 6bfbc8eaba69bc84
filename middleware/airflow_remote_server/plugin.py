"""The Airflow plugins: one for the file in the plugins folder, and one for the package's entry point.

Airflow imports plugins in most of its processes, so this module imports nothing heavy.
"""

from __future__ import annotations

from urllib.parse import quote

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from airflow_remote_server.config.reader import (
    read_base_path,
    register_token_as_sensitive,
    token_is_configured,
)
from airflow_remote_server.http.routing import PREFIX
from airflow_remote_server.integrations.gunicorn_drain import runs_in_gunicorn
from airflow_remote_server.integrations.installed import installed_integration
from airflow_remote_server.integrations.release import installed_release
from airflow_remote_server.middleware import drain_in_gunicorn


class Claim:
    """A task that only one part of a process performs: the first that claims it.

    The plugin file, the entry point and the gunicorn configuration may all be present at once.
    """

    def __init__(self) -> None:
        self.owner = ""

    def take(self, owner: str) -> bool:
        """Claim the task, and return whether the owner has it.

        :param owner: a name; the owner keeps the claim even if Airflow loads it again
        """
        self.owner = self.owner or owner
        return self.owner == owner


WRAPPING = Claim()
LINK = Claim()


def plugin_attributes(owner: str) -> dict[str, list[object]]:
    """Return the attributes of an owner's plugin; none if another plugin has declared them.

    :param owner: ``file`` or ``entry point``
    """
    register_token_as_sensitive(conf)
    if not LINK.take(owner):
        return {}
    middleware = middleware_class() if WRAPPING.take(owner) else None
    return installed_integration().plugin_members(middleware, f"{quote(read_base_path())}{PREFIX}/")


def middleware_class() -> type:
    """Return the class that wraps the webserver of the installed Airflow: Airflow 3 has an ASGI server."""
    if installed_release() < (3, 0):
        from airflow_remote_server.middleware import RestApiMiddleware

        return RestApiMiddleware
    from airflow_remote_server.asgi import RestApiAsgiMiddleware

    if runs_in_gunicorn():
        drain_in_gunicorn()
    return RestApiAsgiMiddleware


class RestApiPlugin(AirflowPlugin):  # type: ignore[misc]  # Airflow is not typed here
    """The plugin of the file ``rest_api_plugin.py``: always active."""

    name = "rest_api_plugin"

    def __init__(self) -> None:
        self.__dict__.update(plugin_attributes("file"))


class RestApiEntryPoint(AirflowPlugin):  # type: ignore[misc]  # Airflow is not typed here
    """The plugin of the installed package: active if a token is configured and there is no plugin file.

    Installing a package must not open an API without a token.
    """

    name = "airflow_remote"

    def __init__(self) -> None:
        register_token_as_sensitive(conf)
        if token_is_configured(conf):
            self.__dict__.update(plugin_attributes("entry point"))
