"""The settings for DAG files, as frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from airflow_remote_server.config.options import MEBIBYTE, OptionType, option

LOCAL_BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"
"""The class of the DAG bundles whose files are in a folder of this machine (Airflow 3)."""

_INTEGER, _NUMBER = OptionType.INTEGER, OptionType.NUMBER


@dataclass(frozen=True)
class DagFileLimits:
    """The limits for DAG files that are deployed. Each field has its description in its metadata."""

    file_bytes: int = field(
        default=8 * MEBIBYTE,
        metadata=option(
            "max_dag_bytes", "The largest file that `deploy_dag` accepts.", _INTEGER, unit="bytes"
        ),
    )
    files: int = field(
        default=1000,
        metadata=option("max_dag_files", "The maximum number of entries of a zip package.", _INTEGER),
    )
    unpacked_bytes: int = field(
        default=64 * MEBIBYTE,
        metadata=option(
            "max_unpacked_bytes",
            "The largest size of an unpacked zip package.",
            _INTEGER,
            unit="bytes",
        ),
    )
    versions: int = field(
        default=10,
        metadata=option(
            "keep_dag_versions", "How many earlier versions of each DAG file are kept.", _INTEGER
        ),
    )
    seconds: float = field(
        default=120.0,
        metadata=option(
            "deploy_timeout",
            "How long the import of a DAG file may take when it is deployed.",
            _NUMBER,
            unit="seconds",
        ),
    )


@dataclass(frozen=True)
class DagBundle:
    """A DAG bundle of Airflow 3.

    :param name: its configured name
    :param kind: the name of its class
    :param path: its folder; None if it is not a folder of this machine
    """

    name: str
    kind: str
    path: Path | None
