"""The version of the server side: that of the client, since one distribution holds both."""

from __future__ import annotations

from airflow_remote._version import __version__

__all__ = ["__version__"]
