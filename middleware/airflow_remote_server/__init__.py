"""The server side of ``airflow-remote``: a WSGI middleware that serves Airflow's command line over HTTP.

``RestApiMiddleware`` is all that most users need::

    from airflow_remote_server import RestApiMiddleware
    app.wsgi_app = RestApiMiddleware(app.wsgi_app)
"""

from __future__ import annotations

from airflow_remote_server.middleware import RestApiMiddleware

__version__ = "0.1.0"

__all__ = ["RestApiMiddleware", "__version__"]
