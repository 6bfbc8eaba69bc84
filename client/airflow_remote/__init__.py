"""The Airflow command line over HTTP: the client of ``airflow-remote``."""

from __future__ import annotations

__version__ = "0.1.0"
