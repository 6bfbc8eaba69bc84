"""Packaging of airflow-remote: the client, and with the ``server`` extra the middleware."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent

# Each import package lives in a source root of its own, so the client can be worked on without the server.
SOURCES = {
    "airflow_remote": "client/airflow_remote",
    "airflow_remote_server": "middleware/airflow_remote_server",
}


def version() -> str:
    """Return the version that the client package states, without importing it."""
    source = (ROOT / SOURCES["airflow_remote"] / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "([^"]+)"$', source, re.MULTILINE)
    if match is None:
        raise SystemExit("client/airflow_remote/__init__.py has no line of the form: __version__ = '1.2.3'")
    return match[1]


def readme() -> str:
    """Return the text of the README, or nothing where a checkout has none."""
    path = ROOT / "README.md"
    return path.read_text(encoding="utf-8") if path.exists() else ""


packages = list(SOURCES)
for package, folder in SOURCES.items():
    packages += [f"{package}.{name}" for name in find_packages(str(ROOT / folder))]

setup(
    name="airflow-remote",
    version=version(),
    description="Apache Airflow's command line over HTTP: a middleware for its webserver, and a client.",
    long_description=readme(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Environment :: Web Environment",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Topic :: System :: Monitoring",
        "Typing :: Typed",
    ],
    keywords=["airflow", "rest", "api", "cli", "wsgi"],
    python_requires=">=3.9",
    packages=packages,
    package_dir=SOURCES,
    package_data={
        "airflow_remote": ["py.typed", "*.json"],
        "airflow_remote_server": ["py.typed", "**/*.json", "web/*.*"],
    },
    install_requires=["click>=8.1", "platformdirs>=3", "requests>=2.28"],
    extras_require={
        "server": ["werkzeug>=3.1", "jinja2>=3.1", "a2wsgi>=1.10", "tomli>=2; python_version < '3.11'"]
    },
    entry_points={
        "console_scripts": ["airflow-remote = airflow_remote.cli:main"],
        "airflow.plugins": ["airflow_remote = airflow_remote_server.integrations.plugin:RestApiEntryPoint"],
    },
    zip_safe=False,
)
