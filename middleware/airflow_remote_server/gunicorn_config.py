"""A gunicorn configuration that wraps Airflow's webserver.

Airflow 2::

    gunicorn -c python:airflow_remote_server.gunicorn_config 'airflow.www.app:cached_app()'

Airflow 3 (with ``apache-airflow-core[gunicorn]``)::

    gunicorn -c python:airflow_remote_server.gunicorn_config airflow.api_fastapi.main:app

gunicorn treats every name at module level as a setting or a server hook.
"""

from __future__ import annotations

from typing import Any

from airflow import __version__ as _airflow_version

from airflow_remote_server.middleware import drain_in_gunicorn as _drain_in_gunicorn
from airflow_remote_server.plugin import WRAPPING as _WRAPPING

_two = _airflow_version.startswith("2.")
_WRAPPING.take("gunicorn config")  # the plugins only add their link then
_drain_in_gunicorn()

preload_app = True
timeout = 120

if _two:
    # Accept the 2016 plugin's header from any peer, and trust no peer for anything else. Airflow 3's worker
    # is uvicorn: it drops no header, and it also reads forwarded_allow_ips, so it would trust every peer.
    forwarder_headers = "REST_API_PLUGIN_HTTP_TOKEN"
    forwarded_allow_ips = "*"
    secure_scheme_headers: dict[str, str] = {}

    from airflow_remote_server.integrations.gunicorn_hooks import on_starting  # noqa: F401 - a hook

    def post_worker_init(worker: Any) -> None:
        """Wrap a worker's WSGI application, and call Airflow's own hook."""
        from airflow_remote_server.integrations.gunicorn_header import let_token_through
        from airflow_remote_server.integrations.gunicorn_hooks import post_worker_init as airflows_hook
        from airflow_remote_server.middleware import RestApiMiddleware

        # gunicorn 22 drops the header, and lacks the setting.
        if "forwarder_headers" not in worker.cfg.settings:
            let_token_through()
        worker.wsgi = RestApiMiddleware(worker.wsgi)
        airflows_hook(worker)

else:
    from airflow_remote_server.integrations.gunicorn_hooks import UVICORN_WORKER as worker_class  # noqa: F401, N811 - a setting

    def post_worker_init(worker: Any) -> None:
        """Wrap a worker's ASGI application."""
        from airflow_remote_server.asgi import RestApiAsgiMiddleware

        worker.wsgi = RestApiAsgiMiddleware(worker.wsgi)
