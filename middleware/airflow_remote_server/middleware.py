"""The WSGI middleware: is the path ours? then the API, else the wrapped application. Nothing else."""

from __future__ import annotations

import os
import threading
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from airflow_remote_server.api import Api
    from airflow_remote_server.settings import Settings

PREFIX = "/admin/rest_api"


def split_path(script_name: str, path_info: str, base_path: str = "") -> tuple[str, str] | None:
    """Split a request's path at the API's prefix.

    The prefix may stand anywhere around the border of SCRIPT_NAME and PATH_INFO: outside Airflow's own
    dispatcher the base path is still in PATH_INFO, inside it is in SCRIPT_NAME, and a front server may
    have moved that border (gunicorn's SCRIPT_NAME header), so both are read as one path first.

    :param script_name: SCRIPT_NAME of the WSGI environ (PEP 3333)
    :param path_info: PATH_INFO of the WSGI environ
    :param base_path: the path of Airflow's ``base_url``, without a trailing slash; "" when there is none
    :returns: SCRIPT_NAME and PATH_INFO as the API sees them, or None when the path is not the API's
    """
    joined = script_name + path_info
    for lead in {base_path: None, "": None}:
        for outer, path in (("", joined), (script_name, path_info)):
            head = lead + PREFIX
            if path.startswith(head) and path[len(head) : len(head) + 1] in ("", "/"):
                return outer + head, path[len(head) :]
    return None


class LazyApi:
    """The API, made at the first request for it.

    Nothing is kept open by it before a command comes: gunicorn may make the middleware in its master process,
    and fork the workers afterwards.

    :param settings: a configuration; None to read Airflow's
    """

    def __init__(self, settings: Settings | None) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._api: Api | None = None

    def get(self) -> Api:
        """The application behind the prefix; one, whichever thread comes first."""
        if self._api is None:
            with self._lock:
                return self._get()
        return self._api

    def prepare(self) -> None:
        """Have the warm host started, so that the first command finds it."""
        self.get().prepare()

    def _get(self) -> Api:
        from airflow_remote_server.api import Api

        if self._api is None:
            self._api = Api(self._settings)
        return self._api

    @cached_property
    def base_path(self) -> str:
        """The path that Airflow is served at."""
        if self._settings is not None:
            return self._settings.base_path
        from airflow_remote_server.settings import SettingsError, base_path

        try:
            return base_path()
        except SettingsError:
            return ""  # the API says what is wrong

    def serves(self, script_name: str, path_info: str) -> bool:
        """Tell whether a request is the API's.

        :param script_name: SCRIPT_NAME of the WSGI environ (PEP 3333)
        :param path_info: PATH_INFO of the WSGI environ
        """
        return split_path(script_name, path_info, self.base_path) is not None


class RestApiMiddleware:
    """Serve the Airflow command line below ``/admin/rest_api``; leave every other request alone.

    :param app: the WSGI application to wrap
    :param settings: a configuration; by default it is read from Airflow's at the first request
    """

    def __init__(self, app: WSGIApplication, settings: Settings | None = None) -> None:
        self.app = app
        self.api = LazyApi(settings)
        if os.environ.get("SERVER_SOFTWARE", "").startswith("gunicorn"):
            # A webserver starts. Airflow 2 makes its web application in some commands as well.
            self.api.prepare()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        script_name, path_info = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")
        if PREFIX in script_name + path_info and self.api.serves(script_name, path_info):
            return self.api.get()(environ, start_response)
        return self.app(environ, start_response)
