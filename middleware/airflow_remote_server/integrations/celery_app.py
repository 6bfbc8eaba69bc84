"""A Celery application of our own, with the broker that Airflow's CeleryExecutor uses."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from airflow_remote_server.errors import Unavailable

APP_NAME = "airflow_remote"
PROVIDER, PACKAGE = "airflow.providers.celery", "apache-airflow-providers-celery"

REDIS = ("redis://", "rediss://")
CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 10.0
"""How long to wait for the broker when a message is sent, in seconds."""


def make_celery_app(sends: bool) -> Any:
    """Return an application with Airflow's configuration of the broker, and without a result backend.

    :param sends: whether it sends messages, for which nobody must wait long; otherwise, it is a worker's
    :raises Unavailable: if Airflow's configuration of Celery cannot be used
    """
    try:
        from celery import Celery

        values = read_configuration()
    except Exception as error:
        reason = error if isinstance(error, ImportError) else type(error).__name__  # others may quote secrets
        raise Unavailable(f"Airflow's configuration of Celery cannot be used: {reason}") from error
    url = str(values.get("broker_url") or "")
    if sends and url.startswith(REDIS):
        # A worker waits for messages without a limit.
        limits = {"socket_connect_timeout": CONNECT_SECONDS, "socket_timeout": ANSWER_SECONDS}
        values["broker_transport_options"] = {**limits, **(values.get("broker_transport_options") or {})}
    app = Celery(APP_NAME, set_as_current=not sends)
    app.conf.update(values)
    return app


def read_configuration() -> dict[str, Any]:
    """Return Airflow's configuration of Celery, as far as it concerns the broker.

    :raises Exception: whatever Airflow raises if an option cannot be read
    """
    from airflow.configuration import conf

    with suppress(ImportError, AttributeError):  # otherwise, options of providers with _CMD are not read
        from airflow.providers_manager import ProvidersManager

        ProvidersManager().initialize_providers_configuration()
    values: dict[str, Any]
    if conf.has_option("celery", "celery_config_options"):
        values = conf.getimport("celery", "celery_config_options")
    else:
        from airflow.providers.celery.executors import default_celery

        values = default_celery.DEFAULT_CELERY_CONFIG
    names = ("accept_content", "task_serializer", "event_serializer")
    return {name: value for name, value in values.items() if name.startswith("broker_") or name in names}


def queue_of_tasks() -> str:
    """Return the queue of Airflow's own tasks, whose workers do not know ours."""
    from airflow.configuration import conf

    return str(conf.get("operators", "default_queue", fallback="default"))
