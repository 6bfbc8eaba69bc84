"""How large DAG files may be, how long they may take, and where they go: part of the settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MEBIBYTE = 1 << 20

LOCAL = "airflow.dag_processing.bundles.local.LocalDagBundle"
"""The class of the bundles whose files are a folder of this machine's (Airflow 3)."""


@dataclass(frozen=True)
class Limits:
    """What DAG files are held to.

    :param file_bytes: largest file that is deployed
    :param files: most entries of a package
    :param unpacked_bytes: most that a package may unpack to
    :param versions: how many former versions of a file are kept
    :param seconds: how long the code of a file may run when it is imported
    """

    file_bytes: int = 8 * MEBIBYTE
    files: int = 1000
    unpacked_bytes: int = 64 * MEBIBYTE
    versions: int = 10
    seconds: float = 120.0


@dataclass(frozen=True)
class Bundle:
    """A DAG bundle of Airflow 3.

    :param name: as configured
    :param kind: name of its class
    :param path: its folder; None when it is not a folder of this machine's
    """

    name: str
    kind: str
    path: Path | None
