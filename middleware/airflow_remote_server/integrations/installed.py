"""Select the integration with the installed Airflow."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from airflow_remote_server.integrations.base import Integration
from airflow_remote_server.integrations.release import installed_release


def installed_integration() -> Integration:
    """Return the integration with the installed Airflow."""
    if installed_release() < (3, 0):
        from airflow_remote_server.integrations import airflow2

        return cast("Integration", airflow2)
    from airflow_remote_server.integrations import airflow3

    return cast("Integration", airflow3)


def configuration_paths() -> tuple[Path, Path, Path]:
    """Return airflow.cfg, the plugins folder, and the directory of ``airflow_local_settings.py``."""
    from airflow import settings
    from airflow.configuration import AIRFLOW_CONFIG, AIRFLOW_HOME

    return Path(AIRFLOW_CONFIG), Path(settings.PLUGINS_FOLDER or ""), Path(AIRFLOW_HOME, "config")
