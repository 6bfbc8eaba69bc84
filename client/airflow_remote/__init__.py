"""Run Airflow commands on a remote server over HTTP: the client package of ``airflow-remote``."""

from __future__ import annotations

from airflow_remote._version import __version__

__all__ = ["__version__"]
