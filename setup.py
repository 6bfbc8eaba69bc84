"""Build ``airflow-remote``. ``pyproject.toml`` holds the metadata; this file serves tools that ask for it."""

from setuptools import setup

setup()
