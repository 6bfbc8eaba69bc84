"""Warn of patterns of commands in the settings that match no command, most likely by mistake."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_remote_server.config.settings import Settings
from airflow_remote_server.util.globs import matches_any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_remote_server.catalog.live import Catalog

log = logging.getLogger(__name__)


def warn_of_globs(settings: Settings, classic: Mapping[str, tuple[str, ...]], catalog: Catalog) -> None:
    """Log a warning for each pattern in ``celery_commands`` that matches no command of the installed Airflow.

    The defaults are not checked: they name commands of several versions.

    :param settings: the configuration
    :param classic: the names of the classic endpoints that become a command, by its words
    :param catalog: the commands of the installed Airflow
    """
    if not settings.celery_queue or settings.celery_commands == Settings.celery_commands:
        return
    names = {*catalog.endpoints, *(name for endpoint in classic.values() for name in endpoint)}
    for glob in settings.celery_commands:
        if not matches_any(names, (glob,)):
            log.warning(
                "[rest_api_plugin] celery_commands: %r matches no command of Airflow %s",
                glob,
                catalog.airflow,
            )
