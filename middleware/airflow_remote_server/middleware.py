"""The WSGI middleware: pass requests below the prefix to the API, and others to the wrapped application."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_remote_server.http.routing import MARK, find_api
from airflow_remote_server.integrations.gunicorn_drain import let_master_drain, runs_in_gunicorn

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from airflow_remote_server.config.settings import Settings
    from airflow_remote_server.execution.draining import Drainer
    from airflow_remote_server.http.app import Api
    from airflow_remote_server.http.unavailable import UnavailableApp
    from airflow_remote_server.missing_extra import MissingExtra


class LazyApi:
    """Create the API when it is first needed.

    Until then, nothing is imported, read or opened: gunicorn may create the middleware in its master process
    and fork the workers afterward.

    :param settings: the configuration; None to read Airflow's
    """

    def __init__(self, settings: Settings | None) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._api: Api | UnavailableApp | MissingExtra | None = None
        self._prepared = False

    def get(self) -> Api | UnavailableApp | MissingExtra:
        """Return the application behind the prefix; all threads get the same one."""
        if self._api is None:
            with self._lock:
                return self._get()
        return self._api

    @property
    def exists(self) -> bool:
        """Return whether the application has been created, so that ``get`` returns at once."""
        return self._api is not None

    def prepare(self) -> None:
        """Start the fork server ahead of the first command."""
        self.get().prepare()
        self._prepared = True

    def watch(self) -> None:
        """Notice the ends of jobs without a request, from now on, if this is a webserver.

        This starts a thread. So call it in the process that serves requests, after it was forked.
        """
        if self._prepared:
            self.get().watch()

    def _get(self) -> Api | UnavailableApp | MissingExtra:
        if self._api is None:
            try:
                from airflow_remote_server.http.app import create_app
            except ImportError as error:
                from airflow_remote_server.missing_extra import MissingExtra, is_of_extra

                if not is_of_extra(error):
                    raise
                self._api = MissingExtra(error)
            else:
                self._api = create_app(self._settings)
        return self._api

    @cached_property
    def base_path(self) -> str:
        """Return the path at which Airflow is served."""
        if self._settings is not None:
            return self._settings.base_path
        from airflow_remote_server.config.reader import read_base_path
        from airflow_remote_server.config.settings import SettingsError

        try:
            return read_base_path()
        except SettingsError:
            return ""  # the API logs what is wrong

    def serves(self, script_name: str, path_info: str) -> bool:
        """Return whether a request is for the API.

        :param script_name: SCRIPT_NAME of the WSGI environ (PEP 3333)
        :param path_info: PATH_INFO of the WSGI environ
        """
        return find_api(script_name, path_info, self.base_path) is not None


def make_drainer(settings: Settings | None = None) -> Drainer:
    """Return what drains the server of this process at SIGTERM.

    :param settings: the configuration; None to read Airflow's at SIGTERM
    """
    from airflow_remote_server.execution.draining import Drainer

    def read_options() -> tuple[Path, float]:
        if settings is not None:
            return settings.state_dir, settings.drain_seconds
        from airflow_remote_server.config.reader import read_drain_options

        return read_drain_options()

    return Drainer(read_options)


def drain_in_gunicorn(settings: Settings | None = None) -> None:
    """Let the server drain at SIGTERM, if this is gunicorn's master.

    :param settings: the configuration; None to read Airflow's at SIGTERM
    """
    drainer = make_drainer(settings)
    let_master_drain(drainer.take_signal, drainer.is_done)


def hold_sigterm(settings: Settings | None = None) -> None:
    """Let the server drain at SIGTERM, if this is a process of an ASGI server that has just started.

    :param settings: the configuration; None to read Airflow's at SIGTERM
    """
    from airflow_remote_server.execution.draining import ignore_while_master_drains

    if runs_in_gunicorn():
        ignore_while_master_drains()
    else:
        make_drainer(settings).hold_signal()


class RestApiMiddleware:
    """Serve the Airflow command line below ``/admin/rest_api``; pass every other request on.

    :param app: the WSGI application to wrap
    :param settings: the configuration; None to read Airflow's at the first request
    """

    def __init__(self, app: WSGIApplication, settings: Settings | None = None) -> None:
        self.app = app
        self.api = LazyApi(settings)
        if runs_in_gunicorn():
            # This is a webserver. Some commands of Airflow 2 create the web application as well.
            self.api.prepare()
            drain_in_gunicorn(settings)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.api.watch()  # any request shows that this process is not gunicorn's master
        script_name, path_info = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")
        if MARK in script_name + path_info and self.api.serves(script_name, path_info):
            return self.api.get()(environ, start_response)
        return self.app(environ, start_response)
