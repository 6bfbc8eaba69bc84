"""Open the object stores that Airflow and fsspec know."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH_MODULES = ("airflow.sdk", "airflow.io.path")
"""The modules that may have ``ObjectStoragePath``: of Airflow 3, and of Airflow 2.8 and later."""

PROCESS_CONTEXT = "_AIRFLOW_PROCESS_CONTEXT"
"""The variable by which Airflow 3 knows a process that may read connections from its database."""


def open_object_storage(url: str) -> tuple[Any, str]:
    """Return the file system of fsspec for a URL, and the path of the URL in it.

    A URL with a user, as ``s3://CONNECTION@bucket``, names the connection of Airflow that has the
    credentials. Otherwise, the library of the store finds them, for example in the environment.

    :param url: the URL
    :raises ImportError: if a library is missing
    :raises ValueError: if nothing can open URLs of this scheme
    :raises Exception: whatever Airflow raises if the connection cannot be used
    """
    parts = urlsplit(url)
    if parts.username is not None:
        os.environ.setdefault(PROCESS_CONTEXT, "server")
        path = _path_class()(url)
        return path.fs, path.path.rstrip("/")
    fsspec: Any = import_module("fsspec")
    return fsspec.filesystem(parts.scheme), f"{parts.netloc}{parts.path}".rstrip("/")


def missing_for(url: str) -> str:
    """Return what must be installed before a URL can be opened; "" if nothing is missing.

    :param url: the URL
    """
    parts = urlsplit(url)
    try:
        if parts.username is not None:
            _path_class()
        known = import_module("fsspec.registry").known_implementations
    except ImportError as error:
        return str(error).partition("\n")[0]
    entry = known.get(parts.scheme)
    if entry is None:
        return "" if parts.username is not None else f"fsspec does not know {parts.scheme}:// URLs"
    package = entry["class"].partition(".")[0]
    return "" if find_spec(package) else f"install {package} for {parts.scheme}:// URLs"


def _path_class() -> Any:
    """Return Airflow's class of paths in object stores.

    :raises ImportError: if this Airflow has none
    """
    for found in _path_classes():
        return found
    raise ImportError("connections of Airflow for object stores need Airflow 2.8 or later")


def _path_classes() -> Iterator[Any]:
    for name in PATH_MODULES:
        try:
            yield getattr(import_module(name), "ObjectStoragePath")  # noqa: B009 - not in every release
        except (ImportError, AttributeError):
            continue
