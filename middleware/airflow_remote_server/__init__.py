"""The server side of ``airflow-remote``: a WSGI middleware that serves Airflow's command line over HTTP.

``RestApiMiddleware`` is all that most users need::

    from airflow_remote_server import RestApiMiddleware
    app.wsgi_app = RestApiMiddleware(app.wsgi_app)
"""

from __future__ import annotations

from airflow_remote_server._version import __version__
from airflow_remote_server.middleware import RestApiMiddleware

__all__ = ["RestApiMiddleware", "__version__"]
