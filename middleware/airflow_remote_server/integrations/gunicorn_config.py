"""A gunicorn configuration that wraps Airflow's webserver.

Airflow 2::

    gunicorn -c python:airflow_remote_server.integrations.gunicorn_config 'airflow.www.app:cached_app()'

Airflow 3 (with ``apache-airflow-core[gunicorn]``)::

    gunicorn -c python:airflow_remote_server.integrations.gunicorn_config airflow.api_fastapi.main:app

Every name at module level is a setting or a server hook of gunicorn's.
"""

from __future__ import annotations

from typing import Any

from airflow import __version__ as _airflow_version

from airflow_remote_server.integrations.plugin import WRAPPING as _WRAPPING

_two = _airflow_version.startswith("2.")
_WRAPPING.take("gunicorn config")  # the plugins keep their link, and leave the wrapping to us

preload_app = True
timeout = 120

if _two:
    # Let the seed's header in from any peer, and trust no peer for anything else. Airflow 3's worker is
    # uvicorn: it drops no header, and takes forwarded_allow_ips for its own, so it would trust every peer.
    forwarder_headers = "REST_API_PLUGIN_HTTP_TOKEN"
    forwarded_allow_ips = "*"
    secure_scheme_headers: dict[str, str] = {}

    from airflow.www.gunicorn_config import on_starting  # noqa: F401 - a hook

    def post_worker_init(worker: Any) -> None:
        """Wrap the WSGI application of a worker, and keep Airflow's own hook."""
        from airflow.www.gunicorn_config import post_worker_init as airflows_hook

        from airflow_remote_server.middleware import RestApiMiddleware

        worker.wsgi = RestApiMiddleware(worker.wsgi)
        airflows_hook(worker)

else:
    worker_class = "airflow.api_fastapi.gunicorn_app.AirflowUvicornWorker"

    def post_worker_init(worker: Any) -> None:
        """Wrap the ASGI application of a worker."""
        from airflow_remote_server.asgi import RestApiAsgiMiddleware

        worker.wsgi = RestApiAsgiMiddleware(worker.wsgi)
